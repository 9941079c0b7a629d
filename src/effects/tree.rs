//! A tree of files as tasks are looked for in it: what git ignores and what tools made is left out.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::tasks::{Finder, LARGEST, Tree, Unread, is_foreign};

use super::fs::Disk;

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files that some runner reads, from the root, sorted.
    pub files: Vec<PathBuf>,
    /// Folders that could not be looked into, and why.
    pub problems: Vec<(PathBuf, String)>,
}

/// Finds the files of a tree that task runners read. `.gitignore` holds also where there is no repository; symbolic
/// links to folders are not followed, so none can lead in a circle.
pub fn walk(root: &Path) -> Walked {
    let finder = Finder::new();
    let found = Mutex::new(Walked::default());
    let walker = WalkBuilder::new(root)
        .standard_filters(false)
        .parents(true)
        .git_ignore(true)
        .git_exclude(true)
        .require_git(false)
        .filter_entry(|entry| entry.depth() == 0 || !is_skipped(entry))
        .build_parallel();
    walker.run(|| {
        let (finder, found) = (&finder, &found);
        Box::new(move |entry| {
            look(entry, root, finder, found);
            WalkState::Continue
        })
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.files.sort();
    found.problems.sort();
    found
}

fn look(entry: Result<DirEntry, ignore::Error>, root: &Path, finder: &Finder, found: &Mutex<Walked>) {
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    match entry {
        Ok(entry) if entry.file_type().is_some_and(|kind| !kind.is_dir()) => {
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            if finder.is_wanted(path) {
                lock().files.push(path.to_owned());
            }
        }
        Ok(_) => {}
        Err(error) => {
            let (path, reason) = place(&error);
            lock().problems.push((path, reason));
        }
    }
}

fn place(error: &ignore::Error) -> (PathBuf, String) {
    match error {
        ignore::Error::WithPath { path, err } => (path.clone(), cause(err)),
        ignore::Error::WithDepth { err, .. } => place(err),
        other => (PathBuf::new(), other.to_string()),
    }
}

fn cause(error: &ignore::Error) -> String {
    error.io_error().map_or_else(|| error.to_string(), io::Error::to_string)
}

/// Folders of other people's projects: by their name, or by what is in them where the name is a common word.
fn is_skipped(entry: &DirEntry) -> bool {
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return false;
    }
    entry.file_name().to_str().is_some_and(is_foreign) || is_output(entry.path())
}

/// Whether tools made what is in a folder whose name is a common word: Cargo's and Maven's output, Go's and Composer's
/// copies of dependencies, Python's environments.
pub(super) fn is_output(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    match folder.file_name().and_then(OsStr::to_str) {
        Some("target") => has("CACHEDIR.TAG") || has("maven-status") || has("classes"),
        Some("vendor") => has("modules.txt") || has("autoload.php") || has("bundle"),
        Some("venv" | "env") => has("pyvenv.cfg"),
        _ => false,
    }
}

impl Tree for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
        let told = fs::metadata(path).map_err(|error| unread(&error))?;
        if !told.is_file() {
            return Err(Unread::NotAFile);
        }
        if told.len() > LARGEST {
            return Err(Unread::TooLarge(told.len()));
        }
        fs::read(path).map_err(|error| unread(&error))
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_executable(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|told| told.is_file() && told.permissions().mode() & 0o111 != 0)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

fn unread(error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Other(error.to_string()),
    }
}
