//! namerd's HTTP API as linkerd 1 served it (`HttpControlService` and its handlers), for `namerctl` and scripts.
//!
//! The namespace `default` is this workspace, and so is one of its name; what is written there is in force at once. All
//! others are kept, and names are bound by them when they are asked for, but no request of ours goes by them.
//!
//! Where linkerd answers with an exception, here it is a 400 that says what is wrong.

mod codec;
mod connection;
mod query;
mod request;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, IF_MATCH, USER_AGENT};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use codec::Codec;
use query::{Query, Said};
use request::{Parameters, is_own, text};
use watch::Changes;

use super::routes::{LONGEST, change, status};
use crate::route::history::{Action, Author, Change};
use crate::runtime::{Handle, Problem};

/// How long an answer is waited for that is not known yet (linkerd: `bindingTimeoutMs`).
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest name of a dtab.
const LONGEST_NAME: usize = 253;

#[derive(Clone)]
struct Shared {
    handle: Handle,
    /// The workspace's name.
    workspace: Arc<str>,
}

/// Serves until the engine ends.
pub async fn serve(listener: TcpListener, handle: Handle, workspace: &str) {
    let shared = Shared { handle, workspace: workspace.into() };
    connection::serve(listener, move |request| answer(shared.clone(), request)).await;
}

async fn answer(shared: Shared, request: Request) -> Response {
    if !is_own(request.headers()) {
        return Refusal(StatusCode::FORBIDDEN, "this API is for programs of this machine".to_owned()).into_response();
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {LONGEST} bytes are read")).into_response();
    };
    let answered = match parts.uri.path().strip_prefix("/api/1/") {
        Some(rest) => shared.ask(rest, &parts, &body).await,
        None => Err(nothing()),
    };
    answered.into_response()
}

/// Why a request has no other answer: a status and a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        if message.is_empty() { status.into_response() } else { (status, message + "\n").into_response() }
    }
}

type Answered = Result<Response, Refusal>;

impl Shared {
    async fn ask(&self, rest: &str, parts: &axum::http::request::Parts, body: &Bytes) -> Answered {
        let parameters = Parameters::of(parts, body);
        let (kind, name) = rest.split_once('/').map_or((rest, None), |(kind, name)| (kind, Some(name)));
        let namespace = name.map(|name| self.namespace(name)).transpose()?;
        let query = match (kind, name, namespace) {
            ("dtabs", None | Some(""), _) => Query::List,
            ("dtabs", Some(name), Some(namespace)) => {
                return self.dtab(name, namespace, parts, &parameters, body).await;
            }
            ("bind", _, Some(namespace)) => Query::bind(namespace, &parameters)?,
            ("resolve", _, Some(namespace)) => Query::resolve(namespace, &parameters)?,
            ("addr", _, Some(_)) => Query::addr(&parameters)?,
            ("delegate", _, namespace) => {
                return self.delegate(namespace, &parts.method, &parts.headers, parameters, body).await;
            }
            ("bound-names", None, _) if parts.method == Method::GET => Query::BoundNames,
            _ => return Err(nothing()),
        };
        self.query(query, &parameters).await
    }

    /// `None` is this workspace.
    fn namespace(&self, name: &str) -> Result<Option<String>, Refusal> {
        match name {
            _ if name.len() > LONGEST_NAME => Err(Refusal::bad("the namespace's name is too long")),
            "default" => Ok(None),
            _ if *name == *self.workspace => Ok(None),
            _ => Ok(Some(name.to_owned())),
        }
    }

    /// One answer, or all from now on.
    async fn query(&self, query: Query, parameters: &Parameters) -> Answered {
        let changes = Changes::of(&self.handle);
        if parameters.is_watched() {
            return Ok((query.content_type(), watch::stream(self.handle.clone(), query, changes)).into_response());
        }
        let answered = tokio::time::timeout(PATIENCE, first(&self.handle, &query, changes)).await;
        match answered.unwrap_or(Said::Pending) {
            Said::Text(text) => Ok((query.content_type(), text).into_response()),
            Said::Missing => Err(nothing()),
            Said::Pending => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "it is not known yet".to_owned())),
            Said::Error(message) => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, message)),
        }
    }

    async fn dtab(
        &self,
        name: &str,
        namespace: Option<String>,
        parts: &axum::http::request::Parts,
        parameters: &Parameters,
        body: &Bytes,
    ) -> Answered {
        let headers = &parts.headers;
        let accept = || headers.get_all(ACCEPT).iter().filter_map(text);
        match parts.method {
            Method::GET if parameters.is_watched() => {
                self.query(Query::Dtab { namespace, codec: Codec::accepted(accept()) }, parameters).await
            }
            // The dtab and its version are of one moment.
            Method::GET | Method::HEAD => {
                let current = self.handle.dtabs.borrow().get(namespace.as_deref()).ok_or_else(nothing)?;
                let etag = (ETAG, codec::stamp(current.version));
                let codec = Codec::accepted(accept());
                let text = current.dtab.map(|dtab| codec.write(&dtab) + "\n").unwrap_or_default();
                Ok(([(CONTENT_TYPE, codec.media_type().to_owned()), etag], text).into_response())
            }
            Method::PUT => {
                let dtab = codec::read(headers.get(CONTENT_TYPE), body)?;
                let if_version = headers.get(IF_MATCH).map(|stamp| codec::version(stamp.as_bytes()));
                self.change(namespace, headers, Action::Put { dtab, if_version }).await
            }
            Method::POST => {
                let dtab = codec::read(headers.get(CONTENT_TYPE), body)?;
                self.change(namespace, headers, Action::Create(dtab)).await
            }
            Method::DELETE => self.change(namespace, headers, Action::Delete).await,
            // As linkerd says it, also of names that there are.
            _ => Err(Refusal(StatusCode::NOT_FOUND, format!("{} is nothing that is done to `{name}`", parts.method))),
        }
    }

    async fn change(&self, namespace: Option<String>, headers: &HeaderMap, action: Action) -> Answered {
        let program = headers.get(USER_AGENT).and_then(text).map(|name| format!(" ({name})")).unwrap_or_default();
        let who = Author::new(&format!("namerd's API{program}"));
        match change(&self.handle, Change { namespace, who, action }).await {
            Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
            Err(Problem::Routes(refused)) => Err(Refusal(status(&refused), codec::refused(&refused))),
            Err(problem) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, problem.to_string())),
        }
    }

    async fn delegate(
        &self,
        namespace: Option<Option<String>>,
        method: &Method,
        headers: &HeaderMap,
        parameters: Parameters,
        body: &Bytes,
    ) -> Answered {
        let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| codec::media_type(kind.as_bytes()) == codec::JSON);
        let parameters = match *method {
            Method::GET | Method::HEAD => parameters,
            Method::POST if is_json => Parameters::of_json(body)
                .map_err(|error| Refusal::bad(format!("Malformed delegation request: {error}")))?,
            Method::POST if parameters.get("path").is_some() => parameters,
            Method::POST => return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, String::new())),
            _ => return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, String::new())),
        };
        let named = || parameters.get("namespace").map(|name| self.namespace(name)).transpose();
        let namespace = match namespace {
            Some(namespace) => Some(namespace),
            None => named()?,
        };
        let query = Query::delegate(namespace, &parameters)?;
        self.query(query, &Parameters::default()).await
    }
}

/// The first answer that is known.
async fn first(handle: &Handle, query: &Query, mut changes: Changes) -> Said {
    loop {
        match query.answer(handle).await {
            Said::Pending if changes.next().await => {}
            said => return said,
        }
    }
}

fn nothing() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, String::new())
}

/// Listens where only this machine's programs get.
pub fn listen(at: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::from_std(crate::effects::ports::listen_unshared(at.ip(), at.port())?)
}
