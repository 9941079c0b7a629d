//! Scripts of Composer, <https://getcomposer.org/doc/articles/scripts.md>.

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Kind, Origin};

pub const RUNNER: Runner =
    Runner::new("composer", read).first(&["composer.json"]).runs(Via::Path, &["composer", "run-script", "{}"]);

/// What Composer runs by itself begins and ends so.
const EVENTS: [&str; 3] = ["pre-", "post-", "init"];

fn read(look: &Look<'_>) -> Read {
    let root = look.json()?;
    let tasks = root.below(&["scripts"]).iter().map(|(key, script)| {
        let lines = script.texts();
        let called = lines.iter().filter_map(|line| line.strip_prefix('@')?.split_whitespace().next());
        let called = called.filter(|name| !["php", "composer", "putenv"].contains(name)).map(str::to_owned);
        let mut draft = Draft::new(&*key.text, key.at.line)
            .describe(root.path(&["scripts-descriptions", &key.text]).and_then(Node::text), Origin::Field)
            .kind(if is_event(&key.text) { Kind::Hook } else { Kind::Task })
            .after(called.collect())
            .runs(lines.join("\n"));
        draft.aliases = root.path(&["scripts-aliases", &key.text]).map(Node::texts).unwrap_or_default();
        draft
    });
    let mut reading = Reading::of(tasks.collect());
    // Laravel and Symfony have commands of their own, which only their programs can list.
    for (program, name) in [("artisan", "artisan"), ("bin/console", "console")] {
        if look.has(program) {
            reading.uncounted(format!("commands of `php {program}` ({name})"));
        }
    }
    Ok(reading.unless_empty())
}

fn is_event(name: &str) -> bool {
    let ends = [
        "-cmd",
        "-install",
        "-update",
        "-uninstall",
        "-command-run",
        "-file-download",
        "-dump",
        "-solving",
        "-pool-create",
    ];
    name == EVENTS[2]
        || EVENTS[..2].iter().any(|it| name.starts_with(it)) && ends.iter().any(|it| name.ends_with(it))
        || name == "command"
}
