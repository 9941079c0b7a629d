//! From the state to cells: what all pages have around them.

use std::ops::Range;

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::app::{App, Over, Pane};
use super::ending::Ending;
use super::keys::Action;
use super::mouse::{Spot, row_of};
use super::page::{Page, ROOTS};
use super::prompt::{For, Prompt};
use super::steady::steady;
use super::text::{clean, fit, fit_end, wrap_words};
use super::{logs, output, palette, requests, routes, services, tasks, terminal, topology, why};
use crate::view::state_mark;

/// Below this, panes make no sense.
const SMALLEST: (u16, u16) = (30, 8);
/// Below this, there is room for one of two panes: the one that keys are about.
const TWO_PANES: u16 = 8;
/// In the place of how many services are ready.
const GONE: &str = "the engine is gone";
/// In the place of what only an engine knows, and was not told before it went.
const UNANSWERED: &str = "nobody is left to ask: the engine is gone";

/// What stands in the place of what is not known yet.
pub fn unknown(app: &App, meanwhile: &'static str) -> &'static str {
    if app.gone.is_some() { UNANSWERED } else { meanwhile }
}

/// Paints everything. `now` is the wall time, for ages.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, now: jiff::Timestamp) {
    app.spots.clear();
    app.redraw_at = None;
    let seen_at = app.see_done(now);
    app.tasks.runs.stamp(now);
    let area = frame.area();
    app.columns = area.width.saturating_sub(2).max(1);
    match area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        true => tiny(app, frame),
        false => pages(app, frame, now),
    }
    app.redraw_at = app.redraw_at.into_iter().chain(seen_at).min();
    steady(frame.buffer_mut());
}

fn pages(app: &mut App, frame: &mut Frame<'_>, now: jiff::Timestamp) {
    let area = frame.area();
    let told = footer(app, usize::from(area.width));
    // What there is to say is said whole, but the page stays.
    let rows = u16::try_from(told.len()).unwrap_or(1).clamp(1, (area.height / 4).max(1));
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(rows)]).areas(area);
    header(app, frame, head);
    match app.trail.top().clone() {
        Page::Services if body.height < TWO_PANES => match app.pane {
            Pane::Services => services::draw(app, frame, body, now),
            Pane::Logs => logs::draw(app, frame, body),
        },
        Page::Services => {
            let rows = u16::try_from(app.groups().len()).unwrap_or(u16::MAX).saturating_add(3);
            let half = body.height / 2;
            let [top, bottom] =
                Layout::vertical([Constraint::Length(rows.min(half.max(5))), Constraint::Min(3)]).areas(body);
            services::draw(app, frame, top, now);
            logs::draw(app, frame, bottom);
        }
        Page::Logs(_) => logs::draw(app, frame, body),
        Page::Why(name) => why::draw(app, frame, body, &name),
        Page::Topology => topology::draw(app, frame, body),
        Page::Requests => requests::draw(app, frame, body),
        Page::Trace(trace) => requests::draw_trace(app, frame, body, &trace),
        Page::Routes => routes::draw(app, frame, body),
        Page::Tasks => tasks::draw(app, frame, body),
        Page::Output => output::draw(app, frame, body),
        Page::Terminal(name, _) => terminal::draw(app, frame, body, &name),
    }
    frame.render_widget(Paragraph::new(told), foot);
    let spots = match &app.over {
        Over::Help(from) => {
            help(app, frame, *from);
            Vec::new()
        }
        Over::Quit => quit(app, frame),
        Over::Prompt(Prompt { what: For::Command(selected), text }) => palette::draw(app, frame, area, text, *selected),
        Over::Prompt(_) | Over::Nothing => Vec::new(),
    };
    app.spots.add(spots);
}

/// The part of a list that is shown so that the selected place is in sight.
pub fn window(selected: usize, count: usize, height: usize) -> Range<usize> {
    let from = (selected + 1).saturating_sub(height).min(count.saturating_sub(height));
    from..(from + height).min(count)
}

/// What a list has above and below of what is seen, for the foot of its frame; nothing where all of it has room.
pub fn beyond(app: &App, seen: &Range<usize>, count: usize) -> Line<'static> {
    let text = match (seen.start, count - seen.end) {
        (0, 0) => String::new(),
        (0, below) => format!(" {below} more below "),
        (above, 0) => format!(" {above} more above "),
        (above, below) => format!(" {above} above, {below} below "),
    };
    Line::styled(text, app.theme.faint()).right_aligned()
}

/// How many services are as they should be, and of how many: those that nobody asked for, as of a profile that is
/// switched off, are not waited for.
fn readiness(app: &App) -> (usize, usize) {
    let groups = app.groups();
    let wanted = groups.iter().filter(|group| group.is_wanted());
    (wanted.clone().filter(|group| group.is_settled()).count(), wanted.count())
}

/// How many services are still to be stopped, while all are: none of them is waited for to be ready then.
fn left(app: &App) -> Option<usize> {
    let groups = app.groups();
    let left = groups.iter().filter(|group| group.is_there()).count();
    let is_ending = left > 0 && !groups.iter().any(|group| group.is_wanted());
    (app.stopping || is_ending).then_some(left)
}

/// A screen with no room for panes still tells what matters.
fn tiny(app: &App, frame: &mut Frame<'_>) {
    let (settled, wanted) = readiness(app);
    let count = match left(app) {
        _ if app.gone.is_some() => "no engine".to_owned(),
        Some(left) => format!("stopping, {left}"),
        None => format!("{settled}/{wanted}"),
    };
    let mut lines = vec![Line::from(format!("{} {count}", app.workspace.name))];
    let trouble = app.services.iter().filter(|row| !row.settled && row.wanted);
    lines.extend(
        trouble.map(|row| Line::from(format!("{} {} {}", state_mark(row.state), row.label(), row.state.word()))),
    );
    // Keys do here what they do elsewhere: what is typed is seen, what there is to say, and else whom they are about.
    let area = frame.area();
    let foot = match (&app.over, &app.message) {
        (Over::Prompt(_), _) | (_, Some(_)) => footer(app, usize::from(area.width)).into_iter().next(),
        _ => app.subject().map(|name| Line::from(format!("> {name}"))),
    };
    // The only row there is tells how things stand.
    if area.height > 1 {
        lines.resize(usize::from(area.height) - 1, Line::default());
        lines.extend(foot);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn header(app: &mut App, frame: &mut Frame<'_>, area: Rect) {
    let groups = app.groups();
    let (settled, wanted) = readiness(app);
    let failed = groups.iter().filter(|group| group.fails()).count();
    let mut spans = vec![Span::styled(format!(" {} ", app.workspace.name), app.theme.title())];
    if app.gone.is_some() {
        spans.push(Span::styled(GONE, app.theme.bad()));
    } else if let Some(left) = left(app) {
        spans.push(Span::styled(format!("stopping, {left} left"), app.theme.bad()));
    } else {
        spans.push(Span::raw(format!("{settled}/{wanted} ready")));
        if failed > 0 {
            let word = if failed == 1 { "fails" } else { "fail" };
            spans.push(Span::styled(format!("  {failed} {word}"), app.theme.bad()));
        }
    }
    let width = usize::from(area.width);
    let used = |spans: &[Span<'_>]| spans.iter().map(|span| span.content.width()).sum::<usize>();
    let mut tabs = tabs(app, true);
    if used(&spans) + used(&tabs) + 2 > width {
        tabs = self::tabs(app, false);
    }
    let url = format!("  {}", app.workspace.url);
    if app.gone.is_none() && used(&spans) + url.width() + used(&tabs) + 2 <= width {
        spans.push(Span::styled(url, app.theme.faint()));
    }
    let gap = width.saturating_sub(used(&spans) + used(&tabs)).max(1);
    spans.push(Span::raw(" ".repeat(gap)));
    let mut x = used(&spans);
    for (at, tab) in tabs.chunks(2).enumerate() {
        let (from, width) = (u16::try_from(x).unwrap_or(u16::MAX), u16::try_from(used(tab)).unwrap_or(0));
        // Each with the space behind it.
        let place = Rect { x: area.x.saturating_add(from), width, ..area };
        app.spots.add([(place.intersection(area), Spot::Tab(at))]);
        x += used(tab);
    }
    spans.extend(tabs);
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The pages that have a number; only the present one by its name where there is little room.
fn tabs(app: &App, with_names: bool) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (at, (page, name)) in ROOTS.iter().enumerate() {
        let is_here = page == app.trail.root();
        let text = if with_names || is_here { format!("{} {name}", at + 1) } else { (at + 1).to_string() };
        spans.push(Span::styled(text, if is_here { app.theme.selected(true) } else { app.theme.faint() }));
        spans.push(Span::raw(" "));
    }
    spans
}

/// A frame's border: the one where keys go stands out.
pub fn border(app: &App, focused: bool) -> Style {
    if focused { Style::new() } else { app.theme.faint() }
}

/// What stands at the foot: what is typed, else what there is to say, else the keys.
fn footer(app: &App, width: usize) -> Vec<Line<'static>> {
    let line = match (&app.over, &app.message, app.gone) {
        (Over::Prompt(prompt), ..) => {
            let lead = format!(" {}", prompt.sign());
            // The cursor is at its end.
            let room = width.saturating_sub(lead.width() + 1);
            Line::from(format!("{lead}{}█", fit_end(&prompt.text, room)))
        }
        (_, Some(message), _) => {
            let rows = wrap_words(&clean(message), width.saturating_sub(1));
            return rows.into_iter().map(|row| Line::from(format!(" {row}"))).collect();
        }
        (Over::Quit, None, _) => {
            let keys = ANSWERS.map(|(_, key, does, _)| format!(" {} {does} ", key.trim())).concat();
            Line::from(Span::styled(fit(keys.trim_end(), width), app.theme.faint()))
        }
        (_, None, Some(ending)) => without_engine(app, ending, width),
        (_, None, None) if !app.notices.is_empty() => {
            let first = app.notices[0].lines().next().unwrap_or_default();
            let text = format!(" {first} (`nagaya ps` tells more)");
            Line::from(Span::styled(fit(&text, width), app.theme.bad()))
        }
        _ => Line::from(Span::styled(fit(hints(app, width).trim_end(), width), app.theme.faint())),
    };
    vec![line]
}

/// What has happened to the engine, and what can be done about it.
fn without_engine(app: &App, ending: Ending, width: usize) -> Line<'static> {
    let what = match ending {
        Ending::Proper => " everything was stopped ",
        Ending::Killed => " the engine was killed, with all that it ran ",
    };
    let keys = [(Action::Boot, "starts it again"), (Action::Help, "help"), (Action::Quit, "quit")];
    let own = app.running_here().map(|_| (Action::Interrupt, "end it"));
    let hint = |(action, word): (Action, &str)| format!(" {} {word} ", app.keymap.first(app.place(), action));
    let keys: String = own.into_iter().chain(keys).map(hint).collect();
    let rest = fit(keys.trim_end(), width.saturating_sub(what.width()));
    Line::from(vec![Span::styled(fit(what, width), app.theme.bad()), Span::raw(rest)])
}

/// The keys that are needed most on this page, as many of its own as there is room for.
fn hints(app: &App, width: usize) -> String {
    if let Some(name) = app.keys_are_of() {
        return format!(" {} detaches; all other keys are for {name}", app.keymap.first(app.place(), Action::Detach));
    }
    use Action::{
        AsList, Attach, Back, Filter, Find, Follow, Interrupt, Left, Level, NextMatch, Open, Output, Restart, Right,
        Search, Start, Stop, Trouble, Why,
    };
    let selected = app.subject().and_then(|name| app.group(&name)?.lead());
    let own: &[(Action, &str)] = match app.trail.top() {
        Page::Services if selected.is_some_and(|row| row.attachable && row.started.is_some()) => &[
            (Open, "logs"),
            (Attach, "its terminal"),
            (Why, "why"),
            (Restart, "restart"),
            (Stop, "stop"),
            (Start, "start"),
            (Find, "find"),
        ],
        Page::Services if app.groups().iter().any(|group| group.fails()) => &[
            (Open, "logs"),
            (Trouble, "what fails"),
            (Why, "why"),
            (Restart, "restart"),
            (Stop, "stop"),
            (Start, "start"),
            (Find, "find"),
        ],
        Page::Services => {
            &[(Open, "logs"), (Find, "find"), (Why, "why"), (Restart, "restart"), (Stop, "stop"), (Start, "start")]
        }
        Page::Logs(_) => {
            &[(Search, "search"), (NextMatch, "next"), (Follow, "follow"), (Level, "level"), (Back, "back")]
        }
        Page::Why(_) => &[(Open, "logs"), (Why, "why this one"), (Restart, "restart"), (Back, "back")],
        Page::Topology => &[(Open, "logs"), (Why, "why"), (Left, "callers"), (Right, "callees"), (AsList, "list")],
        Page::Requests => &[(Open, "trace"), (Filter, "filter"), (Follow, "follow")],
        Page::Trace(_) => &[(Open, "logs"), (Back, "back")],
        Page::Routes => &[(Open, "explain or share"), (Filter, "a path"), (Left, "less"), (Right, "more")],
        Page::Tasks => &[(Open, "run"), (Output, "its output"), (Filter, "find")],
        Page::Output if app.running_here().is_some() => {
            &[(Interrupt, "end it"), (Search, "search"), (NextMatch, "next"), (Back, "back")]
        }
        Page::Output => &[(Search, "search"), (NextMatch, "next"), (Back, "back")],
        Page::Terminal(..) => &[(Restart, "restart"), (Back, "back")],
    };
    let hint = |(action, word): &(Action, &str)| format!(" {} {word} ", app.keymap.first(app.place(), *action));
    let always: String =
        [(Action::Palette, "command"), (Action::Help, "help"), (Action::Quit, "quit")].iter().map(hint).collect();
    let mut room = width.saturating_sub(always.trim_end().width());
    let own = own.iter().map(hint).map_while(|text| {
        room = room.checked_sub(text.width())?;
        Some(text)
    });
    own.collect::<String>() + &always
}

fn help(app: &App, frame: &mut Frame<'_>, from: usize) {
    let list = app.keymap.help(app.place());
    let row = |(keys, does): &(String, &'static str)| {
        Line::from(vec![Span::styled(format!("{keys:>13}  "), app.theme.title()), Span::raw(*does)])
    };
    let room = usize::from(frame.area().height.saturating_sub(4)).max(1);
    let from = from.min(list.len().saturating_sub(room));
    let title = if list.len() > room { " keys (j and k scroll) " } else { " keys " };
    let lines = list.iter().skip(from).take(room).map(row).collect();
    overlay(app, frame, title, lines, 68);
}

/// What one may answer who is asked: the key, what that does, and what more there is to say of it.
const ANSWERS: [(KeyCode, &str, &str, &str); 3] = [
    (KeyCode::Char('s'), "  s  ", "stop everything", ""),
    (KeyCode::Char('l'), "  l  ", "leave it running", "; `nagaya ui` shows it again"),
    (KeyCode::Esc, " Esc ", "stay", ""),
];

fn quit(app: &App, frame: &mut Frame<'_>) -> Vec<(Rect, Spot)> {
    let mut lines = vec![Line::from("Stop the workspace, or leave it running?"), Line::default()];
    let above = lines.len();
    let line =
        |(_, key, does, more)| Line::from(vec![Span::styled(key, app.theme.title()), Span::raw(does), Span::raw(more)]);
    lines.extend(ANSWERS.map(line));
    let inner = overlay(app, frame, " quit ", lines, 52);
    ANSWERS.into_iter().zip(above..).map(|((code, ..), row)| (row_of(inner, row), Spot::Answer(code))).collect()
}

/// Paints a box over the middle; the area in it.
fn overlay(app: &App, frame: &mut Frame<'_>, title: &'static str, lines: Vec<Line<'_>>, width: u16) -> Rect {
    let area = frame.area();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let width = width.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let block = Block::bordered().title(Span::styled(title, app.theme.title()));
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
    inner
}
