//! Ways in which a real service is seen to be ready.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use crate::support::sandbox::{Account, Sandbox, finish, until};

/// Says how far it is, and that it is ready once there is a file `go`.
const NOTIFIER: &str = r#"
import os, socket, time

def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

say("STATUS=reading the index")
while not os.path.exists("go"):
    time.sleep(0.01)
say("STATUS=done\nREADY=1")
time.sleep(1000)
"#;

#[test]
fn a_service_says_itself_that_it_is_ready() {
    for account in Account::all() {
        for network in ["pod", "names", "env"] {
            let sandbox = Sandbox::of(
                account,
                &format!(
                    "name: say\nnetwork: {network}\nservices: {{ web: {{ command: [python3, say.py], readiness: {{ notify: true }} }} }}"
                ),
            );
            sandbox.write("say.py", NOTIFIER);
            sandbox.nagaya(&["up", "-d"]).good();
            let said = || sandbox.nagaya(&["why", "web", "--json"]).good().json()["last_probe"].clone();
            until("it tells how far it is", || said() == "it says: reading the index");
            assert_eq!(sandbox.row("web")["state"], "starting");
            sandbox.write("go", "");
            sandbox.nagaya(&["wait", "web", "--timeout", "60s"]).good();
            assert_eq!(sandbox.row("web")["state"], "ready");
            sandbox.nagaya(&["down"]).good();
            let left = finish(sandbox.command("find").arg(sandbox.path("../run"))).good().out;
            assert!(!left.contains("notify"), "{left}");
        }
    }
}

#[test]
fn a_service_of_another_account_can_say_it_too() {
    let Account::Other { uid, gid } = Account::unprivileged() else { return };
    let sandbox = Sandbox::new(&format!(
        "services: {{ web: {{ command: [python3, say.py], user: '{uid}:{gid}', readiness: {{ notify: true }} }} }}"
    ));
    sandbox.write("say.py", NOTIFIER);
    sandbox.write("go", "");
    for folder in ["", ".."] {
        fs::set_permissions(sandbox.path(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.up();
    assert_eq!(sandbox.row("web")["state"], "ready");
}

/// Serves on port 8080; what it answers is written in files of the paths' names.
const SERVER: &str = r#"
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.strip("/")
        status = int(open(path).read()) if os.path.exists(path) else 200
        self.send_response(status)
        self.end_headers()

print("listening", flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// Says that it is ready and, while there is no file `dead`, that it lives, as often as it is asked to.
const WATCHED: &str = r#"
import os, socket, time

def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

say("READY=1")
pause = int(os.environ["WATCHDOG_USEC"]) / 4e6
while not os.path.exists("dead"):
    say("WATCHDOG=1")
    time.sleep(pause)
time.sleep(1000)
"#;

const PROBED: &str = r#"
name: probed
services:
  web:
    command: [python3, server.py]
    ports: 8080
    startup: { httpGet: { path: /started }, periodSeconds: 60 }
    readiness: { http: /ready, period: 100ms }
    liveness: { http: /alive, period: 100ms }
    restart: { policy: always, backoff: { base: 100ms, jitter: none } }
  late:
    command: [python3, server.py]
    ports: 8080
    startup: { exec: { command: [test, -e, late] }, period: 1s, failure_threshold: 1 }
  line:
    command: [python3, server.py]
    ports: 8080
    startup: { log: ^listening$ }
    liveness: { exec: 'test ! -e dead || { echo it is dead; exit 3; }', period: 100ms, failure_threshold: 2 }
  word:
    command: [python3, watched.py]
    readiness: { notify: true }
    liveness: { notify: true, period: 1s, failure_threshold: 2 }
"#;

#[test]
fn what_has_not_started_is_asked_nothing_and_what_does_not_live_is_ended() {
    for (account, network) in Account::all().into_iter().zip(["pod", "env"]).chain([(Account::Own, "names")]) {
        let sandbox = Sandbox::of(account, &format!("network: {network}\n{PROBED}"));
        sandbox.write("server.py", SERVER);
        sandbox.write("watched.py", WATCHED);
        sandbox.write("started", "503");
        sandbox.nagaya(&["up", "-d"]).good();
        let row = |service: &str| sandbox.row(service);
        let why = |service: &str| sandbox.nagaya(&["why", service, "--json"]).good().json();
        until("it is asked whether it has started", || why("web")["last_probe"].to_string().contains("answered 503"));
        assert_eq!(row("web")["reason"], "it has not started: GET /started answered 503");
        sandbox.write("started", "200");
        sandbox.nagaya(&["wait", "web", "line", "word", "--timeout", "60s"]).good();
        // Its policy has it started again, and everything is asked from the beginning.
        sandbox.write("started", "503");
        sandbox.write("alive", "500");
        until("it is started again", || {
            row("web")["restarts"].as_u64() >= Some(1) && row("web")["state"] == "starting"
        });
        sandbox.write("alive", "200");
        sandbox.write("started", "200");
        sandbox.nagaya(&["wait", "web", "--timeout", "60s"]).good();
        assert_eq!(row("web")["restarts"], 1);
        // Those that are not started again say what they were ended for.
        sandbox.write("dead", "");
        for (service, cause) in [
            ("late", "startup probe failed: `test -e late` exited with 1"),
            ("line", "liveness probe failed: `test ! -e dead"),
            ("word", "liveness probe failed: it has not said WATCHDOG=1 for 2s"),
        ] {
            until("it has failed", || row(service)["state"] == "failed");
            let told = why(service)["reason"].to_string();
            assert!(told.contains(cause), "{service}: {told}");
        }
        assert!(row("line")["reason"].to_string().contains("exited with 3: it is dead"), "{}", row("line"));
    }
}

/// Listens on a port that others may have too, and says who it is.
const TWIN: &str = r#"
import os, socket, sys, time

if len(sys.argv) > 1:
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
listener.listen(64)
print("bound", flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()
"#;

#[test]
fn a_stranger_on_its_port_is_caught_and_named() {
    for (account, network) in Account::all().into_iter().zip(["names", "env"]) {
        for readiness in ["", "readiness: { http: /, period: 100ms, failure_threshold: 1 }"] {
            let manifest = format!(
                "network: {network}\nservices:\n  web:\n    command: [python3, twin.py, go]\n    ports: 8080\n    {readiness}\n"
            );
            let sandbox = Sandbox::of(account, &manifest);
            sandbox.write("twin.py", TWIN);
            sandbox.nagaya(&["up", "-d"]).good();
            until("it runs", || sandbox.row("web")["pid"].is_u64());
            let port = sandbox.row("web")["ports"][0]["published"].to_string();
            let stranger = || {
                let mut command = sandbox.command("python3");
                // Where every account may run what is found.
                command.args(["twin.py"]).env("PORT", &port).env("PATH", "/usr/local/bin:/usr/bin:/bin");
                let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
                let mut line = String::new();
                BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
                assert_eq!(line, "bound\n");
                Stranger(child)
            };
            let why = || sandbox.nagaya(&["why", "web", "--json"]).good().json()["last_probe"].to_string();
            let first = stranger();
            let named = |of: &Stranger, how: &str| {
                let name = format!("port {port} is {how} python3 (pid {}), which is not part of it", of.0.id());
                until("the stranger is named", || why().contains(&name));
            };
            // It answers in the place of the service, and then beside it.
            named(&first, "taken by");
            sandbox.write("go", "");
            named(&first, "shared with");
            assert_eq!(sandbox.row("web")["state"], "starting");
            drop(first);
            sandbox.nagaya(&["wait", "web", "--timeout", "60s"]).good();
            if !readiness.is_empty() {
                let second = stranger();
                named(&second, "shared with");
                until("it is not called any more", || sandbox.row("web")["state"] == "unhealthy");
                drop(second);
                until("it is called again", || sandbox.row("web")["state"] == "ready");
            }
        }
    }
}

/// A process that is no service.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
