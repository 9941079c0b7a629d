//! The routes: each entry and what becomes of it, why a path leads where it does, and how versions share requests.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::app::App;
use super::draw::{beyond, unknown, window};
use super::mouse::{Spot, row_of};
use super::text::{cell, clean, fit_line, wrap};
use crate::view::Try;
use crate::view::routes::{Entry, Use};

/// How much a key moves a share, in percent.
const STEP: f64 = 5.0;

/// What the engine says of its routes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    pub entries: Vec<Entry>,
    /// The services that have several versions.
    pub shared: Vec<Shared>,
    pub tries: Vec<Try>,
    /// A shift over time that is under way, in words.
    pub shifts: Vec<String>,
}

/// How the requests to a service are shared among its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    pub service: String,
    /// Its versions by their names as services, the first one first, each with its share in percent.
    pub shares: Vec<(String, f64)>,
}

/// The page.
#[derive(Debug, Default)]
pub struct Routes {
    pub told: Told,
    selected: usize,
    /// A path that was asked for, and the story of it.
    pub explained: Option<(String, String)>,
}

/// What can be selected: a version with its share, then the entries.
enum Item<'a> {
    Share(&'a Shared, &'a (String, f64)),
    Entry(&'a Entry),
}

impl Routes {
    fn items(&self) -> Vec<Item<'_>> {
        let shares = self.told.shared.iter().flat_map(|it| it.shares.iter().map(move |share| Item::Share(it, share)));
        shares.chain(self.told.entries.iter().map(Item::Entry)).collect()
    }

    /// Takes in what the engine says.
    pub fn tell(&mut self, told: Told) {
        self.told = told;
        self.selected = self.selected.min(self.items().len().saturating_sub(1));
    }

    /// The place of the selected one.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Moves.
    pub fn go(&mut self, by: isize) {
        let last = self.items().len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    /// The path that the selected entry is about.
    pub fn path(&self) -> Option<String> {
        match self.items().get(self.selected)? {
            Item::Share(shared, _) => Some(format!("/svc/{}", shared.service)),
            Item::Entry(entry) => entry.names.first().or(Some(&entry.prefix)).cloned(),
        }
    }

    /// The version that is selected.
    pub fn subject(&self) -> Option<String> {
        match self.items().get(self.selected)? {
            Item::Share(_, (name, _)) => Some(name.clone()),
            Item::Entry(_) => None,
        }
    }

    /// Gives the selected version a step more or less of the requests: the words of the command that does it.
    pub fn shift(&mut self, up: bool) -> Option<Vec<String>> {
        let Item::Share(_, (_, share)) = self.items().into_iter().nth(self.selected)? else { return None };
        // To the next whole step, so that 23 % becomes 25 and not 28.
        let steps = share / STEP;
        let steps = if up { (steps + 1e-6).floor() + 1.0 } else { (steps - 1e-6).ceil() - 1.0 };
        self.give(steps * STEP)
    }

    /// Gives the selected version this many percent. It is shown before the engine has done it, so that keys add up.
    pub fn give(&mut self, percent: f64) -> Option<Vec<String>> {
        let to = percent.clamp(0.0, 100.0);
        let Item::Share(shared, (name, _)) = self.items().into_iter().nth(self.selected)? else { return None };
        let (service, name) = (shared.service.clone(), name.clone());
        let shared = self.told.shared.iter_mut().find(|it| it.service == service)?;
        let others: f64 = shared.shares.iter().filter(|(other, _)| *other != name).map(|(_, share)| share).sum();
        for (place, (other, share)) in shared.shares.iter_mut().enumerate() {
            *share = match *other == name {
                true => to,
                false if others > 0.0 => *share * (100.0 - to) / others,
                false if place == 0 => 100.0 - to,
                false => 0.0,
            };
        }
        Some(vec!["shift".to_owned(), service, format!("{name}={to}")])
    }

    /// Whether a version is selected, whose share can be given.
    pub fn is_share(&self) -> bool {
        matches!(self.items().get(self.selected), Some(Item::Share(..)))
    }
}

/// Paints it.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let tries = app.routes.told.tries.len() + app.routes.told.shifts.len();
    let tries = if tries == 0 { 0 } else { u16::try_from(tries + 2).unwrap_or(u16::MAX).min(area.height / 4) };
    let story = if app.routes.explained.is_some() { area.height / 2 } else { 0 };
    let parts = [Constraint::Min(3), Constraint::Length(tries), Constraint::Length(story)];
    let [top, middle, bottom] = Layout::vertical(parts).areas(area);
    entries(app, frame, top);
    if tries > 0 {
        let mut lines: Vec<Line<'static>> = app.routes.told.tries.iter().map(|it| tried(app, it)).collect();
        lines.extend(app.routes.told.shifts.iter().map(|text| Line::raw(text.clone())));
        pane(app, frame, middle, " tried and shifted ", lines);
    }
    if let Some((path, story)) = app.routes.explained.clone() {
        let width = usize::from(bottom.width.saturating_sub(2));
        let lines = story.lines().flat_map(|line| wrap(&clean(line), width)).map(Line::from).collect();
        pane(app, frame, bottom, &format!(" {path} "), lines);
    }
}

fn pane(app: &App, frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'static>>) {
    let block =
        Block::bordered().title(Span::styled(title.to_owned(), app.theme.title())).border_style(app.theme.faint());
    let width = usize::from(block.inner(area).width);
    let lines: Vec<_> = lines.into_iter().map(|line| fit_line(line, width)).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn entries(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let items = app.routes.items();
    let seen = window(app.routes.selected, items.len(), usize::from(area.height.saturating_sub(2)));
    let block = Block::bordered().title(Span::styled(" routes ", app.theme.title())).title_bottom(beyond(
        app,
        &seen,
        items.len(),
    ));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    app.page = usize::from(inner.height.max(1));
    if items.is_empty() {
        return frame.render_widget(Paragraph::new(Span::styled(unknown(app, "asking"), app.theme.faint())), inner);
    }
    let width = usize::from(inner.width);
    let (mut lines, mut spots) = (Vec::new(), Vec::new());
    for place in seen {
        let line = match &items[place] {
            Item::Share(shared, share) => slider(app, shared, share, width),
            Item::Entry(entry) => entry_row(app, entry, width),
        };
        spots.push((row_of(inner, lines.len()), Spot::Row(place)));
        lines.push(if place == app.routes.selected { line.style(app.theme.selected(true)) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inner);
    app.spots.add(spots);
}

/// `users → users-v2  ◀██████░░░░░░░░▶ 25 %`
fn slider(app: &App, shared: &Shared, (name, share): &(String, f64), width: usize) -> Line<'static> {
    let room = (width / 3).clamp(8, 40);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "cells")]
    let filled = (share / 100.0 * room as f64).round().clamp(0.0, room as f64) as usize;
    let rest = room.saturating_sub(filled);
    Line::from(vec![
        Span::raw(cell(&shared.service, 14, false)),
        Span::styled(" → ", app.theme.faint()),
        Span::raw(cell(name, 18, false)),
        Span::styled(" ◀", app.theme.faint()),
        Span::styled("█".repeat(filled), app.theme.title()),
        Span::styled("░".repeat(rest) + "▶", app.theme.faint()),
        Span::raw(format!(" {} %", (share * 10.0).round() / 10.0)),
    ])
}

fn entry_row(app: &App, entry: &Entry, width: usize) -> Line<'static> {
    let names = entry.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let style = match entry.state {
        Use::Bound => app.theme.good(),
        Use::Error | Use::Nowhere => app.theme.bad(),
        Use::Waiting | Use::Fails | Use::Uncallable => app.theme.level("warn"),
        Use::Unused | Use::Standby | Use::Unknown => app.theme.faint(),
    };
    let text = entry.shown();
    let room = width.saturating_sub(3 + 15 + 2);
    let entry_room = text.chars().count().min(room * 2 / 3).max(room / 2);
    Line::from(vec![
        Span::styled(format!("{:>2} ", entry.number), app.theme.faint()),
        Span::styled(cell(entry.state.word(), 14, false), style),
        Span::raw(format!(" {} ", cell(&clean(&text), entry_room, false))),
        Span::styled(cell(&names, room.saturating_sub(entry_room), false), app.theme.faint()),
    ])
}

fn tried(app: &App, it: &Try) -> Line<'static> {
    let state = it.state.map_or("stopped", |state| state.word());
    let style = it.state.map_or(Style::new(), |state| app.theme.state(state));
    let source = it.branch.clone().unwrap_or_else(|| it.folder.clone());
    Line::from(vec![
        Span::raw(format!("{} ", it.name)),
        Span::styled(state, style),
        Span::styled(format!("  of {source}  -H '{}'", it.header), app.theme.faint()),
    ])
}
