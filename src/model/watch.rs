//! Files whose change means something to a service.

use super::{Command, Signal};

/// Some files and what follows from a change of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Paths and globs, relative to the service's folder; a folder means all that is in it.
    pub paths: Vec<String>,
    /// What of them does not count, as a `.gitignore` in the service's folder would have it.
    pub ignore: Vec<String>,
    pub reaction: Reaction,
    /// A restart has the old instance gone first, whatever the service's strategy is.
    pub recreate: bool,
}

/// What follows from a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// The service is restarted.
    Restart,
    /// The setup steps run, and when all went well the service is restarted; until then the old one runs.
    Rebuild,
    /// The main process gets a signal.
    Signal(Signal),
    /// A command runs where the service does.
    Run(Command),
}

impl Reaction {
    /// The word for it in the manifest.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Rebuild => "rebuild",
            Self::Signal(_) => "signal",
            Self::Run(_) => "run",
        }
    }
}
