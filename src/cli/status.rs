//! Bare `nagaya`: the workspace in a few lines, and the likeliest next commands.

use std::process::ExitCode;

use super::args::Global;
use super::error::{Code, Error};
use super::locate;
use super::output::{Output, dim};
use super::ps;
use crate::view::by_service;

/// Prints it.
pub async fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    match locate::connect(global, output) {
        Ok((client, engine)) => {
            let mut rows = client.services().await?;
            rows.retain(|row| !row.is_aside());
            if output.json {
                output.json(&rows);
                return Ok(ExitCode::SUCCESS);
            }
            let trouble: Vec<_> =
                rows.iter().filter(|row| (!row.settled || row.stale) && row.wanted).cloned().collect();
            let rows = by_service(rows);
            let ready = rows.iter().filter(|row| row.settled).count();
            output.line(&format!(
                "{}: {ready} of {} services ready, front door http://{}.localhost:{}",
                engine.name,
                rows.len(),
                engine.host_label,
                engine.front_door
            ));
            if !trouble.is_empty() {
                ps::table(&trouble, output);
            }
            let first = trouble.first().map_or("SERVICE", |row| row.name.as_str());
            output.line(&dim(&format!("next: nagaya ui · nagaya why {first} · nagaya logs -f · nagaya down")));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.code == Code::NoEngine && !output.json => {
            let request = locate::manifest(global)?;
            let workspace = locate::load(&request, output)?;
            output.line(&format!("{}: {} services, not running", workspace.name, workspace.services.len()));
            output.line(&dim("next: nagaya up · nagaya check · nagaya up --dry-run"));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.code == Code::Manifest && !output.json => {
            output.line("no workspace here");
            error.hints.iter().for_each(|hint| output.line(&dim(hint)));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error),
    }
}
