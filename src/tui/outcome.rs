//! What came of tasks: of those that were run from here, of those that the engine runs, and of earlier runs whose results
//! are kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ratatui::style::Style;

use super::app::App;
use super::tasks::Task;
use crate::supervise::State;
use crate::tasks::OWN;
use crate::view::ran::{DONE, EARLIER, FAILED, SKIPPED, STOPPED};

/// What is known of the result of a task from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is there, and would be put back.
    There,
    /// Something that it depends on has changed since.
    Changed,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// What it had come to before was put back.
    Kept,
    Failed,
    /// Somebody ended it.
    Ended,
    /// What it needs failed.
    Skipped,
}

/// A task that was run from here: how it ended, if it has, and when, as soon as a frame was drawn since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The number of the command that runs it.
    id: u64,
    end: Option<(End, Option<Timestamp>)>,
}

/// What this dashboard knows of runs.
#[derive(Debug, Default)]
pub struct Runs {
    /// By the names that were given, which may be short, and those of what they need.
    runs: BTreeMap<String, Run>,
    kept: BTreeMap<String, Kept>,
    /// How many have ended: results are others then.
    pub ended: u64,
}

/// Flags of `run` with which nothing comes of a task.
const IDLE: [&str; 5] = ["--dry-run", "--graph", "--watch", "--help", "-h"];

impl Runs {
    /// Notes that a command begins, if it runs tasks.
    pub fn begin(&mut self, id: u64, words: &[String]) {
        let [first, rest @ ..] = words else { return };
        let rest: Vec<&str> = rest.iter().map(String::as_str).take_while(|word| *word != "--").collect();
        let is_idle = |word: &&str| IDLE.contains(&word.split('=').next().unwrap_or(word));
        if first != "run" || rest.iter().any(is_idle) {
            return;
        }
        let names = rest.into_iter().filter(|word| !word.starts_with('-'));
        self.runs.extend(names.map(|name| (name.to_owned(), Run { id, end: None })));
    }

    /// Takes in what a command writes: of each task that it runs, how that ended. What tasks write themselves may look
    /// like that, so `is_task` says what is the name of one.
    pub fn hear(&mut self, id: u64, lines: &[String], is_task: impl Fn(&str) -> bool) {
        if !self.runs.values().any(|run| run.id == id) {
            return;
        }
        for (name, end) in lines.iter().filter_map(|line| ending(line)) {
            // It may have been asked for by a longer name.
            let is_same = |known: &&String| *known == name || known.rsplit(':').next() == Some(name);
            let known = self.runs.iter().filter(|(_, run)| run.id == id).map(|(known, _)| known).find(is_same);
            let other = || is_task(name).then(|| name.to_owned());
            let Some(name) = known.cloned().or_else(other) else { continue };
            self.kept.remove(&name);
            self.runs.insert(name, Run { id, end: Some((end, None)) });
        }
    }

    /// Notes how a command ended: with this code, or because somebody ended it.
    pub fn end(&mut self, id: u64, code: Option<i32>) {
        let end = match code {
            Some(0) => End::Done,
            Some(_) => End::Failed,
            None => End::Ended,
        };
        self.ended += u64::from(self.runs.values().any(|run| run.id == id));
        let is_open = |run: &Run| run.id == id && run.end.is_none();
        let open = self.runs.values().filter(|run| is_open(run)).count();
        // Of several nobody knows which one failed.
        self.runs.retain(|_, run| !is_open(run) || open == 1 || end == End::Done);
        for (name, run) in self.runs.iter_mut().filter(|(_, run)| is_open(run)) {
            run.end = Some((end, None));
            // What was known of its result is of the time before.
            self.kept.remove(name);
        }
    }

    /// Notes when what has ended was seen to.
    pub fn stamp(&mut self, now: Timestamp) {
        for (_, at) in self.runs.values_mut().filter_map(|run| run.end.as_mut()) {
            at.get_or_insert(now);
        }
    }

    /// Takes in what is known of results.
    pub fn know(&mut self, kept: Vec<(String, Kept)>) {
        self.kept = kept.into_iter().collect();
    }
}

/// Of which task a line of a run tells how it ended: `build | done in 2.1s`, and of a single one that was not run
/// `build: from an earlier run, which took 2.1s`.
fn ending(line: &str) -> Option<(&str, End)> {
    if let Some((name, _)) = line.split_once(": ").filter(|(_, word)| word.starts_with(EARLIER)) {
        return Some((name, End::Kept));
    }
    let (name, word) = line.split_once(" | ")?;
    let ends = [
        (DONE, End::Done),
        (EARLIER, End::Kept),
        (FAILED, End::Failed),
        (STOPPED, End::Ended),
        (SKIPPED, End::Skipped),
    ];
    let (_, end) = ends.into_iter().find(|(lead, _)| word.starts_with(lead))?;
    Some((name.trim_end(), end))
}

/// What came of a task, in words. When it was is a time of the clock, as lines have theirs: an age would have to be drawn
/// again while nothing happens.
pub fn told(app: &App, task: &Task) -> (String, Style) {
    let theme = app.theme;
    let plain = |word: &str, style: Style| (word.to_owned(), style);
    let own = app.tasks.runs.runs.get(&task.id).or_else(|| app.tasks.runs.runs.get(&task.name));
    let kept = app.tasks.runs.kept.get(&task.id);
    let state = state(app, task);
    let is_running = matches!(state, Some(State::Setup | State::Starting | State::Running | State::Ready));
    match own {
        _ if is_running => return plain("running", theme.level("warn")),
        Some(Run { end: None, .. }) => return plain("running", theme.level("warn")),
        Some(Run { end: Some((end, at)), .. }) => {
            let is_old = matches!(end, End::Done | End::Kept) && kept == Some(&Kept::Changed);
            let (word, style) = match end {
                _ if is_old => return plain("changed since", theme.level("warn")),
                End::Kept => return plain("kept", theme.good()),
                End::Skipped => return plain("not run", theme.faint()),
                End::Done => ("done", theme.good()),
                End::Failed => ("failed", theme.bad()),
                End::Ended => ("ended", theme.level("warn")),
            };
            let at = at.map(|at| app.local(at).strftime(" %H:%M:%S").to_string()).unwrap_or_default();
            return (format!("{word}{at}"), style);
        }
        None => {}
    }
    match (state, kept) {
        (Some(State::Failed), _) => plain("failed", theme.bad()),
        (_, Some(Kept::There)) => plain("kept", theme.good()),
        (_, Some(Kept::Changed)) => plain("changed since", theme.level("warn")),
        (Some(State::Completed), _) => plain("done", theme.good()),
        _ => plain("not run here", theme.faint()),
    }
}

/// Where the engine is with it: it runs those that services need, and tells of those that need services.
fn state(app: &App, task: &Task) -> Option<State> {
    let is_own = task.runner == OWN && task.project == ".";
    let row = app.services.iter().find(|row| is_own && row.name == task.name && row.is_task())?;
    Some(row.state)
}
