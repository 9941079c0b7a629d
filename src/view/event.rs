//! Changes of state, as `up --wait --json` and `events` stream them.

use serde::{Deserialize, Serialize};

use super::wording::reason;
use crate::model::ServiceName;
use crate::plan::Plan;
use crate::supervise::{self, State};

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// RFC 3339, UTC.
    pub time: String,
    /// `state`: a service's state changed; `changed`: watched files did; `failed`: what followed from that did; `manifest`:
    /// it was edited; `trouble`: something is not watched; `scaled`: calls are worth another number of instances;
    /// `budget`: services take more memory than they may, or less again; `published`: a number that others had is a
    /// service's.
    pub event: String,
    pub service: Option<String>,
    /// Which of the service's instances.
    #[serde(default)]
    pub instance: Option<u32>,
    pub state: Option<State>,
    pub message: Option<String>,
    /// The exit code of a process that ended.
    pub code: Option<i32>,
    /// Its result was kept from an earlier run.
    pub cached: Option<bool>,
    pub duration_ms: Option<u64>,
}

impl Event {
    /// Something that is no change of state.
    pub fn told(event: &str, service: Option<&ServiceName>, message: String, time: jiff::Timestamp) -> Self {
        Self {
            time: format!("{time:.9}"),
            event: event.to_owned(),
            service: service.map(ToString::to_string),
            instance: None,
            state: None,
            message: Some(message),
            code: None,
            cached: None,
            duration_ms: None,
        }
    }

    /// A change of state.
    pub fn new(event: &supervise::Event, plan: &Plan, time: jiff::Timestamp) -> Self {
        let ended = matches!(event.state, State::Completed | State::Failed | State::Backoff | State::Stopped);
        Self {
            time: format!("{time:.9}"),
            event: "state".to_owned(),
            service: plan.services.get(event.service).map(|planned| planned.name.to_string()),
            instance: Some(event.instance),
            state: Some(event.state),
            message: event.reason.as_ref().map(|it| reason(it, plan)),
            code: event.exit.as_ref().filter(|_| ended).and_then(|exit| exit.code()),
            cached: None,
            duration_ms: event.startup.map(|startup| u64::try_from(startup.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
