//! Whatever ends a pod, nothing of it is left: no process and no network.

use std::collections::HashSet;
use std::fs;

use super::workspace;
use crate::support::sandbox::{Account, Sandbox, full, signal, until};

/// Each has a child in a session of its own, forked twice, and all of them are deaf to SIGTERM.
const DEAF: &str = r#"
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
open(f"deaf-{os.uname().nodename}-{os.getpid()}", "w").close()
while True: time.sleep(60)
"#;

const MANIFEST: &str = "
name: deaf
services:
  web: { command: [python3, deaf.py], stop_grace_period: 200ms }
  db: { command: [python3, deaf.py], stop_grace_period: 200ms }
  calm: { command: [sleep, infinity] }
";

fn deaf(account: Account) -> Sandbox {
    let sandbox = workspace(account, MANIFEST);
    sandbox.write("deaf.py", DEAF);
    boot(&sandbox);
    sandbox
}

fn boot(sandbox: &Sandbox) {
    for file in deafened(sandbox) {
        fs::remove_file(file).unwrap();
    }
    sandbox.up();
    until("all four are deaf", || deafened(sandbox).len() == 4);
}

fn deafened(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(sandbox.path("")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("deaf-")).collect()
}

/// How many processes of a sandbox run a program.
fn count(sandbox: &Sandbox, program: &str) -> usize {
    let runs = |pid: &&u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').any(|word| word == program)
    };
    sandbox.processes().iter().filter(runs).count()
}

fn engine(sandbox: &Sandbox) -> u32 {
    sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap()
}

fn launcher(engine: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{engine}/task/{engine}/children")).unwrap();
    children.trim().parse().unwrap_or_else(|_| panic!("the engine has the children {children:?}"))
}

/// Pid 1 of the pod that is made ahead: nobody is below it yet.
fn ahead(sandbox: &Sandbox) -> Option<u32> {
    let children = |pid: u32| {
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        Some(list.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<u32>>())
    };
    let mut pods = children(launcher(engine(sandbox)))?.into_iter();
    pods.find(|pod| children(*pod).is_some_and(|below| below.is_empty()))
}

#[test]
fn what_is_made_ahead_may_be_killed_sees_what_is_mounted_later_and_goes_with_the_rest() {
    for account in Account::all() {
        let sandbox =
            workspace(account, "name: ahead\nservices: { web: { command: 'ls later; exec sleep infinity' } }");
        fs::create_dir(sandbox.path("later")).unwrap();
        sandbox.up();
        until("one is made ahead", || ahead(&sandbox).is_some());
        let first = ahead(&sandbox).unwrap();
        signal("KILL", first);
        sandbox.nagaya(&["restart", "web"]).good();
        until("another is made ahead", || ahead(&sandbox).is_some_and(|pid| pid != first));
        let mounted = Mounted::tmpfs(&sandbox.path("later"));
        fs::write(sandbox.path("later/file"), "").unwrap();
        sandbox.nagaya(&["restart", "web"]).good();
        until("it sees the file", || sandbox.nagaya(&["logs", "web"]).good().out.contains("file"));
        sandbox.nagaya(&["down"]).good();
        drop(mounted);
        sandbox.empties();
    }
}

/// Something that is mounted while a test runs; where it may not, the folder itself does as well.
struct Mounted(Option<std::path::PathBuf>);

impl Mounted {
    fn tmpfs(at: &std::path::Path) -> Self {
        let mount = std::process::Command::new("mount").args(["-t", "tmpfs", "nagaya-test"]).arg(at).output();
        Self(mount.is_ok_and(|it| it.status.success()).then(|| at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(at) = &self.0 {
            let _ = std::process::Command::new("umount").arg("-l").arg(at).status();
        }
    }
}

#[test]
fn a_stop_reaches_everybody_in_the_pod() {
    for account in Account::all() {
        let sandbox = deaf(account);
        assert_eq!(count(&sandbox, "deaf.py"), 4);
        sandbox.nagaya(&["stop", "web"]).good();
        assert_eq!(sandbox.row("web")["state"], "stopped");
        assert_eq!(count(&sandbox, "deaf.py"), 2, "db's are left, web's are not");
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}

#[test]
fn the_stop_signal_goes_to_all_processes_of_the_pod() {
    let sandbox = workspace(
        Account::unprivileged(),
        "
name: signals
services:
  web: { command: 'setsid sh -c \"trap \\\"echo child was told; exit\\\" USR1; touch child; while :; do sleep 0.05; done\" & trap \"echo main was told; exit\" USR1; touch main; while :; do sleep 0.05; done', stop_signal: SIGUSR1 }
",
    );
    sandbox.up();
    until("both are there", || sandbox.path("child").exists() && sandbox.path("main").exists());
    sandbox.nagaya(&["stop", "web"]).good();
    let out = sandbox.nagaya(&["logs", "web"]).good().out;
    assert!(out.contains("main was told") && out.contains("child was told"), "{out}");
}

#[test]
fn a_killed_engine_takes_its_pods_along() {
    for account in Account::all() {
        let sandbox = deaf(account);
        for round in 0..if full() { 200 } else { 10 } {
            if round > 0 {
                boot(&sandbox);
            }
            signal("KILL", engine(&sandbox));
            sandbox.empties();
        }
    }
}

#[test]
fn a_killed_launcher_takes_its_pods_along_and_they_come_again() {
    for account in Account::all() {
        let sandbox = deaf(account);
        for _ in 0..10 {
            let (launcher, pid) = (launcher(engine(&sandbox)), sandbox.pid("calm"));
            for file in deafened(&sandbox) {
                fs::remove_file(file).unwrap();
            }
            signal("KILL", launcher);
            until("all four are deaf again", || deafened(&sandbox).len() == 4);
            until("calm is another", || sandbox.row("calm")["pid"].as_u64().is_some_and(|it| it != u64::from(pid)));
            assert_eq!(count(&sandbox, "deaf.py"), 4, "nobody is left of those before");
        }
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}

#[test]
fn both_killed_at_once_leave_nobody() {
    for account in Account::all() {
        let sandbox = deaf(account);
        for round in 0..10 {
            if round > 0 {
                boot(&sandbox);
            }
            let engine = engine(&sandbox);
            let both = [launcher(engine), engine];
            both.iter().for_each(|pid| signal("STOP", *pid));
            both.iter().for_each(|pid| signal("KILL", *pid));
            sandbox.empties();
        }
    }
}

/// The networks in which processes of a sandbox are.
fn networks(sandbox: &Sandbox) -> HashSet<std::path::PathBuf> {
    sandbox.processes().iter().filter_map(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).ok()).collect()
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn a_restart_gives_a_new_pod_with_the_same_address_and_none_is_kept() {
    for account in Account::all() {
        let sandbox = super::pods(account);
        let engine = engine(&sandbox);
        let address = || sandbox.told("web", "getent ahostsv4 users | head -1 | cut -d ' ' -f 1; hostname -i");
        let network = || fs::read_link(format!("/proc/{}/ns/net", sandbox.pid("web"))).unwrap();
        let (place, mut known) = (address(), HashSet::from([network()]));
        let restart = |how: &[&str]| {
            sandbox.nagaya(&[&["restart", "web"], how].concat()).good();
            sandbox.nagaya(&["wait", "web"]).good();
            sandbox.told("users", "curl -sSf -o /dev/null http://web:8080/");
            sandbox.told("web", "curl -sSf -o /dev/null http://users:8080/");
        };
        restart(&["--recreate"]);
        let (open, lively) = (descriptors(engine), networks(&sandbox).len());
        let rounds = if full() { 20 } else { 8 };
        for _ in 0..rounds {
            restart(&["--recreate"]);
            known.insert(network());
        }
        // The kernel may give a number again, but not all of them.
        assert!(known.len() > 1, "every pod has a network of its own");
        assert_eq!(address(), place);
        // A new instance beside the old one has an address of its own, and is called where that was.
        let called = || sandbox.told("users", "getent ahostsv4 web | head -1");
        let before = called();
        (0..rounds).for_each(|_| restart(&[]));
        assert_eq!(called(), before);
        assert_eq!(networks(&sandbox).len(), lively, "three pods and the host");
        // A pod that is called often has sockets in stock: a new one has none.
        sandbox.nagaya(&["restart", "users", "--recreate"]).good();
        sandbox.nagaya(&["wait", "users"]).good();
        restart(&["--recreate"]);
        // Each socket of a pod keeps its network in the kernel.
        until("the engine has let go of the old pods", || descriptors(engine) <= open + 2);
    }
}
