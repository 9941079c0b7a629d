//! After any crash: no process left, no data lost, and the next `up` works. Here without pods, where no kernel empties
//! them; `pods/death.rs` is about those.

use std::fs;

use crate::support::sandbox::{Account, Sandbox, signal, until};

/// Each service has a grandchild, in a session of its own, that ignores SIGTERM.
const MANIFEST: &str = r#"
name: crash
network: env
services:
  web: { command: "echo before; setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep infinity", restart: always }
  db: { command: [sleep, infinity] }
"#;

fn engine(sandbox: &Sandbox) -> u32 {
    sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap()
}

/// The engine's launcher: its only child.
fn launcher(engine: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{engine}/task/{engine}/children")).unwrap();
    children.trim().parse().unwrap_or_else(|_| panic!("the engine has the children {children:?}"))
}

/// How often web has begun, by its log.
fn spoken(sandbox: &Sandbox) -> usize {
    sandbox.nagaya(&["logs", "web", "--since", "10m"]).good().out.matches("before").count()
}

/// Everything works, and the log has what was said before the crash.
fn works_again(sandbox: &Sandbox) {
    sandbox.up();
    assert_eq!(sandbox.row("db")["state"], "running");
    until("both are in the log", || spoken(sandbox) >= 2);
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();
}

fn booted(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, MANIFEST);
    sandbox.up();
    until("web has spoken", || spoken(&sandbox) == 1);
    sandbox
}

#[test]
fn a_killed_engine_leaves_no_process() {
    for account in Account::all() {
        let sandbox = booted(account);
        signal("KILL", engine(&sandbox));
        sandbox.empties();
        works_again(&sandbox);
    }
}

#[test]
fn a_killed_launcher_is_replaced_and_its_services_are_restarted() {
    for account in Account::all() {
        let sandbox = booted(account);
        let (pid, launcher) = (sandbox.pid("web"), launcher(engine(&sandbox)));
        signal("KILL", launcher);
        until("web runs again", || {
            let row = sandbox.row("web");
            row["state"] == "running" && row["pid"] != pid
        });
        // It was not their failure, so their policies are not asked.
        until("db runs again", || sandbox.row("db")["state"] == "running");
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
        works_again(&sandbox);
    }
}

#[test]
fn both_killed_at_once_is_cleared_up_by_the_next_up_or_down() {
    for next in ["up", "down"] {
        let sandbox = booted(Account::unprivileged());
        let engine = engine(&sandbox);
        let launcher = launcher(engine);
        for pid in [launcher, engine] {
            signal("STOP", pid);
        }
        for pid in [launcher, engine] {
            signal("KILL", pid);
        }
        if next == "down" {
            sandbox.nagaya(&["down"]).good().says(&["its engine had been killed"]);
            sandbox.empties();
        }
        works_again(&sandbox);
    }
}

#[test]
fn files_of_the_state_that_are_broken_are_no_obstacle() {
    let sandbox = booted(Account::Own);
    let home = sandbox.home();
    sandbox.nagaya(&["down"]).good();
    for name in ["engine.json", "ports.json", "setups.json"] {
        fs::write(home.join(name), b"{ half").unwrap();
    }
    fs::write(home.join("logs/web.log"), b"\xff\xfe not a log\0").unwrap();
    sandbox.up();
    assert_eq!(sandbox.row("web")["state"], "running");
}

#[test]
fn an_engine_that_cannot_be_talked_to_is_ended_by_force() {
    for harm in ["socket", "hang"] {
        let sandbox = booted(Account::Own);
        match harm {
            "socket" => fs::remove_file(sandbox.engine()["socket"].as_str().unwrap()).unwrap(),
            _ => signal("STOP", engine(&sandbox)),
        }
        let run = sandbox.nagaya(&["ps"]);
        if harm == "hang" {
            let pid = engine(&sandbox);
            let word = format!("the engine (pid {pid}) is not answering: it is stopped (state T)");
            assert!(run.err.contains(&word) && run.err.contains(&format!("`kill -CONT {pid}`")), "{run:?}");
        }
        assert!([4, 5].contains(&run.code), "{run:?}");
        run.says(&["`nagaya down --force`"]);
        sandbox.nagaya(&["down", "--force"]).good();
        sandbox.empties();
        works_again(&sandbox);
    }
}

#[test]
fn a_stopped_engine_goes_on_and_keeps_no_limit_of_time() {
    let sandbox = booted(Account::Own);
    let pid = engine(&sandbox);
    signal("STOP", pid);
    let begun = std::time::Instant::now();
    sandbox.nagaya(&["wait", "--timeout", "300ms"]).ended(5);
    assert!(begun.elapsed().as_secs() < 5, "the limit holds: {:?}", begun.elapsed());
    let waiting = sandbox.start(&["ps"]);
    until("it says so", || waiting.err().contains("is stopped (state T)"));
    signal("CONT", pid);
    assert!(waiting.end().good().out.contains("web"));
}

#[test]
fn a_second_interrupt_ends_an_up_whose_engine_is_stopped() {
    let sandbox = Sandbox::new("name: stuck\nservices:\n  web: { command: 'echo begun; exec sleep 1000' }\n");
    let up = sandbox.start(&["up", "--no-tui"]);
    until("it runs", || up.out().contains("begun"));
    signal("STOP", engine(&sandbox));
    up.signal("INT");
    until("it was heard", || up.err().contains("once more kills"));
    until("the silence is told", || up.err().contains("is not answering"));
    up.signal("INT");
    up.end().ended(130);
    sandbox.nagaya(&["down"]);
    sandbox.empties();
}

#[test]
fn an_engine_whose_state_was_deleted_is_not_started_twice() {
    let sandbox = booted(Account::Own);
    let pid = engine(&sandbox);
    fs::remove_dir_all(sandbox.home()).unwrap();
    sandbox.nagaya(&["up", "-d"]).ended(1).says(&["its state folder was deleted", &format!("`kill {pid}`")]);
    signal("TERM", pid);
    sandbox.empties();
}
