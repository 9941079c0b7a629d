//! Who owns the engine: the `up` that started it.

use crate::support::sandbox::{Account, Sandbox, signal, until};

const MANIFEST: &str = r#"
name: owned
services:
  web: { command: "trap 'echo told to stop; exit 0' TERM; echo here; while :; do sleep 0.1; done" }
"#;

/// An `up` in the foreground whose service has said its first word.
fn up(sandbox: &Sandbox) -> crate::support::sandbox::Running {
    let up = sandbox.start(&["up", "--no-tui"]);
    until("the service speaks", || up.out().contains("here"));
    up
}

#[test]
fn ctrl_c_of_the_owner_stops_all_gracefully() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        let up = up(&sandbox);
        up.signal("INT");
        let run = up.end().good();
        assert!(run.out.contains("told to stop"), "{run:?}");
        sandbox.empties();
    }
}

#[test]
fn a_second_ctrl_c_kills() {
    let sandbox = Sandbox::new(
        "name: stubborn\nservices:\n  web: { command: \"trap '' TERM; echo here; while :; do sleep 0.1; done\" }\n",
    );
    let up = up(&sandbox);
    up.signal("INT");
    until("it stops", || sandbox.row("web")["state"] == "stopping");
    up.signal("INT");
    up.end().ended(130);
    sandbox.empties();
}

#[test]
fn a_closed_terminal_and_a_killed_owner_stop_all() {
    for word in ["HUP", "KILL"] {
        let sandbox = Sandbox::new(MANIFEST);
        let up = up(&sandbox);
        up.signal(word);
        up.end();
        sandbox.empties();
    }
}

#[test]
fn a_second_up_attaches_and_only_detaches() {
    let sandbox = Sandbox::new(MANIFEST);
    let first = up(&sandbox);
    let second = sandbox.start(&["up", "--no-tui"]);
    until("it follows", || second.out().contains("here"));
    second.signal("INT");
    second.end().good();
    assert_eq!(sandbox.row("web")["state"], "running");
    sandbox.nagaya(&["down"]).good();
    first.end().good();
    sandbox.empties();
}

#[test]
fn detached_it_belongs_to_nobody() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let follower = sandbox.start(&["logs", "-f"]);
    until("it follows", || follower.out().contains("here"));
    follower.signal("INT");
    follower.end();
    assert_eq!(sandbox.row("web")["state"], "running");
}

#[test]
fn a_service_that_is_killed_from_outside_is_restarted_as_its_policy_says() {
    let sandbox = Sandbox::new(
        "name: again\nservices:\n  web: { command: [sleep, infinity], restart: { policy: always, backoff: { base: 10ms } } }\n  \
         once: { command: [sleep, infinity] }\n",
    );
    sandbox.up();
    let (web, once) = (sandbox.pid("web"), sandbox.pid("once"));
    signal("KILL", web);
    signal("KILL", once);
    until("web runs again", || sandbox.row("web")["restarts"] == 1 && sandbox.row("web")["state"] == "running");
    until("once has failed", || sandbox.row("once")["state"] == "failed");
    assert!(sandbox.row("once")["reason"].as_str().unwrap().contains("KILL"), "{}", sandbox.row("once"));
}

#[test]
fn an_up_can_end_with_one_of_its_services() {
    let manifest = |ends: &str| {
        format!(
            "name: ends\nservices:\n  web: {{ command: sleep infinity }}\n  tests: {{ command: 'echo tested; {ends}' }}\n"
        )
    };
    let sandbox = Sandbox::new(&manifest("exit 7"));
    let run = sandbox.nagaya(&["up", "--exit-code-from", "tests"]).ended(7);
    assert!(run.out.contains("tested"), "{run:?}");
    sandbox.empties();
    sandbox.nagaya(&["up", "--abort-on-failure"]).ended(1);
    sandbox.empties();
    sandbox.nagaya(&["up", "--exit-code-from", "nobody"]).ended(2).says(&["there is no service `nobody`"]);
    sandbox.nagaya(&["up", "-d", "--abort-on-failure"]).ended(2);
    // Whoever does not own the engine ends alone.
    sandbox.nagaya(&["up", "-d"]).good();
    sandbox.nagaya(&["up", "--exit-code-from", "tests"]).ended(7);
    assert_eq!(sandbox.row("web")["state"], "running");
    // As a command, what was waited for has its own code; an error is one line of JSON, and plain.
    sandbox.nagaya(&["wait", "--for", "completed", "tests"]).ended(7).says(&["exited with 7"]);
    let told = sandbox.nagaya(&["wait", "tests", "--json", "--color", "always"]).ended(1).out;
    assert!(told.lines().count() == 1 && !told.contains("\\u001b") && told.contains("exited with 7"), "{told}");
    sandbox.nagaya(&["down"]).good();
    sandbox.write("nagaya.yaml", manifest("exit 0"));
    sandbox.nagaya(&["up", "--exit-code-from", "tests"]).good();
    sandbox.empties();
}
