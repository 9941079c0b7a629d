//! Time passes, and services move towards what is wanted of them.

use super::{SetupState, World};
use crate::supervise::input::{Effect, Exit, Incarnation, Moment, SetupRun};
use crate::supervise::instance::{Spot, Standing};
use crate::supervise::phase::{Cause, Draining, Failure, Phase, Rest, Shown, Stage, Stopping, Up, Want};

impl World {
    pub(super) fn tick(&mut self, now: Moment) {
        while let Some(service) = self.deadlines.pop(now) {
            self.look_for_calls(now, service);
            self.look_at_clock(now, service);
            self.spots(service).for_each(|spot| self.due(now, spot));
            self.deadlines.set(service, self.rows[service].deadline());
        }
        self.look_at_memory(now);
        self.look_for_listeners(now);
    }

    fn due(&mut self, now: Moment, spot: Spot) {
        self.grow_old(now, spot);
        self.grow_stable(now, spot);
        let service = spot.service;
        let instance = self.instance_mut(spot);
        if instance.phase.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match &mut instance.phase {
            Phase::Backoff { .. } => {
                instance.restarts += 1;
                instance.phase = Phase::Waiting;
                self.touch(service);
            }
            Phase::Up(up) if instance.is_unjudged => up.silence(),
            Phase::Up(_) => self.probes_due(now, spot),
            Phase::Draining(_) => self.stop(now, spot),
            Phase::Stopping(stopping) => {
                let incarnation = stopping.incarnation;
                match stopping.stage {
                    Stage::Asked { .. } => self.kill(now, spot, incarnation),
                    Stage::Killed { .. } => self.gone(now, incarnation),
                }
            }
            Phase::Rest(_) | Phase::Waiting | Phase::Launching { .. } | Phase::Elsewhere => {}
        }
    }

    /// Looks at every service that something happened to, until nothing more follows from it.
    pub(super) fn settle(&mut self, now: Moment) {
        while let Some(service) = self.dirty.pop_front() {
            self.rows[service].is_dirty = false;
            self.follow(now, service);
            self.staff(now, service);
            self.spots(service).for_each(|spot| self.drive(now, spot));
            self.watch_calls(now, service);
            self.keep_agenda(service);
            self.deadlines.set(service, self.rows[service].deadline());
            self.spots(service).for_each(|spot| self.tell(now, spot));
            self.changed.push(service);
        }
    }

    /// Moves one instance a step towards what is wanted.
    fn drive(&mut self, now: Moment, spot: Spot) {
        let service = spot.service;
        let elsewhere = self.plan.services[service].external().is_some();
        let instance = self.instance(spot);
        if !instance.stays() {
            return self.let_go(now, spot);
        }
        match (self.rows[service].want, &instance.phase) {
            (Want::Up, Phase::Rest(Rest::New | Rest::Stopped)) | (Want::Up | Want::Idle, Phase::Waiting)
                if elsewhere =>
            {
                self.become_phase(spot, Phase::Elsewhere);
            }
            (Want::Up, Phase::Rest(_)) if self.is_scheduled(service) => {}
            (Want::Up, Phase::Rest(Rest::New | Rest::Stopped)) => self.become_phase(spot, Phase::Waiting),
            (Want::Up | Want::Idle, Phase::Waiting) => self.try_launch(spot),
            (Want::Down, Phase::Waiting | Phase::Backoff { .. }) => {
                self.become_phase(spot, Phase::Rest(Rest::Stopped));
            }
            (Want::Down, Phase::Elsewhere) if !self.has_dependents_to_stop(service) => {
                self.become_phase(spot, Phase::Rest(Rest::Stopped));
            }
            (Want::Down, Phase::Up(_) | Phase::Draining(_)) if !self.has_dependents_to_stop(service) => {
                self.stop(now, spot);
            }
            (Want::Up, Phase::Up(_)) if instance.again => self.stop(now, spot),
            _ => {}
        }
    }

    /// Moves one that is to be forgotten a step towards its end. One that drains is not waited for by a stop of all.
    fn let_go(&mut self, now: Moment, spot: Spot) {
        let is_down = self.rows[spot.service].want == Want::Down;
        match self.instance(spot).phase {
            Phase::Up(_) => self.stop(now, spot),
            Phase::Draining(_) if is_down && !self.has_dependents_to_stop(spot.service) => self.stop(now, spot),
            _ => {}
        }
    }

    fn become_phase(&mut self, spot: Spot, phase: Phase) {
        self.instance_mut(spot).phase = phase;
        self.touch_neighbours(spot.service);
    }

    /// Reverse order: what is needed by a service that is going goes after it.
    fn has_dependents_to_stop(&self, service: usize) -> bool {
        let dependents = self.plan.graph.dependents(service);
        dependents.iter().any(|&other| self.rows[other].want == Want::Down && self.rows[other].is_active())
    }

    fn try_launch(&mut self, spot: Spot) {
        let service = spot.service;
        if !self.prepare(spot) || !self.unmet(service).is_empty() {
            return;
        }
        self.last_incarnation += 1;
        let incarnation = Incarnation(self.last_incarnation);
        self.live.insert(incarnation, service);
        let instance = self.instance_mut(spot);
        // What is launched now is as new as can be.
        instance.standing = Standing::Kept;
        instance.is_unjudged = false;
        instance.phase = Phase::Launching { incarnation, shown: Shown::default(), said: None, killed: false };
        let number = instance.number;
        self.effects.push(Effect::Launch { service, instance: number, incarnation });
        self.touch_neighbours(service);
    }

    /// Brings the setup steps of a service forward, in parallel with its waiting; true when all are through.
    fn prepare(&mut self, spot: Spot) -> bool {
        let service = spot.service;
        for at in 0..self.plan.services[service].setup.len() {
            let setup = self.plan.services[service].setup[at];
            match &self.setups[setup] {
                SetupState::Done => {}
                SetupState::Running(_) => return false,
                SetupState::Failed(error) => {
                    let failure = Failure::Setup(error.clone());
                    self.become_phase(spot, Phase::Rest(Rest::Failed(failure)));
                    return false;
                }
                SetupState::Due => {
                    self.last_incarnation += 1;
                    let run = SetupRun(self.last_incarnation);
                    self.setups[setup] = SetupState::Running(run);
                    self.runs.insert(run, setup);
                    self.effects.push(Effect::Setup { setup, run });
                    return false;
                }
            }
        }
        true
    }

    pub(super) fn stop(&mut self, now: Moment, spot: Spot) {
        let stop = self.plan.services[spot.service].stop;
        let instance = self.instance_mut(spot);
        let (Phase::Up(Up { incarnation, pid, daemonized, .. })
        | Phase::Draining(Draining { incarnation, pid, daemonized, .. })) = &instance.phase
        else {
            return;
        };
        let (incarnation, pid) = (*incarnation, *pid);
        let exit = daemonized.then_some(Exit::Vanished);
        let stage = Stage::Asked { kill_at: now.after(stop.grace) };
        instance.phase = Phase::Stopping(Stopping { incarnation, pid, stage, exit, cause: Cause::Asked });
        self.effects.push(Effect::Signal { incarnation, signal: stop.signal });
        self.touch_neighbours(spot.service);
    }
}
