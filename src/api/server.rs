//! The serving end.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as SseEvent, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::effects::clock;
use crate::route::Table;
use crate::runtime::{Ask, EndTry, Handle, Problem, Scale, Scaled, TryRequest, UpRequest};
use crate::telemetry::requests::Record;
use crate::view::{Flow, Graph, Request, Service, Try, WINDOW};

/// What an engine says of itself to its clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    pub id: String,
    pub name: String,
    pub version: String,
    pub pid: u32,
    pub manifest: PathBuf,
    pub host_label: String,
    pub front_door: u16,
    /// Where the services' output is kept.
    pub logs: PathBuf,
    /// RFC 3339, UTC.
    pub started: String,
}

impl Identity {
    /// The workspace's folder in the state.
    pub fn state(&self) -> PathBuf {
        self.logs.parent().map(PathBuf::from).unwrap_or_default()
    }
}

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) handle: Handle,
    pub(super) identity: Arc<Identity>,
    /// The turn to list the entries of the routes.
    pub(super) lists: Arc<Semaphore>,
}

/// Serves until the engine ends.
pub async fn serve(listener: UnixListener, handle: Handle, identity: Identity) {
    let shared = Shared { handle, identity: Arc::new(identity), lists: Arc::new(Semaphore::new(1)) };
    let router = Router::new()
        .route("/v1/engine", get(engine))
        .route("/v1/services", get(services))
        .route("/v1/services/stream", get(stream_services))
        .route("/v1/services/start", post(start))
        .route("/v1/services/stop", post(stop))
        .route("/v1/services/restart", post(restart))
        .route("/v1/services/scale", post(scale))
        .route("/v1/services/{name}/hold", post(hold))
        .route("/v1/services/{name}/why", get(why))
        .route("/v1/services/{name}/env", get(env))
        .route("/v1/services/{name}/attach", post(super::attach::attach))
        .route("/v1/notices", get(notices))
        .route("/v1/events", get(events))
        .route("/v1/events/stream", get(stream_events))
        .route("/v1/requests", get(requests))
        .route("/v1/requests/stream", get(stream_requests))
        .route("/v1/traffic/stream", get(stream_traffic))
        .route("/v1/graph", get(graph))
        .route("/v1/logs/stream", get(stream_logs))
        .route("/v1/tries", get(tries).post(begin_try))
        .route("/v1/tries/end", post(end_try))
        .route("/v1/up", post(up))
        .route("/v1/down", post(down))
        .merge(super::kill::router())
        .merge(super::remotes::router())
        .merge(super::routes::router())
        .merge(super::shifts::router())
        .merge(super::stirs::router())
        .merge(super::mirrors::router())
        .merge(super::snapshots::router())
        .with_state(shared);
    // Cannot fail: a Unix listener gives errors for single connections only, which axum retries.
    let _ = axum::serve(listener, router).await;
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::UnknownService { .. } | Self::UnknownProfile { .. } | Self::UnknownRemote { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::Manifest { .. }
            | Self::Nothing { .. }
            | Self::Elsewhere { .. }
            | Self::Scale { .. }
            | Self::Remote { .. }
            | Self::NoTerminal { .. }
            | Self::NoMode { .. }
            | Self::FrontDoor { .. }
            | Self::Renamed { .. }
            | Self::Try { .. }
            | Self::Matrix { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Routes(refused) => super::routes::status(refused),
            Self::Ending => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

/// The answer of an ask.
pub(super) type Answer<T> = Result<Json<T>, Problem>;

async fn engine(State(shared): State<Shared>) -> Json<Identity> {
    Json((*shared.identity).clone())
}

async fn services(State(shared): State<Shared>) -> Json<Vec<Service>> {
    let now = clock::utc();
    let at = |row: Service| {
        let lost = shared.handle.ends.lost(&row.name);
        row.at(now, lost)
    };
    Json(shared.handle.board.rows().into_iter().map(at).collect())
}

async fn notices(State(shared): State<Shared>) -> Json<Vec<String>> {
    Json(shared.handle.board.notices())
}

#[derive(Deserialize)]
struct Names {
    services: Vec<String>,
}

async fn start(State(shared): State<Shared>, Json(names): Json<Names>) -> Answer<()> {
    shared.handle.ask(|reply| Ask::Start(names.services, reply)).await.map(Json)
}

async fn stop(State(shared): State<Shared>, Json(names): Json<Names>) -> Answer<()> {
    shared.handle.ask(|reply| Ask::Stop(names.services, reply)).await.map(Json)
}

#[derive(Deserialize)]
struct Restart {
    services: Vec<String>,
    #[serde(default)]
    recreate: bool,
}

async fn restart(State(shared): State<Shared>, Json(asked): Json<Restart>) -> Answer<()> {
    let Restart { services, recreate } = asked;
    shared.handle.ask(|reply| Ask::Restart { services, recreate, reply }).await.map(Json)
}

#[derive(Deserialize)]
struct Wanted {
    scale: Scale,
}

async fn scale(State(shared): State<Shared>, Json(wanted): Json<Wanted>) -> Answer<Scaled> {
    shared.handle.ask(|reply| Ask::Scale(wanted.scale, reply)).await.map(Json)
}

async fn hold(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<()> {
    shared.handle.ask(|reply| Ask::Hold(name, reply)).await.map(Json)
}

async fn why(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<crate::view::Explanation> {
    let lost_lines = shared.handle.ends.lost(&name);
    let why = shared.handle.ask(|reply| Ask::Why(name, reply)).await?;
    Ok(Json(crate::view::Explanation { lost_lines, ..why }))
}

async fn env(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<crate::runtime::Environment> {
    shared.handle.ask(|reply| Ask::Env(name, reply)).await.map(Json)
}

async fn up(State(shared): State<Shared>, Json(request): Json<UpRequest>) -> Answer<crate::runtime::Upped> {
    shared.handle.ask(|reply| Ask::Up(request, reply)).await.map(Json)
}

async fn tries(State(shared): State<Shared>) -> Answer<Vec<Try>> {
    shared.handle.ask(Ask::Tries).await.map(Json)
}

async fn begin_try(State(shared): State<Shared>, Json(request): Json<TryRequest>) -> Answer<Try> {
    shared.handle.ask(|reply| Ask::Try(request, reply)).await.map(Json)
}

async fn end_try(State(shared): State<Shared>, Json(ask): Json<EndTry>) -> Answer<()> {
    shared.handle.ask(|reply| Ask::EndTry(ask, reply)).await.map(Json)
}

#[derive(Deserialize)]
struct Force {
    #[serde(default)]
    force: bool,
}

async fn down(State(shared): State<Shared>, Query(force): Query<Force>) -> Json<()> {
    let _ = shared.handle.asks.send(Ask::Down { force: force.force });
    Json(())
}

/// Whether the manifest has a call, as far as the present table knows its ends.
fn is_declared(record: &Record, table: &Table) -> Option<bool> {
    let from = record.from.as_deref()?;
    table.index(&record.to).map(|_| table.is_declared(from, &record.to))
}

/// Requests with what the present table knows of their callers and callees.
fn shown(records: &[Record], handle: &Handle) -> Vec<Request> {
    let table = handle.table.borrow();
    records.iter().map(|record| Request::new(record, is_declared(record, &table))).collect()
}

async fn graph(State(shared): State<Shared>) -> Answer<Graph> {
    shared.handle.ask(Ask::Graph).await.map(Json)
}

async fn requests(State(shared): State<Shared>) -> Json<Vec<Request>> {
    let (records, _) = shared.handle.requests.since(0);
    Json(shown(&records, &shared.handle))
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: u64,
}

#[derive(Deserialize)]
struct Watching {
    /// CPU and memory are wanted too.
    #[serde(default)]
    usage: bool,
}

/// Between two messages of a stream: what happens meanwhile goes into one.
const PAUSE: Duration = Duration::from_millis(15);

/// The pause after so many rows: a message about few is cheap, and somebody may be waiting for it.
fn pause_after(rows: usize) -> Duration {
    PAUSE.min(Duration::from_millis(1) + Duration::from_micros(20) * u32::try_from(rows).unwrap_or(u32::MAX))
}

async fn stream_services(
    State(shared): State<Shared>,
    Query(watching): Query<Watching>,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    let watcher = watching.usage.then(|| Watcher::new(&shared.handle));
    let versions = shared.handle.board.subscribe();
    let state = (shared.handle.board, versions, 0, Duration::ZERO, watcher);
    Sse::new(unfold(state, |(board, mut versions, seen, pause, watcher)| async move {
        if seen > 0 {
            tokio::time::sleep(pause).await;
            versions.wait_for(|version| *version > seen).await.ok()?;
        }
        let changes = board.since(seen);
        let (next, pause) = (changes.version.max(1), pause_after(changes.services.len()));
        Some((message(&changes), (board, versions, next, pause, watcher)))
    }))
}

/// Counts those who look at CPU and memory.
struct Watcher(tokio::sync::watch::Sender<usize>);

impl Watcher {
    fn new(handle: &Handle) -> Self {
        handle.watchers.send_modify(|count| *count += 1);
        Self(handle.watchers.clone())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Events and the number that the next one will have.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Happened {
    pub events: Vec<crate::view::Event>,
    pub next: u64,
}

async fn events(State(shared): State<Shared>, Query(from): Query<From>) -> Json<Happened> {
    let (events, next) = shared.handle.board.events_since(from.from);
    Json(Happened { events, next })
}

async fn stream_events(
    State(shared): State<Shared>,
    Query(from): Query<From>,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    let versions = shared.handle.board.subscribe();
    let state = (shared.handle.board, versions, from.from);
    Sse::new(unfold(state, |(board, mut versions, from)| async move {
        loop {
            versions.mark_unchanged();
            let (events, next) = board.events_since(from);
            if !events.is_empty() {
                return Some((message(&Happened { events, next }), (board, versions, next)));
            }
            versions.changed().await.ok()?;
        }
    }))
}

async fn stream_requests(
    State(shared): State<Shared>,
    Query(from): Query<From>,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    Sse::new(unfold((shared.handle, from.from, None), |(handle, from, paused)| async move {
        if paused.is_some() {
            // Under load one message says much; alone the first one comes at once.
            tokio::time::sleep(PAUSE).await;
        }
        let (records, next) = handle.requests.next(from).await;
        let records = shown(&records, &handle);
        Some((message(&records), (handle, next, Some(()))))
    }))
}

/// Between two messages about how much is called.
const SECOND: Duration = Duration::from_secs(1);

/// How much is called, once a second; when nothing was for the whole window, only when something is again.
async fn stream_traffic(State(shared): State<Shared>) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    Sse::new(unfold((shared.handle, 0, None), |(handle, from, quiet)| async move {
        match quiet {
            Some(quiet) if quiet >= WINDOW => handle.requests.arrival(from).await,
            Some(_) => tokio::time::sleep(SECOND).await,
            None => {}
        }
        let table = handle.table.borrow().clone();
        let now = clock::utc();
        let (flow, next) =
            handle.requests.read(from, |records| Flow::new(records, now, |record| is_declared(record, &table)));
        let quiet = if flow.pieces.is_empty() { quiet.map_or(WINDOW, |quiet| quiet + 1) } else { 0 };
        Some((message(&flow), (handle, next, Some(quiet))))
    }))
}

/// Which services have written; what they wrote is in the files.
async fn stream_logs(State(shared): State<Shared>) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    let versions = shared.handle.ends.subscribe();
    let state = (shared.handle.ends, versions, None);
    Sse::new(unfold(state, |(ends, mut versions, seen)| async move {
        let Some(seen) = seen else {
            // The first message says that from now on nothing is missed.
            let now = *versions.borrow();
            return Some((message(&Vec::<String>::new()), (ends, versions, Some(now))));
        };
        versions.wait_for(|version| *version > seen).await.ok()?;
        tokio::time::sleep(PAUSE).await;
        let now = *versions.borrow();
        let advanced = ends.since(seen);
        Some((message(&advanced), (ends, versions, Some(now))))
    }))
}

pub(super) fn message(value: &impl Serialize) -> Result<SseEvent, Infallible> {
    Ok(SseEvent::default().data(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())))
}
