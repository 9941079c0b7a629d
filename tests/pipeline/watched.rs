//! Runs that begin again whenever files have changed.

use std::fs;

use crate::support::sandbox::{Account, Running, Sandbox, until};

#[test]
fn a_watched_run_begins_again_when_files_have_changed() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "tasks:\n  show: { command: 'cat src/a && echo x >> count' }\n");
        sandbox.write("src/a", "one\n");
        let running = sandbox.start(&["run", "show", "--watch"]);
        // Whose `count` is, is known when the next run has written it too.
        until("it has run", || running.out() == "one\none\n");
        until("it waits", || running.err().contains("waiting for changes"));
        sandbox.write("src/a", "two!\n");
        until("it has run again", || running.out() == "one\none\ntwo!\n");
        until("it waits again", || running.err().matches("waiting for changes").count() == 2);
        sandbox.write("src/new/b", "");
        until("it has run for a new folder", || running.out() == "one\none\ntwo!\ntwo!\n");
        until("it waits once more", || running.err().matches("waiting for changes").count() == 3);
        assert!(!running.err().contains("exited"), "{}", running.err());
        fs::rename(sandbox.path("src/a"), sandbox.path("src/gone")).unwrap();
        until("a failure is told", || running.err().contains("the run exited with 1; waiting for changes"));
        running.signal("INT");
        running.end().ended(130);
        sandbox.empties();
        assert_eq!(fs::read_to_string(sandbox.path("count")).unwrap(), "x\n".repeat(4));
    }
}

/// Shows `src/a` and then waits for a word; whatever happens meanwhile happens during the run.
fn held(more: &str) -> Sandbox {
    let sandbox = Sandbox::new(&format!("tasks:\n  show: {{ command: ./show{more} }}\n"));
    sandbox.write(".gitignore", "begun\ngo\n");
    sandbox.write("src/a", "one\n");
    sandbox.write("show", "#!/bin/sh\ncat src/a\ntouch begun\nwhile [ ! -e go ]; do sleep 0.02; done\nrm begun go\n");
    sandbox
}

/// Changes files during one run, and lets that end.
fn during(sandbox: &Sandbox, files: &[(&str, &str)]) {
    until("a run has begun", || sandbox.path("begun").exists() && !sandbox.path("go").exists());
    files.iter().for_each(|(file, text)| sandbox.write(file, text));
    sandbox.write("go", "");
    until("it has ended", || !sandbox.path("go").exists());
}

fn waits(running: &Running, times: usize) {
    until("it waits", || running.err().matches("waiting for changes").count() >= times);
    assert_eq!(running.err().matches("waiting for changes").count(), times, "{}", running.err());
}

#[test]
fn what_is_saved_during_a_run_is_run_too_however_often() {
    for declared in ["", ", inputs: [src], outputs: []"] {
        let sandbox = held(declared);
        let running = sandbox.start(&["run", "show", "--watch"]);
        during(&sandbox, &[("src/a", "two\n"), ("src/new", "")]);
        during(&sandbox, &[("src/a", "three\n")]);
        during(&sandbox, &[("src/a", "four\n")]);
        during(&sandbox, &[]);
        waits(&running, 1);
        assert_eq!(running.out(), "one\ntwo\nthree\nfour\n");
        assert!(running.err().contains("src/a changed meanwhile: once more"), "{}", running.err());
        sandbox.write("src/a", "five\n");
        during(&sandbox, &[("src/a", "six\n")]);
        during(&sandbox, &[]);
        waits(&running, 2);
        assert_eq!(running.out(), "one\ntwo\nthree\nfour\nfive\nsix\n");
        running.signal("INT");
        running.end().ended(130);
    }
}

#[test]
fn what_tasks_write_is_no_reason_to_run_them_again() {
    let sandbox = Sandbox::new(
        "tasks:
  gen: { command: 'mkdir -p out && date +%N > out/gen && echo gen', inputs: [src], outputs: [out] }
  show: { command: 'cat src/a; cp src/a copy; date +%N > made; cat out/gen > /dev/null', depends_on: [gen] }
",
    );
    sandbox.write("src/a", "first\n");
    sandbox.write("copy", "");
    sandbox.write("out/gen", "");
    let running = sandbox.start(&["run", "show", "--watch", "--output", "grouped"]);
    waits(&running, 1);
    // A copy may have been somebody's, until it is seen twice that the next run writes the same.
    assert_eq!(running.out().matches("first").count(), 2, "{}", running.out());
    sandbox.write("src/a", "second\n");
    waits(&running, 2);
    assert_eq!(running.out().matches("second").count(), 2, "{}", running.out());
    sandbox.write("src/a", "third\n");
    waits(&running, 3);
    assert_eq!(running.out().matches("third").count(), 1, "{}", running.out());
    running.signal("INT");
    running.end().ended(130);
}

#[test]
fn a_task_that_always_changes_what_it_reads_comes_to_rest() {
    let sandbox =
        Sandbox::new("tasks:\n  show: { command: 'echo ran; date +%N >> src/a', inputs: [src], outputs: [] }\n");
    sandbox.write("src/a", "");
    let running = sandbox.start(&["run", "show", "--watch"]);
    waits(&running, 1);
    assert_eq!(running.out().matches("ran").count(), 10, "{}", running.out());
    assert!(running.err().contains("src/a is taken for what the runs write"), "{}", running.err());
    running.signal("INT");
    running.end().ended(130);
}

#[test]
fn a_task_that_always_makes_something_new_takes_breaks() {
    let sandbox = Sandbox::new("tasks:\n  show: { command: 'echo ran; touch src/$$(date +%N)' }\n");
    sandbox.write("src/a", "");
    let running = sandbox.start(&["run", "show", "--watch"]);
    waits(&running, 1);
    assert_eq!(running.out().matches("ran").count(), 10, "{}", running.out());
    assert!(running.err().contains("in the last of 10 runs on end; the next begins in 60s, or with a save"));
    sandbox.write("src/a", "saved");
    waits(&running, 2);
    assert!(running.out().matches("ran").count() > 10, "{}", running.out());
    running.signal("INT");
    running.end().ended(130);
}

#[test]
fn a_second_interrupt_of_a_watched_run_kills() {
    let sandbox =
        Sandbox::new("tasks:\n  show: { command: \"trap '' INT TERM; touch begun; while :; do sleep 1; done\" }\n");
    let running = sandbox.start_apart(&["run", "show", "--watch"]);
    until("it runs", || sandbox.path("begun").exists());
    running.signal("INT");
    until("it is asked to end", || running.err().contains("Ctrl-C"));
    let asked = std::time::Instant::now();
    running.signal("INT");
    running.end().ended(130);
    assert!(asked.elapsed() < std::time::Duration::from_secs(8), "the grace is not waited for: {:?}", asked.elapsed());
    sandbox.empties();
}

#[test]
fn a_watched_run_that_is_killed_leaves_nothing() {
    let sandbox = held("");
    let running = sandbox.start(&["run", "show", "--watch"]);
    until("it runs", || sandbox.path("begun").exists());
    running.signal("KILL");
    running.end().ended(137);
    sandbox.empties();
}
