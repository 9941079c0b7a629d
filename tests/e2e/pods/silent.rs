//! Declared ports on which nobody listens, and programs that listen where nobody expects them.

use serde_json::{Value, json};

use super::workspace;
use crate::support::sandbox::{Account, Sandbox, until};

impl Sandbox {
    fn silent_ports(&self, service: &str) -> Value {
        self.nagaya(&["why", service, "--json"]).good().json()["silent_ports"].clone()
    }
}

#[test]
fn a_declared_port_on_which_nobody_listens_is_told_before_and_after_a_call() {
    let manifest = "
name: silent
services:
  web: { command: [sleep, infinity] }
  users: { command: [python3, server.py, '3000'], ports: { tcp: 8080 }, readiness: { exec: 'true' } }
  mute: { command: [sleep, infinity], ports: { tcp: 8080, udp: { port: 53, protocol: udp } }, readiness: { exec: 'true' } }
  well: { command: [python3, server.py, '8080'], ports: { http: 8080, stats: 9100 } }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        let one =
            |name: &str, number: u16, finding: &str| json!([{ "name": name, "number": number, "finding": finding }]);
        let users = one("tcp", 8080, "expected 8080, open is only 3000 (python3)");
        until("it listens", || sandbox.silent_ports("users") == users);
        let mute = json!([
            { "name": "tcp", "number": 8080, "finding": "expected 8080, nothing is open" },
            { "name": "udp", "number": 53, "finding": "nobody takes datagrams on 53" },
        ]);
        assert_eq!(sandbox.silent_ports("mute"), mute);
        assert_eq!(sandbox.silent_ports("well"), one("stats", 9100, "expected 9100, open is only 8080 (python3)"));
        // The engine accepts for it, and can only reset.
        assert_eq!(
            sandbox.told("web", "exec 3<>/dev/tcp/users/8080; cat <&3 2>&1; true"),
            "cat: -: Connection reset by peer"
        );
        assert_eq!(sandbox.silent_ports("users"), users);
        let text = sandbox.nagaya(&["why", "users"]).good().out;
        assert!(text.contains("its port tcp: expected 8080, open is only 3000 (python3)"), "{text}");
        let error = || sandbox.requests().last().map(|record| record["error"].to_string()).unwrap_or_default();
        until("it is recorded", || error().contains("expected 8080, open is only 3000 (python3)"));
        let answer = sandbox.told("web", "curl -sS -m 5 http://well:9100/");
        assert!(answer.contains("expected 9100, open is only 8080 (python3)"), "{answer}");
    }
}

#[test]
fn without_a_pod_it_is_told_as_well() {
    let manifest = "
name: silent
network: env
services:
  one: { command: [python3, -c, 'import time; time.sleep(1000)'], ports: { http: 8080 }, readiness: { exec: 'true' } }
";
    let sandbox = workspace(Account::unprivileged(), manifest);
    sandbox.up();
    let told = sandbox.silent_ports("one");
    assert!(told[0]["finding"].as_str().is_some_and(|it| it.ends_with(", nothing is open")), "{told}");
}

#[test]
fn a_program_on_another_address_of_the_loopback_is_found_and_named() {
    let manifest = "
name: silent
services:
  web: { command: [sleep, infinity] }
  odd: { command: [python3, server.py, '8080', 127.0.0.2], ports: { http: 8080 } }
  probed: { command: [python3, server.py, '8080', 127.1.2.3], ports: { http: 8080 }, readiness: { http: / } }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        for (service, address) in [("odd", "127.0.0.2"), ("probed", "127.1.2.3")] {
            let answer = sandbox.told("web", &format!("curl -sS -m 5 http://{service}:8080/"));
            assert!(answer.contains(&format!(r#""host": "{service}""#)), "{answer}");
            let said = format!("listens on {address}:8080 only");
            let text = sandbox.nagaya(&["why", service]).good().out;
            assert!(text.contains(&said), "{text}");
        }
    }
}
