//! README's five-minute tour, command by command, as a reader would type it.
//!
//! In its ```console blocks a line that starts with `$ ` is typed, and what follows must be in its output in that
//! order; `…` stands for anything. A command whose block shows an error may fail.

use std::path::Path;

use crate::support::sandbox::{Account, Sandbox, binary, finish};

/// A command and the lines that it is said to print.
struct Step {
    command: String,
    shown: Vec<String>,
}

fn steps() -> Vec<Step> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, tour) = readme.split_once("\n## Five minutes\n").expect("README has the tour");
    let tour = tour.split("\n## ").next().unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in tour.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
                None => steps.last_mut().expect("a command comes first").shown.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Whether a line is like the one that is shown: spaces count as one, and `…` is anything.
fn is_like(line: &str, shown: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<String> = squeeze(shown).split('…').map(|part| regex::escape(part.trim())).collect();
    regex::Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(&squeeze(line))
}

#[test]
fn every_command_of_the_tour_does_what_it_shows() {
    let sandbox = Sandbox::of(Account::unprivileged(), "");
    let steps = steps();
    assert!(steps.len() >= 10, "the tour has {} steps", steps.len());
    let mut folder = sandbox.path("");
    for step in steps {
        if let Some(name) = step.command.strip_prefix("cd ") {
            folder = folder.join(name);
            continue;
        }
        let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = sandbox.command("bash");
        shell.args(["-o", "pipefail", "-c", &format!("{} 2>&1", step.command)]).env("PATH", path).current_dir(&folder);
        let run = finish(&mut shell);
        let may_fail = step.shown.iter().any(|line| line.starts_with("error"));
        assert!(run.code == 0 || may_fail, "$ {}\n{}", step.command, run.out);
        let mut said = run.out.lines();
        for shown in step.shown.iter().filter(|line| !line.trim().is_empty()) {
            assert!(said.any(|line| is_like(line, shown)), "$ {}\nlacks `{shown}` in\n{}", step.command, run.out);
        }
    }
}
