//! Which services the projects of a tree could be: by Procfiles, dev scripts, frameworks and container files.
//!
//! A guess that is shown before it is written; each says what it comes from. Nothing is executed, as with tasks.

mod frameworks;
mod languages;
mod names;
mod node;
mod ports;
mod procfile;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::around::Around;
use super::tree::Tree;
use frameworks::Folder;

/// Files that tell of a service and are no task runner's.
const LANDMARKS: [&str; 10] = [
    "Containerfile",
    "Dockerfile",
    "Gemfile",
    "artisan",
    "config.ru",
    "go.mod",
    "main.go",
    "manage.py",
    "requirements.txt",
    "app.py",
];

/// Whether a file tells of a service, by its name.
pub fn is_landmark(name: &str) -> bool {
    LANDMARKS.contains(&name) || name.ends_with(".csproj") || name.ends_with(".fsproj")
}

/// A service that there could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub name: String,
    /// From the root; empty for the root itself.
    pub folder: PathBuf,
    /// For the shell.
    pub command: String,
    /// Where it listens, if that is known.
    pub port: Option<u16>,
    /// Services that it needs, by their names here.
    pub depends_on: Vec<String>,
    /// What it comes from: "script `dev` of web/package.json; next listens on 3000".
    pub because: String,
}

/// All that was thought of, and what was left out on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposed {
    pub services: Vec<Proposal>,
    /// What ends, and is run when somebody wants it.
    pub tasks: Vec<Proposal>,
    pub notes: Vec<String>,
}

/// What one reading says of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Guess {
    /// Where a folder has several.
    name: Option<String>,
    command: String,
    port: Option<u16>,
    because: String,
    /// It is no service.
    ends: bool,
}

/// Folders of what only shows or tests something.
const ASIDE: [&str; 21] = [
    "__tests__",
    "benches",
    "benchmark",
    "benchmarks",
    "demo",
    "demos",
    "doc",
    "docs",
    "e2e",
    "example",
    "examples",
    "fixtures",
    "playground",
    "sample",
    "samples",
    "spec",
    "template",
    "templates",
    "test",
    "testdata",
    "tests",
];

/// Thinks of services for the folders of `files`, which are paths from `root`.
pub fn propose(root: &Path, files: &[PathBuf], tree: &dyn Tree) -> Proposed {
    let around = Around::new(root, tree, files.iter().map(|path| root.join(path)).collect());
    let folders: BTreeSet<&Path> = files.iter().filter_map(|path| path.parent()).collect();
    let mut proposed = Proposed::default();
    let mut guesses: Vec<(PathBuf, Guess)> = Vec::new();
    let mut aside = 0;
    let ports = ports::Ports::new();
    let containers = names::Containers::read(&around, files);
    for folder in folders {
        let (path, composed) = (below(root, folder), containers.of(folder));
        let found = guess(&Folder { around: &around, ports: &ports, path, shown: folder, composed });
        let is_aside = folder.iter().any(|part| part.to_str().is_some_and(|part| ASIDE.contains(&part)));
        match found {
            Ok(found) if is_aside => aside += found.len(),
            Ok(found) => guesses.extend(found.into_iter().map(|guess| (folder.to_owned(), guess))),
            Err(note) => proposed.notes.push(note),
        }
    }
    if aside > 0 {
        let what = if aside == 1 { "one" } else { "some" };
        proposed.notes.push(format!("{what} in folders of examples, tests and documents left out ({aside})"));
    }
    (proposed.services, proposed.tasks) = names::give(root, guesses, &containers);
    proposed.notes.extend(containers.notes(&proposed.services));
    proposed
}

/// What a folder's files say, the most certain first: only one of them is meant. An error is for people: why nothing is
/// proposed although something is there.
fn guess(folder: &Folder<'_>) -> Result<Vec<Guess>, String> {
    let processes = procfile::guess(folder);
    if !processes.is_empty() {
        return Ok(processes);
    }
    if let Some(found) = node::guess(folder)? {
        return Ok(vec![found]);
    }
    Ok(languages::guess(folder).into_iter().collect())
}

/// Names by how often they are there.
fn counted<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

fn below(root: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) }
}

#[cfg(test)]
mod tests;
