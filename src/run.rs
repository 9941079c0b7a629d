//! Carries out a pipeline: processes through a launcher of its own, results that are kept, locks, and what tasks write.
//!
//! `drive` is the loop around the machine; `flow` is the way of one task from its locks to its result. Whoever looks
//! gets [`News`] and nothing else.

mod among;
mod drive;
mod flow;
mod log;
mod process;
mod processes;
mod results;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::effects::cache::Store;
use crate::launcher::Process;
use crate::pipeline::{Cause, End, Keep};

pub use among::{Ask, Asks, Place};
pub use drive::{Outcome, Preview, drive, preview};
pub use log::{Log, Stream};
pub use processes::{Processes, Said};
pub use results::UNKNOWN;

/// One task of a run, with all that is needed to run it.
#[derive(Debug, Clone)]
pub struct Job {
    pub name: String,
    pub argv: Vec<String>,
    /// Absolute.
    pub folder: PathBuf,
    pub variables: BTreeMap<String, String>,
    pub channels: Channels,
    /// Pid 1 of the pod that it runs in; the host where there is none.
    pub pod: Option<u32>,
    /// It needs services, and runs in a place among them.
    pub among: bool,
    /// A lock that all checkouts on this machine share: its name.
    pub lock: Option<String>,
    /// The tasks before it, whose own keys count: name and place.
    pub needs: Vec<(String, usize)>,
    /// How its result is kept, where it is.
    pub keep: Option<Keep>,
}

/// What a task reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Nothing to read; what it writes becomes [`News`].
    Told,
    /// Ours. On a terminal it belongs to the same group of processes as we do.
    Ours { terminal: bool },
}

/// What there is to tell.
#[derive(Debug)]
pub enum News {
    Started(usize),
    /// It waits, and for what.
    Waiting(usize, String),
    Line(usize, Stream, Vec<u8>),
    /// It was asked to end, and has not for a while.
    Lingers(usize),
    /// A word beside what it writes.
    Note(usize, String),
    Ended(usize, End, Ending),
    Skipped(usize, Cause),
}

/// How a task ended, for people.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    pub took: Duration,
    /// How long it had taken when its result was made, where that was put back.
    pub saved: Option<Duration>,
    /// Why it failed, where an exit code does not say it.
    pub reason: Option<String>,
    /// It was asked to end.
    pub stopped: bool,
}

/// What every task of a run shares.
#[derive(Debug)]
pub struct Surroundings {
    pub store: Store,
    /// The folder of the locks.
    pub locks: PathBuf,
    /// Who has its turns, for those that wait: `process 123`.
    pub who: String,
    /// Run also what has a result already.
    pub force: bool,
    /// Who has the services.
    pub asks: Asks,
    pub news: mpsc::Sender<News>,
    pub launcher: Process,
}
