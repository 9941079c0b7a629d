//! What to run.

use super::Template;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// One string: given to the shell (`sh -c`).
    Shell(Template),
    /// A list: the program and its arguments, no shell between.
    Argv(Vec<Template>),
}

impl Command {
    /// The program and its arguments, each reference filled in by `fill`.
    pub fn argv(&self, mut fill: impl FnMut(&Template) -> String) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), fill(line)],
            Self::Argv(words) => words.iter().map(fill).collect(),
        }
    }

    /// The parts that may hold references.
    pub fn templates(&self) -> &[Template] {
        match self {
            Self::Shell(line) => std::slice::from_ref(line),
            Self::Argv(words) => words,
        }
    }

    /// One line for people.
    pub fn written(&self) -> String {
        match self {
            Self::Shell(line) => line.written(),
            Self::Argv(words) => words.iter().map(Template::written).collect::<Vec<_>>().join(" "),
        }
    }
}
