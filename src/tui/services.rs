//! The table of services: one row each, and what is wrong with it in words.

use std::ops::Range;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::age::Age;
use super::app::{App, Pane};
use super::draw::{beyond, border, unknown, window};
use super::mouse::{Spot, row_of};
use super::text::{cell, fit};
use crate::model::Size;
use crate::supervise::State;
use crate::view::{Port, Rates, Service, label, millis, percent, rate, state_mark};

/// So many crashes in a row are no accident.
const LOOP: u32 = 2;

/// A service: its instances.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a>(pub &'a [Service]);

impl<'a> Group<'a> {
    /// The instance that stands for it: one that can be called, where there is one.
    pub fn lead(self) -> Option<&'a Service> {
        self.0.iter().find(|row| row.ready).or(self.0.first())
    }

    pub fn name(self) -> &'a str {
        self.0.first().map_or("", |row| &row.name)
    }

    fn ready(self) -> usize {
        self.0.iter().filter(|row| row.ready).count()
    }

    /// What is wrong with it, or what it waits for; of several instances with the number.
    pub fn wrong(self) -> Option<String> {
        let unwell = self.0.iter().find(|row| !row.settled && row.reason.is_some());
        let row = unwell.or_else(|| self.0.iter().find(|row| row.reason.is_some()))?;
        let reason = row.reason.clone()?;
        let is_apart = self.0.len() > 1 && !row.settled;
        let other = || format!("{} {}: {reason}", label("", row.instance).trim_start(), row.state.said());
        Some(if is_apart && row.instance > 1 { other() } else { reason })
    }

    /// Nothing is left to wait for, with any of its instances.
    pub fn is_settled(self) -> bool {
        self.0.iter().all(|row| row.settled)
    }

    /// Somebody asked for it.
    pub fn is_wanted(self) -> bool {
        self.0.iter().any(|row| row.wanted)
    }

    /// Something of it is still to be stopped.
    pub fn is_there(self) -> bool {
        let is_over = |state| matches!(state, State::Completed | State::Failed | State::Stopped | State::Idle);
        self.0.iter().any(|row| !row.is_external() && !is_over(row.state))
    }

    /// One of its instances does not do what it should, and not because of others.
    pub fn fails(self) -> bool {
        let is_bad = |state| matches!(state, State::Unhealthy | State::Backoff | State::Failed);
        // Between two crashes in a row it may look well for a moment.
        let is_looping = |row: &Service| row.crashes >= LOOP || (row.crashes > 0 && !row.settled);
        self.0.iter().any(|row| row.wanted && (is_bad(row.state) || is_looping(row)))
    }

    fn cpu(self) -> Option<f64> {
        self.0.iter().filter_map(|row| row.cpu_percent).reduce(|one, other| one + other)
    }

    fn memory(self) -> Option<u64> {
        self.0.iter().filter_map(|row| row.memory_bytes).reduce(|one, other| one + other)
    }

    fn restarts(self) -> u32 {
        self.0.iter().map(|row| row.restarts).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    State,
    Ready,
    Ports,
    Rate,
    Errors,
    P99,
    Cpu,
    Memory,
    Up,
    Restarts,
    History,
    Wrong,
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Name => "SERVICE",
            Self::State => "STATE",
            Self::Ready => "READY",
            Self::Ports => "PORTS",
            Self::Rate => "REQ/S",
            Self::Errors => "ERR",
            Self::P99 => "P99",
            Self::Cpu => "CPU",
            Self::Memory => "MEMORY",
            Self::Up => "UP",
            Self::Restarts => "RESTARTS",
            Self::History => "LAST 30 S",
            Self::Wrong => "",
        }
    }

    fn is_right(self) -> bool {
        use Column::{Cpu, Errors, Memory, P99, Rate, Restarts, Up};
        matches!(self, Rate | Errors | P99 | Cpu | Memory | Up | Restarts)
    }

    /// From which width of the pane on it has room.
    fn from(self) -> usize {
        use Column::{Cpu, Errors, History, Memory, Name, P99, Ports, Rate, Ready, Restarts, State, Up, Wrong};
        match self {
            Name | State => 0,
            Ready => 40,
            Rate | Errors | P99 => 60,
            Cpu | Memory | Ports => 76,
            Up => 100,
            History => 118,
            Restarts | Wrong => 136,
        }
    }
}

/// The columns for a width, each with its own; what is wrong has the rest.
fn columns(app: &App, width: usize) -> Vec<(Column, usize)> {
    use Column::{Cpu, Errors, History, Memory, Name, P99, Ports, Rate, Ready, Restarts, State, Up, Wrong};
    let all = [Name, State, Ready, Ports, Rate, Errors, P99, Cpu, Memory, Up, Restarts, History, Wrong];
    let groups = app.groups();
    let name = groups.iter().map(|group| group.name().len() + 2).max().unwrap_or(9);
    let ports = groups.iter().filter_map(|group| Some(ports(group.lead()?).chars().count())).max().unwrap_or(5);
    let of = |column: Column| match column {
        Name => name.clamp(9, if width < 100 { 16 } else { 26 }),
        State | Restarts => 11,
        Ready => 5,
        Ports => ports.clamp(5, if width < 100 { 11 } else { 24 }),
        Rate | Cpu => 6,
        Errors => 4,
        P99 => 6,
        Memory => 8,
        Up => 5,
        History => 15,
        Wrong => 0,
    };
    let mut out: Vec<(Column, usize)> =
        all.into_iter().filter(|it| width >= it.from()).map(|column| (column, of(column))).collect();
    let used = |out: &[(Column, usize)]| out.iter().map(|(_, width)| width + 1).sum::<usize>();
    // What does not fit is left out from the least important on.
    for least in [Memory, Ports, Cpu] {
        if used(&out) > width + 1 {
            out.retain(|(column, _)| *column != least);
        }
    }
    let rest = width.saturating_sub(used(&out));
    if let Some((Wrong, last)) = out.last_mut() {
        *last = rest;
    }
    out
}

/// Paints the table.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect, now: Timestamp) {
    let focused = app.pane == Pane::Services;
    let (shown, at) = (app.shown_services(), app.place_shown());
    let height = usize::from(area.height).saturating_sub(3);
    let seen = window(at.unwrap_or(0), shown.len(), height);
    let block = block(app, &shown, &seen).border_style(border(app, focused));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let groups = app.groups();
    if shown.is_empty() {
        let text = match groups.is_empty() {
            true if app.shape == 0 => unknown(app, "asking"),
            true => "no service has been asked for yet",
            false => "no service has this in its name; Esc shows all",
        };
        return frame.render_widget(Paragraph::new(Span::styled(text, app.theme.faint())), inner);
    }
    let columns = columns(app, usize::from(inner.width));
    let head: Vec<String> = columns.iter().map(|(it, width)| cell(it.head(), *width, it.is_right())).collect();
    let mut lines = vec![Line::styled(head.join(" "), app.theme.faint())];
    let mut spots = vec![(area, Spot::Pane(Pane::Services))];
    for place in seen.clone() {
        let line = row(app, groups[shown[place]], (&columns, usize::from(inner.width)), now);
        spots.push((row_of(inner, lines.len()), Spot::Row(place)));
        lines.push(if Some(place) == at { line.style(app.theme.selected(focused)) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inner);
    let has_ages = app.gone.is_none() && columns.iter().any(|(column, _)| *column == Column::Up);
    let ages = seen.filter(|_| has_ages).filter_map(|place| up(groups[shown[place]].lead()?, now));
    app.redraw_at = ages.map(|age| age.until).min();
    app.spots.add(spots);
}

/// The frame: what is shown of how many, and that there are more above and below.
fn block(app: &App, shown: &[usize], seen: &Range<usize>) -> Block<'static> {
    let count = app.groups().len();
    let mut notes = Vec::new();
    if !app.marked.is_empty() {
        notes.push(format!("{} marked", app.marked.len()));
    }
    if !app.finding.is_empty() {
        notes.push(format!("/{}: {} of {count}", fit(&app.finding, 20), shown.len()));
    } else if seen.len() < shown.len() {
        notes.push(format!("{} of {count}", app.selected + 1));
    }
    let notes: String = notes.into_iter().map(|note| format!(" {note} ")).collect();
    Block::bordered()
        .title(Span::styled(" services ", app.theme.title()))
        .title(Line::styled(notes, app.theme.faint()).right_aligned())
        .title_bottom(beyond(app, seen, shown.len()))
}

fn row(app: &App, group: Group<'_>, (columns, width): (&[(Column, usize)], usize), now: Timestamp) -> Line<'static> {
    let Some(lead) = group.lead() else { return Line::default() };
    let rates = app.traffic.of(lead);
    let wrong = group.wrong();
    // Where there is no room for a column of its own, it takes the place of numbers that say nothing now.
    let has_column = columns.last().is_some_and(|(last, _)| *last == Column::Wrong);
    let covers = !has_column && wrong.is_some() && !lead.ready;
    let numbers = if covers { 3 } else { columns.len() };
    let mut spans = Vec::new();
    let mut used = 0;
    for (column, cells) in columns.iter().take(numbers) {
        let (text, style) = content(app, group, lead, *column, rates, now);
        let text = if *column == Column::Wrong { wrong.clone().unwrap_or_default() } else { text };
        spans.push(Span::styled(cell(&text, *cells, column.is_right()), style));
        spans.push(Span::raw(" "));
        used += cells + 1;
    }
    if covers {
        let text = cell(&wrong.unwrap_or_default(), width.saturating_sub(used), false);
        spans.push(Span::styled(text, app.theme.bad_of(lead.state)));
    }
    Line::from(spans)
}

fn content(
    app: &App,
    group: Group<'_>,
    lead: &Service,
    column: Column,
    rates: Option<Rates>,
    now: Timestamp,
) -> (String, Style) {
    let plain = |text: String| (text, Style::new());
    match column {
        Column::Name => {
            let mark = if app.marked.iter().any(|name| name == group.name()) { "+ " } else { "" };
            plain(format!("{mark}{}", group.name()))
        }
        Column::State => (format!("{} {}", state_mark(lead.state), lead.state.word()), app.theme.state(lead.state)),
        Column::Ready if lead.kind != "process" || lead.state == State::Completed => plain(String::new()),
        Column::Ready => {
            let style = if group.ready() < group.0.len() { app.theme.bad_of(lead.state) } else { Style::new() };
            (format!("{}/{}", group.ready(), group.0.len()), style)
        }
        Column::Ports => plain(ports(lead)),
        Column::Rate => plain(rates.map(|rates| rate(rates.per_second)).unwrap_or_default()),
        Column::Errors => {
            let errors = rates.map(|rates| rates.errors).filter(|errors| *errors > 0.0);
            (errors.map(percent).unwrap_or_default(), app.theme.bad())
        }
        Column::P99 => plain(rates.map(|rates| millis(rates.p99_ms)).unwrap_or_default()),
        Column::Cpu => plain(group.cpu().map(|cpu| format!("{cpu:.1}%")).unwrap_or_default()),
        Column::Memory => plain(group.memory().map(short_size).unwrap_or_default()),
        Column::Up => plain(up(lead, now).map(|age| age.text).unwrap_or_default()),
        Column::Restarts => {
            plain(Some(group.restarts()).filter(|it| *it > 0).map(|it| it.to_string()).unwrap_or_default())
        }
        Column::History => (sparkline(&app.traffic.history(lead)), app.theme.title()),
        Column::Wrong => (String::new(), app.theme.bad_of(lead.state)),
    }
}

fn up(row: &Service, now: Timestamp) -> Option<Age> {
    Some(Age::new(row.started.as_ref()?.parse().ok()?, now))
}

/// `8080→21034`: production's number and this machine's.
pub fn ports(row: &Service) -> String {
    let port = |port: &Port| match port.published {
        Some(published) if published != port.port => format!("{}→{published}", port.port),
        _ => port.port.to_string(),
    };
    row.ports.iter().map(port).collect::<Vec<_>>().join(" ")
}

fn short_size(bytes: u64) -> String {
    let text = Size(bytes).to_string();
    text.strip_suffix("iB").map(str::to_owned).unwrap_or(text)
}

/// Counts as bars, two seconds each.
fn sparkline(history: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let pairs: Vec<u64> = history.chunks(2).map(|pair| pair.iter().sum()).collect();
    let most = pairs.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let bar = |count: &u64| match count {
        0 => ' ',
        count => BARS[usize::try_from((count * 8).div_ceil(most) - 1).unwrap_or(0).min(7)],
    };
    pairs.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_highest_allows() {
        assert_eq!(sparkline(&[0, 0, 1, 0, 4, 4, 8, 8]), " ▁▄█");
        assert_eq!(sparkline(&[0; 30]), "");
    }
}
