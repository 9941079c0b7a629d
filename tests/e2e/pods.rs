//! Services in pods: each sees a network of its own, in which names and ports are production's.

mod autoscale;
mod budget;
mod calls;
mod datagrams;
mod dead;
mod death;
mod door;
mod exec;
mod files;
mod ipv6;
mod machine;
mod manifests;
mod outside;
mod programs;
mod proxies;
mod refusals;
mod replicas;
mod resolvers;
mod rolling;
mod scale;
mod silent;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::sandbox::{Account, Run, Sandbox, finish};

/// `server.py PORT [ADDRESS]` shows who it is and who calls; `/call/HOST:PORT/…` has it call somebody else.
pub const SERVER: &str = r#"
import http.server, json, os, socket, sys, urllib.request

class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/call/"):
            body = urllib.request.urlopen("http://" + self.path[6:], timeout=20).read()
        else:
            who = {"host": socket.gethostname(), "peer": self.client_address[0], "uid": os.getuid()}
            body = json.dumps(who).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    address_family = socket.AF_INET6 if ":" in "".join(sys.argv[2:]) else socket.AF_INET

open(socket.gethostname() + ".started", "w").close()
Listener(((sys.argv[2:] or ["0.0.0.0"])[0], int(sys.argv[1])), Server).serve_forever()
"#;

/// `raw.py PORT` tells each caller its address.
pub const RAW: &str = r#"
import socketserver, sys

class Peer(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.client_address[0].encode() + b"\n")

socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("0.0.0.0", int(sys.argv[1])), Peer).serve_forever()
"#;

/// `slow.py PORT SECONDS` takes so long for each answer.
const SLOW: &str = r#"
import http.server, sys, time

class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(float(sys.argv[2]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass

class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128

Listener(("0.0.0.0", int(sys.argv[1])), Slow).serve_forever()
"#;

/// `dial.py HOST PORT` connects once and tells how that went, by the error that connect(2) itself returned.
pub const DIAL: &str = r#"
import errno, socket, sys, time
begun = time.monotonic()
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20).close()
    print("connected")
except OSError as error:
    slow = " late" if time.monotonic() - begun > 1 else ""
    print((errno.errorcode.get(error.errno) or str(error)) + slow)
"#;

/// Two services on one port, and one on a port that is root's elsewhere.
const MANIFEST: &str = "
name: pods
services:
  web: { command: [python3, server.py, '8080'], ports: { http: 8080 } }
  users: { command: [python3, server.py, '8080'], ports: { http: 8080 }, aliases: accounts, hostnames: users.example.com }
  db: { command: [python3, raw.py, '80'], ports: { tcp: 80 } }
";

/// A workspace with the three programs, not yet up.
pub fn workspace(account: Account, manifest: &str) -> Sandbox {
    let sandbox = Sandbox::of(account, manifest);
    for (name, program) in [("server.py", SERVER), ("raw.py", RAW), ("dial.py", DIAL)] {
        sandbox.write(name, program);
    }
    sandbox
}

fn pods(account: Account) -> Sandbox {
    let sandbox = workspace(account, MANIFEST);
    sandbox.up();
    sandbox
}

impl Sandbox {
    /// Runs a script in the pod of a service.
    fn inside(&self, service: &str, script: &str) -> Run {
        self.nagaya(&["exec", service, "--", "bash", "-c", script])
    }

    /// What a script in the pod of a service prints, without the end of its last line.
    #[track_caller]
    fn told(&self, service: &str, script: &str) -> String {
        self.inside(service, script).good().out.trim_end().to_owned()
    }

    /// How a connection from a service goes.
    #[track_caller]
    fn dial(&self, from: &str, host: &str, port: u16) -> String {
        self.told(from, &format!("python3 dial.py {host} {port}"))
    }
}

fn number(flag: &str, of: &Sandbox) -> u32 {
    finish(of.command("id").arg(flag)).good().out.trim().parse().unwrap()
}

#[test]
fn services_on_one_port_call_each_other_by_name() {
    for account in Account::all() {
        let sandbox = pods(account);
        let uid = number("-u", &sandbox);
        let call = |from: &str, to: &str| -> Value {
            serde_json::from_str(&sandbox.told(from, &format!("env -i /usr/bin/curl -sS http://{to}:8080/"))).unwrap()
        };
        for (from, to) in [("web", "users"), ("users", "web")] {
            let answer = call(from, to);
            assert_eq!(json!([answer["host"], answer["uid"]]), json!([to, uid]));
        }
        let through: Value = serde_json::from_str(&sandbox.told("db", "curl -sS web:8080/call/users:8080/")).unwrap();
        assert_eq!(through["host"], "users", "a program calls by name itself");
        let seen: Vec<_> = sandbox.requests().iter().map(|it| json!([it["from"], it["to"], it["status"]])).collect();
        for edge in [["web", "users"], ["users", "web"], ["db", "web"]] {
            assert!(seen.contains(&json!([edge[0], edge[1], 200])), "{seen:?}");
        }
        let row = sandbox.row("users");
        assert_eq!(json!([row["network"], row["ports"][0]["port"]]), json!(["pod", 8080]), "{row}");
    }
}

#[test]
fn a_callee_sees_the_address_of_its_caller() {
    for account in Account::all() {
        let sandbox = pods(account);
        for caller in ["web", "users"] {
            let own = sandbox.told(caller, &format!("getent ahostsv4 {caller} | head -1 | cut -d ' ' -f 1"));
            assert!(own.starts_with("10.66."), "{own}");
            assert_eq!(sandbox.told(caller, "exec 3<>/dev/tcp/db/80; cat <&3"), own);
        }
        let peer = sandbox.told("db", "curl -sS web:8080");
        assert!(peer.contains(r#""peer": "10.66."#), "{peer}");
    }
}

#[test]
fn an_account_is_itself_in_its_pod() {
    for account in Account::all() {
        let sandbox = pods(account);
        let (uid, gid) = (number("-u", &sandbox), number("-g", &sandbox));
        assert_eq!(sandbox.told("web", "id -u; id -g"), format!("{uid}\n{gid}"));
        sandbox.inside("web", "touch made-inside").good();
        for file in ["web.started", "made-inside"] {
            let made = fs::metadata(sandbox.path(file)).unwrap();
            assert_eq!((made.uid(), made.gid()), (uid, gid), "{file}");
        }
    }
}

#[test]
fn a_pod_shows_itself_and_nobody_else() {
    for account in Account::all() {
        let sandbox = pods(account);
        assert_eq!(sandbox.told("users", "hostname; cat /proc/1/comm"), "users\nnagaya-pod");
        let shown = sandbox.told("web", "ls /proc | grep -c '^[0-9]'");
        assert!(shown.parse::<u32>().unwrap() < 12, "{shown} processes");
        // What listens on one's loopback is one's own.
        let listener = sandbox.start(&["exec", "users", "--", "python3", "server.py", "9999", "127.0.0.1"]);
        crate::support::sandbox::until("it listens", || sandbox.dial("users", "127.0.0.1", 9999) == "connected");
        assert_eq!(sandbox.dial("web", "127.0.0.1", 9999), "ECONNREFUSED");
        let host = finish(Command::new("python3").arg(sandbox.path("dial.py")).args(["127.0.0.1", "9999"]));
        assert_eq!(host.out, "ECONNREFUSED\n");
        listener.signal("TERM");
        listener.end();
    }
}
