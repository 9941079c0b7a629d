//! What everybody else may do with an engine: look, and ask.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Board, Mirror, MirrorRequest, Waiting};
use crate::effects::feed::Feed;
use crate::effects::pods::Inbox;
use crate::effects::terminal::{Attached, Size};
use crate::launcher::Account;
use crate::manifest::Request;
use crate::model::Signal;
use crate::plan::Selection;
use crate::resilience::{Course, Limits};
use crate::route::history::{Change, Dtabs, Record, Refused};
use crate::route::{Routes, Table};
use crate::telemetry::logs::Ends;
use crate::telemetry::requests::Requests;
use crate::view::{self, Explanation, Graph, Shift, Try};

/// A share of a running engine.
#[derive(Debug, Clone)]
pub struct Handle {
    pub asks: mpsc::UnboundedSender<Ask>,
    pub board: Board,
    pub requests: Requests,
    pub ends: Ends,
    pub table: watch::Receiver<Arc<Table>>,
    /// The routes in force.
    pub routes: watch::Receiver<Arc<Routes>>,
    /// What they are made of, with versions and authors.
    pub dtabs: watch::Receiver<Arc<Dtabs>>,
    /// Shifts between versions, the last one of each service.
    pub shifts: watch::Receiver<Vec<Shift>>,
    /// Which requests are copied.
    pub mirrors: watch::Receiver<Arc<Vec<Mirror>>>,
    /// Pods that come and go.
    pub pods: Inbox,
    /// How many look at CPU and memory; while nobody does, nothing is sampled.
    pub watchers: watch::Sender<usize>,
    /// Becomes true when the engine is about to end.
    pub ending: watch::Receiver<bool>,
}

/// Somebody who types.
#[derive(Debug)]
pub enum Attachment {
    Terminal(Attached),
    Feed(Feed),
}

/// What can be asked of the loop.
#[derive(Debug)]
pub enum Ask {
    Up(UpRequest, oneshot::Sender<Result<Upped, Problem>>),
    Start(Vec<String>, oneshot::Sender<Result<(), Problem>>),
    Stop(Vec<String>, oneshot::Sender<Result<(), Problem>>),
    /// New instances; `recreate` has the old ones gone before, also where both could be there at once.
    Restart {
        services: Vec<String>,
        recreate: bool,
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Send a signal to services, or to all; the answer are the names of those that it was for.
    Kill {
        services: Vec<String>,
        signal: Signal,
        reply: oneshot::Sender<Result<Vec<String>, Problem>>,
    },
    /// Have so many instances of these.
    Scale(Scale, oneshot::Sender<Result<Scaled, Problem>>),
    /// Make the place in which a task runs, and keep it until its process is asked to end.
    Hold(String, oneshot::Sender<Result<(), Problem>>),
    /// Look at the terminal of an instance, and type; or only type.
    Attach {
        service: String,
        instance: u32,
        size: Option<Size>,
        reply: oneshot::Sender<Result<Attachment, Problem>>,
    },
    Why(String, oneshot::Sender<Result<Explanation, Problem>>),
    /// Who calls whom by the manifest.
    Graph(oneshot::Sender<Result<Graph, Problem>>),
    Env(String, oneshot::Sender<Result<Environment, Problem>>),
    /// Change routes. Those that are in force are published before the answer.
    Route(Change, Waiting),
    /// All changes of a dtab, the first one first; `None` is the workspace's own.
    History(Option<String>, oneshot::Sender<Result<Vec<Record>, Problem>>),
    /// A request arrived for a service that is idle.
    Wake(Arc<str>),
    /// Boot another version beside a service; the answer comes when it is being started.
    Try(TryRequest, oneshot::Sender<Result<Try, Problem>>),
    /// The versions that are tried.
    Tries(oneshot::Sender<Result<Vec<Try>, Problem>>),
    /// Shift requests to a version over time; the answer comes when that has begun.
    Shift(ShiftRequest, oneshot::Sender<Result<Shift, Problem>>),
    /// Send all requests to a service to its other versions again.
    AbortShift(String, oneshot::Sender<Result<(), Problem>>),
    /// Copy the requests to a service.
    Mirror(MirrorRequest, oneshot::Sender<Result<view::Mirror, Problem>>),
    /// Copy them no more; the answer is what that came to.
    EndMirror(String, oneshot::Sender<Result<view::Mirror, Problem>>),
    /// The answer comes when nothing of it is left.
    EndTry(EndTry, oneshot::Sender<Result<(), Problem>>),
    /// Stop everything, then end. A second time: at once.
    Down {
        force: bool,
    },
}

/// How many instances of services there are to be, by name; `None` for what the manifest says.
pub type Scale = BTreeMap<String, Option<u32>>;

/// What `up` asks of a running engine; by default, everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UpRequest {
    /// Where to read the manifest again; the engine's own where not given.
    pub load: Option<Request>,
    pub selection: Selection,
    /// Have so many instances of these, whatever the manifest says.
    #[serde(default)]
    pub scale: Scale,
    /// The remote at which all those are that are not named.
    #[serde(default)]
    pub rest: Option<String>,
    /// Who is written down where routes change by it.
    #[serde(default)]
    pub who: String,
    /// Leave every service with ports idle until it is called.
    pub lazy: bool,
    /// Draw problems of the manifest in colour.
    pub color: bool,
}

/// What became of an `up`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upped {
    /// The services that it was about, needed ones included.
    pub services: Vec<String>,
    /// Notices about the manifest, rendered.
    pub notices: Vec<String>,
    /// The number of the first event that came of it.
    pub events_from: u64,
}

/// A version to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryRequest {
    pub service: String,
    pub source: Source,
    /// What the version is called; after its source where that is left open.
    pub version: Option<String>,
}

/// Where the files of a version are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A folder, absolute.
    Folder(PathBuf),
    /// A branch, or whatever else git knows a commit by.
    Branch(String),
}

/// A shift of requests to a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShiftRequest {
    pub service: String,
    /// The version, as a service.
    pub to: String,
    /// Its `from` is whatever share the version has.
    pub course: Course,
    pub limits: Limits,
    /// In whose name the routes change: `me (shift users to users-v2)`.
    pub who: String,
}

/// The end of a version that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndTry {
    /// As a service: `users-fix`.
    pub name: String,
    /// Lose what is nowhere but in its worktree.
    #[serde(default)]
    pub force: bool,
    /// In whose name the routes change that led there.
    #[serde(default)]
    pub who: String,
}

/// What became of numbers that were asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scaled {
    /// What else follows from them.
    pub notices: Vec<String>,
}

/// The environment in which a service runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Environment {
    pub folder: PathBuf,
    pub variables: BTreeMap<String, String>,
    /// Those of them that it has whatever the shell has.
    pub own: BTreeMap<String, String>,
    pub pod: InPod,
    /// Whoever runs it, where that is another account than the engine's.
    pub account: Option<Account>,
}

/// Whether a service runs in a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InPod {
    No,
    /// It would, but it does not run.
    Absent,
    /// Pid 1 of the pod, as the host counts.
    Pid(u32),
    /// It is this container.
    Container(String),
}

/// Why an ask was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Problem {
    #[error("there is no service `{name}`")]
    UnknownService { name: String, hint: Option<String> },
    /// Only a process could do what is asked.
    #[error("{name} lives elsewhere, at {at}: nothing of it runs here")]
    Elsewhere { name: String, at: String },
    #[error("{service} wants `network: {mode}`, and that mode is not possible here: {reason}")]
    NoMode { service: String, mode: String, reason: String },
    /// There is nothing to attach to.
    #[error("{message}")]
    NoTerminal { message: String, hint: String },
    /// A number of instances that a service cannot have.
    #[error("{message}")]
    Scale { message: String, hint: String },
    #[error("there is no remote `{name}`")]
    UnknownRemote { name: String, hint: String },
    /// A service that cannot be looked for elsewhere as asked.
    #[error("{message}")]
    Remote { message: String, hint: String },
    /// A service is to have the front door's number, which is settled when an engine starts.
    #[error("{message}")]
    FrontDoor { message: String, hint: String },
    /// The name is that of folders, sockets and addresses, which are settled when an engine starts.
    #[error(
        "the manifest calls the workspace `{name}` now, and it runs as `{known}`: another name needs another engine"
    )]
    Renamed { known: String, name: String },
    #[error("there is no profile `{name}`")]
    UnknownProfile { name: String, hint: Option<String> },
    #[error("{message}")]
    Nothing { message: String },
    /// A version cannot be tried, or not be ended.
    #[error("{message}")]
    Try { message: String, hint: Option<String> },
    /// Versions cannot be compared, for all of these reasons.
    #[error("{}", .flaws.iter().map(|it| it.message.as_str()).collect::<Vec<_>>().join("\n  "))]
    Matrix { flaws: Vec<Flaw> },
    /// The manifest cannot be used; its problems are drawn, and told in a line each with their places.
    #[error("the manifest has {}", counted(*.errors))]
    Manifest {
        rendered: String,
        errors: usize,
        #[serde(default)]
        brief: Vec<String>,
    },
    /// A change of routes that was not made.
    #[error(transparent)]
    Routes(Refused),
    #[error("the engine is shutting down")]
    Ending,
}

/// One of several things that are wrong with what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    pub message: String,
    pub hint: Option<String>,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Routes(refused)
    }
}

impl Handle {
    /// Asks the loop and waits for its answer; an engine that is going says so.
    pub async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<Result<T, Problem>>) -> Ask) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        let _ = self.asks.send(ask(reply));
        answer.await.unwrap_or(Err(Problem::Ending))
    }
}

fn counted(errors: usize) -> String {
    if errors == 1 { "a problem".to_owned() } else { format!("{errors} problems") }
}
