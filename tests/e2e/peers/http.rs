//! HTTP clients of five languages, and curl.

use super::{built, passes, peers};
use crate::support::sandbox::{Account, Sandbox};

#[test]
fn go_calls_over_both_versions_of_http() {
    for account in Account::all() {
        let sandbox = peers(account, &["go", "shell"]);
        passes(sandbox.call(&["./bin/client", "http://go:8080"]), 22);
        assert_bounded(&sandbox);
    }
}

#[test]
fn go_calls_over_both_versions_of_http_at_the_front_door() {
    let sandbox = peers(Account::Own, &["go", "shell"]);
    passes(sandbox.call(&["./bin/client", &format!("http://{}", sandbox.at_the_front_door("go"))]), 22);
    assert_bounded(&sandbox);
}

/// Bodies of 100 MB have passed: the engine never held one of them.
#[track_caller]
fn assert_bounded(sandbox: &Sandbox) {
    let engine = sandbox.engine()["pid"].as_u64().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{engine}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 80_000, "the engine held {kib} KiB");
}

#[test]
fn node_calls_by_fetch_undici_http2_websocket_and_grpc_js() {
    let sandbox = peers(Account::Own, &["go", "node", "interop", "shell"]);
    let client = built("node/client.mjs");
    passes(sandbox.call(&["node", &client.to_string_lossy(), "go:8080", "node:8080", "interop:50051"]), 16);
}

#[test]
fn python_calls_by_requests_aiohttp_and_grpcio() {
    let sandbox = peers(Account::Own, &["go", "interop", "shell"]);
    let (python, client) = (built("python/bin/python"), built("python/client.py"));
    let words = [&python, &client].map(|path| path.to_string_lossy().into_owned());
    passes(sandbox.call(&[&words[0], &words[1], "go:8080", "interop:50051"]), 11);
}

#[test]
fn java_calls_over_http_1_and_offers_http_2() {
    let sandbox = peers(Account::Own, &["go", "shell"]);
    let classes = built("java");
    passes(sandbox.call(&["java", "-cp", &classes.to_string_lossy(), "Client", "go:8080"]), 10);
}

#[test]
fn curl_calls_over_every_version() {
    let sandbox = peers(Account::Own, &["go", "shell"]);
    for (asked, spoken) in
        [("--http1.0", "1"), ("--http1.1", "1.1"), ("--http2", "1.1"), ("--http2-prior-knowledge", "2")]
    {
        for host in ["go:8080", &sandbox.at_the_front_door("go")] {
            let url = format!("http://{host}/echo");
            let words =
                ["curl", "-sS", "--fail", "--max-time", "20", "-w", " %{http_version}", asked, "-d", "hello", &url];
            let out = sandbox.call(&words).good().out;
            // HTTP/1.0 may be answered with 1.1 (RFC 9110, 2.5).
            let is_right =
                if asked == "--http1.0" { out.starts_with("hello 1") } else { out == format!("hello {spoken}") };
            assert!(is_right, "{asked} {url}: {out}");
        }
    }
}
