//! Memory for the whole workspace.

use super::workspace;
use crate::support::sandbox::{Account, until};

/// Takes so many MiB, and answers.
const SERVER: &str = r#"
import http.server, sys

held = bytearray(b"x") * (int(sys.argv[2]) << 20)

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Server).serve_forever()
"#;

const MANIFEST: &str = "
name: budget
budget: 150MiB
services:
  web: { command: [sleep, infinity] }
  one: { command: [python3, server.py, '80', '80'], ports: { http: 80 }, lazy: true }
  two: { command: [python3, server.py, '80', '80'], ports: { http: 80 }, lazy: true }
";

#[test]
fn the_lazy_service_that_nobody_called_for_longest_makes_room() {
    let sandbox = workspace(Account::unprivileged(), MANIFEST);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    for (called, other) in [("one", "two"), ("two", "one"), ("one", "two")] {
        assert_eq!(sandbox.told("web", &format!("curl -sS -m 20 http://{called}/")), "ok");
        until("there is room", || sandbox.row(other)["state"] == "idle");
        assert_eq!(sandbox.row(called)["state"], "ready");
    }
    let why = sandbox.nagaya(&["why", "two"]).good().out;
    assert!(why.contains("stopped until it is called") && why.contains("the budget is 150MiB"), "{why}");
    let events = sandbox.nagaya(&["events", "--json"]).good().out;
    let told = events.lines().filter(|line| line.contains("\"event\":\"budget\"")).collect::<Vec<_>>();
    assert!(told.len() >= 2 && told[0].contains("\"service\":\"one\"") && told[0].contains("frees"), "{told:?}");

    // What is not lazy is left alone, and said.
    sandbox.write("nagaya.yaml", MANIFEST.replace(", lazy: true", ""));
    sandbox.up();
    until("it is told", || sandbox.nagaya(&["ps"]).good().says(&[]).err.contains("no lazy one is idle"));
    assert_eq!(["one", "two"].map(|name| sandbox.row(name)["state"].clone()), ["ready", "ready"]);
}
