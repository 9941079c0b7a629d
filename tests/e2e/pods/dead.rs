//! An instance that has just died, under load.

use super::workspace;
use crate::support::sandbox::{Account, signal, until};

/// Serves, until the file `deaf-N` of its number is there: then it listens no more, though it is still there, as the engine
/// finds it. It tells each caller its number.
const SERVER: &str = r#"
import http.server, os, sys, threading, time

number = os.environ["NAGAYA_INSTANCE"]

class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(number.encode())
    def log_message(self, *args): pass

class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128

listener = Listener(("0.0.0.0", int(sys.argv[1])), Server)
threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}).start()
while not os.path.exists("deaf-" + number):
    time.sleep(0.01)
listener.shutdown()
listener.server_close()
print("deaf", flush=True)
threading.Event().wait()
"#;

const MANIFEST: &str = "
name: dead
services:
  web: { command: [sleep, infinity] }
  api: { command: [python3, server.py, '80'], ports: { http: 80 }, replicas: 3 }
";

const CALLS: &str = "n=0; while ! test -e over; do n=$((n + 1)); \
                     curl -sS -o /dev/null -w '%{http_code}\\n' http://api/ 2>&1 | grep -vx 200; done; echo $n calls";

#[test]
fn an_instance_that_cannot_be_connected_to_costs_no_request() {
    let sandbox = workspace(Account::unprivileged(), MANIFEST);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    let load = sandbox.start(&["exec", "web", "--", "sh", "-c", CALLS]);
    until("calls are made", || sandbox.requests().len() > 20);
    sandbox.write("deaf-2", "");
    let again = || sandbox.requests().iter().filter(|it| it["attempts"].as_u64() > Some(1)).count();
    until("calls have met it", || again() > 10);
    assert_eq!(sandbox.rows("api").iter().filter(|row| row["ready"] == true).count(), 3, "nobody knows yet");
    // And one that dies for all to see.
    let rows = sandbox.rows("api");
    let pid = u32::try_from(rows[2]["pid"].as_u64().unwrap()).unwrap();
    let before = sandbox.requests().len();
    signal("KILL", pid);
    until("calls went on", || sandbox.requests().len() > before + 20);
    sandbox.write("over", "");
    let said = load.end().good().out;
    let failures = said.lines().filter(|line| !line.ends_with(" calls")).count();
    // What that one was just answering is lost, and nothing else.
    assert!(failures <= 1, "{said}");
}
