//! The lines of the selected service: following, scrolling, searching.

use std::collections::VecDeque;

use regex::{Regex, RegexBuilder};

use super::text::clean;
use crate::telemetry::logs::{Line, Stream};
use crate::view::level;

/// Lines that are kept for scrolling back; all of them are on disk.
const KEPT: usize = 5000;

/// A line as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `12:00:00.123`
    pub time: String,
    pub text: String,
    pub level: Option<String>,
    pub stderr: bool,
}

/// The pane.
#[derive(Debug, Default)]
pub struct Logs {
    pub service: Option<String>,
    pub lines: VecDeque<Shown>,
    /// The last line on the screen, counted from the first that is kept; `None` follows what comes.
    pub bottom: Option<usize>,
    pub wrap: bool,
    pub search: Option<Regex>,
    /// Lines that are gone from the beginning.
    pub dropped: u64,
}

impl Logs {
    /// Shows another service from now on.
    pub fn switch(&mut self, service: &str) {
        self.service = Some(service.to_owned());
        self.lines.clear();
        self.bottom = None;
        self.dropped = 0;
    }

    /// Takes in lines; the view stays where it is unless it follows.
    pub fn add(&mut self, lines: &[Line]) {
        for line in lines {
            if self.lines.len() == KEPT {
                self.lines.pop_front();
                self.dropped += 1;
                self.bottom = self.bottom.map(|bottom| bottom.saturating_sub(1));
            }
            let text = clean(&line.text);
            self.lines.push_back(Shown {
                time: line.time.strftime("%H:%M:%S%.3f").to_string(),
                level: level(&text),
                stderr: line.stream == Stream::Err,
                text,
            });
        }
    }

    /// The place of the last line on the screen.
    pub fn last(&self) -> usize {
        self.bottom.unwrap_or(self.lines.len().saturating_sub(1))
    }

    /// Moves by lines; reaching the end follows again.
    pub fn scroll(&mut self, by: isize) {
        let end = self.lines.len().saturating_sub(1);
        let place = self.last().saturating_add_signed(by);
        self.bottom = (place < end).then_some(place);
    }

    /// To the beginning.
    pub fn top(&mut self, height: usize) {
        let place = height.saturating_sub(1);
        self.bottom = (place < self.lines.len().saturating_sub(1)).then_some(place);
    }

    /// To the end, following.
    pub fn follow(&mut self) {
        self.bottom = None;
    }

    /// Stays here, or follows again.
    pub fn toggle_follow(&mut self) {
        self.bottom = match self.bottom {
            Some(_) => None,
            None => Some(self.last()),
        };
    }

    /// Searches for a regular expression, or for the text as it is where it is none. Capitals matter where some are
    /// written.
    pub fn search_for(&mut self, pattern: &str) {
        if pattern.is_empty() {
            self.search = None;
            return;
        }
        let sensitive = pattern.chars().any(char::is_uppercase);
        let build = |text: &str| RegexBuilder::new(text).case_insensitive(!sensitive).build();
        self.search = build(pattern).or_else(|_| build(&regex::escape(pattern))).ok();
        self.find(false, true);
    }

    /// Goes to the nearest match before or after the present place; `here` counts too where `from_here` says so.
    /// False where there is none.
    pub fn find(&mut self, forward: bool, from_here: bool) -> bool {
        let Some(search) = &self.search else { return false };
        let here = self.last();
        let matches = |place: &usize| self.lines.get(*place).is_some_and(|line| search.is_match(&line.text));
        let found = match (forward, from_here) {
            (true, _) => (here + 1..self.lines.len()).find(matches),
            (false, true) => (0..(here + 1).min(self.lines.len())).rev().find(matches),
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
        self.lines.iter().filter(|line| search.is_match(&line.text)).count()
    }
}
