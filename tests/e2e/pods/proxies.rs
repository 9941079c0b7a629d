//! HTTP proxies that the shell names: a pod reaches those of this machine, and calls services without them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::workspace;
use crate::support::sandbox::{Account, binary, finish};

const MANIFEST: &str = "
name: proxied
services:
  web: { command: [python3, server.py, '8080'], ports: { http: 8080 }, aliases: front, hostnames: '*.web.example.com' }
  old: { command: [sleep, infinity], network: env }
  own: { command: [sleep, infinity], environment: { http_proxy: 'http://127.0.0.1:1', HTTPS_PROXY: } }
";

/// A proxy on the loopback that answers with the line of the request.
fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let line = head.next().unwrap_or_default();
            let authorized = head.take_while(|line| !line.is_empty()).any(|line| line.contains("Basic bWU6c2VjcmV0"));
            let body = format!("{line} {authorized}");
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
    });
    port
}

#[test]
fn a_proxy_on_the_loopback_is_reached_and_left_out_for_services() {
    for account in Account::all() {
        let port = proxy();
        let sandbox = workspace(account, MANIFEST);
        let address = format!("http://me:secret@127.0.0.1:{port}");
        let mut up = sandbox.command(binary());
        up.args(["up", "-d", "--wait"])
            .env("http_proxy", &address)
            .env("HTTPS_PROXY", &address)
            .env("NO_PROXY", ".corp");
        finish(&mut up).good();
        let answer = sandbox.told("web", "curl -sS http://elsewhere.invalid/page");
        assert_eq!(answer, "GET http://elsewhere.invalid/page HTTP/1.1 true");
        for name in ["web", "front", "web.default.svc.cluster.local", "x.web.example.com"] {
            let answer = sandbox.told("own", &format!("http_proxy=$HTTPS_PROXY curl -sS http://{name}:8080/"));
            assert!(answer.contains(r#""host": "web""#), "{name}: {answer}");
        }
        let variables = |service: &str| sandbox.nagaya(&["env", service, "--json"]).good().json();
        let moved = format!("http://me:secret@host.nagaya.internal:{port}");
        assert_eq!(variables("web")["http_proxy"], moved);
        assert!(variables("web")["no_proxy"].as_str().unwrap().starts_with(".corp,localhost,"), "{}", variables("web"));
        assert_eq!(variables("web")["NO_PROXY"], variables("web")["no_proxy"]);
        // On the host it is where the shell says, and what the manifest says is meant so.
        assert_eq!([&variables("old")["http_proxy"], &variables("old")["NO_PROXY"]], [address.as_str(), ".corp"]);
        let containers = "TESTCONTAINERS_HOST_OVERRIDE";
        assert_eq!(variables("web")[containers], "host.nagaya.internal", "whose ports are this machine's");
        assert!(variables("old")[containers].is_null());
        assert_eq!(variables("own")["http_proxy"], "http://127.0.0.1:1");
        assert_eq!(variables("own")["HTTPS_PROXY"], moved);
    }
}
