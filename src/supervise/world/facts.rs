//! What happened to processes and setup steps.

use super::{SetupState, World, giving_up};
use crate::model::{RestartPolicy, Signal};
use crate::resilience::delay;
use crate::supervise::input::{Effect, Exit, Fact, Incarnation, Left, Moment, Said, SetupRun};
use crate::supervise::phase::{Failure, Health, Phase, Probing, Rest, Stage, Stopping, Up, Want};

impl World {
    pub(super) fn told(&mut self, now: Moment, fact: Fact) {
        match fact {
            Fact::Launched(incarnation, pid) => self.launched(now, incarnation, pid),
            Fact::NotLaunched(incarnation, reason) => {
                if let Some(service) = self.live.remove(&incarnation) {
                    self.ended(now, service, Exit::NotLaunched(reason), now);
                }
            }
            Fact::Exited(incarnation, exit, left) => self.exited(now, incarnation, exit, left),
            Fact::Gone(incarnation) => self.gone(now, incarnation),
            Fact::Probed(incarnation, result) => self.probed(now, incarnation, result),
            Fact::LogMatched(incarnation) => self.proved(now, incarnation),
            Fact::Said(incarnation, Said::Ready) => self.proved(now, incarnation),
            Fact::Said(incarnation, Said::Status(status)) => self.said(incarnation, status),
            Fact::Swept(findings) => self.swept(now, findings),
            Fact::SetupEnded(run, result) => self.setup_ended(run, result),
        }
    }

    fn launched(&mut self, now: Moment, incarnation: Incarnation, pid: u32) {
        let Some(&service) = self.live.get(&incarnation) else { return };
        let matched = matches!(self.rows[service].phase, Phase::Launching { matched: true, .. });
        let mut up = Up {
            incarnation,
            pid,
            started: now,
            ready_at: None,
            daemonized: false,
            health: Health::Starting,
            probing: Probing::default(),
        };
        self.await_readiness(now, service, &mut up, matched);
        self.rows[service].phase = Phase::Up(up);
        self.touch_neighbours(service);
    }

    fn exited(&mut self, now: Moment, incarnation: Incarnation, exit: Exit, left: Left) {
        let Some(&service) = self.live.get(&incarnation) else { return };
        let row = &mut self.rows[service];
        match &mut row.phase {
            Phase::Up(up) => {
                let started = up.started;
                // Many a daemon listens only after its first process has ended.
                let may_listen = up.health == Health::Starting && !self.plan.services[service].ports.is_empty();
                match left {
                    Left::Listeners | Left::Strays if exit.success() && (may_listen || left == Left::Listeners) => {
                        up.daemonized = true;
                        self.touch(service);
                    }
                    Left::Nothing => {
                        self.live.remove(&incarnation);
                        self.ended(now, service, exit, started);
                    }
                    Left::Strays | Left::Listeners => {
                        let pid = up.pid;
                        if now.since(started) >= self.plan.services[service].restart.reset {
                            row.streak = 0;
                        }
                        let stage = Stage::Killed { give_up_at: giving_up(now) };
                        row.phase =
                            Phase::Stopping(Stopping { incarnation, pid, stage, exit: Some(exit), cleanup: true });
                        self.effects.push(Effect::Signal { incarnation, signal: Signal::KILL });
                        self.touch_neighbours(service);
                    }
                }
            }
            Phase::Stopping(stopping) => {
                stopping.exit = Some(exit);
                if left == Left::Nothing {
                    self.gone(now, incarnation);
                }
            }
            // The launcher was lost before it could say that the process had begun.
            Phase::Launching { .. } => {
                self.live.remove(&incarnation);
                self.ended(now, service, exit, now);
            }
            Phase::Rest(_) | Phase::Waiting | Phase::Elsewhere | Phase::Backoff { .. } => {}
        }
    }

    pub(super) fn gone(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(service) = self.live.remove(&incarnation) else { return };
        match &self.rows[service].phase {
            Phase::Stopping(stopping) => {
                let exit = stopping.exit.clone().unwrap_or(Exit::Vanished);
                match stopping.cleanup {
                    true => self.ended(now, service, exit, now),
                    false => self.stopped(service, exit),
                }
            }
            Phase::Up(up) => {
                let started = up.started;
                self.ended(now, service, Exit::Vanished, started);
            }
            Phase::Rest(_) | Phase::Waiting | Phase::Launching { .. } | Phase::Elsewhere | Phase::Backoff { .. } => {}
        }
    }

    fn stopped(&mut self, service: usize, exit: Exit) {
        let row = &mut self.rows[service];
        row.last_exit = Some(exit);
        row.phase = Phase::Rest(Rest::Stopped);
        row.again = false;
        self.touch_neighbours(service);
    }

    /// It ended without being asked: the restart policy speaks.
    fn ended(&mut self, now: Moment, service: usize, exit: Exit, started: Moment) {
        let spec = self.plan.services[service].restart.clone();
        let random = self.random.f64();
        let row = &mut self.rows[service];
        row.last_exit = Some(exit.clone());
        if now.since(started) >= spec.reset {
            row.streak = 0;
        }
        let restarts = match spec.policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure => !exit.success(),
            RestartPolicy::Always => true,
        };
        row.phase = if row.want == Want::Down {
            Phase::Rest(Rest::Stopped)
        } else if std::mem::take(&mut row.again) {
            Phase::Waiting
        } else if !restarts {
            match exit.success() {
                true => Phase::Rest(Rest::Completed),
                false => Phase::Rest(Rest::Failed(Failure::Exit(exit))),
            }
        } else if spec.max.is_some_and(|max| row.streak >= max) {
            Phase::Rest(Rest::Failed(Failure::GaveUp { exit, restarts: row.streak }))
        } else {
            let until = now.after(delay(&spec.backoff, row.streak, random));
            row.streak += 1;
            Phase::Backoff { until }
        };
        self.touch_neighbours(service);
    }

    fn setup_ended(&mut self, run: SetupRun, result: Result<(), String>) {
        let Some(setup) = self.runs.remove(&run) else { return };
        self.setups[setup] = match result {
            Ok(()) => SetupState::Done,
            Err(error) => SetupState::Failed(error),
        };
        let waiting: Vec<usize> =
            (0..self.rows.len()).filter(|&service| self.plan.services[service].setup.contains(&setup)).collect();
        waiting.into_iter().for_each(|service| self.touch(service));
    }
}
