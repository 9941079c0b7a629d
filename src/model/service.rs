//! One service as the manifest declares it, free of contradictions.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::{
    Autoscale, Check, Command, Container, Egress, External, HostName, Liveness, NetworkMode, Port, Probe, Publish,
    Readiness, Restart, Schedule, ServiceName, Sign, Size, Startup, Stop, Strategy, Template, User, Watch,
};

/// What a program reads from its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stdin {
    /// Nothing: it is at its end from the beginning.
    #[default]
    Empty,
    /// What is typed by whoever is attached; it never ends.
    Open,
    /// The same, from a terminal of its own.
    Terminal,
}

impl Stdin {
    /// As Compose says it: with `tty`, with `stdin_open`.
    pub fn of(tty: bool, open: bool) -> Self {
        match (tty, open) {
            (true, _) => Self::Terminal,
            (false, true) => Self::Open,
            (false, false) => Self::Empty,
        }
    }
}

/// A member of the workspace. One that lives elsewhere has nothing of what is about processes but its default.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: ServiceName,
    /// Which of several versions it is.
    pub version: Option<Version>,
    /// What it is where versions are compared.
    pub part: Part,
    /// It is a task of the manifest, which runs to its end for those that need it.
    pub task: bool,
    /// What no other has while it runs, as a task's.
    pub lock: Option<String>,
    /// Of the shell's variables it sees these alone; all, where there is nothing.
    pub of_shell: Option<BTreeSet<String>>,
    /// Other names of it in the workspace.
    pub aliases: Vec<ServiceName>,
    /// Production's full host names of it.
    pub hostnames: Vec<HostName>,
    pub run: Run,
    /// Absolute; it existed when the manifest was read.
    pub working_dir: PathBuf,
    pub setup: Vec<SetupStep>,
    pub ports: Vec<Port>,
    /// Ports on which the program insists, by place in `ports`.
    pub listen: Vec<Option<u16>>,
    /// Numbers of this machine that lead to it; each belongs to one service.
    pub publish: Vec<Publish>,
    /// The workspace's mode where there is none.
    pub network: Option<NetworkMode>,
    pub egress: Egress,
    /// The account that runs it; nagaya's own where there is none.
    pub user: Option<User>,
    pub depends_on: Vec<Dependency>,
    pub environment: Environment,
    /// Variables that its dependents get, such as `DATABASE_URL`.
    pub binds: Vec<(String, Template)>,
    /// The database that these lead to, where it is one.
    pub database: Option<String>,
    pub readiness: Readiness,
    pub startup: Option<Startup>,
    pub liveness: Option<Liveness>,
    pub restart: Restart,
    /// It runs at these times, to its end, instead of all the time.
    pub schedule: Option<Schedule>,
    pub stop: Stop,
    pub profiles: Vec<String>,
    /// Started by its first request instead of by `up`.
    pub lazy: bool,
    /// Instances at once; at least one.
    pub replicas: u32,
    /// Its calls decide how many there are; `replicas` is where it begins.
    pub autoscale: Option<Autoscale>,
    /// It owns data: there are never two of it.
    pub stateful: bool,
    /// Its data is part of snapshots.
    pub snapshot: bool,
    /// Without a call for so long it is stopped, until the next one; for lazy services.
    pub idle_timeout: Option<Duration>,
    /// At this age an instance is replaced.
    pub max_age: Option<Duration>,
    /// How an instance of it is replaced, where that is said.
    pub strategy: Option<Strategy>,
    /// What follows from changes of its files.
    pub watch: Vec<Watch>,
    pub logs: LogKeeping,
    pub stdin: Stdin,
    /// Where it is declared, for messages: the file and its line, from 1.
    pub declared: (PathBuf, usize),
}

/// One of several versions of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The service, by the name that callers know. The version that it means where nothing else is said has that name
    /// itself.
    pub of: ServiceName,
    /// `v2`.
    pub name: String,
}

/// What a service is where combinations of versions run side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Part {
    /// There is one of it, for all.
    #[default]
    Shared,
    /// It is a name alone, which leads each caller to the copy of its own combination; it never runs.
    Name,
    /// It belongs to a combination, for which each of these names means the other service.
    Copy(Arc<Leads>),
}

/// What names mean in one combination: a service's own name, and that of its copy.
pub type Leads = IndexMap<ServiceName, ServiceName>;

/// What a service is.
#[derive(Debug, Clone, PartialEq)]
pub enum Run {
    /// A process of this machine.
    Process(Command),
    /// A container of this machine.
    Container(Box<Container>),
    /// Nothing that is run here.
    External(External),
}

impl Service {
    /// A service of which nothing is said but what it is, and where it is declared.
    pub fn plain(name: ServiceName, run: Run, working_dir: PathBuf, declared: (PathBuf, usize)) -> Self {
        Self {
            name,
            version: None,
            part: Part::Shared,
            task: false,
            lock: None,
            of_shell: None,
            aliases: Vec::new(),
            hostnames: Vec::new(),
            run,
            working_dir,
            setup: Vec::new(),
            ports: Vec::new(),
            listen: Vec::new(),
            publish: Vec::new(),
            network: None,
            egress: Egress::default(),
            user: None,
            depends_on: Vec::new(),
            environment: Environment::default(),
            binds: Vec::new(),
            database: None,
            readiness: Readiness::Started,
            startup: None,
            liveness: None,
            restart: Restart::default(),
            schedule: None,
            stop: Stop::default(),
            profiles: Vec::new(),
            lazy: false,
            replicas: 1,
            autoscale: None,
            stateful: false,
            snapshot: false,
            idle_timeout: None,
            max_age: None,
            strategy: None,
            watch: Vec::new(),
            logs: LogKeeping::default(),
            stdin: Stdin::Empty,
            declared,
        }
    }

    /// How many instances there may be wanted.
    pub fn most_replicas(&self) -> u32 {
        self.autoscale.map_or(self.replicas, |autoscale| autoscale.max)
    }

    /// Its command, where it is a process.
    pub fn command(&self) -> Option<&Command> {
        match &self.run {
            Run::Process(command) => Some(command),
            Run::Container(_) | Run::External(_) => None,
        }
    }

    /// The command that the manifest writes for it, in a container too.
    pub fn own_command(&self) -> Option<&Command> {
        self.command().or_else(|| self.container()?.command.as_ref())
    }

    /// `process`, `container` or `external`.
    pub fn kind(&self) -> &'static str {
        match &self.run {
            Run::Process(_) => "process",
            Run::Container(_) => "container",
            Run::External(_) => "external",
        }
    }

    /// Its container, where it is one.
    pub fn container(&self) -> Option<&Container> {
        match &self.run {
            Run::Container(container) => Some(container),
            Run::Process(_) | Run::External(_) => None,
        }
    }

    /// All commands that it runs as itself.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.command().into_iter().chain(self.container().into_iter().flat_map(Container::commands))
    }

    /// All its probes.
    pub fn probes(&self) -> impl Iterator<Item = &Probe> {
        let startup = self.startup.as_ref().and_then(|startup| match &startup.sign {
            Sign::Probe(probe) => Some(probe),
            Sign::Log(_) | Sign::Notify => None,
        });
        let readiness = match &self.readiness {
            Readiness::Probe(probe) => Some(probe),
            Readiness::Started | Readiness::Listening | Readiness::Log(_) | Readiness::Notify => None,
        };
        let liveness = self.liveness.as_ref().and_then(|liveness| match liveness {
            Liveness::Probe(probe) => Some(probe),
            Liveness::Watchdog(_) => None,
        });
        [startup, readiness, liveness].into_iter().flatten()
    }

    /// The commands that its probes run.
    pub fn probe_commands(&self) -> impl Iterator<Item = &Command> {
        self.probes().filter_map(|probe| match &probe.check {
            Check::Exec(command) => Some(command),
            Check::Http { .. } | Check::Tcp { .. } | Check::Grpc { .. } => None,
        })
    }

    /// What names mean for it alone, where they do.
    pub fn leads(&self) -> Option<&Arc<Leads>> {
        match &self.part {
            Part::Copy(leads) => Some(leads),
            Part::Shared | Part::Name => None,
        }
    }

    /// Where it lives, where that is elsewhere.
    pub fn external(&self) -> Option<&External> {
        match &self.run {
            Run::Process(_) | Run::Container(_) => None,
            Run::External(external) => Some(external),
        }
    }
}

/// The layers of a service's environment, weakest first. Below all of them are the generated variables and the
/// shell of the `up` that started the engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// `.env` beside the manifest; one value shared by all services of that manifest.
    pub dotenv: Arc<Vec<(String, String)>>,
    /// The service's `env_file`s in order.
    pub files: Vec<(String, String)>,
    /// The manifest's top-level `environment`, shared likewise.
    pub shared: Arc<IndexMap<String, Value>>,
    /// The service's own `environment`.
    pub own: IndexMap<String, Value>,
}

impl Environment {
    /// What the manifest says of a variable, the service's own word before the one for all.
    pub fn declared(&self, name: &str) -> Option<&Value> {
        self.own.get(name).or_else(|| self.shared.get(name))
    }

    /// The names that the manifest takes from the shell.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        let names = self.shared.keys().chain(self.own.keys()).map(String::as_str);
        names.filter(|name| self.declared(name) == Some(&Value::FromShell))
    }

    /// What `.env` sets a variable to.
    pub fn of_file(&self, name: &str) -> Option<&str> {
        self.dotenv.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Is(Template),
    /// `KEY` without a value: whatever the shell has, unset where that has none.
    FromShell,
}

/// A command that prepares a service's folder: `npm ci`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetupStep {
    pub command: Command,
    /// Globs, relative to the service's folder; the step runs again when what they match changed.
    pub inputs: Inputs,
}

/// What a setup step depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Inputs {
    /// The lock files of the usual package managers.
    LockFiles,
    Globs(Vec<String>),
}

/// One entry of `depends_on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The place of the service in the workspace.
    pub service: usize,
    pub condition: Condition,
    /// A restart of it that somebody asked for restarts who depends on it too.
    pub restart: bool,
}

/// What a dependent waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    Started,
    Ready,
    /// Exit code 0.
    Completed,
    /// Ready, by a readiness that reads the log.
    LogReady,
}

impl Condition {
    /// Every spelling that is accepted, Compose's first.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("service_healthy", Self::Ready),
        ("healthy", Self::Ready),
        ("ready", Self::Ready),
        ("service_started", Self::Started),
        ("started", Self::Started),
        ("service_completed_successfully", Self::Completed),
        ("completed", Self::Completed),
        ("log_ready", Self::LogReady),
    ];

    /// The condition that is written as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find_map(|(name, condition)| (name == word).then_some(condition))
    }

    /// The short word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Completed => "completed",
            Self::LogReady => "log_ready",
        }
    }
}

/// How much of a service's output is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogKeeping {
    /// A new segment is begun at this size.
    pub max_size: Size,
    /// Full segments that stay.
    pub max_files: u32,
}

impl Default for LogKeeping {
    fn default() -> Self {
        Self { max_size: Size(10 << 20), max_files: 5 }
    }
}
