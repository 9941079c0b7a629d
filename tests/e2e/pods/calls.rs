//! Who can be called from a pod, and when; what is refused is refused by connect(2) itself.

use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{pods, workspace};
use crate::support::sandbox::{Account, Sandbox, until};

#[test]
fn a_service_that_is_stopped_refuses_and_is_back_after_its_start() {
    for account in Account::all() {
        let sandbox = pods(account);
        assert_eq!(sandbox.dial("web", "db", 80), "connected");
        sandbox.nagaya(&["stop", "db"]).good();
        assert_eq!(sandbox.dial("web", "db", 80), "ECONNREFUSED");
        // As `wait-for-it` looks, and as one that never asked before.
        for caller in ["web", "users"] {
            sandbox.inside(caller, "exec 3<>/dev/tcp/db/80").ended(1).says(&["onnection refused"]);
        }
        sandbox.nagaya(&["start", "db"]).good();
        assert_eq!(sandbox.dial("web", "db", 80), "connected");
    }
}

#[test]
fn a_pod_is_called_at_the_address_that_its_callees_see() {
    for account in Account::all() {
        let sandbox = pods(account);
        let own = sandbox.told("db", "hostname -i");
        assert!(
            own.starts_with("10.66.") && own != sandbox.told("web", "getent ahostsv4 db | head -1 | cut -d ' ' -f 1")
        );
        assert_eq!(sandbox.dial("web", &own, 80), "connected");
        until("it is recorded", || sandbox.requests().iter().any(|it| it["from"] == "web" && it["to"] == "db"));
    }
}

/// Resolves once, then connects to the address each time a file with the next number is there.
const KEEPER: &str = r#"
import os, socket, time
address = socket.gethostbyname("db")
for turn in range(4):
    while not os.path.exists(f"turn-{turn}"): time.sleep(0.01)
    try:
        socket.create_connection((address, 80), timeout=20).close()
        print("connected", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"#;

#[test]
fn who_knows_the_address_from_before_is_told_too() {
    for account in Account::all() {
        let sandbox = pods(account);
        sandbox.write("keeper.py", KEEPER);
        let keeper = sandbox.start(&["exec", "web", "--", "python3", "keeper.py"]);
        let turns: [(&[&str], &str); 4] = [
            (&["ps"], "connected"),
            (&["stop", "db"], "ConnectionRefusedError"),
            (&["start", "db"], "connected"),
            (&["restart", "db"], "connected"),
        ];
        for (turn, (words, expected)) in turns.into_iter().enumerate() {
            sandbox.nagaya(words).good();
            sandbox.write(&format!("turn-{turn}"), "");
            until("it has tried", || keeper.out().lines().count() > turn);
            assert_eq!(keeper.out().lines().last(), Some(expected), "after {words:?}");
        }
        keeper.end().good();
    }
}

#[test]
fn a_service_that_failed_refuses_and_one_that_starts_is_waited_for() {
    let manifest = "
name: late
services:
  web: { command: [sleep, infinity] }
  broken: { command: [sh, -c, exit 3], ports: { tcp: 80 } }
  late: { command: 'while [ ! -e go ]; do sleep 0.05; done; exec python3 server.py 80', ports: { http: 80 } }
  idle: { command: [python3, server.py, '80'], ports: { http: 80 }, lazy: true }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.nagaya(&["up", "-d"]).good();
        until("broken has failed", || sandbox.row("broken")["state"] == "failed");
        until("web runs", || sandbox.row("web")["state"] == "running");
        assert_eq!(sandbox.dial("web", "broken", 80), "ECONNREFUSED");
        let call = sandbox.start(&["exec", "web", "--", "curl", "-sSv", "http://late/"]);
        until("the call is held", || call.err().contains("Connected to late"));
        assert_eq!(sandbox.row("late")["state"], "starting");
        sandbox.write("go", "");
        assert!(call.end().good().out.contains(r#""host": "late""#));
        assert!(sandbox.told("web", "curl -sS http://idle/").contains(r#""host": "idle""#));
    }
}

#[test]
fn a_strict_workspace_has_only_declared_calls() {
    let manifest = "
name: strict
strict: true
services:
  web: { command: [python3, server.py, '80'], ports: { http: 80 }, depends_on: [users] }
  users: { command: [python3, server.py, '80'], ports: { http: 80 } }
  db: { command: [python3, raw.py, '5432'], ports: { tcp: 5432 } }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        assert_eq!(sandbox.dial("web", "users", 80), "connected");
        for (from, to, port) in [("web", "db", 5432), ("users", "web", 80), ("users", "db", 5432)] {
            assert_eq!(sandbox.dial(from, to, port), "ECONNREFUSED", "{from} -> {to}");
        }
        // A reload that declares the call allows it, in pods that were refused before too.
        sandbox.write("nagaya.yaml", manifest.replace("depends_on: [users]", "depends_on: [users, db]"));
        sandbox.up();
        until("it may call", || sandbox.dial("web", "db", 5432) == "connected");
        assert_eq!(sandbox.dial("users", "db", 5432), "ECONNREFUSED");
    }
}

/// An address of this machine that is not its loopback.
pub fn outward() -> std::net::IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").expect("this machine has a network");
    socket.local_addr().unwrap().ip()
}

/// A server that greets whoever connects.
pub fn greeter(address: std::net::IpAddr) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut stream, b"hello\n");
        }
    });
    port
}

#[test]
fn the_outside_is_reached_and_recorded_unless_it_is_denied() {
    let manifest = "
name: egress
services:
  open: { command: [python3, server.py, '80'], ports: { http: 80 } }
  shut: { command: [sleep, infinity], egress: deny }
";
    let address = outward();
    let (far, near) = (greeter(address), greeter("127.0.0.1".parse().unwrap()));
    let targets =
        [(address.to_string(), far), ("host.nagaya.internal".into(), near), ("host.docker.internal".into(), near)];
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.up();
        for (host, port) in &targets {
            let greeting = sandbox.told("open", &format!("exec 3<>/dev/tcp/{host}/{port}; head -1 <&3"));
            assert_eq!(greeting, "hello", "{host}");
        }
        let seen: Vec<_> = sandbox.requests().iter().map(|it| json!([it["from"], it["to"], it["protocol"]])).collect();
        assert!(seen.contains(&json!(["open", format!("{address}:{far}"), "tcp"])), "{seen:?}");
        assert!(seen.contains(&json!(["open", format!("127.0.0.1:{near}"), "tcp"])), "{seen:?}");

        for (host, port) in &targets {
            assert_eq!(sandbox.dial("shut", host, *port), "ECONNREFUSED", "{host}");
        }
        assert_eq!(sandbox.told("shut", "curl -sS -o /dev/null -w '%{http_code}' http://open/"), "200");
    }
}

#[test]
fn services_in_pods_and_on_the_host_call_each_other() {
    let manifest = "
name: mixed
services:
  inside: { command: [python3, server.py, '8080'], ports: { http: 8080 }, depends_on: { outside: { condition: service_started } } }
  outside: { command: exec python3 server.py $PORT 127.0.0.1, ports: { http: 8080 }, network: env, depends_on: [inside] }
";
    let manifest = manifest.replace("depends_on: [inside]", "environment: { INSIDE: '${inside.url}' }");
    for account in Account::all() {
        let sandbox = workspace(account, &manifest);
        sandbox.up();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let answer = sandbox.told("inside", "curl -sS http://outside:8080/");
        assert!(answer.contains(&format!("\"host\": \"{}\"", host.trim())), "{answer}");
        let answer = sandbox.told("outside", "curl -sS $INSIDE/");
        assert!(answer.contains(r#""host": "inside", "peer": "10.66."#), "{answer}");
        let seen = || {
            let records = sandbox.requests();
            json!(records.iter().map(|it| json!([it["from"], it["to"], it["status"]])).collect::<Vec<_>>())
        };
        // A record is written when its answer has been sent, which its caller may know before.
        until("both calls are recorded", || seen() == json!([["inside", "outside", 200], ["outside", "inside", 200]]));
    }
}

#[test]
fn a_port_that_a_service_has_not_is_closed() {
    let sandbox = pods(Account::Own);
    let outcome = sandbox.told("web", "curl -sS -m 5 http://users:81/ 2>&1 || echo ended with $?");
    assert!(outcome.ends_with("ended with 7") || outcome.ends_with("ended with 56"), "{outcome}");
    // So it is for datagrams, and whoever sent one is told.
    let datagram = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(5)
s.connect(('users', 514)); s.send(b'x')
try: s.recv(1)
except OSError as error: print(type(error).__name__)";
    let begun = Instant::now();
    assert_eq!(
        sandbox.nagaya(&["exec", "web", "--", "python3", "-c", datagram]).good().out,
        "ConnectionRefusedError\n"
    );
    assert!(begun.elapsed() < Duration::from_secs(4));
}

/// Opens many connections, says how many answered, and lets go when it is told to.
const CROWD: &str = r#"
import os, socket, time
held, failed = [], 0
for _ in range(300):
    try:
        s = socket.create_connection(("users", 8080), timeout=10)
        s.settimeout(2)
        s.sendall(b"GET / HTTP/1.1\r\nHost: users\r\n\r\n")
        answer = s.recv(12)
        if answer.startswith(b"HTTP/1.1 200"): held.append(s)
        else: failed += 1; s.close()
    except OSError: failed += 1
    if failed >= 3: break
print(len(held), failed, flush=True)
"#;

#[test]
fn an_engine_without_descriptors_refuses_and_recovers() {
    let sandbox = workspace(Account::unprivileged(), super::MANIFEST);
    sandbox.write("crowd.py", CROWD);
    let nagaya = crate::support::sandbox::binary().display();
    let up = format!("ulimit -Hn 160; ulimit -n 160; {nagaya} up -d --wait");
    crate::support::sandbox::finish(sandbox.command("bash").args(["-c", &up])).good();
    let out = sandbox.told("web", "python3 crowd.py");
    let (held, failed) = out.split_once(' ').unwrap();
    assert!(held.parse::<u32>().unwrap() >= 10 && failed.parse::<u32>().unwrap() >= 1, "{out}");
    until("it serves again", || answers(&sandbox));
    assert_eq!(sandbox.row("users")["state"], "ready");
}

fn answers(sandbox: &Sandbox) -> bool {
    sandbox.inside("web", "curl -sS -m 5 http://users:8080/").out.contains("users")
}

/// Tells each caller its address, however many come at once.
const WIDE: &str = r#"
import asyncio

async def tell(reader, writer):
    writer.write(writer.get_extra_info("peername")[0].encode() + b"\n")
    await reader.read()
    writer.close()

async def main():
    server = await asyncio.start_server(tell, "0.0.0.0", 80, backlog=512)
    await server.serve_forever()

asyncio.run(main())
"#;

/// Opens many connections at once, and says how many brought a line.
const BURST: &str = r#"
import asyncio

async def ask(_):
    reader, writer = await asyncio.open_connection("wide", 80)
    line = await reader.readline()
    writer.close()
    return bool(line)

async def main():
    print(sum(await asyncio.gather(*map(ask, range(300)))))

asyncio.run(main())
"#;

#[test]
fn a_burst_of_calls_leaves_few_descriptors_behind() {
    let manifest = "
name: burst
services:
  wide: { command: [python3, wide.py], ports: { tcp: 80 } }
  web: { command: [python3, server.py, '8080'], ports: { http: 8080 } }
";
    let sandbox = workspace(Account::unprivileged(), manifest);
    sandbox.write("wide.py", WIDE);
    sandbox.write("burst.py", BURST);
    sandbox.up();
    let engine = sandbox.engine()["pid"].as_u64().unwrap();
    let descriptors = || std::fs::read_dir(format!("/proc/{engine}/fd")).unwrap().count();
    let before = descriptors();
    for _ in 0..3 {
        assert_eq!(sandbox.told("web", "python3 burst.py"), "300");
    }
    until("the engine let go of them", || descriptors() < before + 32);
}
