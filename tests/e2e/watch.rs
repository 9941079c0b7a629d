//! Files that are watched, and what follows from their change.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, finish, signal, until};

/// Each run writes down what it found.
const KEEPS: &str = "
name: saves
network: NETWORK
services:
  web: { command: 'cat src/v >> ran; exec sleep infinity', watch: [src] }
  other: { command: sleep infinity }
";

fn sandbox(account: Account, network: &str) -> Sandbox {
    let sandbox = Sandbox::of(account, &KEEPS.replace("NETWORK", network));
    sandbox.write("src/v", "first\n");
    sandbox.up();
    sandbox
}

/// What the runs so far found.
fn ran(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.path("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn runs_with(sandbox: &Sandbox, text: &str) {
    until(&format!("it runs with {text}"), || ran(sandbox).last().is_some_and(|last| last == text));
}

fn replace(sandbox: &Sandbox, text: &str) {
    sandbox.write("src/.v.tmp", format!("{text}\n"));
    fs::rename(sandbox.path("src/.v.tmp"), sandbox.path("src/v")).unwrap();
}

fn events(sandbox: &Sandbox, event: &str) -> Vec<Value> {
    let out = sandbox.nagaya(&["events", "--json"]).good().out;
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

#[test]
fn a_save_restarts_the_service_however_it_is_made() {
    for account in Account::all() {
        for network in ["pod", "env"] {
            let sandbox = sandbox(account, network);
            let other = sandbox.pid("other");
            replace(&sandbox, "renamed over");
            runs_with(&sandbox, "renamed over");
            sandbox.write("src/v", "written in place\n");
            runs_with(&sandbox, "written in place");
            fs::remove_file(sandbox.path("src/v")).unwrap();
            sandbox.write("src/v", "deleted and made\n");
            runs_with(&sandbox, "deleted and made");
            fs::remove_dir_all(sandbox.path("src")).unwrap();
            sandbox.write("src/v", "in a new folder\n");
            runs_with(&sandbox, "in a new folder");
            let count = ran(&sandbox).len();
            sandbox.write("src/deep/er/x", "");
            until("a file in a new folder counts", || ran(&sandbox).len() > count);
            assert_eq!(sandbox.pid("other"), other, "others run on");
            let changed = events(&sandbox, "changed");
            assert_eq!(changed[0]["service"], "web");
            assert_eq!(changed[0]["message"], "src/v changed: restart");
        }
    }
}

#[test]
fn another_branch_restarts_what_differs_in_it() {
    let sandbox = sandbox(Account::Own, "pod");
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
        finish(Command::new("git").args(identity).args(words).current_dir(sandbox.path(""))).good();
    };
    git(&["init", "-q"]);
    git(&["add", "src", "nagaya.yaml"]);
    git(&["commit", "-qm", "one"]);
    git(&["checkout", "-qb", "two"]);
    sandbox.write("src/v", "second\n");
    runs_with(&sandbox, "second");
    git(&["commit", "-qam", "two"]);
    git(&["checkout", "-q", "main"]);
    runs_with(&sandbox, "first");
    git(&["checkout", "-q", "two"]);
    runs_with(&sandbox, "second");
}

#[test]
fn fifty_saves_are_one_restart_after_the_last() {
    let sandbox = sandbox(Account::Own, "pod");
    for save in 1..=50 {
        replace(&sandbox, &save.to_string());
    }
    runs_with(&sandbox, "50");
    until("it is up again", || sandbox.row("web")["state"] == "running");
    // On a busy machine the saves themselves may have pauses; usually it is one.
    assert!(ran(&sandbox).len() <= 5, "{:?}", ran(&sandbox));
    assert_eq!(ran(&sandbox).iter().filter(|text| *text == "50").count(), 1);
}

#[test]
fn what_was_stopped_stays_so_and_what_failed_is_tried_again() {
    let sandbox = Sandbox::new("name: fails\nservices:\n  web: { command: 'sh src/run', watch: [src] }\n");
    sandbox.write("src/run", "exit 3");
    sandbox.nagaya(&["up", "-d", "--wait"]).ended(1);
    sandbox.write("src/run", "exec sleep infinity");
    until("it runs", || sandbox.row("web")["state"] == "running");
    sandbox.nagaya(&["stop", "web"]).good();
    let before = events(&sandbox, "changed").len();
    sandbox.write("src/run", "echo again; exec sleep infinity");
    // A change of the manifest is seen by the same thread, after that one.
    sandbox.write(
        "nagaya.yaml",
        "name: fails\nservices:\n  web: { command: 'sh src/run', watch: [src] }\n  b: { command: sleep 60 }\n",
    );
    until("b runs", || sandbox.nagaya(&["ps", "--names"]).good().out.contains('b'));
    assert_eq!((events(&sandbox, "changed").len(), &sandbox.row("web")["state"]), (before, &"stopped".into()));
}

#[test]
fn a_change_may_be_a_signal_or_a_command() {
    let sandbox = Sandbox::new(
        r#"
name: others
services:
  web:
    command: [python3, -u, -c, "import signal, time; signal.signal(signal.SIGUSR1, lambda *_: open('got', 'a').write('x')); open('up', 'w'); [time.sleep(1) for _ in range(1000)]"]
    ports: { http: 8080 }
    readiness: { exec: test -e up, period: 50ms }
    watch:
      - { paths: conf, action: signal, signal: USR1 }
      - { paths: "*.sql", action: run, command: "echo $PORT in $(hostname) >> migrated" }
"#,
    );
    sandbox.write("conf", "1");
    sandbox.up();
    let pid = sandbox.pid("web");
    sandbox.write("conf", "2");
    until("it got the signal", || sandbox.path("got").exists());
    sandbox.write("a.sql", "");
    until("the command ran", || fs::read_to_string(sandbox.path("migrated")).is_ok_and(|text| text.ends_with('\n')));
    assert_eq!(fs::read_to_string(sandbox.path("migrated")).unwrap().lines().next(), Some("8080 in web"));
    assert_eq!(sandbox.pid("web"), pid, "nothing was restarted");
}

#[test]
fn a_rebuild_that_fails_leaves_the_old_one_running() {
    let sandbox = Sandbox::new(
        "name: builds\nservices:\n  web:\n    command: 'cat built >> ran; exec sleep infinity'\n    \
         setup: [{ command: 'grep good src/v || { echo no good here; exit 1; }; cp src/v built; echo was built', inputs: [none] }]\n    \
         watch: { paths: src, action: rebuild }\n",
    );
    sandbox.write("src/v", "good 1\n");
    sandbox.up();
    let pid = sandbox.pid("web");
    sandbox.write("src/v", "bad\n");
    until("the failure is told", || !events(&sandbox, "failed").is_empty());
    let told = events(&sandbox, "failed")[0]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("exited with 1; what runs is the old one"), "{told}");
    let reason = "the old version serves, as the rebuild failed: ";
    let row = sandbox.row("web");
    assert!(row["stale"] == true && row["reason"].as_str().unwrap().starts_with(reason), "{row}");
    assert!(sandbox.nagaya(&["ps"]).good().out.contains(reason));
    assert!(sandbox.nagaya(&[]).good().out.contains(reason));
    sandbox.nagaya(&["up", "-d"]).good().says(&[reason]);
    let why = sandbox.nagaya(&["why", "web"]).good().out;
    assert!(why.contains(reason) && why.contains("the last lines of web's rebuild:\n    no good here\n"), "{why}");
    assert!(!why.contains("    was built"), "nothing of the build before: {why}");
    assert_eq!(sandbox.pid("web"), pid);
    sandbox.write("src/v", "good 2\n");
    runs_with(&sandbox, "good 2");
    assert_eq!(ran(&sandbox), ["good 1", "good 2"]);
    until("it is up again", || sandbox.row("web")["state"] == "running");
    let row = sandbox.row("web");
    assert!(row["stale"] == false && row["reason"].is_null(), "{row}");
}

#[test]
fn a_limit_that_is_reached_is_told_with_its_figure() {
    let sandbox = Sandbox::of(
        Account::unprivileged(),
        "name: huge\nservices:\n  web: { command: sleep infinity, watch: [src] }\n",
    );
    // A limit of its own, in a user namespace of its own: nobody else's watches count there.
    for folder in 0..40 {
        sandbox.write(&format!("src/{folder}/x"), "");
    }
    let binary = crate::support::sandbox::binary().display();
    let script = format!(
        "echo 20 > /proc/sys/user/max_inotify_watches && {binary} up -d && \
         until {binary} ps 2>&1 | grep 'are not watched'; do :; done; {binary} down"
    );
    let run = finish(sandbox.command("unshare").args(["--user", "--map-root-user", "sh", "-c", &script])).good();
    assert!(run.out.contains("src/") && run.out.contains("max_inotify_watches"), "{run:?}");
    sandbox.empties();
}

#[test]
fn a_watcher_that_nobody_disturbs_never_wakes_up() {
    let sandbox = sandbox(Account::Own, "env");
    replace(&sandbox, "warm");
    runs_with(&sandbox, "warm");
    until("it is up again", || sandbox.row("web")["state"] == "running");
    let engine = sandbox.engine()["pid"].as_u64().unwrap();
    let thread = fs::read_dir(format!("/proc/{engine}/task"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .find(|path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "nagaya-watch"));
    let thread = thread.expect("there is such a thread");
    let woken = || {
        let status = fs::read_to_string(thread.join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = woken();
    // Reading and appending are no changes.
    let mut log = fs::OpenOptions::new().append(true).open(sandbox.path("src/v")).unwrap();
    for _ in 0..100 {
        fs::read(sandbox.path("src/v")).unwrap();
        std::io::Write::write_all(&mut log, b"line\n").unwrap();
    }
    assert_eq!(woken(), before);
    signal("0", u32::try_from(engine).unwrap());
}
