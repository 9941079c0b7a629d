//! A workspace as the engine tells of it: eight services in every state, their lines, their calls.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use nagaya::runtime::Changes;
use nagaya::telemetry::logs::{Line, Stream};
use nagaya::tui::{App, Ask, Command, Keymap, Msg, RoutesTold, Shared, Suggestion, Theme, Workspace, draw};
use nagaya::view::{EdgeId, Explanation, Flow, Graph, Piece, Request, Service, Tally};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

/// When all pictures are taken.
pub fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A row as the API would send it.
pub fn row(name: &str, state: &str, port: Option<u16>, more: &Value) -> Service {
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

/// All rows there are.
pub fn rows(services: Vec<Service>) -> Msg {
    Msg::Rows(Changes { version: 2, whole: true, services, notices: Vec::new() })
}

pub fn services() -> Vec<Service> {
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

pub fn lines() -> Vec<Line> {
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

/// Calls of the last half minute: steady ones to users, failing ones to cart.
pub fn flow() -> Flow {
    let now = noon().as_second();
    let piece = |second: i64, from: Option<&str>, to: &str, requests: u64, errors: u64, bucket: u16| Piece {
        second,
        edge: EdgeId { from: from.map(str::to_owned), to: to.to_owned(), version: None },
        declared: from.map(|_| to != "cart"),
        tally: Tally { requests, errors, durations: [(bucket, requests)].into() },
    };
    let pieces = (1..30).flat_map(|ago| {
        let second = now - ago;
        let wave = 4 + (ago % 7).unsigned_abs();
        [
            piece(second, None, "web", wave, 0, 107),
            piece(second, Some("web"), "users", 3 * wave, 0, 85),
            piece(second, Some("web"), "cart", wave, wave / 4, 150),
        ]
    });
    Flow { now, pieces: pieces.collect() }
}

pub fn app(owned: bool, colors: bool) -> App {
    let workspace =
        Workspace { name: "shop".to_owned(), url: "http://shop.localhost:4480".to_owned(), owned, up: None };
    let mut app = App::new(workspace, Theme { colors }, Keymap::default());
    app.now = noon();
    app.update(Msg::Rows(Changes { version: 1, whole: true, services: services(), notices: Vec::new() }));
    assert_eq!(app.wants().logs, ["web"]);
    app.update(Msg::Lines(vec!["web".to_owned()], lines().into_iter().map(|line| ("web".to_owned(), line)).collect()));
    app.update(Msg::Flow(flow()));
    app
}

pub fn key(app: &mut App, code: KeyCode) -> Option<Ask> {
    app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

pub fn terminal(app: &mut App, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(app, frame, noon())).unwrap();
    terminal
}

/// The screen as text.
pub fn screen(app: &mut App, width: u16, height: u16) -> String {
    terminal(app, width, height).backend().to_string()
}

/// The words of a command that is to be run.
pub fn ran(ask: Option<Ask>) -> Option<String> {
    match ask {
        Some(Ask::Run(_, words)) => Some(words.join(" ")),
        _ => None,
    }
}

/// The number of the command that was begun last.
pub fn newest(app: &App) -> u64 {
    app.outputs.last_of(|_| true).map_or(0, |it| it.id)
}

/// That command ends.
pub fn end(app: &mut App, code: Option<i32>) -> Option<Ask> {
    app.update(Msg::Ended(newest(app), code))
}

/// It writes lines.
pub fn output(app: &mut App, lines: &[&str]) {
    app.update(Msg::Output(newest(app), lines.iter().map(|line| (*line).to_owned()).collect()));
}

/// Types a text.
pub fn type_text(app: &mut App, text: &str) {
    for char in text.chars() {
        key(app, KeyCode::Char(char));
    }
}

/// The topology of the manifest.
pub fn graph() -> Graph {
    let node = |name: &str, kind: &str| json!({ "name": name, "kind": kind });
    let edge = |from: &str, to: &str, declared: bool| {
        json!({ "from": from, "to": to, "declared": declared, "referenced": !declared,
            "condition": declared.then_some("ready") })
    };
    let services = ["web", "users", "cart", "orders", "mailer", "ranking", "search"];
    let mut nodes: Vec<Value> = services.map(|name| node(name, "process")).into();
    nodes.extend([node("migrate", "task"), node("stripe", "external")]);
    let edges = [
        edge("web", "users", true),
        edge("web", "orders", true),
        edge("orders", "users", true),
        edge("orders", "migrate", true),
        edge("mailer", "orders", true),
        edge("web", "ranking", false),
        edge("orders", "stripe", true),
    ];
    serde_json::from_value(json!({ "nodes": nodes, "edges": edges })).unwrap()
}

/// Why mailer is not ready.
pub fn explanation() -> Explanation {
    serde_json::from_value(json!({
        "service": "mailer", "state": "waiting", "ready": false, "reason": "waits for orders",
        "blockers": [
            { "service": "orders", "state": "backoff", "condition": "ready", "reason": "exited with 1; it is started again" },
        ],
        "last_probe": null, "refused": [{ "to": "localhost:5432", "hint": "nobody listens there; `db` is at db:5432" }],
        "last_lines": ["orders 0.3.1", "panic: DATABASE_URL is not set"],
        "next": "it is started again in 3.2s", "lost_lines": 0,
    }))
    .unwrap()
}

/// A request as the API would send it.
pub fn request(from: &str, to: &str, path: &str, at_ms: u64, took: f64, more: &Value) -> Request {
    let mut request = json!({
        "id": format!("r-{at_ms}"), "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "time": format!("2026-11-21T11:59:{:02}.{:03}000000Z", 50 + at_ms / 1000, at_ms % 1000),
        "from": from, "to": to, "version": null, "protocol": "http", "method": "GET", "path": path, "status": 200,
        "grpc_status": null, "duration_ms": took, "attempts": 1, "fallback": null, "fault": null, "routed_by": null,
        "link": "exact", "error": null, "declared": true,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        request[key] = value.clone();
    }
    serde_json::from_value(request).unwrap()
}

/// Requests of two traces.
pub fn requests() -> Vec<Request> {
    let other = json!({ "trace_id": "00f067aa0ba902b700f067aa0ba902b7", "method": "POST", "status": 503 });
    let failed = json!({ "status": 500, "declared": false, "link": "inferred" });
    let grpc = json!({ "protocol": "grpc", "grpc_status": 0, "method": "POST" });
    let refused = json!({ "trace_id": "00f067aa0ba902b700f067aa0ba902b7", "status": 503,
        "error": "orders is not ready: exited with 1" });
    vec![
        request("(front door)", "web", "/", 1000, 42.0, &Value::Null),
        request("web", "users", "/users.Users/Get", 1003, 9.4, &grpc),
        request("users", "db", "/", 1005, 4.1, &Value::Null),
        request("web", "cart", "/cart?user=ada", 1015, 22.8, &failed),
        request("(front door)", "web", "/orders", 3000, 3.0, &other),
        request("web", "orders", "/orders", 3001, 1.2, &refused),
    ]
}

/// The routes, with a canary.
pub fn routes() -> RoutesTold {
    let entry = |number: usize, prefix: &str, dst: &str, built_in: bool, state: &str, names: &[&str]| {
        json!({ "number": number, "prefix": prefix, "dst": dst, "built_in": built_in, "state": state, "names": names,
            "bound": [] })
    };
    let entries = json!([
        entry(1, "/svc", "/#/local", true, "bound", &["/svc/cart", "/svc/web"]),
        entry(2, "/svc/users", "25 * /#/local/users-v2 & 75 * /#/local/users", false, "bound", &["/svc/users"]),
        entry(3, "/svc/old", "/#/local/gone", false, "nowhere", &["/svc/old"]),
    ]);
    RoutesTold {
        entries: serde_json::from_value(entries).unwrap(),
        shared: vec![Shared {
            service: "users".to_owned(),
            shares: vec![("users".to_owned(), 75.0), ("users-v2".to_owned(), 25.0)],
        }],
        tries: vec![
            serde_json::from_value(json!({
                "name": "cart-fix", "service": "cart", "version": "fix", "state": "ready", "folder": "/home/cart-fix",
                "branch": "fix", "worktree": null, "reason": null, "header": "l5d-dtab: /svc/cart => /#/local/cart-fix",
            }))
            .unwrap(),
        ],
        shifts: Vec::new(),
    }
}

/// Tasks as `nagaya tasks --json` lists them.
pub fn tasks() -> Vec<nagaya::tui::Task> {
    let task = |id: &str, name: &str, runner: &str, about: Option<&str>| {
        json!({ "id": id, "name": name, "project": ".", "runner": runner, "description": about,
            "command": format!("run {name}"), "invoke": [runner, name], "private": false })
    };
    serde_json::from_value(json!([
        task("nagaya:migrate", "migrate", "nagaya", Some("Bring the database up to date")),
        task("npm:build", "build", "npm", None),
        task("npm:test", "test", "npm", Some("All tests")),
        task("make:lint", "lint", "make", None),
    ]))
    .unwrap()
}

fn suggestion(word: &str, about: &str) -> Suggestion {
    Suggestion { word: word.to_owned(), about: about.to_owned() }
}

fn command(word: &str, about: &str, below: Vec<Suggestion>) -> Command {
    Command { name: suggestion(word, about), below }
}

/// A dashboard that knows of everything.
pub fn full_app() -> App {
    let mut app = app(true, true);
    app.commands = [("restart", "Start new instances"), ("run", "Run tasks"), ("scale", "Have more instances")]
        .map(|(word, about)| command(word, about, Vec::new()))
        .into();
    let below = vec![suggestion("get", "Print the routes"), suggestion("history", "Print all versions of them")];
    app.commands.push(command("dtab", "Look at the routes and change them", below));
    app.update(Msg::Graph(graph()));
    app.update(Msg::Requests { first: true, requests: requests() });
    app.update(Msg::Routes(routes()));
    app.update(Msg::Tasks(Ok(tasks())));
    app.update(Msg::Why("mailer".to_owned(), Box::new(Ok(explanation()))));
    app
}
