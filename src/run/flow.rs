//! The way of one task: a result that is there already, or its services, its lock, its process and what comes of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::drive::{Preview, Shared};
use super::process::Finished;
use super::processes::Processes;
use super::results::{Looked, Missing, UNKNOWN};
use super::{Asks, Ending, Job, News};
use crate::effects::cache::Store;
use crate::effects::locks;
use crate::model::Signal;
use crate::pipeline::{End, Key};

/// What a task was asked to do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    /// To end, by this signal.
    Stop(Signal),
    /// To be gone.
    Kill,
}

/// An exit code of our own making, as with `docker run`.
pub(super) const OURS: u8 = 125;

/// All that the ways of tasks share.
#[derive(Debug, Clone)]
pub struct Flow {
    pub jobs: Shared<Job>,
    /// What stands for those that have come to their end; nothing, where what they made is not known.
    pub keys: Shared<watch::Sender<Option<Key>>>,
    pub processes: Processes,
    pub store: Store,
    pub locks: Arc<Path>,
    /// Who has its turns, for those that wait: `process 123`.
    pub who: Arc<str>,
    pub force: bool,
    /// Who has the services.
    pub asks: Asks,
    pub news: mpsc::Sender<News>,
}

/// Why a task ends without its own exit code.
pub(super) struct Broken {
    pub code: u8,
    pub reason: Option<String>,
    pub stopped: bool,
}

impl Broken {
    pub fn ours(reason: impl Into<String>) -> Self {
        Self { code: OURS, reason: Some(reason.into()), stopped: false }
    }

    fn stopped() -> Self {
        Self { code: OURS, reason: None, stopped: true }
    }
}

pub(super) type Result<T> = std::result::Result<T, Broken>;

impl Flow {
    /// From the beginning to the end.
    pub async fn run(&self, place: usize, mut asked: watch::Receiver<Asked>) -> (End, Ending) {
        match self.through(place, &mut asked).await {
            Ok(done) => done,
            Err(Broken { code, reason, stopped }) => {
                (End::Failed(code), Ending { reason, stopped, ..Ending::default() })
            }
        }
    }

    async fn through(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<(End, Ending)> {
        let Some(keep) = &self.jobs[place].keep else { return self.uncached(place, asked).await };
        match self.look(place, keep, asked).await? {
            Looked::There(ending) => return Ok((End::Cached, ending)),
            Looked::Unusable => return self.uncached(place, asked).await,
            Looked::Missing(missing) if !self.is_among(place) => {
                return self.make(place, &self.jobs[place], missing, asked).await;
            }
            // The engine has the place of a task before it looks for its result, and all have to take turns in one order.
            Looked::Missing(missing) => drop(missing),
        }
        let job = self.enter(place, asked).await?;
        let done = match self.look(place, keep, asked).await {
            Ok(Looked::There(ending)) => Ok((End::Cached, ending)),
            Ok(Looked::Missing(missing)) => self.make(place, &job, missing, asked).await,
            Ok(Looked::Unusable) => self.make_once(place, &job, asked).await,
            Err(broken) => Err(broken),
        };
        self.leave(place, is_well(&done)).await?;
        done
    }

    /// Its process, whatever was there and comes of it.
    async fn uncached(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<(End, Ending)> {
        let job = self.enter(place, asked).await?;
        let done = self.make_once(place, &job, asked).await;
        self.leave(place, is_well(&done)).await?;
        done
    }

    /// Runs it and keeps nothing.
    async fn make_once(&self, place: usize, job: &Job, asked: &mut watch::Receiver<Asked>) -> Result<(End, Ending)> {
        let finished = self.run_locked(place, job, asked).await?;
        match &self.jobs[place].keep {
            None => drop(self.keys[place].send_replace(self.definition(place))),
            Some(keep) if finished.is_well() => drop(self.store.set_unkept(&keep.task, UNKNOWN)),
            Some(_) => {}
        }
        Ok(ended(&finished))
    }

    /// Runs it and keeps what came of it, where it went well.
    async fn make(
        &self,
        place: usize,
        job: &Job,
        missing: Missing<'_>,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<(End, Ending)> {
        let Missing { keep, parts, turn: _turn } = missing;
        self.mind_inputs(place, keep, &parts).await;
        let finished = self.run_locked(place, job, asked).await?;
        if finished.is_well() {
            let kept = self.keep(place, keep, parts, &finished.log, finished.took).await;
            match kept {
                Ok(record) => drop(self.keys[place].send_replace(Some(record.stand_in()))),
                Err(why) => {
                    self.note_unkept(place, &why).await;
                    let _ = self.store.set_unkept(&keep.task, &why);
                }
            }
        }
        Ok(ended(&finished))
    }

    async fn run_locked(&self, place: usize, job: &Job, asked: &mut watch::Receiver<Asked>) -> Result<Finished> {
        let _turn = self.lock(place, asked).await?;
        self.tell(News::Started(place)).await;
        self.process(place, job, asked).await
    }

    /// The lock that its manifest names.
    async fn lock(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<Option<locks::Turn>> {
        let Some(name) = &self.jobs[place].lock else { return Ok(None) };
        let path = locks::file_of_task(&self.locks, name);
        self.turn(place, path, &format!("the lock `{name}`"), asked).await.map(Some)
    }

    pub(super) async fn turn(
        &self,
        place: usize,
        path: std::path::PathBuf,
        what: &str,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<locks::Turn> {
        let job = &self.jobs[place];
        let who = format!("{}, {} in {}", self.who, job.name, job.folder.display());
        let failed = |error: io::Error| Broken::ours(format!("{}: {error}", path.display()));
        let (own, words) = (path.clone(), who.clone());
        let taken = tokio::task::spawn_blocking(move || locks::try_take(&own, &words)).await;
        match taken.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)? {
            Ok(turn) => return Ok(turn),
            Err(holder) => self.tell(News::Waiting(place, format!("{what}, which {holder} has"))).await,
        }
        let (path, shown) = (path.clone(), path);
        let waiting = async move { tokio::task::spawn_blocking(move || locks::take(&path, &who)).await };
        let turn = unless_asked(asked, waiting).await?.unwrap_or_else(|error| Err(io::Error::other(error)));
        turn.map_err(|error| Broken::ours(format!("{}: {error}", shown.display())))
    }

    /// The keys of those that a task needs, which have come to their ends.
    /// Nothing, where the result of one was to be kept and was not: it may be anything.
    pub(super) fn keys_before(&self, place: usize) -> Option<Vec<Key>> {
        self.jobs[place].needs.iter().map(|(_, need)| self.keys[*need].borrow().clone()).collect()
    }

    /// What stands for a task whose result is not kept.
    fn definition(&self, place: usize) -> Option<Key> {
        Some(Key::of_command(&self.jobs[place].argv, &self.keys_before(place)?))
    }

    /// What would become of a task.
    pub async fn preview(&self, place: usize) -> Preview {
        let job = &self.jobs[place];
        let Some(keep) = &job.keep else {
            self.keys[place].send_replace(self.definition(place));
            return Preview { parts: None, hit: false, last: None, unkept: None, problem: None };
        };
        let (last, unkept) = (self.store.last(&keep.task), self.store.unkept(&keep.task));
        match self.parts(place, keep).await {
            Ok(parts) => {
                let key = Key::of(&parts);
                let found = self.store.find(&key).filter(|_| !self.force);
                let hit = found.is_some();
                self.keys[place].send_replace(Some(found.map_or(key, |record| record.stand_in())));
                Preview { parts: Some(parts), hit, last, unkept, problem: None }
            }
            Err(error) => Preview { parts: None, hit: false, last, unkept, problem: Some(error.to_string()) },
        }
    }

    pub(super) async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }

    pub(super) async fn note_unkept(&self, place: usize, why: &str) {
        self.note(place, format!("its result is not kept: {why}")).await;
    }

    pub(super) async fn note(&self, place: usize, text: String) {
        self.tell(News::Note(place, text)).await;
    }
}

/// Waits for something, or until the task is asked to end.
pub(super) async fn unless_asked<T>(asked: &mut watch::Receiver<Asked>, work: impl Future<Output = T>) -> Result<T> {
    tokio::select! {
        done = work => Ok(done),
        Ok(()) = asked.changed() => Err(Broken::stopped()),
    }
}

/// Whether it has done what it was to do.
fn is_well(done: &Result<(End, Ending)>) -> bool {
    matches!(done, Ok((End::Fresh | End::Cached, Ending { stopped: false, .. })))
}

fn ended(finished: &Finished) -> (End, Ending) {
    let ending = Ending { stopped: finished.stopped, ..Ending::default() };
    match finished.exit.code() {
        Some(0) => (End::Fresh, ending),
        code => (End::Failed(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)), ending),
    }
}
