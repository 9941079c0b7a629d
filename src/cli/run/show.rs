//! What a run shows: lines as they come, grouped by task, or as JSON.

use anstyle::AnsiColor;
use serde::Serialize;

use super::Style;
use crate::cli::output::{Output, bold, dim, paint, tint};
use crate::effects::{clock, environment};
use crate::pipeline::{Cause, End, State};
use crate::run::{Ending, News, Outcome, Stream};
use crate::supervise::Moment;
use crate::view::ran::{DONE, EARLIER, FAILED, SKIPPED, STOPPED};
use crate::view::{self, elapsed};

/// Shows news of a run.
pub struct Printer<'a> {
    names: Vec<String>,
    /// Names are padded to this.
    width: usize,
    /// There is one task, and what it writes is all there is to see.
    plain: bool,
    /// Somebody may be there to press a key.
    attended: bool,
    style: Style,
    output: &'a Output,
    /// What tasks wrote whose group is still open.
    groups: Vec<Vec<(Stream, Vec<u8>)>>,
    /// Groups of tasks that failed, which are shown last.
    failed: Vec<usize>,
    endings: Vec<Option<(End, Ending)>>,
    begun: Moment,
    clock: clock::Clock,
}

/// One line of `--json`.
#[derive(Debug, Default, Serialize)]
struct Event<'a> {
    time: String,
    event: &'static str,
    task: &'a str,
    state: Option<&'static str>,
    message: Option<String>,
    code: Option<u8>,
    cached: Option<bool>,
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'static str>,
}

/// Colours of names, in turn.
const COLORS: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Blue, AnsiColor::BrightCyan];
const LINGERS: &str = "was asked to end, and has not yet; once more (Ctrl-C) kills it";
/// Longer names push their own lines aside, not everybody's.
const WIDEST: usize = 30;

impl<'a> Printer<'a> {
    pub fn new(names: Vec<String>, plain: bool, style: Style, output: &'a Output) -> Self {
        let names: Vec<String> = if output.json { names } else { names.iter().map(|name| view::plain(name)).collect() };
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(WIDEST);
        let clock = clock::Clock::start();
        Self {
            width,
            plain,
            attended: true,
            style,
            output,
            groups: names.iter().map(|_| Vec::new()).collect(),
            failed: Vec::new(),
            endings: names.iter().map(|_| None).collect(),
            names,
            begun: clock.now(),
            clock,
        }
    }

    /// The same where nobody is there: what it shows goes into a log.
    pub fn unattended(self) -> Self {
        Self { attended: false, ..self }
    }

    /// Shows one piece of news.
    pub fn print(&mut self, news: News) {
        if self.output.json {
            return self.json(news);
        }
        match news {
            News::Started(_) => {}
            News::Waiting(task, what) => self.say(task, &format!("waits for {what}")),
            News::Note(task, text) => self.say(task, &text),
            News::Lingers(task) if self.attended => self.say(task, LINGERS),
            News::Lingers(_) => {}
            News::Line(_, stream, line) if self.plain => self.write("", stream, &line),
            News::Line(task, stream, line) => match self.style {
                Style::Prefixed => self.write(&self.prefix(task), stream, &line),
                Style::Grouped => self.groups[task].push((stream, line)),
            },
            News::Ended(task, end, ending) => self.ended(task, end, ending),
            News::Skipped(task, cause) => self.skipped(task, cause),
        }
    }

    fn prefix(&self, task: usize) -> String {
        let name = &self.names[task];
        let pad = " ".repeat(self.width.saturating_sub(name.chars().count()));
        format!("{}{pad} {} ", tint(name, COLORS[task % COLORS.len()]), dim("|"))
    }

    fn write(&self, prefix: &str, stream: Stream, line: &[u8]) {
        match stream {
            Stream::Out => self.output.raw_line(prefix, line),
            Stream::Err => self.output.raw_error_line(prefix, line),
        }
    }

    fn say(&self, task: usize, text: &str) {
        // A log has the name already.
        let prefix = if self.attended { self.prefix(task) } else { String::new() };
        self.output.say(&format!("{prefix}{}", dim(text)));
    }

    fn ended(&mut self, task: usize, end: End, ending: Ending) {
        if let Some(reason) = &ending.reason {
            let name = if self.plain { String::new() } else { format!("{}: ", self.names[task]) };
            self.output.tell(&format!("{}: {name}{reason}", paint("error", AnsiColor::Red)));
        }
        self.endings[task] = Some((end, ending));
        match (self.plain, self.style) {
            (true, _) => {}
            (false, Style::Prefixed) => self.say(task, &self.word(task)),
            // What went wrong stands last, where people look.
            (false, Style::Grouped) if matches!(end, End::Failed(_)) => self.failed.push(task),
            (false, Style::Grouped) => self.group(task),
        }
    }

    /// Shows all that a task wrote.
    fn group(&mut self, task: usize) {
        let github = environment::variable("GITHUB_ACTIONS").is_some_and(|it| it == "true");
        let title = format!("{} {}", self.names[task], self.word(task));
        match github {
            true => self.output.line(&format!("::group::{title}")),
            false => self.output.line(&bold(&title)),
        }
        for (stream, line) in std::mem::take(&mut self.groups[task]) {
            self.write("", stream, &line);
        }
        if github {
            self.output.line("::endgroup::");
        }
    }

    fn word(&self, task: usize) -> String {
        let Some((end, ending)) = &self.endings[task] else { return String::new() };
        let took = elapsed(ending.took);
        match (end, ending.saved) {
            _ if ending.stopped => format!("{STOPPED}{took}"),
            (End::Fresh, _) => format!("{DONE}{took}"),
            (End::Cached, Some(saved)) => format!("{EARLIER}, which took {}", elapsed(saved)),
            (End::Cached, None) => EARLIER.to_owned(),
            (End::Failed(code), _) => format!("{FAILED}{code} after {took}"),
        }
    }

    fn skipped(&self, task: usize, cause: Cause) {
        if self.plain {
            return;
        }
        let why = match cause {
            Cause::Needs(other) => format!("{SKIPPED}: it needs {}", self.names[other]),
            Cause::After(other) => format!("{SKIPPED}, as {} failed", self.names[other]),
            Cause::Interrupted => return,
        };
        match self.style {
            Style::Prefixed => self.say(task, &why),
            Style::Grouped => self.output.say(&format!("{} {}", bold(&self.names[task]), dim(&why))),
        }
    }

    /// Shows what is left to show, and how it all went.
    pub fn finish(&mut self, outcome: &Outcome) {
        if self.output.json {
            return;
        }
        for task in std::mem::take(&mut self.failed) {
            self.group(task);
        }
        if self.plain {
            if let Some((End::Cached, _)) = &self.endings[0] {
                self.output.say(&dim(&format!("{}: {}", self.names[0], self.word(0))));
            }
            return;
        }
        let count = |wanted: fn(&State) -> bool| outcome.states.iter().filter(|state| wanted(state)).count();
        let counts = [
            (count(|it| matches!(it, State::Done(End::Fresh))), "done"),
            (count(|it| matches!(it, State::Done(End::Cached))), "from earlier runs"),
            (count(|it| matches!(it, State::Done(End::Failed(_)))), "failed"),
            (count(|it| matches!(it, State::Stopped)), "stopped"),
            (count(|it| matches!(it, State::Skipped(_))), "not run"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let took = elapsed(self.clock.now().since(self.begun));
        let tasks = if self.names.len() == 1 { "1 task".to_owned() } else { format!("{} tasks", self.names.len()) };
        self.output.say(&format!("{tasks} in {took}: {}", counts.join(", ")));
    }

    fn json(&self, news: News) {
        let time = format!("{:.9}", clock::utc());
        let event = |task: usize, event| Event { time, event, task: &self.names[task], ..Event::default() };
        self.output.json_line(&match news {
            News::Started(task) => Event { state: Some("running"), ..event(task, "state") },
            News::Waiting(task, what) => Event { state: Some("waiting"), message: Some(what), ..event(task, "state") },
            News::Lingers(task) => Event { message: Some(LINGERS.to_owned()), ..event(task, "note") },
            News::Note(task, text) => Event { message: Some(text), ..event(task, "note") },
            News::Line(task, stream, line) => Event {
                message: Some(String::from_utf8_lossy(&line).into_owned()),
                stream: Some(if stream == Stream::Out { "stdout" } else { "stderr" }),
                ..event(task, "log")
            },
            News::Skipped(task, cause) => {
                let message = match cause {
                    Cause::Needs(other) => format!("it needs {}", self.names[other]),
                    Cause::After(other) => format!("{} failed", self.names[other]),
                    Cause::Interrupted => "interrupted".to_owned(),
                };
                Event { state: Some("skipped"), message: Some(message), ..event(task, "state") }
            }
            News::Ended(task, end, ending) => {
                let (state, code) = match end {
                    _ if ending.stopped => ("stopped", None),
                    End::Fresh | End::Cached => ("completed", Some(0)),
                    End::Failed(code) => ("failed", Some(code)),
                };
                Event {
                    state: Some(state),
                    code,
                    cached: Some(end == End::Cached),
                    duration_ms: Some(u64::try_from(ending.took.as_millis()).unwrap_or(u64::MAX)),
                    message: ending.reason,
                    ..event(task, "state")
                }
            }
        });
    }
}
