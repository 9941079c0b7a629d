//! Whether a setup step has to run: only when what it reads has changed, or what it made is gone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::fs;
use crate::model::Inputs;
use crate::plan::Step;

/// The lock files and manifests of the usual package managers.
const LOCK_FILES: [&str; 24] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "package.json",
    "deno.lock",
    "Cargo.lock",
    "Cargo.toml",
    "go.sum",
    "go.mod",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "requirements.txt",
    "pyproject.toml",
    "Gemfile.lock",
    "composer.lock",
    "mix.lock",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gradle.lockfile",
];

/// What is remembered of a step that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The hash of the command and its inputs.
    fingerprint: String,
    /// The folders that were there afterwards: when one is gone (`rm -r node_modules`), the step runs again.
    folders: Vec<String>,
    /// When the step's own folder was made, where the file system tells: another one in its place has nothing of it.
    #[serde(default)]
    made: Option<SystemTime>,
}

/// All remembered steps of a workspace.
#[derive(Debug, Clone)]
pub struct Stamps {
    file: PathBuf,
    turn: Arc<Mutex<()>>,
}

impl Stamps {
    /// The stamps kept in a file.
    pub fn new(file: PathBuf) -> Self {
        Self { file, turn: Arc::default() }
    }

    /// Whether the step succeeded before on the very same inputs. Reads files, so it belongs off the loop.
    pub fn is_fresh(&self, step: &Step) -> bool {
        let Some(stamp) = self.read().remove(&key(step)) else { return false };
        let present = folders(&step.working_dir);
        if stamp.made.is_some() && stamp.made != made(&step.working_dir) {
            return false;
        }
        fingerprint(step).is_ok_and(|now| now == stamp.fingerprint)
            && stamp.folders.iter().all(|folder| present.contains(folder))
    }

    /// Remembers a success.
    pub fn mark(&self, step: &Step) -> io::Result<()> {
        let folder = &step.working_dir;
        let stamp = Stamp { fingerprint: fingerprint(step)?, folders: folders(folder), made: made(folder) };
        // Steps that end together would each write what it read before the other's.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.read();
        all.insert(key(step), stamp);
        fs::replace(&self.file, serde_json::to_string(&all)?.as_bytes())
    }

    fn read(&self) -> BTreeMap<String, Stamp> {
        let text = fs::read_own(&self.file).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

fn key(step: &Step) -> String {
    let mut hasher = blake3::Hasher::new();
    feed(&mut hasher, step.working_dir.to_string_lossy().as_bytes());
    step.argv.iter().for_each(|word| feed(&mut hasher, word.as_bytes()));
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// The hash of every input: names and contents. A file that cannot be read is an error, not an unchanged one.
fn fingerprint(step: &Step) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in inputs(&step.working_dir, &step.inputs) {
        feed(&mut hasher, path.to_string_lossy().as_bytes());
        feed(&mut hasher, &std::fs::read(&path)?);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Length first, so that no two lists of inputs read alike.
fn feed(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn inputs(folder: &Path, inputs: &Inputs) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = match inputs {
        Inputs::LockFiles => LOCK_FILES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect(),
        Inputs::Globs(globs) => globs.iter().flat_map(|pattern| matches(folder, pattern)).collect(),
    };
    found.sort();
    found.dedup();
    found
}

/// The files that a glob matches; a folder stands for all files below it.
fn matches(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let base = glob::Pattern::escape(&folder.to_string_lossy());
    let paths = |pattern: &str| glob::glob(pattern).into_iter().flatten().filter_map(Result::ok).collect::<Vec<_>>();
    let mut files = Vec::new();
    for path in paths(&format!("{base}/{pattern}")) {
        if path.is_dir() {
            let below = format!("{}/**/*", glob::Pattern::escape(&path.to_string_lossy()));
            files.extend(paths(&below).into_iter().filter(|path| path.is_file()));
        } else {
            files.push(path);
        }
    }
    files
}

fn made(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(folder).and_then(|metadata| metadata.created()).ok()
}

fn folders(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(folder: &Path, inputs: Inputs) -> Step {
        Step { argv: vec!["x".into()], working_dir: folder.to_owned(), inputs }
    }

    #[test]
    fn runs_again_when_inputs_change_or_outputs_vanish() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("app");
        std::fs::create_dir_all(folder.join("node_modules")).unwrap();
        std::fs::write(folder.join("package-lock.json"), "1").unwrap();
        let stamps = Stamps::new(dir.path().join("setups.json"));
        let step = setup(&folder, Inputs::LockFiles);
        assert!(!stamps.is_fresh(&step));
        stamps.mark(&step).unwrap();
        assert!(stamps.is_fresh(&step));
        std::fs::write(folder.join("package-lock.json"), "2").unwrap();
        assert!(!stamps.is_fresh(&step));
        stamps.mark(&step).unwrap();
        std::fs::remove_dir(folder.join("node_modules")).unwrap();
        assert!(!stamps.is_fresh(&step));
    }

    #[test]
    fn a_folder_that_was_made_anew_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("app");
        let stamps = Stamps::new(dir.path().join("setups.json"));
        let step = setup(&folder, Inputs::LockFiles);
        let make = || {
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("go.sum"), "1").unwrap();
        };
        make();
        stamps.mark(&step).unwrap();
        assert!(stamps.is_fresh(&step));
        // Clocks of file systems tick slowly, and some do not know when a folder was made.
        let first = made(&folder);
        while first.is_some() && made(&folder) == first {
            std::fs::remove_dir_all(&folder).unwrap();
            make();
        }
        assert_eq!(stamps.is_fresh(&step), first.is_none());
    }

    #[test]
    fn globs_reach_below_and_beside() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("app");
        std::fs::create_dir_all(folder.join("src/deep")).unwrap();
        std::fs::create_dir_all(dir.path().join("proto")).unwrap();
        for file in ["app/src/a.rs", "app/src/deep/b.rs", "app/c.txt", "proto/p.proto"] {
            std::fs::write(dir.path().join(file), file).unwrap();
        }
        let globs = Inputs::Globs(vec!["src".into(), "*.txt".into(), "../proto/*.proto".into()]);
        assert_eq!(inputs(&folder, &globs).len(), 4);
    }
}
