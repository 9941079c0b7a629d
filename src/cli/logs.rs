//! `nagaya logs`: lines of several services, in the order of their times.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::AnsiColor;
use jiff::Timestamp;
use regex::Regex;

use super::args::{Global, Level, Logs};
use super::error::{Code, Error};
use super::locate;
use super::output::{Output, dim, tint};
use crate::api::{Client, Events};
use crate::effects::clock;
use crate::effects::registry::{self, Registration};
use crate::model::parse_duration;
use crate::telemetry::logs::{Line, Reader, Start};
use crate::view::{LogLine, by_service, label, level};

/// Prints lines of the running engine, or of the last one that ran.
pub async fn run(global: &Global, args: Logs, output: &Output) -> Result<ExitCode, Error> {
    let source = Source::find(global, output).await?;
    Error::unless_known(&args.services, source.services.iter().map(String::as_str))?;
    if let Some(name) = args.services.iter().find(|name| source.external.contains(name)) {
        let error = Error::usage(format!("{name} lives elsewhere: nothing of it runs here, so it writes no log here"));
        return Err(error.hint(format!("`nagaya requests {name}` shows the calls to it")));
    }
    let services = if args.services.is_empty() { source.services.clone() } else { args.services.clone() };
    let filter = Filter::new(&args)?;
    let since = args.since.as_deref().map(time).transpose()?;
    let since = since.or(source.since);
    let start = match (args.tail, since) {
        (Some(count), _) => Start::Tail(count),
        (None, Some(since)) => Start::Since(since),
        (None, None) => Start::Oldest,
    };
    let from = From { start, since };
    let printer = Printer::new(&services, args.services.len() != 1, args.timestamps);
    // Followed before the past is read, so that nothing falls between.
    let mut follower = match (&source.client, args.follow) {
        (Some(client), true) => Some(Follower::new(client, &source.logs, &services, from).await?),
        (None, true) => return Err(Error::new(Code::NoEngine, "nothing to follow: the workspace is not running")),
        (_, false) => None,
    };
    match &mut follower {
        Some(follower) => {
            while let Some(lines) = follower.next().await? {
                printer.print(&filter.keep(lines), output);
                follower.tell_lost(output);
            }
            if let Some(engine) = &source.engine {
                return locate::gone(engine, output);
            }
        }
        None => {
            // What is written from here on is for another time: a busy service would never come to an end.
            let mut merge = Merge::new(&source.logs, &services, from).up_to(clock::utc());
            while let Some(lines) = merge.next()? {
                printer.print(&filter.keep(lines), output);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose lines there are and where.
struct Source {
    logs: PathBuf,
    services: Vec<String>,
    /// Those of them that live elsewhere.
    external: Vec<String>,
    /// The start of the engine: what earlier ones left is shown only on request.
    since: Option<Timestamp>,
    client: Option<Client>,
    engine: Option<Registration>,
}

impl Source {
    async fn find(global: &Global, output: &Output) -> Result<Self, Error> {
        match locate::connect(global, output) {
            Ok((client, engine)) => {
                let rows = by_service(client.services().await?);
                let external = rows.iter().filter(|row| row.is_external()).map(|row| row.name.clone()).collect();
                let services = rows.into_iter().map(|row| row.name).collect();
                let since = engine.started.parse().ok();
                let logs = engine.state.join("logs");
                Ok(Self { logs, services, external, since, client: Some(client), engine: Some(engine) })
            }
            Err(error) if error.code == Code::NoEngine => {
                let request = locate::manifest(global).map_err(|_| error)?;
                let workspace = locate::load(&request, output)?;
                let home = locate::places()?.home(&locate::id(&workspace, &request));
                let services = workspace.services.keys().map(ToString::to_string).collect();
                let external = workspace.services.values().filter(|service| service.external().is_some());
                let external = external.map(|service| service.name.to_string()).collect();
                let since = registry::read(&home).and_then(|last| last.started.parse().ok());
                Ok(Self { logs: home.logs(), services, external, since, client: None, engine: None })
            }
            Err(error) => Err(error),
        }
    }
}

/// A time on the wall, or so long ago.
fn time(text: &str) -> Result<Timestamp, Error> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = parse_duration(text).map_err(|_| {
        Error::usage(format!("`{text}` is no time")).hint("write `2026-11-21T12:00:00Z`, or how long ago: `10m`")
    })?;
    Ok(clock::utc().checked_sub(ago).unwrap_or(Timestamp::MIN))
}

/// A line and whose it is.
pub type Owned = (String, Line);

/// Which lines are wanted.
struct Filter {
    grep: Option<Regex>,
    level: Option<Level>,
    request: Option<String>,
    until: Option<Timestamp>,
}

impl Filter {
    fn new(args: &Logs) -> Result<Self, Error> {
        let grep = args.grep.as_deref().map(Regex::new).transpose();
        Ok(Self {
            grep: grep.map_err(|error| Error::usage(format!("--grep: {error}")))?,
            level: args.level,
            request: args.request.clone(),
            until: args.until.as_deref().map(time).transpose()?,
        })
    }

    fn keep(&self, mut lines: Vec<Owned>) -> Vec<Owned> {
        lines.retain(|(_, line)| self.wants(line));
        lines
    }

    fn wants(&self, line: &Line) -> bool {
        let has = |grep: &Regex| grep.is_match(&line.text);
        let bad_enough =
            |wanted: Level| level(&line.text).and_then(|word| level_of(&word)).is_some_and(|is| is >= wanted);
        let of = |id: &String| {
            let seen = LogLine::new("", line);
            seen.request_id.as_ref() == Some(id)
                || seen.trace_id.as_ref() == Some(id)
                || line.text.contains(id.as_str())
        };
        self.grep.as_ref().is_none_or(has)
            && self.level.is_none_or(bad_enough)
            && self.request.as_ref().is_none_or(of)
            && self.until.is_none_or(|until| line.time <= until)
    }
}

fn level_of(word: &str) -> Option<Level> {
    <Level as clap::ValueEnum>::from_str(word, true).ok()
}

/// Where reading begins.
#[derive(Debug, Clone, Copy)]
pub struct From {
    pub start: Start,
    /// Older lines are left out even where so many were asked for.
    pub since: Option<Timestamp>,
}

/// Lines of many services, oldest first.
struct Merge {
    readers: Vec<(String, Reader, VecDeque<Line>)>,
    end: Option<Timestamp>,
}

/// What is written already.
pub fn written(logs: &Path, services: &[String], from: From) -> Result<Vec<Owned>, Error> {
    let mut merge = Merge::new(logs, services, from).up_to(clock::utc());
    let mut out = Vec::new();
    while let Some(lines) = merge.next()? {
        out.extend(lines);
    }
    Ok(out)
}

/// Lines printed at once.
const PIECE: usize = 1000;

impl Merge {
    fn new(logs: &Path, services: &[String], from: From) -> Self {
        let open = |name: &String| Reader::new(logs, name, from.start).not_before(from.since);
        let reader = |name: &String| (name.clone(), open(name), VecDeque::new());
        Self { readers: services.iter().map(reader).collect(), end: None }
    }

    /// Only what was written by then.
    fn up_to(mut self, end: Timestamp) -> Self {
        self.end = Some(end);
        self
    }

    /// The next lines; `None` at the present end.
    fn next(&mut self) -> Result<Option<Vec<Owned>>, Error> {
        let mut out = Vec::new();
        // Who has nothing now is asked again with the next piece, not with every line.
        let mut dry = vec![false; self.readers.len()];
        while out.len() < PIECE {
            for ((name, reader, lines), dry) in self.readers.iter_mut().zip(&mut dry) {
                if lines.is_empty() && !*dry {
                    lines.extend(reader.next_lines().map_err(|error| unreadable(name, &error))?);
                    *dry = lines.is_empty();
                }
            }
            let oldest = self.readers.iter_mut().filter(|it| !it.2.is_empty()).min_by_key(|it| it.2[0].time);
            let Some((name, _, lines)) = oldest else { break };
            if self.end.is_some_and(|end| lines.front().is_some_and(|line| line.time > end)) {
                break;
            }
            out.extend(lines.pop_front().map(|line| (name.clone(), line)));
        }
        Ok((!out.is_empty()).then_some(out))
    }
}

fn unreadable(service: &str, error: &std::io::Error) -> Error {
    Error::failed(format!("the log of {service} cannot be read: {error}"))
}

/// Lines of services as they come: first what there is, then what the engine says is new.
pub struct Follower {
    logs: PathBuf,
    readers: BTreeMap<String, Reader>,
    /// Services whose files may have more.
    pending: VecDeque<String>,
    /// The engine's word that there is more; none while it rests.
    events: Option<Events>,
    past: Option<Merge>,
    begun: Timestamp,
    pub lost: u64,
}

impl Follower {
    /// Follows services from a place on.
    pub async fn new(client: &Client, logs: &Path, services: &[String], from: From) -> Result<Self, Error> {
        Ok(Self {
            events: Some(told_of_logs(client).await?),
            logs: logs.to_owned(),
            readers: BTreeMap::new(),
            pending: VecDeque::new(),
            past: Some(Merge::new(logs, services, from)),
            begun: clock::utc(),
            lost: 0,
        })
    }

    /// Stays where it is in everybody's lines, and hears of no more.
    pub fn rest(&mut self) {
        self.events = None;
    }

    /// Goes on from there: first with what was written meanwhile, in the order of its times.
    pub async fn go_on(&mut self, client: &Client) -> Result<(), Error> {
        self.events = Some(told_of_logs(client).await?);
        let begun = |(name, reader)| (name, reader, VecDeque::new());
        let readers = std::mem::take(&mut self.readers).into_iter().map(begun);
        self.past.get_or_insert(Merge { readers: Vec::new(), end: None }).readers.extend(readers);
        self.pending.clear();
        Ok(())
    }

    /// Tells how many lines are missing, where some are.
    pub fn tell_lost(&mut self, output: &Output) {
        if self.lost > 0 {
            output.tell(&format!("{} lines were deleted before they could be read", std::mem::take(&mut self.lost)));
        }
    }

    /// Follows one more service, from what it wrote since the following began.
    pub fn add(&mut self, service: &str) {
        let reader = Reader::new(&self.logs, service, Start::Since(self.begun));
        self.readers.entry(service.to_owned()).or_insert(reader);
    }

    /// The next lines of those that were there at the beginning; `None` when all of them were told.
    pub fn past(&mut self) -> Result<Option<Vec<Owned>>, Error> {
        let Some(past) = &mut self.past else { return Ok(None) };
        if let Some(lines) = past.next()? {
            return Ok(Some(lines));
        }
        let done = self.past.take().map(|past| past.readers).unwrap_or_default();
        self.pending.extend(done.iter().map(|(name, ..)| name.clone()));
        self.readers.extend(done.into_iter().map(|(name, reader, _)| (name, reader)));
        Ok(None)
    }

    /// The next lines; `None` when the engine is gone.
    pub async fn next(&mut self) -> Result<Option<Vec<Owned>>, Error> {
        if let Some(lines) = self.past()? {
            return Ok(Some(lines));
        }
        loop {
            while let Some(name) = self.pending.front() {
                if let Some(lines) = self.more_of(&name.clone())? {
                    return Ok(Some(lines));
                }
                self.pending.pop_front();
            }
            let Some(events) = &mut self.events else { return self.written() };
            let Some(advanced) = events.next::<Vec<String>>().await else { return self.written() };
            self.pending.extend(advanced.into_iter().filter(|name| self.readers.contains_key(name)));
        }
    }

    fn more_of(&mut self, name: &str) -> Result<Option<Vec<Owned>>, Error> {
        let Some(reader) = self.readers.get_mut(name) else { return Ok(None) };
        let lines = reader.next_lines().map_err(|error| unreadable(name, &error))?;
        self.lost += reader.take_lost();
        let owned: Vec<Owned> = lines.into_iter().map(|line| (name.to_owned(), line)).collect();
        Ok((!owned.is_empty()).then_some(owned))
    }

    /// What is written already, without waiting for more: also after the engine's end.
    pub fn written(&mut self) -> Result<Option<Vec<Owned>>, Error> {
        let names: Vec<String> = self.readers.keys().cloned().collect();
        for name in names {
            if let Some(lines) = self.more_of(&name)? {
                return Ok(Some(lines));
            }
        }
        Ok(None)
    }
}

/// From here on, whatever is written is told.
async fn told_of_logs(client: &Client) -> Result<Events, Error> {
    let mut events = client.events("/v1/logs/stream").await?;
    let _: Option<Vec<String>> = events.next().await;
    Ok(events)
}

/// Prints lines, with whose they are in front.
pub struct Printer {
    width: usize,
    prefix: bool,
    timestamps: bool,
}

/// Colours that read well on light and dark.
const COLORS: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Green, AnsiColor::Blue, AnsiColor::Yellow, AnsiColor::BrightCyan];
/// A longer name would push everything to the right.
const WIDEST: usize = 24;

impl Printer {
    /// A printer for these services.
    pub fn new(services: &[String], prefix: bool, timestamps: bool) -> Self {
        let width = services.iter().map(String::len).max().unwrap_or(0).min(WIDEST);
        Self { width, prefix, timestamps }
    }

    /// Prints lines as text or JSON.
    pub fn print(&self, lines: &[Owned], output: &Output) {
        if lines.is_empty() {
            return;
        }
        let text = |(service, line): &Owned| match output.json {
            true => serde_json::to_string(&LogLine::new(service, line)).unwrap_or_default(),
            false => self.text(service, line),
        };
        output.lines(&lines.iter().map(text).collect::<Vec<_>>());
    }

    fn text(&self, service: &str, line: &Line) -> String {
        let time = if self.timestamps { dim(&format!("{:.3} ", line.time)) } else { String::new() };
        // A lone carriage return would have the line written over its own beginning.
        let text = format!("{time}{}", line.text.replace('\r', " "));
        if self.prefix { self.prefixed((service, line.instance), &text) } else { text }
    }

    /// A text with the name of its instance in front.
    pub fn prefixed(&self, (service, instance): (&str, u32), text: &str) -> String {
        let label = label(service, instance);
        let hash = service.bytes().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let name = tint(&format!("{label:<width$} |", width = self.width), COLORS[hash % COLORS.len()]);
        format!("{name} {text}")
    }
}
