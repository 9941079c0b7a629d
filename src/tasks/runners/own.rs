//! Tasks of nagaya's own manifests, also of those below the one that is at work.

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, OWN, Origin};

pub const RUNNER: Runner =
    Runner::new(OWN, read).first(&["nagaya.yaml", "nagaya.yml"]).runs(Via::Path, &["nagaya", "run", "{}"]);

/// What only the manifest's own reader knows, as overlays and profiles, matters to services alone.
fn read(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let tasks = root.below(&["tasks"]);
    if tasks.is_empty() {
        return Ok(None);
    }
    let is_task = |name: &String| tasks.iter().any(|(key, _)| *key.text == **name);
    let draft = |name: &str, line: usize, task: &Node| {
        let command = task.get("command").unwrap_or(task);
        // A dollar that stands for itself is written twice there.
        let words = command.scalar().map_or_else(|| command.texts().join(" "), str::to_owned).replace("$$", "$");
        let needs = task.names_of("depends_on").into_iter().filter(is_task).collect();
        Draft::new(name, line).describe(task.text_of("description"), Origin::Field).runs(words.trim_end()).after(needs)
    };
    let tasks = tasks.iter().map(|(key, task)| draft(&key.text, key.at.line, task)).collect();
    Ok(Some(Reading { tasks, ..Reading::default() }))
}
