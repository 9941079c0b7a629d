//! What happens when a service ends by itself, and how it is ended.

use std::time::Duration;

use super::Signal;

/// The restart policy of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Restart {
    pub policy: RestartPolicy,
    /// Give up after this many restarts in a row.
    pub max: Option<u32>,
    pub backoff: BackoffSpec,
    /// Having been up for this long ends a row of restarts.
    pub reset: Duration,
}

/// When to start again. `unless-stopped` is read as `always`: nothing is started again after a stop anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    No,
    OnFailure,
    Always,
}

/// A growing delay between tries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffSpec {
    pub base: Duration,
    pub max: Duration,
    pub jitter: Jitter,
}

/// How a delay `d` is blurred, so that many services that failed together do not return together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// `d`
    None,
    /// between 0 and `d`
    Full,
    /// between `d`/2 and `d`
    Equal,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::No,
            max: None,
            backoff: BackoffSpec {
                base: Duration::from_millis(500),
                max: Duration::from_secs(30),
                jitter: Jitter::Equal,
            },
            reset: Duration::from_secs(10),
        }
    }
}

/// How a service is stopped: the signal to its whole process group, then after `grace` SIGKILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    pub signal: Signal,
    pub grace: Duration,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: Signal::TERM, grace: Duration::from_secs(10) }
    }
}
