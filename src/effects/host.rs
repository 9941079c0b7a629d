//! Carries out effects and turns what happens into facts.

mod agenda;
mod ends;

mod errands;
mod known;
mod launching;
mod misplaced;
mod sweep;
mod vessels;
mod whereabouts;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use regex::bytes::Regex;
use tokio::sync::mpsc;

use ends::Ends;
use vessels::Vessel;

pub use launching::{KEPT, KeptOrder};
pub use whereabouts::Whereabouts;

use super::accounts::{self, Found};
use super::clock::Clock;
use super::containers::Containers;
use super::feed::Feed;
use super::helpers::Helpers;
use super::listeners::{Listeners, Listening};
use super::notify::{self, Notify};
use super::places::Home;
use super::pods::{Announcer, Pod};
use super::ports::{is_free, was_taken_message};
use super::process::{Kin, end_groups};
use super::setup::Stamps;
use super::terminal::Terminal;
use super::twins::Twins;
use super::{survivors, texts};
use crate::launcher::{Client, Launch, Report};
use crate::model::{ProbeKind, ServiceName, Signal, Stdin};
use crate::pipeline::KeptJob;
use crate::plan::{Plan, Planned, PlannedPort};
use crate::route::zone::Zone;
use crate::supervise::{Effect, Exit, Fact, Incarnation, Left, Moment};
use crate::telemetry::logs::{Collector, Matched, Origin, Source, Stream};

/// The outside world as one engine sees it.
#[derive(Debug)]
pub struct Host {
    clock: Clock,
    plan: Arc<Plan>,
    facts: mpsc::UnboundedSender<Fact>,
    collector: Collector,
    helpers: Helpers,
    home: Home,
    announcer: Announcer,
    stamps: Stamps,
    lives: HashMap<Incarnation, Life>,
    /// Instances that are containers.
    vessels: HashMap<Incarnation, Vessel>,
    containers: Containers,
    /// Services whose containers were lost with an engine that is back.
    returned: mpsc::UnboundedReceiver<Vec<String>>,
    /// The launcher knows what to run should this process be killed.
    has_will: bool,
    /// All names, for who reads a hosts file.
    zone: Arc<Zone>,
    twins: Arc<Mutex<Twins>>,
    /// What services whose last run went wrong had dialled in vain, by name.
    dialled: HashMap<String, Vec<SocketAddrV4>>,
    /// Tasks whose next launch only makes the place in which somebody else runs their command, with what runs instead.
    held: HashMap<String, Vec<String>>,
    /// Tasks whose results are kept.
    kept: BTreeMap<ServiceName, KeptJob>,
    /// One step at a time for each folder would be enough, but two package managers at once are slower than one
    /// after the other on most machines.
    setups: Arc<tokio::sync::Semaphore>,
}

/// What is known of a running instance.
#[derive(Debug)]
struct Life {
    service: usize,
    /// Its number among those of its service.
    instance: u32,
    /// Its main process, or what it left behind when that ended.
    pids: Vec<u32>,
    launched: Moment,
    pod: Option<Pod>,
    /// Pid 1 of its pod.
    init: Option<u32>,
    /// What was dialled in vain, told at its end.
    dialled: Vec<SocketAddrV4>,
    typed: Option<Typed>,
    /// Where it says that it is ready, if it is to do that itself.
    _notify: Option<Notify>,
}

/// Where a program's input is typed.
#[derive(Debug, Clone)]
pub enum Typed {
    Terminal(Terminal),
    Feed(Feed),
}

/// Whom a service dialled in vain.
#[derive(Debug)]
pub enum Dialled {
    /// Its pod knows.
    Ask(Pod),
    /// In its last run, which went wrong.
    Before(Vec<SocketAddrV4>),
}

/// The place of a service that is in no plan any more, while its last process is still there.
const GONE: usize = usize::MAX;

const KINDS: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];

impl Host {
    /// A host that gives orders to `launcher`, whose reports are to be passed to [`Host::report`].
    pub fn new(
        clock: Clock,
        home: &Home,
        plan: Arc<Plan>,
        launcher: Client,
        collector: Collector,
        facts: mpsc::UnboundedSender<Fact>,
        announcer: Announcer,
    ) -> Self {
        let (return_sender, returned) = mpsc::unbounded_channel();
        let containers = Containers::new(home, announcer.clone(), facts.clone(), return_sender);
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            clock,
            plan,
            facts,
            collector,
            helpers: Helpers::new(launcher, &home.id),
            home: home.clone(),
            announcer,
            stamps: Stamps::new(home.setups()),
            lives: HashMap::new(),
            vessels: HashMap::new(),
            containers,
            returned,
            has_will: false,
            zone: Arc::default(),
            twins: Arc::default(),
            dialled: HashMap::new(),
            held: HashMap::new(),
            kept: BTreeMap::new(),
            setups: Arc::new(tokio::sync::Semaphore::new(cores.max(2))),
        }
    }

    /// Effects from now on are about this plan.
    pub fn set_plan(&mut self, plan: Arc<Plan>) {
        for life in self.lives.values_mut() {
            let Some(planned) = self.plan.services.get(life.service) else { continue };
            let name = &planned.name;
            life.service = plan.index(name.as_str()).unwrap_or(GONE);
        }
        self.move_vessels(&plan);
        self.plan = plan;
    }

    /// The tasks whose results are kept, as they are from now on.
    pub fn set_kept(&mut self, kept: BTreeMap<ServiceName, KeptJob>) {
        self.kept = kept;
    }

    /// Whether a process of a service is asked for, and has no number yet.
    pub fn is_beginning(&self, service: usize) -> bool {
        self.lives.values().any(|life| life.service == service && life.pids.is_empty())
    }

    /// Has the next launch of a task make its place alone.
    pub fn hold(&mut self, task: &str, program: &Path) {
        self.held.insert(task.to_owned(), vec![program.to_string_lossy().into_owned(), "hold".to_owned()]);
    }

    /// A new launcher took the place of a lost one.
    pub fn set_launcher(&mut self, launcher: Client) {
        self.helpers.set_launcher(launcher);
        if let Some(will) = self.containers.last_will().filter(|_| self.has_will) {
            self.helpers.launcher().at_last(&will);
        }
    }

    /// Ends the launcher, and with it the helpers that are under way; the log thread is what is left.
    pub fn end(self) -> Collector {
        self.setups.close();
        notify::remove(&self.home);
        self.helpers.launcher().end();
        self.collector
    }

    /// Carries out one effect. Never waits; what comes of it is a fact.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Launch { service, instance, incarnation } => {
                let launched = match self.is_vessel(service) {
                    true => self.launch_vessel(service, instance, incarnation),
                    false => self.launch(service, instance, incarnation),
                };
                if let Err(reason) = launched {
                    let _ = self.facts.send(Fact::NotLaunched(incarnation, reason));
                }
            }
            Effect::Signal { incarnation, signal } => {
                if !self.stop_vessel(incarnation, signal) {
                    self.helpers.launcher().signal(incarnation, signal);
                }
            }
            Effect::Probe { service, incarnation, kind } => self.probe(service, incarnation, kind),
            // Answered where calls are listed.
            Effect::Measure { .. } | Effect::Alert { .. } | Effect::Weigh => {}
            Effect::Look { service, ticket, due } => self.look(service, ticket, due),
            Effect::Sweep(waiting) => self.sweep(&waiting),
            Effect::Setup { setup, run } => self.setup(setup, run),
        }
    }

    /// What a report of the launcher means for the world; nothing, where it is about a helper.
    pub fn report(&mut self, report: Report) -> Vec<Fact> {
        match report {
            Report::Launched(incarnation, pid, init) => {
                if let Some(life) = self.lives.get_mut(&incarnation) {
                    life.pids = vec![pid];
                    life.init = init;
                    life.pod.iter().zip(init).for_each(|(pod, init)| pod.ears.descend_from(init));
                    life.launched = self.clock.now();
                    return vec![Fact::Launched(incarnation, pid)];
                }
                Vec::new()
            }
            Report::NotLaunched(incarnation, error) => {
                self.announcer.close(incarnation);
                let Some(life) = self.lives.remove(&incarnation) else {
                    self.helpers.ended(incarnation, Err(error.to_string()));
                    return Vec::new();
                };
                vec![Fact::NotLaunched(incarnation, self.launch_error(life.service, error))]
            }
            Report::Dialled(incarnation, address) => {
                self.lives.get_mut(&incarnation).into_iter().for_each(|life| life.dialled.push(address));
                Vec::new()
            }
            Report::Exited(incarnation, exit, left) => self.exited(incarnation, exit, left),
            Report::Gone(incarnation) => {
                self.announcer.close(incarnation);
                self.lives.remove(&incarnation).map(|_| Fact::Gone(incarnation)).into_iter().collect()
            }
            Report::Lost => self.lost(),
        }
    }

    /// Main processes went with the launcher; what they had started is ended here. This takes the loop's time, but
    /// a service that is started again must not find its port taken by its own remains.
    fn lost(&mut self) -> Vec<Fact> {
        self.helpers.lost();
        let leaders: Vec<u32> = self.lives.values().flat_map(|life| life.pids.iter().copied()).collect();
        end_groups(&leaders);
        survivors::end(&self.home.id);
        self.announcer.close_all();
        std::mem::take(&mut self.lives)
            .into_keys()
            .map(|it| Fact::Exited(it, Exit::Signal(Signal::KILL), Left::Nothing))
            .collect()
    }

    fn exited(&mut self, incarnation: Incarnation, exit: Exit, left: Vec<u32>) -> Vec<Fact> {
        let Some(life) = self.lives.get_mut(&incarnation) else {
            self.announcer.close(incarnation);
            self.helpers.ended(incarnation, Ok(exit));
            return Vec::new();
        };
        if let (false, Some(planned)) = (life.dialled.is_empty(), self.plan.services.get(life.service)) {
            self.dialled.insert(planned.name.to_string(), std::mem::take(&mut life.dialled));
        }
        if left.is_empty() {
            self.lives.remove(&incarnation);
            self.announcer.close(incarnation);
            return vec![Fact::Exited(incarnation, exit, Left::Nothing)];
        }
        life.pids = left;
        let planned = self.plan.services.get(life.service).map(|planned| planned.instance(life.instance));
        let ports = planned.map(|planned| planned.ports.as_slice()).unwrap_or_default();
        let serves = match &life.pod {
            Some(pod) => ports.iter().any(|port| pod.ears.answers(port)),
            None => Listeners::look().is_ok_and(|listeners| {
                ports.iter().filter_map(PlannedPort::listen).any(|port| is_theirs(&listeners, port, &life.pids))
            }),
        };
        vec![Fact::Exited(incarnation, exit, if serves { Left::Listeners } else { Left::Strays })]
    }

    fn launch(&mut self, service: usize, instance: u32, incarnation: Incarnation) -> Result<(), String> {
        let planned = self.plan.services[service].instance(instance);
        // A stranger on its port would answer in its place, or make it fail with less to read.
        let mut numbers = planned.ports.iter().filter(|_| !planned.in_pod()).filter_map(PlannedPort::listen);
        if let Some(port) = numbers.find(|&port| !is_free(port)) {
            return Err(was_taken_message(port));
        }
        let found = accounts::of(planned)?;
        let mut variables = texts::variables(planned, instance, found.as_ref());
        self.helpers.mark(&mut variables, incarnation);
        let account = found.and_then(Found::change);
        let Ends { read, input, stdout, stderr, typed } = Ends::open(planned.stdin, account.as_ref())?;
        if planned.stdin == Stdin::Terminal {
            texts::suggest(&mut variables, "TERM", "xterm-256color");
        }
        for (stream, pipe) in read {
            let patterns = self.patterns(planned, incarnation);
            self.collector.add(Source { patterns, ..source(planned, instance, stream, pipe) });
        }
        let notify = match KINDS.iter().any(|kind| planned.says(*kind)) {
            true => Some(Notify::open(&self.home, incarnation, account.as_ref(), self.facts.clone())?),
            false => None,
        };
        if let Some(notify) = &notify {
            texts::set(&mut variables, notify::VARIABLE, &notify.path().to_string_lossy());
        }
        if let Some(limit) = planned.watchdog() {
            texts::set(&mut variables, notify::WATCHDOG, &limit.as_micros().to_string());
        }
        let argv = match self.held.remove(planned.name.as_str()) {
            Some(held) => texts::block(&held),
            None => self.words(planned, &mut variables)?,
        };
        let (pod, order) =
            self.apart(service, instance, incarnation).map_err(|error| format!("no line to its pod: {error}"))?;
        let launch = Launch {
            incarnation,
            argv,
            environment: variables,
            folder: texts::folder(planned),
            account,
            pod: order,
            input,
            stdout,
            stderr,
        };
        self.dialled.remove(planned.name.as_str());
        let launched = self.clock.now();
        let life = Life {
            service,
            instance,
            pids: Vec::new(),
            launched,
            pod,
            init: None,
            dialled: Vec::new(),
            typed,
            _notify: notify,
        };
        self.lives.insert(incarnation, life);
        if !self.helpers.launcher().launch(launch) {
            self.lives.remove(&incarnation);
            return Err("the launcher is gone, and could not be started again".to_owned());
        }
        Ok(())
    }

    /// The lines that tell something of a life.
    fn patterns(&self, planned: &Planned, incarnation: Incarnation) -> Vec<(Regex, Matched)> {
        let one = |kind: ProbeKind| {
            let pattern = Regex::new(planned.pattern(kind)?).ok()?;
            let facts = self.facts.clone();
            let matched = move || {
                let _ = facts.send(Fact::LogMatched(incarnation, kind));
            };
            Some((pattern, Matched(Box::new(matched))))
        };
        KINDS.into_iter().filter_map(one).collect()
    }
}

/// Whether one of these processes listens on a port, alone or not.
fn is_theirs(listeners: &Listeners, port: u16, pids: &[u32]) -> bool {
    matches!(listeners.on(port, Kin { pids, others: &[] }), Listening::Own | Listening::Shared(_))
}

fn source(planned: &Planned, instance: u32, stream: Stream, pipe: OwnedFd) -> Source {
    let origin = Origin { service: planned.name.to_string(), instance, stream };
    Source { origin, pipe, keeping: planned.logs, patterns: Vec::new() }
}
