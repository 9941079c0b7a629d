//! Ports that are published to this machine, and whoever has their numbers.

use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::sandbox::{Run, Sandbox, finish, until};

const SERVER: &str = "exec python3 -u -m http.server --bind 127.0.0.1";

/// A number of this machine that nobody has.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks for a path of whoever listens on a port.
fn get(port: u64, path: &str) -> Run {
    finish(Command::new("curl").args(["-sSf", &format!("http://127.0.0.1:{port}/{path}")]))
}

/// What was told that is no change of state, and of what kind it was.
fn told(sandbox: &Sandbox) -> Vec<(String, String)> {
    let out = sandbox.nagaya(&["events", "--json"]).good().out;
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines.filter(|line| line["state"].is_null()).map(|line| (text(&line["event"]), text(&line["message"]))).collect()
}

#[test]
fn a_published_port_is_open_to_this_machine() {
    let (declared, moved, own) = (free(), free(), free());
    let sandbox = Sandbox::new(&format!(
        "name: published
services:
  web: {{ command: {SERVER} $PORT, ports: {{ http: 8080 }}, publish: '{declared}:8080' }}
  debug: {{ command: '{SERVER} {own}', publish: ['{moved}:{own}', {own}] }}
"
    ));
    sandbox.write("here.txt", "found");
    sandbox.up();
    let get = |port: u16| get(port.into(), "here.txt");
    assert_eq!(get(declared).good().out, "found");
    let record = &sandbox.requests()[0];
    assert_eq!(json!([record["from"], record["to"], record["status"]]), json!(["(front door)", "web", 200]));
    assert_eq!(sandbox.row("web")["ports"][0]["published"], declared);
    // A service without ports is ready at once; its program takes a moment.
    until("the program listens", || get(own).out == "found");
    assert_eq!(get(moved).good().out, "found");
    // As in production, who is stopped is not there.
    sandbox.nagaya(&["stop", "web"]).good();
    get(declared).ended(7);
}

#[test]
fn a_published_port_that_somebody_has_is_told_everywhere_and_taken_when_it_is_free() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let sandbox = Sandbox::new(&format!(
        "name: taken
services: {{ web: {{ command: {SERVER} $PORT, ports: {{ http: 8080 }}, publish: '{port}:8080' }} }}
"
    ));
    let because = format!("port {port} is taken by ");
    let holder = format!("(pid {})", std::process::id());
    let word = format!("web is not published on port {port}: {because}");
    sandbox.up().says(&[&word, &holder]);
    let row = sandbox.row("web");
    assert_eq!((&row["state"], &row["ports"][0]["unpublished"]), (&json!("ready"), &json!(port)));
    let said = row["ports"][0]["unpublished_because"].as_str().unwrap();
    assert!(said.starts_with(&because) && said.ends_with(&holder), "{said}");
    assert_ne!(row["ports"][0]["published"], port);
    let ps = sandbox.nagaya(&["ps"]).good().says(&[&word, &holder]);
    assert!(ps.out.contains(&format!("not published on {port}")), "{}", ps.out);
    let why = sandbox.nagaya(&["why", "web"]).good().out;
    assert!(why.contains(&format!("it is not published on port {port}: {because}")), "{why}");
    assert!(why.contains(&holder), "{why}");
    sandbox.nagaya(&["url", "web"]).good().says(&[&format!("web's http is not published on {port}: {because}")]);
    // Whoever attaches is told once more.
    sandbox.up().says(&[&word, &holder]);
    drop(stranger);
    // Nobody has to ask for it.
    until("web has the number", || sandbox.row("web")["ports"][0]["published"] == port);
    get(port.into(), "").good();
    let published = ("published".to_owned(), format!("web is published on port {port} now"));
    assert!(told(&sandbox).contains(&published), "{:?}", told(&sandbox));
    assert_eq!(sandbox.nagaya(&["ps"]).good().err, "");
    assert!(!sandbox.nagaya(&["why", "web"]).good().out.contains("not published"));
}

/// Nobody has to wait for the engine's next look.
#[test]
fn a_published_port_that_was_taken_is_taken_when_its_service_starts_again() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let sandbox = Sandbox::new(&format!(
        "name: taken
services: {{ web: {{ command: {SERVER} $PORT, ports: {{ http: 8080 }}, publish: '{port}:8080' }} }}
"
    ));
    sandbox.up();
    sandbox.nagaya(&["stop", "web"]).good();
    drop(stranger);
    sandbox.nagaya(&["start", "web"]).good();
    until("web has the number", || sandbox.row("web")["ports"][0]["published"] == port);
    get(port.into(), "").good();
}

/// It is settled when an engine starts, and written into the pods of what runs.
#[test]
fn the_front_door_keeps_its_number_while_it_is_open_and_says_where_it_moves() {
    let manifest = |publish: &str| {
        format!("name: door\nservices:\n  web: {{ command: {SERVER} $PORT, ports: {{ http: 8080 }}{publish} }}\n")
    };
    let sandbox = Sandbox::new(&manifest(""));
    sandbox.write("here.txt", "found");
    sandbox.up();
    let door = sandbox.engine()["front_door"].as_u64().unwrap();
    let taking = manifest(&format!(", publish: '{door}:8080'"));
    sandbox.write("nagaya.yaml", &taking);
    let word = format!("`web` publishes {door}, the number of the front door");
    let stays = [word.as_str(), "what runs is as it was before"];
    until("ps tells of it", || !sandbox.nagaya(&["ps"]).good().err.is_empty());
    sandbox.nagaya(&["ps"]).good().says(&stays);
    sandbox.nagaya(&["up", "-d"]).ended(3).says(&[&word, "what runs stays as it is", "`nagaya down`"]);
    let check = sandbox.nagaya(&["check", "--json"]).good().json();
    let warning = &check["problems"][0];
    assert_eq!((&warning["severity"], &warning["code"]), (&json!("warning"), &json!("front_door")), "{check}");
    assert_eq!((&warning["message"], &warning["line"]), (&json!(word), &json!(3)));
    assert_eq!(sandbox.engine()["front_door"], door);
    let at = |door: u64, host: &str| {
        let url = format!("http://127.0.0.1:{door}/here.txt");
        finish(Command::new("curl").args(["-sS", "-H", &format!("Host: {host}"), &url])).good().out
    };
    assert_eq!(at(door, "web.door.localhost"), "found");
    sandbox.nagaya(&["down"]).good();
    // Nobody relies on it then.
    let up = sandbox.up();
    let moved = sandbox.engine()["front_door"].as_u64().unwrap();
    assert_ne!(moved, door);
    let up = up.says(&[&format!("the front door moved from port {door} to {moved}: `web` publishes {door}")]);
    assert!(up.out.contains(&format!(":{moved}")) || up.err.contains(&format!("door.localhost:{moved}")), "{up:?}");
    assert!(!up.err.contains(&format!("localhost:{door}")), "{up:?}");
    assert_eq!((at(moved, "web.door.localhost"), at(door, "any")), ("found".to_owned(), "found".to_owned()));
    assert_eq!(sandbox.nagaya(&["check"]).good().err.matches("warning").count(), 0);
}

#[test]
fn a_front_door_whose_number_somebody_has_says_where_it_moved() {
    let sandbox = Sandbox::new("name: door\nservices: { web: { command: sleep infinity } }");
    sandbox.up();
    let door = sandbox.engine()["front_door"].as_u64().unwrap();
    sandbox.nagaya(&["down"]).good();
    let _stranger = TcpListener::bind(("127.0.0.1", u16::try_from(door).unwrap())).unwrap();
    let up = sandbox.up();
    let moved = sandbox.engine()["front_door"].as_u64().unwrap();
    let because = format!("port {door} is taken by ");
    let holder = format!("(pid {})", std::process::id());
    up.says(&[&format!("the front door moved from port {door} to {moved}: {because}"), &holder]);
}
