//! Other people's projects: source archives of public packages, beside what the runners themselves list in them.
//!
//! `corpus/packages.tsv` names the archives by the tool that fetches them, name, version and SHA-256. `answers.json` was
//! recorded with `corpus/record.py`: what make, npm, tox and others say of them, by "runner file". `listed.txt` is what is
//! found in all of them, a line a file, and was compared with the files by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nagaya::tasks::{Completeness, Listing, Source, Task};

use super::fixtures::list;
use crate::support::sandbox::full;

/// In a short run, archives up to this size; all in a full one.
const SMALL: u64 = 1 << 20;

struct Package {
    tool: String,
    name: String,
    version: String,
    sha256: String,
    size: u64,
}

impl Package {
    fn id(&self) -> String {
        format!("{}-{}", self.name.trim_start_matches('@').replace('/', "-"), self.version)
    }

    /// The archive, fetched unless an earlier run did.
    fn archive(&self, corpus: &Path) -> PathBuf {
        let path = corpus.join(format!("{}.tgz", self.id()));
        if !path.exists() {
            let fetched = tempfile::tempdir_in(corpus).unwrap();
            let made = self.fetch(fetched.path());
            fs::rename(made, &path).unwrap();
        }
        assert_eq!(sha256(&path), self.sha256, "{} is not the archive that was recorded", self.id());
        path
    }

    fn fetch(&self, folder: &Path) -> PathBuf {
        let unearth = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/tasks/bin/unearth");
        let (program, words) = match self.tool.as_str() {
            "pypi" => {
                let wanted = format!("{}=={}", self.name, self.version);
                (unearth, vec!["--no-binary".to_owned(), "--download".to_owned(), ".".to_owned(), wanted])
            }
            "npm" => (
                PathBuf::from("npm"),
                vec!["pack".to_owned(), "--silent".to_owned(), format!("{}@{}", self.name, self.version)],
            ),
            other => panic!("nothing fetches {other}"),
        };
        let said = Command::new(&program).args(words).current_dir(folder).stdin(Stdio::null()).output();
        let said =
            said.unwrap_or_else(|error| panic!("{}: {error}; `tests/peers/build` installs it", program.display()));
        let made = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).find(|path| path.extension().is_some());
        made.unwrap_or_else(|| panic!("{} was not fetched: {}", self.id(), String::from_utf8_lossy(&said.stderr)))
    }
}

fn sha256(path: &Path) -> String {
    let said = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(said.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

fn packages() -> Vec<Package> {
    let line = |line: &str| {
        let [tool, name, version, sha256, size] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [tool, name, version, sha256] = [tool, name, version, sha256].map(str::to_owned);
        Package { tool, name, version, sha256, size: size.parse().unwrap() }
    };
    include_str!("corpus/packages.tsv").lines().map(line).collect()
}

/// All packages of this run, unpacked: by one of the tests, while others wait.
fn unpacked() -> &'static [(String, PathBuf)] {
    static UNPACKED: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    UNPACKED.get_or_init(unpack_all)
}

fn unpack_all() -> Vec<(String, PathBuf)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/corpus");
    fs::create_dir_all(corpus.join("unpacked")).unwrap();
    let wanted: Vec<Package> = packages().into_iter().filter(|it| full() || it.size <= SMALL).collect();
    std::thread::scope(|scope| {
        // Fetching waits for others most of the time.
        let shares: Vec<_> = wanted
            .chunks(wanted.len().div_ceil(6))
            .map(|share| {
                let corpus = &corpus;
                scope.spawn(move || share.iter().map(|package| unpack(package, corpus)).collect::<Vec<_>>())
            })
            .collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    })
}

fn unpack(package: &Package, corpus: &Path) -> (String, PathBuf) {
    let archive = package.archive(corpus);
    let folder = corpus.join("unpacked").join(package.id());
    if !folder.exists() {
        let fresh = tempfile::tempdir_in(corpus).unwrap();
        let status = Command::new("tar")
            .args(["--strip-components=1", "--no-same-owner", "-xzf"])
            .arg(&archive)
            .current_dir(fresh.path())
            .status()
            .unwrap();
        assert!(status.success(), "{}", archive.display());
        // Its own `.gitignore` and ours, above it, are about what is not there.
        fs::create_dir_all(fresh.path().join(".git")).unwrap();
        fs::rename(fresh.keep(), &folder).unwrap();
    }
    (package.id(), folder)
}

/// Runners' answers, by package and by "runner file".
fn answers() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    serde_json::from_str(include_str!("corpus/answers.json")).unwrap()
}

/// The names of a source's tasks.
fn ours(root: &Path, listing: &Listing, source: &Source) -> BTreeSet<String> {
    let file = source.file.strip_prefix(root).unwrap();
    // A package of tasks is its folder.
    let depth = if file.ends_with("__init__.py") { 2 } else { 1 };
    let project = file.ancestors().nth(depth).unwrap_or(Path::new(""));
    let is_own = |task: &&Task| task.file == source.file || task.project == project;
    let own = listing.tasks.iter().filter(|task| task.runner == source.runner).filter(is_own);
    own.map(|task| task.draft.name.clone()).collect()
}

#[test]
fn every_static_name_is_right_and_every_gap_is_named() {
    let answers = answers();
    let mut compared = 0;
    let mut wrong = String::new();
    for (id, root) in unpacked() {
        let listing = list(root);
        for (place, theirs) in answers.get(id).into_iter().flatten() {
            let (runner, file) = place.split_once(' ').unwrap();
            compared += 1;
            let Some(source) = listing.sources.iter().find(|it| it.runner == runner && it.file == root.join(file))
            else {
                writeln!(wrong, "{id} {place}: not found").unwrap();
                continue;
            };
            let ours = ours(root, &listing, source);
            let known = |name: &&String| !is_theirs_alone(runner, name);
            let missed: Vec<&String> = theirs.difference(&ours).filter(known).collect();
            let is_real = |name: &&String| {
                let mut named = listing.tasks.iter().filter(|it| it.runner == runner && it.draft.name == **name);
                named.all(|task| !is_ours_alone(task, source))
            };
            let made_up: Vec<&String> = ours.difference(theirs).filter(is_real).collect();
            if !missed.is_empty() && source.completeness == Completeness::Complete {
                writeln!(wrong, "{id} {place}: complete without {missed:?}").unwrap();
            }
            if !made_up.is_empty() {
                writeln!(wrong, "{id} {place}: lists {made_up:?}, which is not there").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(compared >= if full() { 60 } else { 25 }, "{compared} answers");
}

/// What a runner says that is no task of the project.
fn is_theirs_alone(runner: &str, name: &str) -> bool {
    // npm lists comments as scripts.
    runner == "npm" && (name.starts_with("//") || name.starts_with('#'))
}

/// What a runner runs and does not list, or what is a gap's own name.
fn is_ours_alone(task: &Task, source: &Source) -> bool {
    let is_gap = |reason: &str| source.completeness.reason().is_some_and(|it| it.contains(reason));
    match task.runner {
        "poe" => task.draft.name.starts_with('_'),
        // The record leaves out what is in `.PHONY` alone, and with it rules that only name what they need.
        "make" => task.draft.command.is_empty() || is_gap("of which only some may exist"),
        "nox" => is_gap("Python versions are computed"),
        _ => false,
    }
}

#[test]
fn what_is_found_is_what_was_written_down() {
    let mut listed = String::new();
    let mut runners = BTreeSet::new();
    let all = unpacked();
    for (id, root) in all {
        let listing = list(root);
        for source in &listing.sources {
            runners.insert(source.runner);
            let file = source.file.strip_prefix(root).unwrap().display();
            let known = source.completeness.word();
            let reason = source.completeness.reason().map(|it| format!(" ({it})")).unwrap_or_default();
            let own: Vec<String> = ours(root, &listing, source).into_iter().collect();
            writeln!(listed, "{id} {} {file} {known}{reason}: {}", source.runner, own.join(" ")).unwrap();
        }
    }
    let expected: String = include_str!("corpus/listed.txt")
        .split_inclusive('\n')
        .filter(|line| all.iter().any(|(id, _)| line.starts_with(&format!("{id} "))))
        .collect();
    if expected != listed {
        let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/corpus/listed.txt");
        fs::write(&out, &listed).unwrap();
        let new: Vec<&str> = listed.lines().filter(|line| !expected.lines().any(|it| it == *line)).collect();
        let old: Vec<&str> = expected.lines().filter(|line| !listed.lines().any(|it| it == *line)).collect();
        panic!("{} has what is found now\nnew: {new:#?}\nold: {old:#?}", out.display());
    }
    assert!(runners.len() >= 25, "{} runners: {runners:?}", runners.len());
    assert!(all.len() >= if full() { 60 } else { 20 }, "{} packages", all.len());
}
