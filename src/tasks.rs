//! Every task of every runner in a tree, read from text alone: nothing of a project is executed, nothing is fetched.
//!
//! A runner is one file of `runners`: which files are its own, and a pure function from their text to tasks. What it
//! cannot know without executing something it counts as a gap, so that a list never looks more complete than it is.

mod around;
mod called;
mod discover;
mod draft;
mod formats;
mod launch;
mod listed;
mod look;
mod package_manager;
mod program;
mod propose;
mod runner;
mod runners;
mod tree;
mod walk;

pub use called::{by_package, called, is_pattern};
pub use discover::{Listing, discover};
pub use launch::{Invoke, relative};
pub use listed::{ASKINGS, Asking, Question, merge, questions};
pub use package_manager::{Manager, marks};
pub use program::{Ambiguous, owner};
pub use propose::{Proposal, Proposed, propose};
pub use runner::{Runner, runner_ids};
pub use tree::{LARGEST, Tree, Unread};
pub use walk::{Finder, Within, is_foreign, patterns};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The word for nagaya itself, where a manifest's tasks are found as others are.
pub const OWN: &str = "nagaya";

/// A task that was found, with all that is needed to run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in a listing: folder, runner and name, as `services/users:npm:test`; without the folder at the root.
    pub id: String,
    /// The runner's word, as `npm`.
    #[serde(deserialize_with = "runner::named")]
    pub runner: runner::Word,
    /// The project's folder, from the root of the listing; empty for the root itself.
    pub project: PathBuf,
    /// The file that defines it, absolute.
    pub file: PathBuf,
    /// What its file says.
    pub draft: Draft,
    /// How it is run.
    pub invoke: Invoke,
    /// Its runner was asked, and knows it.
    pub verified: bool,
}

/// What a file says of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// As its runner knows it.
    pub name: String,
    /// From 1.
    pub line: usize,
    pub description: Option<Description>,
    /// What it runs, as written; empty where that is no text (a function).
    pub command: String,
    pub arguments: Vec<Argument>,
    /// Tasks that its runner runs before it, by the runner's names.
    pub depends_on: Vec<String>,
    pub aliases: Vec<String>,
    pub group: Option<String>,
    pub kind: Kind,
    /// Its author does not mean it for the command line.
    pub private: bool,
    pub definition: Definition,
    /// Where it works, when not everywhere: `linux`, `windows`.
    pub platforms: Vec<String>,
    /// The file that has it, where that is not the one that was read.
    pub file: Option<PathBuf>,
    /// The words to run it with, where they are not the runner's usual ones.
    pub words: Option<Vec<String>>,
    /// Where it runs, when not in its project's folder.
    pub folder: Option<PathBuf>,
}

/// What a task says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub text: String,
    pub origin: Origin,
}

/// Where a description was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The runner has a place for it.
    Field,
    /// A comment beside or above the task.
    Comment,
    /// A function's documentation.
    Docstring,
    /// A task that prints help on the others.
    Help,
    /// What is known of tasks of this name.
    Known,
}

/// One argument of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    pub name: String,
    pub required: bool,
    pub default: Option<String>,
    /// It takes any number of values.
    pub variadic: bool,
    pub description: Option<String>,
}

/// What sort of thing a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Task,
    /// Its runner runs it at an event: `postinstall`, a git hook.
    Hook,
    /// A file to be made.
    File,
    /// It belongs to a CI server or an editor, and runs there.
    Job,
    /// It runs until it is stopped.
    Service,
}

/// How a task came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Definition {
    /// It stands in its file.
    Literal,
    /// It stands in a file that its file includes.
    Included,
    /// Its runner makes it of something else, which was imitated.
    Inferred,
    /// Its runner always has it.
    Builtin,
    /// Its runner was asked, and nothing else is known of it.
    Listed,
}

/// A file that tasks were looked for in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Absolute.
    pub file: PathBuf,
    #[serde(deserialize_with = "runner::named")]
    pub runner: runner::Word,
    pub completeness: Completeness,
    /// How many tasks it gave.
    pub tasks: usize,
    /// Where it gave none, though it has some, and its runner can be asked: how such a task would look and be run here.
    pub sample: Option<Box<Task>>,
}

/// How much of a file is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Completeness {
    Complete,
    Partial(Vec<Gap>),
    Unreadable(Unreadable),
}

/// Something of a file that only its runner knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// As a noun phrase: "targets whose names are computed".
    pub reason: String,
    /// How often; 0 where that cannot be known.
    pub count: usize,
}

/// Why nothing of a file could be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unreadable {
    pub reason: String,
    pub at: Option<Position>,
}

/// A line and column from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Task {
    /// Whether it is for the command line of whoever works here: not private, no hook, no job, not built in, and not for
    /// other systems alone.
    pub fn is_everyday(&self) -> bool {
        let draft = &self.draft;
        let is_meant = !draft.private && draft.is_for_here();
        is_meant && matches!(draft.kind, Kind::Task | Kind::Service) && draft.definition != Definition::Builtin
    }
}

impl Unreadable {
    /// Without a place.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), at: None }
    }

    /// At a place.
    pub fn at(reason: impl Into<String>, at: Position) -> Self {
        Self { reason: reason.into(), at: Some(at) }
    }
}

impl Position {
    /// The place of a byte in a text.
    pub fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before[line_start..].chars().count() + 1 }
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            0 => write!(f, "{}", self.reason),
            count => write!(f, "{} ({count})", self.reason),
        }
    }
}

impl Origin {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Comment => "comment",
            Self::Docstring => "docstring",
            Self::Help => "help",
            Self::Known => "known",
        }
    }
}

impl Kind {
    /// The word for users and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Hook => "hook",
            Self::File => "file",
            Self::Job => "job",
            Self::Service => "service",
        }
    }
}

impl Definition {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Included => "included",
            Self::Inferred => "inferred",
            Self::Builtin => "builtin",
            Self::Listed => "listed",
        }
    }
}

impl Completeness {
    /// The word for users and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial(_) => "partial",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// What is missing, and why.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Complete => None,
            Self::Partial(gaps) => Some(gaps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
            Self::Unreadable(unreadable) => Some(unreadable.reason.clone()),
        }
    }
}
