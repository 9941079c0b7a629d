//! The requests that passed the proxy, the newest last, and one of them with all that came of it.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use regex::Regex;
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::draw::{beyond, window};
use super::logs::matcher;
use super::mark::Mark;
use super::mouse::{Spot, row_of};
use super::network::FRONT_DOOR;
use super::text::{cell, clean, fit, wrap_words};
use crate::view::{Bar, Request, millis, waterfall};

/// Requests that are kept.
const KEPT: usize = 5000;
/// Lines below a waterfall, about the selected request.
const DETAILS: u16 = 8;

/// The page.
#[derive(Debug, Default)]
pub struct Requests {
    list: VecDeque<Request>,
    /// The selected one; the newest, as they come, where none is.
    selected: Option<usize>,
    pub filter: Option<Regex>,
    /// The selected one of the waterfall.
    bar: usize,
}

impl Requests {
    /// Takes in new ones; the first come in the place of all.
    pub fn take(&mut self, first: bool, requests: Vec<Request>) {
        if first {
            self.list.clear();
            self.selected = None;
        }
        for request in requests {
            if self.list.len() == KEPT {
                self.list.pop_front();
                self.selected = self.selected.map(|place| place.saturating_sub(1));
            }
            self.list.push_back(request);
        }
    }

    /// Shows only those that match.
    pub fn keep(&mut self, pattern: &str) {
        self.filter = matcher(pattern);
    }

    /// The places of those that are shown.
    fn shown(&self) -> Vec<usize> {
        let is_shown = |request: &Request| self.filter.as_ref().is_none_or(|filter| filter.is_match(&words(request)));
        self.list.iter().enumerate().filter(|(_, request)| is_shown(request)).map(|(place, _)| place).collect()
    }

    /// Where the selection is among those that are shown.
    fn at(&self, shown: &[usize]) -> usize {
        let last = shown.len().saturating_sub(1);
        self.selected.map_or(last, |place| shown.partition_point(|it| *it < place).min(last))
    }

    /// The place of the selected one among those that are shown.
    pub fn place(&self) -> usize {
        self.at(&self.shown())
    }

    /// The place of the selected one in its trace.
    pub fn bar(&self) -> usize {
        self.bar
    }

    /// Moves; at the end the newest is selected as they come.
    pub fn go(&mut self, by: isize) {
        let shown = self.shown();
        let to = self.at(&shown).saturating_add_signed(by);
        self.selected = if to + 1 >= shown.len() { None } else { shown.get(to).copied() };
    }

    /// Stays here, or goes on with the newest.
    pub fn toggle_follow(&mut self) {
        let shown = self.shown();
        self.selected = match self.selected {
            Some(_) => None,
            None => shown.last().copied(),
        };
    }

    /// The trace of the selected one.
    pub fn open(&mut self) -> Option<String> {
        let shown = self.shown();
        let place = *shown.get(self.at(&shown))?;
        self.selected = Some(place);
        self.bar = 0;
        self.list.get(place).map(|request| request.trace_id.clone())
    }

    /// The id of the selected one.
    pub fn id(&self) -> Option<String> {
        let shown = self.shown();
        shown.get(self.at(&shown)).and_then(|place| self.list.get(*place)).map(|request| request.id.clone())
    }

    fn of(&self, trace: &str) -> Vec<&Request> {
        self.list.iter().filter(|request| request.trace_id == trace).collect()
    }

    /// Moves in the waterfall.
    pub fn go_in(&mut self, trace: &str, by: isize) {
        let last = self.of(trace).len().saturating_sub(1);
        self.bar = self.bar.saturating_add_signed(by).min(last);
    }

    /// How lines tell of the selected request of a waterfall.
    pub fn mark(&self, trace: &str) -> Option<Mark> {
        let requests = self.of(trace);
        let bar = waterfall(&requests).into_iter().nth(self.bar)?;
        let request = requests.get(bar.request)?;
        let took = Duration::try_from_secs_f64(request.duration_ms.max(0.0) / 1000.0).unwrap_or_default();
        Some(Mark::new([request.id.clone(), request.trace_id.clone()], request.time.parse().ok()?, took))
    }

    /// Whoever served the selected request of a waterfall, and the id that its log may have.
    pub fn served(&self, trace: &str) -> Option<(String, String)> {
        let requests = self.of(trace);
        let bar = waterfall(&requests).into_iter().nth(self.bar)?;
        let request = requests.get(bar.request)?;
        Some((request.to.clone(), request.id.clone()))
    }
}

/// What a filter looks at.
fn words(request: &Request) -> String {
    format!(
        "{} {} {} {} {} {} {} {} {}",
        request.from,
        to(request),
        status(request),
        request.method.as_deref().unwrap_or(""),
        request.path.as_deref().unwrap_or(""),
        request.protocol,
        request.id,
        request.trace_id,
        request.error.as_deref().unwrap_or("")
    )
}

fn to(request: &Request) -> String {
    let name = request.to_name.as_ref().unwrap_or(&request.to);
    request.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name} {version}"))
}

fn status(request: &Request) -> String {
    match (request.status, request.grpc_status) {
        (_, Some(0)) => "ok".to_owned(),
        (_, Some(code)) => format!("grpc {code}"),
        (Some(code), None) => code.to_string(),
        (None, None) => request.protocol.clone(),
    }
}

fn status_style(app: &App, request: &Request) -> Style {
    let is_bad = request.error.is_some()
        || request.grpc_status.is_some_and(|code| code != 0)
        || request.status.is_some_and(|code| code >= 500);
    match request.status {
        _ if is_bad => app.theme.bad(),
        Some(400..) => app.theme.level("warn"),
        Some(_) => app.theme.good(),
        None => Style::new(),
    }
}

/// What there is to say of it besides.
fn notes(request: &Request) -> String {
    let mut out = String::new();
    if request.declared == Some(false) {
        out.push_str("  undeclared");
    }
    if let Some(by) = &request.routed_by {
        out.push_str(&format!("  by {by}"));
    }
    if let Some(error) = &request.error {
        out.push_str(&format!("  {error}"));
    }
    out
}

fn what(request: &Request) -> String {
    let words = format!("{} {}", request.method.as_deref().unwrap_or(""), request.path.as_deref().unwrap_or(""));
    clean(words.trim())
}

/// Paints the list.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let shown = app.requests.shown();
    let at = app.requests.at(&shown);
    let height = usize::from(area.height).saturating_sub(3).max(1);
    let seen = window(at, shown.len(), height);
    let mut notes_at_top = Vec::new();
    if app.requests.selected.is_some() {
        notes_at_top.push(format!("{} of {}", app.requests.at(&shown) + 1, shown.len()));
    }
    if let Some(filter) = &app.requests.filter {
        notes_at_top.push(format!("/{}: {} of {}", filter.as_str(), shown.len(), app.requests.list.len()));
    }
    let notes_at_top = notes_at_top.into_iter().map(|note| Span::styled(format!(" {note} "), app.theme.faint()));
    let block = Block::bordered()
        .title(Span::styled(" requests ", app.theme.title()))
        .title(Line::from_iter(notes_at_top).right_aligned())
        .title_bottom(beyond(app, &seen, shown.len()));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    app.page = height;
    if shown.is_empty() {
        let text = match app.requests.list.is_empty() {
            true => "no request has passed the proxy yet",
            false => "no request matches; Esc shows all",
        };
        return frame.render_widget(Paragraph::new(Span::styled(text, app.theme.faint())), inner);
    }
    let width = usize::from(inner.width);
    let (from, to) = if width < 100 { (12, 14) } else { (20, 24) };
    let head = format!("{:<8} {:<from$}   {:<to$} {:<7} {:>6} {}", "TIME", "FROM", "TO", "STATUS", "TOOK", "REQUEST");
    let mut lines = vec![Line::styled(head, app.theme.faint())];
    for place in seen {
        let Some(request) = app.requests.list.get(shown[place]) else { continue };
        let line = row(app, request, from, to, width);
        app.spots.add([(row_of(inner, lines.len()), Spot::Row(place))]);
        lines.push(if place == at { line.style(app.theme.selected(true)) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn row(app: &App, request: &Request, from: usize, to: usize, width: usize) -> Line<'static> {
    let rest = width.saturating_sub(8 + from + to + 7 + 6 + 8);
    let (what, notes) = (what(request), notes(request));
    // Both have half of the room, and what the other does not need.
    let room = rest.saturating_sub(what.width()).max(rest / 2);
    let what = fit(&what, rest.saturating_sub(room.min(notes.width())));
    let notes = cell(&notes, rest.saturating_sub(what.width()), false);
    let style =
        if request.declared == Some(false) || request.error.is_some() { app.theme.bad() } else { app.theme.faint() };
    Line::from(vec![
        Span::styled(format!("{} ", request.time.get(11..19).unwrap_or("")), app.theme.faint()),
        Span::raw(cell(&request.from, from, false)),
        Span::styled(" → ", app.theme.faint()),
        Span::raw(cell(&self::to(request), to, false) + " "),
        Span::styled(cell(&status(request), 7, false) + " ", status_style(app, request)),
        Span::raw(cell(&millis(request.duration_ms), 6, true) + " "),
        Span::raw(what),
        Span::styled(notes, style),
    ])
}

/// Paints one trace as a waterfall.
pub fn draw_trace(app: &mut App, frame: &mut Frame<'_>, area: Rect, trace: &str) {
    let [top, bottom] =
        Layout::vertical([Constraint::Min(3), Constraint::Length(DETAILS.min(area.height / 2))]).areas(area);
    let title = format!(" trace {} ", trace.get(..8).unwrap_or(trace));
    let requests = app.requests.of(trace);
    let bars = waterfall(&requests);
    let end = bars.iter().map(|bar| bar.start_ms + bar.duration_ms).fold(0.0, f64::max);
    let count = if bars.len() == 1 { "1 request".to_owned() } else { format!("{} requests", bars.len()) };
    let total = Span::styled(format!(" {count} in {} ", millis(end)), app.theme.faint());
    let block =
        Block::bordered().title(Span::styled(title, app.theme.title())).title(Line::from(total).right_aligned());
    let inner = block.inner(top);
    frame.render_widget(block, top);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height).max(1));
    let at = app.requests.bar.min(bars.len().saturating_sub(1));
    let names = bars.iter().map(|bar| 2 * bar.depth + to(requests[bar.request]).chars().count()).max().unwrap_or(0);
    let names = names.clamp(8, (width / 3).max(8));
    let mut lines = Vec::new();
    let rows = window(at, bars.len(), height).enumerate();
    let spots: Vec<_> = rows.map(|(row, place)| (row_of(inner, row), Spot::Row(place))).collect();
    for place in window(at, bars.len(), height) {
        let line = bar_row(app, requests[bars[place].request], &bars[place], end, names, width);
        lines.push(if place == at { line.style(app.theme.selected(true)) } else { line });
    }
    if lines.is_empty() {
        lines.push(Line::styled("its requests are no longer kept", app.theme.faint()));
    }
    frame.render_widget(Paragraph::new(lines), inner);
    let block = Block::bordered().border_style(app.theme.faint());
    let inner = block.inner(bottom);
    frame.render_widget(block, bottom);
    if let Some(bar) = bars.get(at) {
        let details = details(requests[bar.request]);
        let lines = details
            .iter()
            .flat_map(|line| wrap_words(line, usize::from(inner.width)))
            .map(Line::from)
            .collect::<Vec<_>>();
        frame.render_widget(Paragraph::new(lines), inner);
    }
    app.spots.add(spots);
    app.page = height;
}

fn bar_row(app: &App, request: &Request, bar: &Bar, end: f64, names: usize, width: usize) -> Line<'static> {
    let name = format!("{}{}", "  ".repeat(bar.depth), to(request));
    let room = width.saturating_sub(names + 7 + 6 + 4);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "cells")]
    let cells = |ms: f64| if end > 0.0 { (ms / end * room as f64).round().clamp(0.0, room as f64) as usize } else { 0 };
    let start = cells(bar.start_ms).min(room.saturating_sub(1));
    let length = cells(bar.duration_ms).clamp(1, room.saturating_sub(start).max(1));
    // How sure it is that this one came of the one above.
    let link = match request.link.as_str() {
        "inferred" => "▒",
        _ => "█",
    };
    Line::from(vec![
        Span::raw(cell(&name, names, false) + " "),
        Span::styled(cell(&status(request), 7, false) + " ", status_style(app, request)),
        Span::raw(cell(&millis(request.duration_ms), 6, true) + " "),
        Span::raw(" ".repeat(start)),
        Span::styled(link.repeat(length), status_style(app, request)),
    ])
}

fn details(request: &Request) -> Vec<String> {
    let link = match request.link.as_str() {
        "exact" => "the caller said of which request it is",
        "certain" => "the caller was serving that request and no other",
        "inferred" => "the caller was serving several requests: it may be of another (▒)",
        _ if request.from == FRONT_DOOR => "it came in by the front door",
        _ => "the caller was serving no request",
    };
    let status = Some(status(request)).filter(|it| *it != request.protocol).map(|it| format!(", {it}"));
    let mut lines = vec![
        what(request),
        format!(
            "{} → {}, {}{}{}",
            request.from,
            to(request),
            request.protocol,
            status.unwrap_or_default(),
            notes(request)
        ),
        format!("at {}, id {}", request.time.get(11..26).unwrap_or(&request.time), clean(&request.id)),
        link.to_owned(),
    ];
    lines.extend(request.withheld.clone());
    lines.extend(request.fault.as_ref().map(|fault| format!("fault: {fault}")));
    lines.extend(request.fallback.as_ref().map(|fallback| format!("fallback: {fallback}")));
    lines
}
