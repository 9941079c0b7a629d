//! The way of one task: locks, key, a result that is there already, or its process and what comes of it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::drive::{Preview, Shared};
use super::log::Log;
use super::process::Finished;
use super::processes::Processes;
use super::{Asks, Ending, Job, Keep, News};
use crate::effects::cache::{Made, Share, Store, Unusable};
use crate::effects::{inputs, locks};
use crate::model::Signal;
use crate::pipeline::{End, Key, Parts, Record, changes, hash_of};
use crate::supervise::Exit;

/// What a task was asked to do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    /// To end, by this signal.
    Stop(Signal),
    /// To be gone.
    Kill,
}

/// What a program gets to tell its version in.
const VERSION: Duration = Duration::from_secs(20);
/// An exit code of our own making, as with `docker run`.
pub(super) const OURS: u8 = 125;

/// All that the ways of tasks share.
#[derive(Debug, Clone)]
pub struct Flow {
    pub jobs: Shared<Job>,
    /// The keys of those that have come to their end.
    pub keys: Shared<watch::Sender<Option<Key>>>,
    pub processes: Processes,
    pub store: Store,
    pub locks: Arc<Path>,
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
        let job = &self.jobs[place];
        let Some(keep) = &job.keep else { return self.uncached(place, asked).await };
        // The same task in the same folder would write over what this one reads.
        let busy = self.store.busy(&keep.task);
        let _busy = match self.turn(place, busy, "another run of it", asked).await {
            Ok(turn) => turn,
            // Where nothing can be written nothing can be kept, and the task is none the worse.
            Err(Broken { reason: Some(why), stopped: false, .. }) => {
                self.note_unkept(place, &why).await;
                return self.uncached(place, asked).await;
            }
            Err(broken) => return Err(broken),
        };
        let parts = match unless_asked(asked, self.parts(place, keep)).await? {
            Ok(parts) => parts,
            Err(error) => {
                self.note_unkept(place, &error.to_string()).await;
                return self.uncached(place, asked).await;
            }
        };
        self.mind_inputs(place, keep, &parts).await;
        let key = Key::of(&parts);
        if !self.force
            && let Some(record) = self.put_back(place, keep, &key).await?
        {
            self.keys[place].send_replace(Some(key));
            let saved = Some(Duration::from_millis(record.duration_ms));
            return Ok((End::Cached, Ending { saved, ..Ending::default() }));
        }
        let finished = self.run_it(place, asked).await?;
        let done = ended(&finished);
        if finished.is_well() {
            let kept = self.keep(place, keep, parts, &finished.log, finished.took).await;
            if let Err(why) = kept {
                self.note_unkept(place, &why).await;
                let _ = self.store.set_unkept(&keep.task, &why);
            }
        }
        self.keys[place].send_replace(Some(key));
        Ok(done)
    }

    /// Its process, whatever was there and comes of it.
    async fn uncached(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<(End, Ending)> {
        let finished = self.run_it(place, asked).await?;
        self.keys[place].send_replace(Some(definition(&self.jobs[place])));
        Ok(ended(&finished))
    }

    /// Its process among its services, and while nobody else has its lock.
    async fn run_it(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<Finished> {
        let job = self.enter(place, asked).await?;
        let finished = self.run_locked(place, &job, asked).await;
        self.leave(place, finished.as_ref().is_ok_and(Finished::is_well)).await;
        finished
    }

    async fn run_locked(&self, place: usize, job: &Job, asked: &mut watch::Receiver<Asked>) -> Result<Finished> {
        let _turn = self.lock(place, asked).await?;
        self.tell(News::Started(place)).await;
        self.process(place, job, asked).await
    }

    /// The lock that its manifest names.
    async fn lock(&self, place: usize, asked: &mut watch::Receiver<Asked>) -> Result<Option<locks::Turn>> {
        let Some(name) = &self.jobs[place].lock else { return Ok(None) };
        let path = locks::file_of(&self.locks, name);
        self.turn(place, path, &format!("the lock `{name}`"), asked).await.map(Some)
    }

    async fn turn(
        &self,
        place: usize,
        path: std::path::PathBuf,
        what: &str,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<locks::Turn> {
        let job = &self.jobs[place];
        let who = format!("process {}, {} in {}", std::process::id(), job.name, job.folder.display());
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

    /// All that the result depends on, as it is now.
    async fn parts(&self, place: usize, keep: &Keep) -> io::Result<Parts> {
        let mut parts = keep.parts.clone();
        for (name, need) in &keep.needs {
            let key = self.keys[*need].borrow().clone();
            parts.insert(key_part(name), key.map_or_else(String::new, |key| key.0));
        }
        for tool in &keep.tools {
            let version = self.version(place, tool).await?;
            parts.insert(format!("tool {}", tool.join(" ")), hash_of([version]));
        }
        parts.extend(self.inputs(place, keep).await?);
        Ok(parts)
    }

    async fn inputs(&self, place: usize, keep: &Keep) -> io::Result<Parts> {
        let folder = self.jobs[place].folder.clone();
        let (inputs, outputs) = (keep.inputs.clone(), keep.outputs.clone());
        let hashes = tokio::task::spawn_blocking(move || inputs::hash(&folder, &inputs, &outputs)).await;
        let hashes = hashes.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        Ok(hashes.into_iter().map(|(path, hash)| (format!("input {path}"), hash)).collect())
    }

    /// A typing error among the inputs would have the result kept for good.
    async fn mind_inputs(&self, place: usize, keep: &Keep, parts: &Parts) {
        let (folder, inputs) = (self.jobs[place].folder.clone(), keep.inputs.clone());
        let found = parts.keys().filter_map(|part| part.strip_prefix("input ").map(str::to_owned));
        let found: Vec<String> = found.collect();
        let look = tokio::task::spawn_blocking(move || inputs::unmatched(&folder, &inputs, &found)).await;
        for input in look.unwrap_or_else(|error| Err(io::Error::other(error))).unwrap_or_default() {
            self.note(place, format!("its input `{input}` matches nothing, so no change of it is noticed")).await;
        }
    }

    /// What a program says of its version.
    async fn version(&self, place: usize, words: &[String]) -> io::Result<Vec<u8>> {
        let shown = words.join(" ");
        let said = self.processes.ask(&self.jobs[place], words, VERSION).await;
        said.and_then(|said| match said.exit {
            Exit::Code(0) => Ok(said.output),
            exit => Err(io::Error::other(format!("it {exit}; name the command that tells the version"))),
        })
        .map_err(|error| io::Error::new(error.kind(), format!("`{shown}`: {error}")))
    }

    /// Puts a kept result back and tells what the task wrote then.
    async fn put_back(&self, place: usize, keep: &Keep, key: &Key) -> Result<Option<Record>> {
        let (store, key, outputs) = (self.store.clone(), key.clone(), keep.outputs.clone());
        let (folder, task) = (self.jobs[place].folder.clone(), keep.task.clone());
        let restored = tokio::task::spawn_blocking(move || -> std::result::Result<_, Unusable> {
            let share = store.share()?;
            let Some(record) = store.find(&key) else { return Ok(None) };
            let log = store.log(&record)?;
            store.restore(&record, &folder, &outputs, &share)?;
            let _ = store.set_last(&task, &record);
            Ok(Some((record, log)))
        });
        match restored.await {
            Ok(Ok(Some((record, log)))) => {
                for (stream, line) in Log::lines(&log) {
                    self.tell(News::Line(place, stream, line.to_vec())).await;
                }
                Ok(Some(record))
            }
            Ok(Ok(None)) => Ok(None),
            Ok(Err(error)) => {
                self.note(place, format!("its kept result cannot be used, so it runs: {error}")).await;
                Ok(None)
            }
            Err(error) => Err(Broken::ours(error.to_string())),
        }
    }

    /// Keeps a result, unless its inputs are not what they were.
    async fn keep(
        &self,
        place: usize,
        keep: &Keep,
        parts: Parts,
        log: &Log,
        took: Duration,
    ) -> std::result::Result<(), String> {
        let now = self.inputs(place, keep).await.map_err(|error| error.to_string())?;
        let is_input = |name: &str| name.starts_with("input ");
        let before: Parts =
            parts.iter().filter(|(name, _)| is_input(name)).map(|(a, b)| (a.clone(), b.clone())).collect();
        let changes = changes(&before, &now);
        // A folder that was empty is gone from the list when something comes into it, and that tells more.
        if let Some(change) = changes.iter().find(|it| it.change != "removed").or(changes.first()) {
            return Err(format!("{} was {} while it ran", change.part, change.change));
        }
        let (store, keep) = (self.store.clone(), keep.clone());
        let (folder, log) = (self.jobs[place].folder.clone(), log.bytes().to_vec());
        let kept = tokio::task::spawn_blocking(move || {
            let share: Share = store.share().map_err(|error| error.to_string())?;
            let made = Made { folder: &folder, outputs: &keep.outputs, parts, log: &log, took };
            let record = store.keep(made, share)?;
            store.set_last(&keep.task, &record).map_err(|error| error.to_string())?;
            store.tidy().map_err(|error| error.to_string()).map(drop)
        });
        kept.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// What would become of a task.
    pub async fn preview(&self, place: usize) -> Preview {
        let job = &self.jobs[place];
        let Some(keep) = &job.keep else {
            let key = definition(job);
            self.keys[place].send_replace(Some(key.clone()));
            return Preview { key, parts: None, hit: false, last: None, unkept: None, problem: None };
        };
        let (last, unkept) = (self.store.last(&keep.task), self.store.unkept(&keep.task));
        match self.parts(place, keep).await {
            Ok(parts) => {
                let key = Key::of(&parts);
                let hit = !self.force && self.store.find(&key).is_some();
                self.keys[place].send_replace(Some(key.clone()));
                Preview { key, parts: Some(parts), hit, last, unkept, problem: None }
            }
            Err(error) => {
                // As when it has run.
                let key = definition(job);
                self.keys[place].send_replace(Some(key.clone()));
                Preview { key, parts: None, hit: false, last, unkept, problem: Some(error.to_string()) }
            }
        }
    }

    pub(super) async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }

    async fn note_unkept(&self, place: usize, why: &str) {
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

/// The part of a key that stands for another task.
pub(super) fn key_part(task: &str) -> String {
    format!("task {task}")
}

/// The key of a task whose result is not kept: what it is, as what it does cannot be known.
fn definition(job: &Job) -> Key {
    Key(hash_of(job.argv.iter().map(String::as_bytes)))
}

fn ended(finished: &Finished) -> (End, Ending) {
    let ending = Ending { stopped: finished.stopped, ..Ending::default() };
    match finished.exit.code() {
        Some(0) => (End::Fresh, ending),
        code => (End::Failed(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)), ending),
    }
}
