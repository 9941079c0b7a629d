//! Writing one service's lines to its segments.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::segment;
use crate::model::LogKeeping;

/// One service's segments, of which the newest is written.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    service: String,
    keeping: LogKeeping,
    open: Option<Open>,
    /// Lines written by all segments so far.
    lines: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    number: u64,
    size: u64,
}

impl Writer {
    /// A writer that touches no file before its first line.
    pub fn new(folder: &Path, service: &str, keeping: LogKeeping) -> Self {
        Self { folder: folder.to_owned(), service: service.to_owned(), keeping, open: None, lines: 0 }
    }

    /// Appends whole records. When it fails nothing of them is in the segment.
    pub fn append(&mut self, records: &[u8], lines: u64) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.size >= self.keeping.max_size.0) {
            self.turn()?;
        }
        if self.open.is_none() {
            self.first()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Err(error) = open.file.write_all(records) {
            // Half a record would be glued to the next one.
            let _ = open.file.set_len(open.size);
            return Err(error);
        }
        open.size += records.len() as u64;
        self.lines += lines;
        Ok(())
    }

    /// Goes on after what an earlier engine wrote: in its last segment, where that has room.
    fn first(&mut self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.folder.join(&self.service))?;
        let Some(&newest) = segment::numbers(&self.folder, &self.service)?.last() else { return self.begin(1) };
        let path = segment::path(&self.folder, &self.service, newest);
        let Ok(Some(content)) = content(&path) else { return self.begin(newest + 1) };
        self.lines = content.lines;
        if content.size >= self.keeping.max_size.0 {
            return self.begin(newest + 1);
        }
        let file = OpenOptions::new().append(true).open(path)?;
        // Half a record of an engine that was killed would be glued to the next one.
        file.set_len(content.size)?;
        self.open = Some(Open { file, number: newest, size: content.size });
        Ok(())
    }

    /// Begins the next segment and drops the one that is too many.
    fn turn(&mut self) -> io::Result<()> {
        let Some(number) = self.open.as_ref().map(|open| open.number) else { return Ok(()) };
        self.begin(number + 1)
    }

    fn begin(&mut self, number: u64) -> io::Result<()> {
        let path = segment::path(&self.folder, &self.service, number);
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        // What is there is left of a try that failed on a full disk.
        file.set_len(0)?;
        let head = segment::head(self.lines);
        file.write_all(head.as_bytes())?;
        self.open = Some(Open { file, number, size: head.len() as u64 });
        let oldest = number.saturating_sub(u64::from(self.keeping.max_files));
        for number in segment::numbers(&self.folder, &self.service)?.into_iter().filter(|number| *number < oldest) {
            std::fs::remove_file(segment::path(&self.folder, &self.service, number))?;
        }
        Ok(())
    }
}

/// What is in a segment.
struct Content {
    /// All lines of the service up to its end.
    lines: u64,
    /// Bytes up to the end of the last whole record.
    size: u64,
}

/// Reads a segment through; `None` where it does not begin as one.
fn content(path: &Path) -> io::Result<Option<Content>> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    let (mut newlines, mut size, mut position) = (0, 0, 0);
    let mut first = None;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let piece = &buffer[..read];
        if position == 0 {
            let head = String::from_utf8_lossy(&piece[..read.min(80)]).into_owned();
            first = head.lines().next().and_then(segment::parse_head);
        }
        newlines += memchr::memchr_iter(b'\n', piece).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', piece) {
            size = position + last as u64 + 1;
        }
        position += read as u64;
    }
    // The head is a line, but none of the service's.
    Ok(first.filter(|_| newlines > 0).map(|first| Content { lines: first + newlines - 1, size }))
}

/// Which services have written, for those who follow.
#[derive(Debug, Clone)]
pub struct Ends {
    version: watch::Sender<u64>,
    advanced: Arc<Mutex<HashMap<String, u64>>>,
    lost: Arc<Mutex<HashMap<String, u64>>>,
}

impl Default for Ends {
    fn default() -> Self {
        Self { version: watch::Sender::new(0), advanced: Arc::default(), lost: Arc::default() }
    }
}

impl Ends {
    /// A service has written.
    pub fn advance(&self, service: &str) {
        // Nobody follows: nobody is told, and a look at the files shows everything anyway.
        if self.version.receiver_count() == 0 {
            return;
        }
        let next = *self.version.borrow() + 1;
        let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        match advanced.get_mut(service) {
            Some(version) => *version = next,
            None => {
                advanced.insert(service.to_owned(), next);
            }
        }
        drop(advanced);
        self.version.send_replace(next);
    }

    /// Lines of a service could not be written.
    pub fn lose(&self, service: &str, lines: u64) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *lost.entry(service.to_owned()).or_default() += lines;
    }

    /// How many lines of a service could not be written.
    pub fn lost(&self, service: &str) -> u64 {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get(service).copied().unwrap_or(0)
    }

    /// A receiver that changes when any service has written.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The services that have written since a version.
    pub fn since(&self, version: u64) -> Vec<String> {
        let advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        advanced.iter().filter(|(_, at)| **at > version).map(|(service, _)| service.clone()).collect()
    }
}
