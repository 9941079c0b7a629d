//! Mirrors as users see them.

use serde::{Deserialize, Serialize};

use crate::telemetry::copies::{Counts, Seen};

/// Copies of the requests to a service that go to one of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mirror {
    pub service: String,
    /// The version that gets the copies, as a service.
    pub to: String,
    /// Of so many requests, in percent.
    pub share: f64,
    /// Whether requests that write are copied.
    pub writes: bool,
    /// Whether answers are compared.
    pub compares: bool,
    #[serde(flatten)]
    pub counts: Counts,
    /// The last answers that were different, and the last copies that were not answered.
    pub latest: Vec<Seen>,
}
