//! The usual call over HTTP/2: without a body, to a callee that speaks HTTP/1.1 and is ready. It needs little room, for
//! there is one for every stream; everything else goes the longer way.

use std::rc::Rc;

use hyper::body::{Body as _, Incoming};
use hyper::header::HOST;
use hyper::{Method, Request, Response, Version};

use super::answer::Asker;
use super::body::{Body, GONE, Recording};
use super::bridge::{Shared, failed, is_grpc, refuse, tell_id};
use super::copies::{Copy, read_head};
use super::h1::outbound::Outbound;
use super::h1::{self, Added};
use super::headers::{Identity, drop_false_length, given, tell_withheld};
use super::http::{Asked, Lead, Way};
use super::routing::Routed;
use crate::effects::clock;
use crate::route::{Availability, Call, Picked, Tried};
use crate::telemetry::requests::Words;

/// Such a call, ready to be sent.
pub struct Plain {
    outbound: Outbound,
    routed: Routed,
    place: Call,
    identity: Identity,
    /// It moves on with the answer.
    recording: Box<Recording>,
    asker: Asker,
}

impl Plain {
    /// The call, if the request is one.
    pub fn of<W: Way>(request: &Request<Incoming>, shared: &Shared<W>) -> Option<Self> {
        let (begun, now) = (clock::instant(), clock::utc());
        let headers = request.headers();
        let is_plain = request.version() == Version::HTTP_2
            && request.body().is_end_stream()
            && request.method() != Method::CONNECT
            && !is_grpc(request)
            && !headers.contains_key(HOST);
        let authority = request.uri().authority().filter(|_| is_plain)?;
        let host = h1::authority(authority.as_str().as_bytes())?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let asker = Asker::of(request, false);
        let asked = Asked { host, path, is_connect: false, asker };
        let Lead::Service(target) = shared.way.lead(&asked) else { return None };
        let mut identity = Identity::of(now, &given(headers));
        let linked = shared.link(&mut identity, headers);
        if linked.is_endless {
            return None;
        }
        let routed = shared.lead(target, request, host, linked.inherited.as_ref()).ok()?;
        let target = &routed.target;
        let is_ready = *target.upstream.availability.borrow() == Availability::Ready;
        if !is_ready || target.endpoint().protocol.is_http2() {
            return None;
        }
        let Picked::Call(place) = target.upstream.pick(target.port) else { return None };
        let words = Words::new(identity.request_id(), request.method().as_str(), path);
        let Shared { caller, way, context, .. } = shared;
        let to = target.upstream.service().clone();
        let mut recording = Box::new(context.recording(words, identity.trace_id, (begun, now), caller, to, "h2"));
        recording.linked(linked.told());
        recording.routed(&routed);
        recording.in_flight = context.serving(&routed, &place, caller, &identity);
        recording.fail(GONE);
        let other = target.endpoint().location.host();
        let more = routed.more.as_deref();
        let added = Added { identity: &identity, host: other.as_deref(), origin: way.origin(), more };
        let outbound = Outbound::new(request, host, &added, &context.pool.spare);
        let read = || read_head(outbound.text());
        recording.copy = Copy::begin(context, caller, &routed, &identity, read);
        if let Some(copy) = &recording.copy {
            copy.send();
        }
        Some(Self { outbound, routed, place, identity, recording, asker })
    }

    /// Sends it and gives the answer.
    // An `async fn` would have room for what it is called with and once more for what that becomes.
    pub fn call<W: Way>(self, shared: Rc<Shared<W>>) -> impl Future<Output = Response<Body>> {
        let Self { outbound, routed, place, identity, mut recording, asker } = self;
        async move {
            let (context, target, begun) = (&shared.context, &routed.target, recording.begun);
            let mut tried = Tried::default();
            let another = |place: &mut Call| {
                let is_other = context.another(target, place, &mut tried, &mut recording);
                if is_other {
                    recording.in_flight = context.serving(&routed, place, &shared.caller, &identity);
                }
                is_other
            };
            let mut response = match outbound.send(&context.pool, place, &shared.caller, begun, another).await {
                Ok(mut response) => {
                    drop_false_length(&mut response);
                    recording.succeed();
                    recording.answered(response.status(), response.headers());
                    recording.status(response.status().as_u16());
                    tell_withheld(recording.withheld().map(|by| &**by), response.headers_mut());
                    response.map(|inbound| Body::Inbound { inbound, recording })
                }
                // Seldom, so it has its room only then.
                Err(error) => {
                    Box::pin(refuse(failed(target, error).led(&routed), asker, *recording, &shared.way)).await
                }
            };
            tell_id(&identity, &mut response);
            response
        }
    }
}
