//! Bytes both ways.

use super::answer::Refusal;
use super::body::{GONE, Recording};
use super::dial::{Offer, Stream};
use super::headers::{Given, Identity};
use super::http::{Caller, Context, Target, unreached};
use super::relay;
use super::routing::Routed;
use super::wire::{Io, Wire};
use crate::effects::clock;
use crate::route::{Call, Tried};
use crate::telemetry::requests::Words;

/// Serves one connection. `tls` is the name that the caller asks for, where what passes is TLS.
pub async fn serve<S: Io>(stream: S, caller: &Caller, target: &Target, context: &Context, tls: Option<&str>) {
    let wire = Wire::new(stream, context.pool.spare.clone());
    let mut opening = Opening::new(caller, target, context, tls);
    let arrived = tokio::select! {
        biased;
        arrived = opening.arrive(target) => arrived,
        () = gone(&wire) => return wire.reset(),
    };
    match opening.dial(arrived).await {
        Ok((stream, _call)) => drop(relay::join(&wire, &Wire::new(stream, context.pool.spare.clone())).await),
        // A caller that was refused must not take it for an orderly end.
        Err(_) => wire.reset(),
    }
}

/// Becomes ready when a caller gives up while it waits: it ends and has said nothing, or breaks off. One that has said
/// something and ends may have said all that it has to say.
async fn gone<S: Io>(wire: &Wire<S>) {
    while !wire.is_full() {
        match wire.fill().await {
            Ok(0) if !wire.is_empty() => break,
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    std::future::pending().await
}

/// Opens a connection to a callee once that is ready; for the callee the call lasts until it is dropped. It is recorded
/// at once, as many live as long as their programs.
pub async fn open(
    caller: &Caller,
    target: &Target,
    context: &Context,
    tls: Option<&str>,
) -> Result<(Stream, Call), Refusal> {
    let mut opening = Opening::new(caller, target, context, tls);
    let arrived = opening.arrive(target).await;
    opening.dial(arrived).await
}

/// A connection in the making. Dropped before it is made, it is recorded as one whose caller went away.
struct Opening<'a> {
    caller: &'a Caller,
    context: &'a Context,
    recording: Recording,
}

impl<'a> Opening<'a> {
    fn new(caller: &'a Caller, target: &Target, context: &'a Context, tls: Option<&str>) -> Self {
        let (begun, now) = (clock::instant(), clock::utc());
        let identity = Identity::of(now, &Given::default());
        let words = Words::new(identity.request_id(), "", tls.unwrap_or(""));
        let protocol = if tls.is_some() { "tls" } else { "tcp" };
        let to = target.upstream.service().clone();
        let mut recording = context.recording(words, identity.trace_id, (begun, now), caller, to, protocol);
        recording.fail(GONE);
        Self { caller, context, recording }
    }

    /// Begins the call once the callee is ready.
    async fn arrive(&mut self, target: &Target) -> Result<(Routed, Call), Refusal> {
        let mut routed = self.context.router.lead_bytes(target.clone(), self.caller)?;
        self.recording.routed(&routed);
        let call = self.context.arrive(&mut routed, self.caller).await?;
        self.recording.routed(&routed);
        Ok((routed, call))
    }

    /// To the instance that was chosen, or to another where that cannot be connected to.
    async fn connect(&mut self, routed: &Routed, mut call: Call) -> Result<(Stream, Call), Refusal> {
        let (target, mut tried) = (&routed.target, Tried::default());
        loop {
            match self.context.pool.dialer.dial(call.location(), self.caller, Offer::Bytes).await {
                Ok(stream) => return Ok((stream, call)),
                Err(_) if self.context.another(target, &mut call, &mut tried, &mut self.recording) => {}
                Err(error) => return Err(unreached(&target.upstream, call.location(), &error)),
            }
        }
    }

    async fn dial(mut self, arrived: Result<(Routed, Call), Refusal>) -> Result<(Stream, Call), Refusal> {
        let opened = match arrived {
            Ok((routed, call)) => self.connect(&routed, call).await,
            Err(refusal) => Err(refusal),
        };
        match &opened {
            Ok(_) => self.recording.succeed(),
            Err(refusal) => self.recording.fail(refusal.to_string()),
        }
        opened
    }
}
