//! Reading one service's lines, from any process, while they are being written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::line::Line;
use super::segment;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest line that is kept.
    Oldest,
    /// With the last so many lines.
    Tail(usize),
    /// With the first line at or after a time.
    Since(Timestamp),
    /// With what comes next.
    End,
}

/// A place in a service's lines.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    service: String,
    start: Start,
    /// Older lines are left out, wherever it starts.
    since: Option<Timestamp>,
    at: Option<Place>,
    /// Segments after that one, opened so that they cannot be missed.
    ahead: VecDeque<Place>,
    /// Read, but not yet a whole record.
    rest: Vec<u8>,
    lost: u64,
}

#[derive(Debug)]
struct Place {
    number: u64,
    file: File,
    /// The number of the next line, counted from the service's first.
    line: u64,
}

/// Bytes read at once.
const PIECE: usize = 64 << 10;
/// Lines that are looked through for some of them at most.
const FARTHEST: usize = 50_000;
/// Segments that are held open ahead at most: what is deleted takes room on the disk until it is read.
const AHEAD: usize = 32;

impl Reader {
    /// A reader of a service's lines in the log folder of a workspace.
    pub fn new(folder: &Path, service: &str, start: Start) -> Self {
        let since = match start {
            Start::Since(time) => Some(time),
            Start::Oldest | Start::Tail(_) | Start::End => None,
        };
        let (folder, service) = (folder.to_owned(), service.to_owned());
        Self { folder, service, start, since, at: None, ahead: VecDeque::new(), rest: Vec::new(), lost: 0 }
    }

    /// The same reader, leaving out lines that are older than a time.
    pub fn not_before(mut self, time: Option<Timestamp>) -> Self {
        self.since = self.since.max(time);
        self
    }

    /// Gives the next lines, some at a time; an empty list means that there are none now.
    pub fn next_lines(&mut self) -> io::Result<Vec<Line>> {
        if self.at.is_none() {
            self.open()?;
        }
        let since = self.since;
        loop {
            let Some(records) = self.next_records()? else { return Ok(Vec::new()) };
            let lines: Vec<Line> = records
                .split(|&byte| byte == b'\n')
                .filter_map(Line::parse)
                .filter(|line| since.is_none_or(|since| line.time >= since))
                .collect();
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
    }

    /// How many lines were deleted before they could be read, since this was last asked.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The next whole records as bytes; `None` when there are none now.
    pub fn next_records(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.look_ahead()?;
        loop {
            let Some(place) = &mut self.at else { return Ok(None) };
            let kept = self.rest.len();
            self.rest.resize(kept + PIECE, 0);
            let read = place.file.read(&mut self.rest[kept..])?;
            self.rest.truncate(kept + read);
            if let Some(end) = memchr::memrchr(b'\n', &self.rest) {
                let tail = self.rest.split_off(end + 1);
                let records = std::mem::replace(&mut self.rest, tail);
                place.line += memchr::memchr_iter(b'\n', &records).count() as u64;
                return Ok(Some(records));
            }
            if read == 0 && !self.next_segment()? {
                return Ok(None);
            }
        }
    }

    /// Moves on to the next segment, if there is one.
    fn next_segment(&mut self) -> io::Result<bool> {
        let Some(next) = self.following()? else { return Ok(false) };
        let Some(place) = &mut self.at else { return Ok(false) };
        // The writer may have added to the old segment between our last read and its turn.
        if place.file.stream_position()? < place.file.metadata()?.len() {
            self.ahead.push_front(next);
            return Ok(true);
        }
        self.lost += next.line.saturating_sub(place.line);
        self.at = Some(next);
        Ok(true)
    }

    /// The segment after the present one, or the oldest after that where we are so slow that it is there no more.
    fn following(&mut self) -> io::Result<Option<Place>> {
        let Some(place) = &self.at else { return Ok(None) };
        if let Some(next) = self.ahead.pop_front() {
            return Ok(Some(next));
        }
        let next = open_at(&self.folder, &self.service, place.number + 1)?;
        if next.is_some() || place.file.metadata()?.nlink() > 0 {
            return Ok(next);
        }
        let numbers = segment::numbers(&self.folder, &self.service)?;
        let later = numbers.into_iter().find(|number| *number > place.number);
        later.map_or(Ok(None), |number| open_at(&self.folder, &self.service, number))
    }

    /// Opens the segments that are there already: what is open can be read to its end, also when the writer deletes
    /// it. So a burst of more than is kept reaches a follower whole.
    fn look_ahead(&mut self) -> io::Result<()> {
        while self.ahead.len() < AHEAD {
            let Some(last) = self.ahead.back().or(self.at.as_ref()) else { return Ok(()) };
            let Some(next) = open_at(&self.folder, &self.service, last.number + 1)? else { return Ok(()) };
            self.ahead.push_back(next);
        }
        Ok(())
    }

    /// Finds the place to begin.
    fn open(&mut self) -> io::Result<()> {
        let numbers = segment::numbers(&self.folder, &self.service)?;
        let Some((&oldest, &newest)) = numbers.first().zip(numbers.last()) else { return Ok(()) };
        self.at = match self.start {
            Start::Oldest => open_at(&self.folder, &self.service, oldest)?,
            Start::End => self.tail(&numbers, 0)?,
            Start::Tail(count) => self.tail(&numbers, count)?,
            Start::Since(time) => {
                let mut number = newest;
                for &candidate in numbers.iter().rev() {
                    number = candidate;
                    if first_time(&segment::path(&self.folder, &self.service, candidate)).is_some_and(|it| it < time) {
                        break;
                    }
                }
                open_at(&self.folder, &self.service, number)?
            }
        };
        Ok(())
    }

    /// The place before the last `count` lines.
    fn tail(&self, numbers: &[u64], count: usize) -> io::Result<Option<Place>> {
        let mut missing = count;
        let mut place = None;
        for &number in numbers.iter().rev() {
            let Some(mut opened) = open_at(&self.folder, &self.service, number)? else { continue };
            let head = opened.file.stream_position()?;
            let (offset, found) = lines_from_end(&mut opened.file, head, missing)?;
            opened.line += count_lines(&mut opened.file, head, offset)?;
            opened.file.seek(SeekFrom::Start(offset))?;
            missing -= found.min(missing);
            place = Some(opened);
            if missing == 0 {
                break;
            }
        }
        Ok(place)
    }
}

/// The last lines of a service that are there now, of those written since then.
pub fn last_lines(folder: &Path, service: &str, count: usize, since: Timestamp) -> Vec<Line> {
    let mut reader = Reader::new(folder, service, Start::Tail(count));
    let mut lines = Vec::new();
    while let Ok(more) = reader.next_lines() {
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    lines.retain(|line| line.time >= since);
    lines
}

/// The same of those lines that are wanted, as far back as it is worth looking.
pub fn last_lines_of(
    folder: &Path,
    service: &str,
    count: usize,
    since: Timestamp,
    wanted: &dyn Fn(&Line) -> bool,
) -> Vec<Line> {
    let mut asked = count.max(1);
    loop {
        let mut lines = last_lines(folder, service, asked, since);
        let is_all = lines.len() < asked || asked >= FARTHEST;
        lines.retain(wanted);
        if is_all || lines.len() >= count {
            return lines.split_off(lines.len().saturating_sub(count));
        }
        asked *= 8;
    }
}

/// Opens a segment behind its head; `None` where there is none, or its writer has only just made it.
fn open_at(folder: &Path, service: &str, number: u64) -> io::Result<Option<Place>> {
    let mut file = match File::open(segment::path(folder, service, number)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut head = [0; 80];
    let read = file.read(&mut head)?;
    let Some(end) = memchr::memchr(b'\n', &head[..read]) else { return Ok(None) };
    let line = segment::parse_head(&String::from_utf8_lossy(&head[..end])).unwrap_or(0);
    file.seek(SeekFrom::Start(end as u64 + 1))?;
    Ok(Some(Place { number, file, line }))
}

fn first_time(path: &Path) -> Option<Timestamp> {
    let mut file = File::open(path).ok()?;
    let mut head = [0; 160];
    let read = file.read(&mut head).ok()?;
    head[..read].split(|&byte| byte == b'\n').nth(1).and_then(Line::time_of)
}

/// The offset before the last `count` lines between `head` and the end, and how many lines follow it.
fn lines_from_end(file: &mut File, head: u64, count: usize) -> io::Result<(u64, usize)> {
    let end = file.seek(SeekFrom::End(0))?;
    // A record that is just being written has no newline yet; it belongs to what comes next.
    let mut position = end;
    let mut found = 0;
    let mut buffer = vec![0; PIECE];
    let mut after = None;
    while position > head {
        let length = (position - head).min(PIECE as u64);
        position -= length;
        let piece = &mut buffer[..usize::try_from(length).unwrap_or(PIECE)];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(piece)?;
        for at in memchr::memrchr_iter(b'\n', piece) {
            let offset = position + at as u64 + 1;
            if after.is_none() {
                after = Some(offset);
                if count == 0 {
                    return Ok((offset, 0));
                }
                continue;
            }
            found += 1;
            if found == count {
                return Ok((offset, found));
            }
        }
    }
    let whole = usize::from(after.is_some());
    Ok((head, found + whole))
}

fn count_lines(file: &mut File, from: u64, to: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let mut rest = file.take(to.saturating_sub(from));
    let mut buffer = vec![0; PIECE];
    let mut lines = 0;
    loop {
        let read = rest.read(&mut buffer)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64;
    }
}
