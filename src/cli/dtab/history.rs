//! `nagaya dtab history`: every change of the routes.

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

fn difference(before: &Dtab, now: &Dtab) -> Vec<String> {
    let line = |sign: &str, entry: &Dentry| format!("   {sign} {} => {}", entry.prefix, entry.tree);
    let missing = |from: &'_ Dtab, entry: &Dentry| !from.entries().contains(entry);
    let gone = before.entries().iter().filter(|entry| missing(now, entry)).map(|entry| line("-", entry));
    let new = now.entries().iter().filter(|entry| missing(before, entry)).map(|entry| line("+", entry));
    gone.chain(new).collect()
}
