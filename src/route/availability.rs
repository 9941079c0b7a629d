//! Whether a service can be called, by the state that it is in.

use crate::supervise::{State, Status};

/// Whether a call can be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    Ready,
    /// It is on its way: the call waits.
    Coming(State),
    /// It starts when it is called.
    Idle,
    /// It is not going to come: the call is refused.
    Absent(State),
}

impl Availability {
    /// What a status means for callers.
    pub fn of(status: &Status) -> Self {
        match status.state {
            State::Running | State::Ready => Self::Ready,
            State::Idle => Self::Idle,
            State::Waiting if status.stuck => Self::Absent(status.state),
            State::Waiting | State::Setup | State::Starting | State::Backoff => Self::Coming(status.state),
            // On its way down it still answers what reaches it; new calls would be lost.
            State::Stopping if status.wanted => Self::Coming(status.state),
            State::Unhealthy | State::Stopping | State::Stopped | State::Completed | State::Failed => {
                Self::Absent(status.state)
            }
        }
    }
}
