//! Carries out effects and turns what happens into facts.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::listeners::{Listeners, Listening};
use super::places::Home;
use super::ports::{is_free, taken_message};
use super::probe::try_network;
use super::process::Owner;
use super::setup::Stamps;
use crate::launcher::{Client, Launch, Report};
use crate::model::Signal;
use crate::plan::{Plan, PlannedCheck, Ready};
use crate::supervise::{Effect, Exit, Fact, Incarnation, Left, Moment, SetupRun, Swept};
use crate::telemetry::logs::{Collector, Matched, Origin, Source, Stream};

/// Variables in the form the launcher takes: `NAME=value`s, each with a zero at its end.
type Variables = Vec<u8>;

/// The outside world as one engine sees it.
#[derive(Debug)]
pub struct Host {
    clock: Clock,
    plan: Arc<Plan>,
    facts: mpsc::UnboundedSender<Fact>,
    collector: Collector,
    helpers: Helpers,
    stamps: Stamps,
    lives: HashMap<Incarnation, Life>,
    /// One step at a time for each folder would be enough, but two package managers at once are slower than one
    /// after the other on most machines.
    setups: Arc<tokio::sync::Semaphore>,
}

/// What is known of a running instance.
#[derive(Debug)]
struct Life {
    service: usize,
    /// Its main process, or what it left behind when that ended.
    pids: Vec<u32>,
    launched: Moment,
}

/// A look for listeners takes at most a fifth of the time.
const SWEEP_REST: u32 = 4;
/// A program that listens elsewhere is told of once it has had this long.
const PATIENCE: Duration = Duration::from_secs(1);

impl Host {
    /// A host that gives orders to `launcher`, whose reports are to be passed to [`Host::report`].
    pub fn new(
        clock: Clock,
        home: &Home,
        plan: Arc<Plan>,
        launcher: Client,
        collector: Collector,
        facts: mpsc::UnboundedSender<Fact>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            clock,
            plan,
            facts,
            collector,
            helpers: Helpers::new(launcher, &home.id),
            stamps: Stamps::new(home.setups()),
            lives: HashMap::new(),
            setups: Arc::new(tokio::sync::Semaphore::new(cores.max(2))),
        }
    }

    /// Effects from now on are about this plan.
    pub fn set_plan(&mut self, plan: Arc<Plan>) {
        for life in self.lives.values_mut() {
            let name = &self.plan.services[life.service].name;
            life.service = plan.index(name.as_str()).unwrap_or(usize::MAX);
        }
        self.plan = plan;
    }

    /// A new launcher took the place of a lost one.
    pub fn set_launcher(&mut self, launcher: Client) {
        self.helpers.launcher = launcher;
    }

    /// The log thread, when the engine ends.
    pub fn into_collector(self) -> Collector {
        self.collector
    }

    /// Carries out one effect. Never waits; what comes of it is a fact.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Launch { service, incarnation } => {
                if let Err(reason) = self.launch(service, incarnation) {
                    let _ = self.facts.send(Fact::NotLaunched(incarnation, reason));
                }
            }
            Effect::Signal { incarnation, signal } => self.helpers.launcher.signal(incarnation, signal),
            Effect::Probe { service, incarnation } => self.probe(service, incarnation),
            Effect::Sweep(waiting) => self.sweep(&waiting),
            Effect::Setup { setup, run } => self.setup(setup, run),
        }
    }

    /// What a report of the launcher means for the world; nothing, where it is about a helper.
    pub fn report(&mut self, report: Report) -> Vec<Fact> {
        match report {
            Report::Launched(incarnation, pid) => {
                if let Some(life) = self.lives.get_mut(&incarnation) {
                    life.pids = vec![pid];
                    life.launched = self.clock.now();
                    return vec![Fact::Launched(incarnation, pid)];
                }
                Vec::new()
            }
            Report::NotLaunched(incarnation, error) => match self.lives.remove(&incarnation) {
                Some(life) => vec![Fact::NotLaunched(incarnation, self.launch_error(life.service, &error))],
                None => {
                    self.helpers.ended(incarnation, Err(error.to_string()));
                    Vec::new()
                }
            },
            Report::Exited(incarnation, exit, left) => self.exited(incarnation, exit, left),
            Report::Gone(incarnation) => match self.lives.remove(&incarnation) {
                Some(_) => vec![Fact::Gone(incarnation)],
                None => Vec::new(),
            },
            Report::Lost => {
                self.helpers.lost();
                let ended = self.lives.drain();
                ended.map(|(it, _)| Fact::Exited(it, Exit::Signal(Signal::KILL), Left::Nothing)).collect()
            }
        }
    }

    fn exited(&mut self, incarnation: Incarnation, exit: Exit, left: Vec<u32>) -> Vec<Fact> {
        let Some(life) = self.lives.get_mut(&incarnation) else {
            self.helpers.ended(incarnation, Ok(exit));
            return Vec::new();
        };
        if left.is_empty() {
            self.lives.remove(&incarnation);
            return vec![Fact::Exited(incarnation, exit, Left::Nothing)];
        }
        life.pids = left;
        let ports = self.plan.services.get(life.service).map(|planned| planned.ports.as_slice()).unwrap_or_default();
        let serves = Listeners::look()
            .is_ok_and(|listeners| ports.iter().any(|port| listeners.on(port.listen, &life.pids) == Listening::Own));
        vec![Fact::Exited(incarnation, exit, if serves { Left::Listeners } else { Left::Strays })]
    }

    fn launch(&mut self, service: usize, incarnation: Incarnation) -> Result<(), String> {
        let planned = &self.plan.services[service];
        // A stranger on its port would answer in its place, or make it fail with less to read.
        if let Some(port) = planned.ports.iter().find(|port| !is_free(port.listen)) {
            return Err(taken_message(port.listen));
        }
        let mut variables = variables(&self.plan, service);
        self.helpers.mark(&mut variables, incarnation);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("no pipe for its output: {error}"));
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let pattern = match &planned.readiness {
            Ready::Log(pattern) => regex::bytes::Regex::new(pattern).ok(),
            _ => None,
        };
        for (stream, pipe) in [(Stream::Out, stdout), (Stream::Err, stderr)] {
            let facts = self.facts.clone();
            let matched = move || {
                let _ = facts.send(Fact::LogMatched(incarnation));
            };
            let pattern = pattern.clone().map(|pattern| (pattern, Matched(Box::new(matched))));
            self.collector.add(Source { pattern, ..source(&self.plan, service, stream, pipe) });
        }
        let launch = Launch {
            incarnation,
            argv: block(&planned.argv),
            environment: variables,
            folder: folder_of(planned),
            stdout: stdout_end,
            stderr: stderr_end,
        };
        self.lives.insert(incarnation, Life { service, pids: Vec::new(), launched: self.clock.now() });
        self.helpers.launcher.launch(launch);
        Ok(())
    }

    /// The system's error, in terms of what the manifest says.
    fn launch_error(&self, service: usize, error: &io::Error) -> String {
        let Some(planned) = self.plan.services.get(service) else { return error.to_string() };
        let folder = planned.working_dir.display();
        if !planned.working_dir.is_dir() {
            return format!("the folder {folder} does not exist");
        }
        let program = planned.argv.first().map_or("", String::as_str);
        match error.kind() {
            io::ErrorKind::NotFound => format!("`{program}` is not a command that can be found"),
            io::ErrorKind::PermissionDenied => format!("`{program}` may not be executed"),
            _ => format!("`{program}`: {error}"),
        }
    }

    fn probe(&self, service: usize, incarnation: Incarnation) {
        let Ready::Probe(probe) = &self.plan.services[service].readiness else { return };
        let (check, timeout) = (probe.check.clone(), probe.rhythm.timeout);
        let facts = self.facts.clone();
        let PlannedCheck::Exec(argv) = check else {
            tokio::spawn(async move {
                let result = try_network(&check, timeout).await;
                let _ = facts.send(Fact::Probed(incarnation, result));
            });
            return;
        };
        let helpers = self.helpers.clone();
        let task = self.helper_task(service, argv);
        tokio::spawn(async move {
            let result = helpers.probe(task, timeout).await;
            let _ = facts.send(Fact::Probed(incarnation, result));
        });
    }

    fn helper_task(&self, service: usize, argv: Vec<String>) -> Task {
        let planned = &self.plan.services[service];
        Task { argv, variables: variables(&self.plan, service), folder: folder_of(planned) }
    }

    fn sweep(&self, waiting: &[(usize, Incarnation)]) {
        let begun = self.clock.now();
        let listeners = Listeners::look().unwrap_or_default();
        let findings = waiting.iter().filter_map(|&(service, incarnation)| {
            let Ready::Listening(port) = self.plan.services[service].readiness else { return None };
            let life = self.lives.get(&incarnation)?;
            let finding = match listeners.on(port, &life.pids) {
                Listening::Own => None,
                Listening::Stranger(owner) => Some(stranger(port, owner)),
                Listening::Nobody => Some(self.not_listening(&listeners, life, port, begun)),
            };
            Some(Swept { incarnation, listening: finding.is_none(), finding })
        });
        let findings = Fact::Swept(findings.collect());
        let rest = self.clock.now().since(begun) * SWEEP_REST;
        let facts = self.facts.clone();
        tokio::spawn(async move {
            tokio::time::sleep(rest).await;
            let _ = facts.send(findings);
        });
    }

    fn not_listening(&self, listeners: &Listeners, life: &Life, port: u16, now: Moment) -> String {
        let expected = format!("it does not listen on port {port} yet");
        if now.since(life.launched) < PATIENCE {
            return expected;
        }
        match listeners.of(&life.pids).as_slice() {
            [] => expected,
            [other] => format!(
                "it listens on {other} instead of {port} (`PORT`): take the port from `PORT`, or say `listen: {other}`"
            ),
            others => format!(
                "it listens on {others:?} instead of {port} (`PORT`): take the port from `PORT`, or say `listen`"
            ),
        }
    }

    fn setup(&self, setup: usize, run: SetupRun) {
        let step = self.plan.setups[setup].clone();
        let task = self.helper_task(step.service, step.argv.clone());
        let (facts, helpers, stamps) = (self.facts.clone(), self.helpers.clone(), self.stamps.clone());
        let turn = self.setups.clone();
        let result = pipe_with(PipeFlags::CLOEXEC).map(|(output, end)| {
            self.collector.add(source(&self.plan, step.service, Stream::Setup, output));
            end
        });
        tokio::spawn(async move {
            let _turn = turn.acquire().await;
            let (known, checked) = (stamps.clone(), step.clone());
            let fresh = tokio::task::spawn_blocking(move || known.is_fresh(&checked)).await.unwrap_or(false);
            let result = match (fresh, result) {
                (true, _) => Ok(()),
                (false, Ok(end)) => helpers.run_setup(task, end, &step.command).await,
                (false, Err(error)) => Err(format!("`{}` could not be started: {error}", step.command)),
            };
            if result.is_ok() && !fresh {
                // A step that is not remembered runs once more; that is all.
                let _ = tokio::task::spawn_blocking(move || stamps.mark(&step)).await;
            }
            let _ = facts.send(Fact::SetupEnded(run, result));
        });
    }
}

fn stranger(port: u16, owner: Option<Owner>) -> String {
    match owner {
        Some(owner) => {
            format!("port {port} is taken by {} (pid {}), which is not part of it", owner.program, owner.pid)
        }
        None => format!("port {port} is taken by a process that is not part of it"),
    }
}

fn source(plan: &Plan, service: usize, stream: Stream, pipe: OwnedFd) -> Source {
    let planned = &plan.services[service];
    let origin = Origin { service: planned.name.to_string(), instance: 1, stream };
    Source { origin, pipe, keeping: planned.logs, pattern: None }
}

/// All variables of a service, with the folder it runs in: a shell's own `PWD` would be wrong there.
fn variables(plan: &Plan, service: usize) -> Variables {
    let planned = &plan.services[service];
    let mut resolved = planned.environment.resolve();
    let folder = planned.working_dir.to_string_lossy();
    resolved.insert("PWD", &folder);
    let mut out = Vec::with_capacity(resolved.len() * 48);
    for (name, value) in &resolved {
        push_variable(&mut out, name, value);
    }
    out
}

/// A zero within would cut the text for the program anyway, and what follows it would become a text of its own.
fn push_variable(out: &mut Variables, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend(value.bytes().take_while(|&byte| byte != 0));
    out.push(0);
}

/// Words as a block of texts.
fn block(words: &[String]) -> Vec<u8> {
    words.iter().flat_map(|word| word.bytes().filter(|&byte| byte != 0).chain([0])).collect()
}

fn folder_of(planned: &crate::plan::Planned) -> Vec<u8> {
    let mut folder = planned.working_dir.as_os_str().as_encoded_bytes().to_vec();
    folder.push(0);
    folder
}

/// A process that is not an instance: a probe's command, a setup step.
struct Task {
    argv: Vec<String>,
    variables: Variables,
    folder: Vec<u8>,
}

/// Runs helper processes through the launcher, so that they too die with the engine.
#[derive(Debug, Clone)]
struct Helpers {
    launcher: Client,
    token: Arc<str>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    ends: HashMap<Incarnation, oneshot::Sender<Result<Exit, String>>>,
}

/// Helpers count from here, instances from 0.
const HELPERS: u64 = 1 << 63;

impl Helpers {
    fn new(launcher: Client, id: &str) -> Self {
        let token = format!("{id}:{:016x}", fastrand::u64(..));
        Self { launcher, token: token.into(), waiting: Arc::default() }
    }

    /// Adds the mark by which a process is recognised wherever it wanders.
    fn mark(&self, variables: &mut Variables, key: Incarnation) {
        push_variable(variables, "NAGAYA_TOKEN", &format!("{}:{:x}", self.token, key.0));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, key: Incarnation, result: Result<Exit, String>) {
        if let Some(end) = self.lock().ends.remove(&key) {
            let _ = end.send(result);
        }
    }

    fn lost(&self) {
        self.lock().ends.clear();
    }

    fn start(&self, task: Task, stdout: OwnedFd, stderr: OwnedFd) -> Running {
        let Task { argv, mut variables, folder } = task;
        let (end, ended) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.next += 1;
        let key = Incarnation(HELPERS | waiting.next);
        waiting.ends.insert(key, end);
        drop(waiting);
        self.mark(&mut variables, key);
        let argv = block(&argv);
        self.launcher.launch(Launch { incarnation: key, argv, environment: variables, folder, stdout, stderr });
        Running { key, ended, launcher: self.launcher.clone() }
    }

    /// One try of an exec probe. The last line that it wrote says why it failed.
    async fn probe(&self, task: Task, timeout: Duration) -> Result<(), String> {
        let shown = task.argv.last().cloned().unwrap_or_default();
        let (output, end) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| error.to_string())?;
        let copy = end.try_clone().map_err(|error| error.to_string())?;
        let running = self.start(task, end, copy);
        let finished = async {
            let written = last_line(output).await;
            (running.wait().await, written)
        };
        match tokio::time::timeout(timeout, finished).await {
            Err(_) => Err(format!("`{shown}` took longer than {timeout:?}")),
            Ok((Ok(Exit::Code(0)), _)) => Ok(()),
            Ok((Ok(exit), written)) if written.is_empty() => Err(format!("`{shown}` {exit}")),
            Ok((Ok(exit), written)) => Err(format!("`{shown}` {exit}: {written}")),
            Ok((Err(error), _)) => Err(format!("`{shown}` could not be started: {error}")),
        }
    }

    async fn run_setup(&self, task: Task, end: OwnedFd, shown: &str) -> Result<(), String> {
        let copy = end.try_clone().map_err(|error| error.to_string())?;
        let running = self.start(task, end, copy);
        match running.wait().await {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(exit) => Err(format!("`{shown}` {exit}")),
            Err(error) => Err(format!("`{shown}` could not be started: {error}")),
        }
    }
}

/// A helper under way; dropping it kills it.
struct Running {
    key: Incarnation,
    ended: oneshot::Receiver<Result<Exit, String>>,
    launcher: Client,
}

impl Running {
    async fn wait(mut self) -> Result<Exit, String> {
        let result = (&mut self.ended).await;
        result.unwrap_or_else(|_| Err("the launcher is gone".into()))
    }
}

impl Drop for Running {
    /// Also after its end: what it left in the background is not wanted.
    fn drop(&mut self) {
        self.launcher.signal(self.key, Signal::KILL);
    }
}

/// The last line that is written before the pipe ends, cut to what fits a message.
async fn last_line(output: OwnedFd) -> String {
    let Ok(mut pipe) = pipe::Receiver::from_owned_fd(output) else { return String::new() };
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count) = pipe.read(&mut piece).await {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&piece[..count]);
        let surplus = kept.len().saturating_sub(4096);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").trim().chars().take(200).collect()
}
