//! The dashboard's frames on a screen in memory, and README's picture of it.

use std::fs;
use std::path::Path;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use nagaya::runtime::Changes;
use nagaya::telemetry::logs::{Line, Stream};
use nagaya::tui::{App, Ask, Msg, Theme, Workspace, draw, svg};
use nagaya::view::Service;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

/// When all pictures are taken.
fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A row as the API would send it.
fn row(name: &str, state: &str, port: Option<u16>, more: &Value) -> Service {
    let up = ["ready", "running", "starting"].contains(&state);
    let ports = port.map(
        |port| json!([{ "name": "http", "port": port, "protocol": "http", "url": null, "published": 20000 + u32::from(port) % 10000 }]),
    );
    let settled = ["ready", "running", "completed", "idle"].contains(&state);
    let mut row = json!({
        "name": name, "service": name, "version": null, "instance": 1, "state": state, "ready": state == "ready", "kind": "process",
        "network": "env", "pid": up.then_some(4000), "container": null, "image": null, "ports": ports.unwrap_or(json!([])),
        "needed_by": [], "restarts": 0, "exit_code": null, "uptime_ms": null, "started": up.then_some("2026-11-21T11:58:18Z"),
        "cpu_percent": up.then_some(0.4), "memory_bytes": up.then_some(9_437_184), "reason": null,
        "settled": settled, "stuck": false, "wanted": state != "stopped",
        "startup_ms": null, "lost_lines": 0,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        row[key] = value.clone();
    }
    serde_json::from_value(row).unwrap()
}

fn services() -> Vec<Service> {
    vec![
        row("web", "ready", Some(8080), &json!({ "cpu_percent": 3.1, "memory_bytes": 18_874_368 })),
        row("users", "ready", Some(50051), &Value::Null),
        row("cart", "unhealthy", Some(8081), &json!({ "pid": 4100, "reason": "GET /healthz answered 500" })),
        row("migrate", "completed", None, &json!({ "exit_code": 0 })),
        row("orders", "backoff", Some(8082), &json!({ "restarts": 4, "exit_code": 1, "reason": "exited with 1" })),
        row("mailer", "waiting", None, &json!({ "reason": "waits for orders" })),
        row("ranking", "idle", Some(8083), &Value::Null),
        row("search", "stopped", Some(8084), &Value::Null),
    ]
}

fn lines() -> Vec<Line> {
    let texts = [
        "INFO listening on 127.0.0.1:28080",
        "INFO GET / 200 in 4 ms",
        "WARN cart answered 500, showing an empty one",
        "INFO GET /orders 200 in 9 ms",
        "ERROR orders: connection refused",
    ];
    let line = |(place, text): (usize, &&str)| Line {
        time: noon() - jiff::SignedDuration::from_secs(5 - i64::try_from(place).unwrap()),
        stream: if text.starts_with("ERROR") { Stream::Err } else { Stream::Out },
        instance: 1,
        text: (*text).to_owned(),
        continues: false,
    };
    texts.iter().enumerate().map(line).collect()
}

fn app(owned: bool, colors: bool) -> App {
    let workspace = Workspace { name: "shop".to_owned(), url: "http://shop.localhost:4480".to_owned(), owned };
    let mut app = App::new(workspace, Theme { colors });
    let follow = app.update(Msg::Rows(Changes { version: 1, whole: true, services: services(), notices: Vec::new() }));
    assert_eq!(follow, Some(Ask::Follow("web".to_owned())));
    app.update(Msg::Lines("web".to_owned(), lines()));
    app
}

fn key(app: &mut App, code: KeyCode) -> Option<Ask> {
    app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn terminal(app: &mut App, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(app, frame, noon())).unwrap();
    terminal
}

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

/// The screen as text.
fn screen(app: &mut App, width: u16, height: u16) -> String {
    terminal(app, width, height).backend().to_string()
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
}

#[test]
fn help_lists_every_key() {
    let mut app = app(true, true);
    key(&mut app, KeyCode::Char('?'));
    insta::assert_snapshot!("help", screen(&mut app, 80, 30));
}

#[test]
fn leaving_asks_only_the_owner() {
    let mut owner = app(true, true);
    assert_eq!(key(&mut owner, KeyCode::Char('q')), None);
    insta::assert_snapshot!("quit", screen(&mut owner, 80, 24));
    assert_eq!(key(&mut owner, KeyCode::Char('l')), Some(Ask::Leave));
    let mut owner = app(true, true);
    key(&mut owner, KeyCode::Char('q'));
    assert_eq!(key(&mut owner, KeyCode::Char('s')), Some(Ask::Down));
    assert_eq!(key(&mut app(false, true), KeyCode::Char('q')), Some(Ask::Leave));
}

#[test]
fn keys_act_on_the_selected_service() {
    let mut app = app(false, true);
    assert_eq!(key(&mut app, KeyCode::Char('j')), Some(Ask::Follow("users".to_owned())));
    assert_eq!(key(&mut app, KeyCode::Char('r')), Some(Ask::Restart("users".to_owned())));
    assert_eq!(key(&mut app, KeyCode::Char('x')), Some(Ask::Stop("users".to_owned())));
    assert_eq!(key(&mut app, KeyCode::Char('s')), Some(Ask::Start("users".to_owned())));
}

#[test]
fn a_search_shows_and_walks_its_matches() {
    let mut app = app(false, true);
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

#[test]
fn the_picture_in_readme_is_this_rendering() {
    let mut app = app(true, true);
    let drawn = svg(terminal(&mut app, 100, 24).backend().buffer());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/dashboard.svg");
    if std::env::var_os("NAGAYA_DRAW").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &drawn).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == known, "the picture is old: NAGAYA_DRAW=1 draws it again");
}
