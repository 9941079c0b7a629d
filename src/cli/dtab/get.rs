//! `nagaya dtab get`: the routes, in a form that `set` takes.

use std::process::ExitCode;

use clap::Args;

use super::version_line;
use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate::connect;
use crate::cli::output::{Output, dim};
use crate::dtab::Dtab;

#[derive(Debug, Args)]
pub struct Get {
    /// With the entries that are built in
    #[arg(long)]
    all: bool,
}

/// Prints them, one entry a line.
pub async fn run(global: &Global, args: &Get, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let routes = client.routes().await?;
    if output.json {
        output.json(&routes);
        return Ok(ExitCode::SUCCESS);
    }
    output.say(&dim(&version_line(routes.version, &routes.who, &routes.time)));
    let text = if args.all { &routes.all } else { &routes.dtab };
    let dtab: Dtab = text.parse().map_err(|error| Error::failed(format!("the engine's routes: {error}")))?;
    let lines: Vec<String> = dtab.entries().iter().map(|it| format!("{} => {} ;", it.prefix, it.tree)).collect();
    if !lines.is_empty() {
        output.lines(&lines);
    }
    Ok(ExitCode::SUCCESS)
}
