//! The loop.

mod asks;
mod attach;
mod beginning;
mod disco;
mod edits;
mod explain;
mod kill;
mod mirrors;
mod publishing;
mod remotes;
mod setup;
mod shifts;
mod tries;
mod watching;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use asks::Loaded;
use beginning::begin;
use edits::Edits;
use remotes::Sending;
use setup::{Setup, collect, first_plan, make_room, write_files};
use shifts::Shifts;
use tries::Tries;
use watching::Watching;

use super::Board;
use super::draft::Draft;
use super::handle::{Ask, Handle, Problem, Scale, UpRequest};
use super::keeper::{Keeper, Written};
use super::mirrors::Mirror;
use super::publish::{Calls, Publisher};
use super::rest::away;
use super::wanted::wanted;
use crate::effects::Host;
use crate::effects::alarm::Alarm;
use crate::effects::clock::Clock;
use crate::effects::containers;
use crate::effects::places::Home;
use crate::effects::pods::Inbox;
use crate::effects::registry::{self, Lock};
use crate::launcher::{Client, Process, Report, give_back};
use crate::model::Workspace;
use crate::plan::{Plan, Site, shadow_notice};
use crate::route::remotes::Away;
use crate::supervise::{Command, Effect, Fact, Input, State, Status, World};
use crate::telemetry::logs::Ends;
use crate::telemetry::requests::Requests;
use crate::view::Event;

/// An engine that is complete but has started nothing.
#[derive(Debug)]
pub struct Engine {
    setup: Setup,
    clock: Clock,
    /// As it was read.
    manifest: Arc<Workspace>,
    /// The same with what is tried.
    workspace: Arc<Workspace>,
    tries: Tries,
    shifts: Shifts,
    mirrors: watch::Sender<Arc<Vec<Mirror>>>,
    world: World,
    host: Host,
    publisher: Publisher,
    keeper: Keeper,
    /// What is to be done, in order.
    effects: VecDeque<Effect>,
    facts: mpsc::UnboundedReceiver<Fact>,
    reports: mpsc::UnboundedReceiver<Report>,
    report_sender: mpsc::UnboundedSender<Report>,
    asks: mpsc::UnboundedReceiver<Ask>,
    loaded: mpsc::UnboundedReceiver<Loaded>,
    written: mpsc::UnboundedReceiver<Written>,
    load_sender: mpsc::UnboundedSender<Loaded>,
    sending: Sending,
    watchers: watch::Receiver<usize>,
    ending: watch::Sender<bool>,
    /// All that was asked for by `up`.
    asked: UpRequest,
    watching: Watching,
    edits: Edits,
    /// The services take more memory than they may.
    over_budget: Option<String>,
    /// Plan problems that did not stop the engine.
    notices: Vec<String>,
}

/// CPU and memory are looked at this often while somebody watches.
const SAMPLE: Duration = Duration::from_secs(1);
/// After so long without a change nobody expects more.
const SETTLED: Duration = Duration::from_secs(3);
/// Effects carried out before others get their turn.
const GULP: usize = 8;
/// Inputs taken before the outcome is published.
const BATCH: usize = 256;

impl Engine {
    /// Makes the plan, opens the listeners and starts the log thread.
    pub fn new(draft: Draft, home: Home, lock: Lock, site: Site) -> Result<(Self, Handle), Problem> {
        let (clock, scale) = (Clock::start(), Scale::new());
        let Draft {
            workspace: manifest,
            notices,
            files,
            laid,
            load,
            shell,
            program,
            possible,
            network,
            launcher,
            reports,
            report_sender,
        } = draft;
        hold(&launcher, &lock);
        let (manifest, workspace, tries) = begin(manifest, laid, &home);
        let mut setup = Setup { home, lock, load, shell, site, program, possible, network, scale, range: None };
        let (plan, moved) = first_plan(&workspace, &mut setup)?;
        // After the launcher was started, which keeps the shell's own limit for the services, and before any thread.
        make_room(&plan);
        let (ends, board) = (Ends::default(), Board::default());
        let collector = collect(&setup.home, &ends)?;
        let ((fact_sender, facts), (news, pods)) = (mpsc::unbounded_channel(), Inbox::new());
        let calls = Calls { facts: fact_sender.clone(), announcer: news.clone(), order: Arc::default() };
        let mut host = Host::new(clock, &setup.home, plan.clone(), launcher, collector, fact_sender, news);
        let world = World::new(plan, fastrand::u64(..));
        let (written_sender, written) = mpsc::unbounded_channel();
        let (keeper, unkept) = Keeper::open(&setup.home, world.plan().routes.clone(), written_sender);
        let mut publisher = Publisher::new(clock, board.clone(), keeper.routes(), calls);
        let shadowed = shadow_notice(world.plan().services.iter().map(|planned| &planned.environment));
        let own = moved.into_iter().chain(shadowed).chain(unkept).chain(publisher.plan(&world));
        let notices = [notices, own.collect()].concat();
        write_files(&setup, &workspace, &world, &publisher, &mut host)?;
        let ((ask_sender, asks), (load_sender, loaded)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (watchers, ending) = (watch::Sender::new(0), watch::Sender::new(false));
        let (shifts, mirrors) = (Shifts::new(Requests::default()), watch::Sender::default());
        let handle = Handle {
            asks: ask_sender,
            board,
            requests: shifts.requests(),
            shifts: shifts.shown(),
            mirrors: mirrors.subscribe(),
            ends,
            table: publisher.table(),
            routes: publisher.routes(),
            dtabs: keeper.dtabs(),
            pods,
            watchers: watchers.clone(),
            ending: ending.subscribe(),
        };
        let engine = Self {
            tries,
            shifts,
            mirrors,
            setup,
            clock,
            manifest,
            workspace,
            world,
            host,
            publisher,
            keeper,
            effects: VecDeque::new(),
            facts,
            reports,
            report_sender,
            asks,
            loaded,
            written,
            load_sender,
            sending: Sending::default(),
            watchers: watchers.subscribe(),
            ending,
            asked: UpRequest::default(),
            watching: Watching::new(files),
            edits: Edits::default(),
            over_budget: None,
            notices,
        };
        Ok((engine, handle))
    }

    /// The services that a request is about.
    pub fn selected(&self, request: &UpRequest) -> Result<Vec<String>, Problem> {
        let away = away(&self.workspace, request, &Away::new())?;
        let wants = wanted(&self.workspace, request, &away)?;
        Ok(wants.into_iter().map(|(place, _)| self.workspace.service(place).name.to_string()).collect())
    }

    /// The plan as it is now.
    pub fn plan(&self) -> &Arc<Plan> {
        self.world.plan()
    }

    /// Starts what `first` selects and runs until everything was asked to stop and has. `published` is told when rows can
    /// be looked at that know of `first`: the launches come before, as nobody waits for anything else.
    pub async fn run(mut self, first: UpRequest, published: oneshot::Sender<()>) -> Result<(), Problem> {
        let workspace = self.workspace.clone();
        self.scale(&first.scale)?;
        // What an earlier engine looked for elsewhere is here again.
        self.send_away(&workspace, &first).await?;
        self.begin_disco();
        self.want(&workspace, &first)?;
        self.go_on_trying();
        self.perform().await;
        self.publish();
        let _ = published.send(());
        self.asked = first;
        self.begin_watching();
        let mut sample_at = None;
        let mut settled_at = Some(tokio::time::Instant::now() + SETTLED);
        let alarm = Alarm::of_this_runtime();
        while !(*self.ending.borrow() && self.world.is_quiet() && self.tries.is_idle()) {
            let look_at = self.shifts.look_at();
            let again_at = self.publisher.look_again_at(&self.world);
            let deadline = self.world.next_deadline().map(|at| self.clock.instant(at));
            tokio::select! {
                biased;
                Some(report) = self.reports.recv() => self.report(report),
                Some(fact) = self.facts.recv() => self.step(Input::Told(fact)),
                Some(ask) = self.asks.recv() => self.answer(ask),
                Some(loaded) = self.loaded.recv() => self.take_loaded(loaded),
                Some(texts) = self.watching.reading.read() => self.take_disco(texts),
                Some(sent) = self.sending.sent() => self.take_sent(sent),
                Some(written) = self.written.recv() => self.take_written(written),
                Some(news) = self.watching.news.recv() => self.noticed(news),
                Some(ended) = self.watching.ended.recv() => self.run_ended(ended),
                Some(done) = self.tries.done() => self.take_done(done),
                Some(moved) = self.shifts.moved() => self.take_moved(moved),
                Some(names) = self.host.returned() => self.start_again(&names),
                () = sleep_until(look_at) => self.look_at_shifts(),
                () = sleep_until(again_at) => self.publish_again(),
                () = sleep_until(settled_at) => {
                    settled_at = None;
                    give_back();
                }
                () = alarm.wait(deadline) => self.step(Input::Tick),
                () = sleep_until(sample_at) => {
                    self.publisher.sample(&self.world);
                    sample_at = Some(tokio::time::Instant::now() + SAMPLE);
                }
                Ok(()) = self.watchers.changed() => {
                    let begun = sample_at.unwrap_or_else(tokio::time::Instant::now);
                    sample_at = (*self.watchers.borrow_and_update() > 0).then_some(begun);
                    self.publisher.keep_sample(sample_at.is_some(), &self.world);
                }
            }
            self.take_batch();
            self.clear_tries();
            self.guard_shifts();
            self.guard_mirrors();
            // First what is seen: whoever was just answered must not look at rows from before.
            if self.publish() {
                settled_at = Some(tokio::time::Instant::now() + SETTLED);
            }
            self.perform().await;
        }
        self.lead_away().await;
        self.host.containers().end().await;
        // With the launcher's end every pipe has ended, and the log thread with them.
        let Self { setup, host, mut reports, report_sender, tries, .. } = self;
        let collector = host.end();
        drop(report_sender);
        while reports.recv().await.is_some() {}
        let _ = tokio::task::spawn_blocking(move || collector.finish()).await;
        tries.end(&setup.home).await;
        // While the lock is held: the next engine's note and socket have the same names. Where containers are left, whoever
        // looks for this engine is to find that.
        if containers::left(&setup.home.containers()).is_none() {
            registry::remove(&setup.home);
        }
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
            match effect {
                Effect::Measure { service, incarnation } => self.publisher.measure(&self.world, service, incarnation),
                Effect::Alert { service, incarnation, begun } => {
                    self.publisher.alert(&self.world, service, incarnation, begun);
                }
                Effect::Weigh => self.publisher.weigh(&self.world, self.host.families()),
                effect => self.host.perform(effect),
            }
            count += 1;
            if count == 1 || count % GULP == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn take_written(&mut self, written: Written) {
        let (publisher, plan) = (&mut self.publisher, self.world.plan());
        self.keeper.take(written, |routes| publisher.reroute(plan, routes));
        self.look_away();
        self.notice_overtaken();
    }

    /// Publishes what has changed, and says whether anything has.
    fn publish(&mut self) -> bool {
        let changed = self.world.take_changed();
        let has_changed = !changed.is_empty();
        if has_changed {
            self.publisher.changed(&self.world, changed);
            self.publisher.events(&mut self.world);
        }
        self.tell_notes();
        has_changed
    }

    /// Tells of something that is no change of a service's state.
    fn tell(&self, event: Event) {
        self.publisher.tell(event);
    }

    #[allow(clippy::print_stderr, reason = "standard error is the engine's log")]
    fn report(&mut self, report: Report) {
        let lost = matches!(report, Report::Lost);
        let running: Vec<usize> = if lost { self.running() } else { Vec::new() };
        for fact in self.host.report(report) {
            self.step(Input::Told(fact));
        }
        if lost && !*self.ending.borrow() {
            let again = Process::spawn(&self.setup.program);
            match again.and_then(|process| Client::new(process, self.report_sender.clone())) {
                Ok(launcher) => {
                    hold(&launcher, &self.setup.lock);
                    self.host.set_launcher(launcher);
                }
                // Every launch from now on fails with a reason; this is the longer one, for the engine's log.
                Err(error) => eprintln!("the launcher could not be started again: {error}"),
            }
            self.step(Input::Asked(Command::Start(running)));
        }
    }

    /// Starts services that lost their containers and are still wanted.
    fn start_again(&mut self, names: &[String]) {
        let places = names.iter().filter_map(|name| self.world.plan().index(name));
        let places = places.filter(|place| self.world.status(*place).wanted).collect();
        if !*self.ending.borrow() {
            self.step(Input::Asked(Command::Start(places)));
        }
    }

    /// Services that run by the user's wish.
    fn running(&self) -> Vec<usize> {
        let all = 0..self.world.plan().services.len();
        let runs = |status: Status| status.wanted && (status.pid.is_some() || status.state == State::Starting);
        all.filter(|&place| runs(self.world.status(place))).collect()
    }

    /// Notices about the manifest and the plan at start, for the `up` that started the engine.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

/// The launcher keeps the workspace locked until nothing runs any more, even if this process is killed.
fn hold(launcher: &Client, lock: &Lock) {
    if let Ok(share) = lock.share() {
        launcher.hold(share);
    }
}

/// Waits for ever where there is no deadline.
async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
