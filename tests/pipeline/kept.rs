//! Results of tasks among services: kept and put back by `run` and by the engine alike.

use std::fs;

use super::services::{CALL, SERVER};
use crate::support::sandbox::{Account, Sandbox, binary, finish, until};

/// The engine's own runs of a task keep what it made, and put it back, as `run` does.
#[test]
fn what_services_need_is_kept_too() {
    for account in Account::all() {
        let sandbox = Sandbox::of(
            account,
            "services:
  app: { command: 'cat made; sleep 1000', depends_on: { gen: completed } }
  late: { command: 'touch late; sleep 1000', depends_on: { half: completed }, profiles: [late] }
  db: { command: [python3, server.py, db], ports: { http: 8080 } }
tasks:
  half: { command: 'touch half; exec sleep 1000', inputs: [], outputs: [half] }
  base: { command: 'cp seed based; echo x >> bases', inputs: [seed], outputs: [based] }
  gen: { command: 'python3 call.py db > made; echo told; echo x >> gens', inputs: [based], outputs: [made],
         depends_on: [base, db], env: [FLAVOUR], environment: { STORE: '${db.url}' } }
",
        );
        sandbox.write("server.py", SERVER);
        sandbox.write("call.py", CALL);
        sandbox.write("seed", "1");
        let count = |file: &str| fs::read_to_string(sandbox.path(file)).unwrap_or_default().lines().count();
        sandbox.nagaya(&["up", "-d", "--wait"]).good();
        assert_eq!((count("bases"), count("gens")), (1, 1));
        let why = sandbox.nagaya(&["why", "gen"]).good().out;
        assert!(why.contains("would not run: its result is there"), "{why}");
        sandbox.nagaya(&["down"]).good();
        fs::remove_file(sandbox.path("made")).unwrap();
        // Neither another boot nor `run` does it again.
        sandbox.nagaya(&["up", "-d", "--wait"]).good();
        assert_eq!(fs::read_to_string(sandbox.path("made")).unwrap(), "db\n");
        let log = sandbox.nagaya(&["logs", "gen"]).good().out;
        assert!(log.contains("told"), "{log}");
        sandbox.nagaya(&["run", "gen"]).good();
        assert_eq!((count("bases"), count("gens")), (1, 1));
        sandbox.nagaya(&["down"]).good();
        sandbox.write("seed", "2");
        sandbox.nagaya(&["up", "-d", "--wait"]).good();
        assert_eq!((count("bases"), count("gens")), (2, 2));
        // What was ended in the middle has not completed.
        sandbox.nagaya(&["up", "-d", "late"]).good();
        until("it is under way", || sandbox.path("half").exists());
        sandbox.nagaya(&["kill", "-s", "TERM", "half"]).good();
        sandbox.nagaya(&["wait", "half", "--timeout", "20s"]).ended(1);
        assert!(!sandbox.path("late").exists());
        assert_eq!(sandbox.nagaya(&["logs", "half"]).good().out, "");
        sandbox.nagaya(&["down"]).good();
    }
}

/// An address that is one workspace's own is no use to another.
#[test]
fn what_was_made_of_an_address_is_not_for_other_workspaces() {
    for (command, more) in [("echo $$A > made", ", environment: { A: '${db.url}' }"), ("echo $$DB_URL > made", "")] {
        let manifest = |name: &str| format!("name: {name}\nnetwork: env\n{}", makes(command, more));
        let sandbox = served(&manifest("one"));
        sandbox.nagaya(&["run", "gen"]).good();
        assert!(sandbox.nagaya(&["run", "--dry-run", "gen"]).good().out.starts_with("cached"));
        sandbox.write("nagaya.yaml", manifest("two"));
        assert!(sandbox.nagaya(&["run", "--dry-run", "gen"]).good().out.starts_with("run "));
    }
}

fn served(manifest: &str) -> Sandbox {
    let sandbox = Sandbox::of(Account::Own, manifest);
    sandbox.write("server.py", SERVER);
    sandbox
}

/// A database, a task `gen` that makes a file of what it is told to write, and those who need that.
fn makes(command: &str, more: &str) -> String {
    format!(
        "services:
  db: {{ command: [python3, server.py, db], ports: {{ http: 8080 }} }}
  web: {{ command: sleep 1000, depends_on: {{ gen: completed }} }}
tasks:
  call: {{ command: 'true', depends_on: [web] }}
  gen: {{ command: '{command}; echo x >> gens', depends_on: [db], inputs: [], outputs: [made]{more} }}
"
    )
}

fn made(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("made")).unwrap_or_default()
}

fn times(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.path("gens")).unwrap_or_default().lines().count()
}

/// Whoever has the place of a task waits for nobody who waits for that place.
#[test]
fn a_run_and_the_engine_want_the_same_task_and_both_get_it() {
    let sandbox = served(&makes("sleep 0.2; echo y > made", ""));
    sandbox.nagaya(&["run", "gen", "call"]).good();
    assert_eq!((made(&sandbox).as_str(), times(&sandbox)), ("y\n", 1));
    sandbox.empties();
    let runs = [&["run", "--force", "gen"][..], &["up", "-d", "--wait"]].map(|words| sandbox.start(words));
    runs.into_iter().for_each(|run| drop(run.end().good()));
    sandbox.nagaya(&["down"]).good();
}

/// What the manifest says by now is not what the engine runs, as long as the engine does not take it.
#[test]
fn a_result_is_kept_as_that_of_the_command_that_made_it() {
    let before = makes("echo before > made", "").replace("services:", "name: before\nservices:");
    let sandbox = served(&before);
    sandbox.nagaya(&["up", "-d", "--wait", "db"]).good();
    // Another name is refused, and all is as it was.
    let after = makes("echo after > made", "").replace("services:", "name: after\nservices:");
    sandbox.write("nagaya.yaml", &after);
    until("the edit is refused", || sandbox.nagaya(&["ps"]).good().err.contains("as it was before"));
    sandbox.nagaya(&["start", "web"]).good();
    assert_eq!(made(&sandbox), "before\n");
    sandbox.write("nagaya.yaml", "services: [\n");
    fs::remove_file(sandbox.path("made")).unwrap();
    until("the edit is refused", || sandbox.nagaya(&["ps"]).good().err.contains("nagaya.yaml"));
    sandbox.nagaya(&["restart", "gen"]).good();
    until("it is put back", || made(&sandbox) == "before\n");
    sandbox.nagaya(&["down"]).good();
    sandbox.write("nagaya.yaml", &after);
    sandbox.nagaya(&["run", "gen"]).good();
    assert_eq!((made(&sandbox).as_str(), times(&sandbox)), ("after\n", 2));
}

/// Neither the addresses that it gets nor what it sets for itself say where results are, or which one it is.
#[test]
fn what_a_task_has_in_its_environment_does_not_move_its_result() {
    let more = ", environment: { HOME: /nowhere, XDG_CACHE_HOME: /nowhere/cache, XDG_STATE_HOME: /nowhere/state }";
    let sandbox = served(&makes("echo ${DB_URL:-none} > made", more));
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    sandbox.nagaya(&["down"]).good();
    sandbox.nagaya(&["run", "gen"]).good();
    assert_eq!((made(&sandbox).as_str(), times(&sandbox)), ("none\n", 1));
}

/// One key has one environment, whoever runs it in whatever shell.
#[test]
fn a_shell_does_not_stand_in_for_what_a_task_gets() {
    let manifest = makes("echo $$DB_PORT $$STORE $$SECRET > made", ", environment: { STORE: '${db.port}' }");
    let sandbox = served(&manifest.replace("services:", "network: env\nservices:"));
    let in_shell = |words: &[&str]| {
        let mut command = sandbox.command(binary());
        finish(command.args(words).envs([("DB_PORT", "prod"), ("STORE", "prod"), ("SECRET", "told")])).good();
        made(&sandbox)
    };
    let is_right = |made: &str| {
        let words: Vec<&str> = made.split_whitespace().collect();
        matches!(words.as_slice(), [port, store] if port == store && port.parse::<u16>().is_ok())
    };
    let by_run = in_shell(&["run", "--force", "gen"]);
    assert!(is_right(&by_run), "{by_run}");
    in_shell(&["up", "-d", "--wait", "db"]);
    // The engine's shell is not that of whoever runs the task.
    sandbox.nagaya(&["run", "--force", "gen"]).good();
    assert!(is_right(&made(&sandbox)), "{}", made(&sandbox));
    fs::remove_file(sandbox.path("made")).unwrap();
    in_shell(&["restart", "gen"]);
    until("it is there again, and right", || is_right(&made(&sandbox)));
    sandbox.nagaya(&["down"]).good();
}

/// The task's own word goes before the one for all.
#[test]
fn a_value_of_its_own_counts_where_others_take_the_shells() {
    let manifest = |value: u8| {
        format!(
            "environment: [X]\nservices: {{}}\ntasks:\n  t: {{ command: 'echo $$X', environment: {{ X: '{value}' }}, inputs: [], outputs: [] }}\n"
        )
    };
    let sandbox = Sandbox::new(&manifest(1));
    assert_eq!(sandbox.nagaya(&["run", "t"]).good().out, "1\n");
    sandbox.write("nagaya.yaml", manifest(2));
    assert_eq!(sandbox.nagaya(&["run", "t"]).good().out, "2\n");
}

/// What a running service has used stays with it; who starts gets what the files are now.
#[test]
fn who_starts_gets_what_is_made_of_the_inputs_as_they_are() {
    let sandbox = served(&makes("cat seed > made", "").replace("inputs: []", "inputs: [seed]"));
    sandbox.write("seed", "1");
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    sandbox.write("seed", "2");
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    assert_eq!(made(&sandbox), "1");
    sandbox.nagaya(&["stop", "web"]).good();
    sandbox.nagaya(&["up", "-d", "--wait", "web"]).good();
    assert_eq!((made(&sandbox).as_str(), times(&sandbox)), ("2", 2));
    sandbox.write("seed", "3");
    sandbox.nagaya(&["restart", "web"]).good();
    assert_eq!((made(&sandbox).as_str(), times(&sandbox)), ("3", 3));
    sandbox.nagaya(&["restart", "web"]).good();
    assert_eq!(times(&sandbox), 3);
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn what_comes_before_counts_through_those_whose_results_are_not_kept() {
    let sandbox = Sandbox::new(
        "services: { web: { command: sleep 1000, depends_on: { last: completed } } }
tasks:
  first: { command: 'echo $$V > one', env: [V], inputs: [], outputs: [one] }
  middle: { command: 'cp one two', depends_on: [first] }
  last: { command: 'cp two three; echo x >> lasts', depends_on: [middle], inputs: [], outputs: [three] }
",
    );
    let last = |words: &[&str], value: &str| {
        finish(sandbox.command(binary()).args(words).env("V", value)).good();
        let lasts = fs::read_to_string(sandbox.path("lasts")).unwrap();
        (fs::read_to_string(sandbox.path("three")).unwrap(), lasts.lines().count())
    };
    assert_eq!(last(&["run", "last"], "1"), ("1\n".into(), 1));
    assert_eq!(last(&["run", "last"], "2"), ("2\n".into(), 2));
    // The engine runs the one between whenever it looks for the one before, and keeps nothing that was made of that.
    assert_eq!(last(&["up", "-d", "--wait"], "3"), ("3\n".into(), 3));
    assert_eq!(last(&["run", "first"], "4"), ("3\n".into(), 3));
    assert_eq!(last(&["restart", "last"], "4").0, "3\n");
    until("it has run", || last(&["why", "last"], "4").1 == 4);
    sandbox.nagaya(&["down"]).good();
    assert_eq!(last(&["run", "last"], "4"), ("4\n".into(), 5));
}

/// What a task before it made is known, or nothing is kept of what was made of it.
#[test]
fn what_was_made_of_another_result_is_not_kept_as_of_this_one() {
    let sandbox = Sandbox::new(
        "tasks:
  q: { command: 'touch begun; while test -e hold; do sleep 0.01; done; cat in > out', inputs: [in], outputs: [out] }
  r: { command: 'touch second; while test -e wait; do sleep 0.01; done; cat out', inputs: [], outputs: [], depends_on: [q] }
",
    );
    let run = |word: &str| sandbox.nagaya(&["run", word]).good().out;
    // Its input changes while the first one runs.
    sandbox.write("in", "old");
    sandbox.write("hold", "");
    let under_way = sandbox.start(&["run", "r"]);
    until("it runs", || sandbox.path("begun").exists());
    sandbox.write("in", "new");
    fs::remove_file(sandbox.path("hold")).unwrap();
    under_way.end().good().says(&["input in was changed while it ran", "the result of a task before it was not kept"]);
    sandbox.write("in", "old");
    assert!(run("r").contains("old"));
    // Another run replaces what the second one reads.
    sandbox.write("wait", "");
    sandbox.write("in", "a");
    fs::remove_file(sandbox.path("second")).unwrap();
    let under_way = sandbox.start(&["run", "r"]);
    until("the second runs", || sandbox.path("second").exists());
    sandbox.write("in", "b");
    run("q");
    fs::remove_file(sandbox.path("wait")).unwrap();
    under_way.end().good().says(&["a task before it was run anew while it ran"]);
    sandbox.write("in", "a");
    assert!(run("r").contains('a'));
    // By way of one that keeps nothing it reads it too.
    sandbox.write(
        "nagaya.yaml",
        "tasks:
  q: { command: 'cat in > out', inputs: [in], outputs: [out] }
  late: { command: 'touch begun; while test -e wait; do sleep 0.01; done; cat out > more', depends_on: [q] }
  l: { command: 'cat more', inputs: [], outputs: [], depends_on: [late] }
",
    );
    sandbox.write("wait", "");
    fs::remove_file(sandbox.path("begun")).unwrap();
    let under_way = sandbox.start(&["run", "l"]);
    until("the one between runs", || sandbox.path("begun").exists());
    sandbox.write("in", "b");
    run("q");
    fs::remove_file(sandbox.path("wait")).unwrap();
    under_way.end().good().says(&["a task before it was run anew while it ran"]);
    sandbox.write("in", "a");
    assert!(run("l").contains('a'));
    // What is made anew of the same may be something else.
    sandbox.write("nagaya.yaml", "tasks: { m: { command: 'cat hidden > out', inputs: [], outputs: [out] }, n: { command: 'cat out', inputs: [], outputs: [], depends_on: [m] } }\n");
    sandbox.write("hidden", "1");
    assert!(run("n").contains('1'));
    sandbox.write("hidden", "2");
    sandbox.nagaya(&["run", "--force", "m"]).good();
    assert!(run("n").contains('2'));
}

/// A deploy is run by people.
#[test]
fn an_edit_runs_no_task_that_no_service_waits_for() {
    let manifest = |word: &str| {
        format!(
            "services:
  web: {{ command: sleep 1000, depends_on: {{ gen: completed }} }}
tasks:
  gen: {{ command: 'echo {word} >> gens' }}
  deploy: {{ command: 'echo $$TARGET {word} >> deploys', depends_on: [web] }}
"
        )
    };
    let sandbox = Sandbox::new(&manifest("one"));
    let text = |file: &str| fs::read_to_string(sandbox.path(file)).unwrap_or_default();
    finish(sandbox.command(binary()).args(["up", "-d", "--wait"]).env("TARGET", "engine")).good();
    // The shell is that of whoever runs it.
    finish(sandbox.command(binary()).args(["run", "deploy"]).env("TARGET", "own")).good();
    assert_eq!((text("gens").as_str(), text("deploys").as_str()), ("one\n", "own one\n"));
    sandbox.write("nagaya.yaml", manifest("two"));
    until("what a service waits for has run again", || text("gens") == "one\ntwo\n");
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    assert_eq!(text("deploys"), "own one\n");
    sandbox.nagaya(&["down"]).good();
}
