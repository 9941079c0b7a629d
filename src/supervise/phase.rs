//! Where a service is in its life. Intent (`Want`) is kept apart: a phase says what is, never what should be.

use super::input::{Exit, Incarnation, Moment};
use crate::model::ProbeKind;

/// What the user wants of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Want {
    /// Not running.
    #[default]
    Down,
    /// Not running, but to be started by its first request.
    Idle,
    /// Running.
    Up,
}

/// What an instance is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nothing of it runs.
    Rest(Rest),
    /// It would run, but its dependencies or its setup are not through.
    Waiting,
    /// The launcher was asked. The service's log or its own word may be quicker than its answer.
    Launching {
        incarnation: Incarnation,
        shown: Shown,
        /// How far it is, in its words.
        said: Option<String>,
        /// It is to be killed as soon as there is a process to hit.
        killed: bool,
    },
    Up(Up),
    /// It gets no calls any more, and is stopped when those that it has are answered.
    Draining(Draining),
    /// It lives elsewhere and may be called: nothing of it runs here, and nothing about it is ever reported.
    Elsewhere,
    /// It ended and is tried again.
    Backoff {
        until: Moment,
    },
    Stopping(Stopping),
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Rest {
    /// It was never started.
    New,
    Stopped,
    Completed,
    Failed(Failure),
}

/// Why a service will not be tried again.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    Exit(Exit),
    GaveUp { exit: Exit, restarts: u32 },
    Setup(String),
}

/// A running process.
#[derive(Debug, Clone, PartialEq)]
pub struct Up {
    pub incarnation: Incarnation,
    pub pid: u32,
    pub started: Moment,
    pub ready_at: Option<Moment>,
    /// Its main process ended and left listeners behind.
    pub daemonized: bool,
    pub health: Health,
    /// While it has not started.
    pub startup: Option<Startup>,
    /// Of readiness.
    pub probing: Probing,
    /// When it was last looked whether it listens, if that is how it gets ready.
    pub looked_at: Option<Moment>,
    /// Of liveness. Where the program is to say itself that it lives, `next` is when it must have.
    pub liveness: Probing,
    pub shown: Shown,
}

/// A program that has not started yet, and is to be asked nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Startup {
    pub probing: Probing,
    /// It is ended then.
    pub until: Moment,
}

/// What a program has shown by its log or its own word, also if that is to count only later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown {
    startup: bool,
    readiness: bool,
    /// Its image brings a check, of which there will be word.
    pub has_check: bool,
}

impl Shown {
    /// It has shown this.
    pub fn set(&mut self, kind: ProbeKind) {
        match kind {
            ProbeKind::Startup => self.startup = true,
            ProbeKind::Readiness => self.readiness = true,
            ProbeKind::Liveness => {}
        }
    }

    /// Whether it has.
    pub fn has(self, kind: ProbeKind) -> bool {
        match kind {
            ProbeKind::Startup => self.startup,
            ProbeKind::Readiness => self.readiness,
            ProbeKind::Liveness => false,
        }
    }
}

/// A running process that another takes the place of.
#[derive(Debug, Clone, PartialEq)]
pub struct Draining {
    pub incarnation: Incarnation,
    pub pid: u32,
    pub started: Moment,
    pub daemonized: bool,
    /// What is still not answered then is cut off.
    pub until: Moment,
}

/// What readiness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not ready yet.
    Starting,
    Ready,
    /// Was ready.
    Unhealthy,
}

/// The row of tries of a probe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probing {
    /// When the next try is due; `None` while one is under way, and where there is no probe.
    pub next: Option<Moment>,
    pub tries: u32,
    pub successes: u32,
    pub failures: u32,
    /// What the last try that failed said.
    pub error: Option<String>,
}

impl Probing {
    /// Counts a try: its successes in a row, or its failures.
    pub fn take(&mut self, result: Result<(), String>) -> Result<u32, u32> {
        self.tries += 1;
        match result {
            Ok(()) => {
                self.failures = 0;
                self.successes += 1;
                self.error = None;
                Ok(self.successes)
            }
            Err(error) => {
                self.successes = 0;
                self.failures += 1;
                self.error = Some(error);
                Err(self.failures)
            }
        }
    }
}

/// A process on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopping {
    pub incarnation: Incarnation,
    pub pid: u32,
    pub stage: Stage,
    /// How the main process ended, once it has.
    pub exit: Option<Exit>,
    pub cause: Cause,
}

/// Why a process is on its way out.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    Asked,
    /// It ended by itself, and only its leftovers are being removed.
    Ended,
    /// A probe failed. This is how it will have ended.
    Failed(Exit),
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The stop signal is out.
    Asked { kill_at: Moment },
    /// SIGKILL is out.
    Killed { give_up_at: Moment },
}

impl Phase {
    /// Whether anything of it may be running.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Launching { .. } | Self::Up(_) | Self::Draining(_) | Self::Stopping(_))
    }

    /// Whether calls can be sent to it.
    pub fn serves(&self) -> bool {
        matches!(self, Self::Up(up) if up.health == Health::Ready)
    }

    /// The life that reports are expected from.
    pub fn incarnation(&self) -> Option<Incarnation> {
        match self {
            Self::Launching { incarnation, .. } => Some(*incarnation),
            Self::Up(up) => Some(up.incarnation),
            Self::Draining(draining) => Some(draining.incarnation),
            Self::Stopping(stopping) => Some(stopping.incarnation),
            Self::Rest(_) | Self::Waiting | Self::Elsewhere | Self::Backoff { .. } => None,
        }
    }

    /// When this phase wants to be looked at again.
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Backoff { until } => Some(*until),
            Self::Up(up) => up.deadline(),
            Self::Draining(draining) => Some(draining.until),
            Self::Stopping(Stopping { stage: Stage::Asked { kill_at }, .. }) => Some(*kill_at),
            Self::Stopping(Stopping { stage: Stage::Killed { give_up_at }, .. }) => Some(*give_up_at),
            Self::Rest(_) | Self::Waiting | Self::Launching { .. } | Self::Elsewhere => None,
        }
    }
}

impl Draining {
    /// A process that gets no more calls.
    pub fn of(up: &Up, until: Moment) -> Self {
        let Up { incarnation, pid, started, daemonized, .. } = *up;
        Self { incarnation, pid, started, daemonized, until }
    }
}

impl Up {
    /// When one of its probes is due.
    pub fn deadline(&self) -> Option<Moment> {
        match &self.startup {
            Some(startup) => startup.probing.next.into_iter().chain([startup.until]).min(),
            None => self.probing.next.into_iter().chain(self.liveness.next).min(),
        }
    }

    /// The probe that is not content with it, of several that which counts for most.
    pub fn complaint(&self) -> Option<(ProbeKind, &Probing)> {
        let has_error = |(_, probing): &(ProbeKind, &Probing)| probing.error.is_some();
        let startup = self.startup.as_ref().map(|startup| (ProbeKind::Startup, &startup.probing));
        let readiness = (self.health != Health::Ready).then_some((ProbeKind::Readiness, &self.probing));
        let all = [startup, readiness, Some((ProbeKind::Liveness, &self.liveness))];
        all.into_iter().flatten().find(has_error)
    }

    /// It is asked nothing any more.
    pub fn silence(&mut self) {
        self.startup = None;
        self.probing.next = None;
        self.liveness.next = None;
    }

    /// Readiness has been reached; the first time counts for how long the start took.
    pub fn be_ready(&mut self, now: Moment) {
        self.health = Health::Ready;
        self.ready_at = self.ready_at.or(Some(now));
        self.probing.error = None;
    }
}
