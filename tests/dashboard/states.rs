//! The states that matter, page by page, as frames of both usual sizes.
//!
//! A frame's lines that are the same are written once, with how many they are: a large empty pane is no more to read than
//! a small one.

use crossterm::event::KeyCode;
use nagaya::runtime::Changes;
use nagaya::tui::{App, Ending, Keymap, Msg, RoutesTold, Shared, Theme, Workspace};
use nagaya::view::{EdgeId, Flow, Graph, Piece, Request, Service, Tally};
use serde_json::{Value, json};

use super::fixture::{end, key, lines, noon, output, request, row, screen, type_text};

/// Compares both usual sizes of what is shown now.
fn check(name: &str, app: &mut App) {
    for (width, height) in [(80, 24), (160, 50)] {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), folded(&screen(app, width, height)));
    }
}

fn folded(screen: &str) -> String {
    let lines: Vec<&str> = screen.lines().map(|line| line.trim_matches('"').trim_end()).collect();
    let told = |same: &[&str]| match same.len() {
        1 => same[0].to_owned(),
        count => format!("{}  ×{count}", same[0]),
    };
    lines.chunk_by(|one, other| one == other).map(told).collect::<Vec<_>>().join("\n")
}

/// A dashboard of these services, which have written these lines.
fn of(rows: Vec<Service>) -> App {
    let workspace =
        Workspace { name: "shop".to_owned(), url: "http://shop.localhost:4480".to_owned(), owned: true, up: None };
    let mut app = App::new(workspace, Theme { colors: true }, Keymap::default());
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: rows, notices: Vec::new() }));
    write(&mut app, &[]);
    app
}

/// Shows the lines of what is asked for, each as written by the service of its name.
fn write(app: &mut App, texts: &[(&str, &str)]) {
    let line = |(service, text): &(&str, &str)| {
        let mut line = lines().remove(0);
        (*text).clone_into(&mut line.text);
        ((*service).to_owned(), line)
    };
    app.update(Msg::Lines(app.wants().logs, texts.iter().map(line).collect()));
}

fn ready(name: &str) -> Service {
    row(name, "ready", Some(8080), &Value::Null)
}

fn well() -> Vec<Service> {
    let mut rows: Vec<Service> = ["web", "users", "orders", "db"].map(ready).into();
    rows.push(row("migrate", "completed", None, &json!({ "exit_code": 0 })));
    rows
}

fn starting() -> Vec<Service> {
    vec![
        row("web", "waiting", Some(8080), &json!({ "reason": "waits for users and orders" })),
        row("users", "setup", Some(8080), &json!({ "reason": "runs `go build -o bin/users .`" })),
        row("orders", "starting", Some(8080), &json!({ "reason": "no line matches `listening on` yet" })),
        ready("db"),
        row("migrate", "waiting", None, &json!({ "reason": "waits for db" })),
    ]
}

/// Orders has failed for good.
fn failing() -> Vec<Service> {
    let failed = json!({ "exit_code": 1, "stuck": true, "reason": "exited with 1 before it was ready" });
    let blocked = json!({ "stuck": true, "reason": "orders failed" });
    let mut rows = well();
    rows[0] = row("web", "waiting", Some(8080), &blocked);
    rows[2] = row("orders", "failed", Some(8080), &failed);
    rows
}

/// Orders is started again and again.
fn looping() -> Vec<Service> {
    let reason = "exited with 1, 12 times in a row; it is started again";
    let mut rows = well();
    rows[0] = row("web", "waiting", Some(8080), &json!({ "reason": "waits for orders" }));
    rows[2] = row("orders", "backoff", Some(8080), &json!({ "restarts": 12, "exit_code": 1, "reason": reason }));
    rows
}

/// Some requests to users go to its second version.
fn canary() -> Vec<Service> {
    let mut rows = well();
    rows[1] = row("users", "ready", Some(8080), &json!({ "version": "v1" }));
    rows.insert(2, row("users-v2", "ready", Some(8080), &json!({ "service": "users", "version": "v2" })));
    rows
}

fn gone() -> App {
    let mut app = of(well());
    app.update(Msg::Gone(Ending::Killed));
    app
}

/// Calls of the last seconds: of web, to users and, where there is one, its other version.
fn calls(versions: &[(&str, u64)]) -> Flow {
    let now = noon().as_second();
    let piece = |second: i64, from: Option<&str>, to: &str, version: Option<&str>, requests: u64| Piece {
        second,
        edge: EdgeId { from: from.map(str::to_owned), to: to.to_owned(), version: version.map(str::to_owned) },
        declared: from.map(|_| true),
        tally: Tally { requests, errors: 0, durations: [(100, requests)].into() },
    };
    let second = |ago: i64| {
        let shared = versions.iter().map(move |(version, share)| (*version, share / 10));
        let users = shared.map(move |(version, count)| piece(now - ago, Some("web"), "users", Some(version), count));
        std::iter::once(piece(now - ago, None, "web", None, 10)).chain(users)
    };
    Flow { now, pieces: (1..30).flat_map(second).collect() }
}

fn graph(names: &[&str], edges: &[(&str, &str)]) -> Graph {
    let nodes: Vec<Value> = names.iter().map(|name| json!({ "name": name, "kind": "process" })).collect();
    let edge = |(from, to): &(&str, &str)| json!({ "from": from, "to": to, "declared": true, "referenced": false, "condition": "ready" });
    let edges: Vec<Value> = edges.iter().map(edge).collect();
    serde_json::from_value(json!({ "nodes": nodes, "edges": edges })).unwrap()
}

fn requested(version: &str, at: u64) -> [Request; 2] {
    let trace = format!("{at:032x}");
    let of = |more: Value| {
        let mut all = json!({ "trace_id": trace });
        more.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
        all
    };
    let by = json!({ "version": version, "routed_by": "/svc/users", "protocol": "grpc", "grpc_status": 0, "method": "POST" });
    [
        request("(front door)", "web", "/", at, 31.0, &of(json!({}))),
        request("web", "users", "/users.Users/Get", at + 4, 12.0, &of(by)),
    ]
}

#[test]
fn services_and_their_lines() {
    let states = [
        ("starting", starting()),
        ("well", well()),
        ("failing", failing()),
        ("looping", looping()),
        ("canary", canary()),
    ];
    for (name, rows) in states {
        let mut app = of(rows);
        app.update(Msg::Flow(calls(if name == "canary" { &[("v1", 75), ("v2", 25)] } else { &[] })));
        if ["failing", "looping"].contains(&name) {
            key(&mut app, KeyCode::Char('!'));
            assert_eq!(app.wants().logs, ["orders"]);
            write(&mut app, &[("orders", "orders 0.3.1"), ("orders", "panic: DATABASE_URL is not set")]);
        }
        check(&format!("services_{name}"), &mut app);
    }
    check("services_empty", &mut of(Vec::new()));
    check("services_gone", &mut gone());
}

#[test]
fn lines_of_all() {
    let told = [("web", "GET / 200"), ("orders", "panic: DATABASE_URL is not set"), ("users", "listening on 8080")];
    for (name, rows) in [("starting", starting()), ("well", well()), ("looping", looping())] {
        let mut app = of(rows);
        key(&mut app, KeyCode::Char('2'));
        write(&mut app, if name == "starting" { &[] } else { &told });
        check(&format!("logs_{name}"), &mut app);
    }
    let mut app = of(Vec::new());
    key(&mut app, KeyCode::Char('2'));
    check("logs_empty", &mut app);
    let mut app = gone();
    key(&mut app, KeyCode::Char('2'));
    write(&mut app, &told);
    check("logs_gone", &mut app);
}

#[test]
fn why_in_each_state() {
    let explain = |service: &str, state: &str, more: Value| {
        let mut told = json!({ "service": service, "state": state, "ready": state == "ready", "reason": null, "blockers": [],
            "last_probe": null, "refused": [], "last_lines": [], "next": null, "lost_lines": 0 });
        more.as_object().unwrap().iter().for_each(|(key, value)| told[key] = value.clone());
        serde_json::from_value(told).unwrap()
    };
    let panic = json!(["orders 0.3.1", "panic: DATABASE_URL is not set"]);
    let held = |state: &str, reason: &str| {
        json!([
            { "service": "orders", "state": state, "condition": "ready", "reason": reason },
            { "service": "db", "state": "starting", "condition": "ready",
              "reason": "it has made its folder and fills it with what the image brings along, which takes a moment the first time" },
        ])
    };
    let told = [
        (
            "starting",
            starting(),
            explain(
                "web",
                "waiting",
                json!({ "reason": "waits for users and orders",
            "blockers": held("starting", "no line matches `listening on` yet"), "last_probe": "no line matches" }),
            ),
        ),
        ("well", well(), explain("web", "ready", json!({ "last_lines": ["listening on 8080"] }))),
        (
            "failing",
            failing(),
            explain(
                "web",
                "waiting",
                json!({ "reason": "orders failed", "last_lines": panic,
            "blockers": [{ "service": "orders", "state": "failed", "condition": "ready",
                "reason": "exited with 1 before it was ready" }] }),
            ),
        ),
        (
            "looping",
            looping(),
            explain(
                "web",
                "waiting",
                json!({ "reason": "waits for orders", "last_lines": panic,
            "blockers": [{ "service": "orders", "state": "backoff", "condition": "ready",
                "reason": "exited with 1, 12 times in a row; it is started again" }],
            "next": "it is started again in 3.2s" }),
            ),
        ),
    ];
    for (name, rows, explanation) in told {
        let mut app = of(rows);
        type_text(&mut app, "e");
        app.update(Msg::Why("web".to_owned(), Box::new(Ok(explanation))));
        check(&format!("why_{name}"), &mut app);
    }
    let mut app = gone();
    type_text(&mut app, "e");
    check("why_gone", &mut app);
}

#[test]
fn the_topology_in_each_state() {
    let names = ["web", "users", "orders", "db", "migrate"];
    let edges = [("web", "users"), ("web", "orders"), ("users", "db"), ("orders", "db"), ("migrate", "db")];
    for (name, rows) in [("starting", starting()), ("well", well()), ("failing", failing()), ("looping", looping())] {
        let mut app = of(rows);
        app.update(Msg::Graph(graph(&names, &edges)));
        app.update(Msg::Flow(calls(if name == "well" { &[("v1", 100)] } else { &[] })));
        type_text(&mut app, if name == "well" { "3" } else { "3jj" });
        check(&format!("topology_{name}"), &mut app);
    }
    let mut app = of(canary());
    let names = [&names[..], &["users-v2"]].concat();
    app.update(Msg::Graph(graph(&names, &[&edges[..], &[("web", "users-v2"), ("users-v2", "db")]].concat())));
    app.update(Msg::Flow(calls(&[("v1", 75), ("v2", 25)])));
    type_text(&mut app, "3");
    check("topology_canary", &mut app);
    let mut app = of(Vec::new());
    type_text(&mut app, "3");
    check("topology_empty", &mut app);
    let mut app = gone();
    app.update(Msg::Graph(graph(&["web", "users"], &[("web", "users")])));
    type_text(&mut app, "3");
    check("topology_gone", &mut app);
}

#[test]
fn requests_and_a_trace_with_a_canary_and_without_any() {
    let mut app = of(well());
    type_text(&mut app, "4");
    check("requests_empty", &mut app);
    let mut app = of(canary());
    let all = [requested("v1", 1000), requested("v1", 2000), requested("v2", 3000)].concat();
    app.update(Msg::Requests { first: true, requests: all });
    type_text(&mut app, "4");
    check("requests_canary", &mut app);
    key(&mut app, KeyCode::Enter);
    check("trace_canary", &mut app);
    app.update(Msg::Gone(Ending::Killed));
    check("trace_gone", &mut app);
    key(&mut app, KeyCode::Esc);
    check("requests_gone", &mut app);
    app.update(Msg::Requests { first: true, requests: Vec::new() });
    key(&mut app, KeyCode::Enter);
    check("requests_forgotten", &mut app);
}

#[test]
fn routes_without_and_with_a_canary_that_moves() {
    let entries = |dst: &str, state: &str| {
        let entry = |number: usize, prefix: &str, dst: &str, built_in: bool, state: &str| {
            json!({ "number": number, "prefix": prefix, "dst": dst, "built_in": built_in, "state": state,
                "names": [prefix], "bound": [] })
        };
        let own = (!dst.is_empty()).then(|| entry(2, "/svc/users", dst, false, state));
        let all: Vec<Value> = std::iter::once(entry(1, "/svc", "/#/local", true, "bound")).chain(own).collect();
        serde_json::from_value(json!(all)).unwrap()
    };
    let shared = |first: f64| Shared {
        service: "users".to_owned(),
        shares: vec![("users".to_owned(), first), ("users-v2".to_owned(), 100.0 - first)],
    };
    let mut app = of(well());
    type_text(&mut app, "5");
    check("routes_asking", &mut app);
    app.update(Msg::Routes(RoutesTold { entries: entries("", ""), ..RoutesTold::default() }));
    check("routes_well", &mut app);
    let moving = RoutesTold {
        entries: entries("25 * /#/local/users-v2 & 75 * /#/local/users", "bound"),
        shared: vec![shared(75.0)],
        tries: Vec::new(),
        shifts: vec!["users: 25 % to users-v2, 100 % in 4m 10s unless more than 1 % of its requests fail".to_owned()],
    };
    let mut app = of(canary());
    app.update(Msg::Routes(moving));
    type_text(&mut app, "5j");
    check("routes_canary", &mut app);
    let back = RoutesTold {
        entries: entries("/#/local/users-v3", "nowhere"),
        shared: vec![shared(100.0)],
        tries: Vec::new(),
        shifts: vec!["users: given up at 25 %, as 4.2 % of the requests to users-v2 failed".to_owned()],
    };
    app.update(Msg::Routes(back));
    check("routes_failing", &mut app);
    app.update(Msg::Gone(Ending::Killed));
    check("routes_gone", &mut app);
}

#[test]
fn tasks_and_their_output() {
    let mut app = of(well());
    type_text(&mut app, "6");
    check("tasks_asking", &mut app);
    app.update(Msg::Tasks(Ok(Vec::new())));
    check("tasks_empty", &mut app);
    app.update(Msg::Tasks(Err(
        "nagaya tasks ended with 3: the manifest has 2 problems; `nagaya check` tells them".to_owned()
    )));
    check("tasks_failing", &mut app);
    app.update(Msg::Tasks(Ok(super::fixture::tasks())));
    key(&mut app, KeyCode::Enter);
    output(&mut app, &["migrate | 0001_users.sql", "migrate | 0002_orders.sql"]);
    check("output_running", &mut app);
    end(&mut app, Some(0));
    check("output_done", &mut app);
    app.update(Msg::Gone(Ending::Killed));
    check("output_gone", &mut app);
}
