//! Some services here, the rest elsewhere: a server with TLS stands for staging.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, until};

/// A place outside that answers each request with what it saw; and the certificate by which it is trusted.
fn staging() -> (u16, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || serve(stream, config));
        }
    });
    (port, cert.pem())
}

fn serve(mut stream: TcpStream, config: Arc<rustls::ServerConfig>) {
    let mut session = rustls::ServerConnection::new(config).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut stream);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while stream.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let line = text.lines().next().unwrap();
        let host = text.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or("none");
        let mut body = format!("staging: {line}, host {host}, sni {}", stream.conn.server_name().unwrap_or("none"));
        for field in text.lines().filter(|line| line.to_ascii_lowercase().starts_with("l5d-")) {
            body = format!("{body}\n{field}");
        }
        if write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).is_err() {
            return;
        }
        head.clear();
    }
}

const SERVER: &str = "exec python3 -u -m http.server 8080";

fn manifest(users: &str, rest: &str) -> String {
    format!(
        "
name: mixed
services:
  web: {{ command: [sleep, infinity], depends_on: [users, orders, cart, db] }}
  users: {{ command: '{SERVER}', ports: {{ http: 8080 }}, working_dir: own }}
  orders: {{ command: [sleep, infinity], ports: {{ http: 80 }}, readiness: {{ log: never }}, depends_on: [users] }}
  cart: {{ command: '{SERVER}', ports: {{ http: 8080 }}, working_dir: own }}
  db: {{ command: 'exec python3 -u -m http.server 5432', ports: {{ tcp: 5432 }}, working_dir: own }}
remotes:
  staging: {{ users: '{users}', '*': '{rest}' }}
routes: |
  /svc/cart => /#/local/cart ;
"
    )
}

impl Sandbox {
    /// Two services here and the rest at staging, whose certificate is trusted.
    #[track_caller]
    fn up_with_rest(&self, certificate: &str) -> Run {
        self.write("staging.pem", certificate);
        let words = ["up", "web", "cart", "--rest", "staging", "-d", "--wait", "--wait-timeout", "60s"];
        finish(self.command(binary()).args(words).env("SSL_CERT_FILE", self.path("staging.pem")))
    }

    #[track_caller]
    fn get(&self, url: &str) -> String {
        self.nagaya(&["exec", "web", "--", "curl", "-sS", "-m", "20", url]).good().out
    }

    #[track_caller]
    fn dtab(&self) -> String {
        self.nagaya(&["dtab", "get"]).good().out
    }

    #[track_caller]
    fn last_author(&self) -> String {
        let history = self.nagaya(&["dtab", "history", "--json"]).good().json();
        history.as_array().unwrap().last().unwrap()["who"].as_str().unwrap().to_owned()
    }
}

fn mixed(account: Account) -> (Sandbox, u16) {
    let (port, certificate) = staging();
    let url = format!("https://localhost:{port}");
    let sandbox = Sandbox::of(account, &manifest(&url, &format!("{url}/all/{{name}}/")));
    sandbox.write("own/here.txt", "here");
    sandbox.up_with_rest(&certificate).good().says(&["orders and users are at staging", "`nagaya remote`"]);
    (sandbox, port)
}

#[test]
fn two_services_run_here_and_the_rest_is_elsewhere() {
    for account in Account::all() {
        let (sandbox, port) = mixed(account);
        // By its own name and with its own Host, below its own path.
        let seen = |path: &str| format!("staging: GET {path} HTTP/1.1, host localhost:{port}, sni localhost");
        assert_eq!(sandbox.get("http://users:8080/a?b=c"), seen("/a?b=c"));
        assert_eq!(sandbox.get("http://orders/x"), seen("/all/orders/x"));
        assert_eq!(sandbox.get("http://cart:8080/here.txt"), "here");
        // What no URL can stand for runs here; what is elsewhere does not, and nobody waits for it.
        let states = ["web", "cart", "db", "users", "orders"].map(|it| sandbox.row(it)["state"].clone());
        assert_eq!(json!(states), json!(["running", "ready", "ready", "stopped", "stopped"]));
        assert_eq!(sandbox.row("users")["reason"], "calls to it go to staging");
        let record = sandbox.requests().into_iter().find(|it| it["to"] == "orders").unwrap();
        let told = ["from", "version", "path", "status", "routed_by"].map(|key| record[key].clone());
        assert_eq!(json!(told), json!(["web", "staging", "/x", 200, "/svc/orders=>/#/remote/staging/orders"]));
        let entries = "/svc/cart => /#/local/cart ;\n/svc/orders => /#/remote/staging/orders ;\n/svc/users => /#/remote/staging/users ;\n";
        assert_eq!(sandbox.dtab(), entries);
        assert!(sandbox.last_author().ends_with("(up web cart --rest staging)"), "{}", sandbox.last_author());
        let story = sandbox.nagaya(&["dtab", "explain", "users"]).good().out;
        assert!(story.contains("/#/remote/staging/users"), "{story}");
    }
}

/// As linkerd does, but for what means something of this machine.
#[test]
fn entries_of_a_request_go_with_it_to_another_place() {
    for account in Account::all() {
        let (sandbox, _) = mixed(account);
        let here = "/svc/pay => /#/local/pay ; /svc/news => /$/inet/127.0.0.1/9000";
        let there = "/svc/orders=>/svc/orders-v2 | ~;/svc/stock=>0.001*/#/io.l5d.fs/stock-v2 & /svc/stock";
        let curl = |fields: &[String]| {
            let fields: Vec<&str> = fields.iter().flat_map(|field| ["-H", field.as_str()]).collect();
            let words = ["exec", "web", "--", "curl", "-sS", "-m", "20", "http://orders/x"];
            let answer = sandbox.nagaya(&[&words[..], &fields].concat()).good().out;
            answer.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let dtab = format!("l5d-dtab: {here} ; {there}");
        let handed_on = format!("l5d-ctx-dtab: {there}");
        assert_eq!(curl(&[dtab]), [handed_on.as_str()]);
        let [first, second] = there.split(';').collect::<Vec<_>>()[..] else { panic!("{there}") };
        assert_eq!(curl(&[format!("l5d-ctx-dtab: {first}"), format!("L5d-Dtab: {second}")]), [handed_on.as_str()]);
        assert_eq!(curl(&[format!("l5d-dtab: {here}")]), [""; 0]);
        assert_eq!(curl(&[]), [""; 0]);
    }
}

#[test]
fn one_service_is_switched_while_it_is_called() {
    let (sandbox, _) = mixed(Account::Own);
    let loops = "while ! [ -e ../stop ]; do curl -sSf -m 20 http://users:8080/here.txt >> ../answers || echo bad; done";
    let client = sandbox.start(&["exec", "cart", "--", "sh", "-c", loops]);
    let called = || std::fs::read_to_string(sandbox.path("answers")).unwrap_or_default();
    let (far, near) = (|| called().matches("staging:").count(), || called().matches("here").count());
    until("staging is called", || far() > 3);
    sandbox.nagaya(&["remote", "users", "off"]).good().says(&["requests to users stay here"]);
    assert!(sandbox.last_author().ends_with("(remote users off)"));
    let before = near();
    until("it is called here", || near() > before + 3);
    let on = sandbox.nagaya(&["remote", "users", "on"]).good();
    on.says(&["requests to users go to staging, https://localhost:", "`nagaya stop users` ends that"]);
    let before = far();
    until("staging is called again", || far() > before + 3);
    sandbox.write("stop", "");
    assert_eq!(client.end().good().out, "");

    let rows = sandbox.nagaya(&["remote", "--json"]).good().json();
    let told = |row: &Value| json!([row["service"], row["remote"], row["state"]]);
    let told: Vec<Value> = rows.as_array().unwrap().iter().map(told).collect();
    assert_eq!(
        json!(told),
        json!([["users", "staging", "ready"], ["orders", "staging", "stopped"], ["cart", null, "ready"]])
    );
    let shown = sandbox.nagaya(&["remote"]).good().out;
    assert!(shown.lines().next().unwrap().starts_with("users   staging"), "{shown}");
    // What is edited meanwhile leaves them where they are.
    let text = std::fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
    sandbox.write("nagaya.yaml", text.replace("/#/local/cart ;", "/#/local/cart | ! ;"));
    until("the edit is in force", || sandbox.dtab().contains("/#/local/cart | !"));
    assert!(sandbox.get("http://users:8080/").starts_with("staging:"));
    // Whoever names a service wants it here.
    sandbox.nagaya(&["up", "users", "-d", "--wait"]).good();
    assert_eq!(sandbox.get("http://users:8080/here.txt"), "here");
    assert!(sandbox.get("http://orders/").starts_with("staging:"));
}

#[test]
fn what_cannot_be_switched_is_told() {
    let (sandbox, _) = mixed(Account::Own);
    for (words, says) in [
        (["usres", "on"].as_slice(), ["there is no service `usres`", "did you mean `users`?"]),
        (&["db", "on"], ["no remote has a URL for db", "`remotes: { staging: { db:"]),
        (&["users", "on", "--to", "stagin"], ["stagin is no remote that has users", "it is at staging"]),
        (&["users"], ["`remote` needs services and then `on` or `off`", "nagaya remote users off"]),
    ] {
        sandbox.nagaya(&[&["remote"], words].concat()).ended(2).says(&says);
    }
    let up = sandbox.nagaya(&["up", "web", "--rest", "stagin", "-d"]).ended(2);
    up.says(&["there is no remote `stagin`", "did you mean `staging`?"]);
    sandbox.nagaya(&["up", "--rest", "staging"]).ended(2);
    // It does not become ready here, so it stays there.
    let off =
        finish(sandbox.command("timeout").args(["-s", "INT", "3"]).arg(binary()).args(["remote", "orders", "off"]));
    assert_ne!(off.code, 0);
    assert!(sandbox.get("http://orders/x").starts_with("staging:"));
    sandbox.nagaya(&["stop", "orders"]).good();
    let shown = sandbox.nagaya(&["up", "web", "--rest", "staging", "--dry-run"]).good().out;
    assert!(shown.contains("elsewhere\n  cart  https://localhost:") && !shown.contains("orders  sleep"), "{shown}");
    sandbox.nagaya(&["down"]).good();
    // Another engine begins with everything here.
    sandbox.nagaya(&["up", "users", "-d", "--wait"]).good();
    assert_eq!(sandbox.dtab(), "/svc/cart => /#/local/cart ;\n");
}

#[test]
fn a_remote_that_cannot_be_called_is_named_with_what_helps() {
    let (port, certificate) = staging();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("https://localhost:{port}");
    let sandbox = Sandbox::new(&manifest(&url, &format!("http://localhost:{closed}/{{name}}")));
    sandbox.write("own/here.txt", "here");
    // Nobody vouches for this one.
    let other = staging().1;
    sandbox.up_with_rest(&other).good();
    let answer = sandbox.nagaya(&["exec", "web", "--", "curl", "-sS", "-i", "http://users:8080/"]).good().out;
    for text in [
        "HTTP/1.1 502 ",
        &format!(
            "users at staging ({url}): its certificate is not accepted: nobody whom this machine trusts has issued it"
        ),
        "what helps: `nagaya remote users off` runs it here; an authority of staging's own",
        "SSL_CERT_FILE",
    ] {
        assert!(answer.contains(text), "no `{text}` in {answer}");
    }
    let answer = sandbox.get("http://orders/");
    let told = format!("orders at staging (http://localhost:{closed}/orders): nothing answers there: ");
    assert!(answer.contains(&told) && answer.contains("`nagaya remote orders off` runs it here"), "{answer}");
    // Switching off is for what leads all there, and this leads one request.
    let header = "l5d-dtab: /svc/cart => /#/remote/staging/orders";
    let answer = sandbox.nagaya(&["exec", "web", "--", "curl", "-sS", "-H", header, "http://cart:8080/"]).good().out;
    assert!(answer.contains("send the request without its override `/svc/cart=>/#/remote"), "{answer}");
    assert!(!answer.contains(" off`"), "{answer}");
    let record = sandbox.requests().into_iter().find(|it| it["to"] == "orders").unwrap();
    assert_eq!(json!([record["status"], record["version"]]), json!([502, "staging"]));
    assert!(record["error"].as_str().unwrap().starts_with("orders at staging"));
    sandbox.nagaya(&["down"]).good();
    sandbox.up_with_rest(&certificate).good();
    assert!(sandbox.get("http://users:8080/").starts_with("staging:"));
}

#[test]
fn without_pods_the_rest_is_reached_by_addresses() {
    let (port, certificate) = staging();
    let url = format!("https://localhost:{port}");
    let text = manifest(&url, &format!("{url}/{{name}}")).replace("name: mixed", "name: mixed\nnetwork: env");
    let text = text.replace("http.server 8080", "http.server $PORT").replace("http.server 5432", "http.server $PORT");
    let sandbox = Sandbox::new(&text);
    sandbox.write("own/here.txt", "here");
    sandbox.up_with_rest(&certificate).good();
    let shell = |script: &str| sandbox.nagaya(&["exec", "web", "--", "sh", "-c", script]).good().out;
    assert!(shell("curl -sS $ORDERS_URL/x").starts_with("staging: GET /orders/x "));
    assert_eq!(shell("curl -sS $CART_URL/here.txt"), "here");
    let door = sandbox.engine()["front_door"].as_u64().unwrap();
    let (host, at) = (format!("Host: users.mixed.localhost:{door}"), format!("http://127.0.0.1:{door}/"));
    let page = finish(Command::new("curl").args(["-sS", "-H", &host, &at])).good().out;
    assert!(page.starts_with("staging: GET / "), "{page}");
}
