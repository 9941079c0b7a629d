//! What users ask of containers that run.

use super::Docker;
use super::services::{boxed, down};
use crate::support::sandbox::{Account, until};

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
