//! Workspace + surroundings (ports, shell, folders) become a [`Plan`]: complete before anything starts.
//!
//! Everything that could still go wrong with a reference, an address or a name goes wrong here, where it can be
//! shown, and not in the middle of a boot. A plan says what would run, where, with which variables; `supervise` only
//! decides when.

mod addresses;
mod claims;
mod contained;
mod coupling;
mod edges;
mod environment;
mod instances;
mod lint;
mod listening;
mod matrix;
mod names;
mod planned;
mod proxies;
mod same_number;
mod select;
mod slots;

use std::path::PathBuf;
use std::sync::Arc;

use contained::contained;
use instances::{most_instances, strategy};
use listening::Listening;

use crate::dtab::{Dtab, Identifier};
use crate::model::{
    Command, Graph, Image, Inputs, Namespace, NetworkMode, Reaction, Remotes, Rules, Run, Service, SetupStep, Size,
    Watch, Workspace, WorkspaceName,
};

pub use addresses::{
    Addresses, FRONT_DOOR, HOST, LOOPBACK_RANGES, NAMESERVER, NUMBERS, PAIRS, RANGE, RANGE6, Subnet, is_ours,
    of_strict, of_twin, on_loopback, twin,
};
pub use claims::{claim, door_clash};
pub use contained::PlannedContainer;
pub use coupling::{Coupling, couplings};
pub use edges::{Edge, Reference, references};
pub use environment::{Layers, Shell, seen, shadow_notice};
pub use instances::crowded;
pub use lint::{Lint, lints};
pub use matrix::{Combination, Matrix, VersionFiles, bases, calls, combined};
pub use names::{clashes, uses_names, wildcards};
pub use planned::{
    Location, Others, Planned, PlannedCheck, PlannedPort, PlannedProbe, PlannedPublish, PlannedRun, PlannedWatch, Ready,
};
pub use proxies::{HOST_NAME, PROXIES, from_pod};
pub use select::{SelectError, Selection, select};
pub use slots::{FRONT_DOOR_SLOT, Ports, Slot, SlotKind, slots};

/// The loopback address of everything in network mode `env`.
pub const LOOPBACK: &str = "127.0.0.1";

/// What a plan needs to know of the machine.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub shell: Shell,
    /// The numbers for all [`slots`].
    pub ports: Ports,
    pub data: DataDirs,
    /// The mode that `auto` means on this machine.
    pub network: NetworkMode,
    /// The workspace's range on the loopback, for network mode `names`.
    pub loopback: u8,
    pub site: Site,
}

/// Folders below which each service has one for its data.
#[derive(Debug, Clone)]
pub struct DataDirs {
    pub own: PathBuf,
    /// Of services that another account runs (`user`), which may not be able to reach the other.
    pub of_accounts: PathBuf,
}

/// Where a workspace is found from outside, and whom its programs trust: settled when its engine starts.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The workspace's id: its name and a hash of its manifest's path.
    pub id: String,
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
    /// The Kubernetes namespace, for `users.NAMESPACE.svc`.
    pub namespace: Namespace,
    /// Calls to services that were not declared as dependencies are refused.
    pub strict: bool,
    /// Memory for all services.
    pub budget: Option<Size>,
    /// The manifest's own routes.
    pub routes: Dtab,
    /// Those for some requests alone.
    pub rules: Arc<Rules>,
    /// What names requests, in turn; it is the service that is called where nothing does.
    pub identifiers: Vec<Identifier>,
    /// Places where services run that are not run here.
    pub remotes: Remotes,
    pub front_door: u16,
    pub standard_ports: bool,
    pub services: Vec<Planned>,
    pub edges: Vec<Edge>,
    pub references: Vec<Reference>,
    /// Databases with several users.
    pub couplings: Vec<Coupling>,
    pub setups: Vec<Setup>,
    pub graph: Graph,
}

/// A setup step of one folder, shared by the services that ask for the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// For people.
    pub command: String,
    pub work: Work,
    /// The first service that asks for it; its variables and its log are used.
    pub service: usize,
}

/// What a setup step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    Command(Step),
    /// Has an image there, by fetching or building it.
    Image(Box<Image>),
}

/// A command that prepares a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub argv: Vec<String>,
    pub working_dir: PathBuf,
    pub inputs: Inputs,
}

impl Setup {
    /// Whether it is the same step, whoever asks for it first.
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.work, &other.work) {
            (Work::Command(step), Work::Command(other)) => {
                (&step.argv, &step.working_dir) == (&other.argv, &other.working_dir)
            }
            (Work::Image(image), Work::Image(other)) => image == other,
            _ => false,
        }
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
    let edges = edges::edges(workspace, &references, surroundings);
    let proxies = proxies::proxies(workspace, &surroundings.site.host_label, &surroundings.shell);
    let mut setups = Vec::new();
    let mut services: Vec<Planned> = workspace
        .services
        .values()
        .enumerate()
        .map(|(place, service)| {
            let one = |instance| edges::Outlook {
                caller: place,
                instance,
                workspace,
                edges: &edges,
                surroundings,
                proxies: &proxies,
            };
            let first = planned(place, service, &one(1), &mut setups);
            Planned { others: others(&first, service, one), ..first }
        })
        .collect();
    // Of combinations side by side none may have what all programs of this machine look at.
    if services.iter().all(|it| it.leads.is_none()) {
        same_number::publish(&mut services, surroundings.ports.front_door());
    }
    Plan {
        workspace: workspace.name.clone(),
        root: workspace.root.clone(),
        host_label: surroundings.site.host_label.clone(),
        namespace: workspace.namespace.clone(),
        strict: workspace.strict,
        budget: workspace.budget,
        routes: workspace.routes.clone(),
        rules: Arc::new(workspace.rules.clone()),
        identifiers: workspace.identifiers.clone(),
        remotes: workspace.remotes.clone(),
        front_door: surroundings.ports.front_door(),
        standard_ports: surroundings.site.standard_ports,
        services,
        edges,
        references,
        couplings: couplings(workspace),
        setups,
        graph: workspace.graph.clone(),
    }
}

fn planned(place: usize, service: &Service, outlook: &edges::Outlook<'_>, setups: &mut Vec<Setup>) -> Planned {
    let (surroundings, instance) = (outlook.surroundings, outlook.instance);
    let argv = |command: &Command| command.argv(|template| template.fill(|reference| outlook.fill(reference)));
    let network = outlook.workspace.network_of(service, surroundings.network);
    let listening = Listening { service, instance, network, numbers: &surroundings.ports };
    let ports = listening.ports();
    let undeclared = listening.undeclared();
    let data_dir = surroundings.data.of(service);
    let (run, environment) = match &service.run {
        Run::Process(command) => (
            PlannedRun::Process { command: command.written(), argv: argv(command) },
            environment::layers(service, outlook, (&ports, &data_dir), surroundings),
        ),
        Run::Container(container) => (
            PlannedRun::Container(Box::new(contained(service, container, outlook))),
            environment::layers(service, outlook, (&ports, &data_dir), surroundings),
        ),
        Run::External(external) => (PlannedRun::External(external.clone()), Layers::default()),
    };
    Planned {
        name: service.name.clone(),
        version: service.version.clone(),
        leads: service.leads().cloned(),
        task: service.task,
        lock: service.lock.clone(),
        kept: service.of_shell.is_some(),
        aliases: service.aliases.clone(),
        hostnames: service.hostnames.clone(),
        run,
        working_dir: service.working_dir.clone(),
        data_dir,
        environment,
        readiness: listening.ready(&argv),
        startup: service.startup.as_ref().map(|it| it.map(|probe| listening.probe(probe, &argv))),
        liveness: service.liveness.as_ref().map(|it| it.map(|probe| listening.probe(probe, &argv))),
        publish: listening.publish(&undeclared),
        ports,
        undeclared,
        network,
        addresses: Addresses::of(&service.name, instance, &surroundings.ports),
        replicas: service.replicas.max(1),
        autoscale: service.autoscale,
        stdin: service.stdin,
        strategy: strategy(service, network),
        idle_timeout: service.idle_timeout,
        max_age: service.max_age,
        others: Others::None,
        egress: service.egress,
        user: service.user.clone(),
        depends_on: matrix::needs(outlook.workspace, service).collect(),
        restart: service.restart.clone(),
        schedule: service.schedule.clone(),
        stop: service.stop,
        lazy: service.lazy,
        watch: service.watch.iter().map(|watch| watched(watch, &argv)).collect(),
        profiles: service.profiles.clone(),
        logs: service.logs,
        setup: steps(place, service, &argv, setups),
    }
}

impl DataDirs {
    /// The folder of a service.
    pub fn of(&self, service: &Service) -> PathBuf {
        let all = if service.user.is_some() { &self.of_accounts } else { &self.own };
        all.join(service.name.as_str())
    }
}

/// What differs in the further instances of a service: in pods no more than an address.
fn others<'a>(first: &Planned, service: &Service, one: impl Fn(u32) -> edges::Outlook<'a>) -> Others {
    let further = 2..=most_instances(service, first.network);
    if further.is_empty() {
        return Others::None;
    }
    let ports = &one(1).surroundings.ports;
    match first.network {
        NetworkMode::Pod => Others::Pods(further.map(|it| Addresses::of(&service.name, it, ports).own).collect()),
        NetworkMode::Names | NetworkMode::Env => Others::Ports(
            further
                .map(|it| Planned { setup: first.setup.clone(), ..planned(0, service, &one(it), &mut Vec::new()) })
                .collect(),
        ),
    }
}

fn watched(watch: &Watch, argv: &dyn Fn(&Command) -> Vec<String>) -> PlannedWatch {
    let argv = match &watch.reaction {
        Reaction::Run(command) => argv(command),
        Reaction::Restart | Reaction::Rebuild | Reaction::Signal(_) => Vec::new(),
    };
    PlannedWatch { files: watch.clone(), argv }
}

/// The places of a service's setup steps; one that another service of the folder has too is the same.
fn steps(
    place: usize,
    service: &Service,
    argv: &dyn Fn(&Command) -> Vec<String>,
    setups: &mut Vec<Setup>,
) -> Vec<usize> {
    let step = |step: &SetupStep| {
        let (working_dir, inputs) = (service.working_dir.clone(), step.inputs.clone());
        let work = Work::Command(Step { argv: argv(&step.command), working_dir, inputs });
        Setup { command: step.command.written(), work, service: place }
    };
    let image = service.container().map(|container| {
        let image = &container.image;
        let verb = if image.build.is_some() { "build" } else { "pull" };
        Setup {
            command: format!("{verb} {}", image.shown()),
            work: Work::Image(Box::new(image.clone())),
            service: place,
        }
    });
    let wanted = service.setup.iter().map(step).chain(image);
    wanted
        .map(|wanted| {
            setups.iter().position(|known| known.is_like(&wanted)).unwrap_or_else(|| {
                setups.push(wanted);
                setups.len() - 1
            })
        })
        .collect()
}
