//! `nagaya hold`: does nothing until it is asked to end. It keeps the place in which a task runs; not for people.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::block;
use super::error::Error;
use super::output::Output;

/// Waits for SIGTERM, which says that the task has ended well.
pub fn run() -> ExitCode {
    let waited = block(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| Error::failed(error.to_string()))?;
        terminate.recv().await;
        Ok(ExitCode::SUCCESS)
    });
    waited.unwrap_or_else(|error| Output::plain().fail(&error))
}
