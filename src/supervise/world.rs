//! The machine itself: one way in, `step`.

mod commands;
mod dependencies;
mod drive;
mod facts;
mod readiness;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::Plan;

use super::due::Deadlines;
use super::input::{Effect, Exit, Incarnation, Input, Moment, SetupRun};
use super::phase::{Phase, Rest, Want};
use super::status::{Event, State};

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
    /// It was asked for without what it needs, so it waits for nothing.
    pub alone: bool,
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
            alone: false,
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

/// After SIGKILL a process is gone at once, unless the kernel holds it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

fn giving_up(now: Moment) -> Moment {
    now.after(GIVE_UP_AFTER)
}
