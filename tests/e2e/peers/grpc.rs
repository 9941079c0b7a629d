//! gRPC's own interoperability tests, as grpc-go has them.

use super::peers;
use crate::support::sandbox::{Account, Sandbox};

/// Those that need no credentials of a cloud and that grpc-go passes when client and server have nothing between them,
/// which leaves out `pick_first_unary`, `orca_per_rpc` and `orca_oob`.
const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];

fn arguments(host: &str, port: &str, case: &str) -> [String; 3] {
    [format!("--server_host={host}"), format!("--server_port={port}"), format!("--test_case={case}")]
}

/// Tries every case and tells of those that failed.
fn try_all(host: &str, port: &str, sandbox: &Sandbox) {
    let failed: Vec<String> = CASES
        .into_iter()
        .filter_map(|case| {
            let arguments = arguments(host, port, case);
            let arguments = arguments.each_ref().map(String::as_str);
            let run = sandbox.call(&[&["./bin/interop-client"], &arguments[..]].concat());
            (run.code != 0).then(|| format!("{case}: {}", run.err))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), CASES.len(), failed.join("\n"));
}

#[test]
fn grpc_go_passes_its_interoperability_tests_between_pods() {
    for account in Account::all() {
        let sandbox = peers(account, &["interop", "shell"]);
        try_all("interop", "50051", &sandbox);
        let of_us = |record: &&serde_json::Value| record["from"] == "shell" && record["protocol"] == "grpc";
        assert!(sandbox.requests().iter().filter(of_us).count() >= CASES.len());
    }
}

#[test]
fn grpc_go_passes_its_interoperability_tests_at_the_front_door() {
    let sandbox = peers(Account::Own, &["interop", "shell"]);
    let url = sandbox.at_the_front_door("interop");
    let (host, port) = url.split_once(':').unwrap();
    try_all(host, port, &sandbox);
}
