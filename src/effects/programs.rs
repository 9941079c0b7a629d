//! Programs on PATH, and whose they are where several have one name. None is executed, but a server is asked for its
//! version where a manifest names one.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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

/// The programs of a name on PATH, and those in other folders; `*` in these stands for a part of one name.
pub fn all(name: &str, path: Option<&str>, folders: &[String]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let on_path = which::which_in_all(name, path, Path::new("/")).map(Iterator::collect).unwrap_or_default();
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    let elsewhere = folders.iter().flat_map(|folder| matching(folder)).map(|folder| folder.join(name));
    (on_path, elsewhere.filter(is_program).collect())
}

/// The folders that a pattern means.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let Some((before, after)) = part.split_once('*') else {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        };
        let fits = |name: &str| name.len() + 1 >= part.len() && name.starts_with(before) && name.ends_with(after);
        let inside = |folder: &PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path());
        let named = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).is_some_and(fits);
        found = found.iter().flat_map(inside).filter(named).collect();
    }
    found
}

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(5);

/// What comes out of a pipe until its end, or until so long.
fn read_within(limit: Duration, mut output: impl Read + AsFd) -> Vec<u8> {
    let (begun, mut all, mut piece) = (Instant::now(), Vec::new(), [0; 4096]);
    loop {
        let left = Timespec::try_from(limit.saturating_sub(begun.elapsed())).ok();
        let is_there = poll(&mut [PollFd::new(&output, PollFlags::IN)], left.as_ref());
        match is_there {
            Ok(count) if count > 0 => {}
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) | Err(_) => return all,
        }
        match output.read(&mut piece) {
            Ok(count) if count > 0 => all.extend_from_slice(&piece[..count]),
            _ => return all,
        }
    }
}

/// The first number with a dot that a program says at `--version`.
pub fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let said = child.stdout.take().map(|output| read_within(VERSION, output));
    // What has not ended by now has nothing more to say.
    let _ = child.kill();
    let _ = child.wait();
    let said = said?;
    let text = String::from_utf8_lossy(&said);
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.'));
    words.filter(|word| word.contains('.')).map(str::to_owned).next()
}
