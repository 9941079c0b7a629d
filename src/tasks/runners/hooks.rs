//! Hooks of git, as their managers configure them. They run by themselves; the manager can run them at any time.

use crate::tasks::formats::{Node, shell};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Kind, Origin};

/// <https://pre-commit.com/>
pub const PRE_COMMIT: Runner = Runner::new("pre-commit", pre_commit)
    .first(&[".pre-commit-config.yaml", ".pre-commit-config.yml"])
    .runs(Via::Python, &["pre-commit", "run", "{}"]);
/// <https://lefthook.dev/configuration/>
pub const LEFTHOOK: Runner = Runner::new("lefthook", lefthook)
    .first(&[
        "lefthook.yml",
        ".lefthook.yml",
        "lefthook.yaml",
        ".lefthook.yaml",
        "lefthook.toml",
        ".lefthook.toml",
        "lefthook.json",
        ".lefthook.json",
    ])
    .runs(Via::NodeProgram, &["lefthook", "run", "{}"]);
/// <https://typicode.github.io/husky/>
pub const HUSKY: Runner = Runner::new("husky", husky).every(&[".husky/*"]).runs(Via::Path, &["sh", ".husky/{}"]);

const EVENTS: [&str; 17] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
];

fn hook(name: &str, line: usize) -> Draft {
    Draft::new(name, line).kind(Kind::Hook)
}

fn pre_commit(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let mut reading = Reading::default();
    for repository in root.get("repos").map_or(&[][..], Node::items) {
        for it in repository.get("hooks").map_or(&[][..], Node::items) {
            let Some(id) = it.text_of("id") else { continue };
            let mut draft = hook(id, it.at.line)
                .describe(it.text_of("name"), Origin::Field)
                .group(repository.text_of("repo"))
                .runs(it.text_of("entry").unwrap_or(""));
            draft.aliases.extend(it.text_of("alias").map(str::to_owned));
            reading.tasks.push(draft);
        }
    }
    Ok(Some(reading))
}

fn lefthook(look: &Look<'_>) -> Read {
    let root = look.document()?;
    let mut reading = Reading::default();
    for (event, config) in root.entries() {
        let is_event = config.is_map() && ["commands", "scripts", "jobs"].iter().any(|it| config.get(it).is_some());
        if !is_event {
            continue;
        }
        reading.tasks.push(hook(&event.text, event.at.line));
        for (key, command) in config.below(&["commands"]).iter().chain(config.below(&["scripts"])) {
            reading.tasks.push(command_of(&event.text, &key.text, key.at.line, command));
        }
        for job in config.get("jobs").map_or(&[][..], Node::items) {
            if let Some(name) = job.text_of("name") {
                reading.tasks.push(command_of(&event.text, name, job.at.line, job));
            }
        }
    }
    for key in ["extends", "remotes", "remote"] {
        if root.get(key).is_some() {
            reading.uncounted(format!("hooks of other files (`{key}`)"));
        }
    }
    Ok(reading.unless_empty())
}

fn command_of(event: &str, name: &str, line: usize, command: &Node) -> Draft {
    let run = command.text_of("run").or_else(|| command.text_of("runner")).unwrap_or("");
    hook(&format!("{event}/{name}"), line).runs(run).words(["lefthook", "run", event, "--commands", name])
}

fn husky(look: &Look<'_>) -> Read {
    if !EVENTS.contains(&look.name()) {
        return Ok(None);
    }
    let own = look
        .text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#') && !line.contains("husky.sh"));
    let draft = hook(look.name(), 1).describe(shell::first_comment(look.text), Origin::Comment);
    Ok(Some(Reading::of(vec![draft.runs(own.collect::<Vec<_>>().join("\n"))])))
}
