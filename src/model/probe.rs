//! How readiness is judged.

use std::time::Duration;

use super::{Command, ServicePort};

/// When a service counts as ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// As soon as it has started: nothing was declared and it has no port.
    Started,
    /// As soon as a process of its own listens on its first TCP port: nothing was declared, but it has ports.
    Listening,
    /// As its probe says.
    Probe(Probe),
    /// As soon as a line of its output matches (a regular expression).
    Log(String),
    /// As soon as the program says so itself, by sd_notify(3).
    Notify,
}

/// A probe and its rhythm. Fields and defaults mean what they mean in Kubernetes, except that the period
/// before success is 2 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub check: Check,
    /// Between two tries until it succeeds. The first tries come faster, so that boot does not wait for it.
    pub period: Duration,
    /// Between two tries once it succeeded.
    pub quiet_period: Duration,
    pub timeout: Duration,
    pub failure_threshold: u32,
    pub success_threshold: u32,
    pub initial_delay: Duration,
}

impl Probe {
    /// A probe with the default rhythm.
    pub fn new(check: Check) -> Self {
        Self {
            check,
            period: Duration::from_secs(2),
            quiet_period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            failure_threshold: 3,
            success_threshold: 1,
            initial_delay: Duration::ZERO,
        }
    }
}

/// What one try of a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// `GET` succeeds with a status from 200 to 399, or with `status` where that is given.
    Http { path: String, port: ServicePort, host: Option<String>, headers: Vec<(String, String)>, status: Option<u16> },
    /// A connection is accepted.
    Tcp { port: ServicePort },
    /// The standard health service (`grpc.health.v1.Health/Check`) says SERVING.
    Grpc { port: ServicePort, service: String },
    /// The command exits with 0, run in the service's folder and environment.
    Exec(Command),
}
