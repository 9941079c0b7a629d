//! What users ask for changes what is wanted; the phases follow in `drive`.

use super::SetupState;
use super::World;
use super::giving_up;
use crate::model::Signal;
use crate::supervise::input::{Command, Effect, Exit, Incarnation, Moment};
use crate::supervise::phase::{Phase, Rest, Stage, Stopping, Want};

impl World {
    pub(super) fn asked(&mut self, now: Moment, command: Command) {
        match command {
            Command::Up(wants) => wants.into_iter().for_each(|(service, want)| self.want(service, want)),
            Command::UpAlone(wants) => wants.into_iter().for_each(|(service, want)| {
                match want {
                    Want::Up => self.start(service),
                    _ => self.want(service, want),
                }
                self.rows[service].alone = true;
            }),
            Command::Start(services) => services.into_iter().for_each(|service| self.start(service)),
            Command::Stop(services) => services.into_iter().for_each(|service| self.want(service, Want::Down)),
            Command::Restart(services) => services.into_iter().for_each(|service| self.restart(now, service)),
            Command::Wake(service) => self.wake(service),
            Command::Down => (0..self.rows.len()).for_each(|service| self.want(service, Want::Down)),
            Command::Kill => self.kill_all(now),
        }
    }

    pub(super) fn want(&mut self, service: usize, want: Want) {
        let row = &mut self.rows[service];
        // An idle service that a request woke stays up when `up` is asked again.
        if want == Want::Idle && row.want == Want::Up {
            return;
        }
        let begins = row.want == Want::Down || matches!(row.phase, Phase::Rest(Rest::Failed(_)));
        row.want = want;
        row.again = false;
        row.alone = false;
        if want == Want::Up && begins {
            self.afresh(service);
        }
        self.touch_neighbours(service);
    }

    fn start(&mut self, service: usize) {
        self.want(service, Want::Up);
        if self.rows[service].phase == Phase::Rest(Rest::Completed) {
            self.afresh(service);
            self.touch_neighbours(service);
        }
    }

    /// A start by the user's word: old failures are forgotten and the setup is looked at again.
    fn afresh(&mut self, service: usize) {
        let row = &mut self.rows[service];
        row.streak = 0;
        if let Phase::Rest(Rest::Failed(_) | Rest::Completed | Rest::Stopped) = row.phase {
            row.phase = Phase::Rest(Rest::New);
        }
        for &setup in &self.plan.services[service].setup {
            if matches!(self.setups[setup], SetupState::Done | SetupState::Failed(_)) {
                self.setups[setup] = SetupState::Due;
            }
        }
    }

    fn restart(&mut self, now: Moment, service: usize) {
        self.rows[service].want = Want::Up;
        self.afresh(service);
        match self.rows[service].phase {
            Phase::Up(_) => {
                self.rows[service].again = true;
                self.stop(now, service);
            }
            Phase::Launching { .. } | Phase::Stopping(_) => self.rows[service].again = true,
            Phase::Backoff { .. } => self.rows[service].phase = Phase::Waiting,
            Phase::Rest(_) | Phase::Waiting | Phase::Elsewhere => {}
        }
        self.touch_neighbours(service);
    }

    /// A request came for an idle service: it and what it needs are wanted from now on.
    fn wake(&mut self, service: usize) {
        if self.rows[service].want != Want::Idle {
            return;
        }
        let needed = self.plan.graph.closure([service]);
        for (other, _) in needed.into_iter().enumerate().filter(|(_, needed)| *needed) {
            if self.rows[other].want == Want::Down || other == service {
                self.want(other, Want::Up);
            }
        }
    }

    fn kill_all(&mut self, now: Moment) {
        for service in 0..self.rows.len() {
            self.want(service, Want::Down);
            if let Some(incarnation) = self.rows[service].phase.incarnation() {
                self.kill(now, service, incarnation);
            }
        }
    }

    pub(super) fn kill(&mut self, now: Moment, service: usize, incarnation: Incarnation) {
        let give_up_at = giving_up(now);
        let row = &mut self.rows[service];
        match &mut row.phase {
            Phase::Up(up) => {
                let exit = up.daemonized.then_some(Exit::Vanished);
                let pid = up.pid;
                let stage = Stage::Killed { give_up_at };
                row.phase = Phase::Stopping(Stopping { incarnation, pid, stage, exit, cleanup: false });
            }
            Phase::Stopping(stopping) => stopping.stage = Stage::Killed { give_up_at },
            // There is no process to hit yet; its launch is answered with a stop.
            _ => return,
        }
        self.effects.push(Effect::Signal { incarnation, signal: Signal::KILL });
        self.touch(service);
    }
}
