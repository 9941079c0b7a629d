//! `nagaya kill`: SIGKILL, or another signal, to services.

use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::control::show;
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use super::wait::{Goal, settle};
use crate::model::Signal;

#[derive(Debug, Args)]
pub struct Kill {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// The signal. SIGKILL stops a service, which stays stopped; any other is only sent to its main process
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGKILL", value_parser = signal)]
    pub signal: Signal,
}

fn signal(text: &str) -> Result<Signal, String> {
    Signal::parse(text).ok_or_else(|| format!("these are known: {}", Signal::names().collect::<Vec<_>>().join(", ")))
}

/// Sends it. After SIGKILL it returns when the services are gone.
pub async fn run(global: &Global, args: Kill, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let hit = client.kill(&args.services, args.signal).await?;
    if args.signal == Signal::KILL && !hit.is_empty() {
        settle(&client, &engine.state, &hit, Goal::Stopped, None, output).await?;
    }
    show(&client, &hit, output).await
}
