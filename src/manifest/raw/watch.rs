//! Watched files as they are written.

use serde_json::Value as Json;

use crate::manifest::node::Node;
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, OneOrMany, Read, record};

use super::words::{ActionWord, StrategyWord};
use super::{CommandSpec, SignalWord};

record! {
    /// Watched files.
    Watch is "a watch" {
        /// Paths and globs, relative to the service's folder; a folder means all that is in it. What git ignores does not count.
        paths: OneOrMany<At<String>>,
        /// What follows from a change: `restart`, `rebuild` (the setup steps, then a restart), `signal` or `run`.
        action: At<ActionWord>,
        /// How the service is replaced.
        strategy: At<StrategyWord>,
        /// The signal for `signal`; SIGHUP.
        signal: At<SignalWord>,
        /// The command for `run`.
        command: At<CommandSpec>,
        /// What does not count, as in a `.gitignore`.
        ignore: OneOrMany<At<String>>,
    }
}

impl Brief for Watch {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        OneOrMany::read(node, problems).map(|paths| Self { paths: Some(paths), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}
