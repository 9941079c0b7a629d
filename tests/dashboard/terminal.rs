//! The terminal of a service on a page: what is drawn there, and whom keys are for.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use nagaya::tui::{App, Ask, Ending, Msg, Seat, TerminalTold, frame};
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};

use super::fixture::{app, full_app, key, noon, row, rows, screen, terminal, type_text};

fn seat() -> Seat {
    app_seat(&mut attaching()).0
}

fn app_seat(app: &mut App) -> (Seat, (u16, u16)) {
    app.wants().terminal.expect("a terminal is wanted")
}

/// Its terminal is asked for, in a screen of 80 by 24.
fn attaching() -> App {
    let mut app = full_app();
    assert_eq!(key(&mut app, KeyCode::Char('a')), None);
    assert_eq!(app.wants().terminal, None, "nobody knows how large it is");
    screen(&mut app, 80, 24);
    app
}

fn tell(app: &mut App, told: TerminalTold) -> Option<Ask> {
    let seat = seat();
    app.update(Msg::Terminal(seat, told))
}

fn attached() -> App {
    let mut app = attaching();
    tell(&mut app, TerminalTold::Begun(true));
    app
}

fn drawn(app: &mut App, bytes: &str) -> Option<Ask> {
    tell(app, TerminalTold::Drawn(bytes.as_bytes().to_vec()))
}

fn control(app: &mut App, c: char) -> Option<Ask> {
    app.update(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
}

#[test]
fn it_is_drawn_as_its_program_draws_it() {
    let mut app = attached();
    drawn(
        &mut app,
        "\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3;48;5;7mtrue\x1b[m 長屋 e\u{301}\r\n\x1b[7mmore\x1b[m\x1b[5;10Hhere",
    );
    for (width, height) in [(80, 24), (160, 50)] {
        insta::assert_snapshot!(format!("terminal_{width}x{height}"), screen(&mut app, width, height));
    }
    let mut shown = terminal(&mut app, 80, 24);
    let cell = |x: u16, y: u16| shown.backend().buffer()[(x, y)].clone();
    assert_eq!((cell(1, 2).fg, cell(1, 2).modifier), (Color::Indexed(1), Modifier::BOLD));
    assert_eq!((cell(5, 2).fg, cell(5, 2).bg), (Color::Rgb(1, 2, 3), Color::Indexed(7)));
    assert_eq!((cell(10, 2).symbol(), cell(15, 2).symbol()), ("長", "e\u{301}"));
    assert!(cell(1, 3).modifier.contains(Modifier::REVERSED));
    assert_eq!(shown.get_cursor_position().unwrap(), ratatui::layout::Position { x: 14, y: 6 });
    // A program that takes the whole screen gives it back.
    drawn(&mut app, "\x1b[?1049h\x1b[2J\x1b[Hfull of windows");
    let full = screen(&mut app, 80, 24);
    assert!(full.contains("full of windows") && !full.contains("here"), "{full}");
    drawn(&mut app, "\x1b[?1049l");
    assert!(screen(&mut app, 80, 24).contains("here"));
}

#[test]
fn what_terminals_find_differently_wide_is_whole_where_there_is_room_for_the_widest() {
    // A family, a flag, a heart, a key and a thumb: each one character for some terminals and several for others.
    const TEXT: &str = "👩\u{200d}👩\u{200d}👧 🇯🇵 ❤\u{fe0f} 1\u{fe0f}\u{20e3} 👍🏽 e\u{301} 長";
    let check = |app: &mut App| {
        let shown = terminal(app, 80, 24).backend().to_string();
        assert!(TEXT.split(' ').all(|whole| shown.contains(whole)), "{shown}");
    };
    let mut app = attached();
    drawn(&mut app, TEXT);
    check(&mut app);
    // The same in a log.
    let mut app = full_app();
    let mut line = super::fixture::lines().remove(0);
    TEXT.clone_into(&mut line.text);
    app.update(Msg::Lines(vec!["web".to_owned()], vec![("web".to_owned(), line.clone())]));
    check(&mut app);
    // At the edge only what is sure: there a terminal might go on in the next row.
    line.text = format!("{}👩\u{200d}👧", "x".repeat(63));
    app.update(Msg::Lines(vec!["web".to_owned()], vec![("web".to_owned(), line)]));
    let shown = terminal(&mut app, 80, 24).backend().to_string();
    assert!(shown.contains("x👩│"), "{shown}");
}

#[test]
fn without_colours_it_has_none() {
    let mut app = app(true, false);
    key(&mut app, KeyCode::Char('a'));
    screen(&mut app, 80, 24);
    tell(&mut app, TerminalTold::Begun(true));
    drawn(&mut app, "\x1b[1;31;42mred");
    let shown = terminal(&mut app, 80, 24);
    let cell = &shown.backend().buffer()[(1, 2)];
    assert_eq!((cell.fg, cell.bg, cell.modifier), (Color::Reset, Color::Reset, Modifier::BOLD));
}

#[test]
fn all_keys_are_for_the_program_but_the_one_that_detaches() {
    let mut app = attached();
    let typed = |text: &str| Some(Ask::Type(text.as_bytes().to_vec()));
    assert_eq!(key(&mut app, KeyCode::Char('q')), typed("q"));
    assert_eq!(key(&mut app, KeyCode::Esc), typed("\x1b"));
    assert_eq!(control(&mut app, 'c'), typed("\x03"));
    assert_eq!(control(&mut app, 'p'), typed("\x10"));
    assert_eq!(key(&mut app, KeyCode::Up), typed("\x1b[A"));
    drawn(&mut app, "\x1b[?1h");
    assert_eq!(key(&mut app, KeyCode::Up), typed("\x1bOA"));
    // Where it is, and what a terminal can do, is asked of terminals.
    drawn(&mut app, "\x1b[3;4H");
    assert_eq!(drawn(&mut app, "\x1b[6n\x1b[c"), typed("\x1b[3;4R\x1b[?62;22c"));
    assert_eq!(control(&mut app, 'q'), None);
    assert_eq!(app.wants().terminal, None);
    assert_eq!(key(&mut app, KeyCode::Char('r')), Some(Ask::Restart("web".to_owned())));
}

#[test]
fn it_has_the_size_of_its_pane() {
    let mut app = attached();
    assert_eq!(app_seat(&mut app).1, (20, 78));
    drawn(&mut app, &(1..20).map(|n| format!("line {n}\r\n")).collect::<String>());
    drawn(&mut app, "$ typed");
    let small = screen(&mut app, 60, 14);
    assert_eq!(app_seat(&mut app).1, (10, 58));
    assert!(small.contains("line 19") && small.contains("$ typed") && !small.contains("line 9 "), "{small}");
    screen(&mut app, 160, 50);
    assert_eq!(app_seat(&mut app).1, (46, 158));
}

#[test]
fn what_has_left_the_screen_is_seen_with_the_wheel() {
    let mut app = attached();
    drawn(&mut app, &(1..60).map(|n| format!("line {n}.\r\n")).collect::<String>());
    let wheel = |app: &mut App, kind| {
        app.update(Msg::Mouse(MouseEvent { kind, column: 9, row: 9, modifiers: KeyModifiers::NONE }))
    };
    assert!(!screen(&mut app, 80, 24).contains("line 40."));
    assert_eq!(wheel(&mut app, MouseEventKind::ScrollUp), None);
    let above = screen(&mut app, 80, 24);
    assert!(above.contains("line 40.") && !above.contains("line 59."), "{above}");
    // Whoever types looks at what is typed.
    key(&mut app, KeyCode::Char('x'));
    assert!(screen(&mut app, 80, 24).contains("line 59."));
    // What has the whole screen scrolls by itself, and a program that wants clicks has them.
    let typed = |text: &str| Some(Ask::Type(text.as_bytes().to_vec()));
    drawn(&mut app, "\x1b[?1049h");
    assert_eq!(wheel(&mut app, MouseEventKind::ScrollDown), typed("\x1b[B\x1b[B\x1b[B"));
    let down = MouseEventKind::Down(MouseButton::Left);
    assert_eq!(wheel(&mut app, down), None);
    drawn(&mut app, "\x1b[?1000h\x1b[?1006h");
    assert_eq!(wheel(&mut app, down), typed("\x1b[<0;9;8M"));
}

#[test]
fn one_that_ends_is_told_of_and_the_next_run_is_attached_to() {
    let mut app = attached();
    drawn(&mut app, "last words");
    tell(&mut app, TerminalTold::Over);
    let over = screen(&mut app, 80, 24);
    assert!(over.contains("last words") && over.contains("it has ended") && over.contains("r restart"), "{over}");
    assert_eq!(key(&mut app, KeyCode::Char('r')), Some(Ask::Restart("web".to_owned())));
    let again = json!({ "started": "2026-11-21T12:01:00Z" });
    app.update(rows(vec![row("web", "running", None, &again)]));
    let (next, _) = app_seat(&mut app);
    assert_eq!(next.started, "2026-11-21T12:01:00Z");
    // Of the run before nothing is taken any more.
    drawn(&mut app, "too late");
    app.update(Msg::Terminal(next.clone(), TerminalTold::Begun(true)));
    app.update(Msg::Terminal(next, TerminalTold::Drawn(b"first words".to_vec())));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("first words") && !shown.contains("too late") && !shown.contains("last words"), "{shown}");
    app.update(Msg::Gone(Ending::Killed));
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Close), "nobody reads keys any more");
}

#[test]
fn what_has_no_terminal_is_typed_to_in_lines_or_not_at_all() {
    let mut app = attaching();
    tell(&mut app, TerminalTold::Begun(false));
    assert_eq!(app.wants().logs, ["web"]);
    type_text(&mut app, "a line");
    assert_eq!(key(&mut app, KeyCode::Enter), Some(Ask::Type(b"a line\n".to_vec())));
    type_text(&mut app, "next");
    assert_eq!(key(&mut app, KeyCode::Enter), Some(Ask::Type(b"next\n".to_vec())));
    key(&mut app, KeyCode::Esc);
    assert_eq!(app.wants().terminal, None);
    let mut app = attaching();
    tell(&mut app, TerminalTold::Refused("web has no terminal, and reads nothing".to_owned()));
    assert_eq!(app.wants().terminal, None);
    assert!(screen(&mut app, 80, 24).contains("web has no terminal"));
}

#[test]
fn whoever_has_a_terminal_is_offered_it() {
    let mut app = full_app();
    assert!(!screen(&mut app, 80, 24).contains("a its terminal"));
    app.update(rows(vec![row("web", "running", None, &json!({ "attachable": true }))]));
    assert!(screen(&mut app, 80, 24).contains("a its terminal"));
    app.update(rows(vec![row("web", "stopped", None, &json!({ "attachable": true }))]));
    assert!(!screen(&mut app, 80, 24).contains("a its terminal"));
}

#[test]
fn the_palette_attaches_too() {
    let mut app = full_app();
    let two = [1, 2].map(|number| row("web", "running", None, &json!({ "instance": number })));
    app.update(rows([two.to_vec(), vec![row("off", "stopped", None, &Value::Null)]].concat()));
    let typed = |app: &mut App, text: &str| {
        type_text(app, text);
        assert_eq!(key(app, KeyCode::Enter), None);
        screen(app, 80, 24);
        let to = app.wants().terminal.map(|(seat, _)| (seat.service, seat.instance));
        (to, app.message.clone().unwrap_or_default())
    };
    for (text, to) in [(":attach ", 1), (":attach web --index 2", 2), (":attach --index 1 web", 1)] {
        assert_eq!(typed(&mut app, text), (Some(("web".to_owned(), to)), String::new()), "{text}");
        key(&mut app, KeyCode::Esc);
    }
    for (text, why) in [
        (":attach nobody", "there is no service or instance `nobody`"),
        (":attach web --index 3", "there is no service or instance `web#3`"),
        (":attach web --index x", "`attach SERVICE` or `attach SERVICE --index N`"),
        (":attach off", "off does not run; s starts it"),
    ] {
        assert_eq!(typed(&mut app, text), (None, why.to_owned()), "{text}");
    }
}

/// Each on a line of its own, as the emulation has parts of them in cells of their own.
#[test]
fn what_is_joined_of_several_characters_is_drawn_whole() {
    let mut app = attaching();
    tell(&mut app, TerminalTold::Begun(true));
    drawn(&mut app, "a👩\u{200d}💻b\r\n🇩🇪c\r\n❤\u{fe0f} d\r\n❤\u{fe0f}e\r\n👍🏽f\r\n長屋g");
    let buffer = frame(&mut app, (80, 24), noon());
    let row = |y: u16, count: u16| (1..=count).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<Vec<_>>();
    assert_eq!(row(2, 6), ["a", "👩\u{200d}💻", " ", " ", " ", "b"]);
    assert_eq!(row(3, 3), ["🇩🇪", " ", "c"]);
    assert_eq!(row(4, 3), ["❤\u{fe0f}", " ", "d"]);
    assert_eq!(row(5, 2), ["❤", "e"], "there is no room for what terminals make of it");
    assert_eq!(row(6, 5), ["👍🏽", " ", " ", " ", "f"]);
    assert_eq!(row(7, 5), ["長", " ", "屋", " ", "g"]);
}
