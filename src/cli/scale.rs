//! `nagaya scale`: more and fewer instances of services that run.

use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use super::wait::{Goal, settle};

#[derive(Debug, Args)]
pub struct Scale {
    /// A service and how many instances of it there are to be
    #[arg(required = true, value_name = "SERVICE=N", value_parser = scale)]
    pub wanted: Vec<(String, u32)>,
}

/// A service and a number: `users=3`.
pub fn scale(text: &str) -> Result<(String, u32), String> {
    let (service, count) = text.split_once('=').ok_or("write SERVICE=N, as `users=3`")?;
    let count = count.parse().map_err(|_| format!("`{count}` is no number of instances"))?;
    Ok((service.to_owned(), count))
}

/// Asks for it, and returns when those are ready that came and those are gone that went. What is stopped stays so: it
/// has as many when it is started.
pub async fn run(global: &Global, args: Scale, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let scale = args.wanted.into_iter().collect();
    client.scale(&scale).await?;
    let about = |name: &String| scale.contains_key(name);
    let rows = client.services().await?;
    let mut running: Vec<String> =
        rows.into_iter().filter(|row| row.wanted).map(|row| row.name).filter(about).collect();
    running.dedup();
    if !running.is_empty() {
        settle(&client, &engine.state, &running, Goal::Ready, None, output).await?;
    }
    if output.json {
        let rows = client.services().await?;
        output.json(&rows.into_iter().filter(|row| about(&row.name)).collect::<Vec<_>>());
    }
    Ok(ExitCode::SUCCESS)
}
