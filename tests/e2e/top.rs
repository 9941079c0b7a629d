//! What services take, and frames of the dashboard without a terminal.

use std::time::Instant;

use serde_json::Value;

use super::stirs::Following;
use super::terminal::Terminal;
use crate::support::sandbox::{Account, Sandbox, until};

const MANIFEST: &str = r#"
name: weigh
services:
  busy: { command: "while :; do :; done" }
  calm: { command: "echo hello from calm; exec sleep infinity", replicas: 2 }
  gone: { command: "exit 0" }
"#;

fn of<'a>(rows: &'a Value, name: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {rows}"))
}

#[test]
fn top_tells_what_each_instance_takes() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.up();
        let rows = sandbox.nagaya(&["top", "--json"]).good().json();
        assert!(of(&rows, "busy")["cpu_percent"].as_f64().unwrap() > 5.0, "{rows}");
        assert!(of(&rows, "calm")["cpu_percent"].as_f64().unwrap() < 5.0, "{rows}");
        assert!(of(&rows, "calm")["memory_bytes"].as_u64().unwrap() > 0, "{rows}");
        let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["busy", "calm", "calm"], "what does not run takes nothing");
        // Off a terminal it prints once.
        let text = sandbox.nagaya(&["top", "--sort", "memory"]).good().out;
        assert!(text.contains("calm#2") && text.contains("together") && text.contains('%'), "{text}");
        let one = sandbox.nagaya(&["top", "gone"]).good().out;
        assert!(one.contains("gone") && !one.contains("busy") && !one.contains("together"), "{one}");
        sandbox.nagaya(&["top", "bsy"]).ended(2).says(&["there is no service `bsy`", "busy"]);
    }
}

#[test]
fn on_a_terminal_top_goes_on_until_the_engine_ends() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "top");
    terminal.shows("calm#2");
    sandbox.nagaya(&["stop", "busy"]).good();
    until("what has stopped is gone", || !terminal.has("busy") && terminal.has("together"));
    sandbox.nagaya(&["down"]).good();
    terminal.shows("ended with 0");
}

/// Whoever begins to look takes nothing from those who do already.
#[test]
fn a_second_looker_does_not_blank_the_first() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let first = Following::begin(&sandbox, "first", "/v1/services/stream?usage=true");
    let busy = |text: &str| -> Vec<Value> {
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok());
        messages.flat_map(|it| it["services"].as_array().unwrap().clone()).filter(|row| row["name"] == "busy").collect()
    };
    until("CPU is known", || busy(&first.text()).iter().any(|row| !row["cpu_percent"].is_null()));
    let known = busy(&first.text()).len();
    let began = Instant::now();
    sandbox.nagaya(&["top", "--json"]).good();
    assert!(began.elapsed().as_millis() < 900, "what is known already is told at once");
    until("more is told", || busy(&first.text()).len() > known + 1);
    let rows = busy(&first.text());
    let blank = rows.iter().skip(known - 1).filter(|row| row["cpu_percent"].is_null()).count();
    assert_eq!(blank, 0, "{rows:?}");
}

#[test]
fn a_frame_is_written_without_a_terminal() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    until("calm has written", || sandbox.nagaya(&["logs", "calm"]).good().out.contains("hello from calm"));
    let text = sandbox.nagaya(&["ui", "--render", "text", "--size", "80x24", "--view", "logs:calm"]).good().out;
    assert!(text.contains("hello from calm") && text.contains(" calm "), "{text}");
    assert_eq!(text.lines().count(), 24);
    let services = sandbox.nagaya(&["ui", "--render", "text"]).good().out;
    assert!(services.contains("busy") && services.contains('%') && services.lines().count() == 50, "{services}");
    let why = sandbox.nagaya(&["ui", "--render", "text", "--view", "why:gone"]).good().out;
    assert!(why.contains("why gone") && !why.contains("asking"), "{why}");
    for page in ["topology", "requests", "routes", "tasks"] {
        let shown = sandbox.nagaya(&["ui", "--render", "text", "--view", page]).good().out;
        assert!(shown.contains(&format!(" {page} ─")) && !shown.contains("asking"), "{shown}");
    }
    let svg = sandbox.nagaya(&["ui", "--render", "svg", "--size", "80x24"]).good().out;
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("#8fc379"), "{svg}");
    let plain = sandbox.nagaya(&["ui", "--render", "svg", "--color", "never"]).good().out;
    assert!(!plain.contains("#8fc379"));
    sandbox.nagaya(&["ui", "--render", "text", "--view", "why:cam"]).ended(2).says(&["no service `cam`", "calm"]);
    sandbox.nagaya(&["ui", "--render", "text", "--view", "wy"]).ended(2).says(&["no page `wy`", "topology"]);
    sandbox.nagaya(&["ui", "--render", "text", "--size", "9"]).ended(2).says(&["160x50"]);
}
