//! The engine's routes for its clients: what they are, how they are changed, what names lead to.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::names::{Names, with_hosts};
use super::server::{Answer, Shared};
use crate::dtab::{Dtab, Limits, Path, SyntaxError};
use crate::route::history::{Action, Author, Change, Current, Record, Refused};
use crate::route::{Callable, Upstream};
use crate::runtime::{Ask, Handle, Problem};
use crate::view::routes::{Entry, Explained, Routes, entries};
use crate::view::rules::{Asked, OfName};
use crate::view::{self, DelegateTree, Naming};

/// The longest text that is read: a table of a hundred thousand entries.
pub const LONGEST: usize = 8 << 20;
/// Names and branches that are followed for each name of a list, which is about all of them.
const LIST_WORK: usize = 500;
/// Steps of names that are looked at for a list, which is a second's work.
const LIST_STEPS: usize = 300_000;
/// Bytes of address space for explaining, of which only what is used becomes memory.
const DEEP_STACK: usize = 64 << 20;

/// A table that is to be in force.
#[derive(Debug, Serialize, Deserialize)]
pub struct Put {
    pub dtab: String,
    /// Only where this version is in force now.
    pub if_version: Option<u64>,
    pub who: String,
}

/// A name, and more entries behind the routes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explain {
    pub path: String,
    pub dtab: String,
    /// The request whose name it is, for the rules.
    #[serde(default)]
    pub request: Option<Asked>,
    /// Whether the tree is wanted beside the story.
    #[serde(default)]
    pub tree: bool,
}

/// The paths of all this.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/v1/routes", get(routes).put(put))
        .route("/v1/routes/entries", get(list))
        .route("/v1/routes/history", get(history))
        .route("/v1/routes/explain", post(explain))
        .layer(DefaultBodyLimit::max(LONGEST))
}

/// The status of a change that is not made.
pub fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Changed { .. } => StatusCode::PRECONDITION_FAILED,
        Refused::Missing { .. } => StatusCode::NOT_FOUND,
        Refused::Exists { .. } => StatusCode::CONFLICT,
        Refused::Malformed { .. } => StatusCode::BAD_REQUEST,
        Refused::NotKept { .. } => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// A change, when it is in force and written down.
pub async fn change(handle: &Handle, change: Change) -> Result<Current, Problem> {
    handle.ask(|waiting| Ask::Route(change, waiting)).await
}

fn shown(handle: &Handle, current: &Current) -> Routes {
    Routes {
        version: current.version,
        time: current.time.clone(),
        who: current.who.clone(),
        dtab: current.dtab.as_ref().map(ToString::to_string).unwrap_or_default(),
        all: handle.routes.borrow().table.dtab().to_string(),
        any_name: !handle.table.borrow().identifiers.is_empty(),
    }
}

fn malformed(what: &str, error: &SyntaxError) -> Problem {
    Refused::Malformed { message: format!("{what}: {error}") }.into()
}

async fn routes(State(shared): State<Shared>) -> Json<Routes> {
    let own = shared.handle.dtabs.borrow().own();
    Json(shown(&shared.handle, &own))
}

async fn put(State(shared): State<Shared>, Json(put): Json<Put>) -> Answer<Routes> {
    let dtab: Dtab = put.dtab.parse().map_err(|error| malformed("the dtab", &error))?;
    let action = Action::Put { dtab, if_version: put.if_version };
    let asked = Change { namespace: None, who: Author::new(&put.who), action };
    let current = change(&shared.handle, asked).await?;
    Ok(Json(shown(&shared.handle, &current)))
}

async fn history(State(shared): State<Shared>) -> Answer<Vec<Record>> {
    shared.handle.ask(|reply| Ask::History(None, reply)).await.map(Json)
}

/// Off the loop: a large table is walked once for each name, and what is found is long. One at a time, as each takes a
/// processor.
async fn list(State(shared): State<Shared>) -> Answer<Box<RawValue>> {
    let turn = shared.lists.clone().acquire_owned().await;
    let names = Names::of_workspace(&shared.handle, Dtab::default());
    let table = shared.handle.table.borrow().clone();
    let listed = tokio::task::spawn_blocking(move || {
        let services: Vec<&str> = table.upstreams.iter().map(|upstream| &*upstream.name).collect();
        let mut interpreter = names.interpreter();
        interpreter.limits = Limits { work: LIST_WORK, ..interpreter.limits };
        let listed: Vec<Entry> =
            entries(&interpreter, names.built_in(), &services, &table.rules, (LIST_STEPS, &has_port));
        drop(turn);
        serde_json::value::to_raw_value(&listed).map_err(|error| unwritten(&error))
    });
    listed.await.map_err(|_| Problem::Ending).flatten().map(Json)
}

/// Whether somebody can be called at all.
fn has_port(upstream: &Arc<Upstream>) -> bool {
    !upstream.ports.is_empty()
}

fn unwritten(error: &serde_json::Error) -> Problem {
    Problem::Nothing { message: format!("the answer cannot be written: {error}") }
}

/// Off the loop, as what a hostile table leads to is long: some ten thousand names, each with the way to it.
async fn explain(State(shared): State<Shared>, Json(asked): Json<Explain>) -> Answer<Explained> {
    let path: Path = asked.path.parse().map_err(|error| malformed("the path", &error))?;
    let local: Dtab = asked.dtab.parse().map_err(|error| malformed("the dtab", &error))?;
    let table = shared.handle.table.borrow().clone();
    let service = |host: &str| table.named_by_host(host).map(str::to_owned);
    let Naming { name: path, told: named } = Naming::new(&table.identifiers, &path, asked.request.as_ref(), service);
    let OfName { entries, told } = OfName::new(&table.rules, &path, asked.request.as_ref());
    let names = Names::of_workspace(&shared.handle, local).ruled(entries);
    let (on_loop, services) = (tokio::runtime::Handle::current(), Callable(table.clone()));
    let explained = deep(move || {
        let trace = names.interpreter().delegate(&path);
        let tree = || on_loop.block_on(with_hosts(|hosts| DelegateTree::new(&trace, &|place| hosts.addr(place))));
        let tree = asked.tree.then(tree);
        let story = view::story(&trace, &|name| services.absent(name));
        Explained::new(named + &told + &story, tree.as_ref(), &trace).map_err(|error| unwritten(&error))
    });
    explained.await?.map(Json)
}

/// What a thread of its own comes to that has room for trees as deep as the limits of work allow: others' stacks would
/// overflow, and the engine end with them.
async fn deep<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let (done, result) = tokio::sync::oneshot::channel();
    let spawned = std::thread::Builder::new().name("explain".into()).stack_size(DEEP_STACK).spawn(move || {
        let _ = done.send(work());
    });
    spawned.map_err(|error| Problem::Nothing { message: format!("no thread can be started: {error}") })?;
    result.await.map_err(|_| Problem::Ending)
}
