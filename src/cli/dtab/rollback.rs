//! `nagaya dtab rollback`: routes that were in force before.

use std::process::ExitCode;

use clap::Args;

use super::{author, version_line};
use crate::api::Put;
use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate::connect;
use crate::cli::output::Output;

#[derive(Debug, Args)]
pub struct Rollback {
    /// The version to go back to; the one before the present one where none is given
    version: Option<u64>,
}

/// Puts an earlier version in force again, as a change of its own. Somebody else's change in between is an error.
pub async fn run(global: &Global, args: &Rollback, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let present = client.routes().await?.version;
    let wanted = match args.version {
        Some(version) => version,
        None => present.checked_sub(1).ok_or_else(|| Error::failed("there is no earlier version"))?,
    };
    let history = client.routes_history().await?;
    let record = history.into_iter().find(|record| record.version == wanted);
    // Before the first change there was nothing.
    let dtab = match record {
        Some(record) => record.dtab.unwrap_or_default(),
        None if wanted == 0 => String::new(),
        None => {
            let error = Error::usage(format!("there is no version {wanted}; the present one is {present}"));
            return Err(error.hint("`nagaya dtab history` lists them"));
        }
    };
    let who = author(&format!("dtab rollback {wanted}"));
    let routes = client.put_routes(&Put { dtab, if_version: Some(present), who }).await?;
    if output.json {
        output.json(&routes);
    } else {
        output.say(&version_line(routes.version, &routes.who, &routes.time));
    }
    Ok(ExitCode::SUCCESS)
}
