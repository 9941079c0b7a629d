//! Results of tasks that are kept: what was made and written, by content, and records that name it.
//!
//! A record is written last and tells the hash of its own text; everything that it names is checked when it is put
//! back: by its hash, or by what it looked like when that was done before. So a crash at any point leaves at most what
//! nobody names, and what was damaged is found out and thrown away.
//! Whoever writes or reads shares the store's lock; whoever throws away has it alone.

mod evict;
mod folders;
mod intact;
mod keep;
mod restore;

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fs::make_private_folder;
use super::locks;
use crate::pipeline::{Key, Record};

pub use keep::Made;
use keep::write_whole;

/// The results of all workspaces of this user.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// What the store may take, in bytes.
    limit: u64,
}

/// Why a result could not be put back.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The store's copy is not what it should be; it was thrown away.
    #[error("the kept `{0}` was damaged")]
    Damaged(String),
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// Holds off whoever throws things away.
#[derive(Debug)]
pub struct Share {
    _file: fs::File,
}

impl Store {
    /// The store in a folder, which is made when something is kept.
    pub fn new(root: PathBuf, limit: u64) -> Self {
        Self { root, limit }
    }

    /// Keeps what is read from now on from being thrown away.
    pub fn share(&self) -> io::Result<Share> {
        let file = self.lock_file()?;
        file.lock_shared()?;
        Ok(Share { _file: file })
    }

    fn lock_file(&self) -> io::Result<fs::File> {
        make_private_folder(&self.root)?;
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true).custom_flags(libc::O_NONBLOCK).open(self.root.join("lock"))
    }

    /// The record of a key, if there is one that is whole.
    pub fn find(&self, key: &Key) -> Option<Record> {
        let path = self.result(key);
        let record = read_checked(&path)?;
        // What was used last is thrown away last.
        if let Ok(file) = open_file(&path) {
            let _ = file.set_modified(std::time::SystemTime::now());
        }
        Some(record)
    }

    /// The last success of a task of a checkout, if it is known.
    pub fn last(&self, task: &str) -> Option<Record> {
        read_checked(&self.last_file(task))
    }

    /// Notes the last success of a task of a checkout.
    pub fn set_last(&self, task: &str, record: &Record) -> io::Result<()> {
        let _ = remove(&self.unkept_file(task));
        write_checked(&self.last_file(task), record)
    }

    /// Why the last success of a task of a checkout was not kept, where that is so.
    pub fn unkept(&self, task: &str) -> Option<String> {
        read_checked(&self.unkept_file(task))
    }

    /// Notes why the last success of a task of a checkout was not kept.
    pub fn set_unkept(&self, task: &str, why: &str) -> io::Result<()> {
        write_checked(&self.unkept_file(task), &why)
    }

    /// What was written by a task, as it was given to be kept.
    pub fn log(&self, record: &Record) -> Result<Vec<u8>, Unusable> {
        let mut log = Vec::new();
        self.content(&record.log, "log", record, &mut log)?;
        Ok(log)
    }

    /// The bytes of a hash, in place of what is in the buffer; damaged ones are thrown away with the record.
    fn content(&self, hash: &str, what: &str, record: &Record, buffer: &mut Vec<u8>) -> Result<(), Unusable> {
        let path = self.blob(hash);
        buffer.clear();
        let read = open_file(&path).and_then(|mut file| file.read_to_end(buffer));
        if read.is_ok() && blake3::hash(buffer).to_hex().as_str() == hash {
            return Ok(());
        }
        let _ = remove(&path);
        let _ = remove(&self.result(&record.key));
        Err(Unusable::Damaged(what.to_owned()))
    }

    fn result(&self, key: &Key) -> PathBuf {
        self.root.join("results").join(&key.0)
    }

    /// The folder that tells of last successes.
    pub fn lasts(&self) -> PathBuf {
        self.root.join("last")
    }

    fn last_file(&self, task: &str) -> PathBuf {
        self.lasts().join(blake3::hash(task.as_bytes()).to_hex().as_str())
    }

    fn unkept_file(&self, task: &str) -> PathBuf {
        self.last_file(task).with_extension("unkept")
    }

    fn blob(&self, hash: &str) -> PathBuf {
        let (first, rest) = hash.split_at_checked(2).unwrap_or(("", hash));
        self.root.join("blobs").join(first).join(rest)
    }

    /// The file of the lock that a task of a checkout has while it runs.
    pub fn busy(&self, task: &str) -> PathBuf {
        locks::file_of(&self.root.join("busy"), task)
    }
}

/// The variable that tells how much kept results may take.
pub const CACHE_SIZE: &str = "NAGAYA_CACHE_SIZE";

/// Opens a file to read it. Whatever else has its name is an error, and never waited for as a pipe is.
fn open_file(path: &Path) -> io::Result<fs::File> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(format!("{} is no file", path.display()))),
    }
}

/// Takes away what has the name of a file of the store, whatever it is.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Takes away a folder that has the name of a file of the store, as no file can be put in its place.
fn make_room(path: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|told| told.is_dir());
    if is_folder { fs::remove_dir_all(path) } else { Ok(()) }
}

/// A text that is behind its hash; nothing where either is not as it should be.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let mut text = open_file(path).and_then(io::read_to_string).ok()?;
    let (hash, body) = text.split_once('\n')?;
    if blake3::hash(body.as_bytes()).to_hex().as_str() != hash {
        return None;
    }
    text.drain(..text.len() - body.len());
    Some(text)
}

/// Writes a text behind its hash. Whoever reads meanwhile sees what was there before, or this, whole.
pub(super) fn write_text(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_private_folder)?;
    make_room(path)?;
    write_whole(path, format!("{}\n{text}", blake3::hash(text.as_bytes()).to_hex()).as_bytes())
}

/// A value as [`read_text`] reads it.
pub(super) fn read_checked<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&read_text(path)?).ok()
}

/// Writes a value as [`write_text`] does.
pub(super) fn write_checked<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_text(path, &serde_json::to_string(value)?)
}

#[cfg(test)]
mod tests;
