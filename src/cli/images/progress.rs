//! How far images are, shown as it goes on: at a terminal in one line that is drawn anew, elsewhere line by line.

use std::collections::VecDeque;

use anstyle::AnsiColor;

use crate::cli::output::{Output, dim, tint};

/// What happens with one image.
#[derive(Debug)]
pub enum Event {
    /// Its engine said this.
    Line(String),
    Ended(Outcome),
}

/// What became of an image.
#[derive(Debug)]
pub enum Outcome {
    Done { changed: bool },
    Failed(String),
}

/// Lines of a build that failed which are shown; `-v` shows all as they come.
const LAST: usize = 100;

/// All images that are being worked on.
pub struct Progress<'a> {
    items: Vec<Item>,
    output: &'a Output,
    /// Every line is shown.
    is_wordy: bool,
}

struct Item {
    name: String,
    lines: VecDeque<String>,
    /// Those that were there before the ones that are kept.
    gone: usize,
    outcome: Option<Outcome>,
}

impl<'a> Progress<'a> {
    /// For images by their names.
    pub fn new(names: Vec<String>, output: &'a Output) -> Self {
        let item = |name| Item { name, lines: VecDeque::new(), gone: 0, outcome: None };
        let is_wordy = output.verbose || !(output.is_live() || output.quiet || output.json);
        Self { items: names.into_iter().map(item).collect(), output, is_wordy }
    }

    /// Shows what happened.
    pub fn take(&mut self, place: usize, event: Event) {
        let (is_wordy, output) = (self.is_wordy, self.output);
        let Some(item) = self.items.get_mut(place) else { return };
        match event {
            Event::Line(line) => {
                if is_wordy {
                    self.say(&format!("{} {line}", dim(&format!("{} |", self.items[place].name))));
                } else {
                    item.keep(line);
                    self.draw();
                }
            }
            Event::Ended(outcome) => {
                let told = match &outcome {
                    Outcome::Done { changed: true } => tint("✓ done", AnsiColor::Green),
                    Outcome::Done { changed: false } => tint("✓ as it was", AnsiColor::Green),
                    Outcome::Failed(_) => tint("✗ failed", AnsiColor::Red),
                };
                let failed = matches!(outcome, Outcome::Failed(_)).then(|| item.shown());
                item.outcome = Some(outcome);
                let line = format!("  {}  {told}", item.name);
                if let Some(lines) = failed.filter(|_| !output.json) {
                    self.clear();
                    lines.iter().for_each(|line| output.tell(line));
                }
                self.say(&line);
                self.draw();
            }
        }
    }

    /// Whether nothing is to come any more.
    pub fn is_over(&self) -> bool {
        self.items.iter().all(|item| item.outcome.is_some())
    }

    /// What became of each.
    pub fn outcomes(self) -> Vec<Outcome> {
        let unknown = || Outcome::Failed("nobody knows what became of it".to_owned());
        self.items.into_iter().map(|item| item.outcome.unwrap_or_else(unknown)).collect()
    }

    fn say(&self, line: &str) {
        self.clear();
        if !self.output.json {
            self.output.say(line);
        }
    }

    fn clear(&self) {
        if self.output.is_live() && !self.is_wordy {
            self.output.status("");
        }
    }

    fn draw(&self) {
        if !self.output.is_live() || self.is_wordy {
            return;
        }
        let open = self.items.iter().filter(|item| item.outcome.is_none());
        let now = open.filter_map(|item| Some(format!("{}: {}", item.name, item.lines.back()?.trim())));
        self.output.status(&now.collect::<Vec<_>>().join(" · "));
    }
}

impl Item {
    fn keep(&mut self, line: String) {
        if self.lines.len() == LAST {
            self.lines.pop_front();
            self.gone += 1;
        }
        self.lines.push_back(line);
    }

    /// What it said, for whoever has not seen it.
    fn shown(&self) -> Vec<String> {
        let gone = (self.gone > 0).then(|| dim(&format!("… {} lines before these; `-v` shows all", self.gone)));
        let lines = self.lines.iter().map(|line| format!("{} {line}", dim(&format!("{} |", self.name))));
        gone.into_iter().chain(lines).collect()
    }
}
