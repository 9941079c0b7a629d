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
        assert_eq!(sandbox.refused("web"), json!([absent("db was stopped then; it is ready now"), local, host]));

        assert_eq!(sandbox.dial("shut", "192.0.2.1", 443), "ECONNREFUSED");
        assert_eq!(sandbox.dial("shut", "host.nagaya.internal", 22), "ECONNREFUSED");
        let denied = |to: &str| json!({ "to": to, "hint": "`egress: deny` forbids it" });
        assert_eq!(sandbox.refused("shut"), json!([denied("192.0.2.1:443"), denied("host.nagaya.internal:22")]));
    }
}

#[test]
fn an_undeclared_port_is_refused_by_the_callers_kernel_and_told() {
    let manifest = "
name: refusals
services:
  web: { command: [sleep, infinity] }
  users: { command: [python3, server.py, '8080'], ports: { http: 8080, metrics: 9100 } }
  one: { command: [sleep, infinity], ports: { stats: { port: 8125, protocol: udp } }, readiness: { exec: 'true' } }
  none: { command: [python3, server.py, '8080'] }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        for (host, port) in [("users", 9999), ("users", 80), ("none", 8080), ("one", 8125)] {
            assert_eq!(sandbox.dial("web", host, port), "ECONNREFUSED", "{host}:{port}");
        }
        assert_eq!(sandbox.dial("web", "users", 8080), "connected");
        let users = |port: u16| {
            let hint = format!("users declares no port {port}, only 8080 (http) and 9100 (metrics)");
            json!({ "to": format!("users:{port}"), "hint": hint })
        };
        let none = "none declares no ports; where it listens on 8080, put that into its `ports`";
        let none = json!({ "to": "none:8080", "hint": none });
        let datagrams = json!({ "to": "one:8125", "hint": "one takes only datagrams (udp) at 8125" });
        assert_eq!(sandbox.refused("web"), json!([none, datagrams, users(80), users(9999)]));
        // By the address alone: who never asked for a name is refused as well, if only by its second try.
        let address = sandbox.told("web", "getent ahostsv4 users | head -1 | cut -d' ' -f1");
        let inside = |sandbox: &Sandbox, port| sandbox.dial("none", &address, port);
        until("the kernel knows", || inside(&sandbox, 9999) == "ECONNREFUSED");
        assert_eq!(inside(&sandbox, 8080), "connected");
    }
}

#[test]
fn a_port_that_is_declared_while_its_callers_run_is_open_to_them() {
    let manifest = |ports: &str| {
        format!(
            "
name: refusals
services:
  web: {{ command: [sleep, infinity] }}
  users: {{ command: [python3, server.py, '8080'], ports: {{ {ports} }}, readiness: {{ tcp: {{ port: 8080 }} }} }}
"
        )
    };
    let sandbox = workspace(Account::unprivileged(), &manifest("http: 8080, other: 9000"));
    sandbox.up();
    assert_eq!(sandbox.dial("web", "users", 8081), "ECONNREFUSED");
    assert_eq!(sandbox.dial("web", "users", 9000), "connected");
    sandbox.write("nagaya.yaml", manifest("http: 8080, more: 8081"));
    sandbox.up();
    until("a new port is open", || sandbox.dial("web", "users", 8081) == "connected");
    until("an old one is shut", || sandbox.dial("web", "users", 9000) == "ECONNREFUSED");
    assert_eq!(sandbox.dial("web", "users", 8080), "connected");
    // All of them shut and open again with the service.
    sandbox.nagaya(&["stop", "users"]).good();
    assert_eq!(sandbox.dial("web", "users", 8080), "ECONNREFUSED");
    sandbox.up();
    assert_eq!(sandbox.dial("web", "users", 8080), "connected");
    assert_eq!(sandbox.dial("web", "users", 9000), "ECONNREFUSED");
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

#[test]
fn calls_into_a_pod_are_not_taken_for_its_own() {
    let manifest = "
name: refusals
services:
  web: { command: [sleep, infinity] }
  users: { command: [python3, server.py, '8080'], ports: { http: 8080, metrics: 9100 } }
";
    let sandbox = workspace(Account::unprivileged(), manifest);
    sandbox.up();
    // Nobody listens there, so the engine's own dial into the pod fails.
    let answer = sandbox.inside("web", "curl -sS -m 5 http://users:9100/").out;
    assert!(answer.contains("nothing answers"), "{answer}");
    assert_eq!(sandbox.refused("users"), json!([]));
}
