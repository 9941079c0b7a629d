//! `nagaya snapshot list`.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::output::{Output, dim};
use crate::effects::clock;
use crate::effects::places::Home;
use crate::effects::snapshots::{self, Snapshot as Saved};
use crate::model::Size;
use crate::view::{Align, Table, age};

/// A row of `snapshot list`.
#[derive(Serialize)]
pub struct Row<'a> {
    name: &'a str,
    time: &'a str,
    services: Vec<&'a str>,
    bytes: u64,
    branch: Option<&'a str>,
    /// There is a second copy of it, so that restoring it is no more than a change of names.
    ready: bool,
}

impl<'a> Row<'a> {
    /// That of a snapshot, where this is the one that lies ready.
    pub fn of(saved: &'a Saved, ready: Option<&Saved>) -> Self {
        Self {
            name: &saved.name,
            time: &saved.time,
            services: saved.services(),
            bytes: saved.bytes(),
            branch: saved.branch.as_deref(),
            ready: ready == Some(saved),
        }
    }
}

/// Those that there are, and of which there is a second copy.
pub fn run(home: &Home, output: &Output) -> ExitCode {
    let (all, ready) = (snapshots::list(home), snapshots::ready_of(home));
    if output.json {
        output.json(&all.iter().map(|saved| Row::of(saved, ready.as_ref())).collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    if all.is_empty() {
        output.say("there is no snapshot yet; `nagaya snapshot save` makes one");
        return ExitCode::SUCCESS;
    }
    let left = |name| (name, Align::Left);
    let columns = [left("NAME"), ("AGE", Align::Right), ("SIZE", Align::Right), left("BRANCH"), left("SERVICES")];
    let mut table = Table::new(&columns);
    let now = clock::utc();
    for saved in &all {
        table.row(vec![
            saved.name.clone(),
            age(&saved.time, now).unwrap_or_default(),
            Size(saved.bytes()).to_string(),
            saved.branch.clone().unwrap_or_default(),
            saved.services().join(", "),
        ]);
    }
    for (at, line) in table.lines().into_iter().enumerate() {
        output.line(&if at == 0 { dim(&line) } else { line });
    }
    if let Some(saved) = ready {
        let size = Size(saved.bytes());
        output.say(&format!(
            "a second copy of {}, of {size}, lies ready to be restored at once; it goes with it",
            saved.name
        ));
    }
    ExitCode::SUCCESS
}
