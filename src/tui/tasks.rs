//! All tasks, of the manifest and of every runner in the workspace: found by a few letters, run, and what they wrote.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use serde::Deserialize;

use super::app::App;
use super::draw::{beyond, window};
use super::fuzzy;
use super::mouse::{Spot, row_of};
use super::outcome::{Runs, told};
use super::text::{cell, clean, wrap_words};

/// A task as `nagaya tasks --json` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Task {
    pub id: String,
    pub name: String,
    pub project: String,
    pub runner: String,
    pub description: Option<String>,
    pub command: Option<String>,
    /// The words that run it: none where nothing on this machine does.
    pub invoke: Option<Vec<String>>,
    pub private: bool,
    /// Its result is kept, by what it depends on.
    #[serde(default)]
    pub keeps: bool,
}

/// Cells for what came of a task: `failed 21:14:03`.
const OUTCOME: usize = 15;

/// The page.
#[derive(Debug, Default)]
pub struct Tasks {
    pub told: Option<Result<Vec<Task>, String>>,
    /// Letters that the names of those that are shown have, in this order.
    pub filter: String,
    selected: usize,
    pub runs: Runs,
}

impl Tasks {
    /// Those that are shown, the best match first.
    fn shown(&self) -> Vec<&Task> {
        let Some(Ok(all)) = &self.told else { return Vec::new() };
        let is_usual = |task: &&Task| !task.private && task.invoke.is_some();
        let name = |task: &Task| format!("{} {} {}", task.name, task.project, task.runner);
        fuzzy::best(&self.filter, all.iter().filter(is_usual), |task| name(task))
    }

    /// The place of the selected one.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Moves; before the list is there too, so that a key that comes early means the task that it will mean then.
    pub fn go(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by);
        if self.told.is_some() {
            self.selected = self.selected.min(self.shown().len().saturating_sub(1));
        }
    }

    /// Takes in the list.
    pub fn tell(&mut self, told: Result<Vec<Task>, String>) {
        self.told = Some(told);
        self.go(0);
    }

    /// Shows those that have these letters.
    pub fn keep(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        self.selected = 0;
    }

    /// Takes in what a command writes that may run some of them.
    pub fn hear(&mut self, id: u64, lines: &[String]) {
        let all = self.told.iter().flatten().flatten();
        self.runs.hear(id, lines, |name| all.clone().any(|task| task.id == name || task.name == name));
    }

    /// Those of which a result may be kept.
    pub fn keeping(&self) -> Vec<String> {
        let Some(Ok(all)) = &self.told else { return Vec::new() };
        all.iter().filter(|task| task.keeps).map(|task| task.id.clone()).collect()
    }

    /// The full name of the selected one.
    pub fn open(&self) -> Option<String> {
        self.shown().get(self.selected).map(|task| task.id.clone())
    }
}

/// Paints the list.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let shown = app.tasks.shown();
    let note = match app.tasks.filter.as_str() {
        "" => format!(" {} ", shown.len()),
        filter => format!(" /{filter}: {} ", shown.len()),
    };
    let height = usize::from(area.height).saturating_sub(3).max(1);
    let at = app.tasks.selected.min(shown.len().saturating_sub(1));
    let seen = window(at, shown.len(), height);
    let block = Block::bordered()
        .title(Span::styled(" tasks ", app.theme.title()))
        .title(Line::from(Span::styled(note, app.theme.faint())).right_aligned())
        .title_bottom(beyond(app, &seen, shown.len()));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let empty = match &app.tasks.told {
        None => Some("looking for tasks".to_owned()),
        Some(Err(error)) => Some(error.clone()),
        Some(Ok(_)) if shown.is_empty() && app.tasks.filter.is_empty() => Some("no task was found".to_owned()),
        Some(Ok(_)) if shown.is_empty() => Some("no task has these letters; Esc shows all".to_owned()),
        Some(Ok(_)) => None,
    };
    if let Some(text) = empty {
        app.page = height;
        let rows = wrap_words(&clean(&text), usize::from(inner.width));
        let lines: Vec<_> = rows.into_iter().map(|row| Line::styled(row, app.theme.faint())).collect();
        return frame.render_widget(Paragraph::new(lines), inner);
    }
    let width = usize::from(inner.width);
    let names = shown.iter().map(|task| task.name.chars().count()).max().unwrap_or(0).clamp(8, width / 3);
    let from = if width < 100 { 14 } else { 20 };
    let rest = width.saturating_sub(names + OUTCOME + from + 5);
    let head = format!("{:<names$}  {:<OUTCOME$}  {:<from$} {}", "TASK", "LAST RUN", "RUNNER", "WHAT IT DOES");
    let mut lines = vec![Line::styled(cell(&head, width, false), app.theme.faint())];
    let mut spots = Vec::new();
    for place in seen {
        let task = shown[place];
        let about = task.description.as_deref().or(task.command.as_deref()).unwrap_or("");
        let (outcome, style) = told(app, task);
        let runner = format!("{} {}", task.runner, task.project);
        let line = Line::from(vec![
            Span::raw(cell(&clean(&task.name), names, false) + "  "),
            Span::styled(cell(&outcome, OUTCOME, false) + "  ", style),
            Span::styled(cell(&runner, from, false) + " ", app.theme.faint()),
            Span::raw(cell(&clean(about.lines().next().unwrap_or("")), rest, false)),
        ]);
        spots.push((row_of(inner, lines.len()), Spot::Row(place)));
        lines.push(if place == at { line.style(app.theme.selected(true)) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inner);
    app.spots.add(spots);
    app.page = height;
}
