//! What happened to processes and setup steps.

use super::{SetupState, World, giving_up};
use crate::model::{RestartPolicy, Signal};
use crate::resilience::delay;
use crate::supervise::input::{Effect, Exit, Fact, Incarnation, Left, Moment, Said, SetupRun};
use crate::supervise::instance::{Spot, Standing};
use crate::supervise::phase::{Cause, Draining, Failure, Health, Phase, Probing, Rest, Stage, Stopping, Up, Want};

impl World {
    pub(super) fn told(&mut self, now: Moment, fact: Fact) {
        match fact {
            Fact::Launched(incarnation, pid) => self.launched(now, incarnation, pid),
            Fact::NotLaunched(incarnation, reason) => {
                if let Some(spot) = self.find_last(incarnation) {
                    self.ended(now, spot, Exit::NotLaunched(reason), now);
                }
            }
            Fact::Exited(incarnation, exit, left) => self.exited(now, incarnation, exit, left),
            Fact::Gone(incarnation) => self.gone(now, incarnation),
            Fact::Drained(incarnation) => self.drained(now, incarnation),
            Fact::Called(incarnation) => self.called(now, incarnation),
            Fact::Weighed(all) => self.weighed(now, &all),
            Fact::Measured(incarnation, demand) => self.measured(now, incarnation, demand),
            Fact::Probed(incarnation, kind, result) => self.probed(now, incarnation, kind, result),
            Fact::LogMatched(incarnation, kind) => self.log_matched(now, incarnation, kind),
            Fact::Said(incarnation, Said::Ready) => self.said_ready(now, incarnation),
            Fact::Said(incarnation, Said::Alive) => self.said_alive(now, incarnation),
            Fact::Said(incarnation, Said::Dead) => self.said_dead(now, incarnation),
            Fact::Said(incarnation, Said::Status(status)) => self.said(incarnation, &status),
            Fact::HasCheck(incarnation) => self.has_check(incarnation),
            Fact::Judged(incarnation, verdict) => self.judged(now, incarnation, verdict),
            Fact::Swept(findings, rest) => self.swept(now, findings, rest),
            Fact::Looked(ticket, hour) => self.looked(ticket, hour),
            Fact::SetupEnded(run, result) => self.setup_ended(run, result),
        }
    }

    fn launched(&mut self, now: Moment, incarnation: Incarnation, pid: u32) {
        let Some(spot) = self.find(incarnation) else { return };
        let Phase::Launching { shown, said, killed, .. } = &mut self.instance_mut(spot).phase else { return };
        let (shown, said, killed) = (*shown, said.take(), *killed);
        let up = Up {
            incarnation,
            pid,
            started: now,
            ready_at: None,
            daemonized: false,
            health: Health::Starting,
            startup: None,
            probing: Probing::default(),
            looked_at: None,
            liveness: Probing::default(),
            shown,
        };
        let planned = &self.plan.services[spot.service];
        let (max_age, reset) = (planned.max_age, planned.restart.reset);
        let instance = self.instance_mut(spot);
        instance.phase = Phase::Up(up);
        instance.aged_at = max_age.map(|age| now.after(age));
        instance.stable_at = (instance.streak > 0).then(|| now.after(reset));
        self.begin_probes(now, spot);
        if let Some(status) = said {
            self.said(incarnation, &status);
        }
        self.weigh_soon(now);
        self.touch_neighbours(spot.service);
        if killed {
            self.kill(now, spot, incarnation);
        }
    }

    fn exited(&mut self, now: Moment, incarnation: Incarnation, exit: Exit, left: Left) {
        let Some(spot) = self.find(incarnation) else { return };
        let has_ports = !self.plan.services[spot.service].ports.is_empty();
        let phase = &mut self.instance_mut(spot).phase;
        // Many a daemon listens only after its first process has ended.
        let may_listen = has_ports && matches!(phase, Phase::Up(up) if up.health == Health::Starting);
        match phase {
            Phase::Up(Up { started, daemonized, pid, .. })
            | Phase::Draining(Draining { started, daemonized, pid, .. }) => {
                let (started, pid) = (*started, *pid);
                match left {
                    Left::Listeners | Left::Strays if exit.success() && (may_listen || left == Left::Listeners) => {
                        *daemonized = true;
                        self.touch(spot.service);
                    }
                    Left::Nothing => {
                        self.live.remove(&incarnation);
                        self.ended(now, spot, exit, started);
                    }
                    Left::Strays | Left::Listeners => self.clean_up(now, spot, (incarnation, pid, started), exit),
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
                self.ended(now, spot, exit, now);
            }
            Phase::Rest(_) | Phase::Waiting | Phase::Elsewhere | Phase::Backoff { .. } => {}
        }
    }

    /// A main process ended and left others, which nobody wants.
    fn clean_up(&mut self, now: Moment, spot: Spot, life: (Incarnation, u32, Moment), exit: Exit) {
        let (incarnation, pid, started) = life;
        self.forgive(now, spot, started);
        let instance = self.instance_mut(spot);
        let stage = Stage::Killed { give_up_at: giving_up(now) };
        instance.phase = Phase::Stopping(Stopping { incarnation, pid, stage, exit: Some(exit), cause: Cause::Ended });
        self.effects.push(Effect::Signal { incarnation, signal: Signal::KILL });
        self.touch_neighbours(spot.service);
    }

    pub(super) fn gone(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(spot) = self.find_last(incarnation) else { return };
        match &self.instance(spot).phase {
            Phase::Stopping(stopping) => {
                let exit = stopping.exit.clone().unwrap_or(Exit::Vanished);
                match stopping.cause.clone() {
                    Cause::Asked => self.stopped(spot, exit),
                    Cause::Ended => self.ended(now, spot, exit, now),
                    Cause::Failed(failure) => self.ended(now, spot, failure, now),
                }
            }
            Phase::Up(Up { started, .. }) | Phase::Draining(Draining { started, .. }) => {
                let started = *started;
                self.ended(now, spot, Exit::Vanished, started);
            }
            Phase::Rest(_) | Phase::Waiting | Phase::Launching { .. } | Phase::Elsewhere | Phase::Backoff { .. } => {}
        }
    }

    /// Its last call is answered.
    fn drained(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(spot) = self.find(incarnation) else { return };
        if matches!(self.instance(spot).phase, Phase::Draining(_)) {
            self.stop(now, spot);
        }
    }

    fn stopped(&mut self, spot: Spot, exit: Exit) {
        let instance = self.instance_mut(spot);
        instance.last_exit = Some(exit);
        instance.phase = Phase::Rest(Rest::Stopped);
        instance.again = false;
        if instance.stays() {
            instance.standing = Standing::Kept;
        }
        self.touch_neighbours(spot.service);
    }

    /// Having been up for long enough ends a row of restarts.
    pub(super) fn forgive(&mut self, now: Moment, spot: Spot, started: Moment) {
        if now.since(started) >= self.plan.services[spot.service].restart.reset {
            self.instance_mut(spot).streak = 0;
        }
    }

    /// One that has been up for long enough is in no crash loop any more, and is said to be in none.
    pub(super) fn grow_stable(&mut self, now: Moment, spot: Spot) {
        let instance = self.instance_mut(spot);
        if matches!(instance.phase, Phase::Up(_)) && instance.stable_at.take_if(|at| *at <= now).is_some() {
            instance.streak = 0;
            self.touch(spot.service);
        }
    }

    /// It ended without being asked: the restart policy speaks.
    fn ended(&mut self, now: Moment, spot: Spot, exit: Exit, started: Moment) {
        self.forgive(now, spot, started);
        let spec = self.plan.services[spot.service].restart.clone();
        let random = self.random.f64();
        let want = self.rows[spot.service].want;
        let instance = self.instance_mut(spot);
        instance.last_exit = Some(exit.clone());
        let restarts = match spec.policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure => !exit.success(),
            RestartPolicy::Always => true,
        };
        // One that is idle ended on its way to rest.
        instance.phase = if want != Want::Up || !instance.stays() {
            Phase::Rest(Rest::Stopped)
        } else if std::mem::take(&mut instance.again) {
            Phase::Waiting
        } else if !restarts {
            match exit.success() {
                true => Phase::Rest(Rest::Completed),
                false => Phase::Rest(Rest::Failed(Failure::Exit(exit))),
            }
        } else if spec.max.is_some_and(|max| instance.streak >= max) {
            Phase::Rest(Rest::Failed(Failure::GaveUp { exit, restarts: instance.streak }))
        } else {
            let until = now.after(delay(&spec.backoff, instance.streak, random));
            instance.streak += 1;
            Phase::Backoff { until }
        };
        self.touch_neighbours(spot.service);
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
