//! Hosts of other distributions: what their files say of names never comes before the services.

use super::workspace;
use crate::support::sandbox::{Account, Run, Sandbox, binary, finish};

const MANIFEST: &str = "
name: hosts
services:
  web: { command: [sleep, infinity] }
  db: { command: [python3, raw.py, '5432'], ports: { tcp: 5432 } }
";

/// A host with an `/etc` of its own, as `change` made it, in which a script runs; `$N` is nagaya. It is a mount
/// namespace around the whole of it.
struct Machine {
    sandbox: Sandbox,
    flags: &'static [&'static str],
    change: String,
}

impl Machine {
    fn new(account: Account, change: &str) -> Self {
        let sandbox = workspace(account, MANIFEST);
        let is_root = finish(sandbox.command("id").arg("-u")).out == "0\n";
        let flags: &[&str] = if is_root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
        Self { sandbox, flags, change: change.to_owned() }
    }

    fn run(&self, script: &str) -> Run {
        let whole = format!(
            "set -e; mkdir -p etc; mount -t tmpfs etc etc; cp -R /etc/. etc 2>/dev/null || true
             mount -t tmpfs run /run; {}
             mount --bind etc /etc; $N up -d --wait >/dev/null 2>&1; trap '$N down >/dev/null 2>&1' EXIT
             {script}",
            self.change
        );
        let mut command = self.sandbox.command("unshare");
        command.args(self.flags).args(["bash", "-c", &whole]).env("N", binary());
        let run = finish(&mut command).good();
        self.sandbox.empties();
        run
    }
}

const FIND: &str = "$N exec web -- getent ahostsv4 db | head -1 | cut -d ' ' -f 1
                    $N exec web -- bash -c 'exec 3<>/dev/tcp/db/5432; cat <&3'";

/// The service is found and called.
#[track_caller]
fn finds(run: &Run) {
    let lines: Vec<&str> = run.out.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with("10.66.")), "{run:?}");
}

#[test]
fn a_line_for_the_loopback_does_not_hide_a_service() {
    for account in Account::all() {
        let lines = "printf '127.0.0.1 db\\n::1 db.default.svc\\n192.168.7.9 nas.lan nas # attic\\n' >> etc/hosts";
        let machine = Machine::new(account, lines);
        finds(&machine.run(FIND));
        let kept = machine.run("$N exec web -- getent hosts nas; $N exec web -- grep attic /etc/hosts");
        assert_eq!(kept.out, "192.168.7.9     nas.lan nas\n192.168.7.9 nas.lan nas # attic\n");
    }
}

#[test]
fn services_are_found_whatever_the_hosts_files_say() {
    let cases = [
        ("Fedora", "echo 'hosts: files myhostname resolve [!UNAVAIL=return] dns' > etc/nsswitch.conf"),
        ("NixOS", "echo 'hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns' > etc/nsswitch.conf"),
        ("mDNS", "echo 'hosts: mdns4_minimal [NOTFOUND=return]' > etc/nsswitch.conf"),
        ("no nsswitch.conf", "rm -f etc/nsswitch.conf"),
        ("no resolv.conf", "rm -f etc/resolv.conf"),
        ("a dangling one", "ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf"),
        (
            "systemd-resolved",
            "mkdir -p /run/systemd/resolve; echo 'nameserver 127.0.0.53' > /run/systemd/resolve/stub-resolv.conf; \
             ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
        ),
        ("no hosts", "rm -f etc/hosts"),
    ];
    for (name, change) in cases {
        for account in Account::all() {
            println!("{name}, {account:?}");
            finds(&Machine::new(account, change).run(FIND));
        }
    }
}

/// Knows no name, and writes down that it was asked.
const CACHE: &str = "
import os, socket
os.makedirs('/run/nscd')
server = socket.socket(socket.AF_UNIX)
server.bind('/run/nscd/socket')
server.listen()
os.chmod('/run/nscd/socket', 0o777)
open('cache-listens', 'w').close()
while True:
    server.accept()
    open('cache-was-asked', 'w').close()
";

#[test]
fn a_cache_of_the_host_is_not_asked() {
    for account in Account::all() {
        let start = "python3 cache.py & while [ ! -e cache-listens ]; do sleep 0.05; done; cache=$!";
        let machine = Machine::new(account, start);
        machine.sandbox.write("cache.py", CACHE);
        finds(&machine.run(&format!("rm -f cache-was-asked; {FIND}; kill $cache")));
        assert!(!machine.sandbox.path("cache-was-asked").exists());
    }
}

#[test]
fn a_short_name_that_nobody_knows_is_not_sent_to_the_internet() {
    for account in Account::all() {
        // A server that would never answer.
        let machine = Machine::new(account, "echo 'nameserver 198.51.100.1' > etc/resolv.conf");
        let run = machine.run("$N exec web -- dig +noall +comments nobody | grep -o 'status: [A-Z]*'");
        assert_eq!(run.out, "status: NXDOMAIN\n");
    }
}
