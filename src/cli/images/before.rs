//! The building before an `up`.
//!
//! It is this program once more: an engine is forked from a process that never had a thread, which no work with images leaves it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "another command of this program")]

use std::process::{Command, Stdio};

use super::{FAILED, Row, UNCHANGED};
use crate::cli::args::Global;
use crate::cli::error::{Code, Error};
use crate::cli::output::Output;
use crate::effects::environment;
use crate::manifest::Request;

/// Builds what an `up` of these services is about to start; the services whose images are others now.
pub fn before_up(
    load: &Request,
    (services, no_deps): (&[String], bool),
    global: &Global,
    output: &Output,
) -> Result<Vec<String>, Error> {
    let failed = |error: std::io::Error| Error::failed(format!("the images cannot be built: {error}"));
    let mut command = Command::new(environment::program().map_err(failed)?);
    command.arg("build").args(services).env("NAGAYA_JSON", "0").stderr(Stdio::inherit());
    command.arg(if output.json { "--json" } else { "--rows" });
    let flags = [
        ("--with-dependencies", !no_deps),
        ("--no-env-file", global.no_env_file),
        ("-q", global.quiet),
        ("-v", global.verbose),
    ];
    command.args(flags.into_iter().filter_map(|(flag, is_set)| is_set.then_some(flag)));
    if load.explicit {
        for file in &load.files {
            command.arg("-f").arg(file);
        }
    }
    for profile in &global.profile {
        command.args(["--profile", profile]);
    }
    if let Some(name) = &global.project_name {
        command.args(["-p", name]);
    }
    let colors = if output.error_colors() { "always" } else { "never" };
    let said =
        command.args(["--color", colors]).stdin(Stdio::null()).stdout(Stdio::piped()).output().map_err(failed)?;
    let rows: Result<Vec<Row>, _> = serde_json::from_slice(&said.stdout);
    match rows {
        Ok(rows) if said.status.success() => {
            Ok(rows.into_iter().filter(|row| row.state != UNCHANGED).flat_map(|row| row.services).collect())
        }
        // It has said why.
        _ if !output.json => Err(Error::silent(Code::Failed)),
        Ok(rows) => {
            let failed = rows.into_iter().filter(|row| row.state == FAILED);
            let reason = |row: Row| format!("{}: {}", row.services.join(", "), row.message.unwrap_or_default());
            Err(Error::failed(failed.map(reason).collect::<Vec<_>>().join("\n")))
        }
        Err(_) => Err(told(&said.stdout)),
    }
}

/// The error that a command printed as JSON.
fn told(said: &[u8]) -> Error {
    let value: serde_json::Value = serde_json::from_slice(said).unwrap_or_default();
    let message = value["error"]["message"].as_str().unwrap_or("the images could not be built");
    let hints = value["error"]["hints"].as_array().into_iter().flatten().filter_map(|hint| hint.as_str());
    hints.map(str::to_owned).fold(Error::failed(message), Error::hint)
}
