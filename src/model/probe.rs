//! How a service is seen to have started, to be ready, and to live.

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

/// When a service has started: before that it is neither asked whether it is ready nor whether it lives. Kubernetes'
/// `startupProbe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup<P = Probe> {
    pub sign: Sign<P>,
    /// One that has not started by then is ended: `failure_threshold` periods after the initial delay.
    pub limit: Duration,
}

/// What shows that a service has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign<P = Probe> {
    Probe(P),
    /// A line of its output matches (a regular expression).
    Log(String),
    /// The program says so itself, by sd_notify(3).
    Notify,
}

/// How a service that runs is seen to live; one that does not is ended. Kubernetes' `livenessProbe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness<P = Probe> {
    /// It fails with its `failure_threshold`th failure in a row.
    Probe(P),
    /// The program says `WATCHDOG=1` by sd_notify(3), never this long apart.
    Watchdog(Duration),
}

/// What a probe is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

impl ProbeKind {
    /// Its key in a manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }
}

/// A probe and its rhythm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub check: Check,
    pub rhythm: Rhythm,
}

/// When a probe is tried. Fields mean what they mean in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Between two tries until it succeeds. The first tries come faster, so that boot does not wait for it.
    pub period: Duration,
    /// Between two tries once it succeeded.
    pub quiet_period: Duration,
    pub timeout: Duration,
    pub failure_threshold: u32,
    pub success_threshold: u32,
    pub initial_delay: Duration,
}

impl Rhythm {
    /// As readiness is asked for: more often than in Kubernetes until it succeeds.
    pub const OF_READINESS: Self = Self {
        period: Duration::from_secs(2),
        quiet_period: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        failure_threshold: 3,
        success_threshold: 1,
        initial_delay: Duration::ZERO,
    };

    /// As the others are, with Kubernetes' defaults.
    pub const OF_OTHERS: Self = Self { period: Duration::from_secs(10), ..Self::OF_READINESS };

    /// How long it takes to fail from the beginning.
    pub fn limit(&self) -> Duration {
        self.initial_delay.saturating_add(self.period.saturating_mul(self.failure_threshold))
    }
}

impl<P> Startup<P> {
    /// The same with another form of the probe.
    pub fn map<Q>(&self, probe: impl FnOnce(&P) -> Q) -> Startup<Q> {
        let sign = match &self.sign {
            Sign::Probe(it) => Sign::Probe(probe(it)),
            Sign::Log(pattern) => Sign::Log(pattern.clone()),
            Sign::Notify => Sign::Notify,
        };
        Startup { sign, limit: self.limit }
    }
}

impl<P> Liveness<P> {
    /// The same with another form of the probe.
    pub fn map<Q>(&self, probe: impl FnOnce(&P) -> Q) -> Liveness<Q> {
        match self {
            Self::Probe(it) => Liveness::Probe(probe(it)),
            Self::Watchdog(limit) => Liveness::Watchdog(*limit),
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
