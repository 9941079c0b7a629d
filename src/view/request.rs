//! A request as `requests` shows it.

use serde::{Deserialize, Serialize};

use crate::telemetry::requests::Record;

/// One line of `requests --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: String,
    pub trace_id: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// `(front door)` for callers from outside.
    pub from: String,
    pub to: String,
    /// The name that the caller asked for, where `to` is an address outside the workspace.
    #[serde(default)]
    pub to_name: Option<String>,
    pub version: Option<String>,
    pub protocol: String,
    pub method: Option<String>,
    pub path: Option<String>,
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
    pub duration_ms: f64,
    /// Instances that it was tried with.
    pub attempts: u32,
    pub fallback: Option<String>,
    pub fault: Option<String>,
    /// The entry of a dtab that led there, where it was not a built-in one; `override …` where the request brought it.
    pub routed_by: Option<String>,
    /// How it is known from which request the caller made it: `exact`, `certain`, `inferred` or `none`.
    pub link: String,
    /// Why an override may be missing here, and what would help.
    #[serde(default)]
    pub withheld: Option<String>,
    /// Whether it is a copy that a mirror made.
    #[serde(default)]
    pub copy: bool,
    /// Why the proxy itself answered.
    pub error: Option<String>,
    /// Whether the manifest has this caller call this callee; `null` where one of them is no service.
    #[serde(default)]
    pub declared: Option<bool>,
}

impl Request {
    /// What is shown of a record, and whether the manifest has that call: `None` where one end is no service.
    pub fn new(record: &Record, declared: Option<bool>) -> Self {
        Self {
            id: record.id().to_owned(),
            trace_id: format!("{:032x}", record.trace_id),
            time: format!("{:.9}", record.time),
            from: record.from.as_deref().unwrap_or("(front door)").to_owned(),
            to: record.to.to_string(),
            to_name: record.to_name.as_deref().map(str::to_owned),
            version: record.version.as_deref().map(str::to_owned),
            protocol: record.protocol.to_owned(),
            method: record.method().map(str::to_owned),
            path: record.path().map(str::to_owned),
            status: record.status,
            grpc_status: record.grpc_status,
            duration_ms: (record.duration.as_secs_f64() * 1e6).round() / 1e3,
            attempts: record.attempts.into(),
            fallback: None,
            fault: None,
            routed_by: record.routed_by.as_deref().map(str::to_owned),
            link: record.link.word().to_owned(),
            withheld: record.withheld.as_deref().map(withheld_unless),
            copy: record.is_copy,
            error: record.error.as_deref().map(str::to_owned),
            declared,
        }
    }
}

/// What is said where it is not known whose override a call has, and so it was given none.
pub fn withheld(caller: &str) -> String {
    format!("{caller} was serving several requests and did not say for which it called")
}

/// The same with what would help.
fn withheld_unless(caller: &str) -> String {
    let told = withheld(caller);
    format!(
        "{told}; one of them had an override, so it would have to forward `l5d-ctx-dtab`, `traceparent` or `x-request-id`"
    )
}
