//! What passes the proxy, with real servers and clients.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::sandbox::{Account, Sandbox, finish, until};

/// `shell` is a client within the workspace: it depends on everything and does nothing by itself.
const MANIFEST: &str = r#"
name: traffic
services:
  shell: { command: [sleep, infinity], depends_on: [http, raw, late] }
  http: { command: [python3, http1.py], ports: { http: 80 } }
  raw: { command: [python3, raw.py], ports: { tcp: 7000 } }
  late: { command: "sleep 0.5; exec python3 http1.py", ports: { http: 80 }, lazy: true }
"#;

/// Shows what it got; upgrades to an echo; answers in pieces.
pub const HTTP1: &str = r#"
import http.server, json, os, time

class Mirror(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade") == "echo":
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", "echo")
            self.end_headers()
            self.wfile.flush()
            while data := self.connection.recv(4096):
                self.connection.sendall(data.upper())
            self.close_connection = True
            return
        if self.path == "/pieces":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one ", b"two ", b"three"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        self.answer(int(self.headers.get("X-Want", 200)), {"path": self.path, "headers": dict(self.headers)})
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.answer(200, {"length": len(self.rfile.read(length))})
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Mirror).serve_forever()
"#;

/// Speaks first, as database servers do, then turns lines round.
pub const RAW: &str = r#"
import os, socketserver

class Turn(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"welcome\n")
        for line in self.rfile:
            self.wfile.write(line.strip()[::-1] + b"\n")

socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", int(os.environ["PORT"])), Turn).serve_forever()
"#;

/// The servers take their port from `PORT`, and the client's addresses come in variables: that holds in every mode.
const MODES: [&str; 2] = ["pod", "env"];

fn traffic(account: Account) -> Sandbox {
    traffic_in("auto", account)
}

fn traffic_in(mode: &str, account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, &format!("network: {mode}{MANIFEST}"));
    sandbox.write("http1.py", HTTP1);
    sandbox.write("raw.py", RAW);
    sandbox.up();
    sandbox
}

impl Sandbox {
    /// Runs a script in the place of `shell`.
    #[track_caller]
    fn shell(&self, script: &str) -> String {
        self.nagaya(&["exec", "shell", "--", "sh", "-ec", script]).good().out
    }

    /// The records of one edge.
    fn edge(&self, from: &str, to: &str) -> Vec<Value> {
        self.requests().into_iter().filter(|record| record["from"] == from && record["to"] == to).collect()
    }
}

#[test]
fn a_call_is_passed_on_with_an_identity_and_recorded_with_its_caller() {
    for (mode, account) in MODES.into_iter().flat_map(|mode| Account::all().into_iter().map(move |it| (mode, it))) {
        let sandbox = traffic_in(mode, account);
        let answer: Value = serde_json::from_str(&sandbox.shell("curl -sS $HTTP_URL/a?b=c")).unwrap();
        assert_eq!(answer["path"], "/a?b=c");
        let headers = &answer["headers"];
        let id = headers["x-request-id"].as_str().expect("an id");
        assert!(headers["traceparent"].as_str().is_some_and(|parent| parent.starts_with("00-")), "{headers}");
        let record = &sandbox.edge("shell", "http")[0];
        assert_eq!(
            json!([record["method"], record["path"], record["status"], record["protocol"], record["id"]]),
            json!(["GET", "/a?b=c", 200, "http", id])
        );
    }
}

#[test]
fn ids_of_the_caller_are_kept() {
    let sandbox = traffic(Account::Own);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let script = format!("curl -sS -H 'x-request-id: mine-1' -H 'traceparent: {parent}' $HTTP_URL/");
    let answer: Value = serde_json::from_str(&sandbox.shell(&script)).unwrap();
    assert_eq!(answer["headers"]["x-request-id"], "mine-1");
    assert!(answer["headers"]["traceparent"].as_str().unwrap().contains("0af7651916cd43dd8448eb211c80319c"));
    let record = &sandbox.edge("shell", "http")[0];
    assert_eq!(json!([record["id"], record["trace_id"]]), json!(["mine-1", "0af7651916cd43dd8448eb211c80319c"]));
}

#[test]
fn every_spelling_of_an_address_leads_to_the_service() {
    for mode in MODES {
        let sandbox = traffic_in(mode, Account::Own);
        let out = sandbox.shell(
            "for address in $HTTP_URL http://$HTTP_HOST:$HTTP_PORT http://$HTTP_SERVICE_HOST:$HTTP_SERVICE_PORT \
         $services__http__http__0; do curl -sS -o /dev/null -w '%{http_code} ' $address/; done",
        );
        assert_eq!(out.trim(), "200 200 200 200");
    }
}

#[test]
fn bodies_pass_large_and_in_pieces() {
    for mode in MODES {
        let sandbox = traffic_in(mode, Account::Own);
        let out = sandbox
            .shell("head -c 30000000 /dev/zero | curl -sS --data-binary @- $HTTP_URL/; curl -sS $HTTP_URL/pieces");
        assert_eq!(out, "{\"length\": 30000000}one two three");
    }
}

#[test]
fn a_connection_that_is_upgraded_is_passed_through() {
    for mode in MODES {
        let sandbox = traffic_in(mode, Account::Own);
        sandbox.write(
            "upgrade.py",
            "import os, socket\ns = socket.create_connection((os.environ['HTTP_HOST'], int(os.environ['HTTP_PORT'])))\n\
         s.sendall(b'GET / HTTP/1.1\\r\\nHost: http\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n')\n\
         head = b''\nwhile b'\\r\\n\\r\\n' not in head: head += s.recv(1)\n\
         s.sendall(b'hello')\nprint(head.split()[1].decode(), s.recv(5).decode())\n",
        );
        assert_eq!(sandbox.shell("python3 upgrade.py"), "101 HELLO\n");
    }
}

#[test]
fn tcp_passes_also_where_the_server_speaks_first() {
    for mode in MODES {
        let sandbox = traffic_in(mode, Account::Own);
        sandbox.write(
            "raw_client.py",
            "import os, socket\ns = socket.create_connection((os.environ['RAW_HOST'], int(os.environ['RAW_PORT'])))\n\
         f = s.makefile('rwb')\nprint(f.readline().decode().strip())\nf.write(b'abc\\n'); f.flush()\n\
         print(f.readline().decode().strip())\n",
        );
        assert_eq!(sandbox.shell("python3 raw_client.py"), "welcome\ncba\n");
        let record = &sandbox.edge("shell", "raw")[0];
        assert_eq!(record["protocol"], "tcp");
    }
}

#[test]
fn the_first_request_starts_a_lazy_service_and_waits_for_it() {
    for mode in MODES {
        let sandbox = traffic_in(mode, Account::Own);
        assert_eq!(sandbox.row("late")["state"], "idle");
        let why = sandbox.nagaya(&["why", "late"]).good().out;
        assert!(why.contains("its first call starts it"), "{why}");
        assert_eq!(sandbox.shell("curl -sS -o /dev/null -w '%{http_code}' $LATE_URL/"), "200");
        assert_eq!(sandbox.row("late")["state"], "ready");
    }
}

#[test]
fn a_service_that_is_stopped_refuses_its_callers_and_the_front_door_says_why() {
    for mode in MODES {
        let sandbox = traffic_in(mode, Account::Own);
        let url = sandbox.nagaya(&["url", "http"]).good().out;
        sandbox.nagaya(&["stop", "http"]).good();
        // As in production, so that a caller that waits for a port is told the truth.
        let refused = "curl -sS $HTTP_URL/ || echo curl ended with $?";
        assert_eq!(sandbox.shell(refused), "curl ended with 7\n");
        let out = finish(Command::new("curl").args(["-sSi", url.trim()])).good().out;
        assert!(out.starts_with("HTTP/1.1 503"), "{out}");
        assert!(out.contains("l5d-err") && out.contains("http") && out.contains("nagaya start http"), "{out}");
    }
}

#[test]
fn the_front_door_serves_by_host_name_and_only_on_loopback() {
    let sandbox = traffic(Account::Own);
    let url = sandbox.nagaya(&["url", "http", "--json"]).good().json()[0]["url"].as_str().unwrap().to_owned();
    let answer = finish(Command::new("curl").args(["-sS", "-H", "X-Want: 418", "-w", "%{http_code}", &url])).good().out;
    assert!(answer.ends_with("418"), "{answer}");
    assert_eq!(sandbox.edge("(front door)", "http")[0]["status"], 418);

    let port = url.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let unknown = format!("http://nobody.traffic.localhost:{port}/");
    let answer = finish(Command::new("curl").args(["-sSi", &unknown])).good().out;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("nobody"), "{answer}");
    let listeners = finish(Command::new("ss").args(["-Hltn", &format!("sport = :{port}")])).good().out;
    let local: Vec<&str> = listeners.lines().map(|line| line.split_whitespace().nth(3).unwrap()).collect();
    assert!(
        !local.is_empty() && local.iter().all(|at| at.starts_with("127.0.0.1:") || at.starts_with("[::1]:")),
        "{local:?}"
    );
}

#[test]
fn requests_are_followed() {
    let sandbox = traffic(Account::Own);
    let follower = sandbox.start(&["requests", "-f", "--json"]);
    until("it follows", || {
        sandbox.shell("curl -sS -o /dev/null $HTTP_URL/seen");
        follower.out().contains("/seen")
    });
    follower.signal("INT");
    follower.end();
}

#[test]
fn a_connection_that_is_kept_open_follows_its_callee_to_another_port() {
    let sandbox = traffic_in("env", Account::Own);
    sandbox.write(
        "keep.py",
        "import http.client, os, time\n\
         c = http.client.HTTPConnection(os.environ['HTTP_HOST'], int(os.environ['HTTP_PORT']))\n\
         def get():\n    c.request('GET', '/'); r = c.getresponse(); r.read(); print(r.status, flush=True)\n\
         get()\nopen('asked', 'w').close()\nwhile not os.path.exists('moved'): time.sleep(0.01)\nget()\n",
    );
    let client = sandbox.start(&["exec", "shell", "--", "python3", "keep.py"]);
    until("the first answer is there", || sandbox.path("asked").exists());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let moved = format!("network: env{MANIFEST}")
        .replace("{ http: 80 } }\n  raw", &format!("{{ http: 80 }}, listen: {port} }}\n  raw"));
    assert!(moved.contains("listen"));
    sandbox.write("nagaya.yaml", moved.replace("python3, http1.py", &format!("env, PORT={port}, python3, http1.py")));
    sandbox.up();
    assert_eq!(sandbox.row("http")["ports"][0]["published"], port);
    sandbox.write("moved", "");
    assert_eq!(client.end().good().out, "200\n200\n");
}

#[test]
fn tls_inside_passes_and_is_known_by_the_name_that_it_is_for() {
    let sandbox = Sandbox::new(
        "name: traffic\nservices:\n  shell: { command: [sleep, infinity], depends_on: [secure] }\n  \
         secure: { command: [python3, tls.py], ports: { main: 8443 } }\n",
    );
    let made = rcgen::generate_simple_self_signed(vec!["secure.test".to_owned()]).unwrap();
    sandbox.write("both.pem", made.cert.pem() + &made.signing_key.serialize_pem());
    sandbox.write(
        "tls.py",
        "import http.server, os, ssl\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\nc.load_cert_chain('both.pem')\n\
         s = http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler)\n\
         s.socket = c.wrap_socket(s.socket, server_side=True)\ns.serve_forever()\n",
    );
    sandbox.up();
    let script = "curl -sS --cacert both.pem -o /dev/null -w '%{http_code}' \
                  --connect-to secure.test:443:$SECURE_HOST:$SECURE_PORT https://secure.test/";
    assert_eq!(sandbox.shell(script), "200");
    let record = &sandbox.edge("shell", "secure")[0];
    assert_eq!(json!([record["protocol"], record["path"], record["method"]]), json!(["tls", "secure.test", null]));
}
