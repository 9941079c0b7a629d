//! Bytes both ways.

use super::dial::Offer;
use super::headers::Identity;
use super::http::{Caller, Context, Target, not_dialled};
use super::relay;
use super::wire::{Io, Wire};
use crate::effects::clock;
use crate::telemetry::requests::Words;

/// Serves one connection; it is recorded when it is made, as many live as long as their programs. `tls` is the name that
/// the caller asks for, where what passes is TLS.
pub async fn serve<S: Io>(stream: S, caller: &Caller, target: &Target, context: &Context, tls: Option<&str>) {
    let (begun, now) = (clock::instant(), clock::utc());
    let wire = Wire::new(stream, context.pool.spare.clone());
    let identity = Identity::of(now, None, None);
    let words = Words::new(identity.request_id(), "", tls.unwrap_or(""));
    let protocol = if tls.is_some() { "tls" } else { "tcp" };
    let mut recording =
        context.recording(words, identity.trace_id, (begun, now), caller, target.upstream.name.clone(), protocol);
    if let Err(refusal) = context.available(target).await {
        recording.fail(refusal.to_string());
        return wire.reset();
    }
    let location = &target.endpoint().location;
    let stream = match context.pool.dialer.dial(location, caller, Offer::Bytes).await {
        Ok(stream) => stream,
        Err(error) => {
            recording.fail(not_dialled(&target.upstream.name, location, &error).to_string());
            // A caller that was refused must not take it for an orderly end.
            return wire.reset();
        }
    };
    recording.finish();
    let callee = Wire::new(stream, context.pool.spare.clone());
    if relay::both_ways(&wire, &callee).await.is_err() {
        // What broke off must not look like an orderly end on the other side.
        wire.reset();
        callee.reset();
    }
}
