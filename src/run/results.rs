//! Results that are kept: looked for by all that they depend on, put back, and kept in the end.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use tokio::sync::watch;

use super::flow::{Asked, Broken, Flow, Result, unless_asked};
use super::log::Log;
use super::{Ending, News};
use crate::effects::cache::{Made, Share, Unusable};
use crate::effects::{inputs, locks};
use crate::pipeline::{Keep, Key, Parts, Record, changes, hash_of, key_part};
use crate::supervise::Exit;

/// What a program gets to tell its version in.
const VERSION: Duration = Duration::from_secs(20);

/// Why a result is not kept that was made of others which were not.
pub const UNKNOWN: &str = "the result of a task before it was not kept";

/// What came of a look for a task's result.
pub(super) enum Looked<'a> {
    /// It was put back.
    There(Ending),
    Missing(Missing<'a>),
    /// What it depends on cannot be known, or nothing can be kept: that was told.
    Unusable,
}

/// A result that is to be made.
pub(super) struct Missing<'a> {
    pub keep: &'a Keep,
    pub parts: Parts,
    /// No other run of it is at work meanwhile.
    pub turn: locks::Turn,
}

impl Flow {
    /// Looks for the result of a task, once no other run of it is at work: the same task in the same folder would write
    /// over what this one reads.
    pub(super) async fn look<'a>(
        &self,
        place: usize,
        keep: &'a Keep,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<Looked<'a>> {
        let turn = match self.turn(place, self.store.busy(&keep.task), "another run of it", asked).await {
            Ok(turn) => turn,
            // Where nothing can be written nothing can be kept, and the task is none the worse.
            Err(Broken { reason: Some(why), stopped: false, .. }) => {
                self.note_unkept(place, &why).await;
                return Ok(Looked::Unusable);
            }
            Err(broken) => return Err(broken),
        };
        let parts = match unless_asked(asked, self.parts(place, keep)).await? {
            Ok(parts) => parts,
            Err(error) => {
                self.note_unkept(place, &error.to_string()).await;
                return Ok(Looked::Unusable);
            }
        };
        let key = Key::of(&parts);
        let found = if self.force { None } else { self.put_back(place, keep, &key).await? };
        let Some(record) = found else { return Ok(Looked::Missing(Missing { keep, parts, turn })) };
        self.mind_inputs(place, keep, &parts).await;
        self.keys[place].send_replace(Some(record.stand_in()));
        let saved = Some(Duration::from_millis(record.duration_ms));
        Ok(Looked::There(Ending { saved, ..Ending::default() }))
    }

    /// All that the result depends on, as it is now.
    pub(super) async fn parts(&self, place: usize, keep: &Keep) -> io::Result<Parts> {
        let mut parts = keep.parts.clone();
        let names = self.jobs[place].needs.iter().map(|(name, _)| key_part(name));
        let keys = self.keys_before(place).ok_or_else(|| io::Error::other(UNKNOWN))?;
        parts.extend(names.zip(keys.into_iter().map(|key| key.0)));
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
    pub(super) async fn mind_inputs(&self, place: usize, keep: &Keep, parts: &Parts) {
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

    /// Keeps a result, unless what it was made of is not what it was.
    pub(super) async fn keep(
        &self,
        place: usize,
        keep: &Keep,
        parts: Parts,
        log: &Log,
        took: Duration,
    ) -> std::result::Result<Record, String> {
        let now = self.inputs(place, keep).await.map_err(|error| error.to_string())?;
        let is_input = |name: &str| name.starts_with("input ");
        let before: Parts =
            parts.iter().filter(|(name, _)| is_input(name)).map(|(a, b)| (a.clone(), b.clone())).collect();
        let changes = changes(&before, &now);
        // A folder that was empty is gone from the list when something comes into it, and that tells more.
        if let Some(change) = changes.iter().find(|it| it.change != "removed").or(changes.first()) {
            return Err(format!("{} was {} while it ran", change.part, change.change));
        }
        let (store, keep, before) = (self.store.clone(), keep.clone(), self.stays(place, keep));
        let (folder, log) = (self.jobs[place].folder.clone(), log.bytes().to_vec());
        let kept = tokio::task::spawn_blocking(move || {
            if before.iter().any(|(task, key)| store.last(task).map(|record| record.stand_in()).as_ref() != Some(key)) {
                return Err("a task before it was run anew while it ran".to_owned());
            }
            let share: Share = store.share().map_err(|error| error.to_string())?;
            let made = Made { folder: &folder, outputs: &keep.outputs, parts, log: &log, took };
            let record = store.keep(made, share)?;
            store.set_last(&keep.task, &record).map_err(|error| error.to_string())?;
            store.tidy().map_err(|error| error.to_string())?;
            Ok(record)
        });
        kept.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// The kept results that a task reads, itself or by way of tasks that keep none, and what stands for each: nobody else
    /// may make them anew meanwhile.
    fn stays(&self, place: usize, keep: &Keep) -> Vec<(String, Key)> {
        let mut stays = keep.before.clone();
        let (mut met, mut todo) = (HashSet::new(), vec![place]);
        while let Some(reader) = todo.pop() {
            for (_, need) in self.jobs[reader].needs.iter().filter(|(_, need)| met.insert(*need)) {
                match (&self.jobs[*need].keep, self.keys[*need].borrow().clone()) {
                    (Some(kept), Some(key)) => stays.push((kept.task.clone(), key)),
                    (Some(_), None) => {}
                    (None, _) => todo.push(*need),
                }
            }
        }
        stays
    }
}
