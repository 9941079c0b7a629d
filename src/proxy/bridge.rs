//! HTTP/2, from the caller or to the callee: by hyper.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;

use futures_util::future::Either;
use hyper::body::Incoming;
use hyper::ext::Protocol as Extended;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use super::answer::{self, Asker, Refusal};
use super::body::{Body, Ending, GONE, Recording, grpc_status};
use super::closing::Closing;
use super::h1::{self, Spoken};
use super::headers::{Identity, REQUEST_ID, identify, once, strip_hop_by_hop};
use super::http::{Asked, Caller, Context, Lead, LocalExecutor, Origin, Target, Way, not_dialled};
use super::plain::Plain;
use super::pool::{CallError, Lease};
use super::relay;
use super::tunnel::Tunnel;
use super::wire::{Io, Spare, Wire};
use crate::effects::clock;
use crate::model::Protocol;
use crate::route::Location;
use crate::telemetry::requests::Words;

/// The most that the headers of a request may take.
const MOST_HEADERS: u32 = 64 << 10;
/// How many requests a caller may have going on one connection.
const MOST_STREAMS: u32 = 1000;

/// Serves a connection of which at least one side speaks HTTP/2.
pub async fn serve<S, W>(stream: S, spoken: Spoken, caller: Caller, way: W, context: Context)
where
    S: Io,
    W: Way,
{
    let closing = way.closing();
    let idle = context.limits.idle;
    let shared = Rc::new(Shared { caller, way, context });
    let service = service_fn(|request| {
        let shared = shared.clone();
        // There is one of these for every stream: the usual one is small, the others are elsewhere.
        match Plain::of(&request, &shared) {
            Some(plain) => Either::Left(async move { Ok::<_, Infallible>(plain.call(&shared).await) }),
            None => Either::Right(Box::pin(async move { Ok(answer(request, &shared).await) })),
        }
    });
    let stream = TokioIo::new(stream);
    match spoken {
        Spoken::Http1 => {
            let mut builder = http1::Builder::new();
            builder.preserve_header_case(true).writev(false).timer(TokioTimer::new()).header_read_timeout(idle);
            let connection = builder.serve_connection(stream, service).with_upgrades();
            until_closing(connection, closing, |connection| connection.graceful_shutdown()).await;
        }
        Spoken::Http2 => {
            let mut builder = http2::Builder::new(LocalExecutor);
            builder.timer(TokioTimer::new()).max_header_list_size(MOST_HEADERS);
            builder.max_concurrent_streams(MOST_STREAMS).enable_connect_protocol();
            let connection = builder.serve_connection(stream, service);
            until_closing(connection, closing, |connection| connection.graceful_shutdown()).await;
        }
    }
}

/// Serves a connection to its end; when it should end, what is being answered still is.
async fn until_closing<C: Future>(connection: C, mut closing: Closing, shutdown: impl FnOnce(Pin<&mut C>)) {
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = &mut closing => shutdown(connection.as_mut()),
    }
    connection.await;
}

/// What the requests of one connection share.
pub struct Shared<W> {
    pub caller: Caller,
    pub way: W,
    pub context: Context,
}

/// What a call that failed is answered with.
pub fn failed(target: &Target, error: CallError) -> Refusal {
    let name = &target.upstream.name;
    match error {
        CallError::Connect(location, error) => not_dialled(name, &location, &error),
        error => Refusal::Failed(name.clone(), error.to_string()),
    }
}

/// Tells the caller the request's id.
pub fn tell_id(identity: &Identity, response: &mut Response<Body>) {
    if let Ok(id) = once(identity.id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
}

async fn answer<W: Way>(mut request: Request<Incoming>, shared: &Shared<W>) -> Response<Body> {
    let is_extended = request.extensions().get::<Extended>().is_some();
    let is_connect = request.method() == Method::CONNECT && !is_extended;
    let asker = Asker::of(&request, is_grpc(&request));
    let host = match host(&request) {
        Ok(host) => host,
        Err(reason) => return shared.way.refuse(Refusal::Malformed(reason.to_owned()), asker).await.map(Body::own),
    };
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    match shared.way.lead(&Asked { host: &host, path, is_connect, asker }) {
        Lead::Service(target) => {
            if let Some(origin) = shared.way.origin() {
                tell_origin(&mut request, &host, origin);
            }
            pass(request, &target, shared).await
        }
        Lead::Tunnel(tunnel) => connect(request, &tunnel, asker, shared).await,
        Lead::Here(making) => making.await.map(Body::own),
    }
}

/// Whom a request is for: its target's own authority where it has one, else that of its only Host (RFC 9112 section
/// 3.2, RFC 9113 section 8.3.1).
fn host<B>(request: &Request<B>) -> Result<String, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err("there are two Host fields");
    }
    let bytes = match request.uri().authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => host.map_or(&b""[..], HeaderValue::as_bytes),
    };
    h1::authority(bytes).map(str::to_owned).ok_or("Host is no name")
}

/// What a proxy in front tells a service about the outside.
fn tell_origin(request: &mut Request<Incoming>, host: &str, origin: &Origin) {
    let headers = request.headers_mut();
    if let Ok(address) = HeaderValue::from_str(&origin.address) {
        headers.append(HeaderName::from_static("x-forwarded-for"), address);
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static(origin.scheme));
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.entry("x-forwarded-host").or_insert(host);
    }
}

/// Opens a tunnel ourselves.
async fn connect<W: Way>(
    mut request: Request<Incoming>,
    tunnel: &Tunnel,
    asker: Asker,
    shared: &Shared<W>,
) -> Response<Body> {
    let Shared { caller, way, context } = shared;
    match tunnel.open(caller, context).await {
        Ok(stream) => {
            let (downstream, upstream) = (hyper::upgrade::on(&mut request), std::future::ready(Some(stream)));
            join(downstream, upstream, context.pool.spare.clone());
            Response::new(Body::own(""))
        }
        Err(refusal) => way.refuse(refusal, asker).await.map(Body::own),
    }
}

/// Passes one request on and its answer back.
async fn pass<W: Way>(mut request: Request<Incoming>, target: &Target, shared: &Shared<W>) -> Response<Body> {
    let Shared { caller, way, context } = shared;
    let (begun, now) = (clock::instant(), clock::utc());
    let identity = identify(now, request.headers_mut());
    let is_grpc = is_grpc(&request);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let words = Words::new(identity.request_id(), request.method().as_str(), path);
    let protocol = protocol_word(&request, is_grpc);
    let mut recording =
        context.recording(words, identity.trace_id, (begun, now), caller, target.upstream.name.clone(), protocol);
    let asker = Asker::of(&request, is_grpc);
    // Dropped with this future when the caller goes away before there is an answer.
    recording.fail(GONE);
    let mut response = match call(request, caller, target, context, is_grpc).await {
        Ok(answered) => answered.finish(recording),
        Err(refusal) => refuse(refusal, asker, recording, way).await,
    };
    tell_id(&identity, &mut response);
    response
}

/// Gives up a call that has a record.
pub async fn refuse<W: Way>(refusal: Refusal, asker: Asker, mut recording: Recording, way: &W) -> Response<Body> {
    recording.fail(refusal.to_string());
    recording.grpc_status(asker.is_grpc.then_some(answer::UNAVAILABLE));
    let answer = way.refuse(refusal, asker).await;
    recording.status(answer.status().as_u16());
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
}

impl Answered {
    fn finish(self, mut recording: Recording) -> Response<Body> {
        let Self { mut response, lease } = self;
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        strip_hop_by_hop(response.headers_mut(), upgraded);
        recording.succeed();
        recording.status(response.status().as_u16());
        recording.grpc_status(grpc_status(response.headers()));
        let ending = Box::new(Ending { recording, lease });
        response.map(|incoming| Body::Upstream { incoming, ending })
    }
}

async fn call(
    mut request: Request<Incoming>,
    caller: &Caller,
    target: &Target,
    context: &Context,
    is_grpc: bool,
) -> Result<Answered, Refusal> {
    context.available(target).await?;
    let (endpoint, name) = (target.endpoint(), &target.upstream.name);
    let location = &endpoint.location;
    let upgrade = wants_upgrade(&request);
    strip_hop_by_hop(request.headers_mut(), upgrade);
    let failed = |error| failed(target, error);
    if endpoint.protocol.is_http2() || (is_grpc && endpoint.protocol == Protocol::Detect) {
        let response = context.pool.http2(location, caller, as_http2(request, location)).await.map_err(failed)?;
        return Ok(Answered { response, lease: None });
    }
    if is_grpc {
        // Its trailers would be lost on the way to HTTP/1.1.
        return Err(Refusal::NotGrpc(name.clone(), endpoint.name.clone()));
    }
    let is_extended = request.method() == Method::CONNECT;
    if is_extended {
        as_upgrade(&mut request)?;
    }
    let downstream = (upgrade || is_extended).then(|| hyper::upgrade::on(&mut request));
    let request = as_http1(request, location);
    let (mut response, lease) = context.pool.http1(location, caller, request).await.map_err(failed)?;
    let Some(downstream) = downstream.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) else {
        return Ok(Answered { response, lease: Some(lease) });
    };
    let upstream = hyper::upgrade::on(&mut response);
    let upstream = async { upstream.await.ok().map(TokioIo::new) };
    join(downstream, upstream, context.pool.spare.clone());
    if is_extended {
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
    }
    Ok(Answered { response, lease: None })
}

/// Whether the connection is to become something else; HTTP/2 is not made of HTTP/1.1 here.
fn wants_upgrade(request: &Request<Incoming>) -> bool {
    let value = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    let mut options = value(CONNECTION).split(',').map(str::trim);
    request.version() == Version::HTTP_11
        && options.any(|option| option.eq_ignore_ascii_case("upgrade"))
        && !value(UPGRADE).is_empty()
        && !value(UPGRADE).starts_with("h2c")
}

/// Passes bytes on once both sides have changed over.
fn join<S: Io>(downstream: OnUpgrade, upstream: impl Future<Output = Option<S>> + 'static, spare: Spare) {
    spawn_local(async move {
        if let (Ok(downstream), Some(upstream)) = tokio::join!(downstream, upstream) {
            let (downstream, upstream) =
                (Wire::new(TokioIo::new(downstream), spare.clone()), Wire::new(upstream, spare));
            let _ = relay::join(&downstream, &upstream).await;
        }
    });
}

/// A WebSocket over HTTP/2 (RFC 8441) as HTTP/1.1 begins it (RFC 6455 section 4.1).
fn as_upgrade(request: &mut Request<Incoming>) -> Result<(), Refusal> {
    let Some(protocol) = request.extensions_mut().remove::<Extended>() else {
        return Err(Refusal::Unsupported("CONNECT is passed on over HTTP/1.1 only".to_owned()));
    };
    let upgrade = HeaderValue::from_str(protocol.as_str()).map_err(|_| Refusal::Malformed("no protocol".to_owned()))?;
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(UPGRADE, upgrade);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let key = base64(&fastrand::u128(..).to_be_bytes());
    headers.entry(SEC_WEBSOCKET_KEY).or_insert(HeaderValue::from_str(&key).unwrap_or(HeaderValue::from_static("")));
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (number >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= group.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

/// HTTP/1.1 wants the path alone, and the authority in `Host`.
fn as_http1(mut request: Request<Incoming>, location: &Location) -> Request<Incoming> {
    // Whoever goes on by the Host must not be led elsewhere than we were (RFC 9112 section 3.2.2).
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(Ok(host)) = location.host().or(authority).map(|host| HeaderValue::from_str(&host)) {
        request.headers_mut().insert(HOST, host);
    }
    // HTTP/2 may take cookies apart; others know one field only (RFC 9113 section 8.2.3).
    let cookies: Vec<&[u8]> = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if request.version() == Version::HTTP_2
        && cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        request.headers_mut().insert(COOKIE, joined);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    request
}

/// HTTP/2 wants scheme and authority, and no `Host`.
fn as_http2(mut request: Request<Incoming>, location: &Location) -> Request<Incoming> {
    let host = request.headers_mut().remove(HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
    let authority = location.host().or(request.uri().authority().map(|authority| authority.to_string())).or(host);
    let authority = authority.unwrap_or_else(|| "localhost".to_owned());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let scheme = if matches!(location, Location::Elsewhere { tls: true, .. }) { "https" } else { "http" };
    if let Ok(uri) = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build() {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
    request
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_as_in_the_standard() {
        // RFC 4648 section 10.
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(super::base64(bytes.as_bytes()), text);
        }
    }
}
