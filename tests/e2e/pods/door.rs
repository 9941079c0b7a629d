//! The front door from within pods: whoever calls there is known, and may call no more than by name.

use serde_json::{Value, json};

use super::calls::greeter;
use super::workspace;
use crate::support::sandbox::{Account, Sandbox};

const MANIFEST: &str = "
name: guarded
strict: true
services:
  web: { command: [python3, server.py, '80'], ports: { http: 80 }, depends_on: [users] }
  users: { command: [python3, server.py, '80'], ports: { http: 80 } }
  db: { command: [python3, server.py, '80'], ports: { http: 80 } }
  raw: { command: [python3, raw.py, '7000'], ports: { tcp: 7000 } }
  shut: { command: [sleep, infinity], egress: deny, depends_on: [users] }
";

impl Sandbox {
    /// What the front door answers a service that asks it for `host` at `at`: the status, and the first line.
    #[track_caller]
    fn asks_door(&self, from: &str, at: &str, host: &str, words: &str) -> (String, String) {
        let number = self.front_door();
        let host = format!("Host: {host}.guarded.localhost:{number}");
        let call = format!("curl -sS -m 20 -w '\\n%{{http_code}}' -H '{host}' {words} http://{at}:{number}/");
        let told = self.told(from, &call);
        let (body, status) = told.rsplit_once('\n').unwrap();
        (status.to_owned(), body.lines().next().unwrap_or_default().to_owned())
    }

    /// All that a service is answered to bytes that it sends to the front door.
    #[track_caller]
    fn sends_door(&self, from: &str, bytes: &str) -> String {
        let number = self.front_door();
        self.told(from, &format!("exec 3<>/dev/tcp/127.0.0.1/{number}; printf '{bytes}' >&3; cat <&3"))
    }
}

#[test]
fn a_strict_workspace_is_so_at_its_front_door() {
    let refused = |from: &str, to: &str| format!("nagaya: `strict: true` forbids {from} to call {to}");
    for account in Account::all() {
        let sandbox = workspace(account, MANIFEST);
        sandbox.up();
        for at in ["127.0.0.1", "[::1]", "10.66.255.2", "host.nagaya.internal"] {
            assert_eq!(sandbox.asks_door("web", at, "users", "").0, "200", "{at}");
            let (status, told) = sandbox.asks_door("web", at, "db", "");
            assert!(status == "403" && told.starts_with(&refused("web", "db")), "{at}: {status} {told}");
            assert_eq!(sandbox.asks_door("users", at, "web", "").0, "403", "{at}");
        }
        // Itself it may call.
        assert_eq!(sandbox.asks_door("web", "127.0.0.1", "web", "").0, "200");
        // Neither tunnels nor entries of its own lead further.
        let told = sandbox.sends_door("web", r"CONNECT raw.guarded.localhost:7000 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(told.starts_with("HTTP/1.1 403") && told.contains(&refused("web", "raw")), "{told}");
        let inner = |host: &str| {
            let request = format!(r"GET / HTTP/1.1\r\nHost: {host}.guarded.localhost\r\nConnection: close\r\n\r\n");
            let connect = r"CONNECT users.guarded.localhost:80 HTTP/1.1\r\nHost: x\r\n\r\n";
            sandbox.sends_door("web", &format!("{connect}{request}"))
        };
        let told = inner("users");
        assert!(told.contains("HTTP/1.1 200 Connected") && told.contains(r#""host": "users""#), "{told}");
        let told = inner("db");
        assert!(told.contains("HTTP/1.1 403") && told.contains(&refused("web", "db")), "{told}");
        let entry = "-H 'l5d-dtab: /svc/users => /svc/db'";
        assert_eq!(sandbox.asks_door("web", "127.0.0.1", "users", entry).0, "403");
        assert_eq!(
            sandbox.told("web", &format!("curl -sS -o /dev/null -w '%{{http_code}}' {entry} http://users/")),
            "403"
        );
        let requests = sandbox.requests();
        let is_told = |it: &Value| {
            let error = it["error"].as_str().unwrap_or_default();
            json!([it["from"], it["to"], it["status"]]) == json!(["users", "web", 403])
                && error.contains("strict: true")
        };
        assert!(requests.iter().any(is_told), "{requests:?}");
        let from: Vec<Value> = requests.into_iter().map(|it| it["from"].clone()).collect();
        assert!(from.contains(&json!("web")) && !from.contains(&json!("(front door)")), "{from:?}");
    }
}

#[test]
fn whoever_may_not_leave_does_not_leave_by_the_front_door() {
    let outside = greeter("127.0.0.1".parse().unwrap());
    for account in Account::all() {
        let sandbox = workspace(account, MANIFEST);
        sandbox.up();
        assert_eq!(sandbox.asks_door("shut", "127.0.0.1", "users", "").0, "200");
        let entry = format!("-H 'l5d-dtab: /svc/users => /$/inet/127.0.0.1/{outside}'");
        let (status, told) = sandbox.asks_door("shut", "127.0.0.1", "users", &entry);
        assert!(status == "502" && told.contains("egress: deny"), "{status} {told}");
        // Others may.
        assert!(sandbox.asks_door("web", "127.0.0.1", "users", &entry).1.contains("its answer cannot be read"));
    }
}

/// A service reaches by the host's loopback what is published there, and no more than by name.
#[test]
fn a_published_port_is_the_services_for_pods_too() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let manifest = MANIFEST.replace("ports: { tcp: 7000 }", &format!("ports: {{ tcp: 7000 }}, publish: '{port}:7000'"));
    let manifest = manifest.replace("depends_on: [users] }\n  users", "depends_on: [users, raw] }\n  users");
    let sandbox = workspace(Account::unprivileged(), &manifest);
    sandbox.up();
    let peer = |from: &str| {
        let call = format!("exec 3<>/dev/tcp/host.nagaya.internal/{port}; timeout 20 cat <&3 2>&1");
        sandbox.inside(from, &call).out
    };
    let own = sandbox.told("web", "getent ahostsv4 web | head -1 | cut -d ' ' -f 1");
    assert_eq!(peer("web").trim(), own, "the callee sees who calls");
    assert!(!peer("users").contains("10.66."));
}
