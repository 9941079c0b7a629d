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

    /// Begins after what an earlier engine wrote.
    fn first(&mut self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.folder.join(&self.service))?;
        let number = match segment::numbers(&self.folder, &self.service)?.last() {
            Some(&newest) => {
                self.lines = count(&segment::path(&self.folder, &self.service, newest)).unwrap_or(0);
                newest + 1
            }
            None => 1,
        };
        self.begin(number)
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

/// The number of lines up to the end of a segment.
fn count(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    let (mut lines, mut head) = (0, None);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        if head.is_none() {
            let first = String::from_utf8_lossy(&buffer[..read.min(80)]).into_owned();
            head = segment::parse_head(first.lines().next().unwrap_or(""));
        }
        lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64;
    }
    Ok(head.unwrap_or(0) + lines.saturating_sub(1))
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
