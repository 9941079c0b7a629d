//! The loop.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::Board;
use super::handle::{Ask, Environment, Handle, Problem, UpRequest, Upped};
use super::publish::Publisher;
use crate::effects::clock::Clock;
use crate::effects::descriptors;
use crate::effects::fs::Disk;
use crate::effects::places::Home;
use crate::effects::{Host, ports};
use crate::launcher::{Client, Process, Report};
use crate::manifest::{self, Request, did_you_mean};
use crate::model::Workspace;
use crate::plan::{Plan, SelectError, Selection, Shell, Surroundings, plan, select, slots};
use crate::supervise::{Command, Effect, Fact, Input, Want, World};
use crate::telemetry::logs::{Collector, Ends};
use crate::telemetry::requests::Requests;
use crate::view::{self, Explanation};

/// A manifest that was read for an engine to be, and the launcher that came up meanwhile.
#[derive(Debug)]
pub struct Draft {
    pub workspace: Workspace,
    /// Warnings about the manifest, drawn.
    notices: Vec<String>,
    load: Request,
    shell: Shell,
    program: PathBuf,
    launcher: Client,
    reports: mpsc::UnboundedReceiver<Report>,
    report_sender: mpsc::UnboundedSender<Report>,
}

impl Draft {
    /// Reads the manifest. `program` is this very program, for a launcher that takes the place of a lost one.
    pub fn new(launcher: Process, load: Request, shell: Shell, program: PathBuf, color: bool) -> Result<Self, Problem> {
        let (report_sender, reports) = mpsc::unbounded_channel();
        let launcher = Client::new(launcher, report_sender.clone())
            .map_err(|error| Problem::Nothing { message: format!("the launcher cannot be reached: {error}") })?;
        let (workspace, notices) = read(&load, &shell, color)?;
        Ok(Self { workspace, notices, load, shell, program, launcher, reports, report_sender })
    }
}

/// What an engine keeps of its beginning.
#[derive(Debug)]
struct Setup {
    home: Home,
    load: Request,
    shell: Shell,
    host_label: String,
    program: PathBuf,
}

/// An engine that is complete but has started nothing.
#[derive(Debug)]
pub struct Engine {
    setup: Setup,
    clock: Clock,
    workspace: Arc<Workspace>,
    world: World,
    host: Host,
    publisher: Publisher,
    /// What is to be done, in order.
    effects: VecDeque<Effect>,
    facts: mpsc::UnboundedReceiver<Fact>,
    reports: mpsc::UnboundedReceiver<Report>,
    report_sender: mpsc::UnboundedSender<Report>,
    asks: mpsc::UnboundedReceiver<Ask>,
    loaded: mpsc::UnboundedReceiver<Loaded>,
    load_sender: mpsc::UnboundedSender<Loaded>,
    watchers: watch::Receiver<usize>,
    ending: watch::Sender<bool>,
    /// Plan problems that did not stop the engine.
    notices: Vec<String>,
}

/// A manifest that was read again, and who asked for it.
struct Loaded {
    request: UpRequest,
    reply: oneshot::Sender<Result<Upped, Problem>>,
    result: Result<(Workspace, Vec<String>), Problem>,
}

/// CPU and memory are looked at this often while somebody watches.
const SAMPLE: Duration = Duration::from_secs(1);
/// Descriptors for sockets, clients and proxied connections, besides those of the services.
const ROOM: usize = 512;
/// Effects carried out before others get their turn.
const GULP: usize = 8;
/// Inputs taken before the outcome is published.
const BATCH: usize = 256;

impl Engine {
    /// Makes the plan, opens the listeners and starts the log thread.
    pub fn new(draft: Draft, home: Home, host_label: String) -> Result<(Self, Handle), Problem> {
        let clock = Clock::start();
        let Draft { workspace, notices, load, shell, program, launcher, reports, report_sender } = draft;
        let setup = Setup { home, load, shell, host_label, program };
        let plan = Arc::new(make_plan(&workspace, &setup, &HashSet::new()));
        // After the launcher was started, which keeps the shell's own limit for the services, and before any thread.
        descriptors::raise_limit();
        let _ = descriptors::make_room(4 * plan.services.len() + plan.edges.len() + ROOM);
        let ends = Ends::default();
        let collector = Collector::start(setup.home.logs(), ends.clone())
            .map_err(|error| Problem::Nothing { message: format!("the log thread could not be started: {error}") })?;
        let (fact_sender, facts) = mpsc::unbounded_channel();
        let host = Host::new(clock, &setup.home, plan.clone(), launcher, collector, fact_sender);
        let world = World::new(plan, fastrand::u64(..));
        let board = Board::default();
        let mut publisher = Publisher::new(clock, board.clone());
        let notices = notices.into_iter().chain(publisher.plan(&world)).collect();
        let (ask_sender, asks) = mpsc::unbounded_channel();
        let (load_sender, loaded) = mpsc::unbounded_channel();
        let watchers = watch::Sender::new(0);
        let ending = watch::Sender::new(false);
        let handle = Handle {
            asks: ask_sender,
            board,
            requests: Requests::default(),
            ends,
            table: publisher.table(),
            watchers: watchers.clone(),
            ending: ending.subscribe(),
        };
        let engine = Self {
            setup,
            clock,
            workspace: Arc::new(workspace),
            world,
            host,
            publisher,
            effects: VecDeque::new(),
            facts,
            reports,
            report_sender,
            asks,
            loaded,
            load_sender,
            watchers: watchers.subscribe(),
            ending,
            notices,
        };
        Ok((engine, handle))
    }

    /// The services that a request is about.
    pub fn selected(&self, request: &UpRequest) -> Result<Vec<String>, Problem> {
        let wants = wanted(&self.workspace, request)?;
        Ok(wants.into_iter().map(|(place, _)| self.workspace.service(place).name.to_string()).collect())
    }

    /// The plan as it is now.
    pub fn plan(&self) -> &Arc<Plan> {
        self.world.plan()
    }

    /// Starts what `first` selects and runs until everything was asked to stop and has.
    pub async fn run(mut self, first: UpRequest) -> Result<(), Problem> {
        let workspace = self.workspace.clone();
        self.want(&workspace, &first)?;
        self.perform().await;
        self.publish();
        let mut sample_at = None;
        while !(*self.ending.borrow() && self.world.is_quiet()) {
            let deadline = self.world.next_deadline().map(|at| self.clock.instant(at).into());
            tokio::select! {
                biased;
                Some(report) = self.reports.recv() => self.report(report),
                Some(fact) = self.facts.recv() => self.step(Input::Told(fact)),
                Some(ask) = self.asks.recv() => self.answer(ask),
                Some(loaded) = self.loaded.recv() => self.take_loaded(loaded),
                () = sleep_until(deadline) => self.step(Input::Tick),
                () = sleep_until(sample_at) => {
                    self.publisher.sample(&self.world);
                    sample_at = Some(tokio::time::Instant::now() + SAMPLE);
                }
                Ok(()) = self.watchers.changed() => {
                    sample_at = (*self.watchers.borrow_and_update() > 0).then(tokio::time::Instant::now);
                    self.publisher.forget_sample();
                }
            }
            self.take_batch();
            self.perform().await;
            self.publish();
        }
        // Closing the launcher's socket ends it; every pipe has ended then, and the log thread with them.
        let collector = self.host.into_collector();
        let _ = tokio::task::spawn_blocking(move || collector.finish()).await;
        Ok(())
    }

    /// What has gathered meanwhile is taken in before anything is published.
    fn take_batch(&mut self) {
        for _ in 0..BATCH {
            if let Ok(report) = self.reports.try_recv() {
                self.report(report);
            } else if let Ok(fact) = self.facts.try_recv() {
                self.step(Input::Told(fact));
            } else {
                return;
            }
        }
    }

    fn step(&mut self, input: Input) {
        self.effects.extend(self.world.step(self.clock.now(), input));
    }

    /// Carries out what is to be done, with pauses in which orders leave for the launcher: the first of a thousand
    /// services need not wait until the last is prepared.
    async fn perform(&mut self) {
        let mut count = 0;
        while let Some(effect) = self.effects.pop_front() {
            self.host.perform(effect);
            count += 1;
            if count == 1 || count % GULP == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn publish(&mut self) {
        let changed = self.world.take_changed();
        if !changed.is_empty() {
            self.publisher.rows(&self.world, changed);
            self.publisher.events(&mut self.world);
        }
    }

    fn report(&mut self, report: Report) {
        let lost = matches!(report, Report::Lost);
        let running: Vec<usize> = if lost { self.running() } else { Vec::new() };
        for fact in self.host.report(report) {
            self.step(Input::Told(fact));
        }
        if lost && !*self.ending.borrow() {
            let again = Process::spawn(&self.setup.program);
            match again.and_then(|process| Client::new(process, self.report_sender.clone())) {
                Ok(launcher) => self.host.set_launcher(launcher),
                Err(error) => self.notices.push(format!("the launcher could not be started again: {error}")),
            }
            self.step(Input::Asked(Command::Start(running)));
        }
    }

    /// Services that run by the user's wish.
    fn running(&self) -> Vec<usize> {
        let all = 0..self.world.plan().services.len();
        all.filter(|&place| self.world.status(place).wanted && self.world.status(place).pid.is_some()).collect()
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Up(request, reply) => self.reload(request, reply),
            Ask::Start(names, reply) => {
                let result = self.start(&names);
                let _ = reply.send(result);
            }
            Ask::Stop(names, reply) => {
                let result = self.places(&names).map(|places| self.step(Input::Asked(Command::Stop(places))));
                let _ = reply.send(result);
            }
            Ask::Restart(names, reply) => {
                let result = self.places(&names).map(|places| self.step(Input::Asked(Command::Restart(places))));
                let _ = reply.send(result);
            }
            Ask::Why(name, reply) => {
                let _ = reply.send(self.explain(&name));
            }
            Ask::Env(name, reply) => {
                let _ = reply.send(self.environment(&name));
            }
            Ask::Wake(name) => {
                if let Some(place) = self.world.plan().index(&name) {
                    self.step(Input::Asked(Command::Wake(place)));
                }
            }
            Ask::Down { force } => {
                self.ending.send_replace(true);
                self.step(Input::Asked(if force { Command::Kill } else { Command::Down }));
            }
        }
    }

    fn places(&self, names: &[String]) -> Result<Vec<usize>, Problem> {
        names.iter().map(|name| self.place(name)).collect()
    }

    fn place(&self, name: &str) -> Result<usize, Problem> {
        let plan = self.world.plan();
        plan.index(name).ok_or_else(|| {
            let known = plan.services.iter().map(|planned| planned.name.as_str());
            Problem::UnknownService { name: name.to_owned(), hint: did_you_mean(name, known) }
        })
    }

    /// Starts services with all that they need.
    fn start(&mut self, names: &[String]) -> Result<(), Problem> {
        let places = self.places(names)?;
        let needed = self.world.plan().graph.closure(places.iter().copied());
        let wants = needed.iter().enumerate().filter(|(place, needed)| **needed && !places.contains(place));
        let lazy = |place: usize| self.world.plan().services[place].lazy;
        let wants = wants.map(|(place, _)| (place, if lazy(place) { Want::Idle } else { Want::Up })).collect();
        self.step(Input::Asked(Command::Up(wants)));
        self.step(Input::Asked(Command::Start(places)));
        Ok(())
    }

    fn explain(&self, name: &str) -> Result<Explanation, Problem> {
        let place = self.place(name)?;
        Ok(Explanation::new(self.world.plan(), place, &self.world.why(place), self.clock.now()))
    }

    fn environment(&self, name: &str) -> Result<Environment, Problem> {
        let planned = &self.world.plan().services[self.place(name)?];
        let variables = planned.environment.resolve();
        Ok(Environment {
            folder: planned.working_dir.clone(),
            variables: variables.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        })
    }

    /// Reads the manifest again, off the loop; the answer comes back as [`Loaded`].
    fn reload(&self, request: UpRequest, reply: oneshot::Sender<Result<Upped, Problem>>) {
        if *self.ending.borrow() {
            let _ = reply.send(Err(Problem::Ending));
            return;
        }
        let from = request.load.clone().unwrap_or_else(|| self.setup.load.clone());
        let (shell, sender) = (self.setup.shell.clone(), self.load_sender.clone());
        tokio::task::spawn_blocking(move || {
            let result = read(&from, &shell, request.color);
            let _ = sender.send(Loaded { request, reply, result });
        });
    }

    fn take_loaded(&mut self, loaded: Loaded) {
        let Loaded { request, reply, result } = loaded;
        let applied = result.and_then(|(workspace, notices)| self.apply(workspace, notices, &request));
        let _ = reply.send(applied);
    }

    /// Lays a newly read manifest over what runs, and wants what the request selects.
    fn apply(&mut self, workspace: Workspace, notices: Vec<String>, request: &UpRequest) -> Result<Upped, Problem> {
        // A wrong selection must change nothing.
        wanted(&workspace, request)?;
        let mut notices = notices;
        let events_from = self.publisher.next_event();
        if workspace != *self.workspace {
            let held = self.held_ports();
            let plan = make_plan(&workspace, &self.setup, &held);
            let effects = self.world.apply(self.clock.now(), plan);
            self.host.set_plan(self.world.plan().clone());
            notices.extend(self.publisher.plan(&self.world));
            self.effects.extend(effects);
            self.workspace = Arc::new(workspace.clone());
            if let Some(load) = &request.load {
                self.setup.load = load.clone();
            }
        }
        let services = self.want(&workspace, request)?;
        Ok(Upped { services, notices, events_from })
    }

    /// Numbers that we or our services listen on: taken, but by ourselves.
    fn held_ports(&self) -> HashSet<u16> {
        let plan = self.world.plan();
        let own = plan.services.iter().flat_map(|planned| planned.ports.iter().map(|port| port.listen));
        own.chain(plan.edges.iter().map(|edge| edge.listen)).chain([plan.front_door]).collect()
    }

    fn want(&mut self, workspace: &Workspace, request: &UpRequest) -> Result<Vec<String>, Problem> {
        let wants = wanted(workspace, request)?;
        let names = wants.iter().map(|(place, _)| workspace.service(*place).name.to_string()).collect();
        let named = request.selection.services.iter().filter_map(|name| workspace.index(name)).collect();
        self.step(Input::Asked(Command::Up(wants)));
        self.step(Input::Asked(Command::Start(named)));
        Ok(names)
    }

    /// Notices about the manifest and the plan at start, for the `up` that started the engine.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

/// Waits for ever where there is no deadline.
async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Reads a manifest; what is drawn are warnings, or problems that forbid its use.
fn read(request: &Request, shell: &Shell, color: bool) -> Result<(Workspace, Vec<String>), Problem> {
    let (workspace, problems) = manifest::load(request, shell, &Disk);
    let rendered = view::draw_problems(&problems, color);
    match workspace {
        Some(workspace) => Ok((workspace, if rendered.is_empty() { Vec::new() } else { vec![rendered] })),
        None => Err(Problem::Manifest { rendered, errors: problems.errors() }),
    }
}

fn make_plan(workspace: &Workspace, setup: &Setup, held: &HashSet<u16>) -> Plan {
    let ports = ports::allocate(&setup.home.id, &slots(workspace), &setup.home.ports(), held);
    let surroundings = Surroundings {
        shell: setup.shell.clone(),
        ports,
        data_dir: setup.home.data(),
        host_label: setup.host_label.clone(),
    };
    plan(workspace, &surroundings)
}

/// What a request wants of each service that it is about. One that is named is started even where it is lazy.
fn wanted(workspace: &Workspace, request: &UpRequest) -> Result<Vec<(usize, Want)>, Problem> {
    let mask = select(workspace, &request.selection).map_err(|error| select_problem(workspace, error))?;
    let selected = mask.into_iter().enumerate().filter(|(_, selected)| *selected);
    let wants = selected.map(|(place, _)| {
        let service = workspace.service(place);
        let named = request.selection.services.iter().any(|name| name == service.name.as_str());
        let lazy = service.lazy || (request.lazy && !service.ports.is_empty());
        (place, if lazy && !named { Want::Idle } else { Want::Up })
    });
    Ok(wants.collect())
}

fn select_problem(workspace: &Workspace, error: SelectError) -> Problem {
    match error {
        SelectError::UnknownService(name) => {
            let hint = did_you_mean(&name, workspace.services.keys().map(|known| known.as_str()));
            Problem::UnknownService { name, hint }
        }
        SelectError::UnknownProfile(name) => {
            let near = did_you_mean(&name, workspace.profiles.iter().map(String::as_str));
            let all = || match workspace.profiles.as_slice() {
                [] => "the manifest has no profiles".to_owned(),
                profiles => format!("the profiles are {}", profiles.join(", ")),
            };
            Problem::UnknownProfile { name, hint: Some(near.unwrap_or_else(all)) }
        }
        SelectError::Nothing => Problem::Nothing { message: error.to_string() },
    }
}

/// The default selection, for callers that only want "everything".
impl Default for UpRequest {
    fn default() -> Self {
        Self { load: None, selection: Selection::default(), lazy: false, color: false }
    }
}
