//! What a command or a task writes, and how it ended.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::app::App;
use super::text::{clean, fit, wrap_words};

/// Lines that are kept.
const KEPT: usize = 10_000;

/// How far a command is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    #[default]
    Running,
    /// With this code; none where a signal ended it.
    Ended(Option<i32>),
}

/// The page.
#[derive(Debug, Default)]
pub struct Output {
    /// The words.
    pub title: String,
    lines: Vec<String>,
    pub progress: Progress,
    /// The last line that is shown; the end, where none.
    bottom: Option<usize>,
}

impl Output {
    /// For another command.
    pub fn new(words: &[String]) -> Self {
        Self { title: words.join(" "), ..Self::default() }
    }

    /// Whether it goes on.
    pub fn is_running(&self) -> bool {
        self.progress == Progress::Running && !self.title.is_empty()
    }

    /// Takes in lines.
    pub fn add(&mut self, lines: Vec<String>) {
        self.lines.extend(lines.iter().map(|line| clean(line)));
        let excess = self.lines.len().saturating_sub(KEPT);
        self.lines.drain(..excess);
        self.bottom = self.bottom.map(|bottom| bottom.saturating_sub(excess));
    }

    /// Moves by lines; at the end it follows.
    pub fn go(&mut self, by: isize, page: usize) {
        let last = self.lines.len().saturating_sub(1);
        let to = self.bottom.unwrap_or(last).saturating_add_signed(by).max(page.saturating_sub(1).min(last));
        self.bottom = (to < last).then_some(to);
    }

    /// Everything.
    pub fn all(&self) -> String {
        self.lines.join("\n")
    }

    /// What was written last, for whoever sees no more of it than a line.
    pub fn last(&self) -> Option<&str> {
        self.lines.iter().rev().find(|line| !line.trim().is_empty()).map(String::as_str)
    }
}

/// Paints it.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let output = &app.output;
    let (word, style) = match output.progress {
        Progress::Running => ("running", app.theme.level("warn")),
        Progress::Ended(Some(0)) => ("done", app.theme.good()),
        Progress::Ended(_) => ("failed", app.theme.bad()),
    };
    let code = match output.progress {
        Progress::Ended(Some(code)) if code != 0 => format!(" with {code}"),
        _ => String::new(),
    };
    let title = fit(&output.title, usize::from(area.width).saturating_sub(24));
    let block = Block::bordered()
        .title(Span::styled(format!(" {title} "), app.theme.title()))
        .title(Line::from(Span::styled(format!(" {word}{code} "), style)).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height).max(1));
    let end = output.bottom.map_or(output.lines.len(), |bottom| bottom + 1).min(output.lines.len());
    let mut rows: Vec<Line<'_>> = Vec::new();
    for line in output.lines[..end].iter().rev() {
        rows.extend(wrap_words(line, width).into_iter().rev().map(Line::from));
        if rows.len() >= height {
            break;
        }
    }
    rows.truncate(height);
    rows.reverse();
    frame.render_widget(Paragraph::new(rows), inner);
    app.page = height;
}
