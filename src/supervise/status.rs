//! A service's state in the words that users see.

use std::time::Duration;

use super::input::{Exit, Moment};
use super::phase::{Failure, Health, Phase, Rest, Stage, Want};
use super::world::{Row, World};

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
}

/// What the outside sees of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub state: State,
    pub ready: bool,
    /// Nothing is left to wait for: ready, completed, or idle by design.
    pub settled: bool,
    /// It failed, or waits for what will not come by itself.
    pub stuck: bool,
    /// It was asked for.
    pub wanted: bool,
    pub pid: Option<u32>,
    pub restarts: u32,
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
    /// These dependencies are not there yet.
    WaitsFor(Vec<usize>),
    /// This one never will be.
    Blocked(usize),
    SetupRuns(usize),
    SetupFailed(String),
    /// This one is not run here.
    Elsewhere(usize),
    NotReady(String),
    Daemonized,
    Exited(Exit),
    GaveUp(Exit, u32),
    Retries(Exit),
    KilledHard,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub at: Moment,
    pub service: usize,
    pub state: State,
    pub exit: Option<Exit>,
    pub startup: Option<Duration>,
    pub reason: Option<Reason>,
}

impl World {
    /// The status of a service.
    pub fn status(&self, service: usize) -> Status {
        let row = self.row(service);
        let state = self.state(service);
        let (pid, started, startup) = match &row.phase {
            Phase::Up(up) => (Some(up.pid), Some(up.started), up.ready_at.map(|at| at.since(up.started))),
            Phase::Stopping(stopping) => (Some(stopping.pid), None, None),
            _ => (None, None, None),
        };
        let ready = matches!(state, State::Running | State::Ready);
        let reason = self.reason(service);
        Status {
            state,
            ready,
            settled: ready || matches!(state, State::Completed | State::Idle),
            wanted: row.want != Want::Down,
            pid: pid.filter(|_| !is_daemonized(row)),
            restarts: row.restarts,
            exit: row.last_exit.clone(),
            started,
            startup,
            stuck: state == State::Failed || matches!(reason, Some(Reason::Blocked(_))),
            reason,
        }
    }

    fn state(&self, service: usize) -> State {
        let row = self.row(service);
        match &row.phase {
            Phase::Rest(_) if row.want == Want::Idle => State::Idle,
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
                Health::Ready if self.judges_readiness(service) => State::Ready,
                Health::Ready => State::Running,
            },
            Phase::Backoff { .. } => State::Backoff,
            Phase::Stopping(_) => State::Stopping,
        }
    }

    fn reason(&self, service: usize) -> Option<Reason> {
        let row = self.row(service);
        match &row.phase {
            Phase::Rest(Rest::Failed(failure)) => Some(match failure {
                Failure::Exit(exit) => Reason::Exited(exit.clone()),
                Failure::GaveUp { exit, restarts } => Reason::GaveUp(exit.clone(), *restarts),
                Failure::Setup(error) => Reason::SetupFailed(error.clone()),
            }),
            Phase::Rest(_) | Phase::Launching { .. } => None,
            Phase::Elsewhere => Some(Reason::Elsewhere(service)),
            Phase::Waiting => match self.running_setup(service) {
                Some(setup) => Some(Reason::SetupRuns(setup)),
                None => self.doomed_by(service).map(Reason::Blocked).or_else(|| {
                    let unmet = self.unmet(service);
                    (!unmet.is_empty()).then_some(Reason::WaitsFor(unmet))
                }),
            },
            Phase::Up(up) => match &up.probing.error {
                Some(error) if up.health != Health::Ready => Some(Reason::NotReady(error.clone())),
                _ => up.daemonized.then_some(Reason::Daemonized),
            },
            Phase::Backoff { .. } => row.last_exit.clone().map(Reason::Retries),
            Phase::Stopping(stopping) => matches!(stopping.stage, Stage::Killed { .. })
                .then_some(Reason::KilledHard)
                .filter(|_| !stopping.cleanup),
        }
    }
}

fn is_daemonized(row: &Row) -> bool {
    matches!(&row.phase, Phase::Up(up) if up.daemonized)
}
