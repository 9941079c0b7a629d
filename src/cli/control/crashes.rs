//! Services that were asked to start, and crash as often as they are started.

use std::path::Path;
use std::time::Duration;

use crate::api::Client;
use crate::cli::error::{Code, Error};
use crate::cli::wait::{is_paused, last_lines};
use crate::runtime::Changes;
use crate::supervise::State;
use crate::view::Service;

/// So many crashes in a row are no accident.
const CRASHES: u32 = 2;
/// Whoever waits for a start does not wait longer than this for the next try.
const PATIENCE: Duration = Duration::from_secs(3);
/// Lines of its output that are shown.
const LINES: usize = 10;

/// Comes when one of these services crashes again and again since it was asked to start; else never.
pub async fn crashing(client: &Client, state: &Path, services: &[String]) -> Error {
    let Ok(mut stream) = client.events("/v1/services/stream").await else { return std::future::pending().await };
    while let Some(Changes { services: rows, .. }) = stream.next().await {
        if let Some(row) = rows.iter().find(|row| services.contains(&row.name) && is_crashing(row)) {
            return told(client, state, row).await;
        }
    }
    // That the engine is gone is told by whoever waits.
    std::future::pending().await
}

fn is_crashing(row: &Service) -> bool {
    row.state == State::Backoff && row.crashes >= CRASHES || is_paused(row, PATIENCE)
}

async fn told(client: &Client, state: &Path, row: &Service) -> Error {
    let Service { name, reason, .. } = row;
    let reason = reason.as_deref().unwrap_or(row.state.word());
    let error = Error::new(Code::Failed, format!("{}: {reason}", row.label()));
    let others = client.services().await.unwrap_or_default();
    let serves = others.iter().any(|other| other.name == *name && other.ready);
    let error = if serves { error.hint("what ran before serves on") } else { error };
    error
        .detail(last_lines(state, name, LINES))
        .hint(format!("`nagaya why {name}` and `nagaya logs {name}` show more; `nagaya stop {name}` ends the tries"))
}
