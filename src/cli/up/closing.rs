//! The last line of `up --wait --json`: what came of it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::api::Client;
use crate::cli::error::{Code, Error};
use crate::cli::output::{Output, error_json};
use crate::effects::clock;
use crate::view::{Event, Service};

/// An engine that does not answer is asked for the services no longer.
const SOON: Duration = Duration::from_secs(1);

/// An event, and what scripts ask next. Its words are part of the contract.
#[derive(Debug, Serialize)]
struct Closing {
    #[serde(flatten)]
    event: Event,
    /// `ready`, `failed`, `timed_out` or `interrupted`.
    result: &'static str,
    /// The instances that are not ready.
    services: Vec<Unready>,
    /// As other commands have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Json>,
}

#[derive(Debug, Serialize)]
struct Unready {
    service: String,
    instance: u32,
    state: &'static str,
    reason: Option<String>,
}

impl Unready {
    fn of(row: &Service) -> Self {
        let state = row.state.word();
        Self { service: row.name.clone(), instance: row.instance, state, reason: row.reason.clone() }
    }
}

/// Prints it; what went wrong is said with it, and not again.
pub async fn close(
    ended: Result<(), Error>,
    (client, services): (&Client, &[String]),
    begun: Instant,
    output: &Output,
) -> Result<(), Error> {
    let code = ended.as_ref().err().map(|error| error.code);
    let unready = match code {
        None => Vec::new(),
        Some(_) => tokio::time::timeout(SOON, client.services()).await.ok().and_then(Result::ok).unwrap_or_default(),
    };
    let is_late = |row: &&Service| services.contains(&row.name) && !row.settled;
    let message = match &ended {
        Ok(()) if services.len() == 1 => "1 service is ready".to_owned(),
        Ok(()) => format!("{} services are ready", services.len()),
        Err(error) => error.message.clone(),
    };
    let event = Event::told("up", None, message, clock::utc());
    let closing = Closing {
        event: Event {
            code: Some(code.map_or(0, |code| i32::from(code as u8))),
            duration_ms: u64::try_from(begun.elapsed().as_millis()).ok(),
            ..event
        },
        result: word(code),
        services: unready.iter().filter(is_late).map(Unready::of).collect(),
        error: ended.as_ref().err().map(error_json),
    };
    output.json_line(&closing);
    ended.map_err(|error| Error::silent(error.code))
}

fn word(code: Option<Code>) -> &'static str {
    match code {
        None => "ready",
        Some(Code::TimedOut) => "timed_out",
        Some(Code::Interrupted) => "interrupted",
        Some(_) => "failed",
    }
}
