//! Services that live elsewhere.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::support::sandbox::{Account, Run, Sandbox};

/// A server that nagaya knows nothing of: it answers each request with the request's own head.
fn mirror() -> u16 {
    serve(|mut stream| {
        let head: Vec<String> =
            BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let body = head.join("\n");
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    })
}

/// One that gives bytes back in capitals.
fn echo() -> u16 {
    serve(|mut stream| {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            let _ = stream.write_all(&bytes[..count].to_ascii_uppercase());
        }
    })
}

fn serve(answer: impl Fn(TcpStream) + Send + Copy + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

/// `shell` is a client within the workspace.
fn calling(account: Account) -> (Sandbox, u16) {
    let (web, raw) = (mirror(), echo());
    let manifest = format!(
        "name: outside
services:
  shell: {{ command: [sleep, infinity], depends_on: [mirror, echo] }}
  mirror: {{ external: 'http://localhost:{web}/base' }}
  echo: {{ external: 'tcp://127.0.0.1:{raw}' }}
"
    );
    let sandbox = Sandbox::of(account, &manifest);
    sandbox.up();
    (sandbox, web)
}

fn shell(sandbox: &Sandbox, script: &str) -> Run {
    sandbox.nagaya(&["exec", "shell", "--", "bash", "-c", script])
}

#[test]
fn what_lives_elsewhere_is_called_through_the_proxy_by_its_own_host() {
    for account in Account::all() {
        let (sandbox, port) = calling(account);
        let head = shell(&sandbox, "curl -sS $MIRROR_URL/x?y=z").good().out;
        assert!(head.starts_with("GET /base/x?y=z HTTP/1.1"), "{head}");
        assert!(head.to_lowercase().contains(&format!("host: localhost:{port}\n")), "{head}");
        let call = "exec 3<>/dev/tcp/$ECHO_HOST/$ECHO_PORT; echo hello >&3; head -1 <&3";
        assert_eq!(shell(&sandbox, call).good().out, "HELLO\n");
        let seen: Vec<_> = sandbox.requests().iter().map(|it| json!([it["from"], it["to"], it["protocol"]])).collect();
        assert_eq!(json!(seen), json!([["shell", "mirror", "http"], ["shell", "echo", "tcp"]]));
    }
}

/// Who it is has nothing to do with what is tried here.
#[test]
fn it_is_told_nothing_of_a_requests_entries() {
    let (sandbox, _) = calling(Account::unprivileged());
    let fields = "-H 'l5d-dtab: /svc/users => /svc/users-v2 | ~' -H 'l5d-ctx-dtab: /svc/x => /svc/y'";
    for version in ["", "--http2-prior-knowledge"] {
        let head = shell(&sandbox, &format!("curl -sS {version} {fields} $MIRROR_URL/x")).good().out;
        assert!(head.starts_with("GET /base/x HTTP/1.1") && !head.to_lowercase().contains("l5d-"), "{head}");
    }
}

#[test]
fn it_is_shown_as_what_it_is_and_never_as_a_process() {
    let (sandbox, port) = calling(Account::Own);
    let row = sandbox.row("mirror");
    assert_eq!(
        json!([row["kind"], row["state"], row["ready"], row["pid"], row["ports"][0]["published"]]),
        json!(["external", "ready", true, null, null])
    );
    assert_eq!(row["reason"], format!("lives at http://localhost:{port}/base"));
    let config = sandbox.nagaya(&["config", "--json"]).good().json();
    let mirror = &config["services"]["mirror"];
    assert_eq!(json!([mirror["kind"], mirror["command"]]), json!(["external", null]));
    for words in [["restart", "mirror"].as_slice(), &["env", "mirror"], &["logs", "mirror"]] {
        sandbox.nagaya(words).ended(2).says(&["mirror lives elsewhere"]);
    }
    sandbox.nagaya(&["exec", "mirror", "--", "true"]).ended(125).says(&["mirror lives elsewhere"]);
}

#[test]
fn it_can_be_stopped_for_its_callers() {
    let (sandbox, _) = calling(Account::Own);
    sandbox.nagaya(&["stop", "mirror"]).good();
    assert_eq!(sandbox.row("mirror")["state"], "stopped");
    assert_eq!(shell(&sandbox, "curl -sS $MIRROR_URL || echo curl ended with $?").out, "curl ended with 7\n");
    sandbox.nagaya(&["start", "mirror"]).good();
    shell(&sandbox, "curl -sSf $MIRROR_URL").good();
}

#[test]
fn an_up_of_jobs_ends_although_something_lives_elsewhere() {
    let sandbox =
        Sandbox::new("services: { job: { command: echo done }, pay: { external: 'http://pay.example.com' } }");
    assert!(sandbox.nagaya(&["up"]).good().out.contains("done"));
}
