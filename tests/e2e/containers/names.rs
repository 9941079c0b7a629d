//! What containers find by name, and what they send to services by UDP.

use super::Docker;
use super::services::{boxed, down, heard};
use crate::support::sandbox::{Account, Sandbox, until};

const NAMED: &str = "
name: named
services:
  box: { image: IMAGE, USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL }
  web: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, web, '80'], ports: { http: 80 }, container_name: NAME,
         aliases: [shopfront] }
  echo: { command: [python3, echo.py], ports: { statsd: { port: 8125, protocol: udp } }, readiness: { log: bound } }
  inner: { image: IMAGE, USR, command: [/usr/bin/python3, -u, echo.py], stop_signal: SIGKILL,
           ports: { statsd: { port: 8125, protocol: udp } }, readiness: { log: bound } }
";

const ECHO: &str = r#"
import socket
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 8125))
print("bound", flush=True)
while True:
    data, sender = server.recvfrom(100)
    server.sendto(data + b" heard from " + sender[0].encode(), sender)
"#;

const SEND: &str = r#"
import socket, sys
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(20)
client.connect((sys.argv[1], 8125))
try:
    client.send(b"hello")
    print(client.recv(100).decode())
except ConnectionRefusedError:
    print("refused")
"#;

/// Asks the server of names that resolv.conf has (RFC 1035): the code, and of each answer what it says.
const ASK: &str = r#"
import socket, struct, sys
kinds = {"A": 1, "PTR": 12, "SRV": 33}
name, kind, transport = sys.argv[1], kinds[sys.argv[2]], sys.argv[3]
server = [line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver")][0]
query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0)
query += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + struct.pack(">2H", kind, 1)
if transport == "tcp":
    stream = socket.create_connection((server, 53), 20)
    stream.sendall(struct.pack(">H", len(query)) + query)
    reply = stream.makefile("rb").read(struct.unpack(">H", stream.recv(2, socket.MSG_WAITALL))[0])
else:
    client = socket.socket(type=socket.SOCK_DGRAM)
    client.settimeout(30)
    client.sendto(query, (server, 53))
    reply, sender = client.recvfrom(4096)
    assert sender == (server, 53), sender
def text(at):
    parts = []
    while reply[at]:
        if reply[at] >= 192: return ".".join(parts + [text(struct.unpack(">H", reply[at:at + 2])[0] & 0x3fff)])
        parts.append(reply[at + 1:at + 1 + reply[at]].decode())
        at += reply[at] + 1
    return ".".join(parts)
def after(at):
    while reply[at]:
        if reply[at] >= 192: return at + 2
        at += reply[at] + 1
    return at + 1
flags, questions, answers = struct.unpack(">3H", reply[2:8])
at, said = after(12) + 4, []
for _ in range(answers):
    at = after(at)
    length, kind = struct.unpack(">H", reply[at + 8:at + 10])[0], struct.unpack(">H", reply[at:at + 2])[0]
    data = at + 10
    if kind == 1: said.append(socket.inet_ntoa(reply[data:data + 4]))
    if kind == 12: said.append(text(data))
    if kind == 33: said.append("%d %s" % (struct.unpack(">H", reply[data + 4:data + 6])[0], text(data + 6)))
    at = data + length
print(flags & 15, " ".join(said))
"#;

fn named(docker: &Docker, account: Account, name: &str) -> Sandbox {
    let sandbox = boxed(docker, account, &NAMED.replace("NAME", name));
    sandbox.write("echo.py", ECHO);
    sandbox.write("send.py", SEND);
    sandbox.write("ask.py", ASK);
    sandbox.up();
    sandbox
}

fn python(sandbox: &Sandbox, words: &[&str]) -> String {
    sandbox.nagaya(&[&["exec", "box", "--", "/usr/bin/python3"], words].concat()).good().out.trim().to_owned()
}

#[test]
fn every_form_of_a_name_leads_through_the_proxy() {
    let docker = Docker::shared();
    for account in Account::all() {
        let name = format!("direct-{}", fastrand::u32(..));
        let sandbox = named(&docker, account, &name);
        let ask = |name: &str, kind: &str, transport: &str| python(&sandbox, &["ask.py", name, kind, transport]);
        let address = ask("web", "A", "udp");
        let address = address.strip_prefix("0 10.").map(|rest| format!("10.{rest}")).expect(&address);
        for name in ["WEB", "web.named", "web.default.svc", "web.default.svc.cluster.local", "shopfront"] {
            assert_eq!(ask(name, "A", "udp"), format!("0 {address}"), "{name}");
        }
        assert_eq!(ask("web", "A", "tcp"), format!("0 {address}"));
        assert_eq!(ask("_http._tcp.web", "SRV", "udp"), "0 80 web.default.svc.cluster.local");
        let mut parts: Vec<&str> = address.split('.').collect();
        parts.reverse();
        let pointer = format!("{}.in-addr.arpa", parts.join("."));
        assert_eq!(ask(&pointer, "PTR", "udp"), "0 web.default.svc.cluster.local");
        // The engine's own names would lead to the container itself.
        let direct = ask(&name, "A", "udp");
        assert!(!direct.starts_with("0 "), "{direct}");
        // A service that an edit adds is found without a restart.
        let pid = sandbox.pid("box");
        let late = "  late: { command: [python3, server.py, late, '80'], ports: { http: 80 } }\n";
        sandbox.write("nagaya.yaml", std::fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap() + late);
        sandbox.nagaya(&["up", "-d", "--wait"]).good();
        assert!(heard(&sandbox, "box", "http://late/").starts_with("late is called from"));
        assert_eq!(sandbox.pid("box"), pid);
        // What is stopped refuses before anything is connected.
        sandbox.nagaya(&["stop", "web"]).good();
        let call = || sandbox.nagaya(&["exec", "box", "--", "/usr/bin/curl", "-sS", "--max-time", "30", "http://web/"]);
        until("it is refused", || call().code == 7);
        sandbox.nagaya(&["start", "web"]).good();
        until("it answers again", || call().code == 0);
        down(&docker, &sandbox);
    }
}

#[test]
fn datagrams_go_both_ways_between_containers_and_pods() {
    let docker = Docker::shared();
    for account in Account::all() {
        let sandbox = named(&docker, account, &format!("direct-{}", fastrand::u32(..)));
        for to in ["echo", "inner"] {
            let said = python(&sandbox, &["send.py", to]);
            assert!(said.starts_with("hello heard from 10."), "box to {to}: {said}");
        }
        let out = sandbox.nagaya(&["exec", "echo", "--", "python3", "send.py", "inner"]).good().out;
        assert!(out.starts_with("hello heard from 10."), "echo to inner: {out}");
        for (from, to) in [("box", "echo"), ("box", "inner"), ("echo", "inner")] {
            let is_it = |it: &serde_json::Value| it["from"] == from && it["to"] == to && it["protocol"] == "udp";
            until(&format!("{from} was seen sending to {to}"), || sandbox.requests().iter().any(is_it));
        }
        sandbox.nagaya(&["stop", "echo"]).good();
        until("nobody takes them", || python(&sandbox, &["send.py", "echo"]) == "refused");
        sandbox.nagaya(&["start", "echo"]).good();
        until("they are taken again", || python(&sandbox, &["send.py", "echo"]).starts_with("hello"));
        down(&docker, &sandbox);
    }
}
