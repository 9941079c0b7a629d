//! From the state to cells.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, TableState};

use super::app::{App, Over, Pane};
use super::keys::BINDINGS;
use super::logs::Shown;
use super::text::{fit, wrap};
use crate::model::Size;
use crate::view::{Service, elapsed, state_mark};

/// Below this, panes make no sense.
const SMALLEST: (u16, u16) = (30, 8);

/// Paints everything. `now` is the wall time, for ages.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, now: jiff::Timestamp) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return tiny(app, frame);
    }
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    header(app, frame, head);
    if app.zoomed {
        logs(app, frame, body);
    } else {
        let rows = u16::try_from(app.services.len()).unwrap_or(u16::MAX).saturating_add(3);
        let half = body.height / 2;
        let [top, bottom] =
            Layout::vertical([Constraint::Length(rows.min(half.max(5))), Constraint::Min(3)]).areas(body);
        services(app, frame, top, now);
        logs(app, frame, bottom);
    }
    footer(app, frame, foot);
    match app.over {
        Over::Help => help(app, frame),
        Over::Quit => quit(app, frame),
        Over::Nothing | Over::Search(_) => {}
    }
}

/// A screen with no room for panes still tells what matters.
fn tiny(app: &App, frame: &mut Frame<'_>) {
    let settled = app.services.iter().filter(|row| row.settled).count();
    let mut lines = vec![Line::from(format!("{} {settled}/{}", app.workspace.name, app.services.len()))];
    let trouble = app.services.iter().filter(|row| !row.settled && row.wanted);
    lines.extend(trouble.map(|row| Line::from(format!("{} {} {}", state_mark(row.state), row.name, row.state.word()))));
    frame.render_widget(Paragraph::new(lines), frame.area());
}

fn header(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let settled = app.services.iter().filter(|row| row.settled).count();
    let stuck = app.services.iter().filter(|row| row.stuck).count();
    let mut spans = vec![
        Span::styled(format!(" {} ", app.workspace.name), app.theme.title()),
        Span::raw(format!("{settled}/{} ready", app.services.len())),
    ];
    if stuck > 0 {
        spans.push(Span::styled(format!("  {stuck} failed"), app.theme.bad()));
    }
    if app.gone {
        spans.push(Span::styled("  the engine is gone", app.theme.bad()));
    } else if app.stopping {
        spans.push(Span::styled("  stopping", app.theme.bad()));
    }
    spans.push(Span::styled(format!("  {}", app.workspace.url), app.theme.faint()));
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn services(app: &App, frame: &mut Frame<'_>, area: Rect, now: jiff::Timestamp) {
    let focused = app.pane == Pane::Services;
    let block =
        Block::bordered().title(Span::styled(" services ", app.theme.title())).border_style(border(app, focused));
    let narrow = area.width < 100;
    let name = app.services.iter().map(|row| row.label().len()).max().unwrap_or(7).clamp(7, 24);
    let ports = app.services.iter().map(|row| ports(row).chars().count()).max().unwrap_or(0);
    let ports = ports.clamp(5, if narrow { 18 } else { 40 });
    let widths = [
        Constraint::Length(u16::try_from(name).unwrap_or(24)),
        Constraint::Length(11),
        Constraint::Length(u16::try_from(ports).unwrap_or(40)),
        Constraint::Length(8),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(5),
        Constraint::Min(6),
    ];
    let left = ["SERVICE", "STATE", "PORTS"].map(Line::from);
    let right = ["RESTARTS", "CPU", "MEMORY", "UP"].map(|head| Line::from(head).right_aligned());
    let head = Row::new(left.into_iter().chain(right)).style(app.theme.faint());
    let rows = app.services.iter().map(|row| service_row(app, row, now));
    let table = Table::new(rows, widths)
        .header(head)
        .column_spacing(1)
        .row_highlight_style(app.theme.selected(focused))
        .block(block);
    let mut state = TableState::new().with_selected(Some(app.selected));
    frame.render_stateful_widget(table, area, &mut state);
}

fn service_row<'a>(app: &App, row: &'a Service, now: jiff::Timestamp) -> Row<'a> {
    let started = row.started.as_ref().and_then(|started| started.parse::<jiff::Timestamp>().ok());
    let up = started.and_then(|started| Duration::try_from(now.duration_since(started)).ok());
    let state = Span::styled(format!("{} {}", state_mark(row.state), row.state.word()), app.theme.state(row.state));
    let restarts = if row.restarts > 0 { row.restarts.to_string() } else { String::new() };
    Row::new([
        Line::from(row.label()),
        Line::from(state),
        Line::from(ports(row)),
        Line::from(restarts).right_aligned(),
        Line::from(row.cpu_percent.map(|cpu| format!("{cpu:.1}%")).unwrap_or_default()).right_aligned(),
        Line::from(row.memory_bytes.map(|bytes| Size(bytes).to_string()).unwrap_or_default()).right_aligned(),
        Line::from(up.map(elapsed).unwrap_or_default()).right_aligned(),
        Line::from(Span::styled(row.reason.as_deref().unwrap_or(""), app.theme.faint())),
    ])
}

/// `8080→21034`: production's number and this machine's.
fn ports(row: &Service) -> String {
    let port = |port: &crate::view::Port| match port.published {
        Some(published) if published != port.port => format!("{}→{published}", port.port),
        _ => port.port.to_string(),
    };
    row.ports.iter().map(port).collect::<Vec<_>>().join(" ")
}

fn border(app: &App, focused: bool) -> Style {
    if focused { Style::new() } else { app.theme.faint() }
}

fn logs(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let focused = app.in_logs();
    let mut notes = Vec::new();
    if app.logs.bottom.is_some() {
        notes.push(format!("line {} of {}", app.logs.last() + 1, app.logs.lines.len()));
    }
    if let Some(search) = &app.logs.search {
        notes.push(format!("/{}: {}", search.as_str(), app.logs.matches()));
    }
    let notes = notes.into_iter().map(|note| Span::styled(format!(" {note} "), app.theme.faint()));
    let block = Block::bordered()
        .title(Line::from(log_title(app)))
        .title(Line::from_iter(notes).right_aligned())
        .border_style(border(app, focused));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    app.page = usize::from(inner.height.max(1));
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    // From the last line upwards until the pane is full.
    let mut rows: Vec<Line<'_>> = Vec::new();
    let end = (app.logs.last() + 1).min(app.logs.lines.len());
    for line in app.logs.lines.range(..end).rev() {
        let mut drawn = log_rows(app, line, width);
        drawn.reverse();
        rows.append(&mut drawn);
        if rows.len() >= height {
            break;
        }
    }
    rows.truncate(height);
    rows.reverse();
    if rows.is_empty() {
        rows.push(Line::from(Span::styled("nothing written yet", app.theme.faint())));
    }
    frame.render_widget(Paragraph::new(rows), inner);
}

/// Whose lines they are, and what is wrong with it: the table has seldom room for all of that.
fn log_title(app: &App) -> Vec<Span<'static>> {
    let name = app.logs.service.clone().unwrap_or_default();
    let row = app.services.iter().find(|row| row.name == name);
    let reason = row.and_then(|row| row.reason.as_ref()).map(|reason| format!("{reason} ")).unwrap_or_default();
    vec![Span::styled(format!(" {name} "), app.theme.title()), Span::styled(reason, app.theme.bad())]
}

/// One log line as the rows that it takes.
fn log_rows(app: &App, line: &Shown, width: usize) -> Vec<Line<'static>> {
    let style = match &line.level {
        Some(level) => app.theme.level(level),
        None if line.stderr => app.theme.stderr(),
        None => Style::new(),
    };
    let time = if width >= 60 { format!("{} ", line.time) } else { String::new() };
    let room = width.saturating_sub(time.len());
    let texts = if app.logs.wrap { wrap(&line.text, room) } else { vec![fit(&line.text, room)] };
    let mut rows = Vec::with_capacity(texts.len());
    for (at, text) in texts.into_iter().enumerate() {
        let lead = if at == 0 { time.clone() } else { " ".repeat(time.len()) };
        let mut spans = vec![Span::styled(lead, app.theme.faint())];
        spans.extend(highlighted(app, &text, style));
        rows.push(Line::from(spans));
    }
    rows
}

fn highlighted(app: &App, text: &str, style: Style) -> Vec<Span<'static>> {
    let Some(search) = &app.logs.search else { return vec![Span::styled(text.to_owned(), style)] };
    let mut spans = Vec::new();
    let mut done = 0;
    for found in search.find_iter(text).filter(|found| !found.is_empty()) {
        spans.push(Span::styled(text[done..found.start()].to_owned(), style));
        spans.push(Span::styled(found.as_str().to_owned(), app.theme.found()));
        done = found.end();
    }
    spans.push(Span::styled(text[done..].to_owned(), style));
    spans
}

fn footer(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let line = match (&app.over, &app.message) {
        (Over::Search(typed), _) => Line::from(format!(" /{typed}█")),
        (_, Some(message)) => Line::from(format!(" {message}")),
        (_, None) if !app.notices.is_empty() => {
            let first = app.notices[0].lines().next().unwrap_or_default();
            let text = format!(" {first} (`nagaya ps` tells more)");
            Line::from(Span::styled(fit(&text, usize::from(area.width)), app.theme.bad()))
        }
        _ => {
            let hints = " s start  x stop  r restart  / search  f follow  Tab pane  ? help  q quit";
            Line::from(Span::styled(fit(hints, usize::from(area.width)), app.theme.faint()))
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn help(app: &App, frame: &mut Frame<'_>) {
    let lines: Vec<Line<'_>> = BINDINGS
        .iter()
        .map(|(_, keys, does)| {
            Line::from(vec![Span::styled(format!("{keys:>13}  "), app.theme.title()), Span::raw(*does)])
        })
        .collect();
    overlay(app, frame, " keys ", lines, 60);
}

fn quit(app: &App, frame: &mut Frame<'_>) {
    let key = |key: &'static str| Span::styled(key, app.theme.title());
    let lines = vec![
        Line::from("Stop the workspace, or leave it running?"),
        Line::from(""),
        Line::from(vec![key("  s  "), Span::raw("stop everything")]),
        Line::from(vec![key("  l  "), Span::raw("leave it running; `nagaya ui` shows it again")]),
        Line::from(vec![key(" Esc "), Span::raw("stay")]),
    ];
    overlay(app, frame, " quit ", lines, 52);
}

fn overlay(app: &App, frame: &mut Frame<'_>, title: &'static str, lines: Vec<Line<'_>>, width: u16) {
    let area = frame.area();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let width = width.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let block = Block::bordered().title(Span::styled(title, app.theme.title()));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
