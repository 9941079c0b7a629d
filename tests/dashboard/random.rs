//! Random keys and messages: no panic, and a way back from everywhere.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use nagaya::runtime::Changes;
use nagaya::tui::{App, Ask, Ending, Kept, Msg, TerminalTold};
use serde_json::{Value, json};

use super::fixture::{
    explanation, flow, full_app, graph, key, lines, newest, request, requests, routes, row, screen, services, tasks,
};
use crate::support::sandbox::full;

const CODES: [KeyCode; 12] = [
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Tab,
    KeyCode::Backspace,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Home,
    KeyCode::End,
];

fn random_key(random: &mut fastrand::Rng) -> KeyEvent {
    let code = match random.u8(..10) {
        0..=5 => KeyCode::Char(char::from(random.u8(32..127))),
        6 => KeyCode::Char(random.choice(['長', 'é', '\u{301}', '\u{202e}', '🏠']).unwrap()),
        _ => CODES[random.usize(..CODES.len())],
    };
    let modifiers = if random.u8(..10) == 0 { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
    KeyEvent::new(code, modifiers)
}

fn random_mouse(random: &mut fastrand::Rng) -> MouseEvent {
    let kinds = [
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::Moved,
    ];
    // Beyond the screen too: it may have become smaller since.
    let (column, row) = (random.u16(..220), random.u16(..70));
    MouseEvent { kind: kinds[random.usize(..kinds.len())], column, row, modifiers: KeyModifiers::NONE }
}

/// What an engine may tell at any time.
fn random_msg(app: &App, random: &mut fastrand::Rng) -> Msg {
    match random.u8(..13) {
        0 => {
            let mut rows = services();
            random.shuffle(&mut rows);
            rows.truncate(random.usize(..=rows.len()));
            Msg::Rows(Changes { version: 1, whole: random.bool(), services: rows, notices: Vec::new() })
        }
        1 => Msg::Flow(flow()),
        2 => {
            let lines = lines().into_iter().map(|line| ("web".to_owned(), line)).collect();
            match app.wants().logs_from {
                Some(time) => Msg::LinesFrom(time, app.wants().logs, lines),
                None => Msg::Lines(app.wants().logs, lines),
            }
        }
        3 => Msg::Why(app.wants().why.unwrap_or_default(), Box::new(Ok(explanation()))),
        4 => Msg::Graph(if random.bool() { graph() } else { nagaya::view::Graph::default() }),
        5 => Msg::Requests { first: random.bool(), requests: requests() },
        6 => Msg::Routes(if random.bool() { routes() } else { nagaya::tui::RoutesTold::default() }),
        7 => Msg::Tasks(if random.bool() { Ok(tasks()) } else { Err("no tasks".to_owned()) }),
        8 => random_told(app, random),
        10 => Msg::Kept(vec![("nagaya:migrate".to_owned(), Kept::There), ("npm:test".to_owned(), Kept::Changed)]),
        11 => Msg::Gone(Ending::Killed),
        9 => Msg::Output(newest(app), vec!["a line\tof \x1b[1moutput".to_owned()]),
        _ => Msg::Ended(random.u64(..=newest(app)), if random.bool() { Some(0) } else { None }),
    }
}

/// What a program may draw: everything.
fn random_drawn(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..random.u8(..20) {
        match random.u8(..6) {
            0 => out.extend(std::iter::repeat_with(|| random.u8(..)).take(8)),
            1 => out.extend("長屋 e\u{301}🏠\r\n\t".bytes()),
            2 => out.extend(b"\x1b[?1049h\x1b[?1000h\x1b[?1006h"),
            3 => out.extend(b"\x1b[?1049l"),
            4 => out.extend([0x1b, random.choice(*b"78DEHMcZ").unwrap_or(b'c')]),
            _ => {
                let number = |random: &mut fastrand::Rng| random.choice([0, 1, 2, 5, 79, 300, 65535]).unwrap_or(0);
                let (one, other) = (number(random), number(random));
                let end = char::from(random.u8(b'@'..=b'~'));
                out.extend(format!("\x1b[{one};{other}{end}").bytes());
            }
        }
    }
    out
}

fn random_told(app: &App, random: &mut fastrand::Rng) -> Msg {
    let Some((seat, _)) = app.wants().terminal else { return Msg::Told("a word".to_owned()) };
    let told = match random.u8(..20) {
        0 => TerminalTold::Over,
        1 => TerminalTold::Refused("it cannot be had".to_owned()),
        2 => TerminalTold::Begun(false),
        3..=5 => TerminalTold::Begun(true),
        _ => TerminalTold::Drawn(random_drawn(random)),
    };
    Msg::Terminal(seat, told)
}

#[test]
fn no_key_is_one_too_many() {
    let events = if full() { 1_000_000 } else { 30_000 };
    let mut random = fastrand::Rng::with_seed(8);
    let mut app = full_app();
    for event in 0..events {
        let msg = match random.u8(..8) {
            0 => random_msg(&app, &mut random),
            1 => Msg::Mouse(random_mouse(&mut random)),
            _ => Msg::Key(random_key(&mut random)),
        };
        if matches!(app.update(msg), Some(Ask::Leave | Ask::Close)) || app.stopping {
            app = full_app();
        }
        if event % 50 == 0 {
            screen(&mut app, random.u16(1..200), random.u16(1..60));
        }
        if event % 500 == 0 {
            gets_back(&mut app);
        }
    }
}

/// From wherever one is, Esc leads to the services, also from a terminal that was left, and keys there do what they always do.
fn gets_back(app: &mut App) {
    app.update(Msg::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL)));
    for _ in 0..20 {
        key(app, KeyCode::Esc);
    }
    let shown = row("alone", "ready", None, &Value::Null);
    app.update(Msg::Rows(Changes { version: 1, whole: true, services: vec![shown], notices: Vec::new() }));
    assert_eq!(key(app, KeyCode::Char('r')), Some(Ask::Restart("alone".to_owned())));
}

/// A thousand services and a hundred thousand lines: a key is answered by a frame in time.
#[test]
fn a_large_workspace_stays_quick() {
    let mut app = full_app();
    let rows = (0..1000).map(|n| row(&format!("service-{n:03}"), "ready", Some(8080), &Value::Null)).collect();
    app.update(Msg::Rows(Changes { version: 1, whole: true, services: rows, notices: Vec::new() }));
    let of = app.wants().logs;
    for _ in 0..100 {
        let batch = (0..1000).map(|n| (of[0].clone(), lines().remove(n % 5))).collect();
        app.update(Msg::Lines(of.clone(), batch));
    }
    let many =
        (0..5000).map(|n| request("web", "users", "/", n % 9000, 1.0, &json!({ "trace_id": format!("{n:032x}") })));
    app.update(Msg::Requests { first: true, requests: many.collect() });
    for page in "1246".chars() {
        let before = std::time::Instant::now();
        key(&mut app, KeyCode::Char(page));
        key(&mut app, KeyCode::Down);
        screen(&mut app, 160, 50);
        // Without optimisation and beside others: 50 ms of a release are far below.
        assert!(before.elapsed().as_millis() < 1500, "page {page} took {:?}", before.elapsed());
    }
}
