//! Tasks of Deno, <https://docs.deno.com/runtime/reference/cli/task/>.

use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Origin};

pub const RUNNER: Runner =
    Runner::new("deno", read).first(&["deno.json", "deno.jsonc"]).runs(Via::Path, &["deno", "task", "{}"]);

fn read(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    let tasks = root.below(&["tasks"]).iter().map(|(key, task)| {
        let command = task.text().or_else(|| task.text_of("command")).unwrap_or("");
        Draft::new(&*key.text, key.at.line)
            .describe(task.text_of("description"), Origin::Field)
            .after(task.texts_of("dependencies"))
            .runs(command)
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}
