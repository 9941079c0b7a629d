//! `nagaya dtab list`: the table, entry by entry.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate::connect;
use crate::cli::output::Output;
use crate::view::routes::{Entry, Use};
use crate::view::{Align, Table};

/// Names that are shown of many.
const SHOWN: usize = 3;

/// Prints all entries, the built-in ones too: their numbers are those that `explain` tells.
pub async fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let entries = client.route_entries().await?;
    if output.json {
        output.json(&entries);
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [("N", Align::Right), ("ENTRY", Align::Left), ("USE", Align::Left), ("FOR", Align::Left)];
    let mut table = Table::new(&columns);
    for entry in &entries {
        table.row(vec![entry.number.to_string(), entry.shown(), what(entry), some(&entry.names, entry.more_names)]);
    }
    output.lines(&table.lines());
    if entries.iter().any(|entry| entry.state == Use::Unknown) {
        output.say("the table is too large to look at all of it at once: `nagaya dtab explain NAME` tells of one name");
    }
    Ok(ExitCode::SUCCESS)
}

fn what(entry: &Entry) -> String {
    match entry.state {
        Use::Bound | Use::Uncallable if !entry.bound.is_empty() => {
            format!("{}: {}", entry.state.word(), some(&entry.bound, 0))
        }
        state => state.word().to_owned(),
    }
}

fn some(names: &BTreeSet<String>, others: usize) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN) + others;
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
