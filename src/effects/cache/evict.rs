//! Keeping the store within its limit.

use std::collections::{HashMap, HashSet};
use std::fs::{self, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Store, open_file, read_checked, remove};
use crate::pipeline::{OutputKind, Record};

/// So many parts of the limit may be added until it is looked at again.
const PARTS: u64 = 16;

impl Store {
    /// Counts what was added. Appended, so that processes need not agree.
    pub(super) fn count(&self, bytes: u64) {
        let file = fs::OpenOptions::new().create(true).append(true).custom_flags(libc::O_NONBLOCK).open(self.added());
        let _ = file.and_then(|mut file| file.write_all(format!("{bytes}\n").as_bytes()));
    }

    fn added(&self) -> PathBuf {
        self.root.join("added")
    }

    /// Throws away what was used least recently, once enough was added and nobody uses the store. True if it looked.
    pub fn tidy(&self) -> io::Result<bool> {
        let text = open_file(&self.added()).and_then(io::read_to_string).unwrap_or_default();
        let added: u64 = text.lines().filter_map(|line| line.parse::<u64>().ok()).sum();
        if added <= self.limit / PARTS {
            return Ok(false);
        }
        self.tidy_alone()
    }

    /// The same whatever was added, and with it all that no record names. False where somebody uses the store.
    pub(super) fn tidy_alone(&self) -> io::Result<bool> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        self.evict()?;
        match remove(&self.added()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(true),
        }
    }

    fn evict(&self) -> io::Result<()> {
        let mut sizes: HashMap<String, u64> = HashMap::new();
        let mut kept: HashSet<String> = HashSet::new();
        let (mut total, mut is_full) = (0, false);
        for (path, record) in self.records()? {
            let Some(record) = record else {
                remove(&path)?;
                continue;
            };
            let own: Vec<String> = hashes(&record).filter(|hash| !kept.contains(*hash)).map(str::to_owned).collect();
            let mut size = fs::metadata(&path).map_or(0, |told| told.len());
            for hash in &own {
                let blob = || fs::metadata(self.blob(hash)).map_or(0, |told| told.len());
                size += *sizes.entry(hash.clone()).or_insert_with(blob);
            }
            // The newest first: from where the limit is reached on, all go.
            is_full |= total + size > self.limit;
            if is_full {
                fs::remove_file(path)?;
                continue;
            }
            total += size;
            kept.extend(own);
        }
        self.sweep(&kept)
    }

    /// All records, those that were used last first; damaged ones have no content.
    fn records(&self) -> io::Result<Vec<(PathBuf, Option<Record>)>> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for path in entries(&self.root.join("results"))? {
            let used = fs::metadata(&path).and_then(|told| told.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((used, path));
        }
        files.sort();
        Ok(files.into_iter().rev().map(|(_, path)| (path.clone(), read_checked(&path))).collect())
    }

    /// Removes what no record names: nobody writes now, so half-written files are left-overs too.
    fn sweep(&self, kept: &HashSet<String>) -> io::Result<()> {
        for folder in entries(&self.root.join("blobs"))? {
            let first = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for blob in entries(&folder)? {
                let rest = blob.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !kept.contains(&format!("{first}{rest}")) {
                    remove(&blob)?;
                }
            }
        }
        for intact in entries(&self.root.join("intact"))? {
            let name = intact.file_name().unwrap_or_default();
            if !self.root.join("results").join(name).exists() {
                remove(&intact)?;
            }
        }
        Ok(())
    }
}

fn hashes(record: &Record) -> impl Iterator<Item = &str> {
    let files = record.outputs.iter().filter_map(|output| match &output.kind {
        OutputKind::File { hash, .. } => Some(hash.as_str()),
        OutputKind::Link { .. } | OutputKind::Folder { .. } => None,
    });
    files.chain([record.log.as_str()])
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
