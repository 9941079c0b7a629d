//! Copies of requests for another version, and what is told of its answers.

mod grpc;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::peers::built;
use crate::support::sandbox::{Account, Sandbox, finish, until};

/// Answers with JSON about itself and the request, as its `NAME` has it, and writes down what it was asked.
const SERVER: &str = r#"
import http.server, json, os, time

NAME = os.environ["NAME"]

class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("transfer-encoding") == "chunked":
            while (size := int(self.rfile.readline(), 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        with open(f"seen-{NAME}", "a") as seen:
            mark = self.headers.get("x-nagaya-mirror", "-")
            print(self.command, self.path, len(body), mark, self.headers.get("x-request-id"), file=seen)
        with open(f"names-{NAME}", "a") as names:
            print(*sorted(name for name in self.headers.keys() if name != "x-nagaya-mirror"), file=names)
        if NAME == "v2" and self.path.startswith("/hang"):
            time.sleep(600)
        if NAME == "v2" and self.path.startswith("/break"):
            self.close_connection = True
            return
        if self.path.startswith("/large"):
            text = b"x" * 300000
        elif self.path.startswith("/text"):
            text = f"by {NAME}".encode()
        elif self.path.startswith("/same"):
            text = b'{"a": [1, 2]}'
        else:
            text = json.dumps({"by": NAME, "items": [{"id": NAME, "n": 1}], "size": len(body)}).encode()
        self.send_response(404 if NAME == "v2" and self.path.startswith("/missing") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Version", NAME)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
    do_GET = do_POST = do_HEAD = answer
    def log_message(self, *words): pass

class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128

Listener(("0.0.0.0", 8080), Server).serve_forever()
"#;

const SHOP: &str = "
name: shop
services:
  users:
    command: exec python3 server.py
    ports: { http: 8080 }
    versions: { v1: { environment: { NAME: v1 } }, v2: { environment: { NAME: v2 } } }
  alone: { command: exec python3 server.py, environment: { NAME: alone }, ports: { http: 8080 } }
";

fn shop(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, SHOP);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    sandbox
}

/// Asks `users` at the front door by curl, with more words.
#[track_caller]
fn ask(sandbox: &Sandbox, path: &str, words: &[&str]) -> String {
    let url = sandbox.nagaya(&["url", "users"]).good().out;
    let url = format!("{}{path}", url.trim());
    finish(sandbox.command("curl").args(["-sS", "--max-time", "20"]).args(words).arg(url)).good().out
}

#[track_caller]
fn mirror(sandbox: &Sandbox) -> Value {
    sandbox.nagaya(&["mirror", "users", "--json"]).good().json()
}

/// What a version was asked: method, path, bytes, mark, id.
fn seen(sandbox: &Sandbox, version: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(sandbox.path(&format!("seen-{version}"))).unwrap_or_default();
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

#[test]
fn copies_have_the_names_of_their_fields_as_the_caller_wrote_them() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["mirror", "users", "v2", "--writes"]).good();
    ask(&sandbox, "/same", &["-H", "X-CamelCase: 1", "-H", "SOAPAction: a", "-H", "x-lower: b", "-d", "body"]);
    let names = |version: &str| std::fs::read_to_string(sandbox.path(&format!("names-{version}"))).unwrap_or_default();
    until("the copy was sent", || !names("v2").is_empty());
    assert_eq!(names("v1"), names("v2"));
    assert!(names("v2").contains("SOAPAction") && names("v2").contains("X-CamelCase"), "{}", names("v2"));
}

#[test]
fn requests_that_the_version_gets_anyway_are_told() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["mirror", "users", "v2"]).good();
    sandbox.nagaya(&["shift", "users", "v2=100"]).good();
    ask(&sandbox, "/same", &[]);
    until("it is counted", || mirror(&sandbox)["skipped"] == json!({ "users-v2 got it anyway": 1 }));
    let told = sandbox.nagaya(&["mirror", "users", "--end"]).good().out;
    assert!(told.contains("1 not copied: users-v2 got it anyway"), "{told}");
    let refused = sandbox.nagaya(&["mirror", "users", "v2"]).ended(1);
    refused.says(&["requests to users go to users-v2 itself: there is nobody to send copies to"]);
    sandbox.nagaya(&["mirror", "users", "v1"]).good();
    ask(&sandbox, "/same", &[]);
    until("the copy was answered", || count(&mirror(&sandbox), "answered") == 1);
}

fn count(mirror: &Value, key: &str) -> u64 {
    mirror[key].as_u64().unwrap_or_default()
}

#[test]
fn answers_are_compared_and_nobody_gets_those_of_the_copy() {
    for account in Account::all() {
        let sandbox = shop(account);
        let words = ["mirror", "users", "v2", "--diff", "--ignore", "/items/*/id", "--ignore-header", "X-Version"];
        let begun = sandbox.nagaya(&words).good();
        begun.says(&["copies of requests to users that only read go to users-v2", "nagaya mirror users --end"]);
        for path in ["/same", "/one?a=b", "/missing"] {
            assert!(!ask(&sandbox, path, &[]).contains("v2"), "{path}");
        }
        ask(&sandbox, "/same", &["-I"]);
        until("all are compared", || count(&mirror(&sandbox), "answered") == 4);
        let told = mirror(&sandbox);
        assert_eq!([count(&told, "same"), count(&told, "different"), count(&told, "failed")], [2, 2, 0], "{told:#}");
        let different = |at: usize| (told["latest"][at]["path"].clone(), told["latest"][at]["differences"].clone());
        let body = json!({ "at": "/by", "original": "\"v1\"", "copy": "\"v2\"" });
        let status = json!({ "at": "status", "original": "200", "copy": "404" });
        let mut both = [different(0), different(1)];
        both.sort_by_key(|(path, _)| path.to_string());
        assert_eq!(both, [("/missing".into(), json!([status, body])), ("/one?a=b".into(), json!([body]))]);
        let shown = sandbox.nagaya(&["mirror", "users"]).good().out;
        for text in ["4 answered: 2 the same, 2 different", "GET /one?a=b", "/by: \"v1\" is \"v2\" in the copy"] {
            assert!(shown.contains(text), "no `{text}` in\n{shown}");
        }

        // They are told from others, by the version and by whoever looks.
        let (first, second) = (seen(&sandbox, "v1"), seen(&sandbox, "v2"));
        assert!(first.iter().all(|it| it[3] == "-") && second.iter().all(|it| it[3] == "users"), "{second:?}");
        assert!(second.iter().all(|it| first.iter().any(|known| known[4] == it[4])), "a copy has the original's id");
        let copies = sandbox.requests();
        let copies: Vec<&Value> = copies.iter().filter(|it| it["copy"] == true).collect();
        assert!(copies.len() == 4 && copies.iter().all(|it| it["version"] == "v2" && it["from"] == "(front door)"));

        let ended = sandbox.nagaya(&["mirror", "users", "--end"]).good().out;
        assert!(ended.contains("4 answered: 2 the same, 2 different"), "{ended}");
        ask(&sandbox, "/same", &[]);
        sandbox.nagaya(&["mirror", "users"]).ended(1).says(&["requests to users are not copied"]);
        assert_eq!(seen(&sandbox, "v2").len(), 4);
    }
}

#[test]
fn what_is_not_copied_or_not_compared_is_counted() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["mirror", "users", "v2", "--diff"]).good();
    ask(&sandbox, "/", &["-d", "a=b"]);
    ask(&sandbox, "/large", &[]);
    ask(&sandbox, "/break", &[]);
    ask(&sandbox, "/", &["-H", "x-nagaya-mirror: orders"]);
    until("all are counted", || {
        let told = mirror(&sandbox);
        count(&told, "answered") + count(&told, "failed") == 2
    });
    let told = mirror(&sandbox);
    let reasons = json!({ "POST writes: `--writes` copies it too": 1, "it was a copy itself": 1 });
    assert_eq!(told["skipped"], reasons);
    assert_eq!(told["uncompared"], json!({ "a body is over 256 KiB: only status and headers were compared": 1 }));
    let failed = told["latest"].as_array().unwrap().iter().find(|it| it["path"] == "/break").unwrap();
    assert!(failed["error"].as_str().unwrap().starts_with("no answer: "), "{failed}");

    sandbox.nagaya(&["mirror", "users", "--end"]).good();
    sandbox.nagaya(&["mirror", "users", "v2", "--writes", "--diff", "--ignore", "/by", "--ignore", "/items"]).good();
    sandbox.write("long", "y".repeat(300_000));
    sandbox.write("short", "y".repeat(200_000));
    for words in [&["-H", "Transfer-Encoding: chunked"][..], &[], &["-H", "Expect: 100-continue"]] {
        for file in ["@long", "@short"] {
            ask(&sandbox, "/", &[&["--data-binary", file], words].concat());
        }
    }
    until("all are compared", || count(&mirror(&sandbox), "answered") == 3);
    let told = mirror(&sandbox);
    assert_eq!(told["skipped"], json!({ "its body is over 256 KiB": 3 }));
    let posts: Vec<Vec<String>> = seen(&sandbox, "v2").into_iter().filter(|it| it[0] == "POST").collect();
    assert!(posts.len() == 3 && posts.iter().all(|it| it[2] == "200000"), "{posts:?}");
    let differences = told["latest"].to_string();
    assert!(differences.contains("header x-version") && !differences.contains("/size"), "{differences}");
}

#[test]
fn a_version_that_hangs_or_dies_delays_nobody() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["mirror", "users", "v2", "--diff"]).good();
    let url = sandbox.nagaya(&["url", "users"]).good().out;
    let (host, port) = url.trim().strip_prefix("http://").and_then(|rest| rest.rsplit_once(':')).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).unwrap();
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let begun = Instant::now();
        write!(stream, "HEAD /hang HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        slowest = slowest.max(begun.elapsed());
    }
    // The copies hang for ten minutes; the machine may be busy.
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    let told = mirror(&sandbox);
    assert_eq!(told["skipped"], json!({ "64 copies were under way": 36 }), "{told:#}");
    sandbox.nagaya(&["mirror", "users", "--end"]).good();

    sandbox.nagaya(&["mirror", "users", "v2"]).good();
    sandbox.nagaya(&["stop", "users-v2"]).good();
    assert!(ask(&sandbox, "/", &[]).contains("v1"));
    until("it is told", || mirror(&sandbox)["skipped"].to_string().contains("users-v2 is stopped"));
}

#[test]
fn the_old_version_gets_copies_when_the_new_one_has_the_requests() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["shift", "users", "v2=100"]).good();
    sandbox.nagaya(&["mirror", "users", "v1", "--diff"]).good();
    assert!(ask(&sandbox, "/", &[]).contains("v2"));
    until("the copy is compared", || count(&mirror(&sandbox), "different") == 1);
    assert_eq!(mirror(&sandbox)["latest"][0]["differences"][0]["copy"], "v1");
}

#[test]
fn places_are_ignored_where_nothing_says_what_a_body_is() {
    let sandbox = shop(Account::Own);
    sandbox.write("server.py", SERVER.replace("\"Content-Type\", \"application/json\"", "\"X-Kind\", \"bare\""));
    sandbox.nagaya(&["restart", "users", "users-v2"]).good();
    let words = ["--diff", "--ignore", "/by", "--ignore", "/items/*/id", "--ignore-header", "x-version"];
    sandbox.nagaya(&[&["mirror", "users", "v2"], &words[..]].concat()).good();
    ask(&sandbox, "/", &[]);
    ask(&sandbox, "/text", &[]);
    until("both are compared", || count(&mirror(&sandbox), "answered") == 2);
    let told = mirror(&sandbox);
    assert_eq!((count(&told, "same"), &told["latest"][0]["path"]), (1, &"/text".into()), "{told:#}");
    assert_eq!(
        told["uncompared"],
        json!({ "by the places of `--ignore`, as a body cannot be read as JSON: they were compared byte by byte": 1 })
    );
}

#[test]
fn a_mirror_is_asked_for_in_full_and_followed() {
    let sandbox = shop(Account::Own);
    let wrong: [(&[&str], i32, &[&str]); 12] = [
        (&[], 2, &["SERVICE"]),
        (&["users", "v9"], 2, &["no version `v9`", "v1, v2"]),
        (&["user", "v2"], 2, &["no service `user`"]),
        (&["users", "v1"], 1, &["requests to users go to users itself"]),
        (&["users", "v2=10"], 2, &["`nagaya mirror users v2 --share 10`"]),
        (&["alone", "v2"], 2, &["alone has no versions", "`versions:` in the manifest", "nagaya try"]),
        (&["users", "v2", "--ignore", "/a"], 2, &["--diff"]),
        (&["users", "v2", "--diff", "--ignore", "a"], 2, &["begins with `/`"]),
        (
            &["users", "v2", "--diff", "--ignore-header", "bad header"],
            2,
            &["--ignore-header", "letters, digits and `-`"],
        ),
        (&["users", "v2", "--diff", "--ignore-header", ""], 2, &["--ignore-header"]),
        (&["users", "--follow"], 1, &["requests to users are not copied"]),
        (&["users", "--end"], 1, &["requests to users are not copied"]),
    ];
    for (words, code, texts) in wrong {
        sandbox.nagaya(&[&["mirror"], words].concat()).ended(code).says(texts);
    }
    let following = sandbox.start(&["mirror", "users", "v2", "--diff", "--follow", "--json"]);
    until("it has begun", || sandbox.nagaya(&["mirror", "--list"]).good().out.contains("users-v2"));
    sandbox.nagaya(&["mirror", "users", "v2"]).ended(1).says(&["requests to users are copied to users-v2 already"]);
    until("it is followed", || {
        ask(&sandbox, "/", &[]);
        following.out().contains('\n')
    });
    sandbox.nagaya(&["mirror", "users", "--end"]).good();
    let lines = following.end().good().out;
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).unwrap();
    assert_eq!(first["differences"][0], json!({ "at": "header x-version", "original": "v1", "copy": "v2" }));
}

#[test]
fn requests_over_http2_are_copied_to_either_kind_of_callee() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["mirror", "users", "v2", "--diff", "--writes", "--ignore-header", "x-version"]).good();
    let http2 = "--http2-prior-knowledge";
    assert!(ask(&sandbox, "/same", &[http2]).contains("[1, 2]"));
    assert!(ask(&sandbox, "/one?a=b", &[http2, "-d", "12345"]).contains("\"size\": 5"));
    until("both are compared", || count(&mirror(&sandbox), "answered") == 2);
    let told = mirror(&sandbox);
    assert_eq!([count(&told, "same"), count(&told, "different")], [1, 1], "{told:#}");
    let differences = told["latest"][0]["differences"].as_array().unwrap();
    let places: Vec<&Value> = differences.iter().map(|it| &it["at"]).collect();
    assert_eq!(places, ["/by", "/items/0/id"]);
    let mut sizes: Vec<String> = seen(&sandbox, "v2").into_iter().map(|it| it[2].clone()).collect();
    sizes.sort();
    assert_eq!(sizes, ["0", "5"]);

    let sandbox = Sandbox::new(
        "name: shop\nservices:\n  users: { command: [./server], ports: { h2: 8080 }, versions: { v1: {}, v2: {} } }\n",
    );
    sandbox.share(&built("bin/server"), "server");
    sandbox.up();
    sandbox.nagaya(&["mirror", "users", "v2", "--diff", "--writes"]).good();
    assert_eq!(ask(&sandbox, "/version", &[http2]), "HTTP/2.0");
    assert_eq!(ask(&sandbox, "/version", &[]), "HTTP/2.0");
    assert_eq!(ask(&sandbox, "/echo", &[http2, "-d", "hello"]), "hello");
    until("all are compared", || count(&mirror(&sandbox), "same") == 3);
    assert!(ask(&sandbox, "/missing", &[http2]).contains("404"));
    until("so is this", || count(&mirror(&sandbox), "answered") == 4);
    assert_eq!(count(&mirror(&sandbox), "same"), 4, "{:#}", mirror(&sandbox));
}
