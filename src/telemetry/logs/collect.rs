//! The thread that reads what services write, and nothing else: a slow disk never holds up the supervisor.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jiff::Timestamp;
use regex::bytes::Regex;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::line::{LONGEST, Prefix, Stream};
use super::writer::{Ends, Writer};
use crate::model::LogKeeping;

/// One pipe to read.
#[derive(Debug)]
pub struct Source {
    pub origin: Origin,
    pub pipe: OwnedFd,
    pub keeping: LogKeeping,
    /// Each is called once when a line matches.
    pub patterns: Vec<(Regex, Matched)>,
}

/// Whose output it is.
#[derive(Debug, Clone)]
pub struct Origin {
    pub service: String,
    pub instance: u32,
    pub stream: Stream,
}

/// What to do at a match.
pub struct Matched(pub Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Matched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Matched")
    }
}

/// The handle of the thread.
#[derive(Debug)]
pub struct Collector {
    sources: mpsc::UnboundedSender<Source>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Bytes read at once: as much as a pipe holds.
const PIECE: usize = 64 << 10;
/// Pieces read from one pipe before others get their turn.
const TURN: usize = 16;

impl Collector {
    /// Starts the thread; segments go into `folder`, which exists.
    pub fn start(folder: PathBuf, ends: Ends) -> io::Result<Self> {
        let (sources, inbox) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let thread = std::thread::Builder::new().name("logs".into()).stack_size(256 << 10).spawn(move || {
            LocalSet::new().block_on(&runtime, collect(folder, ends, inbox));
        })?;
        Ok(Self { sources, thread: Some(thread) })
    }

    /// Reads one more pipe until its end.
    pub fn add(&self, source: Source) {
        let _ = self.sources.send(source);
    }

    /// Waits until every pipe has come to its end, which is when the last process that could write has.
    pub fn finish(mut self) {
        let thread = self.thread.take();
        drop(self);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

async fn collect(folder: PathBuf, ends: Ends, mut inbox: mpsc::UnboundedReceiver<Source>) {
    let shelf = Rc::new(Shelf::new(&folder, ends));
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(source) = inbox.recv().await {
        let shelf = shelf.clone();
        tasks.spawn_local(async move {
            // A pipe that cannot be read is as good as one that ended.
            let _ = read(source, &shelf).await;
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

/// What all pipes share: the writers, and the two buffers through which everything passes.
struct Shelf {
    folder: PathBuf,
    ends: Ends,
    writers: RefCell<HashMap<String, Rc<RefCell<Writer>>>>,
    input: RefCell<Vec<u8>>,
    output: RefCell<Vec<u8>>,
}

impl Shelf {
    fn new(folder: &Path, ends: Ends) -> Self {
        Self {
            folder: folder.to_owned(),
            ends,
            writers: RefCell::default(),
            input: RefCell::new(vec![0; PIECE]),
            output: RefCell::default(),
        }
    }

    fn writer(&self, service: &str, keeping: LogKeeping) -> Rc<RefCell<Writer>> {
        let make = || Rc::new(RefCell::new(Writer::new(&self.folder, service, keeping)));
        self.writers.borrow_mut().entry(service.to_owned()).or_insert_with(make).clone()
    }
}

async fn read(source: Source, shelf: &Shelf) -> io::Result<()> {
    let Source { origin, pipe, keeping, patterns } = source;
    let mut lines = Lines { writer: shelf.writer(&origin.service, keeping), origin, rest: Vec::new(), patterns };
    let pipe = pipe::Receiver::from_owned_fd(pipe)?;
    let mut turn = 0;
    loop {
        pipe.readable().await?;
        let read = pipe.try_read(&mut shelf.input.borrow_mut());
        match read {
            Ok(0) => {
                lines.finish(shelf);
                return Ok(());
            }
            Ok(count) => lines.take(&shelf.input.borrow()[..count], shelf),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => turn = 0,
            Err(error) => return Err(error),
        }
        turn += 1;
        if turn == TURN {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// The lines of one pipe.
struct Lines {
    origin: Origin,
    writer: Rc<RefCell<Writer>>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    patterns: Vec<(Regex, Matched)>,
}

impl Lines {
    /// Writes the whole lines of a piece and keeps its rest.
    fn take(&mut self, piece: &[u8], shelf: &Shelf) {
        let prefix = Prefix::new(Timestamp::now(), self.origin.stream, self.origin.instance);
        let mut output = shelf.output.borrow_mut();
        output.clear();
        let mut count = 0;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            let line = &piece[start..end];
            start = end + 1;
            if self.rest.is_empty() {
                count += self.line(line, &prefix, &mut output);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                count += self.line(&whole, &prefix, &mut output);
            }
        }
        self.rest.extend_from_slice(&piece[start..]);
        if self.rest.len() >= LONGEST {
            let long = std::mem::take(&mut self.rest);
            prefix.write(&long, true, &mut output);
            count += 1;
        }
        self.write(&output, count, shelf);
        // One large burst should not stay allocated for ever.
        if output.capacity() > 8 * PIECE {
            *output = Vec::new();
        }
    }

    /// Adds one line, cut where it is too long; returns the number of records.
    fn line(&mut self, line: &[u8], prefix: &Prefix, output: &mut Vec<u8>) -> u64 {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        while let Some(at) = self.patterns.iter().position(|(pattern, _)| pattern.is_match(line)) {
            let (_, matched) = self.patterns.swap_remove(at);
            (matched.0)();
        }
        let mut count = 1;
        let mut rest = line;
        while rest.len() > LONGEST {
            let (head, tail) = rest.split_at(LONGEST);
            prefix.write(head, true, output);
            rest = tail;
            count += 1;
        }
        prefix.write(rest, false, output);
        count
    }

    /// The pipe ended: a last line may lack its newline.
    fn finish(&mut self, shelf: &Shelf) {
        if self.rest.is_empty() {
            return;
        }
        let rest = std::mem::take(&mut self.rest);
        let prefix = Prefix::new(Timestamp::now(), self.origin.stream, self.origin.instance);
        let mut output = Vec::new();
        let count = self.line(&rest, &prefix, &mut output);
        self.write(&output, count, shelf);
    }

    fn write(&self, output: &[u8], count: u64, shelf: &Shelf) {
        if count == 0 {
            return;
        }
        if self.writer.borrow_mut().append(output, count).is_err() {
            shelf.ends.lose(&self.origin.service, count);
        }
        shelf.ends.advance(&self.origin.service);
    }
}
