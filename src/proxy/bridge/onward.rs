//! The way of a request to its callee, and to another instance where that cannot be connected to.

use hyper::header::SEC_WEBSOCKET_ACCEPT;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::rewrite::{as_http1, as_http2, as_upgrade, wants_upgrade};
use super::{Answered, Shared, failed, join};
use crate::model::Protocol;
use crate::proxy::answer::Refusal;
use crate::proxy::body::Recording;
use crate::proxy::headers::Identity;
use crate::proxy::http::{Caller, Way};
use crate::proxy::pool::{Failed, Pool};
use crate::proxy::routing::Routed;
use crate::proxy::upload::Upload;
use crate::route::{Call, Location, Tried};

/// Where a request goes, and what it came by.
pub(super) struct Onward<'a, W> {
    pub shared: &'a Shared<W>,
    pub routed: &'a Routed,
    pub identity: &'a Identity,
    pub is_grpc: bool,
}

impl<W: Way> Onward<'_, W> {
    /// Sends it, and gives the answer once its head is there.
    pub async fn call(
        &self,
        mut request: Request<Upload>,
        mut place: Call,
        recording: &mut Recording,
    ) -> Result<Answered, Refusal> {
        let target = &self.routed.target;
        let (endpoint, name) = (target.endpoint(), &target.upstream.name);
        let Shared { context, streams, .. } = self.shared;
        let upgrade = wants_upgrade(&request);
        if endpoint.protocol.is_http2() || (self.is_grpc && endpoint.protocol == Protocol::Detect) {
            let request = as_http2(request, place.location());
            let response = self.reach(request, &mut place, recording, Pool::http2).await?;
            return Ok(Answered { response, lease: None, call: Some(place) });
        }
        if self.is_grpc {
            // Its trailers would be lost on the way to HTTP/1.1.
            return Err(Refusal::NotGrpc(name.clone(), endpoint.name.clone()));
        }
        let is_extended = request.method() == Method::CONNECT;
        if is_extended {
            as_upgrade(&mut request)?;
        }
        let downstream = (upgrade || is_extended).then(|| hyper::upgrade::on(&mut request));
        let request = as_http1(request, place.location());
        let (mut response, lease) = self.reach(request, &mut place, recording, Pool::http1).await?;
        let Some(downstream) = downstream.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) else {
            return Ok(Answered { response, lease: Some(lease), call: Some(place) });
        };
        let upstream = hyper::upgrade::on(&mut response);
        let upstream = async { upstream.await.ok().map(TokioIo::new) };
        join(downstream, upstream, (place, streams.open()), context.pool.spare.clone());
        if is_extended {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
        }
        Ok(Answered { response, lease: None, call: None })
    }

    /// Sends it to an instance, and to another where that cannot be connected to. All instances are alike: what was written
    /// for one is good for the others.
    async fn reach<T>(
        &self,
        mut request: Request<Upload>,
        place: &mut Call,
        recording: &mut Recording,
        send: impl AsyncFn(&Pool, &Location, &Caller, Request<Upload>) -> Result<T, Failed>,
    ) -> Result<T, Refusal> {
        let Shared { caller, context, .. } = self.shared;
        let (target, mut tried) = (&self.routed.target, Tried::default());
        loop {
            let Failed { error, unsent } = match send(&context.pool, place.location(), caller, request).await {
                Ok(answered) => return Ok(answered),
                Err(failure) => failure,
            };
            request = match unsent {
                Some(unsent) if context.another(target, place, &mut tried, recording) => *unsent,
                _ => return Err(failed(target, error)),
            };
            recording.in_flight = context.serving(self.routed, place, caller, self.identity);
        }
    }
}
