//! Podman in the place of Docker, as root.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::services::{boxed, id, left, lives, meet, tells};
use super::{Brand, Docker, is_root};
use crate::support::sandbox::{Account, finish, signal, until};

/// Limits that no machine has to raise, no systemd, and no file that this machine has for its own Podman.
const SETTINGS: &str = r#"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
exit_command_delay = 30
"#;

/// In a network of its own, as the other daemon, and with folders of its own where Podman's networks have fixed ones. The
/// folder comes as `$1`. Of images so small no layers are needed, which not every machine has.
const SERVICE: &str = r#"
echo $$ > "$1/pid"
mkdir -p /var/lib/cni /run/netns
mount -t tmpfs tmpfs /var/lib/cni
mount -t tmpfs tmpfs /run/netns
exec podman --root "$1/data" --runroot "$1/exec" --tmpdir "$1/tmp" --network-config-dir "$1/net" --storage-driver vfs \
    system service --time 0 "unix://$1/socket"
"#;

/// Podman's service, with all it has below a folder.
pub(super) fn service(folder: &Path) -> Command {
    fs::create_dir_all(folder.join("net")).unwrap();
    let settings = folder.join("containers.conf");
    fs::write(&settings, SETTINGS).unwrap();
    let mut command = if is_root() { Command::new("env") } else { Command::new("sudo") };
    if !is_root() {
        command.args(["-n", "env"]);
    }
    command.arg(format!("CONTAINERS_CONF={}", settings.display()));
    command.args(["unshare", "--net", "--mount", "sh", "-ec", SERVICE, "sh"]).arg(folder);
    command
}

/// Its socket is root's alone: whoever runs the tests may use it, as after `systemctl enable podman.socket` and `chmod`.
pub(super) fn open(socket: &Path) {
    if !is_root() {
        finish(Command::new("sudo").args(["-n", "chmod", "666"]).arg(socket)).good();
    }
}

/// Its containers outlive it, unlike Docker's.
pub(super) fn empty(podman: &Docker) {
    let ids = finish(podman.client().args(["ps", "--all", "--quiet"])).out;
    if !ids.trim().is_empty() {
        finish(podman.client().args(["rm", "--force"]).args(ids.split_whitespace()));
    }
}

/// What waits to forget commands that were run in a container would otherwise come when the folder is gone, and make it
/// again.
pub(super) fn sweep(folder: &Path) {
    const SWEEP: &str = r#"
for process in /proc/[0-9]*; do
    if [ "$(cat $process/comm)" = conmon ] && grep -qF "$1/exec" $process/cmdline; then kill -KILL ${process#/proc/}; fi
done"#;
    let mut command = if is_root() { Command::new("sh") } else { Command::new("sudo") };
    if !is_root() {
        command.args(["-n", "sh"]);
    }
    finish(command.args(["-c", SWEEP, "sh"]).arg(folder));
}

#[test]
fn a_container_of_podmans_lives_as_a_process_does() {
    lives(&Docker::shared_of(Brand::Podman), Account::Own);
}

#[test]
fn podmans_containers_and_pods_are_in_one_network() {
    meet(&Docker::shared_of(Brand::Podman), Account::Own);
}

const OUTSIDE: &str = "
name: outside
services:
  again: { image: IMAGE, USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL, restart: always }
  once: { image: IMAGE, USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL }
  stays: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, stays, '80'], ports: { http: 80 } }
  strange: { image: IMAGE, command: [/no/such/program] }
";

#[test]
fn what_is_done_to_podmans_containers_from_outside_is_noticed() {
    let podman = Docker::shared_of(Brand::Podman);
    let sandbox = boxed(&podman, Account::Own, OUTSIDE);
    sandbox.nagaya(&["up", "-d"]).good();
    until("strange has failed", || sandbox.row("strange")["state"] == "failed");
    tells(&sandbox, "strange", &["its command is not in the image"]);
    for service in ["again", "once"] {
        until(&format!("{service} runs"), || sandbox.row(service)["state"] == "running");
    }
    until("stays is ready", || sandbox.row("stays")["ready"] == true);
    let container = |service: &str| sandbox.row(service)["container"].as_str().unwrap().to_owned();
    let [again, stays] = ["again", "stays"].map(|service| sandbox.pid(service));
    finish(podman.client().args(["rm", "--force", &container("again")])).good();
    until("what was removed is there again", || {
        let row = sandbox.row("again");
        row["state"] == "running" && row["pid"] != again
    });
    finish(podman.client().args(["kill", &container("once")])).good();
    until("what was killed has failed", || sandbox.row("once")["state"] == "failed");
    assert_eq!(sandbox.row("once")["exit_code"], 137);
    assert_eq!(sandbox.pid("stays"), stays);
    // nagaya's own engine, killed: its launcher cleans.
    let (id, engine) = (id(&sandbox), sandbox.engine()["pid"].as_u64().unwrap());
    signal("KILL", engine.try_into().unwrap());
    until("all containers and networks are gone", || left(&podman, &id).is_empty());
    sandbox.empties();
}

const SHORT: &str = "
name: short
services:
  keeper: { image: IMAGE, volumes: ['/usr:/usr:ro', 'data:/data'],
            command: [/usr/bin/bash, -c, 'echo kept >> /data/file; /usr/bin/wc -l < /data/file; exit 3'] }
  first: { image: IMAGE, USR, command: [/usr/bin/bash, -c, 'echo first; exit 3'] }
  second: { image: IMAGE, USR, command: [/usr/bin/bash, -c, 'echo second >&2; exit 3'] }
volumes: { data: {} }
";

#[test]
fn what_ends_at_once_in_podman_tells_its_code_and_keeps_its_data() {
    let podman = Docker::shared_of(Brand::Podman);
    let sandbox = boxed(&podman, Account::Own, SHORT);
    let volumes = || finish(podman.client().args(["volume", "ls", "--quiet"])).good().out;
    for (lines, ending) in [("1", &["down"][..]), ("2", &["down", "--volumes", "--yes"])] {
        sandbox.nagaya(&["up", "-d"]).good();
        for (service, word) in [("keeper", lines), ("first", "first"), ("second", "second")] {
            until(&format!("{service} has failed"), || sandbox.row(service)["state"] == "failed");
            assert_eq!(sandbox.row(service)["exit_code"], 3, "{}", sandbox.row(service));
            let log = sandbox.nagaya(&["logs", service]).good().out;
            assert!(log.contains(word), "{service}: {log}");
        }
        assert!(volumes().contains("short"), "{}", volumes());
        let id = id(&sandbox);
        sandbox.nagaya(ending).good();
        assert_eq!(left(&podman, &id), "", "after {ending:?}");
        sandbox.empties();
    }
    assert!(!volumes().contains("short"), "{}", volumes());
}
