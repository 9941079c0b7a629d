//! The loop around the machine.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal as Caught, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::flow::{Asked, Flow};
use super::processes::Processes;
use super::{Ending, Job, News, Surroundings};
use crate::effects::clock::Clock;
use crate::model::Signal;
use crate::pipeline::{Effect, End, Input, Key, Machine, Parts, Record, State};
use crate::supervise::Moment;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The code of the task that failed first.
    pub code: u8,
    pub interrupted: bool,
    pub states: Vec<State>,
}

/// After so long without an end people are told who keeps them.
const SILENCE: Duration = Duration::from_secs(1);

struct Drive {
    machine: Machine,
    clock: Clock,
    flow: Flow,
    /// What each task was asked to do.
    asked: Vec<watch::Sender<Asked>>,
    ended: mpsc::UnboundedSender<(usize, End, Ending)>,
    news: mpsc::Sender<News>,
}

/// Runs all tasks of a machine to their ends, and leaves no process.
pub async fn drive(machine: Machine, jobs: Vec<Job>, surroundings: Surroundings) -> io::Result<Outcome> {
    let Surroundings { store, locks, who, force, asks, news, launcher } = surroundings;
    let mut signals = Signals::new()?;
    let processes = Processes::new(launcher)?;
    let (ended, mut ends) = mpsc::unbounded_channel();
    let count = jobs.len();
    let asked = (0..count).map(|_| watch::Sender::new(Asked::Nothing)).collect();
    let keys: Vec<watch::Sender<Option<Key>>> = (0..count).map(|_| watch::Sender::new(None)).collect();
    let flow = Flow {
        jobs: jobs.into(),
        keys: keys.into(),
        processes: processes.clone(),
        store,
        locks: locks.into(),
        who: who.into(),
        force,
        asks,
        news: news.clone(),
    };
    let mut drive = Drive { machine, clock: Clock::start(), flow, asked, ended, news };
    drive.step(Input::Begin, Signal::TERM).await;
    let mut reminder = None;
    while !drive.machine.is_done() {
        let deadline = drive.machine.deadline().map(|at| drive.clock.instant(Moment(at)).into());
        tokio::select! {
            Some((place, end, ending)) = ends.recv() => {
                drive.tell(News::Ended(place, end, ending)).await;
                drive.step(Input::Ended(place, end), Signal::TERM).await;
            }
            signal = signals.next() => {
                reminder = (!drive.machine.is_interrupted()).then(|| Instant::now() + SILENCE);
                drive.step(Input::Interrupt, signal).await;
            }
            () = sleep_until(reminder) => {
                reminder = None;
                drive.remind(count).await;
            }
            () = sleep_until(deadline) => drive.step(Input::Tick, Signal::TERM).await,
        }
    }
    processes.end().await;
    let machine = drive.machine;
    Ok(Outcome {
        code: machine.first_failure().map_or(0, |(_, code)| code),
        interrupted: machine.is_interrupted(),
        states: (0..count).map(|place| machine.state(place)).collect(),
    })
}

impl Drive {
    async fn step(&mut self, input: Input, signal: Signal) {
        for effect in self.machine.step(self.clock.now().0, input) {
            match effect {
                Effect::Start(place) => self.start(place),
                Effect::Stop(place) => drop(self.asked[place].send_replace(Asked::Stop(signal))),
                Effect::Kill(place) => drop(self.asked[place].send_replace(Asked::Kill)),
                Effect::Skip(place, cause) => self.tell(News::Skipped(place, cause)).await,
            }
        }
    }

    fn start(&self, place: usize) {
        let (flow, ended, clock) = (self.flow.clone(), self.ended.clone(), self.clock);
        let asked = self.asked[place].subscribe();
        tokio::spawn(async move {
            let begun = clock.now();
            let (end, ending) = flow.run(place, asked).await;
            let _ = ended.send((place, end, Ending { took: clock.now().since(begun), ..ending }));
        });
    }

    /// Tells who has been asked to end and has not.
    async fn remind(&self, count: usize) {
        let is_stopping = |place: &usize| matches!(self.machine.state(*place), State::Stopping(Some(_)));
        for place in (0..count).filter(is_stopping) {
            self.tell(News::Lingers(place)).await;
        }
    }

    async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }
}

/// What ends a run from outside.
struct Signals {
    interrupt: Caught,
    terminate: Caught,
    hangup: Caught,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Shared by the flows of all tasks.
pub(super) type Shared<T> = Arc<[T]>;

/// What would become of a task, as far as the present files tell.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What its result depends on; nothing, where no result is kept or the parts cannot be known.
    pub parts: Option<Parts>,
    /// A result is there.
    pub hit: bool,
    /// The last success in this checkout.
    pub last: Option<Record>,
    /// Why a later success was not kept.
    pub unkept: Option<String>,
    pub problem: Option<String>,
}

/// Looks at tasks, each of which stands behind those that it needs, and runs nothing but what tells versions.
pub async fn preview(jobs: Vec<Job>, surroundings: Surroundings) -> io::Result<Vec<Preview>> {
    let Surroundings { store, locks, who, force, asks, news, launcher } = surroundings;
    let processes = Processes::new(launcher)?;
    let keys: Vec<watch::Sender<Option<Key>>> = jobs.iter().map(|_| watch::Sender::new(None)).collect();
    let jobs: Shared<Job> = jobs.into();
    let flow = Flow {
        jobs: jobs.clone(),
        keys: keys.into(),
        processes: processes.clone(),
        store,
        locks: locks.into(),
        who: who.into(),
        force,
        asks,
        news,
    };
    let mut previews = Vec::with_capacity(jobs.len());
    for place in 0..jobs.len() {
        previews.push(flow.preview(place).await);
    }
    processes.end().await;
    Ok(previews)
}
