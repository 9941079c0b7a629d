//! Services that nobody calls are stopped until somebody does, and instances that have grown old are replaced.

use super::World;
use crate::supervise::input::{Demand, Effect, Incarnation, Moment};
use crate::supervise::instance::{Spot, Standing};
use crate::supervise::phase::{Draining, Phase, Rest, Want};

/// It is looked so often, in the time after which a service is stopped.
const LOOKS: u32 = 4;

/// What is known of the calls to a service.
#[derive(Debug, Clone, Copy)]
pub struct Quiet {
    /// Since then none has begun and none was under way, as far as was seen.
    since: Moment,
    /// Calls so far.
    begun: u64,
    /// When to look next; `None` while a look is under way.
    pub next: Option<Moment>,
}

impl World {
    /// Begins and ends the looking for calls, by whether the service runs. A look by one that has ended meanwhile is never
    /// answered: when there are others, it is looked anew.
    pub(super) fn watch_calls(&mut self, now: Moment, service: usize) {
        let (planned, row) = (&self.plan.services[service], &self.rows[service]);
        let is_watched = planned.idle_timeout.is_some() || planned.autoscale.is_some();
        if !is_watched && row.quiet.is_none() && row.load.is_none() {
            return;
        }
        let called: Vec<Incarnation> = self.endpoints(service).map(|(_, incarnation)| incarnation).collect();
        let others = called != self.rows[service].called;
        self.rows[service].called = called;
        self.watch_quiet(now, service, others);
        self.watch_load(now, service, others);
    }

    fn watch_quiet(&mut self, now: Moment, service: usize, others: bool) {
        let row = &mut self.rows[service];
        let Some(timeout) = self.plan.services[service].idle_timeout else {
            row.quiet = None;
            return;
        };
        let serves = row.want == Want::Up && !row.called.is_empty();
        let next = Some(now.after(timeout / LOOKS));
        match (serves, &mut row.quiet) {
            (true, None) => row.quiet = Some(Quiet { since: now, begun: 0, next }),
            (true, Some(quiet)) if others && quiet.next.is_none() => quiet.next = next,
            (false, Some(_)) => row.quiet = None,
            _ => {}
        }
    }

    /// Looks, where the time for it has come.
    pub(super) fn look_for_calls(&mut self, now: Moment, service: usize) {
        let row = &mut self.rows[service];
        let quiet = row.quiet.as_mut().is_some_and(|quiet| quiet.next.take_if(|next| *next <= now).is_some());
        let load = row.load.as_mut().is_some_and(|load| load.is_due(now));
        if !quiet && !load {
            return;
        }
        let any = self.endpoints(service).next();
        match (any, &mut self.rows[service].load) {
            (Some((_, incarnation)), _) => self.effects.push(Effect::Measure { service, incarnation }),
            (None, Some(load)) => load.sleep(),
            (None, None) => {}
        }
    }

    pub(super) fn measured(&mut self, now: Moment, incarnation: Incarnation, demand: Demand) {
        let Some(spot) = self.find(incarnation) else { return };
        self.weigh_calls(now, spot, incarnation, demand);
        self.judge_quiet(now, spot.service, demand);
    }

    fn judge_quiet(&mut self, now: Moment, service: usize, demand: Demand) {
        let Some(timeout) = self.plan.services[service].idle_timeout else { return };
        let Some(quiet) = &mut self.rows[service].quiet else { return };
        if demand.under_way > 0 || demand.begun != quiet.begun {
            (quiet.since, quiet.begun) = (now, demand.begun);
        }
        let until = quiet.since.after(timeout);
        if until <= now {
            return self.rest(now, service);
        }
        quiet.next = Some(now.after(timeout / LOOKS).min(until));
        self.touch(service);
    }

    /// Nobody calls it: it goes until somebody does. A call that begins in this very moment is still answered.
    pub(super) fn rest(&mut self, now: Moment, service: usize) {
        let grace = self.plan.services[service].stop.grace;
        self.rows[service].want = Want::Idle;
        self.rows[service].rested = None;
        self.rows[service].quiet = None;
        for spot in self.spots(service) {
            let instance = self.instance_mut(spot);
            match &instance.phase {
                Phase::Up(up) if instance.phase.serves() => {
                    instance.phase = Phase::Draining(Draining::of(up, now.after(grace)));
                }
                Phase::Up(_) => self.stop(now, spot),
                Phase::Waiting | Phase::Backoff { .. } => instance.phase = Phase::Rest(Rest::Stopped),
                // It is not there yet, and another serves: it is stopped as soon as it is.
                Phase::Launching { .. } => instance.standing = Standing::Leaving,
                Phase::Rest(_) | Phase::Draining(_) | Phase::Stopping(_) | Phase::Elsewhere => {}
            }
        }
        self.touch_neighbours(service);
    }

    /// An instance that has reached its age: another takes its place, or it starts again where there may be but one.
    pub(super) fn grow_old(&mut self, now: Moment, spot: Spot) {
        let is_rolling = self.is_rolling(spot.service);
        let is_wanted = self.rows[spot.service].want == Want::Up;
        let instance = self.instance_mut(spot);
        let is_old = instance.aged_at.take_if(|at| *at <= now).is_some();
        if !is_old || !is_wanted || !instance.stays() || !matches!(instance.phase, Phase::Up(_)) {
            return;
        }
        match is_rolling && instance.serves() {
            true => instance.standing = Standing::Outdated,
            false => instance.again = true,
        }
        self.touch(spot.service);
    }
}
