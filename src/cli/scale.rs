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
    /// A service and how many instances of it there are to be; `auto` for what the manifest says
    #[arg(required = true, value_name = "SERVICE=N", value_parser = scale)]
    pub wanted: Vec<(String, Option<u32>)>,
}

/// A service and a number: `users=3`, or `users=auto`.
pub fn scale(text: &str) -> Result<(String, Option<u32>), String> {
    let (service, count) = text.split_once('=').ok_or("write SERVICE=N, as `users=3`")?;
    let number = || count.parse().map_err(|_| format!("`{count}` is neither a number of instances nor `auto`"));
    let count = if count == "auto" { None } else { Some(number()?) };
    Ok((service.to_owned(), count))
}

/// Asks for it, and returns when those are ready that came and those are gone that went. What is stopped stays so: it
/// has as many when it is started.
pub async fn run(global: &Global, args: Scale, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let scale = args.wanted.into_iter().collect();
    for notice in client.scale(&scale).await?.notices {
        output.tell(&notice);
    }
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
