//! Routes for some requests alone: by method, path, header and query.

use serde_json::Value;

use super::peers::built;
use crate::support::sandbox::{Account, Run, Sandbox, finish, until};

/// Answers with its version, and what it was asked.
const SERVER: &str = r#"
import http.server, os

class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = f"{os.environ['NAME']} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_DELETE = answer
    def log_message(self, *words): pass

http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Server).serve_forever()
"#;

const SHOP: &str = "
name: shop
services:
  web: { command: [sleep, infinity], depends_on: [users] }
  users:
    command: exec python3 server.py
    ports: { http: 8080 }
    versions: { v1: { environment: { NAME: v1 } }, v2: { environment: { NAME: v2 } }, v3: { environment: { NAME: v3 } } }
routes:
";

const ROUTES: &str = "
  - /svc/users => 0 * /#/local/users-v3 & 1 * /#/local/users-v1
  - { name: writes, service: users, match: [{ method: POST }, { method: DELETE }], to: users-v2 }
  - service: users
    match: [{ path: /admin }, { headers: { x-tenant: { regex: 'ac.*' } } }, { query: { debug: '1' } }]
    to: users-v2 # for testers
  - { service: users, match: { path: { exact: /admin/old } }, to: /#/local/users-v1 }
  - { service: users, match: { path: { regex: '/u/[0-9]+' } }, to: users-v3 }
  - { service: users, match: { path: /shared }, to: 1 * /#/local/users-v2 & 1 * /#/local/users-v3 }
";

fn shop(account: Account, routes: &str) -> Sandbox {
    let sandbox = Sandbox::of(account, &format!("{SHOP}{routes}"));
    sandbox.write("server.py", SERVER);
    sandbox.up();
    sandbox
}

impl Sandbox {
    /// Asks `users` from the pod of `web`.
    fn ask(&self, words: &[&str], path: &str) -> Run {
        let url = format!("http://users:8080{path}");
        self.nagaya(&[&["exec", "web", "--", "curl", "-sS", "-m", "20"], words, &[&url]].concat())
    }

    /// Asks `users` at the front door.
    fn ask_outside(&self, words: &[&str], path: &str) -> Run {
        let url = format!("{}{path}", self.nagaya(&["url", "users"]).good().out.trim());
        finish(self.command("curl").args(["-sS", "-m", "20"]).args(words).arg(url))
    }

    /// The latest request that is not of somebody's readiness.
    fn latest(&self) -> Value {
        self.requests().into_iter().next_back().unwrap()
    }
}

#[test]
fn requests_are_led_by_what_they_are() {
    for account in Account::all() {
        let sandbox = shop(account, ROUTES);
        let cases: [(&[&str], &str, &str); 14] = [
            (&[], "/", "v1"),
            (&["-d", "a=b"], "/", "v2"),
            (&["-X", "DELETE"], "/x?y", "v2"),
            (&[], "/admin", "v2"),
            (&[], "/admin/x/y?z", "v2"),
            (&[], "/administrator", "v1"),
            (&[], "/admin/old", "v1"),
            (&["-d", "a=b"], "/admin/old?x", "v1"),
            (&["-H", "x-tenant: acme"], "/", "v2"),
            (&["-H", "x-tenant: bacme"], "/", "v1"),
            (&[], "/a?x=1&debug=1", "v2"),
            (&[], "/a?debug=11", "v1"),
            (&[], "/u/17", "v3"),
            (&["-d", "a=b"], "/u/17/x", "v2"),
        ];
        for http2 in [&[][..], &["--http2-prior-knowledge"]] {
            for (words, path, version) in cases {
                let expected = format!("{version} {path}");
                let words = [words, http2].concat();
                assert_eq!(sandbox.ask(&words, path).good().out, expected, "{words:?} {path}");
                assert_eq!(sandbox.ask_outside(&words, path).good().out, expected, "{words:?} {path}");
            }
        }
        // What is shared out is drawn for each request.
        let many = sandbox.ask(&[], "/shared?[1-100]").good().out;
        assert!(many.contains("v2 ") && many.contains("v3 ") && !many.contains("v1 "), "{many}");
        // Records tell of the rule; a request's own entries come before all rules, and go on from there.
        sandbox.ask(&["-d", "a=b"], "/").good();
        let record = sandbox.latest();
        assert_eq!(record["routed_by"], "rule writes: /svc/users=>/#/local/users-v2", "{record:#}");
        assert_eq!((&record["to"], &record["version"]), (&"users".into(), &"v2".into()), "{record:#}");
        let own = sandbox.ask(&["-d", "a=b", "-H", "l5d-dtab: /svc/users => /#/local/users-v3"], "/");
        assert_eq!(own.good().out, "v3 /");
        assert_eq!(sandbox.ask(&["-d", "a=b", "-H", "l5d-dtab: /svc/users => ~"], "/").good().out, "v2 /");
        sandbox.ask(&["-H", "x-tenant: acme"], "/").good();
        assert_eq!(sandbox.latest()["routed_by"], "rule x-tenant: ~ac.*: /svc/users=>/#/local/users-v2");
    }
}

/// Whoever is refused by a rule is told how to ask why of this very request.
#[test]
fn a_refusal_by_a_rule_names_the_request() {
    let closed = "
  - { name: closed, service: users, match: { method: POST, headers: { x-tenant: \"it's me\" } }, to: '!' }
";
    let sandbox = shop(Account::Own, closed);
    let said = sandbox.ask(&["-d", "a=b", "-H", "X-Tenant: it's me", "-H", "X-Other: 1"], "/a?b=c").good().out;
    assert!(said.contains("the rule closed says that it is to fail"), "{said}");
    let (_, words) = said.split_once("nagaya dtab explain ").unwrap();
    let words = shlex::split(words.trim()).unwrap();
    assert_eq!(words, ["/svc/users", "--request", "POST /a?b=c", "-H", "X-Tenant: it's me"]);
    let words: Vec<&str> = ["dtab", "explain"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let told = sandbox.nagaya(&words).ended(1).out;
    assert!(told.contains("  closed: /svc/users => !  is for it"), "{told}");
}

#[test]
fn commands_tell_of_rules() {
    let sandbox = shop(Account::Own, ROUTES);
    let explain = |words: &[&str]| sandbox.nagaya(&[&["dtab", "explain", "users"], words].concat()).good().out;
    let told = explain(&["--request", "POST /admin/old"]);
    for line in [
        "Rules, of which those for POST /admin/old come first:",
        "  /admin/old: /svc/users => /#/local/users-v1  is for it",
        "  writes: /svc/users => /#/local/users-v2  is for it",
        "  writes: /svc/users => /#/local/users-v2  is not for it: its method is POST",
        "  x-tenant: ~ac.*: /svc/users => /#/local/users-v2  is not for it: it has no header x-tenant",
        "├─ /svc/users => /#/local/users-v1  (rule /admin/old)",
        "├─ /svc/users => /#/local/users-v2  (rule /admin/*): not needed; it would be /#/local/users-v2",
        "It goes to /#/local/users-v1",
    ] {
        assert!(told.lines().any(|it| it == line), "no `{line}` in\n{told}");
    }
    let told = explain(&["--request", "/?debug=1", "-H", "X-Tenant: acme", "--dtab", "/svc/users => ~"]);
    assert!(!told.contains("its x-tenant") && told.contains("It goes to /#/local/users-v2"), "{told}");
    let vain = sandbox.nagaya(&["dtab", "explain", "users", "--dtab", "/svc/users => /#/local/nobody"]).ended(1).out;
    let refused = "A request that brings `/svc/users=>/#/local/nobody` is refused, as that leads nowhere;";
    assert!(vain.lines().any(|line| line.starts_with(refused)), "{vain}");
    let told = explain(&[]);
    assert!(told.starts_with("Some requests are led by rules (`--request 'POST /path'` tells of one):\n"), "{told}");
    assert!(told.ends_with("It goes to\n    0 %  /#/local/users-v3\n  100 %  /#/local/users-v1\n"), "{told}");
    let tree = sandbox.nagaya(&["dtab", "explain", "users", "--request", "POST /", "--json"]).good().json();
    assert_eq!(tree["alt"][0]["dentry"]["dst"], "/#/local/users-v2", "{tree:#}");
    for (request, text) in [("POST", "a method and a path"), ("POST a", "a method and a path"), ("a b /c", "a method")]
    {
        sandbox.nagaya(&["dtab", "explain", "users", "--request", request]).ended(2).says(&[text]);
    }
    let listed = sandbox.nagaya(&["dtab", "list"]).good().out;
    assert!(listed.contains("/svc/users => /#/local/users-v3 (rule ~/u/[0-9]+)"), "{listed}");
    let config = sandbox.nagaya(&["config", "--json"]).good().json();
    assert_eq!(config["rules"].as_array().unwrap().len(), 8, "{config:#}");
    sandbox.nagaya(&["down"]).good();
    assert!(explain(&["--request", "DELETE /"]).contains("It goes to /#/local/users-v2"));
}

#[test]
fn an_edit_is_in_force_and_a_bad_one_is_not() {
    let sandbox = shop(Account::unprivileged(), "  - { service: users, match: { path: /a }, to: users-v2 }\n");
    let asked = |path: &str| sandbox.ask(&[], path).good().out;
    assert_eq!([asked("/a"), asked("/b")], ["v2 /a", "v1 /b"]);
    sandbox.write("nagaya.yaml", format!("{SHOP}  - {{ service: users, match: {{ path: /b }}, to: users-v3 }}\n"));
    until("it is in force", || asked("/b") == "v3 /b");
    assert_eq!(asked("/a"), "v1 /a");
    until("it is an event", || {
        sandbox.nagaya(&["events"]).good().out.contains("applied: the routes for some requests are different")
    });
    sandbox.write("nagaya.yaml", format!("{SHOP}  - {{ service: users, match: {{ path: b }}, to: users-v9 }}\n"));
    until("it is told", || sandbox.nagaya(&["ps"]).good().err.contains("nagaya.yaml"));
    assert_eq!(asked("/b"), "v3 /b");
    // As it was first, and with no rule at all.
    sandbox.write("nagaya.yaml", SHOP);
    until("there are none", || asked("/b") == "v1 /b");
    // What was changed at run time is another matter.
    sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v2"]).good();
    sandbox.write("nagaya.yaml", format!("{SHOP}  - {{ service: users, match: {{ path: /b }}, to: users-v3 }}\n"));
    until("there is one again", || asked("/b") == "v3 /b");
    assert_eq!(asked("/a"), "v2 /a");
}

#[test]
fn where_nobody_is_there_the_next_entry_counts() {
    let routes = "
  - { service: users, match: { path: /a }, to: users-v2 }
  - { service: users, match: { path: /a/b }, to: users-v3 }
  - { service: users, match: { path: /c }, to: '/#/local/users-v3 | !' }
";
    let sandbox = shop(Account::unprivileged(), routes);
    let asked = |path: &str| sandbox.ask(&[], path).good().out;
    sandbox.nagaya(&["stop", "users-v3"]).good();
    assert_eq!(asked("/a/b"), "v2 /a/b");
    assert!(asked("/c").contains("it is to fail"), "{}", asked("/c"));
    sandbox.nagaya(&["stop", "users-v2"]).good();
    assert_eq!(asked("/a/b"), "v1 /a/b");
    sandbox.write("nagaya.yaml", format!("{SHOP}{}", &routes[..routes.rfind("  -").unwrap()]));
    until("what fails is gone", || asked("/c") == "v1 /c");
    // Nobody is there but by a rule: those requests are led all the same, and all others are told why they are not.
    sandbox.nagaya(&["start", "users-v2"]).good();
    sandbox.nagaya(&["stop", "users"]).good();
    until("only the rule leads to somebody", || sandbox.ask(&[], "/a").out == "v2 /a");
    assert!(sandbox.ask(&["-f"], "/x").err.contains("503"), "{:?}", sandbox.ask(&[], "/x"));
    // Then the caller's kernel refuses.
    sandbox.nagaya(&["stop", "users-v2"]).good();
    until("nobody is there", || sandbox.ask(&[], "/x").code == 7);
}

#[test]
fn grpc_calls_are_led_by_their_methods() {
    let sandbox = Sandbox::new(
        "
name: shop
services:
  shell: { command: [sleep, infinity], depends_on: [interop] }
  interop:
    command: [./bin/interop-server, --port=50051]
    ports: { grpc: 50051 }
    versions: { v1: {}, v2: {} }
routes:
  - { service: interop, match: { path: /grpc.testing.TestService/EmptyCall }, to: interop-v2 }
  - { service: interop, match: { headers: { x-grpc-test-echo-initial: { regex: .+ } } }, to: interop-v2 }
",
    );
    for name in ["interop-server", "interop-client"] {
        sandbox.share(&built(&format!("bin/{name}")), &format!("bin/{name}"));
    }
    sandbox.up();
    for (case, method, versions) in [
        ("empty_unary", "EmptyCall", "v2"),
        ("large_unary", "UnaryCall", "v1"),
        ("ping_pong", "FullDuplexCall", "v1"),
        ("custom_metadata", "UnaryCall", "v2"),
    ] {
        let case = format!("--test_case={case}");
        let words = ["exec", "shell", "--", "./bin/interop-client", "--server_host=interop", "--server_port=50051"];
        sandbox.nagaya(&[&words[..], &[&case]].concat()).good();
        let records = sandbox.requests();
        let last = records.iter().rev().find(|it| it["path"].as_str().unwrap().ends_with(method)).unwrap();
        assert_eq!((&last["version"], &last["grpc_status"]), (&versions.into(), &0.into()), "{case}: {last:#}");
    }
}
