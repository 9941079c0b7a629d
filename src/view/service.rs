//! One service as `ps` shows it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wording::reason;
use crate::model::{Protocol, RestartPolicy, Stdin, web_port};
use crate::plan::{LOOPBACK, Plan, Planned, PlannedPort};
use crate::supervise::{Moment, State, Status};

/// The kind of what lives elsewhere.
const EXTERNAL: &str = "external";
const TASK: &str = "task";

/// A row of `ps`: one instance of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The name that commands take: of a version that is not the first, `SERVICE-VERSION`.
    pub name: String,
    /// The name that callers know.
    pub service: String,
    pub version: Option<String>,
    /// Which of the service's instances it is, from 1.
    pub instance: u32,
    pub state: State,
    pub ready: bool,
    /// `process`, or `external` for what lives elsewhere.
    pub kind: String,
    /// The network mode: `pod`, `names` or `env`.
    pub network: String,
    /// The host's number of the main process.
    pub pid: Option<u32>,
    pub container: Option<String>,
    pub image: Option<String>,
    pub ports: Vec<Port>,
    /// The services that depend on it.
    #[serde(default)]
    pub needed_by: Vec<String>,
    /// Automatic restarts.
    pub restarts: u32,
    /// Times in a row that it ended by itself and was started again, or will be, without having been up for long.
    #[serde(default)]
    pub crashes: u32,
    /// When it is started next by itself, or by its schedule, RFC 3339, UTC.
    #[serde(default)]
    pub next_start: Option<String>,
    /// Of the last process that ended, as a shell reports it.
    pub exit_code: Option<i32>,
    /// Since its main process started.
    pub uptime_ms: Option<u64>,
    /// When its main process started, RFC 3339, UTC.
    pub started: Option<String>,
    pub cpu_percent: Option<f64>,
    pub memory_bytes: Option<u64>,
    pub reason: Option<String>,
    /// Ready, completed, or idle by design: nothing to wait for.
    pub settled: bool,
    /// It failed, or waits for what failed: nothing will come of it by itself.
    pub stuck: bool,
    /// It was asked for, by name or by `up`.
    pub wanted: bool,
    /// It is older than its files, which could not be built; the reason says why.
    #[serde(default)]
    pub stale: bool,
    /// It is started again however it ends: that it runs is all there is to it.
    #[serde(default)]
    pub lasting: bool,
    /// Somebody can attach to it: it has a terminal, or an input that stays open.
    #[serde(default)]
    pub attachable: bool,
    /// From launch to ready.
    pub startup_ms: Option<u64>,
    /// Lines of its output that could not be written, as on a full disk.
    #[serde(default)]
    pub lost_lines: u64,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// Production's number.
    pub port: u16,
    pub protocol: String,
    /// The front door for web ports, for others the address on this machine, or outside where it lives there.
    pub url: Option<String>,
    /// The front door by TLS, for the port of a service that it leads to.
    #[serde(default)]
    pub https: Option<String>,
    /// The number of this machine that leads there: chosen with `publish`, or that on which the program listens.
    pub published: Option<u16>,
    /// The number that was chosen with `publish` and that others have, so that it does not lead there.
    #[serde(default)]
    pub unpublished: Option<u16>,
    /// Why it does not: who has it, as far as that can be known.
    #[serde(default)]
    pub unpublished_because: Option<String>,
    /// Services can call it, and nobody else.
    #[serde(default)]
    pub only_in_pods: bool,
}

/// CPU and memory of all processes of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Of one CPU; not known before the second look.
    pub cpu_percent: Option<f64>,
    pub memory_bytes: u64,
}

impl Service {
    /// The row of an instance of a service, with moments as the wall shows them. It is not published on
    /// those numbers that are `taken` by others, each with the reason.
    pub fn new(
        plan: &Plan,
        place: usize,
        status: &Status,
        usage: Option<Usage>,
        wall: &dyn Fn(Moment) -> Timestamp,
        taken: &dyn Fn(u16) -> Option<String>,
    ) -> Self {
        let planned = &plan.services[place];
        Self {
            name: planned.name.to_string(),
            service: planned.version.as_ref().map_or(&planned.name, |it| &it.of).to_string(),
            version: planned.version.as_ref().map(|it| it.name.clone()),
            instance: status.instance,
            state: status.state,
            ready: status.ready,
            kind: match planned.external() {
                Some(_) => EXTERNAL,
                None if planned.task => TASK,
                None => planned.kind(),
            }
            .to_owned(),
            network: planned.network.word().to_owned(),
            pid: status.pid,
            container: planned.container().map(|it| it.name_of(status.instance)),
            image: planned.container().map(|it| it.image.shown()),
            ports: planned
                .all_ports()
                .enumerate()
                .map(|(at, port)| Port::new(plan, planned, at, port, taken))
                .collect(),
            needed_by: plan
                .graph
                .dependents(place)
                .iter()
                .map(|&other| plan.services[other].name.to_string())
                .collect(),
            restarts: status.restarts,
            crashes: status.crashes,
            next_start: status.next_start.map(wall).or(status.next_run).map(|at| format!("{at:.3}")),
            exit_code: status.exit.as_ref().and_then(|exit| exit.code()),
            // Filled in when it is shown: a row that changed with every look would never be the same.
            uptime_ms: None,
            started: status.started.map(|at| format!("{:.3}", wall(at))),
            cpu_percent: usage.and_then(|usage| usage.cpu_percent),
            memory_bytes: usage.map(|usage| usage.memory_bytes),
            reason: status.reason.as_ref().map(|it| reason(it, plan)),
            settled: status.settled,
            stuck: status.stuck,
            wanted: status.wanted,
            stale: status.stale,
            lasting: planned.restart.policy == RestartPolicy::Always,
            attachable: planned.stdin != Stdin::Empty,
            startup_ms: status.startup.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
            lost_lines: 0,
        }
    }

    /// Its address at the front door, where it has one.
    pub fn front_door(&self) -> Option<&str> {
        self.ports.iter().find_map(|port| port.url.as_deref().filter(|url| url.contains(".localhost")))
    }

    /// Whether another row says the same, but for CPU and memory.
    pub fn is_alike(&self, other: &Self) -> bool {
        if self.id() != other.id() || self.state != other.state {
            return false;
        }
        let usage = |row: &Self| (row.cpu_percent, row.memory_bytes);
        if usage(self) == usage(other) {
            return self == other;
        }
        let (cpu_percent, memory_bytes) = usage(other);
        Self { cpu_percent, memory_bytes, ..self.clone() } == *other
    }

    /// What tells it from all other rows: its name, and which of several instances it is.
    pub fn id(&self) -> (&str, u32) {
        (&self.name, self.instance)
    }

    /// What people call it: its name, and `#2` behind it where it is not the first instance.
    pub fn label(&self) -> String {
        label(&self.name, self.instance)
    }

    /// Whether it is a task that no service needs: where it runs is nobody's concern but that of whoever runs it.
    pub fn is_aside(&self) -> bool {
        self.is_task() && self.needed_by.is_empty()
    }

    /// Whether it is a task.
    pub fn is_task(&self) -> bool {
        self.kind == TASK
    }

    /// Whether it lives elsewhere.
    pub fn is_external(&self) -> bool {
        self.kind == EXTERNAL
    }

    /// How long until it is started by itself, where it is going to be.
    pub fn next_in(&self, now: Timestamp) -> Option<Duration> {
        let at = self.next_start.as_ref()?.parse::<Timestamp>().ok()?;
        Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }

    /// The row at a time, with its uptime and what its log lacks by then.
    pub fn at(mut self, now: Timestamp, lost_lines: u64) -> Self {
        self.lost_lines = lost_lines;
        let started = self.started.as_ref().and_then(|started| started.parse::<Timestamp>().ok());
        self.uptime_ms = started.map(|started| u64::try_from(now.duration_since(started).as_millis()).unwrap_or(0));
        self
    }
}

/// One row for each service of several instances: one that is there, where there is one.
pub fn by_service(rows: Vec<Service>) -> Vec<Service> {
    let mut out: Vec<Service> = Vec::new();
    for row in rows {
        match out.last_mut().filter(|last| last.name == row.name) {
            Some(last) if row.ready && !last.ready => *last = row,
            Some(_) => {}
            None => out.push(row),
        }
    }
    out
}

/// The name of an instance of a service; the first is called as its service is.
pub fn label(service: &str, instance: u32) -> String {
    if instance == 1 { service.to_owned() } else { format!("{service}#{instance}") }
}

impl Port {
    /// Whether its URL is one for browsers, at the front door.
    pub fn is_for_browsers(&self) -> bool {
        self.https.is_some()
            && Protocol::from_word(&self.protocol).is_none_or(Protocol::is_web)
            && self.url.as_ref().is_some_and(|url| !url.contains(LOOPBACK))
    }

    fn new(
        plan: &Plan,
        service: &Planned,
        at: usize,
        port: &PlannedPort,
        taken: &dyn Fn(u16) -> Option<String>,
    ) -> Self {
        let publish = || service.publish.iter().filter(|it| it.port == at);
        let chosen = publish().find(|it| taken(it.host).is_none()).map(|it| it.host);
        // In a pod it listens where nobody else can see it.
        let published = chosen.or(port.listen().filter(|_| !service.in_pod()));
        let scheme = port.protocol.scheme();
        let own = match published {
            Some(number) => format!("{scheme}://{LOOPBACK}:{number}"),
            None if service.in_pod() => format!("{scheme}://{}:{}", service.name, port.number),
            None => format!("{scheme}://{}", port.location),
        };
        let at_the_door = web_port(service.ports.iter().map(|port| port.protocol)) == Some(at);
        let front = |scheme: &str| plan.front_door_url(service, scheme);
        let unpublished = publish().filter(|it| it.chosen).find_map(|it| Some((it.host, taken(it.host)?)));
        // From this machine there may be no other way.
        let is_hidden = published.is_none() && service.in_pod();
        Self {
            name: port.name.clone(),
            port: port.number,
            protocol: port.protocol.word().to_owned(),
            url: Some(if at_the_door && (is_hidden || port.protocol.is_web()) { front("http") } else { own }),
            only_in_pods: is_hidden && !at_the_door,
            https: at_the_door.then(|| front("https")),
            published,
            unpublished: unpublished.as_ref().map(|(number, _)| *number),
            unpublished_because: unpublished.map(|(_, because)| because),
        }
    }
}
