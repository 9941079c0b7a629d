//! Instances that are containers: the same effects, carried out by another engine.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::mpsc;

use super::errands::not_started;
use super::{GONE, Host, Typed, source};
use crate::effects::containers::{Birth, Containers, Freshness, Running, Seat, Sent, Wanted};
use crate::effects::feed::Feed;
use crate::effects::probe::{Way, try_network};
use crate::effects::terminal::Terminal;
use crate::launcher::Line;
use crate::model::{Image, ProbeKind, Signal, Stdin};
use crate::plan::{FRONT_DOOR, Plan, PlannedCheck, Ready, Setup};
use crate::route::zone::Zone;
use crate::supervise::{Fact, Incarnation, SetupRun, Swept};
use crate::telemetry::logs::{Source, Stream};

/// A container that accepts connections does so within this time.
const ACCEPTING: Duration = Duration::from_millis(500);

/// What is known of an instance that is a container.
#[derive(Debug)]
pub(super) struct Vessel {
    pub service: usize,
    pub instance: u32,
    signals: mpsc::UnboundedSender<Sent>,
    /// There once it runs.
    running: Arc<OnceLock<Running>>,
    typed: Option<Typed>,
}

impl Vessel {
    /// Whether its life is over, or about to be.
    fn is_over(&self) -> bool {
        self.signals.is_closed()
    }

    /// What is known of it, while it runs.
    pub fn running(&self) -> Option<&Running> {
        self.running.get().filter(|_| !self.is_over())
    }
}

impl Host {
    /// The names that containers find from now on.
    pub fn set_zone(&mut self, zone: Arc<Zone>) {
        self.zone = zone;
    }

    /// The containers of the workspace.
    pub fn containers(&self) -> &Containers {
        &self.containers
    }

    /// The next time that an engine of containers is back: the services whose containers it had taken along.
    pub async fn returned(&mut self) -> Option<Vec<String>> {
        self.returned.recv().await
    }

    /// Places of services are another plan's from now on.
    pub(super) fn move_vessels(&mut self, plan: &Plan) {
        for vessel in self.vessels.values_mut() {
            let Some(planned) = self.plan.services.get(vessel.service) else { continue };
            vessel.service = plan.index(planned.name.as_str()).unwrap_or(GONE);
        }
    }

    /// Whether a service is a container.
    pub fn is_vessel(&self, service: usize) -> bool {
        self.plan.services.get(service).is_some_and(|planned| planned.container().is_some())
    }

    pub(super) fn launch_vessel(
        &mut self,
        service: usize,
        instance: u32,
        incarnation: Incarnation,
    ) -> Result<(), String> {
        self.vessels.retain(|_, vessel| !vessel.is_over());
        let planned = self.plan.services[service].instance(instance);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("no pipe for its output: {error}"));
        let ((out, stdout), (err, stderr)) = (pipe()?, pipe()?);
        let (typed, seat, stdout) = seat(planned.stdin, stdout)?;
        for (stream, pipe) in [(Stream::Out, out), (Stream::Err, err)] {
            let patterns = self.patterns(planned, incarnation);
            self.collector.add(Source { patterns, ..source(planned, instance, stream, pipe) });
        }
        let wanted = Wanted {
            workspace: self.home.id.clone(),
            planned: Arc::new(planned.clone()),
            instance,
            zone: self.zone.clone(),
            data: self.home.data().join(planned.name.as_str()),
            namespace: self.plan.namespace.to_string(),
        };
        if !std::mem::replace(&mut self.has_will, true)
            && let Some(will) = self.containers.last_will()
        {
            self.helpers.launcher().at_last(&will);
        }
        let (signals, inbox) = mpsc::unbounded_channel();
        let running = Arc::default();
        self.vessels.insert(incarnation, Vessel { service, instance, signals, running: Arc::clone(&running), typed });
        self.containers.launch(Birth { incarnation, wanted, stdout, stderr, seat, running }, inbox);
        Ok(())
    }

    /// The container of a service's first instance, as the engine calls it.
    pub fn vessel_of(&self, service: usize) -> Option<String> {
        let vessels = self.vessels.values().filter(|it| it.service == service && it.running().is_some());
        Some(vessels.min_by_key(|it| it.instance)?.running()?.id.clone())
    }

    /// Where the input of an instance is typed that is a container and runs.
    pub(super) fn typed_into(&self, service: usize, instance: u32) -> Option<&Typed> {
        let vessels = self.vessels.values().filter(|vessel| vessel.running().is_some());
        vessels.filter(|it| (it.service, it.instance) == (service, instance)).find_map(|it| it.typed.as_ref())
    }

    /// Has a container end; false where the life is none.
    pub(super) fn stop_vessel(&self, incarnation: Incarnation, signal: Signal) -> bool {
        self.vessels.get(&incarnation).is_some_and(|vessel| {
            let _ = vessel.signals.send(Sent::Stop(signal));
            true
        })
    }

    /// Signals the containers of a service.
    pub(super) fn signal_vessels(&self, service: usize, signal: Signal) {
        for vessel in self.vessels.values().filter(|vessel| vessel.service == service) {
            let _ = vessel.signals.send(Sent::Other(signal));
        }
    }

    /// Probes a container; false where the life is none.
    pub(super) fn probe_vessel(&self, service: usize, incarnation: Incarnation, kind: ProbeKind) -> bool {
        let Some(vessel) = self.vessels.get(&incarnation) else { return false };
        let (planned, facts) = (self.plan.services[service].instance(vessel.instance), self.facts.clone());
        let (Some(probe), Some(running)) = (planned.probe(kind), vessel.running().cloned()) else { return true };
        let (check, timeout, containers) = (probe.check.clone(), probe.rhythm.timeout, self.containers.clone());
        tokio::spawn(async move {
            let result = match check {
                PlannedCheck::Exec(argv) => containers.probe(&running.id, argv, timeout).await,
                check => {
                    try_network(&Way::Pod(running.line), &check, timeout).await.map_err(|missed| missed.to_string())
                }
            };
            let _ = facts.send(Fact::Probed(incarnation, kind, result));
        });
        true
    }

    /// Those of the waiting that are containers, with where they are to listen.
    pub(super) fn waiting_vessels(&self, waiting: &[(usize, Incarnation)]) -> Vec<(Incarnation, Arc<Line>, u16)> {
        let one = |&(service, incarnation): &(usize, Incarnation)| {
            let vessel = self.vessels.get(&incarnation)?;
            let Ready::Listening(port) = self.plan.services[service].instance(vessel.instance).readiness else {
                return None;
            };
            Some((incarnation, vessel.running()?.line.clone(), port))
        };
        waiting.iter().filter_map(one).collect()
    }

    /// Has an image there, as a setup step.
    pub(super) fn prepare_image(&self, step: &Setup, image: Image, run: SetupRun) {
        self.containers.begin();
        let (containers, facts, output) = (self.containers.clone(), self.facts.clone(), self.output(step.service));
        let command = step.command.clone();
        tokio::spawn(async move {
            let result = match output {
                Ok(end) => containers.prepare(&image, Freshness::Usual, end).await,
                Err(error) => Err(not_started(&command, &error)),
            };
            let _ = facts.send(Fact::SetupEnded(run, result));
        });
    }

    /// Runs a command in a container of a service, while there is one.
    pub(super) fn run_in_vessel(
        &self,
        service: usize,
        argv: Vec<String>,
        shown: &str,
        done: impl FnOnce(Result<(), String>) + Send + 'static,
    ) {
        let running = self.vessel_of(service);
        let (containers, output, shown) = (self.containers.clone(), self.output(service), shown.to_owned());
        tokio::spawn(async move {
            done(match (running, output) {
                (Some(id), Ok(end)) => containers.run(&id, argv, end).await,
                (None, _) => Err(format!("`{shown}` could not be started: its container does not run")),
                (_, Err(error)) => Err(not_started(&shown, &error)),
            });
        });
    }
}

/// Where a container is typed to, its end of that, and what is left for its output.
fn seat(stdin: Stdin, stdout: OwnedFd) -> Result<(Option<Typed>, Seat, Option<OwnedFd>), String> {
    match stdin {
        Stdin::Empty => Ok((None, Seat::Empty, Some(stdout))),
        Stdin::Open => {
            let (feed, end) = Feed::open().map_err(|error| format!("no pipe for its input: {error}"))?;
            Ok((Some(Typed::Feed(feed)), Seat::Pipe(end), Some(stdout)))
        }
        Stdin::Terminal => {
            let opened = Terminal::elsewhere(stdout);
            let (terminal, end, sizes) = opened.map_err(|error| format!("no terminal for it: {error}"))?;
            Ok((Some(Typed::Terminal(terminal)), Seat::Terminal(end, sizes), None))
        }
    }
}

/// Which containers accept connections by now.
pub(super) async fn sweep_vessels(waiting: Vec<(Incarnation, Arc<Line>, u16)>) -> Vec<Swept> {
    let one = |(incarnation, line, port): (Incarnation, Arc<Line>, u16)| async move {
        let accepted = tokio::time::timeout(ACCEPTING, line.connect(FRONT_DOOR, port)).await;
        let listening = matches!(accepted, Ok(Ok(_)));
        let finding = (!listening).then(|| unreached(port));
        Swept { incarnation, listening, finding }
    };
    futures_util::future::join_all(waiting.into_iter().map(one)).await
}

/// Programs that listen on their own loopback alone are never reached in a container, and many do by default.
fn unreached(port: u16) -> String {
    format!(
        "it does not accept connections on port {port} yet; a program in a container listens on 0.0.0.0, not on 127.0.0.1"
    )
}
