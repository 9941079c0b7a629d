//! Shifts between versions as users see them.

use serde::{Deserialize, Serialize};

/// A shift, under way or at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    pub service: String,
    /// The version that requests are shifted to, as a service.
    pub to: String,
    /// Its share now, in percent.
    pub share: f64,
    /// Which step this is, from 1, and of how many.
    pub step: usize,
    pub steps: usize,
    pub state: ShiftState,
    /// Why it did not come to its end.
    pub reason: Option<String>,
    /// What the present step waits for, whose time is over.
    #[serde(default)]
    pub held: Option<String>,
    /// Who has changed the routes of the service since it ended: the share is another by now.
    #[serde(default)]
    pub overtaken: Option<String>,
}

/// How far a shift is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftState {
    Shifting,
    Done,
    /// All requests go to the other versions again.
    Aborted,
    /// Somebody else has changed the routes of the service, which stay as they are.
    Stopped,
    /// Too few requests were served to judge the version by. They are shared as they were at last.
    Inconclusive,
}
