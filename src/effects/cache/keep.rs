//! Keeping a result.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::folders::{mode_of, modes_above};
use super::{Share, Store, make_room, open_file, write_checked};
use crate::effects::fs::make_private_folder;
use crate::effects::globs::{Globs, named, shown};
use crate::pipeline::{Key, Output, OutputKind, Parts, Record};

/// What a task made.
#[derive(Debug)]
pub struct Made<'a> {
    pub folder: &'a Path,
    pub outputs: &'a [String],
    pub parts: Parts,
    pub log: &'a [u8],
    pub took: Duration,
}

impl Store {
    /// Keeps what a task made and wrote. An error is in words for its user, and means that nothing is kept.
    pub fn keep(&self, made: Made<'_>, share: Share) -> Result<Record, String> {
        let mut added = 0;
        let kept = self.keep_all(made, &mut added);
        if kept.is_err() {
            // The disk may be full of what no record names now; but another run may have found it there, and name it soon.
            drop(share);
            if self.tidy_alone().unwrap_or(false) {
                return kept;
            }
        }
        self.count(added);
        kept
    }

    fn keep_all(&self, made: Made<'_>, added: &mut u64) -> Result<Record, String> {
        let globs = Globs::new(made.outputs).map_err(|error| error.to_string())?;
        let found = globs.find(made.folder, false).map_err(|error| error.to_string())?;
        if found.is_empty() && !made.outputs.is_empty() {
            return Err(format!("it made nothing that its `outputs` name ({})", made.outputs.join(", ")));
        }
        let unkept = |error: io::Error| named(&self.root, &error).to_string();
        let mut outputs = Vec::with_capacity(found.len());
        for (path, told) in found {
            let from = made.folder.join(&path);
            let failed = |error: io::Error| named(&from, &error).to_string();
            let kind = if told.is_symlink() {
                link(&path, &fs::read_link(&from).map_err(failed)?)?
            } else if told.is_dir() {
                OutputKind::Folder { mode: mode_of(&told) }
            } else if told.is_file() {
                let bytes = fs::read(&from).map_err(failed)?;
                let hash = self.put(&bytes, added).map_err(unkept)?;
                OutputKind::File { hash, size: bytes.len() as u64, mode: mode_of(&told) }
            } else {
                return Err(format!("{} is neither a file, a folder nor a link", path.display()));
            };
            outputs.push(Output { path: shown(&path), kind });
        }
        let folders = modes_above(made.folder, &outputs).map_err(|error| error.to_string())?;
        let log = self.put(made.log, added).map_err(unkept)?;
        let duration_ms = u64::try_from(made.took.as_millis()).unwrap_or(u64::MAX);
        let record = Record { key: Key::of(&made.parts), parts: made.parts, log, outputs, folders, duration_ms };
        write_checked(&self.result(&record.key), &record).map_err(unkept)?;
        Ok(record)
    }

    /// Copies bytes into the store, under their hash.
    fn put(&self, bytes: &[u8], added: &mut u64) -> io::Result<String> {
        let hash = blake3::hash(bytes).to_hex().to_string();
        let path = self.blob(&hash);
        // What is there may be damaged: better found out now than when it is wanted.
        let mut there = Vec::new();
        if open_file(&path).and_then(|mut file| file.read_to_end(&mut there)).is_ok() && there == bytes {
            return Ok(hash);
        }
        let folder = path.parent().unwrap_or(&self.root);
        make_private_folder(folder)?;
        make_room(&path)?;
        write_whole(&path, bytes)?;
        *added += bytes.len() as u64;
        Ok(hash)
    }
}

/// Makes or replaces a file. Many may do so at once: a reader sees what one of them wrote, whole.
pub(in crate::effects) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{:x}-{:x}.tmp", std::process::id(), fastrand::u64(..)));
    let fresh = PathBuf::from(fresh);
    let written = write_new(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?.write_all(bytes)
}

/// A link that stays where the task's other files are; elsewhere it would mean something else in another checkout.
fn link(path: &Path, to: &Path) -> Result<OutputKind, String> {
    let leaves = || format!("the link {} leads out of the task's folder, to {}", path.display(), to.display());
    let mut depth = path.components().count() - 1;
    for part in to.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1).ok_or_else(leaves)?,
            Component::RootDir | Component::Prefix(_) => return Err(leaves()),
        }
    }
    Ok(OutputKind::Link { to: shown(&PathBuf::from(to)) })
}
