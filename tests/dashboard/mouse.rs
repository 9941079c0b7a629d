//! Clicks, the wheel, and the keys that change what the terminal is for.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use nagaya::tui::{App, Ask, Ending, Msg, Page};
use ratatui::style::Modifier;

use super::fixture::{app, full_app, key, lines, ran, screen, terminal};

const DOWN: MouseEventKind = MouseEventKind::Down(MouseButton::Left);
const UP: MouseEventKind = MouseEventKind::Up(MouseButton::Left);

fn mouse(app: &mut App, kind: MouseEventKind, (column, row): (u16, u16)) -> Option<Ask> {
    app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

/// Where a text is on the screen, which is drawn for that.
fn find(app: &mut App, text: &str) -> (u16, u16) {
    let terminal = terminal(app, 100, 30);
    let buffer = terminal.backend().buffer();
    let rows = (0..30).map(|row| (0..100).map(|column| buffer[(column, row)].symbol()).collect::<String>());
    let found = rows.enumerate().find_map(|(row, line)| Some((line[..line.find(text)?].chars().count(), row)));
    let (column, row) = found.unwrap_or_else(|| panic!("no `{text}` on the screen"));
    (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
}

fn is_selected(app: &mut App, (column, row): (u16, u16)) -> bool {
    terminal(app, 100, 30).backend().buffer()[(column, row)].modifier.contains(Modifier::REVERSED)
}

#[test]
fn a_click_selects_a_row_and_a_name_leads_to_its_page() {
    let mut app = full_app();
    let users = find(&mut app, "users");
    assert_eq!(mouse(&mut app, DOWN, users), None);
    assert_eq!(mouse(&mut app, UP, users), None);
    assert_eq!(app.wants().logs, ["users"]);
    assert_eq!(app.message, None);
    for (tab, text) in [("5 r", "/svc/old"), ("3 t", "orders"), ("4 r", "/cart"), ("6 t", "npm"), ("4 r", "/users")] {
        let tab = find(&mut app, tab);
        mouse(&mut app, DOWN, tab);
        let row = find(&mut app, text);
        mouse(&mut app, DOWN, row);
        assert!(is_selected(&mut app, row), "{text}\n{}", screen(&mut app, 100, 30));
    }
    key(&mut app, KeyCode::Enter);
    let bar = find(&mut app, "  db");
    mouse(&mut app, DOWN, bar);
    assert!(is_selected(&mut app, bar), "{}", screen(&mut app, 100, 30));
    app.show(Page::Why("mailer".to_owned()));
    let blocker = find(&mut app, "orders must be");
    mouse(&mut app, DOWN, blocker);
    assert_eq!(app.subject().as_deref(), Some("orders"));
    // The list of a topology too.
    key(&mut app, KeyCode::Char('3'));
    key(&mut app, KeyCode::Char('v'));
    let node = find(&mut app, "ranking  idle");
    mouse(&mut app, DOWN, node);
    assert_eq!(app.subject().as_deref(), Some("ranking"));
}

#[test]
fn the_wheel_moves_what_is_under_it() {
    let mut app = full_app();
    let many = |_| lines().into_iter().map(|line| ("web".to_owned(), line));
    app.update(Msg::Lines(vec!["web".to_owned()], (0..20).flat_map(many).collect()));
    let table = find(&mut app, "users");
    mouse(&mut app, MouseEventKind::ScrollDown, table);
    assert_eq!(app.subject().as_deref(), Some("users"));
    mouse(&mut app, MouseEventKind::ScrollUp, table);
    app.update(Msg::Lines(vec!["web".to_owned()], (0..20).flat_map(many).collect()));
    let below = find(&mut app, "connection refused");
    mouse(&mut app, MouseEventKind::ScrollUp, below);
    assert_eq!(app.subject().as_deref(), Some("web"));
    assert!(screen(&mut app, 100, 30).contains("line 97 of 100"), "{}", screen(&mut app, 100, 30));
    mouse(&mut app, DOWN, below);
    assert!(app.in_logs(), "keys go to what was clicked");
    mouse(&mut app, DOWN, table);
    assert!(!app.in_logs());
    key(&mut app, KeyCode::Char('?'));
    mouse(&mut app, MouseEventKind::ScrollDown, table);
    assert!(screen(&mut app, 100, 30).contains(" keys "));
    mouse(&mut app, DOWN, table);
    assert!(!screen(&mut app, 100, 30).contains(" keys "));
}

#[test]
fn a_dialog_is_answered_by_a_click_on_an_answer_and_by_no_other() {
    let asked = || {
        let mut app = app(true, true);
        key(&mut app, KeyCode::Char('q'));
        app
    };
    let has_asked = |app: &mut App| screen(app, 80, 24).contains("Stop the workspace, or leave it running?");
    let mut app = asked();
    let below = find(&mut app, "users");
    for elsewhere in [below, find(&mut app, "Stop the workspace"), find(&mut app, "2 logs")] {
        assert_eq!(mouse(&mut app, DOWN, elsewhere), None);
    }
    assert!(has_asked(&mut app));
    assert_eq!(app.wants().logs, ["web"]);
    let stay = find(&mut app, "stay");
    assert_eq!(mouse(&mut app, DOWN, stay), None);
    assert!(!has_asked(&mut app));
    for (text, ask) in [("leave it running;", Ask::Leave), ("stop everything", Ask::Down)] {
        let mut app = asked();
        let answer = find(&mut app, text);
        assert_eq!(mouse(&mut app, DOWN, answer), Some(ask));
    }
    // Nothing is left of it where it was.
    let mut app = asked();
    let stop = find(&mut app, "stop everything");
    key(&mut app, KeyCode::Esc);
    screen(&mut app, 100, 30);
    assert_eq!(mouse(&mut app, DOWN, stop), None);
}

#[test]
fn clicks_take_suggestions_and_run_what_is_whole() {
    let mut app = full_app();
    key(&mut app, KeyCode::Char(':'));
    let restart = find(&mut app, "Start new instances");
    mouse(&mut app, MouseEventKind::ScrollDown, restart);
    let run = find(&mut app, "Run tasks");
    assert!(is_selected(&mut app, run), "{}", screen(&mut app, 100, 30));
    mouse(&mut app, MouseEventKind::ScrollUp, restart);
    assert_eq!(mouse(&mut app, DOWN, restart), None);
    let typed = |app: &mut App| screen(app, 100, 30).lines().last().unwrap().to_owned();
    assert!(typed(&mut app).contains(" :restart █"), "{}", typed(&mut app));
    // The first of them too: only Enter runs what stands there without one.
    let first = suggestion(&mut app, "web");
    assert_eq!(mouse(&mut app, DOWN, first), None);
    assert!(typed(&mut app).contains(" :restart web █"), "{}", typed(&mut app));
    // What is below it is not meant, and a word that stands there already is run.
    let below = find(&mut app, "5 routes");
    assert_eq!(mouse(&mut app, DOWN, below), None);
    key(&mut app, KeyCode::Backspace);
    let again = suggestion(&mut app, "web");
    assert_eq!(ran(mouse(&mut app, DOWN, again)).as_deref(), Some("restart web"));
    assert!(screen(&mut app, 100, 30).contains(" restart web "));
}

/// Where the palette has a word.
fn suggestion(app: &mut App, word: &str) -> (u16, u16) {
    let shown = screen(app, 100, 30);
    let from = shown.lines().position(|line| line.contains("┌ nagaya ")).expect("the palette is open");
    let row = shown.lines().skip(from).position(|line| line.contains(&format!("│ {word} "))).expect("it has the word");
    (3, u16::try_from(from + row).unwrap())
}

#[test]
fn who_wants_to_select_text_is_told_how() {
    let mut app = full_app();
    mouse(&mut app, DOWN, (5, 12));
    mouse(&mut app, UP, (25, 12));
    insta::assert_snapshot!("dragged", screen(&mut app, 80, 24));
    assert_eq!(key(&mut app, KeyCode::Char('m')), Some(Ask::Mouse(false)));
    assert!(screen(&mut app, 80, 24).contains("the mouse is the terminal's; m has clicks select here"));
    assert_eq!(key(&mut app, KeyCode::Char('m')), Some(Ask::Mouse(true)));
}

#[test]
fn plain_lines_are_left_by_the_key_that_asked_for_them() {
    let mut app = full_app();
    assert_eq!(key(&mut app, KeyCode::Char('S')), Some(Ask::Stream));
    let press = |code| KeyEvent::new(code, KeyModifiers::NONE);
    for code in [KeyCode::Char('S'), KeyCode::Esc, KeyCode::Enter, KeyCode::Char('q')] {
        assert!(app.leads_back(press(code)), "{code:?}");
    }
    assert!(!app.leads_back(press(KeyCode::Char('j'))));
    assert_eq!(app.interrupt(), Some(Ask::Down));
    assert_eq!(app.interrupt(), Some(Ask::Kill));
    app.update(Msg::Gone(Ending::Killed));
    insta::assert_snapshot!("gone", screen(&mut full_app_without_engine(), 80, 24));
    assert_eq!(key(&mut app, KeyCode::Char('S')), None);
    let mut other = super::fixture::app(false, true);
    assert_eq!(other.interrupt(), Some(Ask::Leave));
}

fn full_app_without_engine() -> App {
    let mut app = full_app();
    app.update(Msg::Gone(Ending::Killed));
    app
}

#[test]
fn cpu_is_asked_for_only_while_it_is_shown() {
    let mut app = full_app();
    assert!(app.wants().usage);
    for page in "23456".chars() {
        key(&mut app, KeyCode::Char(page));
        assert!(!app.wants().usage, "page {page}");
    }
}
