//! `why` tells which calls a service's own pod refused, and what would help.

use serde_json::{Value, json};

use super::workspace;
use crate::support::sandbox::{Account, Sandbox, until};

impl Sandbox {
    fn refused(&self, service: &str) -> Value {
        self.nagaya(&["why", service, "--json"]).good().json()["refused"].clone()
    }
}

#[test]
fn what_a_running_service_dialled_in_vain_is_told() {
    let manifest = "
name: refusals
services:
  web: { command: [python3, server.py, '8080'], ports: { http: 8080 } }
  db: { command: [python3, raw.py, '5432'], ports: { tcp: 5432 } }
  shut: { command: [sleep, infinity], egress: deny }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        assert_eq!(sandbox.refused("web"), json!([]));
        // What somebody listens on, and what passes, is nobody's business.
        for (host, port) in [("localhost", 8080), ("db", 5432)] {
            assert_eq!(sandbox.dial("web", host, port), "connected");
        }
        assert_eq!(sandbox.refused("web"), json!([]));
        for port in [5432, 6379] {
            assert_eq!(sandbox.dial("web", "localhost", port), "ECONNREFUSED");
        }
        sandbox.nagaya(&["stop", "db"]).good();
        assert_eq!(sandbox.dial("web", "db", 5432), "ECONNREFUSED");
        let local = json!({ "to": "localhost:5432", "hint": "localhost is its own pod; db has that port: `db:5432`" });
        let host = json!({ "to": "localhost:6379", "hint": "localhost is its own pod; this machine's is `host.nagaya.internal:6379`" });
        let absent = |hint: &str| json!({ "to": "db:5432", "hint": hint });
        assert_eq!(sandbox.refused("web"), json!([absent("db is stopped"), local, host]));
        let text = sandbox.nagaya(&["why", "web"]).good().out;
        assert!(text.contains("its call to localhost:5432 was refused: localhost is its own pod; db has"), "{text}");
        sandbox.nagaya(&["start", "db"]).good();
        sandbox.nagaya(&["wait", "db"]).good();
        assert_eq!(sandbox.refused("web"), json!([absent("db was not there then; it is ready now"), local, host]));

        assert_eq!(sandbox.dial("shut", "192.0.2.1", 443), "ECONNREFUSED");
        assert_eq!(sandbox.dial("shut", "host.nagaya.internal", 22), "ECONNREFUSED");
        let denied = |to: &str| json!({ "to": to, "hint": "`egress: deny` forbids it" });
        assert_eq!(sandbox.refused("shut"), json!([denied("192.0.2.1:443"), denied("host.nagaya.internal:22")]));
    }
}

#[test]
fn what_a_service_that_failed_had_dialled_is_told_after_its_end() {
    // A shell that could not open its descriptor ends.
    let manifest = r#"
name: refusals
services:
  db: { command: [python3, raw.py, '5432'], ports: { tcp: 5432 } }
  web: { command: [bash, -c, 'exec 3<>/dev/tcp/127.0.0.1/5432'], depends_on: [db] }
  well: { command: [bash, -c, '(exec 3<>/dev/tcp/127.0.0.1/5432); exit 0'], depends_on: [db] }
"#;
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.nagaya(&["up", "-d"]).good();
        until("it has failed", || sandbox.row("web")["state"] == "failed");
        until("it has ended", || sandbox.row("well")["state"] == "completed");
        let local = json!({ "to": "localhost:5432", "hint": "localhost is its own pod; db has that port: `db:5432`" });
        assert_eq!(sandbox.refused("web"), json!([local]));
        // Who ended well had no need of it.
        assert_eq!(sandbox.refused("well"), json!([]));
    }
}

#[test]
fn a_strict_workspace_says_that_a_call_has_to_be_declared() {
    let manifest = "
name: refusals
strict: true
services:
  web: { command: [sleep, infinity] }
  db: { command: [python3, raw.py, '5432'], ports: { tcp: 5432 } }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        assert_eq!(sandbox.dial("web", "db", 5432), "ECONNREFUSED");
        let hint = "`strict: true` forbids it, as web does not declare it";
        assert_eq!(sandbox.refused("web"), json!([{ "to": "db:5432", "hint": hint }]));
    }
}
