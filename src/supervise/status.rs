//! A service's state in the words that users see.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::input::{Exit, Moment};
use super::instance::{Instance, Spot, Standing};
use super::phase::{Cause, Draining, Failure, Health, Phase, Rest, Stage, Up, Want};
use super::world::World;
use crate::model::{ProbeKind, Size};

/// The twelve words. They are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Waiting,
    Setup,
    Starting,
    Running,
    Ready,
    Unhealthy,
    Idle,
    Backoff,
    Stopping,
    Stopped,
    Completed,
    Failed,
}

impl State {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Setup => "setup",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::Idle => "idle",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// What is said of who is in it, behind the name: `users has failed`.
    pub fn said(self) -> &'static str {
        match self {
            Self::Waiting => "is waiting",
            Self::Setup => "is being set up",
            Self::Starting => "is starting",
            Self::Running => "is running",
            Self::Ready => "is ready",
            Self::Unhealthy => "is unhealthy",
            Self::Idle => "is idle",
            Self::Backoff => "waits to be started again",
            Self::Stopping => "is stopping",
            Self::Stopped => "is stopped",
            Self::Completed => "has completed",
            Self::Failed => "has failed",
        }
    }
}

/// What the outside sees of a service or of one of its instances.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Which of the service's instances it is.
    pub instance: u32,
    pub state: State,
    pub ready: bool,
    /// Nothing is left to wait for: ready, completed, or idle by design.
    pub settled: bool,
    /// It failed, or waits for what will not come by itself.
    pub stuck: bool,
    /// It was asked for.
    pub wanted: bool,
    /// It runs, and is older than its files, which could not be built: the reason says why.
    pub stale: bool,
    pub pid: Option<u32>,
    pub restarts: u32,
    /// Times in a row that it ended and was started again, or will be, without having been up for long.
    pub crashes: u32,
    /// When it is started next by itself.
    pub next_start: Option<Moment>,
    /// When it runs next by its schedule.
    pub next_run: Option<Timestamp>,
    pub exit: Option<Exit>,
    /// When the main process started.
    pub started: Option<Moment>,
    /// From its launch until it was ready.
    pub startup: Option<Duration>,
    pub reason: Option<Reason>,
}

/// Why a service is in its state, where the state alone does not say it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// It runs when its time has come.
    Scheduled,
    /// These dependencies are not there yet.
    WaitsFor(Vec<usize>),
    /// This one never will be.
    Blocked(usize),
    SetupRuns(usize),
    SetupFailed(String),
    /// This one is not run here.
    Elsewhere(usize),
    /// Calls to it go to this remote.
    Away(Arc<str>),
    /// What this probe says.
    NotReady(ProbeKind, String),
    Daemonized,
    Exited(Exit),
    GaveUp(Exit, u32),
    /// It is started again, for the so many-th time in a row.
    Retries(Exit, u32),
    KilledHard,
    /// This probe of it failed, so it is ended.
    ProbeFailed(ProbeKind, String),
    /// This probe fails, so many times in a row of as many that are one too many.
    ProbeFails(ProbeKind, String, u32, u32),
    /// What runs is older than its files: this is why they could not be built.
    NotRebuilt(Arc<str>),
    /// It answers what it was asked, and gets no more.
    Drains,
    /// It serves until the instance of this number is ready, which is in this state for this reason.
    ServesUntil(u32, State, Option<Box<Reason>>),
    /// The workspace took so much, which is more than its budget.
    OverBudget {
        took: Size,
        budget: Size,
    },
}

/// A change of state.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub at: Moment,
    pub service: usize,
    pub instance: u32,
    pub state: State,
    pub exit: Option<Exit>,
    pub startup: Option<Duration>,
    pub reason: Option<Reason>,
}

/// Something that users should be told of and that is no change of state.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub at: Moment,
    pub service: Option<usize>,
    pub what: News,
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Its calls are worth another number of instances: so many were under way in the mean, and one is to have `in_flight`.
    Scaled { from: u32, to: u32, mean: f64, in_flight: u32 },
    /// It was stopped, as the workspace takes more than its budget, and gives back about so much.
    Rested { frees: Size, took: Size, budget: Size },
    /// There is nothing lazy left to stop.
    OverBudget { took: Size, budget: Size },
    /// It takes less again.
    WithinBudget { took: Size, budget: Size },
}

impl World {
    /// The status of a service: of its instances, that which says most about whether it can be called.
    pub fn status(&self, service: usize) -> Status {
        self.instance_status(self.lead(service))
    }

    /// The statuses of all instances of a service.
    pub fn statuses(&self, service: usize) -> impl Iterator<Item = Status> {
        self.spots(service).map(|spot| self.instance_status(spot))
    }

    /// The instance that stands for its service.
    pub(super) fn lead(&self, service: usize) -> Spot {
        let staying = self.spots(service).filter(|spot| self.instance(*spot).stays());
        staying.min_by_key(|spot| self.state(*spot).rank()).unwrap_or(Spot { service, at: 0 })
    }

    pub(super) fn instance_status(&self, spot: Spot) -> Status {
        let (row, instance) = (self.row(spot.service), self.instance(spot));
        let state = self.state(spot);
        let (pid, started, startup) = match &instance.phase {
            Phase::Up(up) => (Some(up.pid), Some(up.started), up.ready_at.map(|at| at.since(up.started))),
            Phase::Draining(draining) => (Some(draining.pid), Some(draining.started), None),
            Phase::Stopping(stopping) => (Some(stopping.pid), None, None),
            _ => (None, None, None),
        };
        let ready = matches!(state, State::Running | State::Ready);
        let reason = self.reason(spot);
        let is_up = matches!(instance.phase, Phase::Up(_));
        Status {
            instance: instance.number,
            state,
            ready,
            settled: ready || matches!(state, State::Completed | State::Idle),
            wanted: row.want != Want::Down && instance.stays(),
            stale: is_up && row.not_rebuilt.is_some(),
            pid: pid.filter(|_| !is_daemonized(&instance.phase)),
            restarts: instance.restarts,
            crashes: instance.streak,
            next_start: match instance.phase {
                Phase::Backoff { until } => Some(until),
                _ => None,
            },
            next_run: self.next_run(spot.service),
            exit: instance.last_exit.clone(),
            started,
            startup,
            stuck: state == State::Failed || matches!(reason, Some(Reason::Blocked(_))),
            reason,
        }
    }

    fn state(&self, spot: Spot) -> State {
        let service = spot.service;
        match &self.instance(spot).phase {
            Phase::Rest(_) if self.row(service).want == Want::Idle => State::Idle,
            Phase::Rest(Rest::New | Rest::Stopped) if self.next_run(service).is_some() => State::Idle,
            Phase::Rest(Rest::New | Rest::Stopped) => State::Stopped,
            Phase::Rest(Rest::Completed) => State::Completed,
            Phase::Rest(Rest::Failed(_)) => State::Failed,
            Phase::Waiting if self.running_setup(service).is_some() => State::Setup,
            Phase::Waiting => State::Waiting,
            Phase::Launching { .. } => State::Starting,
            Phase::Elsewhere => State::Ready,
            Phase::Up(up) => match up.health {
                Health::Starting => State::Starting,
                Health::Unhealthy => State::Unhealthy,
                Health::Ready if self.judges_readiness(service) || up.shown.has_check => State::Ready,
                Health::Ready => State::Running,
            },
            Phase::Backoff { .. } => State::Backoff,
            Phase::Draining(_) | Phase::Stopping(_) => State::Stopping,
        }
    }

    fn reason(&self, spot: Spot) -> Option<Reason> {
        let (service, instance) = (spot.service, self.instance(spot));
        let away = || self.row(service).remote.clone().map(Reason::Away);
        match &instance.phase {
            Phase::Rest(Rest::Failed(failure)) => Some(match failure {
                Failure::Exit(exit) => Reason::Exited(exit.clone()),
                Failure::GaveUp { exit, restarts } => Reason::GaveUp(exit.clone(), *restarts),
                Failure::Setup(error) => Reason::SetupFailed(error.clone()),
            }),
            Phase::Rest(_) if self.row(service).want == Want::Idle && self.row(service).rested.is_some() => {
                self.row(service).rested.clone()
            }
            Phase::Rest(_) => self.next_run(service).map(|_| Reason::Scheduled).or_else(away),
            Phase::Launching { .. } => None,
            Phase::Elsewhere => Some(Reason::Elsewhere(service)),
            Phase::Waiting => match self.running_setup(service) {
                Some(setup) => Some(Reason::SetupRuns(setup)),
                None => self.doomed_by(service).map(Reason::Blocked).or_else(|| {
                    let unmet = self.unmet(service);
                    (!unmet.is_empty()).then_some(Reason::WaitsFor(unmet))
                }),
            },
            Phase::Up(up) => match up.complaint() {
                Some((kind @ (ProbeKind::Startup | ProbeKind::Readiness), probing)) => {
                    probing.error.clone().map(|error| Reason::NotReady(kind, error))
                }
                Some((kind, probing)) => {
                    let most = self.plan.services[service].probe(kind).map_or(1, |it| it.rhythm.failure_threshold);
                    probing.error.clone().map(|error| Reason::ProbeFails(kind, error, probing.failures, most))
                }
                None if instance.standing == Standing::Outdated => self.serves_until(service),
                None => {
                    let stale = self.row(service).not_rebuilt.clone().map(Reason::NotRebuilt);
                    stale.or(up.daemonized.then_some(Reason::Daemonized)).or_else(away)
                }
            },
            Phase::Backoff { .. } => instance.last_exit.clone().map(|exit| Reason::Retries(exit, instance.streak)),
            Phase::Draining(_) => Some(Reason::Drains),
            Phase::Stopping(stopping) => match (&stopping.cause, stopping.stage) {
                (Cause::Failed(Exit::Failed(kind, error)), _) => Some(Reason::ProbeFailed(*kind, error.clone())),
                (Cause::Asked, Stage::Killed { .. }) => Some(Reason::KilledHard),
                _ => None,
            },
        }
    }

    /// Who is to come in the place of one that is outdated.
    fn serves_until(&self, service: usize) -> Option<Reason> {
        let next = self.newcomer(service)?;
        let reason = self.reason(next).map(Box::new);
        Some(Reason::ServesUntil(self.instance(next).number, self.state(next), reason))
    }

    /// An instance that does not serve yet, while an outdated one still does.
    pub(super) fn newcomer(&self, service: usize) -> Option<Spot> {
        let is = |standing: Standing| move |it: &Instance| it.standing == standing;
        self.row(service).instances.iter().find(|it| is(Standing::Outdated)(it))?;
        let mut new = self.spots(service).filter(|spot| is(Standing::Kept)(self.instance(*spot)));
        new.find(|spot| !self.instance(*spot).phase.serves())
    }
}

impl State {
    /// Of several instances the one that ranks first stands for all: one that can be called, else one that is coming.
    fn rank(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Running => 1,
            Self::Starting => 2,
            Self::Setup => 3,
            Self::Backoff => 4,
            Self::Waiting => 5,
            Self::Unhealthy => 6,
            Self::Stopping => 7,
            Self::Idle => 8,
            Self::Failed => 9,
            Self::Completed => 10,
            Self::Stopped => 11,
        }
    }
}

fn is_daemonized(phase: &Phase) -> bool {
    let (Phase::Up(Up { daemonized, .. }) | Phase::Draining(Draining { daemonized, .. })) = phase else { return false };
    *daemonized
}
