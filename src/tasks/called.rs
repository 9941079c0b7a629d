//! Tasks by names that no list has: go-task's patterns, nox's sessions of several versions, folders by their packages.

use std::path::Path;

use super::formats::json::{self, Dialect};
use super::{Invoke, Task, Tree};

/// Whether a task stands for many names, of which each has to be given in full: `start:*`.
pub fn is_pattern(task: &Task) -> bool {
    task.runner == "task" && task.draft.name.contains('*')
}

/// The tasks that a word may mean though no list has it, each under the name that it would be run by. The word may have the
/// runner and the project's folder before it, as any task's.
pub fn called(word: &str, found: &[Task]) -> Vec<Task> {
    let mut out: Vec<Task> = Vec::new();
    for task in found {
        let name = prefixes(task).find_map(|prefix| name(task, word.strip_prefix(&*prefix)?));
        let Some(renamed) = name.and_then(|name| renamed(task, &name)) else { continue };
        // Sessions of one function, and patterns of which the first is meant.
        if !out.iter().any(|it| it.id == renamed.id) {
            out.push(renamed);
        }
    }
    out
}

/// The name by which a task can be run, where the word fits to it.
fn name(task: &Task, word: &str) -> Option<String> {
    let mut names = std::iter::once(&task.draft.name).chain(&task.draft.aliases);
    let fits = match task.runner {
        "task" => names.any(|name| name.contains('*') && is_like(name, word)),
        // `tests-3.12` is one of the sessions that `nox -s tests` runs.
        "nox" => task.draft.name.strip_prefix(word).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_version),
        _ => false,
    };
    (fits && !word.is_empty()).then(|| word.to_owned())
}

/// What may stand before a name.
fn prefixes(task: &Task) -> impl Iterator<Item = String> {
    let folder = task.project.to_str().unwrap_or("");
    let last = task.project.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let folders = [folder, last].into_iter().filter(|folder| !folder.is_empty()).map(|folder| format!("{folder}:"));
    let folders: Vec<String> = std::iter::once(String::new()).chain(folders).collect();
    let runner = format!("{}:", task.runner);
    // The longest first: `task:` is no part of what a pattern leaves open.
    let with_runner = folders.clone().into_iter().rev().map(move |folder| format!("{folder}{runner}"));
    with_runner.chain(folders.into_iter().rev())
}

/// Whether a word fits to a pattern, in which `*` is any text.
fn is_like(pattern: &str, word: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == word };
    let Some(word) = word.strip_prefix(before) else { return false };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut word) = word.strip_suffix(last) else { return false };
    // What comes between is looked for one after the other: the earliest place leaves most to the rest.
    between.split('*').all(|part| match word.split_once(part) {
        Some((_, rest)) => {
            word = rest;
            true
        }
        None => false,
    })
}

/// `3.12`, `3.13t`, `pypy3.10`.
fn is_version(text: &str) -> bool {
    let bare = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    bare.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

/// The same task by another name of its runner's.
fn renamed(task: &Task, name: &str) -> Option<Task> {
    let mut out = task.clone();
    let Invoke::Argv { words, .. } = &mut out.invoke else { return None };
    let word = words.iter_mut().rev().find(|word| **word == task.draft.name)?;
    name.clone_into(word);
    out.id = format!("{}{name}", task.id.strip_suffix(&*task.draft.name)?);
    name.clone_into(&mut out.draft.name);
    out.draft.aliases.clear();
    Some(out)
}

/// A word with a package's name before the task's, as `@shop/web:build`, by the package's folder: `web:build`.
pub fn by_package(root: &Path, word: &str, found: &[Task], tree: &dyn Tree) -> Option<String> {
    let mut before: Option<&Path> = None;
    for task in found.iter().filter(|task| task.runner == "npm" && !task.project.as_os_str().is_empty()) {
        // Those of one project stand together.
        if before.replace(&task.project) == Some(&task.project) {
            continue;
        }
        let bytes = tree.read(&root.join(&task.project).join("package.json")).ok();
        let package =
            bytes.and_then(|it| String::from_utf8(it).ok()).and_then(|it| json::parse(&it, Dialect::Strict).ok());
        let rest = package.as_ref().and_then(|it| word.strip_prefix(it.text_of("name")?)?.strip_prefix([':', '#']));
        if let Some(rest) = rest {
            return Some(format!("{}:{rest}", task.project.display()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::tasks::{Draft, LARGEST, Unread};

    fn task(project: &str, runner: &'static str, name: &str) -> Task {
        let folder = if project.is_empty() { String::new() } else { format!("{project}:") };
        let words = [runner, "-s", name].map(str::to_owned).to_vec();
        Task {
            id: format!("{folder}{runner}:{name}"),
            runner,
            project: PathBuf::from(project),
            file: PathBuf::new(),
            draft: Draft::new(name, 1),
            invoke: Invoke::Argv { words, folder: PathBuf::new(), dashes: true },
            verified: false,
        }
    }

    fn words(found: &[Task], word: &str) -> Vec<String> {
        let shown = |task: Task| match task.invoke {
            Invoke::Argv { words, .. } => format!("{} = {}", task.id, words.join(" ")),
            Invoke::Elsewhere => task.id,
        };
        called(word, found).into_iter().map(shown).collect()
    }

    #[test]
    fn a_pattern_is_run_by_a_name_that_fits() {
        let found = [task("", "task", "start:*"), task("", "task", "*:start:*"), task("a/b", "task", "start:*")];
        assert_eq!(
            words(&found, "start:web:1"),
            ["task:start:web:1 = task -s start:web:1", "a/b:task:start:web:1 = task -s start:web:1"]
        );
        assert_eq!(words(&found, "b:start:x")[1..], ["a/b:task:start:x = task -s start:x"]);
        assert_eq!(words(&found, "task:start:x")[0], "task:start:x = task -s start:x");
        assert_eq!(words(&found, "stop:x"), [""; 0]);
        assert_eq!(words(&[task("", "npm", "start:*")], "start:x"), [""; 0]);
        for (pattern, word, fits) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "ac", false),
            ("ab*b", "ab", false),
        ] {
            assert_eq!(is_like(pattern, word), fits, "{pattern} {word}");
        }
        assert!(is_pattern(&found[0]) && !is_pattern(&task("", "npm", "start:*")));
    }

    #[test]
    fn sessions_of_several_versions_are_run_by_their_bare_name() {
        let found = ["t-3.11", "t-3.13t", "t-pypy3.10", "lint-all", "t-"].map(|name| task("", "nox", name));
        assert_eq!(words(&found, "t"), ["nox:t = nox -s t"]);
        assert_eq!(words(&found, "nox:t"), ["nox:t = nox -s t"]);
        for none in ["lint", "t-3", ""] {
            assert_eq!(words(&found, none), [""; 0], "{none}");
        }
    }

    struct Packages;

    impl Tree for Packages {
        fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
            match path.to_str() {
                Some("/w/libs/ui/package.json") => Ok(br#"{"name": "@shop/ui"}"#.to_vec()),
                Some("/w/web/package.json") => Ok(br#"{"name": "@shop/"#.to_vec()),
                _ => Err(Unread::TooLarge(LARGEST)),
            }
        }

        fn is_file(&self, _: &Path) -> bool {
            false
        }

        fn is_executable(&self, _: &Path) -> bool {
            false
        }

        fn names(&self, _: &Path) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn packages_are_known_by_their_names() {
        let found = [task("", "npm", "a"), task("libs/ui", "npm", "a"), task("web", "npm", "a"), task("x", "npm", "a")];
        let by = |word: &str| by_package(Path::new("/w"), word, &found, &Packages);
        assert_eq!(by("@shop/ui:build").as_deref(), Some("libs/ui:build"));
        assert_eq!(by("@shop/ui#build").as_deref(), Some("libs/ui:build"));
        assert_eq!(by("@shop/uix:build"), None);
        assert_eq!(by("build"), None);
    }
}
