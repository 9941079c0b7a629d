//! A manifest that changes while pods run.

use serde_json::json;

use super::workspace;
use crate::support::sandbox::{Account, finish, until};

#[test]
fn a_service_that_the_manifest_has_no_longer_has_no_name() {
    let both = "
name: shrinking
services:
  web: { command: [sleep, infinity] }
  users: { command: [python3, server.py, '8080'], ports: { http: 8080 }, aliases: people, stop_grace_period: 60s }
";
    for account in Account::all() {
        // It lives on for a while, and has no name as soon as the manifest has none.
        let sandbox = workspace(
            account,
            &both.replace("python3, server.py", "bash, -c, 'trap \"\" TERM; python3 server.py $0 & wait; wait'"),
        );
        sandbox.up();
        let web = |name: &str| {
            let front = sandbox.engine()["front_door"].to_string();
            let url = format!("http://{name}.shrinking.localhost:{front}/");
            let to = format!("{name}.shrinking.localhost:{front}:127.0.0.1");
            finish(sandbox.command("curl").args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--resolve",
                &to,
                &url,
            ]))
            .out
        };
        assert_eq!(["users", "people", "PEOPLE", "others"].map(web), ["200", "200", "200", "404"]);
        sandbox.inside("web", "getent hosts users people.shrinking").good();
        let (one, _) = both.split_once("  users").unwrap();
        sandbox.write("nagaya.yaml", one);
        sandbox.nagaya(&["up", "-d"]).good();
        for name in ["users", "people", "users.shrinking", "users.default.svc.cluster.local"] {
            sandbox.inside("web", &format!("getent hosts {name}")).ended(2);
        }
        assert_eq!(["users", "people"].map(web), ["404", "404"]);
    }
}

#[test]
fn another_name_of_the_workspace_is_not_taken_silently() {
    let manifest = |name: &str| format!("name: {name}\nservices: {{ web: {{ command: [sleep, infinity] }} }}\n");
    let sandbox = workspace(Account::unprivileged(), &manifest("old"));
    sandbox.up();
    sandbox.write("nagaya.yaml", manifest("new"));
    let said = ["the manifest calls the workspace `new` now, and it runs as `old`", "`nagaya down`, then `nagaya up`"];
    // As long as it is so.
    for _ in 0..2 {
        sandbox.nagaya(&["up", "-d", "--wait"]).ended(1).says(&said);
    }
    sandbox.nagaya(&["down"]).good();
    let up = sandbox.up();
    assert!(!up.err.contains("runs as"), "{}", up.err);
    assert_eq!(sandbox.engine()["name"], "new");
}

#[test]
fn an_up_tells_of_the_services_that_it_touched() {
    let manifest = |word: &str| {
        format!(
            "
name: touched
services:
  web: {{ command: [python3, server.py, '8080'], ports: {{ http: 8080 }} }}
  users: {{ command: [python3, server.py, '8080'], ports: {{ http: 8080 }}, environment: {{ WORD: {word} }} }}
  seed: {{ command: ['true'], restart: 'no' }}
"
        )
    };
    let sandbox = workspace(Account::unprivileged(), &manifest("a"));
    sandbox.up().says(&["web  ● ready in", "users  ● ready in", "seed  ✓ completed"]);
    sandbox.write("nagaya.yaml", manifest("b"));
    // A new instance takes the place of the one with the old environment.
    let up = sandbox.up();
    // The engine sees the edit too, and may be quicker.
    let events = || sandbox.nagaya(&["events", "users"]).good().out;
    assert!(up.err.contains("users#2  ● ready in") || events().contains("users#2  ● ready"), "{}{}", up.err, events());
    assert!(!up.err.contains("web  ●") && !up.err.contains("seed  ✓"), "{}", up.err);
    sandbox.nagaya(&["stop", "web"]).good();
    let up = sandbox.up().says(&["web  ● ready in"]);
    assert!(!up.err.contains("users  ●"), "{}", up.err);
}

#[test]
fn why_tells_of_refusals_by_what_was_then() {
    let manifest = |port: u16| {
        format!(
            "
name: past
services:
  web: {{ command: [sleep, infinity] }}
  users: {{ command: [python3, server.py, '{port}'], ports: {{ http: {port} }} }}
  ext: {{ external: 'tcp://127.0.0.1:9' }}
"
        )
    };
    let sandbox = workspace(Account::unprivileged(), &manifest(8080));
    sandbox.up();
    let refused = || sandbox.nagaya(&["why", "web", "--json"]).good().json()["refused"].clone();
    let told = |to: &str, hint: &str| json!({ "to": to, "hint": hint });
    assert_eq!(sandbox.dial("web", "users", 8081), "ECONNREFUSED");
    sandbox.nagaya(&["stop", "ext"]).good();
    assert_eq!(sandbox.dial("web", "ext", 9), "ECONNREFUSED");
    sandbox.nagaya(&["start", "ext"]).good();
    let ext = told("ext:9", "ext was stopped then; it is ready now");
    assert_eq!(refused(), json!([ext, told("users:8081", "users declares no port 8081, only 8080 (http)")]));
    sandbox.write("nagaya.yaml", manifest(8081));
    sandbox.up();
    until("the new port is open", || sandbox.dial("web", "users", 8081) == "connected");
    until("the old port is shut", || sandbox.dial("web", "users", 8080) == "ECONNREFUSED");
    let users =
        |hint: &str| (told("users:8080", "users declares no port 8080, only 8081 (http)"), told("users:8081", hint));
    let (old, new) = users("users had other ports then; it is ready now");
    assert_eq!(refused(), json!([ext, old, new]));
    // Another life of the caller has its own past.
    sandbox.nagaya(&["restart", "web"]).good();
    sandbox.nagaya(&["wait", "web"]).good();
    assert_eq!(refused(), json!([]));
}
