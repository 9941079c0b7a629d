//! What users ask of containers that run.

use super::Docker;
use super::services::{boxed, down};
use crate::support::sandbox::{Account, finish, until};

const KILLED: &str = "
name: killed
services:
  web: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, web, '80'], ports: { http: 80 }, restart: always }
  hears: { image: IMAGE, USR, stop_signal: SIGKILL,
           command: [/usr/bin/bash, -c, \"trap 'echo heard' HUP; echo up; while :; do sleep 1000 & wait $$!; done\"] }
";

#[test]
fn a_container_is_killed_or_gets_another_signal() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), KILLED);
    sandbox.up();
    let log = |service: &str| sandbox.nagaya(&["logs", service]).good().out;
    until("the trap is set", || log("hears").contains("up"));
    sandbox.nagaya(&["kill", "-s", "HUP", "hears"]).good();
    until("it has heard it", || log("hears").contains("heard"));
    assert_eq!(sandbox.row("hears")["state"], "running");
    sandbox.nagaya(&["kill", "web"]).good();
    assert_eq!(sandbox.row("web")["state"], "stopped");
    assert!(!log("web").contains("bye"), "it was not asked to end");
    // A signal that is not the stop's is sent as it is, and its end is the program's own.
    sandbox.nagaya(&["start", "web"]).good();
    sandbox.nagaya(&["kill", "-s", "TERM", "web"]).good();
    until("it has ended and is there again", || {
        sandbox.row("web")["restarts"] == 1 && sandbox.row("web")["ready"] == true
    });
    assert!(log("web").contains("bye"));
    down(&docker, &sandbox);
}

const COPIED: &str = "
name: copied
services:
  box: { image: IMAGE, USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL, replicas: 2 }
";

#[test]
fn files_are_copied_into_a_container_and_out_of_it() {
    let docker = Docker::shared();
    for account in Account::all() {
        let sandbox = boxed(&docker, account, COPIED);
        sandbox.write("src/deep/run", "#!/bin/sh");
        sandbox.up();
        let inside = |line: &str| sandbox.nagaya(&["exec", "box", "--", "/usr/bin/bash", "-c", line]).good().out;
        sandbox.nagaya(&["cp", "src", "box:/tmp/new"]).good().says(&["copied 1 file, 9 bytes"]);
        sandbox.nagaya(&["cp", "src/deep/run", "box:tmp"]).good();
        assert_eq!(inside("cat /tmp/new/deep/run /tmp/run; stat -c ' %u %a' /tmp/run"), "#!/bin/sh#!/bin/sh 0 755\n");
        inside("ln -s new /tmp/link; mkfifo /tmp/new/pipe");
        sandbox.nagaya(&["cp", "box:/tmp/new", "back"]).good().says(&["left out", "1 devices, pipes or sockets"]);
        sandbox.nagaya(&["cp", "box:/tmp/link/.", "flat"]).good();
        sandbox.nagaya(&["cp", "box:/tmp/link", "as-link"]).good();
        let read = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
        assert_eq!((read("back/deep/run"), read("flat/deep/run")), ("#!/bin/sh".into(), "#!/bin/sh".into()));
        assert_eq!(std::fs::read_link(sandbox.path("as-link")).unwrap(), std::path::Path::new("new"));
        // What arrives by a link arrives where it leads; each instance has its own.
        sandbox.nagaya(&["cp", "src/deep/run", "box:/tmp/link/again"]).good();
        assert_eq!(inside("ls /tmp/new"), "again\ndeep\npipe\n");
        sandbox.nagaya(&["cp", "--index", "2", "box:/tmp/new", "x"]).ended(1).says(&["there is no /tmp/new"]);
        sandbox.nagaya(&["cp", "src", "box:/no/such/place"]).ended(1).says(&["/no/such"]);
        sandbox.nagaya(&["cp", "src", "box:/tmp/run"]).ended(1).says(&["is a file"]);
        sandbox.nagaya(&["stop", "box"]).good();
        sandbox.nagaya(&["cp", "src", "box:/tmp"]).ended(1).says(&["box does not run", "nagaya start box"]);
        down(&docker, &sandbox);
    }
}

const KEPT: &str = "
name: kept
services:
  box: { image: IMAGE, stop_signal: SIGKILL, command: /usr/bin/sleep infinity, working_dir: /data,
         volumes: ['/usr:/usr:ro', 'data:/data', 'shared:/shared'] }
volumes: { data: {}, shared: { name: SHARED } }
";

#[test]
fn volumes_outlive_down_but_for_those_that_are_to_go() {
    let docker = Docker::shared();
    for account in Account::all() {
        let shared = format!("shared-{}", fastrand::u32(..));
        let sandbox = boxed(&docker, account, &KEPT.replace("SHARED", &shared));
        let inside = |line: &str| sandbox.nagaya(&["exec", "box", "--", "/usr/bin/bash", "-c", line]).good().out;
        sandbox.up();
        inside("touch /data/kept /shared/kept");
        down(&docker, &sandbox);
        sandbox.up();
        assert_eq!(inside("ls /data /shared"), "/data:\nkept\n\n/shared:\nkept\n");
        sandbox.nagaya(&["down", "--volumes"]).ended(2).says(&["the volume nagaya-kept-", "-data", "--yes"]);
        assert_eq!(sandbox.row("box")["state"], "running");
        down(&docker, &sandbox);
        // Also while nothing runs, and nothing tells where the engine is but what was written down.
        sandbox.nagaya(&["down", "--volumes", "--yes"]).good().says(&["removed the volume"]);
        sandbox.up();
        assert_eq!(inside("ls /data /shared"), "/data:\n\n/shared:\nkept\n", "what others may have too stays");
        sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
        finish(docker.client().args(["volume", "rm", &shared])).good();
    }
}
