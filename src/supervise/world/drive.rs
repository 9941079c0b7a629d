//! Time passes, and services move towards what is wanted of them.

use super::{SetupState, World};
use crate::supervise::input::{Effect, Exit, Incarnation, Moment, SetupRun};
use crate::supervise::phase::{Failure, Phase, Rest, Stage, Stopping, Want};

impl World {
    pub(super) fn tick(&mut self, now: Moment) {
        while let Some(service) = self.deadlines.pop(now) {
            self.due(now, service);
        }
        if self.sweep.next.is_some_and(|next| next <= now) && !self.sweep.under_way {
            self.sweep.next = None;
            let waiting: Vec<_> = self.awaiting_listeners().map(|(service, up)| (service, up.incarnation)).collect();
            self.sweep.waiting = waiting.len();
            if !waiting.is_empty() {
                self.sweep.under_way = true;
                self.effects.push(Effect::Sweep(waiting));
            }
        }
    }

    fn due(&mut self, now: Moment, service: usize) {
        let row = &mut self.rows[service];
        match &mut row.phase {
            Phase::Backoff { .. } => {
                row.restarts += 1;
                row.phase = Phase::Waiting;
                self.touch(service);
            }
            Phase::Up(up) => {
                up.probing.next = None;
                self.effects.push(Effect::Probe { service, incarnation: up.incarnation });
            }
            Phase::Stopping(stopping) => {
                let incarnation = stopping.incarnation;
                match stopping.stage {
                    Stage::Asked { .. } => self.kill(now, service, incarnation),
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
            self.drive(now, service);
            self.deadlines.set(service, self.rows[service].phase.deadline());
            self.tell(now, service);
            self.changed.push(service);
        }
    }

    /// Moves one service a step towards what is wanted.
    fn drive(&mut self, now: Moment, service: usize) {
        let elsewhere = self.plan.services[service].external().is_some();
        match (self.rows[service].want, &self.rows[service].phase) {
            (Want::Up, Phase::Rest(Rest::New | Rest::Stopped)) | (Want::Up | Want::Idle, Phase::Waiting)
                if elsewhere =>
            {
                self.rows[service].phase = Phase::Elsewhere;
                self.touch_neighbours(service);
            }
            (Want::Up, Phase::Rest(Rest::New | Rest::Stopped)) => {
                self.rows[service].phase = Phase::Waiting;
                self.touch_neighbours(service);
            }
            (Want::Up | Want::Idle, Phase::Waiting) => self.try_launch(service),
            (Want::Down, Phase::Waiting | Phase::Backoff { .. }) => {
                self.rows[service].phase = Phase::Rest(Rest::Stopped);
                self.touch_neighbours(service);
            }
            (Want::Down, Phase::Elsewhere) if !self.has_dependents_to_stop(service) => {
                self.rows[service].phase = Phase::Rest(Rest::Stopped);
                self.touch_neighbours(service);
            }
            (Want::Down, Phase::Up(_)) if !self.has_dependents_to_stop(service) => self.stop(now, service),
            (Want::Up, Phase::Up(_)) if self.rows[service].again => self.stop(now, service),
            _ => {}
        }
    }

    /// Reverse order: what is needed by a service that is going goes after it.
    fn has_dependents_to_stop(&self, service: usize) -> bool {
        let dependents = self.plan.graph.dependents(service);
        dependents.iter().any(|&other| self.rows[other].want == Want::Down && self.rows[other].phase.is_active())
    }

    fn try_launch(&mut self, service: usize) {
        if !self.prepare(service) || !self.unmet(service).is_empty() {
            return;
        }
        self.last_incarnation += 1;
        let incarnation = Incarnation(self.last_incarnation);
        self.live.insert(incarnation, service);
        self.rows[service].phase = Phase::Launching { incarnation, matched: false };
        self.effects.push(Effect::Launch { service, incarnation });
        self.touch_neighbours(service);
    }

    /// Brings the setup steps of a service forward, in parallel with its waiting; true when all are through.
    fn prepare(&mut self, service: usize) -> bool {
        for at in 0..self.plan.services[service].setup.len() {
            let setup = self.plan.services[service].setup[at];
            match &self.setups[setup] {
                SetupState::Done => {}
                SetupState::Running(_) => return false,
                SetupState::Failed(error) => {
                    let failure = Failure::Setup(error.clone());
                    self.rows[service].phase = Phase::Rest(Rest::Failed(failure));
                    self.touch_neighbours(service);
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

    pub(super) fn stop(&mut self, now: Moment, service: usize) {
        let stop = self.plan.services[service].stop;
        let row = &mut self.rows[service];
        let Phase::Up(up) = &row.phase else { return };
        let incarnation = up.incarnation;
        let exit = up.daemonized.then_some(Exit::Vanished);
        let stage = Stage::Asked { kill_at: now.after(stop.grace) };
        row.phase = Phase::Stopping(Stopping { incarnation, pid: up.pid, stage, exit, cleanup: false });
        self.effects.push(Effect::Signal { incarnation, signal: stop.signal });
        self.touch_neighbours(service);
    }
}
