//! The machine itself: one way in, `step`.

mod agenda;
mod budget;
mod cascade;

mod commands;
mod dependencies;
mod drive;
mod facts;
mod idle;
mod judged;
mod load;
mod probes;
mod readiness;
mod staff;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::Plan;

use super::due::Deadlines;
use super::input::{Effect, Incarnation, Input, Moment, SetupRun};
use super::instance::{Instance, Spot};
use super::phase::{Phase, Rest, Want};
use super::status::{Event, Note, Reason, State};
use agenda::Agenda;
use budget::Budget;
use idle::Quiet;
use load::Load;

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
    pub(super) budget: Budget,
    /// Services to look at before this step ends.
    pub(super) dirty: VecDeque<usize>,
    pub(super) effects: Vec<Effect>,
    pub(super) events: Vec<Event>,
    pub(super) notes: Vec<Note>,
    /// Services that something happened to since this was last asked.
    changed: Vec<usize>,
    last_incarnation: u64,
    random: fastrand::Rng,
}

/// One service.
#[derive(Debug, Clone)]
pub struct Row {
    pub want: Want,
    /// By number; there is always one.
    pub instances: Vec<Instance>,
    /// Since when it is not called, where that is looked at.
    pub quiet: Option<Quiet>,
    /// When it runs next, where it has a schedule.
    pub agenda: Option<Agenda>,
    /// One that it depends on is restarted, and it is to be when that one is there again.
    pub follows: bool,
    /// How much it is called, where that decides how many there are.
    pub load: Option<Load>,
    /// Why it was stopped until somebody calls it.
    pub rested: Option<Reason>,
    /// Those of which the calls were last looked at, or would be.
    pub called: Vec<Incarnation>,
    /// It was asked for without what it needs, so it waits for nothing.
    pub alone: bool,
    /// What runs is older than its files: why they could not be built.
    pub not_rebuilt: Option<Arc<str>>,
    /// The remote to which its calls go: nobody waits for it here.
    pub remote: Option<Arc<str>>,
    /// No longer in the manifest; only its stop is still to be seen.
    pub leaving: bool,
    /// It is in the queue.
    pub is_dirty: bool,
}

impl Row {
    /// A service that was never started.
    pub fn new() -> Self {
        Self {
            want: Want::Down,
            instances: vec![Instance::new(1)],
            quiet: None,
            agenda: None,
            follows: false,
            load: None,
            rested: None,
            called: Vec::new(),
            alone: false,
            not_rebuilt: None,
            remote: None,
            leaving: false,
            is_dirty: false,
        }
    }

    /// The phases of those instances that are not on their way out.
    pub fn phases(&self) -> impl Iterator<Item = &Phase> {
        self.instances.iter().filter(|instance| instance.stays()).map(|instance| &instance.phase)
    }

    /// Whether anything of it may be running.
    pub fn is_active(&self) -> bool {
        self.instances.iter().any(|instance| instance.phase.is_active())
    }

    /// Whether nothing of it runs, or would.
    pub fn is_at_rest(&self) -> bool {
        self.instances.iter().all(|instance| matches!(instance.phase, Phase::Rest(_)))
    }

    /// Whether it came to an end of its own: what was made by another command, or failed with it, is not what is wanted
    /// once the command is changed.
    pub fn has_ended(&self) -> bool {
        self.instances.iter().any(|instance| matches!(instance.phase, Phase::Rest(Rest::Completed | Rest::Failed(_))))
    }

    /// When one of its instances wants to be looked at again.
    pub fn deadline(&self) -> Option<Moment> {
        let instances = self.instances.iter().filter_map(|instance| instance.deadline());
        let load = self.load.as_ref().and_then(Load::next);
        let quiet = self.quiet.and_then(|quiet| quiet.next);
        let looks = quiet.into_iter().chain(self.agenda.and_then(|it| it.look)).chain(load);
        instances.chain(looks).min()
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
            budget: Budget::default(),
            dirty: VecDeque::new(),
            effects: Vec::new(),
            events: Vec::new(),
            notes: Vec::new(),
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
        // While a sweep is under way its end decides about the next: until then nothing can be done about one that is due.
        let sweep = self.sweep.next.filter(|_| !self.sweep.under_way);
        self.deadlines.earliest().into_iter().chain(sweep).chain(self.budget.next()).min()
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The changes of state since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What users should be told of, besides states, since this was last asked.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
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
        self.rows.iter().all(|row| !row.is_active())
    }

    /// A row, for the projections beside this file.
    pub(super) fn row(&self, service: usize) -> &Row {
        &self.rows[service]
    }

    pub(super) fn instance(&self, spot: Spot) -> &Instance {
        &self.rows[spot.service].instances[spot.at]
    }

    pub(super) fn instance_mut(&mut self, spot: Spot) -> &mut Instance {
        &mut self.rows[spot.service].instances[spot.at]
    }

    /// All instances of a service.
    pub(super) fn spots(&self, service: usize) -> impl Iterator<Item = Spot> + use<> {
        (0..self.rows[service].instances.len()).map(move |at| Spot { service, at })
    }

    /// The instance that a report is about; none where it is of an earlier life.
    pub(super) fn find(&self, incarnation: Incarnation) -> Option<Spot> {
        let &service = self.live.get(&incarnation)?;
        self.spots(service).find(|spot| self.instance(*spot).phase.incarnation() == Some(incarnation))
    }

    /// The same; nothing more will be reported of it.
    pub(super) fn find_last(&mut self, incarnation: Incarnation) -> Option<Spot> {
        let spot = self.find(incarnation);
        self.live.remove(&incarnation);
        spot
    }

    /// The instances of a service to which calls can be sent, each with its life.
    pub fn endpoints(&self, service: usize) -> impl Iterator<Item = (u32, Incarnation)> {
        let serving = self.rows[service].instances.iter().filter(|instance| instance.serves());
        serving.filter_map(|instance| Some((instance.number, instance.phase.incarnation()?)))
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

    /// One that will not come by itself, or will again, matters to all who wait for it by way of others.
    fn touch_waiting(&mut self, service: usize) {
        let plan = self.plan.clone();
        let mut seen = vec![false; self.rows.len()];
        let mut todo = vec![service];
        while let Some(service) = todo.pop() {
            for &other in plan.graph.dependents(service) {
                let waits = self.rows[other].phases().any(|phase| *phase == Phase::Waiting);
                if waits && !std::mem::replace(&mut seen[other], true) {
                    self.touch(other);
                    todo.push(other);
                }
            }
        }
    }

    /// Records a change of the visible state.
    fn tell(&mut self, now: Moment, spot: Spot) {
        let status = self.instance_status(spot);
        let instance = self.instance_mut(spot);
        let told = instance.told.replace(status.state);
        if told.unwrap_or(State::Stopped) == status.state {
            return;
        }
        self.events.push(Event {
            at: now,
            service: spot.service,
            instance: status.instance,
            state: status.state,
            exit: status.exit,
            startup: status.startup,
            reason: status.reason,
        });
        if [status.state, told.unwrap_or(State::Stopped)].iter().any(|it| matches!(it, State::Failed | State::Stopped))
        {
            self.touch_waiting(spot.service);
        }
    }
}

/// After SIGKILL a process is gone at once, unless the kernel holds it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

fn giving_up(now: Moment) -> Moment {
    now.after(GIVE_UP_AFTER)
}
