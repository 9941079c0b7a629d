//! What the mouse does: a click goes to what is under it, the wheel moves. What is where is noted while it is drawn.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::app::{App, Ask, Over, Pane};
use super::keys::Action;
use super::network::Network;
use super::page::Page;

/// Lines of text for a step of the wheel.
const STEP: isize = 3;

/// Something that can be pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The name of the page of this number, from 0.
    Tab(usize),
    /// One of the two panes of the services.
    Pane(Pane),
    /// The row of what has this place in the list of the page.
    Row(usize),
    /// The suggestion of this place, in the palette.
    Suggestion(usize),
    /// An answer in a dialog, by its key.
    Answer(KeyCode),
}

/// What is where, as last drawn.
#[derive(Debug, Default)]
pub struct Spots(Vec<(Rect, Spot)>);

impl Spots {
    /// Forgets all, before the next frame.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Notes what was drawn.
    pub fn add(&mut self, spots: impl IntoIterator<Item = (Rect, Spot)>) {
        self.0.extend(spots);
    }

    /// What is at a cell; of what lies in another, both.
    fn at(&self, at: Position) -> Vec<Spot> {
        self.0.iter().filter(|(area, _)| area.contains(at)).map(|(_, spot)| spot.clone()).collect()
    }
}

/// A row of an area, counted from its top; empty where it has no such row.
pub fn row_of(area: Rect, row: usize) -> Rect {
    let row = u16::try_from(row).unwrap_or(u16::MAX);
    Rect { y: area.y.saturating_add(row), height: u16::from(row < area.height), ..area }
}

impl App {
    /// Takes what the mouse did.
    pub(super) fn mouse(&mut self, event: MouseEvent) -> Option<Ask> {
        if self.over == Over::Nothing && self.keys_are_of().is_some() && self.is_over_terminal(event) {
            return self.mouse_there(event);
        }
        let at = Position { x: event.column, y: event.row };
        let by = match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.pressed = Some(at);
                return self.click(at);
            }
            MouseEventKind::Up(MouseButton::Left) => {
                // Who draws over text wants to select it, and is told how.
                if self.pressed.take().is_some_and(|from| from != at) {
                    let key = self.keymap.first(self.place(), Action::Mouse);
                    self.message =
                        Some(format!("Shift with the mouse selects text; {key} leaves the mouse to the terminal"));
                }
                return None;
            }
            MouseEventKind::ScrollUp => -1,
            MouseEventKind::ScrollDown => 1,
            _ => return None,
        };
        self.wheel(at, by);
        None
    }

    fn click(&mut self, at: Position) -> Option<Ask> {
        self.message = None;
        match self.over {
            Over::Nothing => {}
            Over::Help(_) => {
                self.over = Over::Nothing;
                return None;
            }
            Over::Quit | Over::Prompt(_) => return self.click_over(at),
        }
        for spot in self.spots.at(at) {
            match spot {
                Spot::Tab(number) => return self.act(Action::Go(number)),
                Spot::Pane(pane) => self.pane = pane,
                Spot::Row(place) => self.select(place),
                Spot::Suggestion(_) | Spot::Answer(_) => {}
            }
        }
        None
    }

    /// A click while something lies over the page: what is below cannot be meant.
    fn click_over(&mut self, at: Position) -> Option<Ask> {
        match self.spots.at(at).pop()? {
            Spot::Answer(code) => self.key(KeyEvent::new(code, KeyModifiers::NONE)),
            Spot::Suggestion(place) => self.pick(place),
            Spot::Tab(_) | Spot::Pane(_) | Spot::Row(_) => None,
        }
    }

    fn wheel(&mut self, at: Position, by: isize) {
        match &self.over {
            Over::Nothing => {}
            Over::Help(from) => {
                self.over = Over::Help(self.help_at(from.saturating_add_signed(by)));
                return;
            }
            Over::Prompt(prompt) => return self.go_suggestions(prompt.clone(), by),
            Over::Quit => return,
        }
        match self.trail.top() {
            // What is under the pointer moves, wherever keys go.
            Page::Services if self.spots.at(at).contains(&Spot::Pane(Pane::Logs)) => self.logs.scroll(by * STEP),
            Page::Services => self.go_services(by),
            Page::Logs(_) | Page::Output | Page::Terminal(..) => self.go(by * STEP),
            _ => self.go(by),
        }
    }

    /// Selects what has this place in the list of this page.
    fn select(&mut self, place: usize) {
        let here = match self.trail.top() {
            Page::Services => self.place_shown().unwrap_or(0),
            Page::Why(_) => self.why.selected(),
            Page::Topology => self.topology.place(&Network::new(self)),
            Page::Requests => self.requests.place(),
            Page::Trace(_) => self.requests.bar(),
            Page::Routes => self.routes.selected(),
            Page::Tasks => self.tasks.selected(),
            Page::Logs(_) | Page::Output | Page::Terminal(..) => return,
        };
        let by = isize::try_from(place).unwrap_or(isize::MAX) - isize::try_from(here).unwrap_or(isize::MAX);
        match self.trail.top() {
            Page::Services => self.go_services(by),
            _ => self.go(by),
        }
    }
}
