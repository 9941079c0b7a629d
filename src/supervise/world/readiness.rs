//! From started to ready: log lines, listeners, and where probes begin.

use std::time::Duration;

use super::World;
use super::judged::NOT_JUDGED;
use super::probes::{NOT_SAID, first_try, no_line};
use crate::model::ProbeKind;
use crate::plan::Ready;
use crate::supervise::input::{Effect, Moment, Swept};
use crate::supervise::instance::Spot;
use crate::supervise::phase::{Health, Phase, Up};

/// Between two looks whether a service listens: this part of its age, so that it is seen late by as little of what it took.
const PART_OF_AGE: u32 = 16;
/// The limits of that. The lower one also lies between any two looks.
const LIMITS: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(500));

/// A program that does not listen after this long may never do so, and is looked at less often.
const SLOW: Duration = Duration::from_secs(60);

impl World {
    /// It has started: what is to tell that it is ready?
    pub(super) fn await_readiness(&mut self, now: Moment, spot: Spot) {
        let (plan, awaits_check) = (self.plan.clone(), self.awaits_check(spot));
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        match &plan.services[spot.service].readiness {
            _ if awaits_check => up.probing.error = Some(NOT_JUDGED.to_owned()),
            Ready::Started => up.be_ready(now),
            Ready::Log(_) | Ready::Notify if up.shown.has(ProbeKind::Readiness) => up.be_ready(now),
            Ready::Log(pattern) => up.probing.error = Some(no_line(pattern)),
            Ready::Notify => up.probing.error = Some(NOT_SAID.to_owned()),
            Ready::Listening(_) => self.sweep_soon(now),
            Ready::Probe(probe) => up.probing.next = Some(first_try(now, probe)),
        }
    }

    pub(super) fn become_ready(&mut self, now: Moment, spot: Spot) {
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        if up.health != Health::Ready {
            up.be_ready(now);
            self.touch_neighbours(spot.service);
        }
    }

    fn sweep_soon(&mut self, now: Moment) {
        let soon = now.after(LIMITS.0);
        self.sweep.next = Some(self.sweep.next.map_or(soon, |next| next.min(soon)));
    }

    /// Looks, where the time for it has come.
    pub(super) fn look_for_listeners(&mut self, now: Moment) {
        if self.sweep.under_way || self.sweep.next.is_none_or(|next| next > now) {
            return;
        }
        self.sweep.next = None;
        let mut due = Vec::new();
        for spot in self.awaiting_listeners() {
            let Phase::Up(up) = &mut self.instance_mut(spot).phase else { continue };
            if next_look(up) <= now {
                up.looked_at = Some(now);
                due.push((spot.service, up.incarnation));
            }
        }
        match due.is_empty() {
            true => self.look_again(now),
            false => {
                self.sweep.under_way = true;
                self.effects.push(Effect::Sweep(due));
            }
        }
    }

    /// A look is over; the next may not come before `rest` is.
    pub(super) fn swept(&mut self, now: Moment, findings: Vec<Swept>, rest: Duration) {
        self.sweep.under_way = false;
        for finding in findings {
            let Some(spot) = self.find(finding.incarnation) else { continue };
            if finding.listening {
                self.become_ready(now, spot);
                continue;
            }
            let Phase::Up(up) = &mut self.instance_mut(spot).phase else { continue };
            up.probing.tries += 1;
            if up.probing.error != finding.finding {
                up.probing.error = finding.finding;
                self.touch(spot.service);
            }
        }
        self.look_again(now.after(rest.max(LIMITS.0)));
    }

    /// The next look is when the first of those that are waited for is due, and not before `earliest`.
    fn look_again(&mut self, earliest: Moment) {
        let due = self.awaiting_listeners().into_iter().filter_map(|spot| match &self.instance(spot).phase {
            Phase::Up(up) => Some(next_look(up)),
            _ => None,
        });
        self.sweep.next = due.min().map(|due| due.max(earliest));
    }

    fn awaiting_listeners(&self) -> Vec<Spot> {
        let of_port = |service: &usize| matches!(self.plan.services[*service].readiness, Ready::Listening(_));
        let waits = |spot: &Spot| match &self.instance(*spot).phase {
            Phase::Up(up) => up.health == Health::Starting && up.startup.is_none() && !up.shown.has_check,
            _ => false,
        };
        (0..self.rows.len()).filter(of_port).flat_map(|service| self.spots(service)).filter(waits).collect()
    }
}

/// When it is looked again whether a service listens.
fn next_look(up: &Up) -> Moment {
    let Some(looked_at) = up.looked_at else { return up.started };
    let age = looked_at.since(up.started);
    let longest = if age < SLOW { LIMITS.1 } else { LIMITS.1 * 10 };
    looked_at.after((age / PART_OF_AGE).clamp(LIMITS.0, longest))
}
