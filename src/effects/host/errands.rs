//! What is run for a service beside itself: probes and setup steps.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::pipe::{PipeFlags, pipe_with};

use super::sweep::PATIENCE;
use super::whereabouts::Whereabouts;
use super::{Host, Life, source};
use crate::effects::accounts::{self, Found};
use crate::effects::clock::Clock;
use crate::effects::containers::Freshness;
use crate::effects::helpers::{Place, Task};
use crate::effects::pods::{Pod, Whose, private_files};
use crate::effects::probe::{Missed, Way, try_network};
use crate::effects::process::Kin;
use crate::effects::twins::Twins;
use crate::effects::{environment, texts};
use crate::launcher::Entering;
use crate::model::{Image, NetworkMode, ProbeKind, Signal, spoken};
use crate::plan::{PlannedCheck, Setup, Step, Work};
use crate::supervise::{Fact, Incarnation, SetupRun};
use crate::telemetry::logs::Stream;

impl Host {
    pub(super) fn probe(&self, service: usize, incarnation: Incarnation, kind: ProbeKind) {
        if self.probe_vessel(service, incarnation, kind) {
            return;
        }
        let instance = self.lives.get(&incarnation).map_or(1, |life| life.instance);
        let Some(probe) = self.plan.services[service].instance(instance).probe(kind) else { return };
        let (check, timeout) = (probe.check.clone(), probe.rhythm.timeout);
        let facts = self.facts.clone();
        let PlannedCheck::Exec(argv) = check else {
            let Some(life) = self.lives.get(&incarnation) else { return };
            // A program that has had no time to listen anywhere is not looked at.
            let is_late = self.clock.now().since(life.launched) >= PATIENCE;
            let way = Way::to(life.pod.as_ref(), is_late);
            let (plan, pod, pids) = (self.plan.clone(), life.pod.clone(), life.pids.clone());
            let whereabouts = Some(Whereabouts { plan, place: (service, instance), pod, pids }).filter(|_| is_late);
            let alone = self.alone(incarnation, life, kind, check.port());
            tokio::spawn(async move {
                let result = try_network(&way, &check, timeout).await.map_err(|missed| {
                    let elsewhere = match &missed {
                        Missed::NobodyListens(port) => whereabouts.and_then(|it| it.misplaced(*port)),
                        Missed::Other(_) => None,
                    };
                    elsewhere.unwrap_or_else(|| missed.to_string())
                });
                let result = result.and_then(|()| alone.map_or(Ok(()), Alone::check));
                let _ = facts.send(Fact::Probed(incarnation, kind, result));
            });
            return;
        };
        let helpers = self.helpers.clone();
        let shown = spoken(&argv);
        let task = self.probe_task(service, incarnation, argv);
        tokio::spawn(async move {
            let result = match task {
                Ok(task) => helpers.probe(task, &shown, timeout).await,
                Err(reason) => Err(reason),
            };
            let _ = facts.send(Fact::Probed(incarnation, kind, result));
        });
    }

    /// What is to be looked at when a probe succeeds, where the port that it asks need not be the program's own. That it
    /// lives is not asked in order to call it.
    fn alone(&self, incarnation: Incarnation, life: &Life, kind: ProbeKind, port: Option<u16>) -> Option<Alone> {
        let port = port.filter(|_| life.pod.is_none() && kind != ProbeKind::Liveness)?;
        let (pids, others) = (life.pids.clone(), self.main_pids(incarnation));
        Some(Alone { twins: self.twins.clone(), clock: self.clock, incarnation, port, pids, others })
    }

    /// A probe's command, which runs where the service does and as whom it does.
    fn probe_task(&self, service: usize, incarnation: Incarnation, argv: Vec<String>) -> Result<Task, String> {
        let instance = self.lives.get(&incarnation).map_or(1, |life| life.instance);
        let planned = self.plan.services[service].instance(instance);
        let found = accounts::of(planned)?;
        let variables = texts::variables(planned, instance, found.as_ref());
        let folder = texts::folder(planned);
        let account = found.and_then(Found::change);
        let init = self.lives.get(&incarnation).and_then(|life| life.init);
        match (init, environment::program()) {
            // Only who has all rights can enter; it becomes the other account there.
            (Some(init), Ok(own)) => {
                let entering = Entering { init, account };
                let argv = entering.command(&own).into_iter().chain(argv).collect();
                Ok(Task { argv, variables, folder, account: None, place: Place::Host })
            }
            _ => Ok(Task { argv, variables, folder, account, place: Place::Host }),
        }
    }

    /// A setup step, which sees network and names as its service does, and runs as whom that runs.
    fn setup_task(&self, setup: &Setup, step: &Step) -> Result<Task, String> {
        self.task_beside(setup.service, step.argv.clone())
    }

    /// A command that sees network and names as a service does, and runs as whom that runs, but not in its pod.
    fn task_beside(&self, service: usize, argv: Vec<String>) -> Result<Task, String> {
        let planned = &self.plan.services[service];
        let place = match planned.network {
            NetworkMode::Pod => {
                let (planned, etc, announcer) = (planned.clone(), self.home.etc(), self.announcer.clone());
                let door = self.plan.front_door;
                Place::Pod(Box::new(move |incarnation| {
                    let whose = Whose { incarnation, planned: &planned, instance: 1, serves: false };
                    Ok(Pod::order(&whose, &etc, door, &announcer)?.1)
                }))
            }
            NetworkMode::Names => {
                let etc = self.home.etc_of(planned.name.as_str());
                Place::Pod(Box::new(move |_| private_files(&etc)))
            }
            NetworkMode::Env => Place::Host,
        };
        let found = accounts::of(planned)?;
        let variables = texts::variables(planned, 1, found.as_ref());
        let account = found.and_then(Found::change);
        Ok(Task { argv, variables, folder: texts::folder(planned), account, place })
    }

    pub(super) fn setup(&self, setup: usize, run: SetupRun) {
        let step = self.plan.setups[setup].clone();
        let work = match step.work.clone() {
            Work::Command(work) => work,
            Work::Image(image) => return self.prepare_image(&step, *image, run),
        };
        let task = self.setup_task(&step, &work);
        let (facts, helpers, stamps) = (self.facts.clone(), self.helpers.clone(), self.stamps.clone());
        let turn = self.setups.clone();
        let result = self.output(step.service);
        tokio::spawn(async move {
            // Closed when all ends; its end of the pipe goes then, for which the log thread waits.
            let Ok(_turn) = turn.acquire().await else { return };
            let (known, checked) = (stamps.clone(), work.clone());
            let fresh = tokio::task::spawn_blocking(move || known.is_fresh(&checked)).await.unwrap_or(false);
            let result = match (fresh, result) {
                (true, _) => Ok(()),
                (false, Ok(end)) => match task {
                    Ok(task) => helpers.run_setup(task, end, &step.command).await,
                    Err(reason) => Err(reason),
                },
                (false, Err(error)) => Err(not_started(&step.command, &error)),
            };
            if result.is_ok() && !fresh {
                // A step that is not remembered runs once more; that is all.
                let _ = tokio::task::spawn_blocking(move || stamps.mark(&work)).await;
            }
            let _ = facts.send(Fact::SetupEnded(run, result));
        });
    }

    /// A pipe into the log of a service.
    pub(super) fn output(&self, service: usize) -> io::Result<OwnedFd> {
        let (output, end) = pipe_with(PipeFlags::CLOEXEC)?;
        self.collector.add(source(&self.plan.services[service], 1, Stream::Setup, output));
        Ok(end)
    }

    /// Runs a command for a service: in its pod while that is there.
    pub fn run_for(
        &self,
        service: usize,
        argv: Vec<String>,
        shown: String,
        done: impl FnOnce(Result<(), String>) + Send + 'static,
    ) {
        if self.is_vessel(service) {
            return self.run_in_vessel(service, argv, &shown, done);
        }
        let life = self.lives.iter().find(|(_, life)| life.service == service && life.init.is_some());
        let task = match life {
            Some((&incarnation, _)) => self.probe_task(service, incarnation, argv),
            None => self.task_beside(service, argv),
        };
        let (helpers, output) = (self.helpers.clone(), self.output(service));
        tokio::spawn(async move {
            done(match (task, output) {
                (Ok(task), Ok(end)) => helpers.run_setup(task, end, &shown).await,
                (Err(reason), _) => Err(reason),
                (_, Err(error)) => Err(not_started(&shown, &error)),
            });
        });
    }

    /// Runs all setup steps of a service, whether they were run before or not, beside what runs of it.
    pub fn rebuild(&self, service: usize, done: impl FnOnce(Result<(), String>) + Send + 'static) {
        let steps: Vec<Setup> =
            self.plan.services[service].setup.iter().map(|&setup| self.plan.setups[setup].clone()).collect();
        let prepared: Vec<_> = steps
            .into_iter()
            .map(|step| {
                let output = self.output(service);
                let errand = match &step.work {
                    Work::Command(work) => Errand::Step(work.clone(), self.setup_task(&step, work)),
                    Work::Image(image) => Errand::Image(image.clone()),
                };
                (step.command, errand, output)
            })
            .collect();
        let (helpers, stamps, turn) = (self.helpers.clone(), self.stamps.clone(), self.setups.clone());
        let containers = self.containers.clone();
        tokio::spawn(async move {
            let Ok(_turn) = turn.acquire().await else { return };
            for (command, errand, output) in prepared {
                let end = match output {
                    Ok(end) => end,
                    Err(error) => return done(Err(not_started(&command, &error))),
                };
                let (result, step) = match errand {
                    Errand::Image(image) => (containers.prepare(&image, Freshness::New, end).await, None),
                    Errand::Step(_, Err(reason)) => (Err(reason), None),
                    Errand::Step(step, Ok(task)) => (helpers.run_setup(task, end, &command).await, Some(step)),
                };
                if result.is_err() {
                    return done(result);
                }
                // The restart that follows need not run it once more.
                let stamps = stamps.clone();
                if let Some(step) = step {
                    let _ = tokio::task::spawn_blocking(move || stamps.mark(&step)).await;
                }
            }
            done(Ok(()));
        });
    }

    /// Signals the main process of a service alone, as `docker kill` does: a shell above it would not survive it.
    pub fn signal_main(&self, service: usize, signal: Signal) {
        self.signal_vessels(service, signal);
        let lives = self.lives.values().filter(|life| life.service == service);
        lives.filter_map(|life| life.pids.first()).for_each(|&pid| crate::effects::signal(pid, signal));
    }
}

/// What prepares a service once more.
enum Errand {
    Step(Step, Result<Task, String>),
    Image(Box<Image>),
}

pub(super) fn not_started(command: &str, error: &io::Error) -> String {
    format!("`{command}` could not be started: {error}")
}

/// A port of an instance that nobody else should have.
struct Alone {
    twins: Arc<Mutex<Twins>>,
    clock: Clock,
    incarnation: Incarnation,
    port: u16,
    pids: Vec<u32>,
    others: Vec<u32>,
}

impl Alone {
    /// Nobody else has it; else who does, in words.
    fn check(self) -> Result<(), String> {
        let kin = Kin { pids: &self.pids, others: &self.others };
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        twins.complaint(self.clock.now(), self.incarnation, self.port, kin).map_or(Ok(()), Err)
    }
}
