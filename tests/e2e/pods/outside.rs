//! The world outside the workspace, as the records show it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

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

/// Connects, and tells how that ends: nothing is ever sent.
const LOOK: &str = r#"
import errno, socket, sys
try:
    print(socket.create_connection(("host.nagaya.internal", int(sys.argv[1])), timeout=20).recv(1))
except OSError as error:
    print(errno.errorcode[error.errno])
"#;

/// Nobody tells when somebody begins to listen there, so it is dialled to be known: by then the pod's own connection is
/// made, which must not pass for one that came to anything.
#[test]
fn a_port_of_the_host_on_which_nobody_listens_is_reset_at_once_and_recorded() {
    for account in Account::all() {
        let sandbox = workspace(account, MANIFEST);
        sandbox.write("look.py", LOOK);
        sandbox.up();
        // Bound, so that no other test gets it, and deaf.
        let taken =
            rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&taken, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let SocketAddr::V4(at) = SocketAddr::try_from(rustix::net::getsockname(&taken).unwrap()).unwrap() else {
            panic!("it is one of IPv4")
        };
        let look = || sandbox.nagaya(&["exec", "web", "--", "python3", "look.py", &at.port().to_string()]).good().out;
        assert_eq!(look(), "ECONNRESET\n");
        let record = sandbox.requests().pop().unwrap();
        assert_eq!(json!([record["to"], record["to_name"]]), json!([at.to_string(), "host.nagaya.internal"]));
        assert_eq!(record["error"], format!("nobody listens on port {} of this machine's loopback", at.port()));
        // Once there is somebody, the next one comes through.
        rustix::net::listen(&taken, 1).unwrap();
        let listener = TcpListener::from(taken);
        let answering = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"x").unwrap());
        assert_eq!(look(), "b'x'\n");
        answering.join().unwrap();
    }
}

#[test]
fn a_server_of_the_host_that_listens_on_ipv6_alone_is_reached() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let answering = std::thread::spawn(move || {
        for _ in Account::all() {
            listener.accept().unwrap().0.write_all(b"x").unwrap();
        }
    });
    for account in Account::all() {
        let sandbox = workspace(account, MANIFEST);
        sandbox.write("look.py", LOOK);
        sandbox.up();
        assert_eq!(sandbox.nagaya(&["exec", "web", "--", "python3", "look.py", &port]).good().out, "b'x'\n");
    }
    answering.join().unwrap();
}
