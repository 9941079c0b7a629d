//! The lines of services: following, scrolling, searching.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::ops::Range;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Block, Paragraph};
use regex::{Regex, RegexBuilder};

use super::app::{App, Pane};
use super::draw::{border, unknown};
use super::lines::rows_of;
use super::mark::Mark;
use super::message::message;
use super::mouse::Spot;
use super::sgr::painted;
use super::text::fit;
use crate::telemetry::logs::Line;
use crate::view::level;

/// Lines that are kept for scrolling back; all of them are on disk.
const KEPT: usize = 10_000;
/// Lines that are seen behind a time that one comes for.
const BEHIND: usize = 8;

/// A line, made fit for the screen when it is first looked at: most never are.
#[derive(Debug)]
pub struct Entry {
    pub(super) service: String,
    pub(super) line: Line,
    shown: OnceCell<Shown>,
}

/// A line as it is shown.
#[derive(Debug)]
pub struct Shown {
    pub(super) text: String,
    /// What of it has its own colours.
    pub(super) colors: Vec<(Range<usize>, Style)>,
    pub(super) level: Option<String>,
}

impl Entry {
    pub(super) fn shown(&self) -> &Shown {
        self.shown.get_or_init(|| {
            let (text, colors) = painted(&self.line.text);
            Shown { level: level(&text), text, colors }
        })
    }

    /// Whether it comes from where another comes from.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let from = |it: &Self| (it.line.instance, it.line.stream);
        self.service == other.service && from(self) == from(other)
    }

    /// Whether the next one from there is the rest of its line.
    pub(super) fn continues(&self) -> bool {
        self.line.continues
    }

    pub(super) fn text(&self) -> &str {
        &self.shown().text
    }
}

/// The pane.
#[derive(Debug, Default)]
pub struct Logs {
    /// Whose lines they are.
    pub of: Vec<String>,
    /// From about then on, where one came for a time: the end, where not.
    pub from: Option<Timestamp>,
    /// The request that one came for.
    pub(super) mark: Option<Mark>,
    /// The time that is to be seen, as long as nothing of then has come.
    sought: Option<Timestamp>,
    /// What is there already was read.
    is_read: bool,
    /// Newer ones had no room beside those that one came for: the end has to be read anew.
    is_cut: bool,
    lines: VecDeque<Entry>,
    /// The last line on the screen, counted from the first that is kept; `None` follows what comes.
    bottom: Option<usize>,
    pub wrap: bool,
    pub without_times: bool,
    /// JSON in many lines.
    pub pretty: bool,
    pub search: Option<Regex>,
    /// Only lines that match are shown.
    pub filter: Option<Regex>,
    /// Only lines of this level or worse: a place in `LEVELS`.
    least: usize,
}

/// Levels, from harmless to bad. At 0 lines without one are shown too.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

impl Logs {
    /// Shows others from now on.
    pub fn switch(&mut self, of: Vec<String>) {
        self.of = of;
        (self.from, self.sought, self.mark) = (None, None, None);
        (self.is_read, self.is_cut) = (false, false);
        self.lines.clear();
        self.bottom = None;
    }

    /// Shows others, at the time of a request.
    pub fn switch_to(&mut self, of: Vec<String>, mut mark: Mark) {
        let time = mark.from;
        if (self.of.as_slice(), self.from) != (of.as_slice(), Some(time)) {
            self.switch(of);
            self.from = Some(time);
        }
        self.sought = Some(time);
        self.lines.iter().for_each(|entry| mark.read(&entry.line.text));
        self.mark = Some(mark);
        self.seek();
    }

    /// Goes to the time that is to be seen, once something of then is there.
    fn seek(&mut self) {
        let found = self.sought.and_then(|time| self.lines.iter().position(|entry| entry.line.time >= time));
        if let Some(place) = found {
            self.sought = None;
            self.stay_at(place + BEHIND);
        }
    }

    /// Takes in lines, unless others were asked for meanwhile.
    pub fn take(&mut self, from: Option<Timestamp>, of: &[String], lines: Vec<(String, Line)>) {
        if (of, from) == (self.of.as_slice(), self.from) {
            self.add(lines);
        }
    }

    /// Takes in lines; the view stays where it is unless it follows.
    fn add(&mut self, lines: Vec<(String, Line)>) {
        for (service, line) in lines {
            if self.lines.len() == KEPT {
                // What one came for is not to make room.
                if self.from.is_some() && self.sought.is_none() && self.bottom.is_some() {
                    self.is_cut = true;
                    break;
                }
                self.lines.pop_front();
                self.bottom = self.bottom.map(|bottom| bottom.saturating_sub(1));
            }
            self.mark.iter_mut().for_each(|mark| mark.read(&line.text));
            self.lines.push_back(Entry { service, line, shown: OnceCell::new() });
        }
        self.is_read = true;
        self.seek();
    }

    /// Shows this line as the last one; at the end it follows.
    fn stay_at(&mut self, place: usize) {
        match place + 1 < self.lines.len() {
            true => self.bottom = Some(place),
            false => self.go_to_end(),
        }
    }

    fn go_to_end(&mut self) {
        self.bottom = None;
        if self.is_cut {
            self.switch(self.of.clone());
        }
    }

    fn is_shown(&self, entry: &Entry) -> bool {
        let is_level = |level: &String| LEVELS.iter().position(|it| it == level).is_some_and(|at| at >= self.least);
        (self.least == 0 || entry.shown().level.as_ref().is_some_and(is_level))
            && self.filter.as_ref().is_none_or(|filter| {
                filter.is_match(entry.text()) || (self.of.len() > 1 && filter.is_match(&entry.service))
            })
    }

    /// Ends the search, else shows all lines again; false where neither was to be done.
    pub fn unwind(&mut self) -> bool {
        if self.search.take().is_some() {
            return true;
        }
        let least = std::mem::replace(&mut self.least, 0);
        self.filter.take().is_some() || least > 0
    }

    /// Shows only lines that match.
    pub fn keep(&mut self, pattern: &str) {
        self.filter = matcher(pattern);
    }

    /// All lines, then warnings and worse, then errors; the word for what is shown.
    pub fn next_level(&mut self) -> &'static str {
        let (least, word) = match self.least {
            0 => (3, "warnings and errors"),
            3 => (4, "errors"),
            _ => (0, "all"),
        };
        self.least = least;
        word
    }

    /// The message of the last line on the screen, whole.
    pub fn selected(&self) -> Option<String> {
        let end = (self.last() + 1).min(self.lines.len());
        let place = (0..end).rev().find(|place| self.lines.get(*place).is_some_and(|it| self.is_shown(it)))?;
        Some(message(&self.lines, place))
    }

    /// The place of the last line on the screen.
    fn last(&self) -> usize {
        self.bottom.unwrap_or(self.lines.len().saturating_sub(1))
    }

    /// Moves by lines; reaching the end follows again.
    pub fn scroll(&mut self, by: isize) {
        self.sought = None;
        let end = self.lines.len().saturating_sub(1);
        let here = self.last();
        let steps = by.unsigned_abs();
        // Lines that are not shown are no steps.
        let is_shown = |place: &usize| self.lines.get(*place).is_some_and(|entry| self.is_shown(entry));
        let place = match by < 0 {
            true => (0..here.min(self.lines.len())).rev().filter(is_shown).take(steps).last().unwrap_or(here),
            false => (here + 1..self.lines.len()).filter(is_shown).take(steps).last().unwrap_or(end),
        };
        self.stay_at(place);
    }

    /// To the beginning.
    pub fn top(&mut self, height: usize) {
        self.sought = None;
        self.stay_at(height.saturating_sub(1));
    }

    /// To the end, following.
    pub fn follow(&mut self) {
        self.sought = None;
        self.go_to_end();
    }

    /// Stays here, or follows again.
    pub fn toggle_follow(&mut self) {
        match self.bottom {
            Some(_) => self.follow(),
            None => self.bottom = Some(self.last()),
        }
    }

    /// Searches for a regular expression, or for the text as it is where it is none. Capitals matter where some are
    /// written.
    pub fn search_for(&mut self, pattern: &str) {
        self.search = matcher(pattern);
        self.find(false, true);
    }

    /// Goes to the nearest match before or after the present place; `here` counts too where `from_here` says so.
    /// False where there is none.
    pub fn find(&mut self, forward: bool, from_here: bool) -> bool {
        let Some(search) = &self.search else { return false };
        let here = self.last();
        let is_match = |entry: &Entry| search.is_match(entry.text()) && self.is_shown(entry);
        let matches = |place: &usize| self.lines.get(*place).is_some_and(is_match);
        let found = match (forward, from_here) {
            (true, _) => (here + 1..self.lines.len()).find(matches),
            // Where none comes before, the first one that follows.
            (false, true) => {
                let before = (0..(here + 1).min(self.lines.len())).rev().find(matches);
                before.or_else(|| (here + 1..self.lines.len()).find(matches))
            }
            (false, false) => (0..here.min(self.lines.len())).rev().find(matches),
        };
        if let Some(place) = found {
            self.bottom = Some(place);
        }
        found.is_some()
    }

    /// How many of the kept lines match.
    pub fn matches(&self) -> usize {
        let Some(search) = &self.search else { return 0 };
        self.lines.iter().filter(|entry| search.is_match(entry.text()) && self.is_shown(entry)).count()
    }
}

/// A regular expression as somebody types it: none where nothing is typed, the text itself where it is none. Capitals
/// matter where some are written.
pub fn matcher(pattern: &str) -> Option<Regex> {
    if pattern.is_empty() {
        return None;
    }
    let sensitive = pattern.chars().any(char::is_uppercase);
    let build = |text: &str| RegexBuilder::new(text).case_insensitive(!sensitive).build();
    build(pattern).or_else(|_| build(&regex::escape(pattern))).ok()
}

/// Paints the pane; a page is its height.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let mut notes = Vec::new();
    notes.extend(app.logs.mark.as_ref().map(|mark| mark.word().to_owned()));
    if app.logs.bottom.is_some() {
        notes.push(format!("line {} of {}", app.logs.last() + 1, app.logs.lines.len()));
    }
    if app.logs.least > 0 {
        notes.push(format!("{} and worse", LEVELS[app.logs.least]));
    }
    if let Some(filter) = &app.logs.filter {
        notes.push(format!("only {}", filter.as_str()));
    }
    if let Some(search) = &app.logs.search {
        notes.push(format!("/{}: {}", search.as_str(), app.logs.matches()));
    }
    let notes = notes.into_iter().map(|note| Span::styled(format!(" {note} "), app.theme.faint()));
    let block = Block::bordered()
        .title(Row::from(title(app)))
        .title(Row::from_iter(notes).right_aligned())
        .border_style(border(app, app.in_logs()));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    app.page = usize::from(inner.height.max(1));
    app.spots.add([(area, Spot::Pane(Pane::Logs))]);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    // From the last line upwards until the pane is full.
    let mut rows: Vec<Row<'_>> = Vec::new();
    let end = (app.logs.last() + 1).min(app.logs.lines.len());
    for entry in app.logs.lines.range(..end).rev().filter(|entry| app.logs.is_shown(entry)) {
        let mut drawn = rows_of(app, entry, width);
        drawn.reverse();
        rows.append(&mut drawn);
        if rows.len() >= height {
            break;
        }
    }
    rows.truncate(height);
    rows.reverse();
    if rows.is_empty() {
        let text = match app.logs.lines.is_empty() {
            true if app.shape == 0 || !(app.logs.is_read || app.logs.of.is_empty()) => unknown(app, "reading"),
            true => "nothing written yet",
            false => "no such lines; Esc shows all",
        };
        rows.push(Row::from(Span::styled(text, app.theme.faint())));
    }
    frame.render_widget(Paragraph::new(rows), inner);
}

/// Whose lines they are, and what is wrong with it: the table has seldom room for all of that.
fn title(app: &App) -> Vec<Span<'static>> {
    let [name] = app.logs.of.as_slice() else {
        let who = if app.logs.of.len() == app.groups().len() { "all".to_owned() } else { app.logs.of.join(", ") };
        return vec![Span::styled(format!(" {} ", fit(&who, 40)), app.theme.title())];
    };
    let reason = app.group(name).and_then(|group| group.wrong()).map(|wrong| format!("{wrong} ")).unwrap_or_default();
    vec![Span::styled(format!(" {name} "), app.theme.title()), Span::styled(reason, app.theme.bad())]
}
