//! A machine of its own, with a network of its own: who is outside a workspace there is known.

use crate::support::sandbox::{Run, Sandbox, binary, finish};

/// `db8::1` and `192.0.2.9` say hello over TCP and send datagrams back; the server of names, `192.0.2.53`, knows
/// `hello.example`.
const HELLO: &str = r#"
import select, socket
streams = socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True)
datagrams, names = [], socket.socket(type=socket.SOCK_DGRAM)
names.bind(("192.0.2.53", 53))
for family, address in [(socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "192.0.2.9")]:
    datagrams.append(socket.socket(family, socket.SOCK_DGRAM))
    datagrams[-1].bind((address, 7))
open("hello-listens", "w").close()
while True:
    for ready in select.select([streams, names, *datagrams], [], [])[0]:
        if ready is streams:
            stream, _ = streams.accept()
            stream.sendall(b"hello\n")
            stream.close()
            continue
        text, peer = ready.recvfrom(512)
        if ready is names:
            # One question, and the address as its answer where that is asked for (RFC 1035 section 4.1).
            end = text.index(b"\0", 12) + 5
            found = text[12:end - 4] == b"\x05hello\x07example\0" and text[end - 4:end - 2] == b"\0\x01"
            answer = bytes.fromhex("c00c000100010000003c0004") + socket.inet_aton("192.0.2.9")
            text = text[:2] + b"\x81\x80\0\1\0" + bytes([found]) + b"\0\0\0\0" + text[12:end] + answer * found
        ready.sendto(text, peer)
"#;

/// Runs `up` and then a script on a machine that has 192.0.2.9 and 2001:db8::1, and what `way` adds; `$N` is nagaya.
pub fn run(sandbox: &Sandbox, way: &str, script: &str) -> Run {
    sandbox.write("hello.py", HELLO);
    let is_root = finish(sandbox.command("id").arg("-u")).out == "0\n";
    let flags: &[&str] = if is_root { &[] } else { &["--user", "--map-root-user"] };
    let whole = format!(
        "set -e; ip link set lo up; ip route add default dev lo
         for address in 192.0.2.9/32 192.0.2.53/32 2001:db8::1/128; do ip addr add $address dev lo; done; {way}
         mkdir -p etc; mount -t tmpfs etc etc; cp -R /etc/. etc 2>/dev/null || true; rm -f etc/resolv.conf
         echo 'nameserver 192.0.2.53' > etc/resolv.conf; mount --bind etc /etc
         python3 hello.py & hello=$!; while [ ! -e hello-listens ]; do sleep 0.05; done
         $N up -d --wait >/dev/null 2>&1; trap '$N down >/dev/null 2>&1; kill $hello' EXIT
         {script}"
    );
    let mut command = sandbox.command("unshare");
    command.args(flags).args(["--net", "--mount", "bash", "-c", &whole]).env("N", binary());
    let run = finish(&mut command).good();
    sandbox.empties();
    run
}
