//! A copy on its own way, and what is made of its answer.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::{spawn_blocking, spawn_local};

use super::{Copy, Spelled, Unsent, keep};
use crate::effects::clock;
use crate::model::Protocol;
use crate::proxy::body::grpc_status;
use crate::proxy::bridge::{as_http1, as_http2};
use crate::proxy::dial::Offer;
use crate::proxy::h1::outbound::{Inbound, Outbound};
use crate::proxy::headers::strip_hop_by_hop;
use crate::proxy::http::Target;
use crate::proxy::routing::Routed;
use crate::proxy::together::{Spawner, Together};
use crate::resilience::compare::{Answer, Differences};
use crate::route::Call;
use crate::telemetry::requests::Words;

/// How long a copy may take, and its original after it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a copy has no answer.
enum Lost {
    /// There was nobody to send it to.
    Unsent(String),
    Failed(String),
}

/// Sends a copy and has its answer compared.
pub async fn send(copy: Rc<Copy>, unsent: Unsent, body: Vec<u8>) {
    let Unsent { request, under_way, original } = unsent;
    let tally = copy.mirror.tally.clone();
    let late = |_| Lost::Failed(format!("no answer within {PATIENCE:?}"));
    let answered = tokio::time::timeout(PATIENCE, exchange(&copy, request, body)).await.map_err(late).flatten();
    let answer = match answered {
        Ok(answer) => answer,
        Err(Lost::Unsent(reason)) => return tally.skip(&reason),
        Err(Lost::Failed(reason)) => return tally.failed(&copy.subject, reason),
    };
    let Some(ignored) = copy.mirror.request.compare.clone() else { return tally.answered() };
    let Ok(Ok(Some(original))) = tokio::time::timeout(PATIENCE, original).await else {
        tally.answered();
        return tally.uncompared("the original had no whole answer");
    };
    let subject = copy.subject.clone();
    // Elsewhere: it may take longer than others should wait.
    let compared = spawn_blocking(move || {
        let found = Differences::of(&original, &answer, &ignored);
        if found.is_partial {
            tally.uncompared("a body is over 256 KiB: only status and headers were compared");
        }
        if found.has_no_places {
            tally.uncompared(
                "by the places of `--ignore`, as a body cannot be read as JSON: they were compared byte by byte",
            );
        }
        match found.is_none() {
            true => tally.same(),
            false => tally.different(&subject, found.list, found.more),
        }
    });
    let _ = compared.await;
    drop(under_way);
}

async fn exchange(copy: &Copy, request: Request<()>, body: Vec<u8>) -> Result<Answer, Lost> {
    let (context, name) = (&copy.context, &copy.mirror.request.to);
    let unsent = |reason: &str| Lost::Unsent(format!("{name} {reason}"));
    let upstream = context.router.upstream(name).ok_or_else(|| unsent("is gone"))?;
    let port = upstream.port_like(copy.target.endpoint()).ok_or_else(|| unsent("has no such port"))?;
    let target = Target { upstream, port };
    let place = context.available(&target).await.map_err(|refusal| Lost::Unsent(refusal.to_string()))?;
    let words = Words::new(copy.identity.request_id(), request.method().as_str(), &copy.subject.path);
    let begun = (clock::instant(), clock::utc());
    let to = target.upstream.service().clone();
    let is_http2 = is_http2(&request, &target);
    let protocol = match is_http2 {
        true if is_grpc(&request) => "grpc",
        true => "h2",
        false => "http",
    };
    let mut recording = context.recording(words, copy.identity.trace_id, begun, &copy.caller, to, protocol);
    recording.copied();
    let mut routed = Routed::plainly(target);
    recording.routed(&routed);
    routed.more = copy.local.clone().map(|local| Box::new(crate::proxy::routing::More::of(local)));
    recording.in_flight = context.serving(&routed, &place, &copy.caller, &copy.identity);
    recording.fail("the copy was not answered");
    let failed = |error: String| Lost::Failed(error);
    // The callee is busy with it until its answer is whole.
    let (response, _place) = call(copy, request, body, (place, is_http2)).await.map_err(failed)?;
    recording.status(response.status().as_u16());
    let answer = answer(response).await.map_err(failed)?;
    recording.grpc_status(answer.grpc_status);
    recording.succeed();
    Ok(answer)
}

fn is_grpc(request: &Request<()>) -> bool {
    request.headers().get("content-type").is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"))
}

fn is_http2(request: &Request<()>, target: &Target) -> bool {
    let protocol = &target.endpoint().protocol;
    protocol.is_http2() || (is_grpc(request) && *protocol == Protocol::Detect)
}

/// An answer whose body is still to come, and the place that gives it where the body does not hold that itself.
type Answering = (Response<Either<Incoming, Inbound>>, Option<Call>);

/// By HTTP/2 over a connection of its own; by HTTP/1.1 as the originals are sent, names of fields as they were written.
async fn call(
    copy: &Copy,
    request: Request<()>,
    body: Vec<u8>,
    (place, is_http2): (Call, bool),
) -> Result<Answering, String> {
    let (pool, location) = (&copy.context.pool, place.location().clone());
    if !is_http2 {
        let request = as_http1(request, &location);
        let spelled = request.extensions().get::<Spelled>().cloned().unwrap_or_default();
        let outbound = Outbound::whole(&request, |name| spelled.of(name), &body, &pool.spare);
        let sent = outbound.send(pool, place, &copy.caller, clock::instant(), |_| false);
        return sent.await.map(|response| (response.map(Either::Right), None)).map_err(|error| error.to_string());
    }
    let dialled = pool.dialer.dial(&location, &copy.caller, Offer::Http2).await;
    let stream = TokioIo::new(dialled.map_err(|error| format!("nothing answers on {location}: {error}"))?);
    let request = as_http2(request.map(|()| Full::new(Bytes::from(body))), &location);
    let answered = async {
        let spawner = Spawner::default();
        let (mut sender, connection) = http2::Builder::new(spawner.clone()).handshake(stream).await?;
        spawn_local(Together::new(connection, spawner).whole());
        sender.send_request(request).await
    };
    let answered = answered.await.map_err(|error: hyper::Error| format!("no answer: {error}"))?;
    Ok((answered.map(Either::Left), Some(place)))
}

async fn answer(mut response: Response<Either<Incoming, Inbound>>) -> Result<Answer, String> {
    strip_hop_by_hop(response.headers_mut(), false);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = response.headers().iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    let mut answer = Answer {
        status: response.status().as_u16(),
        grpc_status: grpc_status(response.headers()),
        fields,
        body: Some(Vec::new()),
    };
    while let Some(frame) = response.frame().await {
        let frame = frame.map_err(|error| format!("its answer broke off: {error}"))?;
        if let Some(data) = frame.data_ref() {
            keep(&mut answer.body, data);
        }
        if let Some(trailers) = frame.trailers_ref() {
            answer.grpc_status = grpc_status(trailers).or(answer.grpc_status);
        }
    }
    Ok(answer)
}
