//! The machine itself.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Condition, Dependency, RestartPolicy, Signal};
use crate::plan::{Plan, PlannedCheck, Ready};
use crate::resilience::delay;

use super::due::Deadlines;
use super::input::{Command, Effect, Exit, Fact, Incarnation, Input, Left, Moment, SetupRun, Swept};
use super::phase::{Failure, Health, Phase, Probing, Rest, Stage, Stopping, Up, Want};
use super::status::{Event, State};

/// After SIGKILL a process is gone at once, unless the kernel holds it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);
/// The first tries of a probe come quickly, each later than the one before, up to its period.
const FIRST_TRY: Duration = Duration::from_millis(10);
/// A try that starts a process is dearer.
const FIRST_EXEC_TRY: Duration = Duration::from_millis(50);
/// Between two looks at who listens: a quarter of the age of the youngest service that does not, in these limits.
const SWEEP_LIMITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));

/// All services of a workspace and what is going on with them.
#[derive(Debug)]
pub struct World {
    pub(super) plan: Arc<Plan>,
    pub(super) rows: Vec<Row>,
    pub(super) setups: Vec<SetupState>,
    pub(super) live: HashMap<Incarnation, usize>,
    pub(super) runs: HashMap<SetupRun, usize>,
    pub(super) deadlines: Deadlines,
    pub(super) sweep: Sweep,
    /// Services to look at before this step ends.
    pub(super) dirty: VecDeque<usize>,
    pub(super) effects: Vec<Effect>,
    pub(super) events: Vec<Event>,
    /// Services that something happened to since this was last asked.
    changed: Vec<usize>,
    last_incarnation: u64,
    random: fastrand::Rng,
}

/// One service.
#[derive(Debug, Clone)]
pub struct Row {
    pub want: Want,
    pub phase: Phase,
    /// Automatic restarts, all of them.
    pub restarts: u32,
    /// Automatic restarts since it was last up for long enough.
    pub streak: u32,
    pub last_exit: Option<Exit>,
    /// A restart was asked for: the stop that is under way is no end.
    pub again: bool,
    /// No longer in the manifest; only its stop is still to be seen.
    pub leaving: bool,
    /// It is in the queue.
    pub is_dirty: bool,
    /// The state that was last told as an event.
    pub told: Option<State>,
}

impl Row {
    /// A service that was never started.
    pub fn new() -> Self {
        Self {
            want: Want::Down,
            phase: Phase::Rest(Rest::New),
            restarts: 0,
            streak: 0,
            last_exit: None,
            again: false,
            leaving: false,
            is_dirty: false,
            told: None,
        }
    }
}

/// A setup step, shared by the services that need it.
#[derive(Debug, Clone, PartialEq)]
pub enum SetupState {
    /// To be looked at when a service needs it.
    Due,
    Running(SetupRun),
    Done,
    Failed(String),
}

/// The looking for listeners, one look for all services that wait for theirs.
#[derive(Debug, Default)]
pub struct Sweep {
    next: Option<Moment>,
    under_way: bool,
    waiting: usize,
}

impl World {
    /// A world in which nothing was started.
    pub fn new(plan: Arc<Plan>, seed: u64) -> Self {
        Self {
            rows: plan.services.iter().map(|_| Row::new()).collect(),
            setups: plan.setups.iter().map(|_| SetupState::Due).collect(),
            plan,
            live: HashMap::new(),
            runs: HashMap::new(),
            deadlines: Deadlines::default(),
            sweep: Sweep::default(),
            dirty: VecDeque::new(),
            effects: Vec::new(),
            events: Vec::new(),
            changed: Vec::new(),
            last_incarnation: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The one way in: takes an input and returns what is to be done.
    pub fn step(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        match input {
            Input::Asked(command) => self.asked(now, command),
            Input::Told(fact) => self.told(now, fact),
            Input::Tick => self.tick(now),
        }
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// When `Input::Tick` is wanted next.
    pub fn next_deadline(&self) -> Option<Moment> {
        match (self.deadlines.earliest(), self.sweep.next) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The changes of state since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The services that something happened to since this was last asked, each once.
    pub fn take_changed(&mut self) -> Vec<usize> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Whether no service has a process. A setup step may still run; it ends with the launcher.
    pub fn is_quiet(&self) -> bool {
        self.rows.iter().all(|row| !row.phase.is_active())
    }

    /// A row, for the projections beside this file.
    pub(super) fn row(&self, service: usize) -> &Row {
        &self.rows[service]
    }

    // === commands ===

    fn asked(&mut self, now: Moment, command: Command) {
        match command {
            Command::Up(wants) => wants.into_iter().for_each(|(service, want)| self.want(service, want)),
            Command::Start(services) => services.into_iter().for_each(|service| self.start(service)),
            Command::Stop(services) => services.into_iter().for_each(|service| self.want(service, Want::Down)),
            Command::Restart(services) => services.into_iter().for_each(|service| self.restart(now, service)),
            Command::Wake(service) => self.wake(service),
            Command::Down => (0..self.rows.len()).for_each(|service| self.want(service, Want::Down)),
            Command::Kill => self.kill_all(now),
        }
    }

    fn want(&mut self, service: usize, want: Want) {
        let row = &mut self.rows[service];
        // An idle service that a request woke stays up when `up` is asked again.
        if want == Want::Idle && row.want == Want::Up {
            return;
        }
        let begins = row.want == Want::Down || matches!(row.phase, Phase::Rest(Rest::Failed(_)));
        row.want = want;
        row.again = false;
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
            Phase::Rest(_) | Phase::Waiting => {}
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

    fn kill(&mut self, now: Moment, service: usize, incarnation: Incarnation) {
        let give_up_at = now.after(GIVE_UP_AFTER);
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

    // === facts ===

    fn told(&mut self, now: Moment, fact: Fact) {
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
            Fact::LogMatched(incarnation) => self.log_matched(now, incarnation),
            Fact::Swept(findings) => self.swept(now, findings),
            Fact::SetupEnded(run, result) => self.setup_ended(run, result),
        }
    }

    fn launched(&mut self, now: Moment, incarnation: Incarnation, pid: u32) {
        let Some(&service) = self.live.get(&incarnation) else { return };
        let readiness = &self.plan.services[service].readiness;
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
        match readiness {
            Ready::Started => up.be_ready(now),
            Ready::Log(_) if matched => up.be_ready(now),
            Ready::Log(pattern) => up.probing.error = Some(format!("no line matches `{pattern}` yet")),
            Ready::Listening(_) => self.sweep_soon(now),
            Ready::Probe(probe) => up.probing.next = Some(now.after(probe.rhythm.initial_delay.max(FIRST_TRY))),
        }
        self.rows[service].phase = Phase::Up(up);
        self.touch_neighbours(service);
    }

    fn exited(&mut self, now: Moment, incarnation: Incarnation, exit: Exit, left: Left) {
        let Some(&service) = self.live.get(&incarnation) else { return };
        let row = &mut self.rows[service];
        match &mut row.phase {
            Phase::Up(up) => {
                let started = up.started;
                match left {
                    Left::Listeners if exit.success() => {
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
                        let stage = Stage::Killed { give_up_at: now.after(GIVE_UP_AFTER) };
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
            Phase::Rest(_) | Phase::Waiting | Phase::Launching { .. } | Phase::Backoff { .. } => {}
        }
    }

    fn gone(&mut self, now: Moment, incarnation: Incarnation) {
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
            Phase::Rest(_) | Phase::Waiting | Phase::Launching { .. } | Phase::Backoff { .. } => {}
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

    fn probed(&mut self, now: Moment, incarnation: Incarnation, result: Result<(), String>) {
        let Some(&service) = self.live.get(&incarnation) else { return };
        let Ready::Probe(probe) = &self.plan.services[service].readiness else { return };
        let Phase::Up(up) = &mut self.rows[service].phase else { return };
        let probing = &mut up.probing;
        probing.tries += 1;
        let before = up.health;
        match result {
            Ok(()) => {
                probing.failures = 0;
                probing.successes += 1;
                if probing.successes >= probe.rhythm.success_threshold {
                    up.be_ready(now);
                }
            }
            Err(error) => {
                probing.successes = 0;
                probing.failures += 1;
                probing.error = Some(error);
                if up.health == Health::Ready && probing.failures >= probe.rhythm.failure_threshold {
                    up.health = Health::Unhealthy;
                }
            }
        }
        let probing = &mut up.probing;
        let quiet = up.health == Health::Ready && probing.failures == 0;
        let first = if matches!(probe.check, PlannedCheck::Exec(_)) { FIRST_EXEC_TRY } else { FIRST_TRY };
        let pause = match (quiet, up.health) {
            (true, _) => probe.rhythm.quiet_period,
            (false, Health::Starting) => growing(first, probing.tries).min(probe.rhythm.period),
            (false, _) => probe.rhythm.period,
        };
        probing.next = Some(now.after(pause));
        match before == up.health {
            true => self.touch(service),
            false => self.touch_neighbours(service),
        }
    }

    fn log_matched(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(&service) = self.live.get(&incarnation) else { return };
        match &mut self.rows[service].phase {
            Phase::Launching { matched, .. } => *matched = true,
            _ => self.become_ready(now, service),
        }
    }

    fn become_ready(&mut self, now: Moment, service: usize) {
        let Phase::Up(up) = &mut self.rows[service].phase else { return };
        if up.health != Health::Ready {
            up.be_ready(now);
            self.touch_neighbours(service);
        }
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

    // === listening ===

    fn sweep_soon(&mut self, now: Moment) {
        let soon = now.after(SWEEP_LIMITS.0);
        self.sweep.next = Some(self.sweep.next.map_or(soon, |next| next.min(soon)));
    }

    fn swept(&mut self, now: Moment, findings: Vec<Swept>) {
        self.sweep.under_way = false;
        for finding in findings {
            let Some(&service) = self.live.get(&finding.incarnation) else { continue };
            if finding.listening {
                self.become_ready(now, service);
                continue;
            }
            let Phase::Up(up) = &mut self.rows[service].phase else { continue };
            up.probing.tries += 1;
            if up.probing.error != finding.finding {
                up.probing.error = finding.finding;
                self.touch(service);
            }
        }
        let youngest = self.awaiting_listeners().map(|(_, up)| up.started).max();
        self.sweep.next = youngest.map(|started| {
            let pause = now.since(started) / 4;
            now.after(pause.clamp(SWEEP_LIMITS.0, SWEEP_LIMITS.1))
        });
    }

    fn awaiting_listeners(&self) -> impl Iterator<Item = (usize, &Up)> {
        self.rows.iter().enumerate().filter_map(|(service, row)| match &row.phase {
            Phase::Up(up)
                if up.health == Health::Starting
                    && matches!(self.plan.services[service].readiness, Ready::Listening(_)) =>
            {
                Some((service, up))
            }
            _ => None,
        })
    }

    // === time ===

    fn tick(&mut self, now: Moment) {
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
            Phase::Rest(_) | Phase::Waiting | Phase::Launching { .. } => {}
        }
    }

    // === driving ===

    /// Looks at every service that something happened to, until nothing more follows from it.
    fn settle(&mut self, now: Moment) {
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
        match (self.rows[service].want, &self.rows[service].phase) {
            (Want::Up, Phase::Rest(Rest::New | Rest::Stopped)) => {
                self.rows[service].phase = Phase::Waiting;
                self.touch_neighbours(service);
            }
            (Want::Up | Want::Idle, Phase::Waiting) => self.try_launch(service),
            (Want::Down, Phase::Waiting | Phase::Backoff { .. }) => {
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

    fn stop(&mut self, now: Moment, service: usize) {
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

    // === dependencies ===

    /// The dependencies that keep a service from starting.
    pub(super) fn unmet_dependencies(&self, service: usize) -> impl Iterator<Item = &Dependency> {
        self.plan.services[service].depends_on.iter().filter(|dependency| !self.is_met(dependency))
    }

    /// The same, by place.
    pub(super) fn unmet(&self, service: usize) -> Vec<usize> {
        self.unmet_dependencies(service).map(|dependency| dependency.service).collect()
    }

    fn is_met(&self, dependency: &Dependency) -> bool {
        let row = &self.rows[dependency.service];
        // A lazy service is there as soon as somebody calls it; nobody waits for that.
        if row.want == Want::Idle && matches!(row.phase, Phase::Rest(_)) && dependency.condition != Condition::Completed
        {
            return true;
        }
        match (dependency.condition, &row.phase) {
            (Condition::Completed, phase) => *phase == Phase::Rest(Rest::Completed),
            (Condition::Started, Phase::Up(_)) => true,
            (Condition::Ready | Condition::LogReady, Phase::Up(up)) => up.health == Health::Ready,
            // It was there, did its work and ended well: as much as a job can be.
            (Condition::Started | Condition::Ready, Phase::Rest(Rest::Completed)) => {
                !self.judges_readiness(dependency.service)
            }
            _ => false,
        }
    }

    /// The dependency that will never be there unless somebody acts, if there is one.
    pub(super) fn doomed_by(&self, service: usize) -> Option<usize> {
        self.unmet_dependencies(service).map(|it| it.service).find(|&other| self.is_hopeless(other))
    }

    /// Whether a service that is waited for cannot come by itself. Follows the chain of waiting; the graph has no
    /// cycle, and a mask keeps a wide one from being walked twice.
    fn is_hopeless(&self, service: usize) -> bool {
        let mut seen = vec![false; self.rows.len()];
        let mut todo = vec![service];
        while let Some(service) = todo.pop() {
            if std::mem::replace(&mut seen[service], true) {
                continue;
            }
            match &self.rows[service].phase {
                Phase::Rest(Rest::Failed(_)) => return true,
                // Completed, but waited for as a server.
                Phase::Rest(Rest::Completed) => return true,
                Phase::Rest(Rest::Stopped | Rest::New) => {
                    if self.rows[service].want == Want::Down {
                        return true;
                    }
                }
                Phase::Waiting => todo.extend(self.unmet(service)),
                Phase::Launching { .. } | Phase::Up(_) | Phase::Backoff { .. } | Phase::Stopping(_) => {}
            }
        }
        false
    }

    /// Whether "ready" says more than "running" for this service.
    pub(super) fn judges_readiness(&self, service: usize) -> bool {
        self.plan.services[service].readiness != Ready::Started
    }

    /// The setup step that a service is waiting for, if it is.
    pub(super) fn running_setup(&self, service: usize) -> Option<usize> {
        let mut steps = self.plan.services[service].setup.iter().copied();
        steps.find(|&setup| matches!(self.setups[setup], SetupState::Running(_)))
    }

    // === bookkeeping ===

    pub(super) fn touch(&mut self, service: usize) {
        if !std::mem::replace(&mut self.rows[service].is_dirty, true) {
            self.dirty.push_back(service);
        }
    }

    /// A change that others may have waited for: those that need it, and those that it needs (for the stop order).
    pub(super) fn touch_neighbours(&mut self, service: usize) {
        self.touch(service);
        let plan = self.plan.clone();
        for &other in plan.graph.dependents(service).iter().chain(plan.graph.dependencies(service)) {
            self.touch(other);
        }
    }

    /// Records a change of the visible state.
    fn tell(&mut self, now: Moment, service: usize) {
        let status = self.status(service);
        let row = &mut self.rows[service];
        if row.told == Some(status.state) || (row.told.is_none() && status.state == State::Stopped) {
            return;
        }
        row.told = Some(status.state);
        let Some(state) = row.told else { return };
        self.events.push(Event {
            at: now,
            service,
            state,
            exit: status.exit,
            startup: status.startup,
            reason: status.reason,
        });
    }
}

/// 1, 1.5, 2.25 … times the first pause.
fn growing(first: Duration, tries: u32) -> Duration {
    first.mul_f64(1.5f64.powi(tries.min(40).cast_signed()))
}
