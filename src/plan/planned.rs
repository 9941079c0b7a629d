//! One service of a plan, with every address filled in.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Autoscale, Dependency, Egress, External, HostName, Leads, Liveness, LogKeeping, NetworkMode, ProbeKind, Protocol,
    Restart, Rhythm, Schedule, ServiceName, Sign, Startup, Stdin, Stop, Strategy, User, Version, Watch,
};

use super::contained::PlannedContainer;
use super::{Addresses, Layers};

/// One service, ready to be launched or called.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub name: ServiceName,
    /// Which of several versions it is.
    pub version: Option<Version>,
    /// What names mean for it alone: it belongs to a combination of versions.
    pub leads: Option<Arc<Leads>>,
    pub task: bool,
    /// What no other has while it runs.
    pub lock: Option<String>,
    /// Its result is kept: run again it costs little where nothing has changed.
    pub kept: bool,
    /// Other names of it in the workspace.
    pub aliases: Vec<ServiceName>,
    /// Production's full host names of it.
    pub hostnames: Vec<HostName>,
    pub run: PlannedRun,
    pub working_dir: PathBuf,
    /// A place for its data, which may not be there yet.
    pub data_dir: PathBuf,
    pub environment: Layers,
    pub ports: Vec<PlannedPort>,
    /// Ports that are published without being declared.
    pub undeclared: Vec<PlannedPort>,
    /// All that it publishes.
    pub publish: Vec<PlannedPublish>,
    /// How it sees the network.
    pub network: NetworkMode,
    /// Its addresses in pods, whether it is in one or not; of several instances those of the first.
    pub addresses: Addresses,
    pub egress: Egress,
    /// The account that runs it; nagaya's own where there is none.
    pub user: Option<User>,
    pub depends_on: Vec<Dependency>,
    pub readiness: Ready,
    pub startup: Option<Startup<Box<PlannedProbe>>>,
    pub liveness: Option<Liveness<Box<PlannedProbe>>>,
    pub restart: Restart,
    pub schedule: Option<Schedule>,
    pub stop: Stop,
    pub lazy: bool,
    /// Instances at once.
    pub replicas: u32,
    /// Its calls decide how many there are.
    pub autoscale: Option<Autoscale>,
    /// How an instance of it is replaced.
    pub strategy: Strategy,
    /// Without a call for so long it is stopped, until the next one.
    pub idle_timeout: Option<Duration>,
    /// At this age an instance is replaced.
    pub max_age: Option<Duration>,
    /// What differs in instances other than the first.
    pub others: Others,
    /// What follows from changes of its files.
    pub watch: Vec<PlannedWatch>,
    pub profiles: Vec<String>,
    pub logs: LogKeeping,
    pub stdin: Stdin,
    /// Places in [`Plan::setups`](super::Plan::setups), in order.
    pub setup: Vec<usize>,
}

/// Instances of a service from the second on: those that are wanted, and those that take the place of others.
#[derive(Debug, Clone, PartialEq)]
pub enum Others {
    None,
    /// The addresses of their pods.
    Pods(Vec<Ipv4Addr>),
    /// Each with ports of its own, and all that tells of them.
    Ports(Vec<Planned>),
}

/// Files of a service, and what follows from their change.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedWatch {
    /// As the manifest has them.
    pub files: Watch,
    /// The command of [`Reaction::Run`](crate::model::Reaction::Run), with every address filled in.
    pub argv: Vec<String>,
}

/// What a planned service is.
#[derive(Debug, Clone, PartialEq)]
pub enum PlannedRun {
    Process {
        /// As the manifest has it, for people.
        command: String,
        argv: Vec<String>,
    },
    Container(Box<PlannedContainer>),
    /// Nothing that is run here.
    External(External),
}

/// A port as production numbers it, and where that really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPort {
    pub name: String,
    /// Production's number.
    pub number: u16,
    pub protocol: Protocol,
    pub location: Location,
}

/// Where a port of a service is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// The program itself listens there.
    Loopback(u16),
    /// In the pod of an instance of a service.
    Pod { service: Arc<str>, instance: u32, port: u16 },
    /// Outside the workspace; `host` is a name or an address, an IPv6 one without brackets.
    Elsewhere { host: Arc<str>, port: u16, tls: bool },
}

/// A number of this machine's loopback that leads to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPublish {
    pub host: u16,
    /// The place among [`Planned::all_ports`].
    pub port: usize,
    /// By the manifest; else it is production's number, where nobody else has that.
    pub chosen: bool,
}

/// When a planned service is ready: [`Readiness`](crate::model::Readiness) with every address filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Ready {
    Started,
    /// A process of its own listens on this port.
    Listening(u16),
    Log(String),
    /// It says so itself, by sd_notify(3).
    Notify,
    Probe(Box<PlannedProbe>),
}

/// A probe with its rhythm, and its check with every address filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedProbe {
    pub rhythm: Rhythm,
    pub check: PlannedCheck,
}

/// What one try does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedCheck {
    Http { port: u16, path: String, host: Option<String>, headers: Vec<(String, String)>, status: Option<u16> },
    Tcp { port: u16 },
    Grpc { port: u16, service: String },
    Exec(Vec<String>),
}

impl PlannedCheck {
    /// The port that it asks.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } | Self::Grpc { port, .. } => Some(*port),
            Self::Exec(_) => None,
        }
    }
}

impl Planned {
    /// Whether the running process is still what this plan wants; dependencies and restart rules may differ.
    pub fn launches_like(&self, other: &Self) -> bool {
        self.run == other.run
            && self.working_dir == other.working_dir
            && self.environment == other.environment
            && self.ports == other.ports
            && self.is_probed_like(other)
            && (self.network, self.addresses, self.stdin) == (other.network, other.addresses, other.stdin)
            && self.user == other.user
    }

    /// Whether what is asked of a running process is still what this plan asks.
    pub fn is_probed_like(&self, other: &Self) -> bool {
        let probes = |planned: &Self| (planned.readiness.clone(), planned.startup.clone(), planned.liveness.clone());
        probes(self) == probes(other)
    }

    /// The probe of a kind.
    pub fn probe(&self, kind: ProbeKind) -> Option<&PlannedProbe> {
        match kind {
            ProbeKind::Startup => match &self.startup.as_ref()?.sign {
                Sign::Probe(probe) => Some(probe),
                Sign::Log(_) | Sign::Notify => None,
            },
            ProbeKind::Readiness => match &self.readiness {
                Ready::Probe(probe) => Some(probe),
                Ready::Started | Ready::Listening(_) | Ready::Log(_) | Ready::Notify => None,
            },
            ProbeKind::Liveness => match self.liveness.as_ref()? {
                Liveness::Probe(probe) => Some(probe),
                Liveness::Watchdog(_) => None,
            },
        }
    }

    /// The pattern of a line by which startup or readiness is seen.
    pub fn pattern(&self, kind: ProbeKind) -> Option<&str> {
        match (kind, self.startup.as_ref().map(|startup| &startup.sign), &self.readiness) {
            (ProbeKind::Startup, Some(Sign::Log(pattern)), _) | (ProbeKind::Readiness, _, Ready::Log(pattern)) => {
                Some(pattern)
            }
            _ => None,
        }
    }

    /// Whether the program is to say it itself, by sd_notify(3).
    pub fn says(&self, kind: ProbeKind) -> bool {
        match kind {
            ProbeKind::Startup => self.startup.as_ref().is_some_and(|startup| startup.sign == Sign::Notify),
            ProbeKind::Readiness => self.readiness == Ready::Notify,
            ProbeKind::Liveness => self.watchdog().is_some(),
        }
    }

    /// How far apart the program may say that it lives, if it is to say so.
    pub fn watchdog(&self) -> Option<Duration> {
        match self.liveness {
            Some(Liveness::Watchdog(limit)) => Some(limit),
            Some(Liveness::Probe(_)) | None => None,
        }
    }

    /// Whether callers of the running process find what this plan says, so that both may be there at once.
    pub fn is_called_like(&self, other: &Self) -> bool {
        let place = |planned: &Self| (planned.network, planned.addresses.called);
        self.ports == other.ports && self.undeclared == other.undeclared && place(self) == place(other)
    }

    /// The service as one of its instances is launched, and seen to be ready.
    pub fn instance(&self, number: u32) -> &Self {
        match &self.others {
            Others::Ports(others) => further(others, number).unwrap_or(self),
            Others::None | Others::Pods(_) => self,
        }
    }

    /// The address of an instance's own pod.
    pub fn own_address(&self, number: u32) -> Ipv4Addr {
        match &self.others {
            Others::Pods(others) => further(others, number).copied().unwrap_or(self.addresses.own),
            Others::None | Others::Ports(_) => self.addresses.own,
        }
    }

    /// Where an instance is reached by each of the ports that can be called.
    pub fn locations(&self, number: u32) -> impl Iterator<Item = Location> {
        self.instance(number).all_ports().map(move |port| match &port.location {
            Location::Pod { service, port, .. } => {
                Location::Pod { service: service.clone(), instance: number, port: *port }
            }
            other => other.clone(),
        })
    }

    /// How many instances there can be at once.
    pub fn most_instances(&self) -> u32 {
        let others = match &self.others {
            Others::None => 0,
            Others::Pods(others) => others.len(),
            Others::Ports(others) => others.len(),
        };
        u32::try_from(others).unwrap_or(u32::MAX - 1) + 1
    }

    /// Whether the service's own name means it: it is the first version, or the only one.
    pub fn bears_name(&self) -> bool {
        self.version.as_ref().is_none_or(|version| version.of == self.name)
    }

    /// Where it lives, where that is elsewhere.
    pub fn external(&self) -> Option<&External> {
        match &self.run {
            PlannedRun::Process { .. } | PlannedRun::Container(_) => None,
            PlannedRun::External(external) => Some(external),
        }
    }

    /// Its container, where it is one.
    pub fn container(&self) -> Option<&PlannedContainer> {
        match &self.run {
            PlannedRun::Container(container) => Some(container),
            PlannedRun::Process { .. } | PlannedRun::External(_) => None,
        }
    }

    /// `process`, `container` or `external`.
    pub fn kind(&self) -> &'static str {
        match &self.run {
            PlannedRun::Process { .. } => "process",
            PlannedRun::Container(_) => "container",
            PlannedRun::External(_) => "external",
        }
    }

    /// The program and its arguments; nothing where it lives elsewhere or in a container.
    pub fn argv(&self) -> &[String] {
        match &self.run {
            PlannedRun::Process { argv, .. } => argv,
            PlannedRun::Container(_) | PlannedRun::External(_) => &[],
        }
    }

    /// Whether it runs in a pod: a container is as good as one, for whoever calls or is called.
    pub fn in_pod(&self) -> bool {
        self.network == NetworkMode::Pod && self.external().is_none()
    }

    /// Whether it is a process in a pod.
    pub fn has_pod(&self) -> bool {
        self.in_pod() && self.container().is_none()
    }

    /// Whether it has namespaces of its own: a pod, or only private files.
    pub fn is_apart(&self) -> bool {
        self.network != NetworkMode::Env && self.external().is_none() && self.container().is_none()
    }

    /// The first port that a stream can be opened to.
    pub fn first_port(&self) -> Option<&PlannedPort> {
        self.ports.iter().find(|port| port.protocol != Protocol::Udp)
    }

    /// The ports that can be called: the declared ones, then those that are only published.
    pub fn all_ports(&self) -> impl Iterator<Item = &PlannedPort> {
        self.ports.iter().chain(&self.undeclared)
    }

    /// What the engine listens on for it: all that it publishes, but for numbers of this machine on which the program
    /// listens itself.
    pub fn published(&self) -> impl Iterator<Item = PlannedPublish> {
        let own = |it: &PlannedPublish| {
            let port = self.all_ports().nth(it.port);
            port.is_some_and(|port| port.location == Location::Loopback(it.host))
        };
        self.publish.iter().filter(move |it| !own(it)).copied()
    }
}

/// Of instances from the second on, the one of this number.
fn further<T>(others: &[T], number: u32) -> Option<&T> {
    others.get(usize::try_from(number.checked_sub(2)?).ok()?)
}

impl PlannedPort {
    /// The number on which the program listens, where there is one.
    pub fn listen(&self) -> Option<u16> {
        match self.location {
            Location::Loopback(number) | Location::Pod { port: number, .. } => Some(number),
            Location::Elsewhere { .. } => None,
        }
    }
}

impl Location {
    /// The `Host` that a server outside expects, which knows nothing of the workspace's names: with the port where that
    /// is not the scheme's (RFC 9110 section 7.2). Inside, callers know best what they call a service.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Loopback(_) | Self::Pod { .. } => None,
            Self::Elsewhere { host, port, tls } if *port == if *tls { 443 } else { 80 } => Some(in_brackets(host)),
            Self::Elsewhere { host, port, .. } => Some(format!("{}:{port}", in_brackets(host))),
        }
    }
}

/// A host as it stands before a port: an IPv6 address in brackets (RFC 3986 section 3.2.2).
fn in_brackets(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// As a message names it: `port 8080`, `api.example.com:443`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(number) | Self::Pod { port: number, .. } => write!(f, "port {number}"),
            Self::Elsewhere { host, port, .. } => write!(f, "{}:{port}", in_brackets(host)),
        }
    }
}
