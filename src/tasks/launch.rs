//! From a task to the words that run it: the project's own programs before those on PATH.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::around::Around;
use super::package_manager::{self, Manager};
use super::runner::{Runner, Via};
use super::{Draft, Kind, OWN};

/// How a task is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invoke {
    /// By these words in this folder, never through a shell.
    Argv {
        words: Vec<String>,
        folder: PathBuf,
        /// The user's own arguments come after `--`.
        dashes: bool,
    },
    /// Nothing on this machine runs it.
    Elsewhere,
}

impl Invoke {
    /// The words with the user's own arguments; none where nothing on this machine runs it.
    pub fn with(&self, runner: &str, arguments: &[String]) -> Option<Vec<String>> {
        let Self::Argv { words, dashes, .. } = self else { return None };
        // What Task knows as variables stands before its `--`, what stands behind it is `CLI_ARGS`. Here `--` once more
        // ends the variables, for who means `CLI_ARGS` that look like some.
        let count = if runner == "task" { arguments.iter().take_while(|it| is_variable(it)).count() } else { 0 };
        let (variables, rest) = arguments.split_at(count);
        let rest = match rest {
            [divider, rest @ ..] if runner == "task" && divider == "--" => rest,
            rest => rest,
        };
        let dashes = (*dashes && !rest.is_empty()).then(|| "--".to_owned());
        Some(words.iter().chain(variables).cloned().chain(dashes).chain(rest.iter().cloned()).collect())
    }
}

/// `NAME=value`.
fn is_variable(word: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = |name: &str| name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// What is chosen for a task, and what speaks against the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    pub invoke: Invoke,
    /// The package manager that has a part in it.
    pub manager: Option<Manager>,
    pub conflicts: Vec<String>,
}

/// Runners whose programs take the user's own arguments only after `--`.
const DASHED: [&str; 6] = ["composer", "task", "tox", "melos", "nox", OWN];

/// Finds the words for a task of a runner.
pub fn launch(around: &Around<'_>, runner: &Runner, draft: &Draft, project: &Path) -> Launch {
    let folder = draft.folder.clone().unwrap_or_else(|| project.to_owned());
    let words = match &draft.words {
        Some(words) => words.clone(),
        None => fill(runner.command, &draft.name),
    };
    if words.is_empty() {
        return Launch { invoke: Invoke::Elsewhere, manager: None, conflicts: Vec::new() };
    }
    let mut launch = Launch { invoke: Invoke::Elsewhere, manager: None, conflicts: Vec::new() };
    let mut dashes = DASHED.contains(&runner.id) && draft.kind != Kind::Service;
    // Words that name a path already know their program.
    let via = if words[0].contains('/') { Via::Path } else { runner.via };
    let words = match via {
        Via::Path => words,
        Via::Script => {
            let choice = around.node(project);
            launch.manager = Some(choice.manager);
            launch.conflicts.clone_from(&choice.conflicts);
            dashes = choice.manager == Manager::Npm;
            choice.manager.script().into_iter().map(str::to_owned).chain(words).collect()
        }
        Via::NodeProgram => {
            let choice = around.node(project);
            if choice.has_package {
                launch.manager = Some(choice.manager);
                launch.conflicts.clone_from(&choice.conflicts);
                choice.manager.program().iter().map(|it| (*it).to_owned()).chain(words).collect()
            } else {
                words
            }
        }
        Via::Python => {
            let (mut program, conflict) = package_manager::python(around, project, &words[0]);
            launch.conflicts.extend(conflict);
            program.extend_from_slice(&words[1..]);
            program
        }
        Via::Ruby => {
            let mut program = package_manager::ruby(around, project, &words[0]);
            program.extend_from_slice(&words[1..]);
            program
        }
        Via::Wrapper(names) => wrapped(around, names, words, &folder),
    };
    launch.invoke = Invoke::Argv { words: shorten(words, &folder), folder, dashes };
    launch
}

/// Puts a name into a runner's words. `--` before it keeps a name such as `-x` from being taken for a flag.
fn fill(command: &[&str], name: &str) -> Vec<String> {
    let mut out = Vec::with_capacity(command.len() + 1);
    for word in command {
        if *word == "{}" && name.starts_with('-') {
            out.push("--".to_owned());
        }
        out.push(word.replace("{}", name));
    }
    out
}

fn wrapped(around: &Around<'_>, names: &[&str], mut words: Vec<String>, folder: &Path) -> Vec<String> {
    if let Some((_, path)) = around.nearest(folder, names) {
        words[0] = path.display().to_string();
    }
    words
}

/// A program of the project's own is named from the folder in which it is run.
fn shorten(mut words: Vec<String>, folder: &Path) -> Vec<String> {
    if Path::new(&words[0]).is_absolute() {
        words[0] = relative(Path::new(&words[0]), folder);
    }
    words
}

/// A path from a folder: `./gradlew`, `../../gradlew`.
pub fn relative(path: &Path, folder: &Path) -> String {
    let parts = |path: &Path| path.components().map(|it| it.as_os_str().to_owned()).collect::<Vec<_>>();
    let (to, from) = (parts(path), parts(folder));
    let common = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let mut out = PathBuf::new();
    match from.len() - common {
        0 => out.push(Component::CurDir),
        up => out.extend(std::iter::repeat_n(Component::ParentDir, up)),
    }
    out.extend(&to[common..]);
    out.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_from_a_folder() {
        let cases = [
            ("/w/gradlew", "/w", "./gradlew"),
            ("/w/gradlew", "/w/a/b", "../../gradlew"),
            ("/w/a/x", "/w/b", "../a/x"),
        ];
        for (path, folder, wanted) in cases {
            assert_eq!(relative(Path::new(path), Path::new(folder)), wanted);
        }
    }

    #[test]
    fn arguments_come_where_the_runner_takes_them() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let cases = [
            ("task req", true, "A=1 B_2=x y C=3", "task req A=1 B_2=x -- y C=3"),
            ("task req", true, "A=1", "task req A=1"),
            ("task req", true, "-- A=1", "task req -- A=1"),
            ("task req", true, "A=1 -- -- B=2", "task req A=1 -- -- B=2"),
            ("task req", true, "--x=1 1A=2", "task req -- --x=1 1A=2"),
            ("task req", true, "", "task req"),
            ("npm run test", true, "A=1 x", "npm run test -- A=1 x"),
            ("make test", false, "V=3", "make test V=3"),
        ];
        for (command, dashes, arguments, wanted) in cases {
            let invoke = Invoke::Argv { words: words(command), folder: PathBuf::new(), dashes };
            let runner = command.split(' ').next().unwrap_or("");
            assert_eq!(invoke.with(runner, &words(arguments)), Some(words(wanted)), "{command} {arguments}");
        }
        assert_eq!(Invoke::Elsewhere.with("task", &[]), None);
    }

    #[test]
    fn a_name_is_never_a_flag() {
        assert_eq!(fill(&["make", "{}"], "-x"), ["make", "--", "-x"]);
        assert_eq!(fill(&["tox", "run", "-e", "{}"], "py"), ["tox", "run", "-e", "py"]);
        assert_eq!(fill(&["hatch", "run", "default:{}"], "a b"), ["hatch", "run", "default:a b"]);
    }
}
