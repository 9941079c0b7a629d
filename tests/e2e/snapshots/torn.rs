//! Restores that are ended before they are done, and whose old data must be there afterwards.

use super::*;

#[test]
fn a_swap_that_was_ended_midway_is_completed_by_the_next_up() {
    let (sandbox, file) = with_files(Account::unprivileged(), "first");
    let home = sandbox.home();
    sandbox.nagaya(&["snapshot", "save", "a"]).good();
    fill(&sandbox, "second");
    // Killed where the two change places: what is to be done is written down, and nothing is done yet.
    let mut command = sandbox.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2"]);
    command.args(["-e", "inject=renameat2:error=EIO:signal=KILL:when=1"]);
    sandbox.nagaya(&["down"]).good();
    let run = finish(command.arg(binary()).args(["snapshot", "restore", "a"]));
    let note = home.join("snapshots/.swaps.json");
    assert!(note.exists(), "{run:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "second");
    sandbox.up();
    assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    // Nobody has seen that the service can use it, so that what was before stays until somebody says so.
    let old = home.join("data/.restored-store/file");
    sandbox.nagaya(&["snapshot", "restore", "a"]).ended(1).says(&[
        "ended before its services were ready",
        ".restored-store",
        "`nagaya snapshot keep`",
    ]);
    sandbox.nagaya(&["snapshot", "save", "b"]).ended(1);
    assert_eq!(fs::read_to_string(&old).unwrap(), "second");
    sandbox.nagaya(&["snapshot", "take-back"]).ended(1).says(&["`nagaya down` first"]);
    sandbox.nagaya(&["down"]).good();
    sandbox.nagaya(&["snapshot", "take-back"]).good();
    assert_eq!((fs::read_to_string(&file).unwrap(), old.exists(), note.exists()), ("second".into(), false, false));
    sandbox.up();
    sandbox.nagaya(&["snapshot", "restore", "a"]).good();
    assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    sandbox.nagaya(&["snapshot", "keep"]).ended(2).says(&["no restore waits"]);
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn a_swap_of_which_the_second_fails_is_undone() {
    let manifest = "name: kept
services:
  one: { command: [sleep, infinity], stateful: true }
  two: { command: [sleep, infinity], stateful: true }
";
    let sandbox = Sandbox::of(Account::unprivileged(), manifest);
    sandbox.up();
    let file = |name: &str| sandbox.home().join("data").join(name).join("file");
    let fill = |text: &str| {
        for name in ["one", "two"] {
            let line = format!("mkdir -p \"$NAGAYA_DATA_DIR\"; printf %s '{text}' > \"$NAGAYA_DATA_DIR/file\"");
            sandbox.nagaya(&["exec", name, "--", "sh", "-ec", &line]).good();
        }
    };
    let both = || ["one", "two"].map(|name| fs::read_to_string(file(name)).unwrap());
    fill("first");
    sandbox.nagaya(&["snapshot", "save", "a"]).good();
    fill("second");
    let mut command = sandbox.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2"]);
    command.args(["-e", "inject=renameat2:error=EIO:when=2"]);
    finish(command.arg(binary()).args(["snapshot", "restore", "a"])).ended(1).says(&["the data is as it was before"]);
    assert_eq!(both(), ["second", "second"]);
    assert!(["one", "two"].iter().all(|name| sandbox.row(name)["ready"] == true));
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    assert_eq!(both(), ["second", "second"]);
    sandbox.nagaya(&["snapshot", "restore", "a"]).good();
    assert_eq!(both(), ["first", "first"]);
    sandbox.nagaya(&["down"]).good();
}

/// With restored data that its service is never ready with.
#[test]
fn who_asks_twice_to_end_a_restore_has_the_old_data() {
    let manifest = "name: kept
services:
  store:
    command: 'if grep -q slow $NAGAYA_DATA_DIR/file; then trap \"\" TERM; else echo up; fi; while :; do sleep 1; done'
    stateful: true
    stop_grace_period: 30s
    readiness: { log: up }
  app: { command: [sleep, infinity], depends_on: [store] }
";
    let sandbox = Sandbox::of(Account::unprivileged(), manifest);
    sandbox.up();
    let data = sandbox.home().join("data/store");
    fill(&sandbox, "good");
    // Without an engine, which would keep a copy of it as it is now.
    let home = sandbox.home();
    sandbox.nagaya(&["down"]).good();
    sandbox.nagaya(&["snapshot", "save", "slow"]).good();
    fs::write(home.join("snapshots/slow/store/file"), "slow").unwrap();
    sandbox.up();
    let mut restore = sandbox.command(binary()).args(["snapshot", "restore", "slow"]).spawn().unwrap();
    until("it starts with the restored data", || {
        fs::read_to_string(data.join("file")).unwrap_or_default() == "slow"
            && sandbox.row("store")["state"] == "starting"
    });
    signal("INT", restore.id());
    until("it is stopped", || sandbox.row("store")["state"] == "stopping");
    signal("INT", restore.id());
    signal("HUP", restore.id());
    assert_eq!(restore.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "good");
    sandbox.nagaya(&["wait", "store", "app"]).good();
    sandbox.nagaya(&["down"]).good();
}
