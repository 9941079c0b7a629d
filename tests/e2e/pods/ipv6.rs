//! IPv6: programs that listen or call by it alone, and the world outside.

use super::{machine, workspace};
use crate::support::sandbox::{Account, Run, Sandbox, until};

/// `six.py ADDRESS` listens by IPv6 alone on port 80, over TCP and UDP, and tells each caller its address. `own` is the
/// pod's own address.
const SIX: &str = r#"
import select, socket, sys
own = [line.split()[0] for line in open("/proc/net/if_inet6") if not line.startswith("0" * 31)]
address = sys.argv[1]
if address == "own": address = ":".join(own[0][at:at + 4] for at in range(0, 32, 4))
def bound(kind):
    it = socket.socket(socket.AF_INET6, kind)
    it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    it.bind((address, 80))
    return it
streams, datagrams = bound(socket.SOCK_STREAM), bound(socket.SOCK_DGRAM)
streams.listen()
while True:
    for ready in select.select([streams, datagrams], [], [])[0]:
        if ready is streams:
            stream, peer = streams.accept()
            stream.sendall(peer[0].encode() + b"\n")
            stream.close()
        else:
            _, peer = datagrams.recvfrom(100)
            datagrams.sendto(peer[0].encode(), peer)
"#;

/// `call6.py HOST PORT` connects by IPv6 and by nothing else; prints what it is told, or the error of connect(2).
const CALL: &str = r#"
import errno, socket, sys
try:
    address = socket.getaddrinfo(sys.argv[1], sys.argv[2], socket.AF_INET6, socket.SOCK_STREAM)[0][4]
    stream = socket.socket(socket.AF_INET6)
    stream.settimeout(20)
    stream.connect(address)
    print(stream.recv(100).decode().strip())
except socket.gaierror: print("no address")
except OSError as error: print(errno.errorcode.get(error.errno) or error)
"#;

/// `send6.py HOST PORT` the same by datagrams.
const SEND: &str = r#"
import socket, sys
client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
client.settimeout(0.2)
client.connect((sys.argv[1], int(sys.argv[2])))
for _ in range(100):
    try:
        client.send(b"x")
        print(client.recv(100).decode()); break
    except TimeoutError: pass
    except OSError as error: print(type(error).__name__); break
"#;

const MANIFEST: &str = "
name: six
services:
  web: { command: [sleep, infinity] }
  any: { command: [python3, six.py, '::'], ports: { tcp: 80 } }
  loop: { command: [python3, six.py, '::1'], ports: { tcp: 80 } }
  own: { command: [python3, six.py, own], ports: { tcp: 80 } }
  four: { command: [python3, raw.py, '80'], ports: { tcp: 80 } }
";

fn prepared(account: Account, manifest: &str) -> Sandbox {
    let sandbox = workspace(account, manifest);
    for (name, program) in [("six.py", SIX), ("call6.py", CALL), ("send6.py", SEND)] {
        sandbox.write(name, program);
    }
    sandbox
}

#[test]
fn who_listens_by_ipv6_alone_is_called_by_either() {
    for account in Account::all() {
        let sandbox = prepared(account, MANIFEST);
        sandbox.up();
        let own = sandbox.told("web", "grep -v '^0000000000000000' /proc/net/if_inet6 | cut -c 25-32");
        let caller = format!("fd66::{}:{}", own[..4].trim_start_matches('0'), &own[4..]);
        for callee in ["any", "loop", "own"] {
            assert_eq!(sandbox.row(callee)["state"], "ready");
            let seen = sandbox.told("web", &format!("exec 3<>/dev/tcp/{callee}/80; cat <&3"));
            assert_eq!(seen, caller, "{callee} by IPv4");
            assert_eq!(sandbox.told("web", &format!("python3 call6.py {callee} 80")), caller, "{callee} by IPv6");
            let both = sandbox.told("web", &format!("getent ahosts {callee} | grep STREAM | cut -c -6"));
            assert_eq!(both, "10.66.\nfd66::", "{callee}: IPv4 goes first");
        }
        // Whoever is called by IPv4 has no other address: scripts take the first that they find.
        assert_eq!(sandbox.told("web", "python3 call6.py four 80"), "no address");
        assert!(sandbox.told("web", "getent hosts four").starts_with("10.66."));
        let calls: Vec<_> = sandbox.requests().iter().map(|it| it["to"].clone()).collect();
        assert_eq!(calls, ["any", "any", "loop", "loop", "own", "own"]);
    }
}

#[test]
fn a_service_refuses_by_ipv6_as_well() {
    for account in Account::all() {
        let sandbox = prepared(account, MANIFEST);
        sandbox.up();
        // The address is known from before: there is none of a service that does not listen.
        let twin = sandbox.told("web", "getent ahostsv6 any | head -1 | cut -d ' ' -f 1");
        let call = |port: u16| sandbox.told("web", &format!("python3 call6.py {twin} {port}"));
        assert!(call(80).starts_with("fd66::"));
        assert_eq!(call(81), "ECONNREFUSED");
        sandbox.nagaya(&["stop", "any"]).good();
        assert_eq!(call(80), "ECONNREFUSED");
        assert_eq!(sandbox.told("web", &format!("python3 send6.py {twin} 80")), "ConnectionRefusedError");
        sandbox.nagaya(&["start", "any"]).good();
        until("it is called again", || call(80).starts_with("fd66::"));
    }
}

/// A machine with this way to the world by IPv6.
fn world(account: Account, way: &str, script: &str) -> Run {
    let manifest = "
name: world
services:
  web: { command: [sleep, infinity] }
  shut: { command: [sleep, infinity], egress: deny }
  six: { command: [python3, six.py, '::'], ports: { tcp: 80 } }
";
    machine::run(&prepared(account, manifest), way, script)
}

const AWAY: &str = "ip -6 route add local default dev lo";

#[test]
fn the_world_is_reached_by_ipv6_where_the_host_reaches_it() {
    for account in Account::all() {
        let run = world(
            account,
            AWAY,
            "for service in web shut; do
               for program in call6.py send6.py; do $N exec $service -- python3 $program 2001:db8::1 7; done
             done
             $N exec web -- python3 send6.py 2001:db8::1 8
             $N requests --json | grep -c '\"\\[2001:db8::1\\]:7\"'",
        );
        let refused = "ConnectionRefusedError";
        assert_eq!(run.out, format!("hello\nx\nECONNREFUSED\n{refused}\n{refused}\n2\n"));
    }
}

#[test]
fn the_world_is_not_there_by_ipv6_where_the_host_has_no_way_to_it() {
    for account in Account::all() {
        let run = world(
            account,
            "true",
            "$N exec web -- python3 call6.py 2001:db8::1 7; $N exec web -- python3 call6.py six 80",
        );
        let lines: Vec<&str> = run.out.lines().collect();
        assert!(lines[0] == "ENETUNREACH" && lines[1].starts_with("fd66::"), "{lines:?}");
    }
}

#[test]
fn a_server_of_names_that_is_asked_by_ipv6_is_the_engine() {
    for account in Account::all() {
        let run = world(
            account,
            AWAY,
            "for flag in +notcp +tcp; do $N exec web -- dig +short $flag @2001:db8::53 AAAA six | cut -c -6; done
             $N exec web -- dig +short +tcp @192.0.2.53 A six | cut -c -6
             $N exec shut -- dig +short @2001:db8::53 A six | cut -c -6",
        );
        assert_eq!(run.out, "fd66::\nfd66::\n10.66.\n10.66.\n");
    }
}
