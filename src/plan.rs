//! Workspace + surroundings (ports, shell, folders) become a [`Plan`]: complete before anything starts.
//!
//! Everything that could still go wrong with a reference, an address or a name goes wrong here, where it can be
//! shown, and not in the middle of a boot. A plan says what would run, where, with which variables; `supervise` only
//! decides when.

mod edges;
mod environment;
mod lint;
mod select;
mod slots;

use std::path::PathBuf;

use crate::model::{
    Check, Command, Dependency, Graph, Inputs, LogKeeping, Probe, ProbePort, Protocol, Readiness, Restart, Service,
    ServiceName, Stop, Workspace, WorkspaceName,
};

pub use edges::{Edge, Reference, references};
pub use environment::{Layers, Shell, shadow_notice};
pub use lint::{Lint, lints};
pub use select::{SelectError, Selection, select};
pub use slots::{Ports, Slot, SlotKind, slots};

/// The loopback address of everything in network mode `env`.
pub const LOOPBACK: &str = "127.0.0.1";

/// What a plan needs to know of the machine.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub shell: Shell,
    /// The numbers for all [`slots`].
    pub ports: Ports,
    /// Below it, each service has a folder for its data.
    pub data_dir: PathBuf,
    pub site: Site,
}

/// Where a workspace is found from outside, and whom its programs trust: settled when its engine starts.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The workspace's label in host names: its name, with a suffix where another engine has that name.
    pub host_label: String,
    /// The front door is at ports 80 and 443 too, so that addresses need no number.
    pub standard_ports: bool,
    /// Variables that make programs trust the authority of this user.
    pub trust: Vec<(String, String)>,
}

/// Everything that is to be, by index of the service in the workspace.
#[derive(Debug, Clone)]
pub struct Plan {
    pub workspace: WorkspaceName,
    pub root: PathBuf,
    pub host_label: String,
    pub front_door: u16,
    pub standard_ports: bool,
    pub services: Vec<Planned>,
    pub edges: Vec<Edge>,
    pub references: Vec<Reference>,
    pub setups: Vec<Setup>,
    pub graph: Graph,
}

/// One service, ready to be launched.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub name: ServiceName,
    /// As the manifest has it, for people.
    pub command: String,
    pub argv: Vec<String>,
    pub working_dir: PathBuf,
    pub environment: Layers,
    pub ports: Vec<PlannedPort>,
    pub depends_on: Vec<Dependency>,
    pub readiness: Ready,
    pub restart: Restart,
    pub stop: Stop,
    pub lazy: bool,
    pub profiles: Vec<String>,
    pub logs: LogKeeping,
    /// Places in [`Plan::setups`], in order.
    pub setup: Vec<usize>,
}

/// A port with its two numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPort {
    pub name: String,
    /// Production's number.
    pub number: u16,
    pub protocol: Protocol,
    /// Where the program really listens.
    pub listen: u16,
}

/// When a planned service is ready: [`Readiness`] with every address filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Ready {
    Started,
    /// A process of its own listens on this port.
    Listening(u16),
    Log(String),
    Probe(Box<PlannedProbe>),
}

/// A probe with its rhythm, and its check with every address filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedProbe {
    pub rhythm: Probe,
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

/// A setup step of one folder, shared by the services that ask for the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    pub command: String,
    pub argv: Vec<String>,
    pub working_dir: PathBuf,
    pub inputs: Inputs,
    /// The first service that asks for it; its variables and its log are used.
    pub service: usize,
}

impl Planned {
    /// Whether the running process is still what this plan wants; dependencies and restart rules may differ.
    pub fn launches_like(&self, other: &Self) -> bool {
        self.argv == other.argv
            && self.working_dir == other.working_dir
            && self.environment == other.environment
            && self.ports == other.ports
            && self.readiness == other.readiness
    }

    /// The first port that a stream can be opened to.
    pub fn first_port(&self) -> Option<&PlannedPort> {
        self.ports.iter().find(|port| port.protocol != Protocol::Udp)
    }
}

impl Plan {
    /// The place of a service.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|service| service.name.as_str() == name)
    }

    /// The address of a service at the front door, by `http` or `https`.
    pub fn front_door_url(&self, service: &Planned, scheme: &str) -> String {
        let number = if self.standard_ports { String::new() } else { format!(":{}", self.front_door) };
        format!("{scheme}://{}.{}.localhost{number}", service.name, self.host_label)
    }
}

/// Makes the plan. Cannot fail: the workspace is sound and the surroundings have a number for every slot.
pub fn plan(workspace: &Workspace, surroundings: &Surroundings) -> Plan {
    let references = references(workspace);
    let edges = edges::edges(workspace, &references, &surroundings.ports);
    let mut setups = Vec::new();
    let services = workspace
        .services
        .values()
        .enumerate()
        .map(|(place, service)| {
            let address = edges::Addresses { caller: place, workspace, edges: &edges, ports: &surroundings.ports };
            planned(place, service, &address, surroundings, &mut setups)
        })
        .collect();
    Plan {
        workspace: workspace.name.clone(),
        root: workspace.root.clone(),
        host_label: surroundings.site.host_label.clone(),
        front_door: surroundings.ports.front_door(),
        standard_ports: surroundings.site.standard_ports,
        services,
        edges,
        references,
        setups,
        graph: workspace.graph.clone(),
    }
}

fn planned(
    place: usize,
    service: &Service,
    addresses: &edges::Addresses<'_>,
    surroundings: &Surroundings,
    setups: &mut Vec<Setup>,
) -> Planned {
    let ports: Vec<PlannedPort> = service
        .ports
        .iter()
        .map(|port| PlannedPort {
            name: port.name.clone(),
            number: port.number,
            protocol: port.protocol,
            listen: surroundings.ports.own(&service.name, &port.name),
        })
        .collect();
    let argv = |command: &Command| command.argv(|template| template.fill(|reference| addresses.fill(reference)));
    let setup = service.setup.iter().map(|step| {
        let wanted = Setup {
            command: step.command.written(),
            argv: argv(&step.command),
            working_dir: service.working_dir.clone(),
            inputs: step.inputs.clone(),
            service: place,
        };
        let same = |known: &Setup| known.argv == wanted.argv && known.working_dir == wanted.working_dir;
        setups.iter().position(same).unwrap_or_else(|| {
            setups.push(wanted);
            setups.len() - 1
        })
    });
    let setup = setup.collect();
    Planned {
        name: service.name.clone(),
        command: service.command.written(),
        argv: argv(&service.command),
        working_dir: service.working_dir.clone(),
        environment: environment::layers(service, &ports, addresses, surroundings),
        readiness: ready(service, &ports, &argv),
        ports,
        depends_on: service.depends_on.clone(),
        restart: service.restart.clone(),
        stop: service.stop,
        lazy: service.lazy,
        profiles: service.profiles.clone(),
        logs: service.logs,
        setup,
    }
}

fn ready(service: &Service, ports: &[PlannedPort], argv: &dyn Fn(&Command) -> Vec<String>) -> Ready {
    let number = |port: &ProbePort| match port {
        ProbePort::Declared(place) => ports[*place].listen,
        ProbePort::Number(number) => *number,
    };
    match &service.readiness {
        Readiness::Started => Ready::Started,
        Readiness::Listening => {
            let first = ports.iter().find(|port| port.protocol != Protocol::Udp);
            first.map_or(Ready::Started, |port| Ready::Listening(port.listen))
        }
        Readiness::Log(pattern) => Ready::Log(pattern.clone()),
        Readiness::Probe(probe) => {
            let check = match &probe.check {
                Check::Http { path, port, host, headers, status } => PlannedCheck::Http {
                    port: number(port),
                    path: path.clone(),
                    host: host.clone(),
                    headers: headers.clone(),
                    status: *status,
                },
                Check::Tcp { port } => PlannedCheck::Tcp { port: number(port) },
                Check::Grpc { port, service } => PlannedCheck::Grpc { port: number(port), service: service.clone() },
                Check::Exec(command) => PlannedCheck::Exec(argv(command)),
            };
            Ready::Probe(Box::new(PlannedProbe { rhythm: probe.clone(), check }))
        }
    }
}
