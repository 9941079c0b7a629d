//! Versions that are tried, from the asking to the removal of what they left.

mod ending;
mod words;

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use words::{led_nowhere, stays};

use super::Engine;
use crate::effects::places::Home;
use crate::effects::tries::{self, Try};
use crate::effects::worktree::{Kept, Worktree};
use crate::model::{NetworkMode, Service, Tried, Workspace};
use crate::plan::{Matrix, combined};
use crate::runtime::matrix::Laid;
use crate::runtime::tries::{Files, files, foreign, named, refused, tried};
use crate::runtime::{EndTry, Problem, Source, TryRequest};
use crate::view;

type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// All versions that are tried, and what is under way for them.
#[derive(Debug)]
pub(super) struct Tries {
    list: Vec<Entry>,
    jobs: JoinSet<Done>,
    /// The versions that are compared, where that is what the engine is for.
    matrix: Option<Matrix>,
}

#[derive(Debug)]
struct Entry {
    it: Try,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its files are looked for, or made.
    Making,
    /// It is a service of the workspace.
    Tried,
    /// Its service is stopping; then its worktree is removed.
    Leaving { force: bool, unrouted: Option<Problem>, reply: Reply<()> },
    /// Its worktree is being removed.
    Removing,
    /// Only its worktree is left.
    Kept,
    /// It is a worktree of versions that are compared, and stays as long as the engine.
    Lent,
}

/// What a job has brought.
#[derive(Debug)]
pub(super) enum Done {
    Prepared(String, Reply<view::Try>, Result<Files, Problem>),
    /// There are files and still no service of them.
    Refused(String, Reply<view::Try>, Problem),
    Looked(EndTry, Reply<()>, Result<(), Kept>),
    /// The routes lead there no more, or could not be changed.
    Rerouted(EndTry, Reply<()>, Option<Problem>),
    /// What it left was removed; and what was wrong with the routes that led there.
    Removed(String, Reply<()>, Result<(), Kept>, Option<Problem>),
    /// What an earlier engine left was looked at; this is kept.
    Cleared(Vec<Try>),
    CalledOff,
}

impl Tries {
    /// Goes on with what an earlier engine that was killed left: the versions whose files are there, and worktrees of
    /// which nothing runs any more.
    pub fn new(home: &Home) -> Self {
        let (tried, left): (Vec<_>, Vec<_>) = tries::read(&home.tries()).into_iter().partition(Try::is_whole);
        let mut jobs = JoinSet::new();
        if !left.is_empty() {
            let (home, left) = (home.clone(), left.clone());
            jobs.spawn(async move { Done::Cleared(tries::clear(&home, left).await) });
        }
        let tried = tried.into_iter().map(|it| Entry { it, stage: Stage::Tried });
        let left = left.into_iter().map(|it| Entry { it, stage: Stage::Removing });
        Self { list: tried.chain(left).collect(), jobs, matrix: None }
    }

    /// Nothing is tried but what is compared, whose worktrees are removed in the end.
    pub fn comparing(laid: Laid) -> Self {
        let list = laid.worktrees.into_iter().map(|it| Entry { it, stage: Stage::Lent }).collect();
        Self { list, jobs: JoinSet::new(), matrix: Some(laid.matrix) }
    }

    /// What a job has brought; `None` where none is under way.
    pub async fn done(&mut self) -> Option<Done> {
        self.jobs.join_next().await.map(|done| done.unwrap_or(Done::CalledOff))
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Calls everything off that is under way.
    pub fn call_off(&mut self) {
        self.jobs.abort_all();
    }

    /// Clears up behind them.
    pub async fn end(self, home: &Home) {
        tries::clear(home, self.list.into_iter().map(|entry| entry.it).collect()).await;
    }

    /// Those that are services of the workspace.
    pub fn tried(&self) -> Vec<Tried> {
        let is_tried = |entry: &&Entry| matches!(entry.stage, Stage::Tried);
        self.list.iter().filter(is_tried).filter_map(|entry| tried(&entry.it)).collect()
    }

    /// Whether a service is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.list.iter().any(|entry| entry.it.name == name && matches!(entry.stage, Stage::Tried))
    }

    fn get(&mut self, name: &str) -> Option<&mut Entry> {
        self.list.iter_mut().find(|entry| entry.it.name == name)
    }

    fn drop(&mut self, name: &str) {
        self.list.retain(|entry| entry.it.name != name);
    }

    fn write(&self, home: &Home) -> Result<(), Problem> {
        let list: Vec<&Try> = self.list.iter().map(|entry| &entry.it).collect();
        tries::write(home, &list)
            .map_err(|error| refused(format!("{} cannot be written: {error}", home.tries().display()), None))
    }
}

impl Engine {
    /// The workspace of a manifest with all that is tried or compared, and why some of that is left out.
    pub(super) fn with_tries(&self, manifest: &Workspace) -> (Workspace, Vec<String>) {
        let (workspace, left_out) = manifest.trying(&self.tries.tried());
        let workspace = self.tries.matrix.as_ref().map(|matrix| combined(&workspace, matrix)).unwrap_or(workspace);
        (workspace, left_out.iter().map(ToString::to_string).collect())
    }

    /// Starts what an earlier engine tried. One that cannot be started says so itself.
    pub(super) fn go_on_trying(&mut self) {
        let names: Vec<String> = self.tries.tried().iter().map(|it| it.name.to_string()).collect();
        for name in names {
            let _ = self.start(&[name]);
        }
    }

    /// Begins with a version; the rest comes as [`Done::Prepared`].
    pub(super) fn begin_try(&mut self, request: TryRequest, reply: Reply<view::Try>) {
        let (service, it) = match self.to_try(&request) {
            Ok(found) => found,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        let name = it.name.clone();
        self.tries.list.push(Entry { it, stage: Stage::Making });
        // First this: whoever comes after a crash must know of what is made now.
        if let Err(problem) = self.tries.write(&self.setup.home) {
            self.tries.drop(&name);
            return drop(reply.send(Err(problem)));
        }
        let path = self.setup.home.worktrees().join(&name);
        let foreign = foreign(&self.manifest, &service);
        self.tries.jobs.spawn(async move {
            let result = files((service, foreign), request.source, path).await;
            Done::Prepared(name, reply, result)
        });
    }

    fn to_try(&self, request: &TryRequest) -> Result<(Service, Try), Problem> {
        let (service, version, name) = named(&self.manifest, request)?;
        let name = name.to_string();
        if let Some(entry) = self.tries.list.iter().find(|entry| entry.it.name == name) {
            let folder = entry.it.folder.display();
            return Err(match &entry.it.kept {
                Some(why) => refused(
                    format!("the worktree of an earlier {name} is kept at {folder}: {why}"),
                    Some(format!("`nagaya try --end {name} --force` drops it; `--name` takes another name")),
                ),
                None => refused(
                    format!("{name} is tried already, from {folder}"),
                    Some(format!("`nagaya try --end {name}` ends it; `--name` gives the new one another name")),
                ),
            });
        }
        let mode = self.workspace.network_of(&service, self.setup.network);
        if let Some(number) = service.listen.iter().flatten().next().filter(|_| mode != NetworkMode::Pod) {
            let message =
                format!("{} insists on port {number} of this machine, which only one version can have", service.name);
            let hint = "in a pod each has its own ports; or leave out `listen`, and have it take its port from `PORT`";
            return Err(refused(message, Some(hint.to_owned())));
        }
        let worktree = match &request.source {
            Source::Folder(_) => None,
            Source::Branch(branch) => Some(Worktree {
                repository: service.working_dir.clone(),
                path: self.setup.home.worktrees().join(&name),
                branch: branch.clone(),
                commit: String::new(),
            }),
        };
        let folder = match &request.source {
            Source::Folder(folder) => folder.clone(),
            Source::Branch(_) => self.setup.home.worktrees().join(&name),
        };
        let (stands_for, making) = (service.working_dir.clone(), worktree.is_some());
        let it =
            Try { service: service.name.to_string(), version, name, stands_for, folder, worktree, making, kept: None };
        Ok((service, it))
    }

    /// Ends a version, unless something would be lost; first it is looked at what.
    pub(super) fn end_try(&mut self, ask: EndTry, reply: Reply<()>) {
        let Some(entry) = self.tries.get(&ask.name) else {
            let known: Vec<&str> = self.tries.list.iter().map(|entry| entry.it.name.as_str()).collect();
            let hint = match known.as_slice() {
                [] => "nothing is tried now".to_owned(),
                known => format!("what is tried: {}", known.join(", ")),
            };
            let message = format!("no version called `{}` is tried", ask.name);
            return drop(reply.send(Err(refused(message, Some(hint)))));
        };
        match entry.stage {
            Stage::Making | Stage::Removing | Stage::Leaving { .. } => {
                let message = format!("{} is being started or ended", ask.name);
                drop(reply.send(Err(refused(message, Some("wait a moment, then call again".to_owned())))));
            }
            Stage::Lent => {
                let message = format!("{} is a worktree of the versions that are compared", ask.name);
                drop(reply.send(Err(refused(message, Some("it is removed when that has ended".to_owned())))));
            }
            Stage::Tried | Stage::Kept => {
                let worktree = entry.it.worktree.clone().filter(|_| !ask.force);
                self.tries.jobs.spawn(async move {
                    let result = match worktree {
                        Some(worktree) => worktree.losses().await,
                        None => Ok(()),
                    };
                    Done::Looked(ask, reply, result)
                });
            }
        }
    }

    pub(super) fn take_done(&mut self, done: Done) {
        match done {
            Done::Prepared(name, reply, Ok(files)) => match self.boot(&name, files) {
                Err(problem) if problem != Problem::Ending => self.refuse(name, reply, problem),
                booted => drop(reply.send(booted)),
            },
            Done::Prepared(name, reply, Err(problem)) | Done::Refused(name, reply, problem) => {
                self.forget(&name);
                let _ = reply.send(Err(problem));
            }
            Done::CalledOff => {}
            Done::Looked(ask, reply, Ok(())) => self.leave(ask, reply),
            Done::Looked(ask, reply, Err(why)) => {
                let runs = self.tries.tried().iter().any(|it| it.name.to_string() == ask.name);
                drop(reply.send(Err(stays(&ask.name, &why, if runs { "goes on running" } else { "has ended" }))));
            }
            Done::Rerouted(ask, reply, unrouted) => self.part(ask, reply, unrouted),
            Done::Removed(name, reply, Ok(()), unrouted) => {
                self.forget(&name);
                let result = unrouted.map_or(Ok(()), |why| Err(led_nowhere(&name, &why)));
                let _ = reply.send(result);
            }
            Done::Removed(name, reply, Err(why), _) => {
                if let Some(entry) = self.tries.get(&name) {
                    entry.it.kept = Some(why.to_string());
                    entry.stage = Stage::Kept;
                }
                let _ = self.tries.write(&self.setup.home);
                let _ = reply.send(Err(stays(&name, &why, "has ended")));
            }
            Done::Cleared(kept) => {
                let is_old = |entry: &Entry| matches!(entry.stage, Stage::Removing);
                self.tries.list.retain(|entry| !is_old(entry));
                self.tries.list.extend(kept.into_iter().map(|it| Entry { it, stage: Stage::Kept }));
                let _ = self.tries.write(&self.setup.home);
            }
        }
    }

    /// Makes a service of a version whose files are there, and starts it.
    fn boot(&mut self, name: &str, files: Files) -> Result<view::Try, Problem> {
        let Some(entry) = self.tries.get(name) else { return Err(Problem::Ending) };
        let Files { stands_for, folder, worktree } = files;
        entry.it = Try { stands_for, folder, worktree, making: false, ..entry.it.clone() };
        entry.stage = Stage::Tried;
        self.tries.write(&self.setup.home)?;
        // The end of the engine clears up behind it.
        if *self.ending.borrow() {
            return Err(Problem::Ending);
        }
        let booted = self.replan_tries().and_then(|left_out| match left_out {
            Some(why) => Err(refused(why, None)),
            None => self.start(&[name.to_owned()]),
        });
        booted?;
        self.shown_tries().into_iter().find(|it| it.name == name).ok_or(Problem::Ending)
    }

    /// Takes back what was made for a version that cannot be a service.
    fn refuse(&mut self, name: String, reply: Reply<view::Try>, problem: Problem) {
        let _ = self.replan_without(&name);
        let worktree = self.tries.get(&name).and_then(|entry| entry.it.worktree.clone());
        self.tries.jobs.spawn(async move {
            if let Some(worktree) = worktree {
                let _ = worktree.remove(true).await;
            }
            Done::Refused(name, reply, problem)
        });
    }

    /// A new plan with what is tried now; why the last of it is no part of it, where that is so.
    fn replan_tries(&mut self) -> Result<Option<String>, Problem> {
        let manifest = Arc::clone(&self.manifest);
        let (workspace, mut left_out) = self.with_tries(&manifest);
        self.replan(&workspace)?;
        Ok(left_out.pop())
    }

    fn replan_without(&mut self, name: &str) -> Result<(), Problem> {
        if let Some(entry) = self.tries.get(name) {
            entry.stage = Stage::Removing;
        }
        self.replan_tries().map(|_| ())
    }

    /// Nothing of it is left.
    fn forget(&mut self, name: &str) {
        self.tries.drop(name);
        let _ = self.tries.write(&self.setup.home);
    }
}
