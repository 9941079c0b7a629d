//! Many pods, and workspaces that change while they run.

use serde_json::json;

use super::workspace;
use crate::support::sandbox::{Account, until};

#[test]
fn seventy_services_call_each_other_in_a_ring() {
    const COUNT: usize = 70;
    let mut manifest = "name: ring\nservices:\n".to_owned();
    for number in 0..COUNT {
        manifest.push_str(&format!("  s{number}: {{ command: [python3, server.py, '80'], ports: {{ http: 80 }} }}\n"));
    }
    let sandbox = workspace(Account::unprivileged(), &manifest);
    sandbox.up();
    // One request goes all the way round: each calls the next, and the last one the first.
    let round: String = (1..=COUNT).map(|number| format!("/call/s{}", number % COUNT)).collect();
    let answer = sandbox.told("s0", &format!("curl -sS -m 30 http://s0{round}/"));
    assert!(answer.contains(r#""host": "s0""#), "{answer}");
    let seen = sandbox.requests();
    for number in 0..COUNT {
        let edge = json!([format!("s{number}"), format!("s{}", (number + 1) % COUNT)]);
        assert!(seen.iter().any(|it| json!([it["from"], it["to"]]) == edge), "{edge} is not recorded");
    }
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();
}

#[test]
fn a_reload_changes_names_in_pods_that_run() {
    let one = "
name: reload
services:
  web: { command: [python3, server.py, '80'], ports: { http: 80 } }
";
    let two =
        format!("{one}  db: {{ command: [python3, raw.py, '5432'], ports: {{ tcp: 5432 }}, aliases: postgres }}\n");
    for account in Account::all() {
        let sandbox = workspace(account, one);
        sandbox.up();
        let pid = sandbox.pid("web");
        let is_known = |name: &str| sandbox.inside("web", &format!("getent hosts {name}.reload")).code == 0;
        assert!(!is_known("db"));
        for _ in 0..2 {
            sandbox.write("nagaya.yaml", &two);
            sandbox.up();
            assert!(is_known("db") && is_known("postgres"));
            assert_eq!(sandbox.dial("web", "db", 5432), "connected");
            // A service that goes while it is refused is no obstacle to the one that comes in its place.
            sandbox.nagaya(&["stop", "db"]).good();
            assert_eq!(sandbox.dial("web", "db", 5432), "ECONNREFUSED");
            sandbox.write("nagaya.yaml", one);
            sandbox.up();
            until("db is gone", || !is_known("db") && !is_known("postgres"));
        }
        assert_eq!(sandbox.pid("web"), pid, "web ran on");
    }
}
