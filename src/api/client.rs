//! The asking end.

mod events;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::attach::{Attach, Drawn, FEED, Keys, PROTOCOL, halves};
use super::concern::Concern;
use super::remotes::Switched;
use super::routes::{Explain, Put};
use super::server::{Happened, Identity};
use super::shifts::Of;
use crate::route::history::Record;
use crate::runtime::{
    EndTry, Environment, MirrorRequest, Problem, Scale, Scaled, ShiftRequest, TryRequest, UpRequest, Upped,
};
use crate::view::routes::{Entry, Explained, Routes};
use crate::view::{Explanation, Graph, Mirror, Remote, Request as RequestView, Service, Shift, Try};
pub use events::Events;

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    most: Duration,
    /// It should come at once: silence is told of before the engine is given up.
    tells_of_silence: bool,
}

impl Patience {
    /// The engine answers everything at once, and tells of what takes long by streams.
    const SHORT: Self = Self { most: Duration::from_secs(10), tells_of_silence: true };
    /// What is large, or written down, may take longer where the machine is busy.
    const LONG: Self = Self { most: Duration::from_secs(60), tells_of_silence: false };
    /// As long as others take: git, or a service that stops.
    const ENDLESS: Self = Self { most: Duration::MAX, tells_of_silence: false };
}

/// An engine that has said nothing for so long is worth a word.
const SILENCE: Duration = Duration::from_millis(1500);

/// Asks one engine.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    concern: Option<Concern>,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody is at the socket.
    #[error("no engine answers at {path}: {error}", path = .0.display(), error = .1)]
    NoEngine(PathBuf, io::Error),
    #[error("the engine does not answer: it hangs, or was stopped by a signal")]
    Silent,
    #[error("the engine broke off: {0}")]
    Broken(String),
    /// A change may have been made or not.
    #[error("the engine gave no answer, so it is not known whether the routes were changed")]
    Unknown,
    #[error(transparent)]
    Refused(Problem),
    /// It answers, but not as this version of nagaya does.
    #[error("the engine does not understand this: HTTP {0}")]
    Strange(StatusCode),
}

impl Client {
    /// A client of the engine at a socket.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), concern: None }
    }

    /// The same; an engine that does not answer is told of before it is given up.
    pub fn telling(self, concern: Concern) -> Self {
        Self { concern: Some(concern), ..self }
    }

    /// Who the engine is.
    pub async fn identity(&self) -> Result<Identity, CallError> {
        self.get("/v1/engine").await
    }

    /// All services.
    pub async fn services(&self) -> Result<Vec<Service>, CallError> {
        self.get("/v1/services").await
    }

    /// What users should know whenever they look.
    pub async fn notices(&self) -> Result<Vec<String>, CallError> {
        self.get("/v1/notices").await
    }

    /// Why a service is not ready.
    pub async fn why(&self, service: &str) -> Result<Explanation, CallError> {
        self.get(&format!("/v1/services/{}/why", segment(service))).await
    }

    /// The variables and folder of a service.
    pub async fn env(&self, service: &str) -> Result<Environment, CallError> {
        self.get(&format!("/v1/services/{}/env", segment(service))).await
    }

    /// The routes in force.
    pub async fn routes(&self) -> Result<Routes, CallError> {
        self.get("/v1/routes").await
    }

    /// Puts others in their place. Where no answer came, the routes themselves tell whether that was done.
    pub async fn put_routes(&self, put: &Put) -> Result<Routes, CallError> {
        match self.send_within(Patience::LONG, Method::PUT, "/v1/routes", put).await {
            Err(CallError::Silent | CallError::Broken(_)) => match self.routes().await {
                Ok(now) if now.dtab == put.dtab && now.who == put.who => Ok(now),
                _ => Err(CallError::Unknown),
            },
            answered => answered,
        }
    }

    /// All changes of the routes, the first one first.
    pub async fn routes_history(&self) -> Result<Vec<Record>, CallError> {
        let asked = self.ask(Method::GET, "/v1/routes/history", Bytes::new());
        read(self.within(Patience::LONG, asked).await?).await
    }

    /// The entries of the routes, and what becomes of them.
    pub async fn route_entries(&self) -> Result<Vec<Entry>, CallError> {
        let asked = self.ask(Method::GET, "/v1/routes/entries", Bytes::new());
        read(self.within(Patience::LONG, asked).await?).await
    }

    /// How a name leads where it does.
    pub async fn explain(&self, asked: &Explain) -> Result<Explained, CallError> {
        self.send_within(Patience::LONG, Method::POST, "/v1/routes/explain", asked).await
    }

    /// The last requests.
    pub async fn requests(&self) -> Result<Vec<RequestView>, CallError> {
        self.get("/v1/requests").await
    }

    /// Who calls whom by the manifest.
    pub async fn graph(&self) -> Result<Graph, CallError> {
        self.get("/v1/graph").await
    }

    /// What happened from event number `from` on.
    pub async fn happened(&self, from: u64) -> Result<Happened, CallError> {
        self.get(&format!("/v1/events?from={from}")).await
    }

    /// Has services running.
    pub async fn up(&self, request: &UpRequest) -> Result<Upped, CallError> {
        self.post("/v1/up", request).await
    }

    /// New instances of services; `recreate` has the old ones gone before.
    pub async fn restart(&self, services: &[String], recreate: bool) -> Result<(), CallError> {
        let asked = serde_json::json!({ "services": services, "recreate": recreate });
        self.post("/v1/services/restart", &asked).await
    }

    /// `start`, `stop` or `restart` of services.
    pub async fn control(&self, verb: &str, services: &[String]) -> Result<(), CallError> {
        self.post(&format!("/v1/services/{verb}"), &serde_json::json!({ "services": services })).await
    }

    /// Has more or fewer instances of services.
    pub async fn scale(&self, scale: &Scale) -> Result<Scaled, CallError> {
        self.post("/v1/services/scale", &serde_json::json!({ "scale": scale })).await
    }

    /// Makes the place in which a task runs.
    pub async fn hold(&self, task: &str) -> Result<(), CallError> {
        self.post(&format!("/v1/services/{}/hold", segment(task)), &()).await
    }

    /// The versions that are tried.
    pub async fn tries(&self) -> Result<Vec<Try>, CallError> {
        self.get("/v1/tries").await
    }

    /// Has a second copy made of a snapshot, so that it is restored at once; it answers before that is done.
    pub async fn make_ready(&self, snapshot: &str) -> Result<(), CallError> {
        self.post("/v1/snapshots/ready", &serde_json::json!({ "snapshot": snapshot })).await
    }

    /// The mirrors in force.
    pub async fn mirrors(&self) -> Result<Vec<Mirror>, CallError> {
        self.get("/v1/mirrors").await
    }

    /// Has requests copied.
    pub async fn begin_mirror(&self, request: &MirrorRequest) -> Result<Mirror, CallError> {
        self.post("/v1/mirrors", request).await
    }

    /// Has them copied no more.
    pub async fn end_mirror(&self, service: &str) -> Result<Mirror, CallError> {
        self.post("/v1/mirrors/end", &Of { service: service.to_owned() }).await
    }

    /// Shifts between versions.
    pub async fn shifts(&self) -> Result<Vec<Shift>, CallError> {
        self.get("/v1/shifts").await
    }

    /// Begins with a shift.
    pub async fn begin_shift(&self, request: &ShiftRequest) -> Result<Shift, CallError> {
        self.post("/v1/shifts", request).await
    }

    /// Breaks a shift off.
    pub async fn abort_shift(&self, service: &str) -> Result<(), CallError> {
        self.post("/v1/shifts/abort", &Of { service: service.to_owned() }).await
    }

    /// Boots a version; this takes as long as git does.
    pub async fn begin_try(&self, request: &TryRequest) -> Result<Try, CallError> {
        self.send_within(Patience::ENDLESS, Method::POST, "/v1/tries", request).await
    }

    /// Ends a version; this takes as long as its service does, and git.
    pub async fn end_try(&self, ask: &EndTry) -> Result<(), CallError> {
        self.send_within(Patience::ENDLESS, Method::POST, "/v1/tries/end", ask).await
    }

    /// Services that run elsewhere too.
    pub async fn remotes(&self) -> Result<Vec<Remote>, CallError> {
        self.get("/v1/remotes").await
    }

    /// Has services be looked for elsewhere, or here again.
    pub async fn switch(&self, switched: &Switched) -> Result<Vec<Remote>, CallError> {
        self.post("/v1/remotes", switched).await
    }

    /// Stops everything and ends the engine; it answers before it is done.
    pub async fn down(&self, force: bool) -> Result<(), CallError> {
        self.post(&format!("/v1/down?force={force}"), &()).await
    }

    /// Attaches to the terminal of a service, or to its input where that is all it has: then the last is false.
    pub async fn attach(&self, service: &str, asked: Attach) -> Result<(Drawn, Keys, bool), CallError> {
        let size = asked.rows.zip(asked.columns).map(|(rows, columns)| format!("&rows={rows}&columns={columns}"));
        let (name, instance) = (segment(service), asked.instance);
        let path = format!("/v1/services/{name}/attach?instance={instance}{}", size.unwrap_or_default());
        let connecting = async {
            let request = Self::request(Method::POST, &path).header(CONNECTION, "Upgrade").header(UPGRADE, PROTOCOL);
            let request = request.body(Full::default()).map_err(|error| CallError::Broken(error.to_string()))?;
            let response = self.exchange(request).await?;
            match response.status() {
                StatusCode::SWITCHING_PROTOCOLS => {
                    let is_terminal = response.headers().get(UPGRADE).is_none_or(|protocol| protocol != FEED);
                    Ok((hyper::upgrade::on(response).await.map_err(broken)?, is_terminal))
                }
                status => Err(refusal(status, response.into_body()).await),
            }
        };
        let (upgraded, is_terminal) = self.within(Patience::SHORT, connecting).await?;
        let (drawn, keys) = halves(upgraded);
        Ok((drawn, keys, is_terminal))
    }

    /// Word that something has changed of what services and routes are, or that a service has written; and one at once.
    pub async fn stirs(&self, log: Option<&str>) -> Result<Events, CallError> {
        let of = log.map(|service| format!("?log={}", segment(service))).unwrap_or_default();
        self.events(&format!("/v1/stirs{of}")).await
    }

    /// Follows a stream of the engine.
    pub async fn events(&self, path: &str) -> Result<Events, CallError> {
        let response = self.call(Method::GET, path, Bytes::new()).await?;
        Ok(Events::new(response))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let body = self.call(Method::GET, path, Bytes::new()).await?;
        read(body).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, value: &impl Serialize) -> Result<T, CallError> {
        self.send(Method::POST, path, value).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, CallError> {
        self.send_within(Patience::SHORT, method, path, value).await
    }

    async fn send_within<T: DeserializeOwned>(
        &self,
        patience: Patience,
        method: Method,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, CallError> {
        let bytes = serde_json::to_vec(value).map_err(|error| CallError::Broken(error.to_string()))?;
        let asked = self.ask(method, path, bytes.into());
        let body = self.within(patience, asked).await?;
        read(body).await
    }

    /// What is asked, as long as it may take.
    async fn within<T>(
        &self,
        patience: Patience,
        asked: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let answer = tokio::time::timeout(patience.most, asked);
        tokio::pin!(answer);
        if let Some(concern) = self.concern.as_ref().filter(|_| patience.tells_of_silence) {
            match tokio::time::timeout(SILENCE, &mut answer).await {
                Ok(answer) => return answer.unwrap_or(Err(CallError::Silent)),
                Err(_) => concern.tell(),
            }
        }
        answer.await.unwrap_or(Err(CallError::Silent))
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Incoming, CallError> {
        self.within(Patience::SHORT, self.ask(method, path, body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Incoming, CallError> {
        let request = Self::request(method, path).header(CONTENT_TYPE, "application/json").body(Full::new(body));
        let response = self.exchange(request.map_err(|error| CallError::Broken(error.to_string()))?).await?;
        let status = response.status();
        let body = response.into_body();
        if status.is_success() { Ok(body) } else { Err(refusal(status, body).await) }
    }

    fn request(method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(path).header(HOST, "nagaya")
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| CallError::NoEngine(self.socket.clone(), error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await.map_err(broken)
    }
}

async fn refusal(status: StatusCode, body: Incoming) -> CallError {
    read::<Problem>(body).await.map_or(CallError::Strange(status), CallError::Refused)
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, CallError> {
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| CallError::Broken(error.to_string()))
}

fn broken(error: hyper::Error) -> CallError {
    CallError::Broken(error.to_string())
}

/// A text as one segment of a path (RFC 3986, section 2.1).
fn segment(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
