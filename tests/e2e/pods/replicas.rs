//! Several instances of a service: each in a pod of its own, called in turn.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::workspace;
use crate::support::sandbox::{Account, Sandbox, until};

const MANIFEST: &str = "
name: many
services:
  web: { command: [python3, server.py, '8080'], ports: { http: 8080 }, replicas: 2, depends_on: [users] }
  users: { command: [python3, server.py, '80'], ports: { http: 80 }, replicas: 3 }
";

impl Sandbox {
    /// All rows of a service in `ps --json`.
    pub fn rows(&self, service: &str) -> Vec<Value> {
        let rows = self.nagaya(&["ps", "--json"]).good().json();
        rows.as_array().unwrap().iter().filter(|row| row["service"] == service).cloned().collect()
    }
}

/// The numbers of a service's instances.
fn numbers(sandbox: &Sandbox, service: &str) -> Vec<u64> {
    sandbox.rows(service).iter().map(|row| row["instance"].as_u64().unwrap()).collect()
}

/// Tells which instance it is, and who calls.
const TELLER: &str = r#"
import http.server, os, sys

class Teller(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = (os.environ["NAGAYA_INSTANCE"] + " " + self.client_address[0] + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): print(self.path, flush=True)

http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Teller).serve_forever()
"#;

#[test]
fn each_instance_has_a_pod_and_all_are_called() {
    for account in Account::all() {
        let sandbox = workspace(account, &MANIFEST.replace("server.py, '80'", "teller.py, '80'"));
        sandbox.write("teller.py", TELLER);
        sandbox.up();
        assert_eq!((numbers(&sandbox, "web"), numbers(&sandbox, "users")), (vec![1, 2], vec![1, 2, 3]));
        let pids: BTreeSet<u64> = sandbox.rows("users").iter().map(|row| row["pid"].as_u64().unwrap()).collect();
        assert_eq!(pids.len(), 3);
        let told = sandbox.told("web", "for i in $(seq 60); do curl -sS http://users/; done");
        let instances: BTreeSet<&str> = told.lines().map(|line| line.split_once(' ').unwrap().0).collect();
        assert_eq!((told.lines().count(), instances), (60, BTreeSet::from(["1", "2", "3"])));
        // They know the instance that calls by its own address.
        let own = sandbox.told("web", "hostname -i");
        assert!(told.lines().all(|line| line.split_once(' ').unwrap().1 == own), "{own} is not in {told}");
        let logs = sandbox.nagaya(&["logs", "users", "--json"]).good().out;
        assert!(["1", "2", "3"].iter().all(|it| logs.contains(&format!("\"instance\":{it},"))), "{logs}");
        let shown = sandbox.nagaya(&["ps"]).good().out;
        assert!(shown.contains("users#3"), "{shown}");
    }
}

#[test]
fn one_that_is_killed_is_called_no_more_and_the_others_answer() {
    let sandbox = workspace(Account::Own, MANIFEST);
    sandbox.up();
    let pid = sandbox.rows("users")[1]["pid"].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    until("it has failed", || sandbox.rows("users")[1]["state"] == "failed");
    let script = "for i in $(seq 30); do curl -sS -o /dev/null -w '%{http_code} ' http://users/; done";
    assert_eq!(sandbox.told("web", script).trim(), ["200"; 30].join(" "));
    let why = sandbox.nagaya(&["why", "users", "--json"]).good().json();
    assert_eq!(why["state"], "ready");
}
