//! `run` by names that no list has, with arguments where the runner takes them, and what is said where there is no such name.

use crate::support::sandbox::{Run, Sandbox, binary, finish};

/// Says by which words it was called.
const PROGRAM: &str = "#!/bin/sh\necho \"called: $(basename $0) $*\"\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new("");
    sandbox.write("Taskfile.yml", "tasks:\n  start:*: { cmd: x }\n  req: { requires: { vars: [A] }, cmd: x }\n");
    sandbox.write("sub/Taskfile.yml", "tasks:\n  stop:*:now: { cmd: x }\n");
    sandbox.write("noxfile.py", "import nox\n@nox.session(python=['3.11', '3.12'])\ndef t(s): pass\n");
    sandbox.write("package.json", "{\"workspaces\": [\"libs/*\"]}");
    sandbox.write("libs/ui/package.json", "{\"name\": \"@shop/ui\", \"scripts\": {\"build\": \"x\"}}");
    for program in ["task", "nox", "npm"] {
        sandbox.write(&format!("bin/{program}"), PROGRAM);
    }
    sandbox
}

fn run(sandbox: &Sandbox, words: &[&str]) -> Run {
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    finish(sandbox.command(binary()).arg("run").args(words).env("PATH", path))
}

#[test]
fn names_that_no_list_has_are_run() {
    let sandbox = sandbox();
    let cases: [(&[&str], &str); 9] = [
        (&["start:web:1"], "task start:web:1"),
        (&["task:start:web"], "task start:web"),
        (&["sub:stop:web:now"], "task stop:web:now"),
        (&["t"], "nox -s t"),
        (&["nox:t", "--", "-x"], "nox -s t -- -x"),
        (&["@shop/ui:build"], "npm run build"),
        (&["@shop/ui#build"], "npm run build"),
        (&["req", "--", "A=1", "-v"], "task req A=1 -- -v"),
        (&["req", "--", "--", "A=1"], "task req -- A=1"),
    ];
    for (words, wanted) in cases {
        let run = run(&sandbox, words).good();
        assert_eq!(run.out, format!("called: {wanted}\n"), "{words:?}");
    }
    run(&sandbox, &["start:*"]).ended(125).says(&["`start:*` stands for many names", "nagaya run start:NAME"]);
}

#[test]
fn a_name_that_is_not_found_is_told_with_what_may_be_the_reason() {
    let sandbox = sandbox();
    let miss = run(&sandbox, &["req", "A=1"]).ended(125);
    miss.says(&["there is no task `A=1`", "arguments go after `--`: `nagaya run req -- A=1`"]);
    let miss = run(&sandbox, &["nothing"]).ended(125);
    assert!(!miss.err.contains("go after"), "{}", miss.err);
    sandbox.write("broken/package.json", "{");
    sandbox.write("web/Makefile", format!("all: ; true\n{}", "#".repeat(5 << 20)));
    run(&sandbox, &["all"]).ended(125).says(&[
        "there is no task `all`",
        "broken/package.json cannot be read: ",
        "web/Makefile cannot be read: it has 5 MiB",
    ]);
    sandbox.write("api/Makefile", "$(foreach it,dev prod,$(eval up-$(it): ; @echo up))\n");
    run(&sandbox, &["up-dev"])
        .ended(125)
        .says(&["there is no task `up-dev`", "api/Makefile has more than can be read: "]);
}

#[test]
fn what_is_named_twice_runs_once() {
    let sandbox = sandbox();
    assert_eq!(run(&sandbox, &["t", "nox:t"]).good().out, "called: nox -s t\n");
}
