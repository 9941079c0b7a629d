//! namerd's HTTP API, as linkerd's own tests and `namerctl` know it.

pub mod client;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::sandbox::{Sandbox, finish, signal};
use client::{Client, Reply};

const MANIFEST: &str = r#"
name: shop
network: env
services:
  users:
    command: exec python3 -m http.server --bind 127.0.0.1 $PORT
    ports: { http: 8080 }
    versions: { v1: {}, v2: {} }
  stripe: { external: http://127.0.0.1:9 }
routes: /svc/users => /#/local/users-v2
"#;
const DTAB: &str = "application/dtab";
const JSON: &str = "application/json";

/// A workspace with the API at a port of its own.
fn served() -> (Sandbox, Client) {
    let sandbox = Sandbox::new(MANIFEST);
    let client = Client::at(client::free_port());
    let at = format!("127.0.0.1:{}", client.port);
    sandbox.nagaya(&["up", "-d", "--wait", "--wait-timeout", "60s", "--namerd", &at]).good();
    (sandbox, client)
}

impl Client {
    #[track_caller]
    fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], "")
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Reply {
        self.ask(method, path, &[("content-type", kind)], body)
    }
}

#[test]
fn dtabs_are_made_read_replaced_and_deleted() {
    let (sandbox, client) = served();
    assert_eq!(client.get("/api/1/dtabs").good().body, "[\"default\"]\n");
    let own = client.get("/api/1/dtabs/default").good();
    assert_eq!((own.header("etag"), own.header("content-type")), ("AAAAAAAAAAE=", JSON));
    assert_eq!(own.body, "[{\"prefix\":\"/svc/users\",\"dst\":\"/#/local/users-v2\"}]\n");
    let accept = [("accept", "application/dtab;q=0.9, application/json")];
    let text = client.ask("GET", "/api/1/dtabs/shop", &accept, "").good();
    assert_eq!((text.header("content-type"), text.body.as_str()), (DTAB, "/svc/users=>/#/local/users-v2\n"));
    let head = client.ask("HEAD", "/api/1/dtabs/default", &[], "").good();
    assert_eq!((head.header("etag"), head.body.as_str()), ("AAAAAAAAAAE=", ""));

    // Another namespace, in each of the forms.
    for (number, (kind, body)) in [
        (JSON, r#"[{"prefix":"/yeezy","dst":"/kanye"}]"#),
        ("application/json;charset=UTF-8", r#"[{"prefix":"/yeezy","dst":"/kanye"}]"#),
        ("text/plain", "/yeezy => /kanye"),
        (DTAB, "/yeezy => /kanye # and a comment"),
    ]
    .into_iter()
    .enumerate()
    {
        client.send("POST", &format!("/api/1/dtabs/n{number}"), kind, body).ended(204);
        assert_eq!(
            client.get(&format!("/api/1/dtabs/n{number}")).body,
            "[{\"prefix\":\"/yeezy\",\"dst\":\"/kanye\"}]\n"
        );
    }
    assert_eq!(client.get("/api/1/dtabs/").good().body, "[\"default\",\"n0\",\"n1\",\"n2\",\"n3\"]\n");
    client.send("POST", "/api/1/dtabs/n0", DTAB, "").ended(409);
    client.send("POST", "/api/1/dtabs/default", DTAB, "").ended(409);
    client.ask("DELETE", "/api/1/dtabs/n0", &[], "").ended(204);
    client.ask("DELETE", "/api/1/dtabs/n0", &[], "").ended(404);
    client.get("/api/1/dtabs/n0").ended(404);

    let put = |name: &str, stamp: &str| {
        let headers = [("content-type", DTAB), ("if-match", stamp)];
        client.ask("PUT", &format!("/api/1/dtabs/{name}"), &headers, "/svc/users=>/svc/other").status
    };
    assert_eq!([put("default", "yolo"), put("default", "AAAAAAAAAAI="), put("none", "AAAAAAAAAAE=")], [412, 412, 404]);
    assert_eq!(put("default", "AAAAAAAAAAE="), 204);
    assert_eq!(client.get("/api/1/dtabs/shop").header("etag"), "AAAAAAAAAAI=");
    client.send("PUT", "/api/1/dtabs/fresh", DTAB, "/a=>/b").ended(204);

    // The command sees the same, and who it was.
    let routes = sandbox.nagaya(&["dtab", "get", "--json"]).good().json();
    assert_eq!((&routes["version"], &routes["dtab"]), (&2.into(), &"/svc/users=>/svc/other".into()));
    assert!(routes["who"].as_str().unwrap().starts_with("namerd's API"), "{routes}");
    client.ask("DELETE", "/api/1/dtabs/default", &[], "").ended(204);
    client.get("/api/1/dtabs/default").ended(404);
    assert_eq!(sandbox.nagaya(&["dtab", "get"]).good().out, "");
    client.send("POST", "/api/1/dtabs/default", DTAB, "/svc/users=>/#/local/users-v2").ended(204);
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    let history = sandbox.nagaya(&["dtab", "history", "--json"]).good().json();
    let dtabs: Vec<&Value> = history.as_array().unwrap().iter().map(|record| &record["dtab"]).collect();
    let first = "/svc/users=>/#/local/users-v2";
    assert_eq!(dtabs, [&first.into(), &json!("/svc/users=>/svc/other"), &Value::Null, &first.into()]);
}

#[test]
fn names_are_bound_by_what_runs() {
    let (_sandbox, client) = served();
    let bound = client.get("/api/1/bind/default?path=/svc/users/rest").good();
    let tree: Value = serde_json::from_str(&bound.body).unwrap();
    assert_eq!((&tree["type"], &tree["bound"]["id"]), (&"leaf".into(), &"/#/local/users-v2".into()));
    assert_eq!((&tree["bound"]["path"], tree.get("path")), (&"/rest".into(), None));
    let address = &tree["bound"]["addr"]["addrs"][0];
    assert_eq!((&tree["bound"]["addr"]["type"], &address["ip"]), (&"bound".into(), &"127.0.0.1".into()));
    std::net::TcpStream::connect(("127.0.0.1", address["port"].as_u64().unwrap().try_into().unwrap())).unwrap();

    let same = client.get("/api/1/addr/default?path=/%23/local/users-v2").good().json();
    assert_eq!(same, tree["bound"]["addr"]);
    assert_eq!(client.get("/api/1/addr/default?path=/%25/io.l5d.x/%23/local/users-v2").good().json(), same);
    assert_eq!(client.get("/api/1/resolve/default?path=/svc/users").good().json(), same);
    assert_eq!(client.get("/api/1/resolve/default?path=/svc/nobody").good().json(), json!({ "type": "neg" }));
    assert_eq!(client.get("/api/1/bind/default?path=/svc/nobody").good().body, "{\"type\":\"neg\"}\n");
    let extra = "/api/1/bind/default?path=/svc/users&dtab=/svc/users=>/%23/local/users-v1%20%26%20/$/inet/localhost/1";
    let union = client.get(extra).good().json();
    let ids = [0, 1].map(|branch| union["union"][branch]["tree"]["bound"]["id"].clone());
    assert_eq!(ids, ["/#/local/users-v1", "/$/inet/localhost/1"], "{union:#}");
    let other = client.get("/api/1/bind/other?path=/svc/users").good().body;
    assert_eq!(other, "{\"type\":\"neg\"}\n", "a namespace that is missing is empty, as linkerd's are");
    client.send("POST", "/api/1/dtabs/other", DTAB, "/svc=>/#/external").ended(204);
    let other = client.get("/api/1/bind/other?path=/svc/stripe").good().json();
    let addr = json!({ "type": "bound", "addrs": [{ "ip": "127.0.0.1", "port": 9, "meta": {} }], "meta": {} });
    assert_eq!(other["bound"], json!({ "addr": addr, "id": "/#/external/stripe", "path": "/" }));
    let names = client.get("/api/1/bound-names").good().json();
    assert_eq!(names, json!(["/#/local/users", "/#/local/users-v2", "/#/external/stripe"]));

    // As in linkerd's own tests.
    let neg =
        |path: &str, prefix: &str| json!({ "type": "neg", "path": path, "dentry": { "prefix": prefix, "dst": path } });
    client.send("POST", "/api/1/dtabs/yeezus", DTAB, "/yeezy=>/yeezus").ended(204);
    let one = json!({ "type": "delegate", "path": "/yeezy", "delegate": neg("/yeezus", "/yeezy") });
    assert_eq!(client.get("/api/1/delegate/yeezus?path=/yeezy").good().json(), one);
    let both = json!({ "type": "alt", "path": "/yeezy", "alt": [neg("/bar", "/yeezy"), neg("/yeezus", "/yeezy")] });
    assert_eq!(client.get("/api/1/delegate/yeezus?path=/yeezy&dtab=/yeezy=>/bar").good().json(), both);
    let alone = json!({ "type": "delegate", "path": "/foo", "delegate": neg("/bar", "/foo") });
    assert_eq!(client.get("/api/1/delegate?dtab=/foo=>/bar&path=/foo").good().json(), alone);
    let asked = r#"{"namespace":"yeezus","dtab":"/yeezy=>/bar","path":"/yeezy"}"#;
    assert_eq!(client.send("POST", "/api/1/delegate", JSON, asked).good().json(), both);
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        client.send("POST", "/api/1/delegate/yeezus", form, "path=%2Fyeezy&dtab=/yeezy=>/bar").good().json(),
        both
    );
}

#[test]
fn whoever_watches_is_told_of_every_change() {
    let (sandbox, client) = served();
    let mut list = client.watch("/api/1/dtabs?watch=true");
    assert_eq!(list.line(), "[\"default\"]");
    let mut dtab = client.watch("/api/1/dtabs/default?watch=1");
    assert_eq!(dtab.line(), "[{\"prefix\":\"/svc/users\",\"dst\":\"/#/local/users-v2\"}]");
    let mut later = client.watch("/api/1/dtabs/later?watch=true");
    let mut bind = client.watch("/api/1/bind/default?watch=true&path=/svc/users");
    let id = |line: String| serde_json::from_str::<Value>(&line).unwrap()["bound"]["id"].clone();
    assert_eq!(id(bind.line()), "/#/local/users-v2");
    let mut resolve = client.watch("/api/1/resolve/default?watch=t&path=/svc/users");
    let first = resolve.line();

    client.send("POST", "/api/1/dtabs/later", DTAB, "/a=>/b").ended(204);
    assert_eq!(
        (list.line(), later.line()),
        ("[\"default\",\"later\"]".into(), "[{\"prefix\":\"/a\",\"dst\":\"/b\"}]".into())
    );
    sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v2 | /#/local/users-v1"]).good();
    assert!(dtab.line().contains("users-v2 | /#/local/users-v1"));
    // It leads to the same place as before, of which nobody is told twice.
    sandbox.nagaya(&["stop", "users-v2"]).good();
    assert_eq!(id(bind.line()), "/#/local/users-v1");
    let second = resolve.line();
    assert!(second.contains("\"bound\"") && second != first, "{first} {second}");
    sandbox.nagaya(&["dtab", "set", "/svc/users => /svc/users"]).good();
    assert!(bind.line().contains("leads back to itself"), "an error is the last line");
    assert_eq!(bind.end(), None);
    sandbox.nagaya(&["down"]).good();
    assert_eq!(list.end(), None);
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    let (sandbox, client) = served();
    for (path, said) in [
        ("/api/1/bind/default?path=invalid", "Invalid path: invalid / line 1, column 1"),
        ("/api/1/addr/default?path=/a/", "Invalid path: /a/ / line 1, column 4"),
        ("/api/1/resolve/default", "Invalid path:  / line 1, column 1"),
        ("/api/1/delegate/default?path=invalid", "Invalid path"),
        ("/api/1/delegate?dtab=/a&path=/a", "Invalid dtab: line 1, column 3"),
        ("/api/1/bind/default?path=/a&dtab=x", "Invalid dtab: line 1, column 1"),
    ] {
        let reply = client.get(path).ended(400);
        assert!(reply.body.starts_with(said), "{path}: {}", reply.body);
    }
    for (method, kind, body, said) in [
        ("PUT", DTAB, "/a =>\n/b ->", "Invalid dtab: line 2, column 4"),
        ("POST", DTAB, "/a => b", "Invalid dtab: line 1, column 7"),
        ("PUT", JSON, "[null]", "Invalid dtab: invalid type: null"),
        ("PUT", JSON, r#"[{"prefix":"/a","dst":"b"}]"#, "Invalid dtab: entry 1: line 1, column 1"),
        ("POST", JSON, "/a=>/b", "Invalid dtab: "),
        ("PUT", "application/x-www-form-urlencoded", "/a=>/b", "Invalid Content-Type \"application/x-www-form"),
        ("POST", "", "/a=>/b", "Invalid Content-Type \"\""),
        ("PUT", DTAB, "/\u{fc} => /b", "Invalid dtab: line 1, column 2"),
    ] {
        let reply = client.send(method, "/api/1/dtabs/x", kind, body).ended(400);
        assert!(reply.body.starts_with(said), "{method} {body}: {}", reply.body);
    }
    for (method, path, status) in [
        ("GET", "/api/1/dtabsexpialidocious", 404),
        ("GET", "/api/1/dtabs/none", 404),
        ("HEAD", "/api/1/dtabs/none", 404),
        ("PATCH", "/api/1/dtabs/default", 404),
        ("GET", "/api/1/bind?path=/a", 404),
        ("GET", "/api/2/dtabs", 404),
        ("GET", "/", 404),
        ("PUT", "/api/1/delegate?path=/a", 405),
    ] {
        client.ask(method, path, &[], "").ended(status);
    }
    client.send("POST", "/api/1/delegate", "text/plain", "/a").ended(415);
    client.send("POST", "/api/1/delegate", JSON, "{}").ended(400);
    client.send("PUT", &format!("/api/1/dtabs/{}", "x".repeat(300)), DTAB, "").ended(400);
    for headers in
        [[("host", "example.com:4180"), ("x", "x")], [("host", "127.0.0.1"), ("origin", "http://example.com")]]
    {
        client.ask("GET", "/api/1/dtabs", &headers, "").ended(403);
    }
    let huge = format!("#{}", "x".repeat(9 << 20));
    client.send("PUT", "/api/1/dtabs/default", DTAB, &huge).ended(413);
    assert_eq!(sandbox.nagaya(&["dtab", "get", "--json"]).good().json()["version"], 1, "nothing was changed");
    assert_eq!(client.get("/api/1/dtabs").good().body, "[\"default\"]\n");
    // A large table that is none too large.
    let table: Vec<String> = (0..10_000).map(|number| format!("/svc/n{number} => /#/local/users-v1")).collect();
    client.send("PUT", "/api/1/dtabs/default", DTAB, &table.join(" ;\n")).ended(204);
    assert!(client.get("/api/1/resolve/default?path=/svc/n9999").good().body.contains("\"bound\""));
}

#[test]
fn only_this_machine_is_served_and_only_where_it_was_asked_for() {
    let sandbox = Sandbox::new(MANIFEST);
    for at in ["0.0.0.0:4180", "192.0.2.1:4180", "4180", "localhost"] {
        sandbox.nagaya(&["up", "-d", "--namerd", at]).ended(2).says(&["127.0.0.1:4180"]);
    }
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = holder.local_addr().unwrap().to_string();
    let run = sandbox.nagaya(&["up", "-d", "--namerd", &at]).good();
    run.says(&[&format!("namerd's API is not served at {at}: port "), "is taken by"]);
    let other = format!("127.0.0.1:{}", client::free_port());
    sandbox.nagaya(&["up", "-d", "--namerd", &other]).good().says(&["is for an engine that starts"]);
}

/// Each writer adds its own entries to whatever is there, by version; nothing of anybody's is lost.
#[test]
fn of_many_writers_none_overwrites_another() {
    const WRITERS: usize = 6;
    const EACH: usize = 15;
    let (sandbox, client) = served();
    let write = |writer: usize| {
        let client = Client::at(client.port);
        let mut conflicts = 0;
        for number in 0..EACH {
            loop {
                let now = client.ask("GET", "/api/1/dtabs/default", &[("accept", DTAB)], "").good();
                let more = format!("{};/svc/w{writer}n{number}=>/#/local/users-v1", now.body.trim());
                let headers = [("content-type", DTAB), ("if-match", now.header("etag"))];
                match client.ask("PUT", "/api/1/dtabs/default", &headers, &more).status {
                    204 => break,
                    status => assert_eq!(status, 412),
                }
                conflicts += 1;
            }
        }
        conflicts
    };
    let conflicts: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    println!("{conflicts} conflicts");
    assert!(conflicts > 0, "they were at it at the same time");
    let entries = client.get("/api/1/dtabs/default").good().json();
    let prefixes: BTreeSet<&str> =
        entries.as_array().unwrap().iter().map(|it| it["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes.len(), 1 + WRITERS * EACH);
    let history = sandbox.nagaya(&["dtab", "history", "--json"]).good().json();
    let lengths: Vec<usize> =
        history.as_array().unwrap().iter().map(|it| it["dtab"].as_str().unwrap().split(';').count()).collect();
    assert_eq!(lengths, (1..=1 + WRITERS * EACH).collect::<Vec<_>>(), "each change has all those before it");
}

/// The answer to a change comes when names are bound by it already.
#[test]
fn a_thousand_changes_are_in_force_when_they_are_answered() {
    let (_sandbox, client) = served();
    let (mut worst, begun) = (Duration::ZERO, Instant::now());
    for number in 0..1000_u16 {
        let dtab = format!("/svc/users => /$/inet/127.0.0.1/{}", 1000 + number);
        client.send("PUT", "/api/1/dtabs/default", DTAB, &dtab).ended(204);
        let asked = Instant::now();
        let addr = client.get("/api/1/resolve/default?path=/svc/users").good().json();
        worst = worst.max(asked.elapsed());
        assert_eq!(addr["addrs"][0]["port"], 1000 + number);
    }
    println!("1000 changes in {:?}, each seen at the first look, which took {worst:?} at most", begun.elapsed());
}

/// What `namerctl` 0.8.6 sends, word by word: with the variable NAMERCTL, that program itself does as well.
#[test]
fn namerctl_works_unchanged() {
    let (sandbox, client) = served();
    assert_eq!(client.ask("GET", "/api/1/dtabs", &[("accept", JSON)], "").good().json(), json!(["default"]));
    let created = client.send("POST", "/api/1/dtabs/canary", DTAB, "/svc/users => /#/local/users-v2 ;\n");
    assert_eq!(created.status, 204);
    let got = client.ask("GET", "/api/1/dtabs/canary", &[("accept", JSON)], "").good();
    assert_eq!((got.header("etag"), got.json()[0]["prefix"].as_str()), ("AAAAAAAAAAE=", Some("/svc/users")));
    let headers = [("content-type", JSON), ("if-match", "AAAAAAAAAAE=")];
    let body = r#"[{"prefix":"/svc/users","dst":"/#/local/users-v1"}]"#;
    client.ask("PUT", "/api/1/dtabs/canary", &headers, body).ended(204);
    client.ask("PUT", "/api/1/dtabs/canary", &headers, body).ended(412);
    client.ask("DELETE", "/api/1/dtabs/canary", &[], "").ended(204);

    let Ok(program) = std::env::var("NAMERCTL") else { return };
    let base = format!("http://127.0.0.1:{}", client.port);
    let namerctl = |words: &[&str]| {
        let mut command = sandbox.command(&program);
        finish(command.args(["--base-url", &base, "dtab"]).args(words))
    };
    assert_eq!(namerctl(&["list"]).good().out, "default\n");
    assert_eq!(namerctl(&["ls", "--json"]).good().out, "[\"default\"]\n");
    sandbox.write("a.dtab", "/svc/users => /#/local/users-v1 ;\n/svc/pay => /#/external/stripe ;\n");
    assert_eq!(namerctl(&["create", "prod", "a.dtab"]).good().out, "Created prod\n");
    assert_ne!(namerctl(&["create", "prod", "a.dtab"]).code, 0);
    let shown = namerctl(&["get", "prod"]).good().out;
    assert_eq!(
        shown,
        "# version AAAAAAAAAAE=\n/svc/users  => /#/local/users-v1 ;\n/svc/pay    => /#/external/stripe ;\n"
    );
    assert_eq!(namerctl(&["update", "default", "a.dtab", "--version", "AAAAAAAAAAE="]).good().out, "Updated default\n");
    assert!(namerctl(&["update", "default", "a.dtab", "--version", "AAAAAAAAAAE="]).out.contains("412"));
    let routes = sandbox.nagaya(&["dtab", "get"]).good().out;
    assert_eq!(routes, "/svc/users => /#/local/users-v1 ;\n/svc/pay => /#/external/stripe ;\n");
    // What it prints as JSON it takes again, with the version in it.
    sandbox.write("b.json", namerctl(&["get", "default", "--json"]).good().out.replace("users-v1", "users-v2"));
    assert_eq!(namerctl(&["up", "default", "b.json"]).good().out, "Updated default\n");
    assert!(namerctl(&["up", "default", "b.json"]).out.contains("412"));
    assert!(sandbox.nagaya(&["dtab", "get"]).good().out.contains("users-v2"));
    sandbox.write("bad.dtab", "/svc/users -> /x");
    assert!(namerctl(&["up", "default", "bad.dtab"]).out.contains("400"));
    assert_eq!(namerctl(&["delete", "prod"]).good().out, "Deleted prod\n");
    assert!(namerctl(&["get", "prod"]).out.contains("not found"));
}

/// What a script waits for when the engine is killed.
#[test]
fn a_watch_ends_with_the_engine() {
    let (sandbox, client) = served();
    let mut watch = client.watch("/api/1/dtabs?watch=true");
    watch.line();
    signal("KILL", u32::try_from(sandbox.engine()["pid"].as_u64().unwrap()).unwrap());
    assert_eq!(watch.end(), None);
}
