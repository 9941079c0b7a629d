//! Requests: identify, wait for the callee, pass on, record.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::answer::{self, Refusal};
use super::body::{Body, Ending, Recording};
use super::headers::{Identity, REQUEST_ID, identify, strip_hop_by_hop};
use super::pool::{CallError, Pool};
use crate::effects::clock;
use crate::model::Protocol;
use crate::route::{Availability, Edge, Endpoint, Location, Upstream};
use crate::runtime::Ask;
use crate::telemetry::requests::{Record, Requests};

/// How long a call waits for a callee that is on its way.
const HOLD: Duration = Duration::from_secs(30);

/// Who calls.
#[derive(Debug, Clone)]
pub enum Caller {
    Service(Arc<str>),
    /// Somebody outside, through the front door or a published port.
    Outside,
}

/// Who is called, at which of its ports.
#[derive(Debug, Clone)]
pub struct Target {
    pub upstream: Arc<Upstream>,
    pub port: usize,
}

impl Target {
    /// The callee of an edge.
    pub fn of(edge: &Edge) -> Self {
        Self { upstream: edge.to.clone(), port: edge.port }
    }

    /// The port that is called.
    pub fn endpoint(&self) -> &Endpoint {
        &self.upstream.ports[self.port]
    }
}

/// What all connections of the proxy share.
#[derive(Clone)]
pub struct Context {
    requests: Requests,
    asks: mpsc::UnboundedSender<Ask>,
    pool: Pool,
}

impl Context {
    /// The context of a proxy that records into `requests` and wakes services by `asks`.
    pub fn new(requests: Requests, asks: mpsc::UnboundedSender<Ask>) -> Self {
        Self { requests, asks, pool: Pool::default() }
    }

    /// Waits until the callee can be called; wakes it where it is idle.
    pub async fn available(&self, target: &Target) -> Result<(), Refusal> {
        let mut availability = target.upstream.availability.clone();
        let refusal = Cell::new(None);
        let name = &target.upstream.name;
        let settled = availability.wait_for(|now| match now {
            Availability::Ready => true,
            Availability::Idle => {
                let _ = self.asks.send(Ask::Wake(name.clone()));
                false
            }
            Availability::Coming(_) => false,
            Availability::Absent(state) => {
                refusal.set(Some(Refusal::Absent(name.clone(), *state)));
                true
            }
        });
        let waited = tokio::time::timeout(HOLD, settled).await.map(|settled| settled.is_ok());
        match (waited, refusal.take()) {
            (Ok(true), None) => Ok(()),
            (_, Some(refusal)) => Err(refusal),
            (Ok(false), None) => Err(Refusal::Gone(name.clone())),
            (Err(_), None) => Err(Refusal::StillComing(name.clone(), HOLD)),
        }
    }

    /// A record of a call that begins now; it is kept when it is dropped.
    pub fn recording(
        &self,
        identity: &Identity,
        caller: &Caller,
        target: &Target,
        begun: Instant,
        protocol: &'static str,
    ) -> Recording {
        let record = Record {
            id: identity.request_id.clone(),
            trace_id: identity.trace_id.clone(),
            time: clock::utc(),
            from: match caller {
                Caller::Service(name) => Some(name.clone()),
                Caller::Outside => None,
            },
            to: target.upstream.name.clone(),
            protocol,
            method: None,
            path: None,
            status: None,
            grpc_status: None,
            duration: Duration::ZERO,
            error: None,
        };
        Recording { record: Some(record), begun, requests: self.requests.clone() }
    }

    /// An identity for what carries none.
    pub fn new_identity(&self) -> Identity {
        identify(&mut hyper::HeaderMap::new())
    }
}

/// Serves one connection of one caller to one callee, HTTP/1.1 or HTTP/2. `target` tells, for each request, where the
/// callee is.
pub async fn serve(stream: TcpStream, caller: Caller, target: impl Fn() -> Target, context: Context) {
    let service = service_fn(|request| {
        let (caller, target, context) = (caller.clone(), target(), context.clone());
        async move { Ok::<_, Infallible>(forward(request, &caller, &target, &context).await) }
    });
    let _ = server().serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

/// Spawns on the proxy's own thread, so that connections may share what no other thread sees.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// The server side of all HTTP listeners.
pub fn server() -> auto::Builder<LocalExecutor> {
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().preserve_header_case(true);
    builder
}

/// Passes one request on and its answer back.
pub async fn forward(
    mut request: Request<Incoming>,
    caller: &Caller,
    target: &Target,
    context: &Context,
) -> Response<Body> {
    let begun = clock::instant();
    let identity = identify(request.headers_mut());
    let is_grpc = is_grpc(&request);
    let protocol = protocol_word(&request, is_grpc);
    let mut recording = context.recording(&identity, caller, target, begun, protocol);
    if let Some(record) = &mut recording.record {
        record.method = Some(request.method().as_str().into());
        record.path = Some(request.uri().path_and_query().map_or("/", |path| path.as_str()).into());
    }
    let asker = answer::Asker::of(&request, is_grpc);
    let mut response = match call(request, target, context, is_grpc).await {
        Ok(response) => response.finish(recording),
        Err(refusal) => {
            let response = refusal.response(&asker);
            recording.fail(&refusal.to_string());
            if let Some(record) = &mut recording.record {
                record.status = Some(response.status().as_u16());
                record.grpc_status = is_grpc.then_some(answer::UNAVAILABLE);
            }
            response
        }
    };
    if let Ok(id) = HeaderValue::from_str(&identity.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    request.version() == Version::HTTP_2 && kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

fn protocol_word(request: &Request<Incoming>, is_grpc: bool) -> &'static str {
    match request.version() {
        _ if is_grpc => "grpc",
        Version::HTTP_2 => "h2",
        _ => "http",
    }
}

/// An answer from upstream, before it is recorded.
struct Answered {
    response: Response<Incoming>,
    lease: Option<super::pool::Lease>,
}

impl Answered {
    fn finish(self, mut recording: Recording) -> Response<Body> {
        let Self { mut response, lease } = self;
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        strip_hop_by_hop(response.headers_mut(), upgraded);
        if let Some(record) = &mut recording.record {
            record.status = Some(response.status().as_u16());
        }
        recording.grpc_status(response.headers());
        response.map(|incoming| Body::Upstream { incoming, ending: Ending { recording, lease } })
    }
}

async fn call(
    mut request: Request<Incoming>,
    target: &Target,
    context: &Context,
    is_grpc: bool,
) -> Result<Answered, Refusal> {
    context.available(target).await?;
    let endpoint = target.endpoint();
    let upgrade = request.version() == Version::HTTP_11 && request.headers().contains_key(UPGRADE);
    strip_hop_by_hop(request.headers_mut(), upgrade);
    let failed = |error: CallError| {
        let (name, reason) = (target.upstream.name.clone(), error.to_string());
        match endpoint.location {
            Location::Loopback(_) => Refusal::Failed(name, reason),
            Location::Elsewhere { .. } => Refusal::Outside(name, reason),
        }
    };
    let speaks_h2 = matches!(endpoint.protocol, Protocol::H2 | Protocol::Grpc);
    if speaks_h2 || (is_grpc && endpoint.protocol == Protocol::Detect) {
        let request = as_http2(request, &endpoint.location);
        let response = context.pool.http2(&endpoint.location, request).await.map_err(failed)?;
        return Ok(Answered { response, lease: None });
    }
    if is_grpc {
        // Its trailers would be lost on the way to HTTP/1.1.
        return Err(Refusal::NotGrpc(target.upstream.name.clone(), endpoint.name.clone()));
    }
    let downstream = upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut response, lease) =
        context.pool.http1(&endpoint.location, as_http1(request, &endpoint.location)).await.map_err(failed)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(downstream) = downstream
    {
        let upstream = hyper::upgrade::on(&mut response);
        spawn_local(async move {
            if let (Ok(downstream), Ok(upstream)) = tokio::join!(downstream, upstream) {
                let (mut downstream, mut upstream) = (TokioIo::new(downstream), TokioIo::new(upstream));
                let _ = tokio::io::copy_bidirectional(&mut downstream, &mut upstream).await;
            }
        });
        return Ok(Answered { response, lease: None });
    }
    Ok(Answered { response, lease: Some(lease) })
}

/// HTTP/1.1 wants the path alone, and the authority in `Host`.
fn as_http1(mut request: Request<Incoming>, location: &Location) -> Request<Incoming> {
    if let Some(host) = location.host().and_then(|host| HeaderValue::from_str(&host).ok()) {
        request.headers_mut().insert(HOST, host);
    } else if !request.headers().contains_key(HOST)
        && let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    request
}

/// HTTP/2 wants scheme and authority, and no `Host`.
fn as_http2(mut request: Request<Incoming>, location: &Location) -> Request<Incoming> {
    let host = request.headers_mut().remove(HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
    let asked = request.uri().authority().map(|authority| authority.to_string()).or(host);
    let authority = location.host().or(asked).unwrap_or_else(|| "localhost".to_owned());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if let Ok(uri) = Uri::builder().scheme("http").authority(authority).path_and_query(path).build() {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
    request
}
