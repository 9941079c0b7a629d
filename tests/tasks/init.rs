//! `init` and `add task`: what is proposed is shown, agreed to, written, and boots.

use std::fs;

use crate::support::sandbox::Sandbox;

const WEB: &str = "{\n  \"scripts\": {\n    \"dev\": \"vite --port 4000\",\n    \"lint\": \"eslint .\"\n  }\n}\n";

fn project() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("web/package.json", WEB);
    sandbox.write("jobs/Procfile", "worker: ./work $QUEUE\n");
    sandbox.write("compose.yaml", "services:\n  db: {image: 'postgres:16'}\n");
    sandbox
}

const ADDED: &str = "+services:\n+  # jobs/Procfile:1\n+  jobs-worker:\n+    working_dir: jobs\n\
    +    command: \"./work $QUEUE\"\n+  # script `dev` of web/package.json:3; vite listens on 4000\n+  web:\n\
    +    working_dir: web\n+    command: npm run dev\n+    ports: { http: 4000 }\n";

#[test]
fn a_manifest_is_shown_and_written_when_asked_for() {
    let sandbox = project();
    let shown = sandbox.nagaya(&["init", "--dry-run"]).good();
    assert!(shown.out.starts_with("--- /dev/null\n+++ nagaya.yaml\n@@ -0,0 +1,"), "{}", shown.out);
    assert!(shown.out.ends_with(ADDED), "{}", shown.out);
    shown.says(&["note: `db` of compose.yaml is a container (postgres:16); it stays with Compose"]);
    assert!(!sandbox.path("nagaya.yaml").exists());
    // Nobody can be asked here.
    sandbox.nagaya(&["init"]).ended(2).says(&["nothing was written", "`--yes` writes it, `--dry-run` only shows it"]);
    assert!(!sandbox.path("nagaya.yaml").exists());
    sandbox.nagaya(&["init", "--yes"]).good().says(&["next: nagaya check"]);
    sandbox.nagaya(&["check"]).good();
    let config = sandbox.nagaya(&["config", "--json"]).good().json();
    assert_eq!(config["services"]["web"]["ports"][0]["port"], 4000);
    sandbox.nagaya(&["init", "--yes"]).good().says(&["the manifest has all services that were found"]);
}

#[test]
fn what_is_written_stays_as_it_is_with_its_comments() {
    let sandbox = project();
    let text = "# ours\nname: shop # not theirs\n\nservices:\n  web: # by hand\n    working_dir: web\n    command: |\n      npm run dev\n\n# the end\nvars: { A: b }\n";
    sandbox.write("nagaya.yaml", text);
    let all = sandbox.nagaya(&["init", "--yes", "--json"]).good().json();
    assert_eq!(all["written"], true);
    assert!(all["diff"].as_str().unwrap().contains("\n+  jobs-worker:"), "{all}");
    let new = fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
    let added = "  # jobs/Procfile:1\n  jobs-worker:\n    working_dir: jobs\n    command: \"./work $QUEUE\"\n";
    assert_eq!(new, text.replace("npm run dev\n", &format!("npm run dev\n{added}")));
}

#[test]
fn what_cannot_be_added_to_is_said_with_the_lines() {
    let sandbox = project();
    sandbox.write("nagaya.yaml", "services: {web: {command: 'true', working_dir: web}}\n");
    sandbox.nagaya(&["init", "--yes"]).ended(1).says(&[
        "    command: \"./work $QUEUE\"",
        "cannot be added to by line",
        "put them in by hand",
    ]);
    sandbox.write("nagaya.yaml", "services:\n  web: {comand: x}\n");
    sandbox.nagaya(&["init", "--yes"]).ended(3).says(&["did you mean `command`"]);
}

#[test]
fn a_release_becomes_a_task() {
    let sandbox = Sandbox::new("");
    sandbox.write("Procfile", "web: ./web\nrelease: ./migrate\n");
    sandbox.nagaya(&["init", "--yes"]).good();
    let text = fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
    assert!(text.ends_with("tasks:\n  # Procfile:2\n  release:\n    command: ./migrate\n"), "{text}");
    sandbox.nagaya(&["check"]).good();
    sandbox.nagaya(&["init", "--yes"]).good().says(&["the manifest has all services that were found"]);
}

#[test]
fn where_nothing_is_found_it_is_said() {
    let sandbox = Sandbox::new("");
    sandbox.write("README.md", "nothing\n");
    sandbox.nagaya(&["init", "--yes"]).ended(1).says(&["looks like a service", "by hand"]);
    sandbox.nagaya(&["init", "nowhere"]).ended(2).says(&["nowhere: No such file or directory"]);
}

#[test]
fn a_found_task_becomes_a_declared_one() {
    let sandbox = project();
    sandbox.write("Makefile", "## Count them: all\ncount: ; @echo counted $$(ls in) > made\n");
    sandbox.write("in/a", "");
    sandbox.write("nagaya.yaml", "name: shop\nservices: { web: { command: 'true' } }\n# the end\n");
    let words = ["add", "task", "make:count", "--input", "in", "--output", "made"];
    let shown = sandbox.nagaya(&[&words[..], &["--dry-run"]].concat()).good();
    let lines = "+\n+tasks:\n+  # make of Makefile:2\n+  count:\n+    description: \"Count them: all\"\n\
        +    command: [make, count]\n+    inputs: [in, Makefile]\n+    outputs: [made]\n";
    assert!(shown.out.ends_with(lines), "{}", shown.out);
    sandbox.nagaya(&[&words[..], &["--yes"]].concat()).good().says(&["next: nagaya run count"]);
    sandbox.nagaya(&["run", "count"]).good();
    sandbox.nagaya(&["run", "count"]).good().says(&["from an earlier run"]);
    assert_eq!(fs::read_to_string(sandbox.path("made")).unwrap(), "counted a\n");
    // What make is told to do is in its file.
    sandbox.write("Makefile", "count: ; @echo made anew > made\n");
    sandbox.nagaya(&["why", "count"]).good();
    sandbox.nagaya(&["run", "count"]).good();
    assert_eq!(fs::read_to_string(sandbox.path("made")).unwrap(), "made anew\n");
    sandbox.nagaya(&["add", "task", "count", "--yes"]).ended(2).says(&["the manifest has a task `count` already"]);
    sandbox.nagaya(&[&words[..], &["--yes"]].concat()).ended(2).says(&["`--as NAME` gives it another name"]);
    sandbox.nagaya(&["add", "task", "cuont"]).ended(2).says(&["there is no task `cuont`", "did you mean"]);
}

#[test]
fn what_is_added_where_there_is_no_manifest_begins_one() {
    let sandbox = project();
    sandbox.write("Makefile", "count: ; @echo one\n");
    sandbox.nagaya(&["-f", "other.yaml", "add", "task", "count", "--yes"]).ended(3);
    let shown = sandbox.nagaya(&["add", "task", "count", "--dry-run"]).good();
    assert!(shown.out.starts_with("--- /dev/null\n+++ nagaya.yaml\n"), "{}", shown.out);
    sandbox.nagaya(&["add", "task", "count", "--yes"]).good();
    assert_eq!(sandbox.nagaya(&["run", "count"]).good().out, "one\n");
    sandbox.nagaya(&["add", "redis", "--yes"]).good();
    let text = fs::read_to_string(sandbox.path("nagaya.yaml")).unwrap();
    assert!(text.contains("tasks:\n") && text.contains("services:\n  redis:\n"), "{text}");
}
