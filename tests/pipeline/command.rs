//! The command: names, arguments, output, codes.

use serde_json::Value;

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish};

const TASKS: &str = "name: shop
services: { web: { command: sleep 1000 } }
tasks:
  generate: { command: 'echo generated', description: Make code }
  build: { command: [echo, built], depends_on: [generate] }
  lint: echo linted
  all: { command: 'echo all', depends_on: [build, lint] }
  fails: exit 3
  after: { command: 'echo never', depends_on: [fails] }
  words: { command: ['printf', '<%s>'] }
  line: printf '<%s>' first
";

/// The states of `--json`, one a line as `task state code`.
fn states(run: &Run) -> Vec<String> {
    let lines = run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let states = lines.filter(|line| line["event"] == "state");
    states
        .map(|it| format!("{} {} {}", it["task"].as_str().unwrap(), it["state"].as_str().unwrap(), it["code"]))
        .collect()
}

#[test]
fn what_is_needed_runs_first_and_once() {
    let sandbox = Sandbox::new(TASKS);
    let run = sandbox.nagaya(&["run", "all", "build", "--json", "-j", "1"]).good();
    let wanted = ["generate", "build", "lint", "all"];
    let completed: Vec<String> = wanted.iter().map(|task| format!("{task} completed 0")).collect();
    let mut seen: Vec<String> = states(&run).into_iter().filter(|it| it.contains("completed")).collect();
    assert_eq!(seen.pop(), completed.last().cloned());
    seen.sort();
    assert_eq!(seen, ["build completed 0", "generate completed 0", "lint completed 0"]);
    let first: Value = serde_json::from_str(run.out.lines().next().unwrap()).unwrap();
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["time", "event", "task", "state", "message", "code", "cached", "duration_ms"]);
}

#[test]
fn one_task_writes_as_it_would_alone() {
    let sandbox = Sandbox::new(TASKS);
    let run = sandbox.nagaya(&["run", "lint"]).good();
    assert_eq!((run.out.as_str(), run.err.as_str()), ("linted\n", ""));
    let run = finish(sandbox.command(binary()).args(["run", "echo"]).stdin({
        sandbox.write("nagaya.yaml", "tasks: { echo: cat }\n");
        sandbox.write("input", "from us\n");
        std::fs::File::open(sandbox.path("input")).unwrap()
    }));
    assert_eq!(run.good().out, "from us\n");
}

#[test]
fn lines_have_their_tasks_names() {
    let sandbox = Sandbox::new(TASKS);
    let run = sandbox.nagaya(&["run", "build", "lint", "-j", "1", "--output", "prefixed"]).good();
    let mut lines: Vec<&str> = run.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["build    | built", "generate | generated", "lint     | linted"]);
    run.says(&["3 tasks in", "3 done"]);
    let run = sandbox.nagaya(&["run", "fails", "lint", "--keep-going", "-j", "1", "--output", "grouped"]).ended(3);
    let lines: Vec<&str> = run.out.lines().collect();
    assert!(lines[0].starts_with("lint done") && lines[1] == "linted", "{lines:?}");
    assert!(lines[2].starts_with("fails failed with 3"), "{lines:?}");
}

#[test]
fn github_folds_groups() {
    let sandbox = Sandbox::new(TASKS);
    let mut command = sandbox.command(binary());
    let run = finish(command.args(["run", "lint", "--output", "grouped"]).env("GITHUB_ACTIONS", "true")).good();
    assert!(
        run.out.starts_with("::group::lint done in ") && run.out.ends_with("\nlinted\n::endgroup::\n"),
        "{}",
        run.out
    );
}

#[test]
fn a_failure_is_passed_on_and_stops_what_needs_it() {
    let sandbox = Sandbox::new(TASKS);
    let run = sandbox.nagaya(&["run", "after"]).ended(3);
    assert_eq!(run.out, "");
    run.says(&["after | not run: it needs fails", "1 failed, 1 not run"]);
    // One at a time, the longest chain begins: `fails` holds up `after`.
    sandbox.nagaya(&["run", "after", "lint", "-j", "1"]).ended(3).says(&["lint  | not run, as fails failed"]);
    let run = sandbox.nagaya(&["run", "after", "lint", "-j", "1", "--keep-going"]).ended(3);
    assert_eq!(run.out, "lint  | linted\n");
}

#[test]
fn codes_are_the_programs_own() {
    let sandbox = Sandbox::new("");
    sandbox.write("there", "not executable");
    std::fs::set_permissions(sandbox.path("there"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    sandbox.write(
        "nagaya.yaml",
        "tasks:
  missing: [no-such-program]
  closed: [./there]
  killed: ['sh', '-c', 'kill -9 $$$$']
  gone: { command: 'true', working_dir: sub }
",
    );
    sandbox.write("sub/x", "");
    sandbox.nagaya(&["run", "missing"]).ended(127).says(&["error: `no-such-program` cannot be found"]);
    sandbox.nagaya(&["run", "closed"]).ended(126).says(&["error: `./there` may not be executed"]);
    sandbox.nagaya(&["run", "killed"]).ended(137);
    std::fs::remove_dir_all(sandbox.path("sub")).unwrap();
    sandbox.nagaya(&["run", "gone"]).ended(125).says(&["there is no folder `sub`"]);
    sandbox.write("nagaya.yaml", "tasks: { a: { command: x, colour: red } }\n");
    sandbox.nagaya(&["run", "a"]).ended(125).says(&["a task has no key `colour`"]);
}

#[test]
fn arguments_are_words_and_never_parsed_again() {
    let sandbox = Sandbox::new(TASKS);
    let words = ["run", "words", "--", "a b", "$HOME", "-x", "*"];
    assert_eq!(sandbox.nagaya(&words).good().out, "<a b><$HOME><-x><*>");
    let words = ["run", "line", "--", "a b", "$HOME"];
    assert_eq!(sandbox.nagaya(&words).good().out, "<first><a b><$HOME>");
}

#[test]
fn a_service_is_not_run_by_another_tool() {
    let sandbox = Sandbox::new("name: shop\nservices: { users: { command: 'true' } }\n");
    sandbox.write("compose.yaml", "services: { users: { image: users }, other: { image: other } }\n");
    sandbox.nagaya(&["run", "users"]).ended(125).says(&["`users` is a service, and no task", "nagaya up users"]);
    sandbox.nagaya(&["run", "--dry-run", "other"]).good();
}

#[test]
fn names_are_helped_with() {
    let sandbox = Sandbox::new(TASKS);
    sandbox.nagaya(&["run", "biuld"]).ended(125).says(&["there is no task `biuld`", "did you mean `build`?"]);
    sandbox.nagaya(&["run", "web"]).ended(125).says(&[
        "`web` is a service, and no task",
        "`nagaya up web`",
        "`nagaya exec web -- COMMAND`",
    ]);
    sandbox.nagaya(&["run"]).ended(125).says(&["no task is named", "`nagaya tasks` lists them"]);
    sandbox.nagaya(&["run", "--jobs", "0", "lint"]).ended(2);
}

#[test]
fn what_matters_to_other_tasks_is_not_said() {
    let sandbox = Sandbox::new("tasks:\n  half: { command: 'true', outputs: [out] }\n  other: { command: 'true' }\n");
    assert_eq!(sandbox.nagaya(&["run", "other"]).good().err, "");
    let warned = "`half` has no `inputs`, so it runs every time";
    sandbox.nagaya(&["run", "half"]).good().says(&[warned]);
    sandbox.nagaya(&["check"]).good().says(&[warned]);
}

#[test]
fn a_service_is_waited_for_as_long_as_is_said() {
    let never = "services: { db: { command: sleep infinity, readiness: { exec: ['false'] } } }";
    let sandbox =
        Sandbox::new(&format!("name: shop\n{never}\ntasks: {{ call: {{ command: 'true', depends_on: [db] }} }}\n"));
    sandbox.nagaya(&["run", "--wait-timeout", "1s", "call"]).ended(125).says(&["db"]);
    sandbox.empties();
}

#[test]
fn why_and_dry_run_tell_what_a_run_does() {
    let sandbox = Sandbox::new(
        "tasks:
  nothing: { command: 'true', inputs: [], outputs: [dist] }
  echo: { command: [echo], inputs: [], outputs: [] }
  odd: { command: 'true', inputs: [], outputs: [], tools: [no-such-tool] }
  after: { command: 'true', depends_on: [odd], inputs: [], outputs: [] }
",
    );
    let why = |task: &str| sandbox.nagaya(&["why", task]).good().out;
    sandbox.nagaya(&["run", "nothing"]).good();
    let wanted = "would run: its last result was not kept: it made nothing that its `outputs` name (dist)";
    assert_eq!(why("nothing"), format!("nothing {wanted}\n"));
    sandbox.write("dist", "x");
    sandbox.nagaya(&["run", "nothing"]).good();
    assert_eq!(why("nothing"), "nothing would not run: its result is there\n");
    sandbox.nagaya(&["run", "echo"]).good();
    sandbox.nagaya(&["run", "echo", "--", "extra"]).good();
    assert_eq!(why("echo"), "echo would not run: its result is there\n");
    // What came before it may have been anything.
    let unknown = "the result of a task before it was not kept";
    sandbox.nagaya(&["run", "after"]).good().says(&[&format!("its result is not kept: {unknown}")]);
    assert_eq!(why("after"), format!("after would run: its result cannot be kept: {unknown}\n"));
    sandbox.nagaya(&["run", "after"]).good().says(&["2 done"]);
}

const PACKAGE: &str = r#"{"name": "users", "scripts": {"test": "echo tested", "odd name; exit 9": "true"}}"#;

#[test]
fn found_tasks_run_by_short_and_full_names() {
    let sandbox = Sandbox::new("name: shop\ntasks: { lint: echo ours }\n");
    sandbox.write("Makefile", "MODE ?= dev\ntest: ; @echo made $(MODE) in $(notdir $(CURDIR))\nlint: ; @echo theirs\n");
    sandbox.write("services/users/Makefile", "test: ; @echo users\nonly: ; @echo only\n");
    sandbox.write("services/users/justfile", "only:\n  echo just\n");
    let out = |words: &[&str]| sandbox.nagaya(&[&["run"], words].concat()).good().out;
    assert_eq!(out(&["test"]), "made dev in work\n");
    assert_eq!(out(&["test", "--", "MODE=x"]), "made x in work\n");
    assert_eq!(out(&["users:test"]), "users\n");
    assert_eq!(out(&["services/users:make:test"]), "users\n");
    assert_eq!(out(&["services/users:make:only"]), "only\n");
    // The manifest's own goes first; the other has its full name.
    assert_eq!((out(&["lint"]).as_str(), out(&["make:lint"]).as_str()), ("ours\n", "theirs\n"));
    sandbox.nagaya(&["run", "only"]).ended(125).says(&[
        "`only` may mean 2 tasks",
        "nagaya run services/users:make:only",
        "nagaya run services/users:just:only",
    ]);
    // From its own folder the nearest is meant.
    let mut command = sandbox.command(binary());
    let run = finish(command.args(["run", "test"]).current_dir(sandbox.path("services/users"))).good();
    assert_eq!(run.out, "users\n");
}

#[test]
fn a_name_is_never_a_shells_line() {
    let sandbox = Sandbox::of(Account::unprivileged(), "");
    sandbox.write("package.json", PACKAGE);
    sandbox.write("bin/npm", "#!/bin/sh\nprintf '<%s>' \"$@\"\n");
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    let run = |words: &[&str]| finish(sandbox.command(binary()).args(words).env("PATH", &path)).good().out;
    assert_eq!(run(&["run", "odd name; exit 9"]), "<run><odd name; exit 9>");
    // npm takes arguments behind `--` alone.
    assert_eq!(run(&["run", "test", "--", "-x", "a b"]), "<run><test><--><-x><a b>");
}

#[test]
fn a_program_that_is_missing_or_somebody_elses_is_said() {
    let sandbox = Sandbox::new("");
    sandbox.write("Taskfile.yml", "version: '3'\ntasks: {build: make}\n");
    sandbox.write("bin/task", "#!/usr/bin/python3\nfrom taskipy.cli import main\nmain()\n");
    let path = |path: &str| finish(sandbox.command(binary()).args(["run", "build"]).env("PATH", path));
    path(sandbox.path("bin").to_str().unwrap()).ended(126).says(&["which is taskipy, and this task needs go-task"]);
    path("/nowhere").ended(127).says(&["`task` is not on PATH", "install task"]);
}

#[test]
fn the_pipeline_is_drawn() {
    let sandbox = Sandbox::new(TASKS);
    let run = sandbox.nagaya(&["run", "all", "--graph"]).good();
    assert_eq!(run.out, "all\n├─ build\n│  └─ generate\n└─ lint\n");
    let dot = sandbox.nagaya(&["run", "all", "--graph=dot"]).good().out;
    assert!(dot.contains("\"generate\" -> \"build\";"), "{dot}");
    assert!(sandbox.nagaya(&["run", "all", "--graph=mermaid"]).good().out.starts_with("flowchart LR\n"));
    let json = sandbox.nagaya(&["run", "all", "--graph", "--json"]).good().json();
    assert_eq!(json[3]["name"], "all");
    // Where none is named, all.
    let all = sandbox.nagaya(&["run", "--graph"]).good().out;
    let wanted = "all\n├─ build\n│  └─ generate\n└─ lint\nafter\n└─ fails\nwords\nline\n";
    assert_eq!(all, wanted);
    sandbox.write("nagaya.yaml", "services: { web: { command: sleep 1000 } }\n");
    sandbox.nagaya(&["run", "--graph"]).ended(125).says(&["the manifest declares no task", "run TASK --graph"]);
    assert!(!sandbox.path("made").exists());
}

#[test]
fn variables_come_in_their_order() {
    let sandbox = Sandbox::new(
        "environment: { A: top, B: top, C: top }
tasks:
  show: { command: 'echo $A $B $C $D $NAGAYA_TASK', environment: { A: own } }
",
    );
    sandbox.write(".env", "C=file\nD=file\n");
    let run = finish(sandbox.command(binary()).args(["run", "show"]).env("B", "shell").env("D", "shell")).good();
    assert_eq!(run.out, "own top top file show\n");
}
