//! What goes into the machine and what comes out.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{ProbeKind, Signal};

use super::Want;

/// A time since the engine began. Tests write literals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// This moment and a duration later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The same or a little later, up to a hundredth of the duration: what many do in turn comes together, and they are
    /// woken for once.
    pub fn about_after(self, duration: Duration) -> Self {
        let grid = (duration / 100).as_nanos().max(1);
        let exact = self.after(duration).0;
        let late = exact.as_nanos().next_multiple_of(grid) - exact.as_nanos();
        Self(exact.saturating_add(Duration::from_nanos(u64::try_from(late).unwrap_or(0))))
    }

    /// How long it is since `earlier`.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// One life of one instance; never used twice in an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// One run of a setup step; never used twice in an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetupRun(pub u64);

/// One look at the wall's clock for a schedule; never used twice in an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the wall's clock says to a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// The time that was waited for has just come.
    pub is_due: bool,
    /// The next time; none where there is no more.
    pub next: Option<Timestamp>,
    /// When to look again, as clocks are set and machines sleep.
    pub look: Option<Moment>,
}

/// Anything that can happen to a world.
#[derive(Debug, Clone)]
pub enum Input {
    Asked(Command),
    Told(Fact),
    /// Time has passed.
    Tick,
}

/// What a user can ask for. Services are given by place.
#[derive(Debug, Clone)]
pub enum Command {
    /// Have these too; what is up stays up, and what completed is not run again.
    Up(Vec<(usize, Want)>),
    /// Run these without waiting for what they need (Compose's `--no-deps`).
    UpAlone(Vec<(usize, Want)>),
    /// Run these, also if they completed before.
    Start(Vec<usize>),
    /// Calls to these go to remotes, and to no others.
    Away(HashMap<usize, Arc<str>>),
    Stop(Vec<usize>),
    /// Stop these and start them again.
    Restart(Vec<usize>),
    /// The same, but where a service may have two instances for a while, a new one takes the place of each that serves
    /// once it is ready itself.
    Replace(Vec<usize>),
    /// The rebuild of what runs of a service failed with this, so it is older than its files.
    NotRebuilt(usize, Arc<str>),
    /// A request arrived for a service that was idle.
    Wake(usize),
    /// Stop everything.
    Down,
    /// Stop these without grace.
    Kill(Vec<usize>),
}

/// A report from outside.
#[derive(Debug, Clone)]
pub enum Fact {
    Launched(Incarnation, u32),
    /// It never ran; the text says why.
    NotLaunched(Incarnation, String),
    /// Its main process ended, leaving this behind.
    Exited(Incarnation, Exit, Left),
    /// No process of it is left.
    Gone(Incarnation),
    /// A service that was not called is called now, by one of its lives.
    Called(Incarnation),
    /// How much a service is called, by one of its lives.
    Measured(Incarnation, Demand),
    /// What all services take, and how much they are called.
    Weighed(Vec<Weighed>),
    /// All calls to it are answered, and no more will come.
    Drained(Incarnation),
    /// One try of a probe of it.
    Probed(Incarnation, ProbeKind, Result<(), String>),
    /// A line of its output is the one by which startup or readiness is seen.
    LogMatched(Incarnation, ProbeKind),
    /// It said something of itself, by sd_notify(3).
    Said(Incarnation, Said),
    /// The image of its container brings a check of its own, of which there will be word.
    HasCheck(Incarnation),
    /// What that check has come to; the text says what is wrong.
    Judged(Incarnation, Result<(), String>),
    /// The sweep that was asked for is done, and no other is to be asked for so soon.
    Swept(Vec<Swept>, Duration),
    /// What a look at the clock showed.
    Looked(Ticket, Hour),
    /// A setup step is through; the text says why it failed.
    SetupEnded(SetupRun, Result<(), String>),
}

/// How much a service is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Calls under way.
    pub under_way: u32,
    /// Calls so far, of all that were ever begun.
    pub begun: u64,
    /// When the last one ended, in an order that all services share; 0 where none has.
    pub last: u64,
}

/// What a life takes, and how much its service is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    pub incarnation: Incarnation,
    pub bytes: u64,
    pub demand: Demand,
}

/// What a service says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Ready,
    /// It lives (`WATCHDOG=1`).
    Alive,
    /// It does not (`WATCHDOG=trigger`).
    Dead,
    /// How far it is, in its words.
    Status(String),
}

/// What a sweep found about one service that is not listening yet, or has just begun to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    pub incarnation: Incarnation,
    /// It listens where it should.
    pub listening: bool,
    /// What it does not do as expected, in words: where it listens instead, who has its port.
    pub finding: Option<String>,
}

/// How a main process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(Signal),
    /// It never ran.
    NotLaunched(String),
    /// It had gone into the background and its processes are gone.
    Vanished,
    /// Nobody knows any more how it is, or ever will; the text says why.
    Lost(String),
    /// It was ended because this probe of it failed; the text says how.
    Failed(ProbeKind, String),
}

impl Exit {
    /// Whether it counts as success.
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }

    /// The code as a shell reports it.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(signal) => Some(128 + signal.number()),
            Self::NotLaunched(_) | Self::Vanished | Self::Lost(_) | Self::Failed(..) => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(127) => f.write_str("exited with 127 (command not found)"),
            Self::Code(126) => f.write_str("exited with 126 (not executable)"),
            Self::Code(code) => write!(f, "exited with {code}"),
            Self::Signal(signal) => write!(f, "was ended by {signal}"),
            Self::NotLaunched(reason) => write!(f, "could not be started: {reason}"),
            Self::Lost(reason) => write!(f, "was lost: {reason}"),
            Self::Vanished => f.write_str("its background processes are gone"),
            Self::Failed(kind, error) => write!(f, "was ended, as its {} probe failed: {error}", kind.word()),
        }
    }
}

/// What is left of a service whose main process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// Processes that do not serve.
    Strays,
    /// Processes that listen: the program went into the background.
    Listeners,
}

/// What the outside world has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Launch {
        service: usize,
        /// Its number among those of its service.
        instance: u32,
        incarnation: Incarnation,
    },
    /// To all processes of it.
    Signal {
        incarnation: Incarnation,
        signal: Signal,
    },
    Probe {
        service: usize,
        incarnation: Incarnation,
        kind: ProbeKind,
    },
    /// Look how much the service is called of which this is a life.
    Measure {
        service: usize,
        incarnation: Incarnation,
    },
    /// Look at the wall's clock for a schedule, of which this time was waited for.
    Look {
        service: usize,
        ticket: Ticket,
        due: Option<Timestamp>,
    },
    /// Tell when a call begins to the service of which this is a life, and more than so many ever have.
    Alert {
        service: usize,
        incarnation: Incarnation,
        begun: u64,
    },
    /// Look how much memory all lives take, and how much their services are called.
    Weigh,
    /// Look which of these listen where they should.
    Sweep(Vec<(usize, Incarnation)>),
    Setup {
        setup: usize,
        run: SetupRun,
    },
}
