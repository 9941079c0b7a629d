//! `nagaya ls`: every running workspace of this user.

use std::process::ExitCode;

use super::error::Error;
use super::locate::places;
use super::output::{Output, dim};
use crate::effects::{clock, registry};
use crate::view::{Align, Table, age};

/// Lists them.
pub fn run(output: &Output) -> Result<ExitCode, Error> {
    let engines = registry::engines(&places()?);
    if output.json {
        output.json(&engines);
        return Ok(ExitCode::SUCCESS);
    }
    if engines.is_empty() {
        output.say("no workspace is running");
        return Ok(ExitCode::SUCCESS);
    }
    let columns =
        [("WORKSPACE", Align::Left), ("UP", Align::Right), ("FRONT DOOR", Align::Left), ("MANIFEST", Align::Left)];
    let mut table = Table::new(&columns);
    let now = clock::utc();
    for engine in &engines {
        table.row(vec![
            engine.name.clone(),
            age(&engine.started, now).unwrap_or_default(),
            format!("http://{}.localhost:{}", engine.host_label, engine.front_door),
            engine.manifest.display().to_string(),
        ]);
    }
    for (at, line) in table.lines().into_iter().enumerate() {
        output.line(&if at == 0 { dim(&line) } else { line });
    }
    Ok(ExitCode::SUCCESS)
}
