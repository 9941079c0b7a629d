//! Results that are kept, as users see them.

use std::fs;

use crate::support::sandbox::{Run, Sandbox, binary, finish, until};

const TASKS: &str = "name: shop
tasks:
  build:
    command: echo building; echo oops >&2; mkdir -p dist; cat src/* > dist/all; echo x >> runs
    inputs: [src]
    outputs: [dist]
    env: [MODE]
  test:
    command: cat dist/all; echo x >> tests
    depends_on: [build]
    inputs: [dist/**, src/**]
    outputs: []
";

struct Project(Sandbox);

impl Project {
    fn new() -> Self {
        let sandbox = Sandbox::new(TASKS);
        sandbox.write("src/a", "1\n");
        sandbox.write("src/b", "2\n");
        Self(sandbox)
    }

    #[track_caller]
    fn build(&self) -> Run {
        self.0.nagaya(&["run", "build"]).good()
    }

    /// How often something ran.
    fn count(&self, file: &str) -> usize {
        fs::read_to_string(self.0.path(file)).map_or(0, |text| text.lines().count())
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.path(file)).unwrap()
    }

    #[track_caller]
    fn why(&self, task: &str) -> String {
        self.0.nagaya(&["why", task]).good().out
    }
}

#[test]
fn the_same_is_not_done_twice() {
    let project = Project::new();
    let first = project.build();
    assert_eq!((first.out.as_str(), first.err.as_str()), ("building\n", "oops\n"));
    fs::remove_dir_all(project.0.path("dist")).unwrap();
    let second = project.build();
    assert_eq!(second.out, "building\n");
    assert!(second.err.starts_with("oops\nbuild: from an earlier run, which took "), "{}", second.err);
    assert_eq!((project.count("runs"), project.text("dist/all").as_str()), (1, "1\n2\n"));
    let json = project.0.nagaya(&["run", "build", "--json"]).good().out;
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&last["state"], &last["cached"]), (&"completed".into(), &true.into()));
    project.0.nagaya(&["run", "build", "--force"]).good();
    assert_eq!(project.count("runs"), 2);
}

#[test]
fn whatever_matters_makes_it_run_and_why_says_what() {
    let project = Project::new();
    assert_eq!(project.why("build"), "build would run: it has not succeeded here yet\n");
    project.build();
    assert_eq!(project.why("build"), "build would not run: its result is there\n");
    project.0.write("src/a", "3\n");
    let why = project.why("build");
    assert_eq!(why, "build would run: input src/a was changed since it succeeded last\n  input src/a was changed\n");
    project.build();
    fs::rename(project.0.path("src/b"), project.0.path("src/c")).unwrap();
    let why = project.why("build");
    assert!(
        why.contains("2 things changed") && why.contains("input src/b was removed\n  input src/c was added"),
        "{why}"
    );
    project.build();
    let mode = |value: Option<&str>| {
        let mut command = project.0.command(binary());
        value.map(|value| command.env("MODE", value));
        finish(command.args(["run", "build"])).good();
        project.count("runs")
    };
    assert_eq!((mode(None), mode(Some("")), mode(Some("fast")), mode(None), mode(Some(""))), (3, 4, 5, 5, 5));
    let mut command = project.0.command(binary());
    let why = finish(command.args(["why", "build", "--json"]).env("MODE", "secret")).good();
    assert!(!why.out.contains("secret"), "{}", why.out);
    assert_eq!(why.json()["changes"], serde_json::json!([{"part": "variable MODE", "change": "changed"}]));
    project.0.write("nagaya.yaml", TASKS.replace("echo oops", "echo OOPS"));
    assert!(project.why("build").contains("command was changed"));
}

/// The workspace need not run for that.
#[test]
fn why_knows_tasks_of_runners() {
    let project = Project::new();
    project.0.write("Makefile", "image: ; docker build .\n");
    let why = project.0.nagaya(&["why", "image"]).good();
    assert_eq!(why.out, "image would run: no result of it is kept (make of Makefile:1), so it runs every time\n");
    why.says(&["nagaya add task"]);
    assert_eq!(project.0.nagaya(&["why", "image", "--json"]).good().json()["action"], "run");
    project.0.nagaya(&["why", "nothing"]).ended(4);
    project.0.nagaya(&["why", "biuld"]).ended(4).says(&["no service or task `biuld`", "did you mean `build`?"]);
    project.0.nagaya(&["why", "imgae"]).ended(4).says(&["did you mean `image`?"]);
}

#[test]
fn what_comes_before_counts() {
    let project = Project::new();
    let run = |words: &[&str]| project.0.nagaya(&[&["run", "test", "-j", "1"], words].concat()).good();
    let first = run(&[]);
    assert!(first.out.contains("test  | 1\ntest  | 2\n"), "{}", first.out);
    run(&[]).says(&["2 from earlier runs"]);
    assert_eq!((project.count("runs"), project.count("tests")), (1, 1));
    let planned = project.0.nagaya(&["run", "test", "--dry-run", "--json"]).good().json();
    assert_eq!((&planned[0]["action"], &planned[1]["action"]), (&"cached".into(), &"cached".into()));
    project.0.write("src/a", "5\n");
    let planned = project.0.nagaya(&["run", "test", "--dry-run"]).good().out;
    assert_eq!(planned.lines().count(), 2);
    assert!(planned.lines().all(|line| line.starts_with("run ")), "{planned}");
    run(&[]);
    assert_eq!((project.count("runs"), project.count("tests")), (2, 2));
}

#[test]
fn outputs_that_are_stale_or_gone_are_set_right() {
    let project = Project::new();
    project.build();
    project.0.write("dist/stale/deep", "x");
    project.0.write("dist/all", "changed");
    project.build();
    assert!(!project.0.path("dist/stale").exists());
    assert_eq!((project.text("dist/all").as_str(), project.count("runs")), ("1\n2\n", 1));
}

#[test]
fn a_failure_is_not_kept() {
    let project = Project::new();
    project.0.write("nagaya.yaml", "tasks: { a: { command: 'echo x >> runs; exit 4', inputs: [src], outputs: [] } }\n");
    for wanted in 1..3 {
        project.0.nagaya(&["run", "a"]).ended(4);
        assert_eq!(project.count("runs"), wanted);
    }
}

#[test]
fn inputs_that_change_meanwhile_are_noticed() {
    let project = Project::new();
    let manifest = "tasks:
  a: { command: 'echo x >> runs; echo new > src/a', inputs: [src], outputs: [] }
  own: { command: 'echo x >> runs; echo made > src/out', inputs: [src], outputs: [src/out] }
  nothing: { command: 'true', inputs: [src], outputs: [dist] }
  fill: { command: 'echo x > empty/a', inputs: [empty], outputs: [] }
";
    project.0.write("nagaya.yaml", manifest);
    fs::create_dir(project.0.path("empty")).unwrap();
    project.0.nagaya(&["run", "fill"]).good().says(&["input empty/a was added while it ran"]);
    let run = project.0.nagaya(&["run", "a"]).good();
    run.says(&["its result is not kept: input src/a was changed while it ran"]);
    assert!(project.why("a").starts_with("a would run"));
    // What it makes itself is no input.
    project.0.nagaya(&["run", "own"]).good();
    fs::remove_file(project.0.path("src/out")).unwrap();
    project.0.nagaya(&["run", "own"]).good();
    assert_eq!((project.count("runs"), project.text("src/out").as_str()), (2, "made\n"));
    project.0.nagaya(&["run", "nothing"]).good().says(&["it made nothing that its `outputs` name (dist)"]);
}

#[test]
fn a_task_sees_only_the_variables_that_count() {
    let sandbox = Sandbox::new(
        "environment: { TOP: top, ASKED: null }
tasks: { show: { command: 'echo $TOP $ASKED $OTHER $NAMED $HOME', inputs: [], outputs: [], env: [NAMED] } }
",
    );
    let run = |other: &str, named: &str| {
        let mut command = sandbox.command(binary());
        command.env("OTHER", other).env("NAMED", named).env("ASKED", "asked");
        finish(command.args(["run", "show"])).good().out
    };
    let shown = run("other", "named");
    assert!(shown.starts_with("top asked named /"), "{shown}");
    assert_eq!(run("else", "named"), shown);
    assert!(run("else", "new").starts_with("top asked new /"));
    // What `.env` sets takes the shell's place, and its change counts.
    for value in ["first", "second"] {
        sandbox.write(".env", format!("NAMED={value}\n"));
        assert!(run("else", "new").starts_with(&format!("top asked {value} /")));
    }
}

#[test]
fn versions_of_tools_count() {
    let sandbox = Sandbox::new(
        "tasks:
  a: { command: 'echo x >> runs', inputs: [], outputs: [], tools: [./tool, './tool say version'] }
  b: { command: 'true', inputs: [], outputs: [], tools: [no-such-tool] }
",
    );
    sandbox.write("tool", "#!/bin/sh\necho \"$@\" 1\n");
    let runs = || fs::read_to_string(sandbox.path("runs")).unwrap().lines().count();
    for _ in 0..2 {
        sandbox.nagaya(&["run", "a"]).good();
        assert_eq!(runs(), 1);
    }
    sandbox.write("tool", "#!/bin/sh\necho \"$@\" 2\n");
    let why = sandbox.nagaya(&["why", "a"]).good().out;
    assert!(why.contains("tool ./tool --version was changed\n  tool ./tool say version was changed"), "{why}");
    sandbox.nagaya(&["run", "a"]).good();
    assert_eq!(runs(), 2);
    sandbox.nagaya(&["run", "b"]).good().says(&["its result is not kept: `no-such-tool --version`"]);
}

/// Another checkout has the same key, and its own folder.
#[test]
fn checkouts_share_results() {
    let sandbox = Sandbox::new("");
    for checkout in ["one", "two"] {
        sandbox.write(&format!("{checkout}/nagaya.yaml"), TASKS);
        sandbox.write(&format!("{checkout}/src/a"), "1\n");
    }
    sandbox.nagaya(&["-C", "one", "run", "build"]).good();
    sandbox.nagaya(&["-C", "two", "run", "build"]).good().says(&["from an earlier run"]);
    assert_eq!(fs::read_to_string(sandbox.path("two/dist/all")).unwrap(), "1\n");
    assert!(!sandbox.path("two/runs").exists());
}

#[test]
fn two_at_once_do_it_once() {
    let sandbox = Sandbox::new("tasks: { slow: { command: [./slow], inputs: [slow], outputs: [out] } }\n");
    sandbox.write(
        "slow",
        "#!/bin/sh\necho x >> runs\ntouch begun\nwhile [ ! -e go ]; do sleep 0.02; done\necho made > out\n",
    );
    let first = sandbox.start(&["run", "slow"]);
    until("it runs", || sandbox.path("begun").exists());
    let second = sandbox.start(&["run", "slow"]);
    until("the second waits", || second.err().contains("waits for another run of it"));
    sandbox.write("go", "");
    first.end().good();
    second.end().good().says(&["from an earlier run"]);
    assert_eq!(fs::read_to_string(sandbox.path("runs")).unwrap(), "x\n");
}

/// Killed at any time, a run leaves a cache that is as good as before.
#[test]
fn a_run_that_is_killed_leaves_nothing_wrong() {
    let sandbox = Sandbox::new(
        "tasks: { many: { command: 'mkdir -p out; for i in $(seq 300); do echo $i > out/$i; done', inputs: [], outputs: [out] } }\n",
    );
    for round in 0..12 {
        let running = sandbox.start(&["run", "many"]);
        let wanted = round * 25;
        let made = || fs::read_dir(sandbox.path("out")).map_or(0, Iterator::count);
        until("it has begun", || made() >= wanted.min(300) || !alive(running.child.id()));
        let _ = std::process::Command::new("kill").args(["-9", &running.child.id().to_string()]).status();
        let _ = running.end();
        sandbox.empties();
        let _ = fs::remove_dir_all(sandbox.path("out"));
    }
    for _ in 0..2 {
        let _ = fs::remove_dir_all(sandbox.path("out"));
        sandbox.nagaya(&["run", "many"]).good();
        assert_eq!(fs::read_dir(sandbox.path("out")).unwrap().count(), 300);
        assert_eq!(fs::read_to_string(sandbox.path("out/300")).unwrap(), "300\n");
    }
}

fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_damaged_store_is_told_of_and_healed() {
    let project = Project::new();
    project.build();
    let blobs = finish(
        project
            .0
            .command("sh")
            .args(["-c", "for f in $(find ../cache -path '*blobs*' -type f); do echo bad > $f; done"]),
    );
    blobs.good();
    project.build().says(&["its kept result cannot be used, so it runs: the kept `log` was damaged"]);
    assert_eq!(project.count("runs"), 2);
    project.build();
    assert_eq!(project.count("runs"), 2);
}

/// A task is none the worse for it.
#[test]
fn without_a_folder_for_results_tasks_run() {
    let project = Project::new();
    project.0.write("file", "");
    for (at, cache) in [project.0.path("file"), "/proc/nope".into()].iter().enumerate() {
        for words in [&["run", "test"][..], &["run", "test", "--force"]] {
            let mut command = project.0.command(binary());
            let run = finish(command.args(words).env("XDG_CACHE_HOME", cache)).good();
            run.says(&[
                "build | its result is not kept: ",
                "test  | its result is not kept: ",
                &cache.to_string_lossy(),
            ]);
        }
        assert_eq!(project.count("tests"), 2 * (at + 1));
    }
}

#[test]
fn a_manifest_that_cannot_work_is_told() {
    let sandbox = Sandbox::new(
        "tasks:
  a: { command: x, inputs: ['[a'], outputs: ['../x', /tmp/x] }
  b: { command: x, depends_on: [c] }
  c: { command: x, depends_on: [b] }
  d: { command: x, depends_on: [nobody], lock: 'a b' }
  'e f': x
",
    );
    let run = sandbox.nagaya(&["check"]).ended(3);
    run.says(&[
        "`[a` is no glob",
        "`../x` leaves the task's folder",
        "`/tmp/x` leaves",
        "there is no task or service `nobody`",
    ])
    .says(&["`a b` cannot be the name of a lock", "`e f` is no name: ` ` cannot stand in a name"]);
    sandbox
        .write("nagaya.yaml", "tasks:\n  b: { command: x, depends_on: [c] }\n  c: { command: x, depends_on: [b] }\n");
    sandbox.nagaya(&["check"]).ended(3).says(&["these tasks wait for each other: b -> c -> b"]);
    sandbox
        .write("nagaya.yaml", "services: { a: { command: x } }\ntasks:\n  a: x\n  b: { command: x, outputs: [y] }\n");
    sandbox
        .nagaya(&["check"])
        .ended(3)
        .says(&["`a`: a service has this name too", "`b` has no `inputs`, so it runs every time"]);
}

#[test]
fn an_input_that_matches_nothing_is_told_of() {
    let typo = "name: shop\nservices: {web: {command: sleep 9}, db: {command: sleep 9}}\ntasks:\n  \
        build: {command: 'mkdir -p dist; touch dist/a', inputs: ['scr/**', 'src', '!none'], outputs: [dist]}\n  \
        test: {command: 'true', depends_on: [build], inputs: ['dist/**'], outputs: []}\n";
    let sandbox = Sandbox::new(typo);
    sandbox.write("src/a", "1\n");
    let check = sandbox.nagaya(&["check"]).good();
    let check =
        check.says(&["the input `scr/**` of the task `build` matches nothing", "2 services and 2 tasks, 1 warning"]);
    assert!(check.err.contains("nagaya.yaml:4"), "{}", check.err);
    let note = "its input `scr/**` matches nothing";
    for _ in 0..2 {
        let run = sandbox.nagaya(&["run", "test"]).good().says(&[note]);
        assert_eq!(run.err.matches("matches nothing").count(), 1, "{}", run.err);
    }
    sandbox.write("scr/a", "1\n");
    let run = sandbox.nagaya(&["run", "test"]).good();
    assert!(!run.err.contains("matches nothing"), "{}", run.err);
}

#[test]
fn what_looks_like_a_flag_is_for_a_task_that_is_named() {
    let sandbox = Sandbox::new(TASKS);
    let words = sandbox.nagaya(&["run", "--quick"]).ended(2).says(&["`nagaya run TASK -- --quick` gives it to a task"]);
    assert!(!words.err.contains("'-- --quick'"), "{}", words.err);
    let words = sandbox.nagaya(&["run", "--", "--quick"]).ended(125);
    words.says(&["no task is named before `--`", "nagaya run TASK -- --quick"]);
}
