//! Programs on PATH, and whose they are where several have one name. None is executed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tasks::{Ambiguous, owner};

/// Larger files are no program that shares its name with another.
const LARGEST: u64 = 256 << 20;

/// What a program's name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// There is one, and no other is known by its name.
    Found(PathBuf),
    /// It is the one that is meant.
    Right(PathBuf),
    /// It is somebody else's.
    Wrong {
        path: PathBuf,
        owner: &'static str,
        wanted: &'static str,
        hint: &'static str,
    },
    /// Several have this name, and whose it is cannot be seen.
    Unknown {
        path: PathBuf,
        wanted: &'static str,
    },
    Missing,
}

/// Looks for a program: a path from `folder`, or a name on `path`.
pub fn find(program: &str, folder: &Path, path: Option<&OsStr>) -> Program {
    let Ok(found) = which::which_in(program, path, folder) else { return Program::Missing };
    let Some(ambiguous) = Ambiguous::of(program) else { return Program::Found(found) };
    let is_small = fs::metadata(&found).is_ok_and(|told| told.len() <= LARGEST);
    let bytes = if is_small { fs::read(&found).unwrap_or_default() } else { Vec::new() };
    match owner(ambiguous, &bytes) {
        Some(owner) if owner == ambiguous.wanted => Program::Right(found),
        Some(owner) => Program::Wrong { path: found, owner, wanted: ambiguous.wanted, hint: ambiguous.hint },
        None => Program::Unknown { path: found, wanted: ambiguous.wanted },
    }
}
