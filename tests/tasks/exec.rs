//! `tasks --exec`: runners are asked, by those who said that they may be.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::{Sandbox, binary, finish};

const MAKEFILE: &str = "NAMES := one two
X := $(shell touch made)
.PHONY: plain $(NAMES)
plain: ; @echo plain
$(foreach name,$(NAMES),$(eval run-$(name): ; @echo $(name)))
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("Makefile", MAKEFILE);
    sandbox.write("sub/Makefile", "inner: ; @cat\n");
    sandbox
}

fn find<'a>(tasks: &'a Value, id: &str) -> &'a Value {
    tasks.as_array().unwrap().iter().find(|task| task["id"] == id).unwrap_or_else(|| panic!("no {id} in {tasks}"))
}

#[test]
fn nobody_is_asked_unawares() {
    let sandbox = sandbox();
    let run = sandbox.nagaya(&["tasks", "--exec"]).ended(2);
    run.says(&["this runs code of", "make -pRrq :", "`--yes` trusts this folder"]);
    assert!(!sandbox.path("made").exists());
    sandbox.nagaya(&["tasks"]).good();
    assert!(!sandbox.path("made").exists());
}

#[test]
fn what_only_the_runner_knows_is_added_and_the_rest_verified() {
    let sandbox = sandbox();
    let before = sandbox.nagaya(&["tasks", "--json"]).good().json();
    assert_eq!(find(&before, "make:plain")["verified"], false);
    let tasks = sandbox.nagaya(&["tasks", "--exec", "--yes", "--json"]).good().json();
    assert!(sandbox.path("made").exists());
    assert_eq!(find(&tasks, "make:plain")["verified"], true);
    assert_eq!(find(&tasks, "sub:make:inner")["verified"], true);
    let listed = find(&tasks, "make:run-two");
    assert_eq!((&listed["definition"], &listed["verified"]), (&"listed".into(), &true.into()));
    assert_eq!(listed["invoke"], serde_json::json!(["make", "run-two"]));
    // Trusted once, and for what is below too.
    sandbox.nagaya(&["tasks", "sub", "--exec"]).good();
    let sources = sandbox.nagaya(&["tasks", "--exec", "--sources", "--json"]).good().json();
    let source = sources["sources"].as_array().unwrap().iter().find(|it| it["file"] == "Makefile").unwrap();
    assert_eq!(source["status"], "complete");
}

#[test]
fn a_runner_of_whose_tasks_none_can_be_named_is_asked_too() {
    let sandbox = Sandbox::new("");
    let rules = "NAMES := one two\ndefine T\nrun-$(1): ; @echo $(1)\nendef\n";
    sandbox.write("Makefile", format!("{rules}$(foreach n,$(NAMES),$(eval $(call T,$(n))))\n"));
    sandbox.write("sub/Makefile", "inner: ; @cat\n");
    let before = sandbox.nagaya(&["tasks", "--runner", "make", "--sources"]).good();
    before.says(&["Makefile: partial for make: rules that `$(eval)` or `$(call)` make (2)"]);
    fs::remove_file(sandbox.path("sub/Makefile")).unwrap();
    let none = sandbox.nagaya(&["tasks"]).good();
    let none = none.says(&["known to make alone; `--exec` asks"]);
    assert!(!none.err.contains("no task was found"), "{}", none.err);
    sandbox.write("sub/Makefile", "inner: ; @cat\n");
    let all = sandbox.nagaya(&["tasks", "--exec", "--yes", "--json", "--sources"]).good().json();
    let mut ids: Vec<&str> = all["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect();
    // Make tells them in no order.
    ids[..2].sort_unstable();
    assert_eq!(ids, ["make:run-one", "make:run-two", "sub:make:inner"]);
    assert_eq!(find(&all["tasks"], "make:run-two")["invoke"], serde_json::json!(["make", "run-two"]));
    let source = &all["sources"][0];
    assert_eq!((source["status"].as_str(), source["tasks"].as_u64()), (Some("complete"), Some(2)));
}

#[test]
fn who_does_not_answer_is_told_of_and_the_rest_is_there() {
    let sandbox = sandbox();
    sandbox.write("bin/make", "#!/bin/sh\ncat\necho nothing to say\nexit 3\n");
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    let run = finish(sandbox.command(binary()).args(["tasks", "--exec", "-y"]).env("PATH", path)).good();
    assert!(run.out.contains("plain"), "{}", run.out);
    run.says(&["note: `make -pRrq :` did not tell: it exited with 3: nothing to say"]);
    assert!(fs::read_dir(sandbox.path("")).is_ok());
}
