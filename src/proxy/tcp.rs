//! Bytes both ways.

use super::answer::Refusal;
use super::body::GONE;
use super::dial::{Offer, Stream};
use super::headers::{Given, Identity};
use super::http::{Caller, Context, Target, not_dialled};
use super::relay;
use super::wire::{Io, Wire};
use crate::effects::clock;
use crate::route::{Call, Tried};
use crate::telemetry::requests::Words;

/// Serves one connection. `tls` is the name that the caller asks for, where what passes is TLS.
pub async fn serve<S: Io>(stream: S, caller: &Caller, target: &Target, context: &Context, tls: Option<&str>) {
    let wire = Wire::new(stream, context.pool.spare.clone());
    match open(caller, target, context, tls).await {
        Ok((stream, _call)) => drop(relay::join(&wire, &Wire::new(stream, context.pool.spare.clone())).await),
        // A caller that was refused must not take it for an orderly end.
        Err(_) => wire.reset(),
    }
}

/// Opens a connection to a callee once that is ready; for the callee the call lasts until it is dropped. It is recorded
/// at once, as many live as long as their programs.
pub async fn open(
    caller: &Caller,
    target: &Target,
    context: &Context,
    tls: Option<&str>,
) -> Result<(Stream, Call), Refusal> {
    let (begun, now) = (clock::instant(), clock::utc());
    let identity = Identity::of(now, &Given::default());
    let words = Words::new(identity.request_id(), "", tls.unwrap_or(""));
    let protocol = if tls.is_some() { "tls" } else { "tcp" };
    let to = target.upstream.service().clone();
    let mut recording = context.recording(words, identity.trace_id, (begun, now), caller, to, protocol);
    // Dropped with this future when the caller goes away meanwhile.
    recording.fail(GONE);
    let led = context.router.lead_bytes(target.clone(), caller);
    if let Ok(routed) = &led {
        recording.routed(routed);
    }
    let opened = async {
        let mut routed = led?;
        let mut call = context.arrive(&mut routed, caller).await?;
        recording.routed(&routed);
        let mut tried = Tried::default();
        loop {
            match context.pool.dialer.dial(call.location(), caller, Offer::Bytes).await {
                Ok(stream) => return Ok((stream, call)),
                Err(_) if context.another(&routed.target, &mut call, &mut tried, &mut recording) => {}
                Err(error) => return Err(not_dialled(&routed.target.upstream.name, call.location(), &error)),
            }
        }
    };
    let opened = opened.await;
    match &opened {
        Ok(_) => recording.succeed(),
        Err(refusal) => recording.fail(refusal.to_string()),
    }
    opened
}
