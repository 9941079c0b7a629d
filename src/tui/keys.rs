//! What each key means; the help is made from the same list.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key can mean outside of prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    SwitchPane,
    Zoom,
    Back,
    Search,
    NextMatch,
    PreviousMatch,
    Follow,
    Wrap,
    Start,
    Stop,
    Restart,
    Help,
    Quit,
    Interrupt,
}

/// An action, the keys for it as people call them, and what it does.
pub type Binding = (Action, &'static str, &'static str);

/// The list, in the order of the help.
pub const BINDINGS: [Binding; 20] = [
    (Action::Down, "j ↓", "next service, or one line down"),
    (Action::Up, "k ↑", "previous service, or one line up"),
    (Action::PageDown, "Ctrl-d PgDn", "a page down"),
    (Action::PageUp, "Ctrl-u PgUp", "a page up"),
    (Action::Top, "g Home", "to the top"),
    (Action::Bottom, "G End", "to the bottom"),
    (Action::SwitchPane, "Tab", "between services and logs"),
    (Action::Zoom, "Enter z", "the logs of this service alone"),
    (Action::Back, "Esc", "back"),
    (Action::Search, "/", "search the logs (a regular expression)"),
    (Action::NextMatch, "n", "next match"),
    (Action::PreviousMatch, "N", "previous match"),
    (Action::Follow, "f", "follow what comes"),
    (Action::Wrap, "w", "wrap long lines"),
    (Action::Start, "s", "start this service"),
    (Action::Stop, "x", "stop it"),
    (Action::Restart, "r", "restart it"),
    (Action::Help, "? F1", "this help"),
    (Action::Quit, "q", "leave"),
    (Action::Interrupt, "Ctrl-c", "stop all if it is yours, else leave; twice kills"),
];

/// What a key means.
pub fn action(key: KeyEvent) -> Option<Action> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Action::Interrupt,
        KeyCode::Char('d') if control => Action::PageDown,
        KeyCode::Char('u') if control => Action::PageUp,
        KeyCode::Char(_) if control => return None,
        KeyCode::Char('j') | KeyCode::Down => Action::Down,
        KeyCode::Char('k') | KeyCode::Up => Action::Up,
        KeyCode::PageDown => Action::PageDown,
        KeyCode::PageUp => Action::PageUp,
        KeyCode::Char('g') | KeyCode::Home => Action::Top,
        KeyCode::Char('G') | KeyCode::End => Action::Bottom,
        KeyCode::Tab | KeyCode::BackTab => Action::SwitchPane,
        KeyCode::Enter | KeyCode::Char('z' | 'l') => Action::Zoom,
        KeyCode::Esc => Action::Back,
        KeyCode::Char('/') => Action::Search,
        KeyCode::Char('n') => Action::NextMatch,
        KeyCode::Char('N') => Action::PreviousMatch,
        KeyCode::Char('f') => Action::Follow,
        KeyCode::Char('w') => Action::Wrap,
        KeyCode::Char('s') => Action::Start,
        KeyCode::Char('x') => Action::Stop,
        KeyCode::Char('r') => Action::Restart,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Help,
        KeyCode::Char('q') => Action::Quit,
        _ => return None,
    })
}
