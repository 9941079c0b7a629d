//! `nagaya start`, `stop`, `restart`.

mod crashes;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::args::{Global, duration};
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use super::wait::{Goal, settle, settle_after};
use crate::api::Client;
use crate::effects::registry::Registration;
use crashes::crashing;

#[derive(Debug, Args)]
pub struct Named {
    /// Services
    #[arg(required = true)]
    pub services: Vec<String>,
    /// How long to wait at most; what was asked for goes on
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "NAGAYA_WAIT_TIMEOUT")]
    pub wait_timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Restart {
    #[command(flatten)]
    pub named: Named,
    /// Stop what runs before the new one starts, also where both could be there at once
    #[arg(long)]
    pub recreate: bool,
}

/// Asks for new instances, and returns when those before are gone. One that does not become ready leaves the old one
/// serving; one that crashes again and again ends the waiting.
pub async fn restart(global: &Global, args: &Restart, output: &Output) -> Result<ExitCode, Error> {
    let named = &args.named;
    let (client, engine) = connect(global, output)?;
    let before = client.services().await?;
    client.restart(&named.services, args.recreate).await?;
    let settled =
        settle_after(&before, &client, &engine.state, &named.services, Goal::Ready, named.wait_timeout, output);
    unless_crashing(settled, &client, &engine, &named.services).await?;
    show(&client, &named.services, output).await
}

/// Asks for it, and returns when it is so: started services are ready, stopped ones gone.
pub async fn run(global: &Global, verb: &str, args: &Named, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    client.control(verb, &args.services).await?;
    let settled = |goal| settle(&client, &engine.state, &args.services, goal, args.wait_timeout, output);
    match verb {
        "stop" => settled(Goal::Stopped).await?,
        _ => unless_crashing(settled(Goal::Ready), &client, &engine, &args.services).await?,
    }
    show(&client, &args.services, output).await
}

/// Waits, but not for one that crashes again and again: the pauses between its starts grow to minutes.
async fn unless_crashing(
    settled: impl Future<Output = Result<(), Error>>,
    client: &Client,
    engine: &Registration,
    services: &[String],
) -> Result<(), Error> {
    tokio::select! {
        settled = settled => settled,
        error = crashing(client, &engine.state, services) => Err(error),
    }
}

/// Prints the rows of services as JSON, where that is wanted.
pub async fn show(client: &Client, services: &[String], output: &Output) -> Result<ExitCode, Error> {
    if output.json {
        let rows = client.services().await?;
        output.json(&rows.into_iter().filter(|row| services.contains(&row.name)).collect::<Vec<_>>());
    }
    Ok(ExitCode::SUCCESS)
}
