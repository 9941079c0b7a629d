//! `nagaya dtab history`: every change of the routes.

use std::collections::HashSet;
use std::process::ExitCode;

use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate::connect;
use crate::cli::output::{Output, bold, dim};
use crate::dtab::{Dentry, Dtab};

/// Prints each change with its time and author, and what it added and took away; `--json` has whole dtabs.
pub async fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let history = client.routes_history().await?;
    if output.json {
        output.json(&history);
        return Ok(ExitCode::SUCCESS);
    }
    if history.is_empty() {
        output.say("nothing was changed yet");
    }
    let mut before = Dtab::default();
    for record in history {
        output.line(&format!("{}  {}  {}", bold(&record.version.to_string()), dim(&record.time), record.who));
        let now: Dtab = record.dtab.as_deref().unwrap_or_default().parse().unwrap_or_default();
        let lines = difference(&before, &now);
        match lines.is_empty() {
            true => output.line(&dim("   nothing was added or taken away")),
            false => output.lines(&lines),
        }
        before = now;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was taken away, and what was added: each entry is looked for once, as tables are long.
fn difference(before: &Dtab, now: &Dtab) -> Vec<String> {
    let [before, now] = [before, now].map(|dtab| dtab.entries().iter().map(written).collect::<Vec<_>>());
    let [had, has] = [&before, &now].map(|lines| lines.iter().collect::<HashSet<_>>());
    let gone = before.iter().filter(|line| !has.contains(line)).map(|line| format!("   - {line}"));
    let new = now.iter().filter(|line| !had.contains(line)).map(|line| format!("   + {line}"));
    gone.chain(new).collect()
}

fn written(entry: &Dentry) -> String {
    format!("{} => {}", entry.prefix, entry.tree)
}
