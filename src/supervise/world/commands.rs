//! What users ask for changes what is wanted; the phases follow in `drive`.

use std::collections::HashMap;
use std::sync::Arc;

use super::SetupState;
use super::World;
use super::giving_up;
use crate::model::Signal;
use crate::supervise::input::{Command, Effect, Exit, Incarnation, Moment};
use crate::supervise::instance::{Spot, Standing};
use crate::supervise::phase::{Cause, Draining, Phase, Rest, Stage, Stopping, Up, Want};

impl World {
    pub(super) fn asked(&mut self, now: Moment, command: Command) {
        match command {
            Command::Up(wants) => wants.into_iter().for_each(|(service, want)| self.begin(service, want)),
            Command::UpAlone(wants) => wants.into_iter().for_each(|(service, want)| {
                match want {
                    Want::Up => self.start(service),
                    _ => self.want(service, want),
                }
                self.rows[service].alone = true;
            }),
            Command::Start(services) => services.into_iter().for_each(|service| {
                if !self.rows[service].is_active() {
                    self.look_for_results(service);
                }
                self.start(service);
            }),
            Command::Away(services) => self.away(&services),
            Command::Stop(services) => services.into_iter().for_each(|service| self.want(service, Want::Down)),
            Command::NotRebuilt(service, error) => {
                self.rows[service].not_rebuilt = Some(error);
                self.touch(service);
            }
            Command::Restart(services) => {
                services.iter().for_each(|&service| self.look_for_results(service));
                services.iter().for_each(|&service| self.restart(now, service));
                self.lead_on(&services);
            }
            Command::Replace(services) => {
                services.iter().for_each(|&service| self.look_for_results(service));
                services.iter().for_each(|&service| self.replace(now, service));
                self.lead_on(&services);
            }
            Command::Wake(service) => self.wake(service),
            Command::Down => (0..self.rows.len()).for_each(|service| self.want(service, Want::Down)),
            Command::Kill(services) => services.into_iter().for_each(|service| self.kill_service(now, service)),
        }
    }

    pub(super) fn want(&mut self, service: usize, want: Want) {
        let row = &mut self.rows[service];
        // An idle service that a request woke stays up when `up` is asked again.
        if want == Want::Idle && row.want == Want::Up {
            return;
        }
        let was_down = row.want == Want::Down;
        row.want = want;
        row.rested = None;
        row.not_rebuilt.take_if(|_| want != Want::Up);
        row.alone = false;
        row.instances.iter_mut().for_each(|instance| instance.again = false);
        if want == Want::Up {
            let begins = |phase: &Phase| was_down || matches!(phase, Phase::Rest(Rest::Failed(_)));
            self.afresh(service, begins);
        }
        self.touch_neighbours(service);
    }

    /// Wants it with what it needs as that is now.
    fn begin(&mut self, service: usize, want: Want) {
        let starts = want == Want::Up && self.rows[service].want != Want::Up;
        self.want(service, want);
        if starts {
            self.look_for_results(service);
        }
    }

    /// What a service needs of tasks whose results are kept is looked for again when the service starts: the files that
    /// it depends on may be others by now. Tasks that keep nothing and come behind such ones run again, as what they made
    /// is of those before as they were. Tasks that failed are tried again.
    fn look_for_results(&mut self, service: usize) {
        let needed = self.needed([service]);
        let plan = self.plan.clone();
        let is_kept = |place: usize| plan.services[place].kept;
        let comes_behind_kept = |place: usize| {
            let before = self.needed([place]);
            (0..before.len()).any(|other| before[other] && is_kept(other))
        };
        let tasks = (0..plan.services.len()).filter(|place| *place != service && needed[*place]);
        let tasks = tasks.filter(|place| plan.services[*place].task);
        let tasks: Vec<(usize, bool)> = tasks.map(|place| (place, comes_behind_kept(place))).collect();
        for (place, again) in tasks {
            self.afresh(place, |phase| match phase {
                Phase::Rest(Rest::Completed) => again,
                Phase::Rest(Rest::Failed(_)) => true,
                _ => false,
            });
            self.touch_neighbours(place);
        }
    }

    fn start(&mut self, service: usize) {
        self.want(service, Want::Up);
        self.afresh(service, |phase| matches!(phase, Phase::Rest(Rest::Completed) | Phase::Backoff { .. }));
        for instance in &mut self.rows[service].instances {
            if matches!(instance.phase, Phase::Backoff { .. }) {
                instance.phase = Phase::Waiting;
            }
        }
        self.run_scheduled(service);
        self.touch_neighbours(service);
    }

    /// A start by the user's word: old failures are forgotten and the setup is looked at again.
    fn afresh(&mut self, service: usize, begins: impl Fn(&Phase) -> bool) {
        let mut any = false;
        for instance in self.rows[service].instances.iter_mut().filter(|instance| begins(&instance.phase)) {
            any = true;
            instance.streak = 0;
            if let Phase::Rest(Rest::Failed(_) | Rest::Completed | Rest::Stopped) = instance.phase {
                instance.phase = Phase::Rest(Rest::New);
            }
        }
        for &setup in self.plan.services[service].setup.iter().filter(|_| any) {
            if matches!(self.setups[setup], SetupState::Done | SetupState::Failed(_)) {
                self.setups[setup] = SetupState::Due;
            }
        }
    }

    fn restart(&mut self, now: Moment, service: usize) {
        self.begin_anew(service);
        self.spots(service).for_each(|spot| self.restart_one(now, spot));
        self.run_scheduled(service);
        self.touch_neighbours(service);
    }

    /// New processes are wanted of it, with what there is now.
    fn begin_anew(&mut self, service: usize) {
        let row = &mut self.rows[service];
        (row.want, row.follows, row.not_rebuilt) = (Want::Up, false, None);
        self.afresh(service, |_| true);
    }

    /// By hand one with a schedule runs at once.
    fn run_scheduled(&mut self, service: usize) {
        if self.is_scheduled(service) {
            self.run_once(service);
        }
    }

    fn restart_one(&mut self, now: Moment, spot: Spot) {
        let instance = self.instance_mut(spot);
        if !instance.stays() {
            return;
        }
        match instance.phase {
            Phase::Up(_) => {
                instance.again = true;
                self.stop(now, spot);
            }
            Phase::Launching { .. } | Phase::Stopping(_) => instance.again = true,
            Phase::Backoff { .. } => instance.phase = Phase::Waiting,
            Phase::Rest(_) | Phase::Waiting | Phase::Draining(_) | Phase::Elsewhere => {}
        }
    }

    /// Each instance that serves does so until a new one does; there is nothing to lose in the others.
    pub(super) fn replace(&mut self, now: Moment, service: usize) {
        if !self.is_rolling(service) {
            return self.restart(now, service);
        }
        self.begin_anew(service);
        for spot in self.spots(service) {
            let instance = self.instance_mut(spot);
            if instance.serves() {
                instance.standing = Standing::Outdated;
                continue;
            }
            // How often an earlier version was started again, and how it ended, is nothing of the new one's.
            (instance.restarts, instance.last_exit) = (0, None);
            self.restart_one(now, spot);
        }
        self.touch_neighbours(service);
    }

    /// A request came for an idle service: it and what it needs are wanted from now on.
    fn wake(&mut self, service: usize) {
        if self.rows[service].want != Want::Idle {
            return;
        }
        let needed = self.needed([service]);
        for (other, _) in needed.into_iter().enumerate().filter(|(_, needed)| *needed) {
            if self.rows[other].want == Want::Down || other == service {
                self.begin(other, Want::Up);
            }
        }
    }

    fn away(&mut self, remotes: &HashMap<usize, Arc<str>>) {
        for service in 0..self.rows.len() {
            let remote = remotes.get(&service).cloned();
            if self.rows[service].remote != remote {
                self.rows[service].remote = remote;
                self.touch(service);
                self.touch_neighbours(service);
            }
        }
    }

    fn kill_service(&mut self, now: Moment, service: usize) {
        self.want(service, Want::Down);
        for spot in self.spots(service) {
            if let Some(incarnation) = self.instance(spot).phase.incarnation() {
                self.kill(now, spot, incarnation);
            }
        }
    }

    pub(super) fn kill(&mut self, now: Moment, spot: Spot, incarnation: Incarnation) {
        let give_up_at = giving_up(now);
        let instance = self.instance_mut(spot);
        match &mut instance.phase {
            Phase::Up(Up { pid, daemonized, .. }) | Phase::Draining(Draining { pid, daemonized, .. }) => {
                let exit = daemonized.then_some(Exit::Vanished);
                let (pid, stage) = (*pid, Stage::Killed { give_up_at });
                instance.phase = Phase::Stopping(Stopping { incarnation, pid, stage, exit, cause: Cause::Asked });
            }
            Phase::Stopping(stopping) => stopping.stage = Stage::Killed { give_up_at },
            Phase::Launching { killed, .. } => {
                *killed = true;
                return;
            }
            Phase::Rest(_) | Phase::Waiting | Phase::Elsewhere | Phase::Backoff { .. } => return,
        }
        self.effects.push(Effect::Signal { incarnation, signal: Signal::KILL });
        self.touch(spot.service);
    }
}
