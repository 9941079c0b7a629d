//! The dashboard's frames on a screen in memory, and README's pictures of it.

mod ending;
mod finding;
mod fixture;
mod lines;
mod mouse;
mod pages;
mod pasted;
mod random;
mod room;
mod states;
mod tasks;
mod terminal;
mod words;

use std::fs;
use std::path::Path;

use crossterm::event::KeyCode;
use jiff::SignedDuration;
use nagaya::runtime::Changes;
use nagaya::tui::{App, Ask, Msg, frame, svg, text};
use serde_json::{Value, json};

use fixture::{app, full_app, key, lines, noon, row, screen, terminal};

#[test]
fn what_the_engine_has_to_say_stands_at_the_foot() {
    let mut app = app(true, false);
    let notices = vec!["the manifest has 2 problems; what runs is as it was before\nnagaya.yaml:4 …".to_owned()];
    app.update(Msg::Rows(Changes { version: 2, whole: false, services: Vec::new(), notices }));
    let shown = screen(&mut app, 100, 24);
    assert!(
        shown.contains(" the manifest has 2 problems; what runs is as it was before (`nagaya ps` tells more)"),
        "{shown}"
    );
    app.update(Msg::Rows(Changes { version: 3, whole: false, services: Vec::new(), notices: Vec::new() }));
    assert!(!screen(&mut app, 100, 24).contains("problems"));
}

#[test]
fn frames_of_usual_sizes() {
    insta::assert_snapshot!("80x24", screen(&mut app(true, true), 80, 24));
    insta::assert_snapshot!("160x50", screen(&mut app(true, true), 160, 50));
}

#[test]
fn a_tiny_terminal_still_tells_what_is_wrong() {
    insta::assert_snapshot!("20x5", screen(&mut app(true, true), 20, 5));
    for (width, height) in [(0, 0), (1, 1), (3, 100), (300, 1), (30, 8), (29, 7)] {
        terminal(&mut app(true, true), width, height);
    }
    // Keys do what they do elsewhere, so whom they are about is seen, and what is typed.
    let mut app = app(true, true);
    assert!(screen(&mut app, 20, 1).contains("shop 4/7"));
    assert!(screen(&mut app, 20, 5).contains("> web"));
    key(&mut app, KeyCode::Char('j'));
    assert!(screen(&mut app, 20, 5).contains("> users"));
    key(&mut app, KeyCode::Char('x'));
    assert!(screen(&mut app, 20, 5).contains("stopping users…"));
    key(&mut app, KeyCode::Char(':'));
    key(&mut app, KeyCode::Char('u'));
    assert!(screen(&mut app, 20, 5).contains(":u█"));
}

#[test]
fn what_is_ready_and_the_pages_are_apart_however_narrow_it_is() {
    for width in 30..80 {
        let shown = text(&frame(&mut app(true, true), (width, 8), noon()));
        let head = shown.lines().next().unwrap();
        assert!(head.contains("2 fail ") || head.ends_with("2 fail"), "{width}: {head}");
    }
}

#[test]
fn where_there_is_room_for_one_pane_it_is_the_one_that_keys_are_about() {
    let mut app = app(true, true);
    assert!(screen(&mut app, 30, 8).contains("web"));
    assert_eq!(key(&mut app, KeyCode::Tab), None);
    let logs = screen(&mut app, 30, 8);
    assert!(!logs.contains("SERVICE") && logs.contains("INFO"), "{logs}");
}

#[test]
fn help_lists_every_key() {
    let mut app = app(true, true);
    key(&mut app, KeyCode::Char('?'));
    insta::assert_snapshot!("help", screen(&mut app, 80, 48));
}

#[test]
fn leaving_asks_only_the_owner() {
    let mut owner = app(true, true);
    assert_eq!(key(&mut owner, KeyCode::Char('q')), None);
    let shown = screen(&mut owner, 80, 24);
    assert!(shown.contains("\" s stop everything  l leave it running  Esc stay "), "the foot has its keys: {shown}");
    insta::assert_snapshot!("quit", shown);
    assert_eq!(key(&mut owner, KeyCode::Char('l')), Some(Ask::Leave));
    let mut owner = app(true, true);
    key(&mut owner, KeyCode::Char('q'));
    assert_eq!(key(&mut owner, KeyCode::Char('s')), Some(Ask::Down));
    assert_eq!(key(&mut app(false, true), KeyCode::Char('q')), Some(Ask::Leave));
}

#[test]
fn keys_act_on_the_selected_service() {
    let mut app = app(false, true);
    assert_eq!(key(&mut app, KeyCode::Char('j')), None);
    assert_eq!(app.wants().logs, ["users"]);
    assert_eq!(key(&mut app, KeyCode::Char('r')), Some(Ask::Restart("users".to_owned())));
    // A failed one looks the same for a moment.
    assert!(screen(&mut app, 80, 24).contains(" restarting users… "));
    assert_eq!(key(&mut app, KeyCode::Char('x')), Some(Ask::Stop("users".to_owned())));
    assert_eq!(key(&mut app, KeyCode::Char('s')), Some(Ask::Start("users".to_owned())));
}

#[test]
fn what_was_asked_is_told_until_it_is_seen_and_for_a_moment_at_least() {
    let mut app = app(false, true);
    let at = |seconds: i64| noon() + SignedDuration::from_secs(seconds);
    let told = |app: &mut App, seconds| text(&frame(app, (80, 24), at(seconds))).contains("restarting users…");
    let users = |state: &str| {
        let services = vec![row("users", state, Some(50051), &Value::Null)];
        Msg::Rows(Changes { version: 2, whole: false, services, notices: Vec::new() })
    };
    key(&mut app, KeyCode::Char('j'));
    // One that fails again looks the same all the while, and so does one that runs and is to be started.
    for state in ["failed", "ready"] {
        app.update(users(state));
        app.now = at(0);
        key(&mut app, KeyCode::Char('r'));
        assert!(told(&mut app, 1), "{state}");
        assert_eq!(app.redraw_at.map(|it| it <= at(2)), Some(true));
        assert!(!told(&mut app, 2), "{state}");
    }
    app.now = at(0);
    key(&mut app, KeyCode::Char('r'));
    for (state, is_told) in [("stopping", true), ("starting", true), ("ready", false)] {
        app.update(users(state));
        assert_eq!(told(&mut app, 9), is_told, "{state}");
    }
    key(&mut app, KeyCode::Char('r'));
    app.update(Msg::Told("restart users: it is not there any more".to_owned()));
    app.update(users("ready"));
    assert!(text(&frame(&mut app, (80, 24), at(9))).contains("it is not there any more"), "no row shows that");
}

#[test]
fn one_key_leads_to_what_fails_from_anywhere() {
    let mut app = app(false, true);
    for failing in ["cart", "orders", "cart"] {
        key(&mut app, KeyCode::Char('!'));
        assert_eq!(app.wants().logs, [failing]);
    }
    key(&mut app, KeyCode::Char('6'));
    key(&mut app, KeyCode::Char('!'));
    assert_eq!(app.wants().logs, ["cart"]);
    // What crashes again and again looks well in between, and is found all the same.
    let crashed = |state: &str, crashes: u32| {
        let rows =
            vec![row("web", "ready", None, &Value::Null), row("loop", state, None, &json!({ "crashes": crashes }))];
        Msg::Rows(Changes { version: 2, whole: true, services: rows, notices: Vec::new() })
    };
    for (state, crashes) in [("starting", 1), ("waiting", 1), ("running", 2)] {
        key(&mut app, KeyCode::Char('g'));
        app.update(crashed(state, crashes));
        key(&mut app, KeyCode::Char('!'));
        assert_eq!(app.wants().logs, ["loop"], "{state}");
        assert!(screen(&mut app, 80, 24).contains("1 fails"), "{state}");
    }
    app.update(crashed("running", 1));
    assert!(!screen(&mut app, 80, 24).contains("fails"), "it runs again");
    let well = vec![row("web", "ready", None, &Value::Null), row("users", "waiting", None, &Value::Null)];
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: well, notices: Vec::new() }));
    key(&mut app, KeyCode::Char('!'));
    assert!(screen(&mut app, 80, 24).contains("no service fails"));
    app.update(Msg::Rows(Changes { version: 3, whole: true, services: Vec::new(), notices: Vec::new() }));
    key(&mut app, KeyCode::Char('!'));
    assert!(screen(&mut app, 80, 24).contains("no service fails"));
}

#[test]
fn a_search_shows_and_walks_its_matches() {
    let mut app = app(false, true);
    // To the lines.
    key(&mut app, KeyCode::Tab);
    for code in ['/', 'G', 'E', 'T'].map(KeyCode::Char) {
        key(&mut app, code);
    }
    key(&mut app, KeyCode::Enter);
    insta::assert_snapshot!("search", screen(&mut app, 80, 24));
}

#[test]
fn what_is_wrong_with_the_selected_service_stands_above_its_lines() {
    let mut app = app(false, true);
    key(&mut app, KeyCode::Char('j'));
    key(&mut app, KeyCode::Char('j'));
    assert!(screen(&mut app, 80, 24).contains("┌ cart GET /healthz answered 500 ─"));
}

#[test]
fn a_service_is_in_sight_wherever_the_selection_goes() {
    let mut app = app(false, true);
    let many = (0..60).map(|number| row(&format!("service-{number:02}"), "ready", None, &Value::Null)).collect();
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: many, notices: Vec::new() }));
    for _ in 0..45 {
        key(&mut app, KeyCode::Down);
    }
    assert!(screen(&mut app, 80, 24).contains("service-45"));
}

#[test]
fn without_colours_no_cell_has_one() {
    let mut app = app(true, false);
    let terminal = terminal(&mut app, 80, 24);
    let colored = terminal
        .backend()
        .buffer()
        .content
        .iter()
        .filter(|cell| cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset);
    assert_eq!(colored.count(), 0);
}

/// Palettes of 16 colours have their background in the place of some: of black and white on some, of bright black in
/// Solarized's. What is painted is seen on each of them.
#[test]
fn no_text_has_a_colour_that_may_be_the_backgrounds() {
    use ratatui::style::Color::{Black, DarkGray, Gray, Reset, White};
    let mut app = full_app();
    for page in "123456".chars() {
        key(&mut app, KeyCode::Char(page));
        let shown = terminal(&mut app, 160, 50);
        let cells = shown.backend().buffer().content.iter();
        let unseen = cells.filter(|cell| cell.bg == Reset && [Black, DarkGray, Gray, White].contains(&cell.fg));
        assert_eq!(unseen.count(), 0, "page {page}");
    }
}

#[test]
fn a_task_that_no_service_needs_is_none() {
    let mut app = app(false, true);
    let rows = vec![
        row("web", "ready", None, &Value::Null),
        row("seed", "stopped", None, &json!({ "kind": "task" })),
        row("migrate", "completed", None, &json!({ "kind": "task", "needed_by": ["web"] })),
    ];
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: rows, notices: Vec::new() }));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("2/2 ready") && shown.contains("migrate") && !shown.contains("seed"), "{shown}");
}

#[test]
fn a_frame_is_text_too() {
    let mut app = app(false, false);
    let mut wide = lines().remove(0);
    wide.text = "長屋 up|".to_owned();
    app.update(Msg::Lines(vec!["web".to_owned()], vec![("web".to_owned(), wide)]));
    let shown = text(&frame(&mut app, (80, 24), noon()));
    assert_eq!(shown.lines().count(), 24);
    assert!(shown.lines().next().unwrap().starts_with(" shop "), "{shown}");
    assert!(shown.contains("長屋 up|"), "{shown}");
    assert!(shown.lines().all(|line| line == line.trim_end()), "{shown}");
}

/// Compares a picture with the one that is kept; `NAGAYA_DRAW=1` draws it again.
fn check_picture(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name);
    if std::env::var_os("NAGAYA_DRAW").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, drawn).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == known, "the picture {name} is old: NAGAYA_DRAW=1 draws it again");
}

#[test]
fn the_pictures_in_readme_are_this_rendering() {
    let mut app = full_app();
    check_picture("dashboard.svg", &svg(&frame(&mut app, (100, 24), noon())));
    key(&mut app, KeyCode::Char('3'));
    check_picture("topology.svg", &svg(&frame(&mut app, (110, 26), noon())));
    key(&mut app, KeyCode::Char('4'));
    key(&mut app, KeyCode::Char('k'));
    key(&mut app, KeyCode::Char('k'));
    key(&mut app, KeyCode::Enter);
    check_picture("trace.svg", &svg(&frame(&mut app, (100, 18), noon())));
}
