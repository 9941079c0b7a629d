//! What commands and tasks write that were started from here, and how they ended. Several may run at a time; one is shown.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use regex::Regex;

use super::app::App;
use super::draw::beyond;
use super::text::{clean, fit, wrap_words};

/// Lines that are kept of each.
const KEPT: usize = 10_000;
/// Commands that are kept when they have ended.
const ENDED: usize = 20;

/// How far a command is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    #[default]
    Running,
    /// With this code; none where somebody or a signal ended it.
    Ended(Option<i32>),
}

/// A command and what it has written.
#[derive(Debug, Default)]
pub struct Output {
    /// A number of its own, from 1.
    pub id: u64,
    pub words: Vec<String>,
    pub(super) lines: Vec<String>,
    pub progress: Progress,
    /// The last line that is shown; the end, where none.
    bottom: Option<usize>,
}

/// All that were started from here, the newest last.
#[derive(Debug, Default)]
pub struct Outputs {
    all: Vec<Output>,
    /// The number of the one that is shown.
    shown: u64,
    newest: u64,
    pub search: Option<Regex>,
}

impl Outputs {
    /// Has room for another command; its number.
    pub fn begin(&mut self, words: &[String], is_shown: bool) -> u64 {
        let ended = self.all.iter().filter(|it| !it.is_running()).count();
        // What is shown may be read.
        let is_old = |it: &Output| !it.is_running() && (is_shown || it.id != self.shown);
        if ended >= ENDED
            && let Some(oldest) = self.all.iter().position(is_old)
        {
            self.all.remove(oldest);
        }
        self.newest += 1;
        self.all.push(Output { id: self.newest, words: words.to_vec(), ..Output::default() });
        if is_shown {
            self.show(self.newest);
        }
        self.newest
    }

    /// Shows one of them.
    pub fn show(&mut self, id: u64) {
        self.shown = id;
        self.search = None;
    }

    /// The one that is shown.
    pub fn shown(&self) -> Option<&Output> {
        self.all.iter().find(|it| it.id == self.shown)
    }

    fn shown_mut(&mut self) -> Option<&mut Output> {
        self.all.iter_mut().find(|it| it.id == self.shown)
    }

    /// The one of a number.
    pub fn of(&self, id: u64) -> Option<&Output> {
        self.all.iter().find(|it| it.id == id)
    }

    /// The newest one that fits.
    pub fn last_of(&self, fits: impl Fn(&Output) -> bool) -> Option<&Output> {
        self.all.iter().rev().find(|it| fits(it))
    }

    /// The number of the one that was begun before the one that is shown; of the newest, before the first.
    pub fn before(&self) -> Option<u64> {
        let here = self.all.iter().position(|it| it.id == self.shown).unwrap_or(0);
        here.checked_sub(1).and_then(|at| self.all.get(at)).or(self.all.last()).map(|it| it.id)
    }

    /// The commands that go on, as they were typed.
    pub fn running(&self) -> impl Iterator<Item = String> {
        self.all.iter().filter(|it| it.is_running()).map(|it| it.words.join(" "))
    }

    /// Whether one of them goes on.
    pub fn is_any_running(&self) -> bool {
        self.all.iter().any(Output::is_running)
    }

    /// Takes in lines.
    pub fn add(&mut self, id: u64, lines: &[String]) {
        if let Some(output) = self.all.iter_mut().find(|it| it.id == id) {
            output.add(lines);
        }
    }

    /// Takes in that one has ended.
    pub fn end(&mut self, id: u64, code: Option<i32>) {
        if let Some(output) = self.all.iter_mut().find(|it| it.id == id) {
            output.progress = Progress::Ended(code);
        }
    }

    /// Moves in the one that is shown.
    pub fn go(&mut self, by: isize, page: usize) {
        if let Some(output) = self.shown_mut() {
            output.go(by, page);
        }
    }

    /// Searches in the one that is shown, from its end.
    pub fn search_for(&mut self, search: Option<Regex>) {
        self.search = search;
        self.find(false, true);
    }

    /// Goes to the next line that matches, or to the one before; `here` counts too where `from_here` says so. False where
    /// there is none.
    pub fn find(&mut self, forward: bool, from_here: bool) -> bool {
        let Some(search) = self.search.clone() else { return false };
        self.shown_mut().is_some_and(|output| output.find(&search, forward, from_here))
    }

    /// How many lines match.
    pub fn matches(&self) -> usize {
        let Some((search, output)) = self.search.as_ref().zip(self.shown()) else { return 0 };
        output.lines.iter().filter(|line| search.is_match(line)).count()
    }
}

impl Output {
    /// The words as they were typed.
    pub fn title(&self) -> String {
        self.words.join(" ")
    }

    /// Whether it goes on.
    pub fn is_running(&self) -> bool {
        self.progress == Progress::Running
    }

    /// Whether it runs this task.
    pub fn is_run_of(&self, task: &str) -> bool {
        matches!(self.words.as_slice(), [run, rest @ ..] if run == "run" && rest.iter().any(|word| word == task))
    }

    fn add(&mut self, lines: &[String]) {
        self.lines.extend(lines.iter().map(|line| clean(line)));
        let excess = self.lines.len().saturating_sub(KEPT);
        self.lines.drain(..excess);
        self.bottom = self.bottom.map(|bottom| bottom.saturating_sub(excess));
    }

    fn last_shown(&self) -> usize {
        self.bottom.unwrap_or(self.lines.len().saturating_sub(1))
    }

    /// Moves by lines; at the end it follows.
    fn go(&mut self, by: isize, page: usize) {
        let last = self.lines.len().saturating_sub(1);
        self.stay_at(self.last_shown().saturating_add_signed(by).max(page.saturating_sub(1).min(last)));
    }

    fn stay_at(&mut self, place: usize) {
        self.bottom = (place + 1 < self.lines.len()).then_some(place);
    }

    fn find(&mut self, search: &Regex, forward: bool, from_here: bool) -> bool {
        let here = self.last_shown().min(self.lines.len().saturating_sub(1));
        let matches = |place: &usize| self.lines.get(*place).is_some_and(|line| search.is_match(line));
        let found = match (forward, from_here) {
            (true, _) => (here + 1..self.lines.len()).find(matches),
            // Where none comes before, the first one that follows.
            (false, true) => {
                let before = (0..(here + 1).min(self.lines.len())).rev().find(matches);
                before.or_else(|| (here + 1..self.lines.len()).find(matches))
            }
            (false, false) => (0..here).rev().find(matches),
        };
        if let Some(place) = found {
            self.stay_at(place);
        }
        found.is_some()
    }

    /// Everything.
    pub fn all(&self) -> String {
        self.lines.join("\n")
    }

    /// What was written last, for whoever sees no more of it than a line.
    pub fn last(&self) -> Option<&str> {
        self.lines.iter().rev().find(|line| !line.trim().is_empty()).map(String::as_str)
    }

    /// The last lines up to where one is, in rows of a width, and which lines are seen.
    fn rows(&self, width: usize, height: usize) -> (Vec<String>, Range<usize>) {
        let end = (self.last_shown() + 1).min(self.lines.len());
        let (mut rows, mut from) = (Vec::new(), end);
        while from > 0 && rows.len() < height {
            from -= 1;
            rows.extend(wrap_words(&self.lines[from], width).into_iter().rev());
        }
        rows.truncate(height);
        rows.reverse();
        (rows, from..end)
    }
}

/// Paints the one that is shown.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered();
    let inner = block.inner(area);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height).max(1));
    app.page = height;
    let Some(output) = app.outputs.shown() else {
        let text = Span::styled("nothing was run from here yet", app.theme.faint());
        return frame.render_widget(Paragraph::new(text).block(block), area);
    };
    let (word, style) = match output.progress {
        Progress::Running => ("running".to_owned(), app.theme.level("warn")),
        Progress::Ended(Some(0)) => ("done".to_owned(), app.theme.good()),
        Progress::Ended(Some(code)) => (format!("failed with {code}"), app.theme.bad()),
        Progress::Ended(None) => ("ended".to_owned(), app.theme.level("warn")),
    };
    let (rows, seen) = output.rows(width, height);
    let count = output.lines.len();
    let mut notes = Vec::new();
    if let Some(search) = &app.outputs.search {
        notes.push(format!(" /{}: {} ", fit(search.as_str(), 20), app.outputs.matches()));
    }
    if seen.len() < count {
        notes.push(format!(" line {} of {count} ", seen.end));
    }
    let mut right: Vec<Span<'_>> = notes.into_iter().map(|note| Span::styled(note, app.theme.faint())).collect();
    right.push(Span::styled(format!(" {word} "), style));
    let used: usize = right.iter().map(Span::width).sum();
    let title = fit(&output.title(), usize::from(area.width).saturating_sub(used + 6).max(8));
    let block = block
        .title(Span::styled(format!(" {title} "), app.theme.title()))
        .title(Line::from(right).right_aligned())
        .title_bottom(beyond(app, &seen, count));
    let lines: Vec<Line<'_>> = rows.into_iter().map(|row| marked(app, row)).collect();
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// A row with what was searched for.
fn marked(app: &App, row: String) -> Line<'static> {
    let Some(search) = &app.outputs.search else { return Line::from(row) };
    let (mut spans, mut from) = (Vec::new(), 0);
    for found in search.find_iter(&row).filter(|found| !found.is_empty()) {
        spans.push(Span::styled(row[from..found.start()].to_owned(), Style::new()));
        spans.push(Span::styled(found.as_str().to_owned(), app.theme.found()));
        from = found.end();
    }
    spans.push(Span::raw(row[from..].to_owned()));
    Line::from(spans)
}
