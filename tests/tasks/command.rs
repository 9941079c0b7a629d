//! The command: its JSON, its table, its errors, and that it executes and asks nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, finish};

const PACKAGE: &str = r#"{
  "name": "users",
  "scripts": {
    "prebuild": "true",
    "build": "tsc",
    "test": "npm run build && vitest"
  }
}
"#;

const MAKEFILE: &str =
    "TAG ?= dev\n.PHONY: image _push\n## Build the image\nimage: ; docker build -t $(TAG) .\n_push:\n\ttrue\n";

fn project() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("Makefile", MAKEFILE);
    sandbox.write("services/users/package.json", PACKAGE);
    sandbox.write("services/users/pnpm-lock.yaml", "lockfileVersion: '9.0'\n");
    sandbox
}

fn ids(tasks: &Value) -> Vec<&str> {
    tasks.as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect()
}

#[test]
fn json_has_all_that_is_known() {
    let sandbox = project();
    let tasks = sandbox.nagaya(&["tasks", "--json"]).good().json();
    let wanted = [
        "make:image",
        "make:_push",
        "services/users:npm:prebuild",
        "services/users:npm:build",
        "services/users:npm:test",
    ];
    assert_eq!(ids(&tasks), wanted);
    let image = &tasks[0];
    assert_eq!(image["file"], "Makefile");
    assert_eq!((image["line"].as_u64(), image["project"].as_str()), (Some(4), Some(".")));
    assert_eq!(
        (image["description"].as_str(), image["description_origin"].as_str()),
        (Some("Build the image"), Some("comment"))
    );
    assert_eq!(
        image["arguments"][0],
        serde_json::json!({"name": "TAG", "required": false, "default": "dev", "variadic": false, "description": null})
    );
    assert_eq!(image["invoke"], serde_json::json!(["make", "image"]));
    assert_eq!(
        image["working_dir"].as_str(),
        sandbox.path("Makefile").canonicalize().unwrap().parent().unwrap().to_str()
    );
    assert_eq!((&tasks[1]["private"], &tasks[2]["kind"]), (&Value::Bool(true), &Value::from("hook")));
    assert_eq!(tasks[4]["depends_on"], serde_json::json!(["build"]));
    assert_eq!(tasks[4]["invoke"], serde_json::json!(["pnpm", "run", "test"]));
    assert_eq!(tasks[4]["command"], "npm run build && vitest");
}

#[test]
fn sources_programs_and_notes_are_there_on_request() {
    let sandbox = project();
    sandbox.write("broken/package.json", "{\n  \"scripts\": }");
    sandbox.write("services/users/yarn.lock", "");
    let all = sandbox.nagaya(&["tasks", "--json", "--sources"]).good();
    assert_eq!(all.err, "");
    let all = all.json();
    assert_eq!(ids(&all["tasks"]).len(), 5);
    let broken = all["sources"].as_array().unwrap().iter().find(|it| it["file"] == "broken/package.json").unwrap();
    assert_eq!(
        (broken["status"].as_str(), broken["line"].as_u64(), broken["column"].as_u64()),
        (Some("unreadable"), Some(2), Some(14))
    );
    let make = all["programs"].as_array().unwrap().iter().find(|it| it["program"] == "make").unwrap();
    assert_eq!(make["status"], "found");
    let note = "services/users/pnpm-lock.yaml says pnpm, and services/users/yarn.lock is yarn's";
    assert!(all["notes"].as_array().unwrap().iter().any(|it| it == note), "{}", all["notes"]);
}

#[test]
fn the_table_hides_what_is_not_for_every_day() {
    let sandbox = project();
    let run = sandbox.nagaya(&["tasks"]).good();
    let wanted = ".  make  Makefile\n  image [TAG]  Build the image\n\n\
        services/users  pnpm  services/users/package.json\n  build  tsc\n  test   npm run build && vitest\n";
    assert_eq!(run.out, wanted);
    run.says(&["2 private, built-in or of CI are hidden; `--all` shows them"]);
    let all = sandbox.nagaya(&["tasks", "--all", "services", "--runner", "npm"]).good();
    assert_eq!(
        all.out,
        "users  pnpm  users/package.json\n  prebuild  (hook) true\n  build     tsc\n  test      npm run build && vitest\n"
    );
}

#[test]
fn a_manifest_above_says_what_the_workspace_is() {
    let sandbox = project();
    sandbox.write("nagaya.yaml", "name: shop\nservices: {web: {command: 'true'}}\n");
    let mut command = sandbox.command(crate::support::sandbox::binary());
    let run = finish(command.args(["tasks", "--json"]).current_dir(sandbox.path("services/users"))).good();
    assert_eq!(ids(&run.json()).len(), 5);
}

#[test]
fn wrong_calls_are_told_apart() {
    let sandbox = project();
    sandbox
        .nagaya(&["tasks", "--runner", "mkae"])
        .ended(2)
        .says(&["there is no runner `mkae`", "did you mean `make`?"]);
    sandbox.nagaya(&["tasks", "nowhere"]).ended(2).says(&["nowhere: No such file or directory"]);
    sandbox.nagaya(&["tasks", "Makefile"]).ended(2).says(&["Makefile is no folder"]);
    let none = sandbox.nagaya(&["tasks", "--runner", "just"]).good().says(&["no task was found in"]);
    assert_eq!(none.out, "");
}

#[test]
fn a_folder_that_may_not_be_looked_into_is_named() {
    let sandbox = Sandbox::of(Account::unprivileged(), "");
    sandbox.write("Makefile", MAKEFILE);
    sandbox.write("closed/Makefile", MAKEFILE);
    fs::set_permissions(sandbox.path("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let run = sandbox.nagaya(&["tasks"]).good().says(&["note: closed: Permission denied"]);
    assert!(run.out.contains("image"), "{}", run.out);
}

/// Programs that share a name are told apart by their files.
#[test]
fn a_program_of_somebody_else_is_said() {
    let sandbox = Sandbox::new("");
    sandbox.write("Taskfile.yml", "version: '3'\ntasks: {build: make}\n");
    sandbox.write("bin/task", "#!/usr/bin/python3\nfrom taskipy.cli import main\nmain()\n");
    let path = std::env::join_paths([sandbox.path("bin")]).unwrap();
    let run = finish(sandbox.command(crate::support::sandbox::binary()).arg("tasks").env("PATH", path)).good();
    run.says(&["which is taskipy, and these tasks need go-task: install go-task"]);
}

#[test]
fn listing_executes_nothing_and_opens_no_socket() {
    let sandbox = project();
    // What runners execute when they list: shell assignments, templates, code.
    sandbox.write("Taskfile.yml", "version: '3'\nvars: {X: {sh: touch made}}\ntasks: {a: 'true'}\n");
    sandbox.write("mise.toml", "[env]\nX = \"{{ exec(command='touch made') }}\"\n[tasks]\na = 'true'\n");
    sandbox.write("sub/Makefile", "X := $(shell touch made)\nmade.mk: ; touch made\ninclude made.mk\na: ; true\n");
    sandbox.write("Rakefile", "File.write('made', '')\ntask :a\n");
    sandbox.write("justfile", "x := `touch made`\na:\n  true\n");
    let trace = sandbox.path("trace");
    let mut command = sandbox.command("strace");
    command.args([
        "-f",
        "-qq",
        "-e",
        "trace=execve,execveat,fork,vfork,socket,connect,bind",
        "-e",
        "signal=none",
        "-o",
    ]);
    let run = finish(command.arg(&trace).arg(crate::support::sandbox::binary()).args(["tasks", "--json"])).good();
    let found = run.json();
    assert!(ids(&found).len() >= 9, "{found}");
    let trace = fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> =
        trace.lines().filter(|line| !line.contains("execve(\"") || !line.contains("nagaya-tests")).collect();
    assert_eq!(calls, [""; 0]);
    assert!(!sandbox.path("made").exists() && !sandbox.path("sub/made").exists());
}

/// A folder's name is somebody else's text.
#[test]
fn names_of_folders_cannot_move_the_cursor() {
    let sandbox = Sandbox::new("");
    sandbox.write("a\u{1b}[2J\nb/package.json", PACKAGE);
    sandbox.write("c\u{1b}[2J/package.json", "{");
    let run = sandbox.nagaya(&["tasks", "--color", "always"]).good();
    let lines = sandbox.nagaya(&["tasks", "--sources", "--color", "always"]).good();
    for text in [run.out, run.err, lines.out, lines.err] {
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }
    assert_eq!(sandbox.nagaya(&["tasks", "--json"]).good().json()[0]["project"], "a\u{1b}[2J\nb");
    let run = sandbox.nagaya(&["run", "a\u{1b}[2J\nb:test", "--dry-run", "--color", "always"]).good();
    assert!(run.out.contains("a [2J b:npm:test"), "{:?}", run.out);
}

/// With what is kept and without, every form says the same.
#[test]
fn what_is_told_again_is_the_same() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tasks/fixtures");
    let sandbox = Sandbox::new("");
    let forms: [&[&str]; 7] = [
        &["--json"],
        &[],
        &["--all"],
        &["--sources"],
        &["--runner", "make"],
        &["--runner", "make", "--json"],
        &["--json", "--sources"],
    ];
    for form in forms {
        let told = |sandbox: &Sandbox| {
            let run = sandbox.nagaya(&[&["tasks", fixtures], form].concat()).good();
            (run.out, run.err)
        };
        let first = told(&sandbox);
        assert_eq!(told(&sandbox), first, "{form:?}");
        assert_eq!(told(&Sandbox::new("")), first, "{form:?}");
    }
    let kept = fs::read_dir(sandbox.path("../cache/nagaya/trees")).unwrap().map(|it| it.unwrap().path());
    assert_eq!(kept.filter(|path| path.extension() == Some("answer".as_ref())).count(), forms.len());
}

#[test]
fn the_tasks_of_manifests_are_in_the_list() {
    let sandbox = Sandbox::new("tasks:\n  build: { command: 'echo built', description: Build it }\n");
    sandbox.write("sub/nagaya.yaml", "tasks: { test: echo tested }\n");
    let run = sandbox.nagaya(&["tasks"]).good();
    assert_eq!(
        (run.out.as_str(), run.err.as_str()),
        (".  nagaya  nagaya.yaml\n  build  Build it\n\nsub  nagaya  sub/nagaya.yaml\n  test  echo tested\n", "")
    );
    // One is declared, and the other is run by its own manifest.
    assert_eq!(sandbox.nagaya(&["run", "build"]).good().out, "built\n");
    assert_eq!(sandbox.nagaya(&["run", "sub:test"]).good().out, "tested\n");
    let tasks = sandbox.nagaya(&["tasks", "--json"]).good().json();
    assert_eq!(ids(&tasks), ["nagaya:build", "sub:nagaya:test"]);
}

#[test]
fn what_git_leaves_out_for_the_account_is_left_out() {
    let sandbox = project();
    sandbox.write("made/Makefile", "made: ; true\n");
    sandbox.write("web/only/Makefile", "only: ; true\n");
    fs::create_dir(sandbox.path(".git")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let tasks = || {
        let mut command = sandbox.command(crate::support::sandbox::binary());
        command.env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path().join("own"));
        command.env_remove("GIT_CONFIG_GLOBAL").env("GIT_CONFIG_SYSTEM", home.path().join("none"));
        let tasks = finish(command.args(["tasks", "--json"])).good().json();
        let has = |id: &str| ids(&tasks).contains(&id);
        (has("made:make:made"), has("web/only:make:only"))
    };
    assert_eq!(tasks(), (true, true));
    fs::create_dir_all(home.path().join("own/git")).unwrap();
    // Anchored at the top of the repository, wherever one stands.
    fs::write(home.path().join("own/git/ignore"), "/made\n/only\n").unwrap();
    assert_eq!(tasks(), (false, true));
    fs::write(home.path().join("own/git/ignore"), "").unwrap();
    assert_eq!(tasks(), (true, true));
    fs::write(home.path().join("mine"), "only/\n").unwrap();
    fs::write(home.path().join(".gitconfig"), "[core]\n\texcludesFile = ~/mine\n").unwrap();
    assert_eq!(tasks(), (true, false));
    // The repository's own rules come before.
    sandbox.write("web/.gitignore", "!only\n");
    assert_eq!(tasks(), (true, true));
    // A repository may name other rules in the place of the account's.
    sandbox.write("theirs", "/made\n");
    sandbox.write(".git/config", "[core]\n\tbare = false\n\texcludesFile = theirs\n");
    assert_eq!(tasks(), (false, true));
    sandbox.write(".git/config", "[core]\n\tbare = false\n\texcludesFile = nobody's\n");
    assert_eq!(tasks(), (true, true));
}
