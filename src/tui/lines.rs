//! One line of a log as rows: when, whose, and the text with its colours and what was searched for.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line as Row, Span};
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::logs::Entry;
use super::text::{cell, fit, wrap};
use crate::telemetry::logs::Stream;
use crate::view::label;

/// A longer name would push everything to the right.
const WIDEST: usize = 20;
/// Before lines where some are those that one came for.
const MARKED: &str = "▶ ";
const UNMARKED: &str = "  ";

/// One log line as the rows that it takes.
pub fn rows_of(app: &App, entry: &Entry, width: usize) -> Vec<Row<'static>> {
    let shown = entry.shown();
    let style = match &shown.level {
        Some(level) => app.theme.level(level),
        None if entry.line.stream == Stream::Err => app.theme.stderr(),
        None => Style::new(),
    };
    let with_times = width >= 60 && !app.logs.without_times;
    let mut lead =
        if with_times { format!("{} ", app.local(entry.line.time).strftime("%H:%M:%S%.3f")) } else { String::new() };
    if app.logs.of.len() > 1 {
        // With room for the number of an instance.
        let widest = app.logs.of.iter().map(|name| name.len() + 2).max().unwrap_or(0).min(WIDEST);
        lead.push_str(&cell(&label(&entry.service, entry.line.instance), widest, false));
        lead.push(' ');
    }
    // Before all else, so that it is found at a glance.
    let gutter =
        app.logs.mark.as_ref().map(|mark| if mark.has(entry.line.time, &entry.line.text) { MARKED } else { UNMARKED });
    let indent = lead.chars().count();
    let width = width.saturating_sub(gutter.map_or(0, UnicodeWidthStr::width));
    let room = width.saturating_sub(indent);
    let laid_out = app.logs.pretty.then(|| pretty(&shown.text)).flatten();
    let is_laid_out = laid_out.is_some();
    let texts = match laid_out {
        Some(lines) => lines.iter().map(|line| fit(line, room)).collect(),
        None if app.logs.wrap => wrap(&shown.text, room),
        None => vec![fit(&shown.text, room)],
    };
    let mut rows = Vec::with_capacity(texts.len());
    let colors: &[_] = if app.theme.colors && !is_laid_out { &shown.colors } else { &[] };
    let mut begun = 0;
    for (at, text) in texts.into_iter().enumerate() {
        let lead = if at == 0 { lead.clone() } else { " ".repeat(indent) };
        let gutter = gutter.map(|gutter| Span::styled(if at == 0 { gutter } else { UNMARKED }, app.theme.title()));
        let mut spans: Vec<_> = gutter.into_iter().chain([Span::styled(lead, app.theme.faint())]).collect();
        spans.extend(highlighted(app, &text, style, (colors, begun)));
        begun += text.len();
        rows.push(Row::from(spans));
    }
    rows
}

/// An object as JSON in many lines; other texts are left alone.
fn pretty(text: &str) -> Option<Vec<String>> {
    let value: serde_json::Value = serde_json::from_str(text.trim()).ok().filter(serde_json::Value::is_object)?;
    let laid_out = serde_json::to_string_pretty(&value).ok()?;
    Some(laid_out.lines().map(str::to_owned).collect())
}

/// A piece of a line in its own colours, with what was searched for; it begins at this byte of the line.
fn highlighted(
    app: &App,
    text: &str,
    style: Style,
    (colors, begun): (&[(Range<usize>, Style)], usize),
) -> Vec<Span<'static>> {
    let here = |range: &Range<usize>| {
        let place = |at: usize| at.saturating_sub(begun).min(text.len());
        place(range.start)..place(range.end)
    };
    let colors: Vec<_> = colors.iter().map(|(range, own)| (here(range), style.patch(*own))).collect();
    let found = app.logs.search.iter().flat_map(|search| search.find_iter(text)).map(|found| found.range());
    let parts: Vec<_> = found.map(|range| (range, app.theme.found())).chain(colors).collect();
    // Where anything begins or ends; what was searched for comes first, and so counts more.
    let mut cuts: Vec<usize> = parts.iter().flat_map(|(range, _)| [range.start, range.end]).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let style_at = |at: usize| parts.iter().find(|(range, _)| range.contains(&at)).map_or(style, |(_, style)| *style);
    cuts.windows(2).map(|cut| Span::styled(text[cut[0]..cut[1]].to_owned(), style_at(cut[0]))).collect()
}
