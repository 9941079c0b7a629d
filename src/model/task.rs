//! A command that ends, as the manifest declares it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Command, Dependency, Environment, ServiceName};

/// The name of a task: any word that can be typed, `db:migrate` as well as `build/web`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName(Arc<str>);

/// Why a text is no name of a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTaskName {
    #[error("a name cannot be empty")]
    Empty,
    #[error("a name begins with a letter or digit, or it would pass for a flag")]
    Start,
    #[error("`{}` cannot stand in a name", .0.escape_debug())]
    Character(char),
}

impl TaskName {
    /// Reads a name; see [`BadTaskName`] for what is refused.
    pub fn new(text: &str) -> Result<Self, BadTaskName> {
        let first = text.chars().next().ok_or(BadTaskName::Empty)?;
        let allowed = |c: char| c.is_alphanumeric() || "-_.:/@+".contains(c);
        match text.chars().find(|c| !allowed(*c)) {
            Some(c) => Err(BadTaskName::Character(c)),
            None if !first.is_alphanumeric() => Err(BadTaskName::Start),
            None => Ok(Self(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::borrow::Borrow<str> for TaskName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A command that ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub name: TaskName,
    pub command: Command,
    /// Absolute; it existed when the manifest was read.
    pub working_dir: PathBuf,
    pub description: Option<String>,
    /// Tasks that run before it, by place in the workspace.
    pub tasks: Vec<usize>,
    /// Services that it needs.
    pub services: Vec<Dependency>,
    /// Its name among the services, where it runs in their network.
    pub job: Option<ServiceName>,
    pub environment: Environment,
    /// No two tasks with this lock run at once on this machine.
    pub lock: Option<String>,
    /// What is needed to know whether it has to run at all; nothing where it always runs.
    pub caching: Option<Caching>,
    /// Where it is declared, for messages: the file and its line, from 1.
    pub declared: (PathBuf, usize),
}

/// What a task whose result is kept gets of the shell besides what it names: without these little works, and results
/// do not depend on them.
const BASE: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "CI",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
];

impl Task {
    /// The shell's variables that it sees, where it does not see all: those that decide about its result, and the usual
    /// ones.
    pub fn of_shell(&self) -> Option<BTreeSet<String>> {
        let named = self.caching.as_ref()?.env.iter().map(String::as_str);
        Some(BASE.into_iter().chain(named).chain(self.environment.asked()).map(str::to_owned).collect())
    }
}

/// What decides about the result of a task, and what the result is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caching {
    /// Globs from the working folder; `!` before one takes away.
    pub inputs: Vec<String>,
    /// Globs of files below the working folder.
    pub outputs: Vec<String>,
    /// Variables of the shell that count.
    pub env: Vec<String>,
    /// Programs whose version counts.
    pub tools: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        for good in ["build", "db:migrate", "build/web", "a.b@2+c", "長屋"] {
            assert_eq!(TaskName::new(good).unwrap().as_str(), good);
        }
        let cases = [("", BadTaskName::Empty), ("-x", BadTaskName::Start), ("a b", BadTaskName::Character(' '))];
        for (bad, error) in cases {
            assert_eq!(TaskName::new(bad).unwrap_err(), error);
        }
    }
}
