//! UDP: between services, to the world outside, and what is refused.

use std::net::{IpAddr, UdpSocket};

use serde_json::json;

use super::calls::outward;
use super::workspace;
use crate::support::sandbox::{Account, Sandbox, until};

/// `udp.py PORT` sends each datagram back with the address of its sender.
const ECHO: &str = r#"
import socket, sys
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
print("bound", flush=True)
while True:
    text, sender = server.recvfrom(65535)
    server.sendto(text + b" from " + sender[0].encode(), sender)
"#;

/// `send.py WORD HOST PORT [HOST PORT…]` sends a word to all from one socket, and prints who answered what.
const SEND: &str = r#"
import socket, sys
word, rest = sys.argv[1], sys.argv[2:]
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(20)
wanted = {}
for host, port in zip(rest[::2], rest[1::2]):
    wanted[(socket.gethostbyname(host), int(port))] = host
for address in wanted: client.sendto(word.encode(), address)
for _ in wanted.copy():
    text, sender = client.recvfrom(65535)
    print(wanted.pop(sender, f"a stranger, {sender},"), "said", text.decode())
"#;

/// `refused.py HOST PORT` sends until it is told that nobody is there, or is answered.
const REFUSED: &str = r#"
import socket, sys, time
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(0.2)
client.connect((sys.argv[1], int(sys.argv[2])))
for _ in range(100):
    try:
        client.send(b"x")
        print("answered", client.recv(100).decode()); break
    except TimeoutError: pass
    except OSError as error: print(type(error).__name__); break
"#;

const MANIFEST: &str = "
name: datagrams
services:
  web: { command: [sleep, infinity] }
  stats: { command: [python3, udp.py, '8125'], ports: { statsd: { port: 8125, protocol: udp } }, readiness: { log: bound } }
  shut: { command: [sleep, infinity], egress: deny }
";

fn started(account: Account, manifest: &str) -> Sandbox {
    let sandbox = workspace(account, manifest);
    for (name, program) in [("udp.py", ECHO), ("send.py", SEND), ("refused.py", REFUSED)] {
        sandbox.write(name, program);
    }
    sandbox.up();
    sandbox
}

/// A server of this machine that sends each datagram back in capitals.
fn shouter(address: IpAddr) -> u16 {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok((length, sender)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length].to_ascii_uppercase(), sender);
        }
    });
    port
}

impl Sandbox {
    fn sends(&self, from: &str, word: &str, to: &[(&str, u16)]) -> Vec<String> {
        let to: String = to.iter().map(|(host, port)| format!(" {host} {port}")).collect();
        let mut lines: Vec<String> =
            self.told(from, &format!("python3 send.py {word}{to}")).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn refuses(&self, from: &str, host: &str, port: u16) -> String {
        self.told(from, &format!("python3 refused.py {host} {port}"))
    }

    fn edges(&self) -> Vec<serde_json::Value> {
        self.requests().iter().map(|it| json!([it["from"], it["to"], it["protocol"]])).collect()
    }
}

#[test]
fn a_service_sends_to_a_service_and_is_seen_with_its_address() {
    for account in Account::all() {
        let sandbox = started(account, MANIFEST);
        let own = sandbox.told("web", "getent ahostsv4 web | head -1 | cut -d ' ' -f 1");
        assert_eq!(sandbox.sends("web", "hits:1", &[("stats", 8125)]), [format!("stats said hits:1 from {own}")]);
        assert_eq!(sandbox.edges(), [json!(["web", "stats", "udp"])]);
        // The way is open for whoever has no way out.
        let own = sandbox.told("shut", "getent ahostsv4 shut | head -1 | cut -d ' ' -f 1");
        assert_eq!(sandbox.sends("shut", "x", &[("stats", 8125)]), [format!("stats said x from {own}")]);
    }
}

/// `at.py ADDRESS PORT [SECONDS]` does so at one address, and only there, once these seconds have passed.
const AT: &str = r#"
import socket, sys, time
address, port = sys.argv[1], int(sys.argv[2])
time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 0)
server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
if ":" in address: server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
server.bind((address, port))
while True:
    text, sender = server.recvfrom(65535)
    server.sendto(text + b" at " + address.encode(), sender)
"#;

const PLACES: &str = "
name: places
services:
  web: { command: [sleep, infinity] }
  four: { command: [python3, at.py, 127.0.0.1, '5353'], ports: { u: { port: 5353, protocol: udp } } }
  six: { command: [python3, at.py, '::1', '5353'], ports: { u: { port: 5353, protocol: udp } } }
  only6: { command: [python3, at.py, '::', '5353'], ports: { u: { port: 5353, protocol: udp } } }
  names: { command: [python3, at.py, 0.0.0.0, '53'], ports: { u: { port: 53, protocol: udp } } }
  late: { command: [python3, at.py, 0.0.0.0, '5353', '1'], ports: { u: { port: 5353, protocol: udp } } }
  idle: { command: [python3, at.py, 0.0.0.0, '5353', '1'], ports: { u: { port: 5353, protocol: udp } }, lazy: true }
  deaf: { command: [sh, -c, 'echo bound; sleep infinity'], ports: { u: { port: 5353, protocol: udp } }, readiness: { log: bound } }
";

#[test]
fn whoever_takes_them_gets_them_wherever_it_is_bound() {
    for account in Account::all() {
        let sandbox = workspace(account, PLACES);
        for (name, program) in [("at.py", AT), ("send.py", SEND), ("refused.py", REFUSED)] {
            sandbox.write(name, program);
        }
        sandbox.up();
        // The first datagram comes, also to who has to be started or is not yet there.
        let to = [("four", 5353), ("six", 5353), ("only6", 5353), ("names", 53), ("late", 5353), ("idle", 5353)];
        let expected = [
            "four said x at 127.0.0.1",
            "idle said x at 0.0.0.0",
            "late said x at 0.0.0.0",
            "names said x at 0.0.0.0",
            "only6 said x at ::",
            "six said x at ::1",
        ];
        assert_eq!(sandbox.sends("web", "x", &to), expected);
        // Names are told as before by whoever is asked.
        assert!(sandbox.told("web", "getent ahostsv4 four").starts_with("10.66."));

        // And nobody speaks for one that is stopped.
        sandbox.nagaya(&["stop", "names"]).good();
        assert_eq!(sandbox.refuses("web", "names", 53), "ConnectionRefusedError");

        assert_eq!(sandbox.refuses("web", "deaf", 5353), "ConnectionRefusedError");
        let told = sandbox.requests().into_iter().find(|it| it["to"] == "deaf").unwrap();
        assert!(told["error"].as_str().is_some_and(|error| error.contains("takes datagrams on 5353")), "{told}");
        let why = sandbox.nagaya(&["why", "deaf"]).out;
        assert!(why.contains("5353"), "{why}");
    }
}

#[test]
fn one_socket_sends_to_many_and_hears_each() {
    let address = outward();
    let (far, near) = (shouter(address), shouter("127.0.0.1".parse().unwrap()));
    let outside = address.to_string();
    for account in Account::all() {
        let sandbox = started(account, MANIFEST);
        let to = [(outside.as_str(), far), ("host.nagaya.internal", near), ("stats", 8125)];
        let heard = sandbox.sends("web", "hello", &to);
        assert!(
            heard[0] == format!("{outside} said HELLO") && heard[1] == "host.nagaya.internal said HELLO",
            "{heard:?}"
        );
        assert!(heard.len() == 3 && heard[2].starts_with("stats said hello from 10.66."), "{heard:?}");
        let seen = sandbox.edges();
        for to in [format!("{outside}:{far}"), format!("127.0.0.1:{near}"), "stats".to_owned()] {
            assert!(seen.contains(&json!(["web", to, "udp"])), "{seen:?}");
        }
        // The largest that there is comes whole, there and back.
        let script = format!(
            "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(20); s.connect(('{outside}', {far}))
s.send(b'a' * 65507); print(s.recv(65535) == b'A' * 65507)"
        );
        assert_eq!(sandbox.nagaya(&["exec", "web", "--", "python3", "-c", &script]).good().out, "True\n");
    }
}

#[test]
fn what_nobody_takes_is_refused() {
    let address = outward();
    let (far, near) = (shouter(address), shouter("127.0.0.1".parse().unwrap()));
    let outside = address.to_string();
    let closed = UdpSocket::bind((address, 0)).unwrap().local_addr().unwrap().port();
    for account in Account::all() {
        let sandbox = started(account, MANIFEST);
        // A port that a service has not, a service without such ports, and a host on which nobody listens.
        for (host, port) in [("stats", 8126), ("web", 8125), (outside.as_str(), closed)] {
            assert_eq!(sandbox.refuses("shut", host, port), "ConnectionRefusedError", "{host}");
            assert_eq!(sandbox.refuses("stats", host, port), "ConnectionRefusedError", "{host}");
        }
        assert_eq!(sandbox.refuses("web", &outside, far), "answered X");
        for (host, port) in [(outside.as_str(), far), ("host.nagaya.internal", near)] {
            assert_eq!(sandbox.refuses("shut", host, port), "ConnectionRefusedError", "{host}");
        }
        let seen = sandbox.edges();
        assert!(seen.iter().all(|edge| edge[0] != "shut"), "{seen:?}");
    }
}

/// Sends a word every 20 ms from one socket and writes down each change of what it hears.
const STEADY: &str = r#"
import socket, time
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(0.02)
client.connect(("stats", 8125))
said = ""
while True:
    try:
        client.send(b"x")
        heard = client.recv(100).decode().split()[0]
    except TimeoutError: continue
    except OSError as error: heard = type(error).__name__
    if heard != said: print(heard, flush=True)
    said = heard
    time.sleep(0.02)
"#;

#[test]
fn a_flow_follows_a_service_that_stops_and_comes_back() {
    for account in Account::all() {
        let sandbox = started(account, MANIFEST);
        sandbox.write("steady.py", STEADY);
        let steady = sandbox.start(&["exec", "web", "--", "python3", "steady.py"]);
        // What was sent just before may be answered after a refusal.
        let heard = |word: &str| until(&format!("it hears {word}"), || steady.out().lines().last() == Some(word));
        heard("x");
        sandbox.nagaya(&["stop", "stats"]).good();
        heard("ConnectionRefusedError");
        sandbox.nagaya(&["start", "stats"]).good();
        heard("x");
        // Refusals of a program that asks all the time do not fill the records.
        let records = sandbox.edges().len();
        assert!((2..60).contains(&records), "{records} records");
        steady.signal("TERM");
        steady.end();
    }
}

#[test]
fn a_lazy_service_is_woken_by_a_datagram_and_gets_it() {
    let manifest = MANIFEST.replace("readiness:", "lazy: true, readiness:");
    for account in Account::all() {
        let sandbox = started(account, &manifest);
        assert_eq!(sandbox.row("stats")["state"], "idle");
        let heard = sandbox.sends("web", "first", &[("stats", 8125)]);
        assert!(heard[0].starts_with("stats said first from 10.66."), "{heard:?}");
        assert_eq!(sandbox.row("stats")["state"], "ready");
    }
}

#[test]
fn only_declared_datagrams_pass_a_strict_workspace() {
    let manifest = MANIFEST.replace("services:", "strict: true\nservices:").replace(
        "web: { command: [sleep, infinity] }",
        "web: { command: [sleep, infinity], depends_on: [stats] }\n  other: { command: [sleep, infinity] }",
    );
    for account in Account::all() {
        let sandbox = started(account, &manifest);
        assert!(sandbox.refuses("web", "stats", 8125).starts_with("answered x from"));
        assert_eq!(sandbox.refuses("other", "stats", 8125), "ConnectionRefusedError");
    }
}

#[test]
fn the_sockets_of_flows_go_with_their_pod() {
    let address = outward();
    let far = shouter(address);
    // The remote address is the third word (proc_net(5)).
    let flows = || {
        let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
        let remotes = sockets.lines().filter_map(|line| line.split_whitespace().nth(2));
        remotes.filter(|remote| remote.ends_with(&format!(":{far:04X}"))).count()
    };
    for account in Account::all() {
        let sandbox = started(account, MANIFEST);
        // All at once: two that follow one another may have the same port, and are the same flow.
        let script = format!(
            "import socket; all = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(20)]
for it in all: it.settimeout(20); it.sendto(b'x', ('{address}', {far}))
print(b''.join(it.recv(9) for it in all).decode())"
        );
        let heard = sandbox.nagaya(&["exec", "web", "--", "python3", "-c", &script]).good().out;
        assert_eq!((heard.trim_end(), flows()), ("X".repeat(20).as_str(), 20));
        sandbox.nagaya(&["restart", "web"]).good();
        until("they are closed", || flows() == 0);
    }
}
