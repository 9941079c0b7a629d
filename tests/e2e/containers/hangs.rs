//! Engines of containers that hang, and commands in containers that do.

use std::time::{Duration, Instant};

use super::services::{boxed, heard, id, left, tells};
use super::{Docker, is_root};
use crate::support::sandbox::{Account, finish, until};

/// Longer than an engine that hangs may hold up anything, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);

const HUNG: &str = "
name: hung
services:
  web: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, web, '80'], ports: { http: 80 }, stop_grace_period: 1s }
  pod: { command: [python3, server.py, pod, '80'], ports: { http: 80 } }
";

#[test]
fn an_engine_of_containers_that_hangs_holds_up_nothing_else() {
    let docker = Docker::start();
    let sandbox = boxed(&docker, Account::unprivileged(), HUNG);
    docker.signal("STOP");
    let begun = Instant::now();
    sandbox.nagaya(&["up", "-d"]).good();
    until("the pod is ready", || sandbox.row("pod")["ready"] == true);
    until("web has failed", || sandbox.row("web")["state"] == "failed");
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    tells(&sandbox, "web", &["does not answer", "too long"]);
    let log = sandbox.nagaya(&["logs", "web"]).good().out;
    assert!(log.contains("waiting for the engine of containers"), "{log}");
    docker.signal("CONT");
    sandbox.nagaya(&["start", "web"]).good();
    assert!(heard(&sandbox, "pod", "http://web/x").starts_with("web is called"));
    let workspace = id(&sandbox);
    docker.signal("STOP");
    let begun = Instant::now();
    let stopped = sandbox.nagaya(&["down"]).ended(1);
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    stopped.says(&[
        "waiting for web to stop",
        "waiting for the containers at",
        "down, but for its containers",
        "`nagaya down`",
    ]);
    sandbox.empties();
    docker.signal("CONT");
    assert_ne!(left(&docker, &workspace), "");
    sandbox.nagaya(&["down"]).good().says(&["its containers, which had been left, are removed"]);
    assert_eq!(left(&docker, &workspace), "");
}

const PROBED: &str = "
name: probed
services:
  web: { image: IMAGE, USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL,
         readiness: { exec: [/usr/bin/sleep, '54321'], timeout: 200ms, period: 200ms } }
";

#[test]
fn tries_of_a_probe_that_hang_do_not_pile_up() {
    let docker = Docker::shared();
    for account in Account::all() {
        let sandbox = boxed(&docker, account, PROBED);
        sandbox.nagaya(&["up", "-d"]).good();
        let tries = || {
            let why = sandbox.nagaya(&["why", "web", "--json"]).good().json();
            let told = why["last_probe"].as_str().and_then(|it| it.rsplit_once("(tried ")?.1.split_once(' '));
            told.and_then(|(count, _)| count.parse().ok()).unwrap_or(0)
        };
        until("it was tried several times", || tries() >= 5);
        let name = sandbox.row("web")["container"].as_str().unwrap().to_owned();
        let count = || finish(docker.client().args(["top", &name])).good().out.matches("54321").count();
        assert!(count() <= 1, "{}", finish(docker.client().args(["top", &name])).out);
        // One that may kill it does, which may take longer than the time to the next try.
        let is_killed = account == Account::Own && is_root();
        let word = if is_killed { "did not end within 200ms" } else { "none is started beside it" };
        until("that is told", || sandbox.nagaya(&["why", "web"]).good().out.contains(word));
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}
