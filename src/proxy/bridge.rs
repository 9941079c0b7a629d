//! HTTP/2, from the caller or to the callee: by hyper.

mod onward;
mod rewrite;
mod streams;
mod until;

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, FutureExt};
use hyper::body::Incoming;
use hyper::ext::Protocol as Extended;
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, VIA};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use onward::Onward;
use rewrite::{CONTEXT_DTAB, DTAB, host, lead_on, tell_origin, wants_upgrade};
pub use rewrite::{as_http1, as_http2};

use streams::{Counted, Open, Streams};
pub use until::Until;

use super::answer::{Asker, Refusal};
use super::body::{Body, Ending, GONE, Recording, grpc_status};
use super::copies::Copy;
use super::h1::Spoken;
use super::headers::{Identity, REQUEST_ID, drop_false_length, given, once, strip_hop_by_hop, tell, tell_withheld};
use super::http::{Asked, Caller, Context, Lead, Target, Way, unreached};
use super::link::{Linked, Serving};
use super::plain::Plain;
use super::pool::{CallError, Lease};
use super::relay;
use super::reset::{Ended, Unprocessed, or_reset};
use super::routing::own::Local;
use super::routing::{self, Fields, Routed};
use super::together::{Spawner, Together};
use super::tunnel::Tunnel;
use super::upload::Upload;
use super::wire::{Io, Spare, Wire};
use crate::effects::clock;
use crate::route::Call;
use crate::telemetry::requests::Words;

/// The most that the headers of a request may take.
const MOST_HEADERS: u32 = 64 << 10;
/// How many requests a caller may have going on one connection.
const MOST_STREAMS: u32 = 1000;
/// How many of them may have been given up before they were looked at.
const MOST_RESETS: usize = 1000;

/// Serves a connection of which at least one side speaks HTTP/2.
pub async fn serve<S, W>(stream: S, spoken: Spoken, caller: Caller, way: W, context: Context)
where
    S: Io,
    W: Way,
{
    let closing = way.closing();
    let (limits, streams) = (context.limits, Streams::default());
    let own = context.links.of_caller(&caller);
    let shared = Rc::new(Shared { caller, way, context, own, streams: streams.clone() });
    let service = service_fn(|request| {
        let shared = shared.clone();
        let stream = shared.streams.open();
        let counted = move |answer: Response<Body>| answer.map(|body| Counted::new(body, stream));
        // There is one of these for every stream: the usual one is small, the others are elsewhere.
        match Plain::of(&request, &shared) {
            Some(plain) => Either::Left(plain.call(shared).map(counted).map(Ok)),
            None => {
                Either::Right(Box::pin(async move { or_reset(answer(request, &shared).await, spoken).map(counted) }))
            }
        }
    });
    let stream = TokioIo::new(stream);
    match spoken {
        Spoken::Http1 => {
            let mut builder = http1::Builder::new();
            // hyper has one limit for the head and for the time before it.
            builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
            builder.preserve_header_case(true).writev(false);
            let mut connection = pin!(builder.serve_connection(stream, service).with_upgrades());
            tokio::select! {
                _ = connection.as_mut() => return,
                () = closing => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
        Spoken::Http2 => {
            let spawner = Spawner::default();
            let mut builder = http2::Builder::new(spawner.clone());
            builder.timer(TokioTimer::new()).max_header_list_size(MOST_HEADERS);
            builder.max_concurrent_streams(MOST_STREAMS).enable_connect_protocol();
            // Callers may give up many calls at once, and over the life of a connection any number.
            builder.max_pending_accept_reset_streams(MOST_RESETS).max_local_error_reset_streams(None);
            let mut together = Together::new(builder.serve_connection(stream, service), spawner);
            tokio::select! {
                _ = &mut together => return together.rest().await,
                () = closing => {}
                () = streams.idle(limits.idle) => {}
            }
            together.connection().graceful_shutdown();
            // What was asked is still answered. A caller that does not say that it has understood is left.
            tokio::select! {
                _ = &mut together => {}
                () = streams.idle(limits.head) => {}
            }
            together.rest().await;
        }
    }
}

/// What the requests of one connection share.
pub struct Shared<W> {
    pub caller: Caller,
    pub way: W,
    pub context: Context,
    /// What the caller is serving itself.
    own: Option<Serving>,
    /// Those that are open.
    streams: Streams,
}

impl<W: Way> Shared<W> {
    /// Links a request to the one from which it came.
    pub fn link(&self, identity: &mut Identity, headers: &HeaderMap) -> Linked {
        let carried = || headers.get(CONTEXT_DTAB).map(HeaderValue::as_bytes);
        self.own.as_ref().map(|own| own.link(identity, carried)).unwrap_or_default()
    }

    /// Where a request leads that was addressed to a service.
    pub fn lead(
        &self,
        target: Target,
        request: &Request<Incoming>,
        host: &str,
        inherited: Option<&Rc<Local>>,
    ) -> Result<Routed, Refusal> {
        let is_at_door = self.way.origin().is_some();
        let headers = request.headers();
        let has = |name: &HeaderName| headers.contains_key(name);
        let call = routing::Call {
            method: request.method().as_str(),
            target: request.uri().path_and_query().map_or("", |path| path.as_str()),
            host,
            is_http_1_0: request.version() == Version::HTTP_10,
            fields: headers,
            brings: has(&DTAB) || has(&CONTEXT_DTAB) || has(&VIA) || (is_at_door && has(&COOKIE)),
            is_at_door,
        };
        self.context.router.lead(target, &self.caller, &call, inherited)
    }
}

impl Fields for HeaderMap {
    fn each<'f>(&'f self, see: &mut dyn FnMut(&'f str, &'f [u8])) {
        self.iter().for_each(|(name, value)| see(name.as_str(), value.as_bytes()));
    }
}

/// The head of a request, for its copy.
fn head_of(request: &Request<Incoming>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    head.headers_mut().clone_from(request.headers());
    head
}

/// What a call that failed is answered with.
pub fn failed(target: &Target, error: CallError) -> Refusal {
    let upstream = &target.upstream;
    let ended = if let CallError::Http(error) = &error { Ended::of(error) } else { None };
    if let Some(ended) = ended {
        return Refusal::ended(upstream, ended);
    }
    match error {
        CallError::Connect(location, error) => unreached(upstream, &location, &error),
        CallError::OnlyHttp2 => Refusal::only_http2(target),
        // hyper does not tell what it could not read, nor what came before it was asked.
        CallError::Http(error) if error.is_parse() || error.is_canceled() => {
            let helps = "a port that speaks HTTP/2 alone is declared with `protocol: h2`";
            Refusal::failed(upstream, format!("no answer: {error}; {helps}"))
        }
        error => Refusal::failed(upstream, error.to_string()),
    }
}

/// Tells the caller the request's id.
pub fn tell_id(identity: &Identity, response: &mut Response<Body>) {
    if let Ok(id) = once(identity.id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
}

async fn answer<W: Way>(request: Request<Incoming>, shared: &Shared<W>) -> Response<Body> {
    let is_extended = request.extensions().get::<Extended>().is_some();
    let is_connect = request.method() == Method::CONNECT && !is_extended;
    let asker = Asker::of(&request, is_grpc(&request));
    let host = match host(&request) {
        Ok(host) => host,
        Err(reason) => {
            let refusal = Refusal::Malformed(reason.to_owned());
            let status = refusal.response(asker).status().as_u16();
            shared.context.unread(&shared.caller, shared.way.addressee(), &refusal, status);
            return shared.way.refuse(refusal, asker).await.map(Body::own);
        }
    };
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match shared.way.lead(&Asked { host: &host, path, is_connect, asker }) {
        Lead::Service(target) => pass(request, target, &host, shared).await,
        Lead::Tunnel(tunnel) => connect(request, &tunnel, asker, shared).await,
        Lead::Here(making) => making.await.map(Body::own),
    }
}

/// Opens a tunnel ourselves.
async fn connect<W: Way>(
    mut request: Request<Incoming>,
    tunnel: &Tunnel,
    asker: Asker,
    shared: &Shared<W>,
) -> Response<Body> {
    let Shared { caller, way, context, .. } = shared;
    match tunnel.open(caller, context).await {
        Ok((stream, call)) => {
            let (downstream, upstream) = (hyper::upgrade::on(&mut request), std::future::ready(Some(stream)));
            join(downstream, upstream, (call, shared.streams.open()), context.pool.spare.clone());
            Response::new(Body::own(""))
        }
        Err(refusal) => way.refuse(refusal, asker).await.map(Body::own),
    }
}

/// Passes one request on and its answer back.
async fn pass<W: Way>(
    mut request: Request<Incoming>,
    target: Target,
    host: &str,
    shared: &Shared<W>,
) -> Response<Body> {
    let Shared { caller, way, context, .. } = shared;
    let (begun, now) = (clock::instant(), clock::utc());
    let mut identity = Identity::of(now, &given(request.headers()));
    let linked = shared.link(&mut identity, request.headers());
    let to = target.upstream.service().clone();
    let led = match context.endless(&linked, caller, &identity) {
        Some(refusal) => Err(refusal),
        None => shared.lead(target, &request, host, linked.inherited.as_ref()),
    };
    // What the caller names in Connection is its own: whatever we write comes after.
    let upgrade = wants_upgrade(&request);
    strip_hop_by_hop(request.headers_mut(), upgrade);
    if let Some(origin) = way.origin() {
        tell_origin(&mut request, host, origin);
    }
    tell(&identity, request.headers_mut());
    let is_grpc = is_grpc(&request);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let words = Words::new(identity.request_id(), request.method().as_str(), path);
    let protocol = protocol_word(&request, is_grpc);
    let mut recording = context.recording(words, identity.trace_id, (begun, now), caller, to, protocol);
    recording.linked(linked.told());
    let asker = Asker::of(&request, is_grpc);
    let until = if is_grpc { Until::of(request.headers(), begun) } else { None };
    // Dropped with this future when the caller goes away before there is an answer.
    recording.fail(GONE);
    let called = async {
        let mut routed = led?;
        recording.routed(&routed);
        let place = context.arrive(&mut routed, caller).await?;
        recording.routed(&routed);
        recording.in_flight = context.serving(&routed, &place, caller, &identity);
        lead_on(&mut request, routed.more.as_deref());
        recording.copy = Copy::begin(context, caller, &routed, &identity, || Some(head_of(&request)));
        let request = request.map(|incoming| Upload::new(incoming, recording.copy.clone()));
        let onward = Onward { shared, routed: &routed, identity: &identity, is_grpc };
        onward.call(request, place, &mut recording).await.map_err(|refusal| refusal.led(&routed))
    };
    let mut response = match called.await {
        Ok(answered) => answered.finish(recording, until),
        Err(refusal) => {
            let asker = Asker { is_late: until.is_some_and(Until::is_over), ..asker };
            refuse(refusal, asker, recording, way).await
        }
    };
    tell_id(&identity, &mut response);
    response
}

/// Gives up a call that has a record.
pub async fn refuse<W: Way>(refusal: Refusal, asker: Asker, mut recording: Recording, way: &W) -> Response<Body> {
    recording.fail(refusal.to_string());
    recording.grpc_status(asker.is_grpc.then_some(refusal.grpc_status(asker)));
    let is_unprocessed = refusal.is_unprocessed() && !asker.is_late;
    let mut answer = way.refuse(refusal, asker).await;
    recording.status(answer.status().as_u16());
    if is_unprocessed {
        answer.extensions_mut().insert(Unprocessed);
    }
    tell_withheld(recording.withheld().map(|by| &**by), answer.headers_mut());
    answer.map(Body::own)
}

/// Whether a request is one of gRPC.
pub fn is_grpc(request: &Request<Incoming>) -> bool {
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
    lease: Option<Lease>,
    call: Option<Call>,
}

impl Answered {
    fn finish(self, mut recording: Recording, until: Option<Until>) -> Response<Body> {
        let Self { mut response, lease, call } = self;
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        strip_hop_by_hop(response.headers_mut(), upgraded);
        drop_false_length(&mut response);
        recording.succeed();
        recording.answered(response.status(), response.headers());
        recording.status(response.status().as_u16());
        recording.grpc_status(grpc_status(response.headers()));
        tell_withheld(recording.withheld().map(|by| &**by), response.headers_mut());
        let ending = Box::new(Ending { recording, lease, call, until });
        response.map(|incoming| Body::Upstream { incoming, ending })
    }
}

/// Passes bytes on once both sides have changed over. Until they end the callee is busy and the stream is open.
fn join<S: Io>(
    downstream: OnUpgrade,
    upstream: impl Future<Output = Option<S>> + 'static,
    until: (Call, Open),
    spare: Spare,
) {
    spawn_local(async move {
        let _until = until;
        if let (Ok(downstream), Some(upstream)) = tokio::join!(downstream, upstream) {
            let (downstream, upstream) =
                (Wire::new(TokioIo::new(downstream), spare.clone()), Wire::new(upstream, spare));
            let _ = relay::join(&downstream, &upstream).await;
        }
    });
}
