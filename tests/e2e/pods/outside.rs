//! The world outside the workspace, as the records show it.

use serde_json::{Value, json};

use super::{machine, workspace};
use crate::support::sandbox::Account;

const MANIFEST: &str = "
name: outside
services:
  web: { command: [sleep, infinity] }
";

/// Sends a datagram and waits for its answer.
const SEND: &str = r#"
import socket, sys
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(20)
client.connect((sys.argv[1], int(sys.argv[2])))
client.send(b"x")
client.recv(100)
"#;

#[test]
fn a_place_outside_has_the_name_that_was_looked_up() {
    for account in Account::all() {
        let sandbox = workspace(account, MANIFEST);
        sandbox.write("send.py", SEND);
        let run = machine::run(
            &sandbox,
            "true",
            "call() { $N exec web -- bash -c \"exec 3<>/dev/tcp/$1/7; cat <&3\" >/dev/null; }
             call 192.0.2.9; call hello.example; $N exec web -- python3 send.py hello.example 7
             call host.nagaya.internal; $N requests >table; $N requests --json",
        );
        let seen: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let seen: Vec<Value> = seen.iter().map(|it| json!([it["to"], it["to_name"], it["protocol"]])).collect();
        let expected = [
            json!(["192.0.2.9:7", null, "tcp"]),
            json!(["192.0.2.9:7", "hello.example", "tcp"]),
            json!(["192.0.2.9:7", "hello.example", "udp"]),
            json!(["127.0.0.1:7", "host.nagaya.internal", "tcp"]),
        ];
        assert_eq!(seen, expected);
        let table = std::fs::read_to_string(sandbox.path("table")).unwrap();
        assert!(table.contains("web → hello.example (192.0.2.9:7)") && table.contains("web → 192.0.2.9:7"), "{table}");
    }
}
