//! The terminal of a service as it is: what its program draws is drawn here, and keys go to it until one detaches.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use vt100::Screen;

use super::app::{App, Ask, Over};
use super::draw::border;
use super::encode;
use super::keys::Action;
use super::logs;
use super::page::Page;
use super::prompt::{For, Prompt};
use super::text::fit;
use crate::view::label;

/// Lines that are kept for scrolling back.
const KEPT: usize = 2000;
/// A program that has the whole screen is told of the wheel by so many arrow keys.
const STEP: usize = 3;
/// A screen of less has nothing to show.
const LEAST: u16 = 2;

/// A run of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub service: String,
    pub instance: u32,
    /// When it started, as its row has it.
    pub started: String,
}

/// What comes of attaching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// There is a terminal; else an input alone.
    Begun(bool),
    Drawn(Vec<u8>),
    /// Its program draws no more.
    Over,
    /// Nobody can attach, and why.
    Refused(String),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Coming,
    /// Keys go there.
    Live,
    /// Lines go there.
    Input,
    Over,
}

/// The page.
#[derive(Default)]
pub struct Attached {
    state: State,
    /// What is shown; nothing before the room for it is known.
    shown: Option<vt100::Parser<Answers>>,
    /// Where it is on the screen, as last drawn.
    area: Rect,
}

impl fmt::Debug for Attached {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Attached").field("state", &self.state).field("area", &self.area).finish_non_exhaustive()
    }
}

/// What a program is answered that asks its terminal something.
#[derive(Default)]
struct Answers(Vec<u8>);

impl vt100::Callbacks for Answers {
    fn unhandled_csi(&mut self, screen: &mut Screen, sign: Option<u8>, _: Option<u8>, asked: &[&[u16]], end: char) {
        let first = asked.first().and_then(|it| it.first()).copied().unwrap_or(0);
        match (sign, end, first) {
            (None, 'n', 5) => self.0.extend(b"\x1b[0n"),
            (None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                self.0.extend(format!("\x1b[{};{}R", row + 1, column + 1).bytes());
            }
            // A VT220 with colours.
            (None, 'c', 0) => self.0.extend(b"\x1b[?62;22c"),
            (Some(b'>'), 'c', 0) => self.0.extend(b"\x1b[>0;0;0c"),
            (None, 't', 18) => {
                let (rows, columns) = screen.size();
                self.0.extend(format!("\x1b[8;{rows};{columns}t").bytes());
            }
            _ => {}
        }
    }
}

impl Attached {
    fn screen(&self) -> Option<&Screen> {
        self.shown.as_ref().map(vt100::Parser::screen)
    }

    /// Rows and columns, once they are known.
    fn size(&self) -> Option<(u16, u16)> {
        self.screen().map(Screen::size)
    }

    /// Takes on the size of the room that there is.
    fn fit(&mut self, area: Rect) {
        self.area = area;
        let (rows, columns) = (area.height.max(LEAST), area.width.max(LEAST));
        let Some(shown) = &mut self.shown else {
            self.shown = Some(vt100::Parser::new_with_callbacks(rows, columns, KEPT, Answers::default()));
            return;
        };
        if shown.screen().size() == (rows, columns) {
            return;
        }
        let below = (shown.screen().cursor_position().0 + 1).saturating_sub(rows);
        if below > 0 && !shown.screen().alternate_screen() {
            // The line that is typed stays in sight.
            shown.process(format!("\x1b[{below}S\x1b[{below}A").as_bytes());
        }
        shown.screen_mut().set_size(rows, columns);
    }

    /// Takes in what was drawn; what the program is to be answered.
    fn draw(&mut self, drawn: &[u8]) -> Vec<u8> {
        let Some(shown) = &mut self.shown else { return Vec::new() };
        shown.process(drawn);
        std::mem::take(&mut shown.callbacks_mut().0)
    }

    /// Nothing was drawn yet.
    fn clear(&mut self) {
        if let Some((rows, columns)) = self.size() {
            self.shown = Some(vt100::Parser::new_with_callbacks(rows, columns, KEPT, Answers::default()));
        }
    }

    /// Moves through what has left the screen; down is towards what comes.
    pub fn scroll(&mut self, by: isize) {
        if let Some(shown) = &mut self.shown {
            let to = shown.screen().scrollback().min(KEPT).saturating_add_signed(by.saturating_neg()).min(KEPT);
            shown.screen_mut().set_scrollback(to);
        }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen().map(Screen::contents).unwrap_or_default()
    }
}

impl App {
    /// Attaches to a service, to the instance of this number or the one that stands for it.
    pub(super) fn attach(&mut self, service: &str, instance: Option<u32>) {
        let group = self.group(service);
        let row = group.and_then(|group| match instance {
            Some(instance) => group.0.iter().find(|row| row.instance == instance),
            None => group.lead(),
        });
        let Some(row) = row else {
            self.message = Some(format!("there is no service or instance `{}`", label(service, instance.unwrap_or(1))));
            return;
        };
        if row.started.is_none() {
            let key = self.keymap.first(self.place(), Action::Start);
            self.message = Some(format!("{} does not run; {key} starts it", row.label()));
            return;
        }
        let page = Page::Terminal(row.name.clone(), row.instance);
        self.attached = Attached::default();
        self.trail.open(page);
    }

    /// Whose keys they are while one is attached.
    pub(super) fn keys_are_of(&self) -> Option<&str> {
        match self.trail.top() {
            Page::Terminal(service, _) if self.attached.state == State::Live && self.gone.is_none() => Some(service),
            _ => None,
        }
    }

    /// What is attached to, and with how many rows and columns.
    pub(super) fn seat(&self) -> Option<(Seat, (u16, u16))> {
        let Page::Terminal(service, instance) = self.trail.top() else { return None };
        let row = self.services.iter().find(|row| row.name == *service && row.instance == *instance)?;
        let seat = Seat { service: service.clone(), instance: *instance, started: row.started.clone()? };
        self.attached.size().map(|size| (seat, size))
    }

    /// Whether the lines of a service are shown in the place of a terminal that it has not.
    pub(super) fn has_input(&self) -> bool {
        self.attached.state == State::Input
    }

    /// Takes a key for the program.
    pub(super) fn type_there(&mut self, key: KeyEvent) -> Option<Ask> {
        if self.keymap.action(self.place(), key) == Some(Action::Detach) {
            return self.act(Action::Detach);
        }
        self.attached.scroll(isize::MAX);
        let typed = encode::key(key, self.attached.screen()?);
        (!typed.is_empty()).then_some(Ask::Type(typed))
    }

    /// Takes what was pasted for the program.
    pub(super) fn paste_there(&mut self, text: &str) -> Option<Ask> {
        self.attached.scroll(isize::MAX);
        let typed = encode::pasted(text, self.attached.screen()?);
        (!typed.is_empty()).then_some(Ask::Type(typed))
    }

    /// Whether the mouse is over what the program draws.
    pub(super) fn is_over_terminal(&self, event: MouseEvent) -> bool {
        self.attached.area.contains(Position { x: event.column, y: event.row })
    }

    /// Takes what the mouse did in the terminal.
    pub(super) fn mouse_there(&mut self, event: MouseEvent) -> Option<Ask> {
        let area = self.attached.area;
        let screen = self.attached.screen()?;
        let typed = encode::mouse(event, (event.column - area.x, event.row - area.y), screen);
        if !typed.is_empty() {
            return Some(Ask::Type(typed));
        }
        let (by, arrow) = match event.kind {
            MouseEventKind::ScrollUp => (-1, KeyCode::Up),
            MouseEventKind::ScrollDown => (1, KeyCode::Down),
            _ => return None,
        };
        if screen.alternate_screen() {
            return Some(Ask::Type(encode::key(KeyEvent::new(arrow, KeyModifiers::NONE), screen).repeat(STEP)));
        }
        self.attached.scroll(by * isize::try_from(STEP).unwrap_or(1));
        None
    }

    /// Takes in what came of attaching.
    pub(super) fn told_of_terminal(&mut self, of: &Seat, told: Told) -> Option<Ask> {
        if self.seat().is_none_or(|(seat, _)| seat != *of) {
            return None;
        }
        match told {
            Told::Begun(true) => {
                self.attached.clear();
                self.attached.state = State::Live;
            }
            Told::Begun(false) => {
                self.attached.state = State::Input;
                self.over = Over::Prompt(Prompt::new(For::Input));
            }
            Told::Drawn(drawn) => {
                let answer = self.attached.draw(&drawn);
                return (!answer.is_empty()).then_some(Ask::Type(answer));
            }
            Told::Refused(why) if self.attached.state == State::Coming => {
                self.trail.back();
                self.message = Some(why);
            }
            Told::Over | Told::Refused(_) => {
                if matches!(self.over, Over::Prompt(Prompt { what: For::Input, .. })) {
                    self.over = Over::Nothing;
                }
                self.attached.state = State::Over;
            }
        }
        None
    }
}

/// Paints it.
pub fn draw(app: &mut App, frame: &mut Frame<'_>, area: Rect, service: &str) {
    let key = app.keymap.first(app.place(), Action::Detach);
    let word = match app.attached.state {
        State::Coming => "attaching".to_owned(),
        State::Live => format!("{key} detaches"),
        State::Input => "Esc detaches".to_owned(),
        State::Over => "it has ended".to_owned(),
    };
    let title = fit(service, usize::from(area.width).saturating_sub(24));
    let block = Block::bordered()
        .border_style(border(app, true))
        .title(Span::styled(format!(" {title} "), app.theme.title()))
        .title(Line::from(Span::styled(format!(" {word} "), app.theme.faint())).right_aligned());
    let inner = block.inner(area);
    app.attached.fit(inner);
    if app.attached.state == State::Input {
        return logs::draw(app, frame, area);
    }
    frame.render_widget(block, area);
    let Some(screen) = app.attached.screen() else { return };
    paint(screen, app.theme.colors, frame, inner);
    app.page = usize::from(inner.height).max(1);
    let (row, column) = screen.cursor_position();
    let is_seen = !screen.hide_cursor() && screen.scrollback() == 0 && row < inner.height && column < inner.width;
    if is_seen && app.over == Over::Nothing && app.keys_are_of().is_some() {
        frame.set_cursor_position((inner.x + column, inner.y + row));
    }
}

fn paint(screen: &Screen, colors: bool, frame: &mut Frame<'_>, area: Rect) {
    for (row, y) in (area.top()..area.bottom()).enumerate() {
        let row = u16::try_from(row).unwrap_or(u16::MAX);
        let mut column = 0;
        while column < area.width {
            let Some(cell) = screen.cell(row, column) else { break };
            let (symbol, taken) = whole(screen, (row, column), area.width);
            // What is wide has its second cell too, and what was joined those of its parts.
            let symbols = std::iter::once(symbol.as_str()).chain(std::iter::repeat(" "));
            for (at, symbol) in (column..column + taken).zip(symbols) {
                if let Some(place) = frame.buffer_mut().cell_mut(Position { x: area.x + at, y }) {
                    place.set_symbol(symbol).set_style(style(cell, colors));
                }
            }
            column += taken;
        }
    }
}

/// What begins in a cell, as people see it, and how many cells it has: each part of emoji that are joined and of flags has
/// its own there, and what only a selector makes wide has one.
fn whole(screen: &Screen, (row, column): (u16, u16), columns: u16) -> (String, u16) {
    let cell = |column: u16| screen.cell(row, column).filter(|_| column < columns);
    let first = cell(column).map(vt100::Cell::contents).unwrap_or_default();
    let is_wide = |column: u16| cell(column).is_some_and(vt100::Cell::is_wide);
    let mut taken = 1 + u16::from(is_wide(column));
    if first.is_empty() || column + taken > columns {
        return (" ".to_owned(), 1);
    }
    let mut text = first.to_owned();
    while let Some(next) = cell(column + taken).filter(|next| !next.contents().is_ascii()) {
        let joined = format!("{text}{}", next.contents());
        if joined.graphemes(true).count() > 1 {
            break;
        }
        text = joined;
        taken += 1 + u16::from(is_wide(column + taken));
    }
    if text.width() > usize::from(taken) {
        match cell(column + taken).is_some_and(|next| next.contents().trim().is_empty()) {
            true => taken += 1,
            false => text = first.chars().take(1).collect(),
        }
    }
    (text, taken.min(columns - column))
}

fn style(cell: &vt100::Cell, colors: bool) -> Style {
    let modifiers = [
        (cell.bold(), Modifier::BOLD),
        (cell.dim(), Modifier::DIM),
        (cell.italic(), Modifier::ITALIC),
        (cell.underline(), Modifier::UNDERLINED),
        (cell.inverse(), Modifier::REVERSED),
    ];
    let held = modifiers.into_iter().filter(|(is_on, _)| *is_on).map(|(_, it)| it);
    let style = Style::new().add_modifier(held.collect());
    if colors { style.fg(color(cell.fgcolor())).bg(color(cell.bgcolor())) } else { style }
}

fn color(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(number) => Color::Indexed(number),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
