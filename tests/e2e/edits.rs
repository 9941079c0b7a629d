//! The manifest is edited while its services run.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, until};

const BASE: &str = "name: edited\nservices:\n";
const WEB: &str = "  web: { command: sleep infinity, environment: { A: '${A:-0}' } }\n";
const DB: &str = "  db: { command: sleep infinity }\n";

fn state(sandbox: &Sandbox, service: &str) -> Value {
    let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
    rows.as_array()
        .unwrap()
        .iter()
        .find(|row| row["service"] == service)
        .map(|row| row["state"].clone())
        .unwrap_or_default()
}

#[track_caller]
fn comes_to(sandbox: &Sandbox, service: &str, wanted: &str) {
    until(&format!("{service} is {wanted}"), || state(sandbox, service).as_str().unwrap_or("absent") == wanted);
}

fn manifest_events(sandbox: &Sandbox) -> Vec<String> {
    let out = sandbox.nagaya(&["events", "--json"]).good().out;
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == "manifest").map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// All events, as `service state` or the message, with their times.
fn told(sandbox: &Sandbox) -> Vec<(String, String)> {
    let out = sandbox.nagaya(&["events", "--json"]).good().out;
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let word = |line: &Value| match &line["state"] {
        Value::Null => text(&line["message"]),
        state => format!("{} {}", text(&line["service"]), text(state)),
    };
    lines.map(|line| (word(&line), text(&line["time"]))).collect()
}

#[test]
fn another_name_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::new(&format!("{BASE}{WEB}{DB}"));
    sandbox.up();
    let (web, db) = (sandbox.pid("web"), sandbox.pid("db"));
    let other = format!("name: other\nservices:\n{}{DB}", WEB.replace("sleep infinity", "sleep 1000"));
    sandbox.write("nagaya.yaml", &other);
    let words =
        ["the manifest calls the workspace `other` now, and it runs as `edited`", "what runs is as it was before"];
    until("ps tells of it", || !sandbox.nagaya(&["ps"]).good().err.is_empty());
    sandbox.nagaya(&["ps"]).good().says(&words);
    sandbox.nagaya(&["up", "-d"]).ended(1).says(&[words[0], "`nagaya down`, then `nagaya up`"]);
    assert_eq!((sandbox.pid("web"), sandbox.pid("db")), (web, db));
    assert_eq!(sandbox.nagaya(&["env", "web", "--json"]).good().json()["NAGAYA_WORKSPACE"], "edited");
    sandbox.write("nagaya.yaml", format!("{BASE}{WEB}{DB}"));
    until("ps has nothing to tell", || sandbox.nagaya(&["ps"]).good().err.is_empty());
    sandbox.write("nagaya.yaml", &other);
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    assert_eq!(sandbox.nagaya(&["env", "web", "--json"]).good().json()["NAGAYA_WORKSPACE"], "other");
}

#[test]
fn a_good_edit_is_applied_as_a_difference() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, &format!("{BASE}{WEB}{DB}  stopped: {{ command: sleep infinity }}\n"));
        sandbox.up();
        sandbox.nagaya(&["stop", "stopped"]).good();
        let (web, db) = (sandbox.pid("web"), sandbox.pid("db"));
        // One is new, one is changed, one is gone; the rest is as it was, also where it was stopped.
        let changed = WEB.replace("sleep infinity", "sleep 1000000");
        let new = "  new: { command: sleep infinity, depends_on: [db] }\n";
        sandbox.write("nagaya.yaml", format!("{BASE}{changed}{DB}{new}  stopped: {{ command: sleep infinity }}\n"));
        comes_to(&sandbox, "new", "running");
        until("web was restarted", || sandbox.row("web")["pid"].as_u64().is_some_and(|pid| pid != u64::from(web)));
        assert_eq!((sandbox.pid("db"), state(&sandbox, "stopped")), (db, "stopped".into()));
        assert_eq!(manifest_events(&sandbox), ["applied: web runs otherwise, new is new"]);
        sandbox.write("nagaya.yaml", format!("{BASE}{changed}{DB}"));
        comes_to(&sandbox, "new", "absent");
        assert_eq!(sandbox.pid("db"), db);
        assert_eq!(manifest_events(&sandbox)[1..], ["applied: new is gone, stopped is gone"], "at once");
        sandbox.write("nagaya.yaml", format!("{BASE}{WEB}  last: {{ command: sleep infinity }}\n"));
        comes_to(&sandbox, "last", "running");
        assert_eq!(manifest_events(&sandbox)[2..], ["applied: db is gone, web runs otherwise, last is new"]);
        until("db has stopped", || told(&sandbox).iter().any(|(what, _)| what == "db stopped"));
        let told = told(&sandbox);
        let times: Vec<&str> = told.iter().map(|(_, time)| time.as_str()).collect();
        assert!(times.is_sorted(), "what is told first was first: {told:#?}");
    }
}

#[test]
fn a_bad_edit_changes_nothing_and_is_told() {
    let sandbox = Sandbox::new(&format!("{BASE}{WEB}{DB}"));
    sandbox.up();
    let (web, db) = (sandbox.pid("web"), sandbox.pid("db"));
    sandbox.write("nagaya.yaml", format!("{BASE}{WEB}  db: {{ comand: sleep infinity }}\n"));
    until("ps tells of it", || !sandbox.nagaya(&["ps"]).good().err.is_empty());
    sandbox.nagaya(&["ps"]).good().says(&[
        "the manifest has 2 problems; what runs is as it was before",
        "nagaya.yaml:4",
        "did you mean `command`?",
    ]);
    let file = sandbox.path("nagaya.yaml").canonicalize().unwrap().display().to_string();
    assert_eq!(
        manifest_events(&sandbox),
        [format!(
            "the manifest has 2 problems; what runs is as it was before: {file}:4:3: `db` says nothing of what it runs; \
             {file}:4:9: a service has no key `comand`"
        )]
    );
    assert_eq!((sandbox.pid("web"), sandbox.pid("db")), (web, db));
    // Half a file is a bad edit too, and a good one ends it.
    sandbox.write("nagaya.yaml", "");
    fs::remove_file(sandbox.path("nagaya.yaml")).unwrap();
    until("it is told that there is none", || {
        sandbox.nagaya(&["-p", "edited", "ps"]).good().err.contains("does not exist")
    });
    sandbox.write("nagaya.yaml", format!("{BASE}{WEB}{DB}"));
    until("ps has nothing to tell", || sandbox.nagaya(&["ps"]).good().err.is_empty());
    assert_eq!((sandbox.pid("web"), sandbox.pid("db")), (web, db));
}

#[test]
fn all_that_the_manifest_consists_of_counts() {
    let sandbox =
        Sandbox::new(&format!("{BASE}{}", WEB.replace(" }\n", ", env_file: [{ path: web.env, required: false }] }\n")));
    sandbox.up();
    let a = || sandbox.nagaya(&["env", "web", "--json"]).good().json()["A"].clone();
    let b = || sandbox.nagaya(&["env", "web", "--json"]).good().json()["B"].clone();
    assert_eq!((a(), b()), ("0".into(), Value::Null));
    sandbox.write(".env", "A=1\n");
    until("`.env` came to be", || a() == "1");
    sandbox.write("web.env", "B=1\n");
    until("the env file came to be", || b() == "1");
    sandbox.write("nagaya.local.yaml", "services: { web: { environment: { A: '2' } } }\n");
    until("the overlay came to be", || a() == "2");
    fs::remove_file(sandbox.path("nagaya.local.yaml")).unwrap();
    until("the overlay went", || a() == "1");
    // A file that is missing makes the edit bad; when it comes, all is well.
    sandbox.write("nagaya.yaml", format!("include: [more/nagaya.yaml]\n{BASE}{WEB}"));
    until("ps tells of it", || sandbox.nagaya(&["ps"]).good().err.contains("more/nagaya.yaml does not exist"));
    sandbox.write("more/nagaya.yaml", "services: { more: { command: sleep infinity } }\n");
    comes_to(&sandbox, "more", "running");
    sandbox.write("more/nagaya.yaml", "services: { most: { command: sleep infinity } }\n");
    comes_to(&sandbox, "most", "running");
    comes_to(&sandbox, "more", "absent");
    assert_eq!(sandbox.nagaya(&["ps"]).good().err, "");
}

#[test]
fn an_edit_starts_only_what_up_was_asked_for() {
    let sandbox = Sandbox::new(&format!("{BASE}{WEB}{DB}"));
    sandbox.nagaya(&["up", "-d", "--wait", "web"]).good();
    let needs = WEB.replace(" }\n", ", depends_on: [db, cache] }\n");
    let rest = "  cache: { command: sleep infinity }\n  unrelated: { command: sleep infinity }\n";
    sandbox.write("nagaya.yaml", format!("{BASE}{needs}{DB}{rest}"));
    comes_to(&sandbox, "cache", "running");
    comes_to(&sandbox, "db", "running");
    assert_eq!(state(&sandbox, "unrelated"), "stopped");
}
