//! Programs of every habit: where they listen, when, and in which process.

use serde_json::Value;

use super::workspace;
use crate::support::sandbox::{Account, until};

#[test]
fn a_program_may_listen_on_any_address_of_its_pod() {
    let manifest = "
name: binds
services:
  caller: { command: [sleep, infinity] }
  every: { command: [python3, server.py, '80', '0.0.0.0'], ports: { http: 80 } }
  every6: { command: [python3, server.py, '80', '::'], ports: { http: 80 } }
  loop: { command: [python3, server.py, '80', '127.0.0.1'], ports: { http: 80 } }
  loop6: { command: [python3, server.py, '80', '::1'], ports: { http: 80 } }
  own: { command: 'exec python3 server.py 80 $(hostname -i)', ports: { http: 80 } }
  named: { command: [python3, server.py, '80', localhost], ports: { http: 80 } }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        for callee in ["every", "every6", "loop", "loop6", "own", "named"] {
            let answer = sandbox.told("caller", &format!("curl -sS -m 10 http://{callee}/"));
            let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{callee}: {answer}"));
            assert_eq!(answer["host"], callee);
            let peer = answer["peer"].as_str().unwrap();
            let own = if callee == "loop6" { "fd66::" } else { "10.66." };
            assert!(peer.trim_start_matches("::ffff:").starts_with(own), "{callee} was called by {peer}");
        }
    }
}

/// Forks twice, as daemons do; the first process ends well and the last one listens.
const DAEMON: &str = r#"
import os, sys
if os.fork(): sys.exit(0)
os.setsid()
if os.fork(): os._exit(0)
sys.argv = ["server.py", "8080"]
exec(open("server.py").read())
"#;

#[test]
fn a_daemon_is_a_service_until_it_is_stopped() {
    let manifest = "
name: daemon
services:
  web: { command: 'python3 daemon.py; while ! grep -q :1F90 /proc/net/tcp; do sleep 0.05; done', ports: { http: 8080 } }
  caller: { command: [sleep, infinity] }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.write("daemon.py", DAEMON);
        sandbox.up();
        assert_eq!(sandbox.row("web")["state"], "ready");
        assert!(sandbox.told("caller", "curl -sS http://web:8080/").contains("web"));
        sandbox.nagaya(&["stop", "web"]).good();
        assert_eq!(sandbox.dial("caller", "web", 8080), "ECONNREFUSED");
        let named = |pid: &u32| {
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("daemon.py")
        };
        assert!(!sandbox.processes().iter().any(named), "the daemon is gone");
    }
}

#[test]
fn a_program_that_listens_late_is_waited_for() {
    let sandbox = workspace(
        Account::unprivileged(),
        "
name: late
services:
  web: { command: 'while [ ! -e go ]; do sleep 0.05; done; exec python3 server.py 8080', ports: { http: 8080 } }
",
    );
    sandbox.nagaya(&["up", "-d"]).good();
    until("it is looked at", || sandbox.row("web")["reason"].to_string().contains("does not listen on port 8080 yet"));
    sandbox.write("go", "");
    sandbox.nagaya(&["wait", "web"]).good();
    assert_eq!(sandbox.row("web")["state"], "ready");
}

#[test]
fn a_program_on_another_port_is_told_which_one() {
    let manifest = "
name: elsewhere
services:
  one: { command: [python3, server.py, '3000'], ports: { http: 8080 } }
  two: { command: 'python3 server.py 3001 & exec python3 server.py 3002', ports: { http: 8080 } }
  none: { command: [sleep, infinity], ports: { http: 8080 } }
  web: { command: [python3, server.py, '3003'], ports: { http: 8080 }, readiness: /healthz }
  tcp: { command: [python3, raw.py, '3004'], ports: { tcp: 8080 }, readiness: { tcp: {} } }
  grpc: { command: [python3, raw.py, '3005'], ports: { grpc: 8080 }, readiness: { grpc: {} } }
  free: { command: [python3, server.py, '3006'], network: env, ports: { http: 18476 }, readiness: /healthz }
";
    let sandbox = workspace(Account::unprivileged(), manifest);
    sandbox.nagaya(&["up", "-d"]).good();
    let why = |service: &str| sandbox.nagaya(&["why", service]).good().out;
    until("it is told", || why("one").contains("it listens on 3000 instead of 8080"));
    let helps =
        "instead of 8080, the number in its `ports`: have it listen on 8080, or declare `ports: { http: 3000 }`";
    assert!(why("one").contains(helps), "{}", why("one"));
    until("both are told", || why("two").contains("it listens on 3001 and 3002 instead of 8080"));
    for (service, port) in [("web", 3003), ("tcp", 3004), ("grpc", 3005)] {
        let said = format!("it listens on {port} instead of 8080");
        until("what a probe did not find is told", || why(service).contains(&said));
        let helps = format!("`ports: {{ {}: {port} }}`", if service == "web" { "http" } else { service });
        assert!(why(service).contains(&helps), "{}", why(service));
    }
    let helps = "the number in its `PORT`: have it listen on its `PORT`, or declare `listen: 3006`";
    until("without a pod too", || why("free").contains(helps));
    assert!(why("none").contains("it does not listen on port 8080 yet"), "{}", why("none"));
    assert_eq!(sandbox.row("none")["state"], "starting");
    // What was said can be done.
    let text = manifest.replacen("ports: { http: 8080 }", "ports: { http: 3000 }", 1);
    sandbox.write("nagaya.yaml", text.replace("ports: { http: 18476 }", "ports: { http: 18476 }, listen: 3006"));
    sandbox.nagaya(&["up", "-d"]).good();
    sandbox.nagaya(&["wait", "one"]).good();
    assert_eq!(sandbox.row("free")["ports"][0]["published"], 3006);
}
