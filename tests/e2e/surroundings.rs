//! What the shell around `up` does to it, and what services get of it.

use std::os::unix::fs::PermissionsExt;

use crate::support::sandbox::{Sandbox, binary, finish, full, signal, until};

fn one(service: &str) -> Sandbox {
    Sandbox::new(&format!("name: one\nservices:\n  web: {service}\n"))
}

/// A shell script in the sandbox, in which `$N` is nagaya.
fn shell(sandbox: &Sandbox, script: &str) -> String {
    finish(sandbox.command("bash").args(["-ec", script]).env("N", binary())).good().out
}

#[test]
fn descriptors_that_the_caller_left_open_do_not_live_on() {
    let sandbox = one("{ command: [sleep, infinity] }");
    shell(&sandbox, "exec 9>lock; flock 9; $N up -d --wait");
    shell(&sandbox, "exec 9>lock; flock -n 9");
}

#[test]
fn signals_that_the_caller_ignored_reach_services() {
    let sandbox = one("{ command: [sleep, infinity], stop_signal: SIGINT }");
    shell(&sandbox, "trap '' INT HUP USR1; $N up -d --wait");
    let status = std::fs::read_to_string(format!("/proc/{}/status", sandbox.pid("web"))).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    // 32 and 33 are the C library's own.
    assert_eq!(ignored & !(0b11 << 31), 0, "{ignored:x}");
}

#[test]
fn a_script_without_an_interpreter_is_run_from_wherever_it_is_on_the_path() {
    let sandbox = one("{ command: [run-me, well], environment: { PATH: '/usr/bin:/bin:./tools' } }");
    sandbox.write("tools/run-me", "echo ran $1\n");
    let path = sandbox.path("tools/run-me");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.up();
    until("it has run", || sandbox.nagaya(&["logs", "web"]).out.contains("ran well"));
}

#[test]
fn a_service_has_a_place_for_its_data_and_finds_them_again() {
    let sandbox = one("{ command: 'mkdir -p $NAGAYA_DATA_DIR && echo kept >> $NAGAYA_DATA_DIR/file' }");
    for times in 1..=2 {
        sandbox.up();
        assert_eq!(sandbox.row("web")["state"], "completed");
        let kept = std::fs::read_to_string(sandbox.home().join("data/web/file")).unwrap();
        assert_eq!(kept.lines().count(), times);
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn an_engine_that_dies_is_no_success_of_its_up() {
    let sandbox = one("{ command: 'echo here; exec sleep infinity' }");
    let up = sandbox.start(&["up", "--no-tui"]);
    until("it runs", || up.out().contains("here"));
    signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap());
    up.end().ended(1).says(&["the engine ended unexpectedly"]);
    sandbox.empties();
}

#[test]
fn nothing_is_started_in_an_engine_that_ends() {
    let sandbox = one("{ command: \"trap '' TERM; echo here; while :; do sleep 0.1; done\", stop_grace_period: 2s }");
    sandbox.up();
    until("it resists", || sandbox.nagaya(&["logs", "web"]).out.contains("here"));
    let down = sandbox.start(&["down"]);
    until("it stops", || sandbox.row("web")["state"] == "stopping");
    sandbox.nagaya(&["restart", "web"]).ended(1).says(&["shutting down"]);
    // An `up` waits until that one is gone, and starts another.
    let before = sandbox.engine()["pid"].clone();
    sandbox.nagaya(&["up", "-d"]).good().says(&["waiting for the processes of an earlier engine to end"]);
    down.end().good();
    assert_ne!(sandbox.engine()["pid"], before);
    assert_eq!(sandbox.row("web")["wanted"], true);
}

#[test]
fn an_up_straight_after_one_that_ends_starts_anew() {
    let sandbox = one("{ command: \"trap 'sleep 0.1; exit 0' TERM; echo here; while :; do sleep 0.05; done\" }");
    for round in 0..if full() { 50 } else { 8 } {
        // One that is killed, and one whose job failed: the engine ends with either.
        let first = match round % 2 {
            0 => sandbox.start(&["up", "--no-tui"]),
            _ => sandbox.start(&["up", "--no-tui", "--exit-code-from", "web"]),
        };
        until("it runs", || first.out().contains("here"));
        first.signal(if round % 4 < 2 { "KILL" } else { "TERM" });
        sandbox.nagaya(&["up", "-d"]).good();
        first.end();
        let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
        assert_eq!(rows[0]["wanted"], true, "round {round}: {rows}");
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn names_that_no_service_can_have_are_unknown_services() {
    let sandbox = one("{ command: [sleep, infinity] }");
    sandbox.up();
    for name in ["a/b", "x y", "..", "%2e"] {
        sandbox.nagaya(&["why", name]).ended(2).says(&["there is no service"]);
    }
}

#[test]
fn a_secret_in_a_broken_env_file_is_not_shown() {
    let sandbox = one("{ command: [sleep, infinity] }");
    sandbox.write(".env", "OK=1\nPASSWORD=\"hunter2\nnot a variable hunter2\n");
    let run = sandbox.nagaya(&["check"]).ended(3).says(&[".env:2"]);
    assert!(!run.err.contains("hunter2"), "{}", run.err);
    let run = sandbox.nagaya(&["check", "--json"]).ended(3);
    assert!(!run.out.contains("hunter2"), "{}", run.out);
}
