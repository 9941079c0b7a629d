//! HTTP/1.1 from caller to callee: one task a connection, no copy but the one from read to write.
//!
//! Heads are read strictly and written anew, bodies are framed anew: what a callee gets is what was understood here.
//! What this file does not speak, HTTP/2 on either side, it leaves to `bridge`.

mod answering;
mod attempts;
mod exchange;
mod framing;
mod head;
mod idle;
mod lead;
mod origin;
pub mod outbound;
mod refuse;
mod reply;
mod request;
mod response;
pub mod text;
mod trailers;
mod transfer;

use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use attempts::Attempts;
use exchange::{Call, Outcome};
use framing::{Encoder, Framing};
use head::{Fault, MOST_FIELDS};
use idle::{Idle, Next};
use refuse::refusal;
use request::{Request, of_later_version};
use response::Asked;
use transfer::Transfer;

use super::answer::{Asker, Refusal};
use super::body::{GONE, Recording};
use super::copies::{Copy, Tee, read_head};
use super::dial::Stream;
use super::headers::Identity;
use super::http::{self, Caller, Context, Lead, Making, Way};
use super::link::Serving;
use super::pool::Shelf;
use super::relay;
use super::routing::{Fields, Routed};
use super::tunnel::Tunnel;
use super::wire::{Io, Text, Wire};
use crate::dtab::overrides;
use crate::effects::clock;
use crate::route::{Call as Place, Location, Tried};
use crate::telemetry::requests::{Link, Words};

pub use request::{Added, authority};

/// How serving a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Closed,
    /// What comes next is nothing for this file; it has not been taken.
    Other(Spoken),
}

/// What a caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    Http1,
    Http2,
}

/// What follows a request.
enum After {
    Next,
    Close,
    /// Let go at once: an orderly end would say that all is well.
    Cut,
    /// Close, but let the caller read what it was told: it may still be sending.
    Linger,
    Other(Spoken),
}

/// Serves a caller's connection.
pub async fn serve<S: Io, W: Way>(wire: &Wire<S>, caller: &Caller, way: &W, context: &Context) -> End {
    let ended = Cell::new(clock::instant());
    let own = context.links.of_caller(caller);
    let server =
        Server { wire, caller, way, context, ended, own, shelf: RefCell::default(), callee: RefCell::default() };
    let mut idle = Idle::new(way.closing(), context.limits);
    loop {
        let after = match idle.next(wire, server.ended.get()).await {
            Next::Head { length, is_last } => server.request(length, is_last).await,
            Next::Wrong(fault) => server.refuse_unread(refusal(fault)).await,
            Next::Late => server.refuse_unread(Refusal::Late(context.limits.head)).await,
            Next::Http2 => After::Other(Spoken::Http2),
            Next::Closed => return End::Closed,
        };
        match after {
            After::Next => {}
            After::Other(spoken) => return End::Other(spoken),
            After::Cut => return End::Closed,
            After::Close => {
                let _ = wire.shutdown().await;
                return End::Closed;
            }
            After::Linger => {
                idle::linger(wire, context.limits).await;
                return End::Closed;
            }
        }
    }
}

struct Server<'a, S, W> {
    wire: &'a Wire<S>,
    caller: &'a Caller,
    way: &'a W,
    context: &'a Context,
    /// When the last answer did.
    ended: Cell<Instant>,
    /// What the caller is serving itself.
    own: Option<Serving>,
    /// Where the last callee's connections are kept.
    shelf: RefCell<Option<(Location, Shelf)>>,
    /// What the last callee is serving.
    callee: RefCell<Option<(Callee, Serving)>>,
}

/// A service, and the address of one of its pods.
type Callee = (Arc<str>, Option<Ipv4Addr>);

/// A request whose head has been read and written anew.
struct Prepared {
    routed: Routed,
    /// It leads nowhere.
    refusal: Option<Box<Refusal>>,
    link: (Link, Option<Arc<str>>),
    text: Text,
    asked: Asked,
    framing: Framing,
    is_idempotent: bool,
    identity: Identity,
    asker: Asker,
}

/// What became of a head.
enum Read {
    Call(Prepared, Words),
    Here(Making, Asked, Framing),
    Tunnel(Tunnel, Asker),
    Wrong(Fault),
    Other,
}

impl<S: Io, W: Way> Server<'_, S, W> {
    async fn request(&self, length: usize, is_last: bool) -> After {
        let (begun, now) = (clock::instant(), clock::utc());
        let read = self.wire.take(|bytes| match self.prepare(&bytes[..length], is_last, now) {
            Read::Other => (0, Read::Other),
            read => (length, read),
        });
        let (call, words) = match read {
            Read::Call(call, words) => (call, words),
            Read::Other => return After::Other(Spoken::Http1),
            Read::Wrong(fault) => return self.refuse_unread(refusal(fault)).await,
            Read::Tunnel(tunnel, asker) => return Box::pin(self.connect(&tunnel, asker)).await,
            Read::Here(making, asked, framing) => {
                let Some(answer) = idle::unless_gone(self.wire, making).await else { return After::Cut };
                // Behind a refused CONNECT there may be what was meant for its tunnel.
                let keeps = asked.keeps && framing == Framing::NONE && !asked.is_connect;
                return self.reply(&answer, Asked { keeps, ..asked }, None).await;
            }
        };
        let upstream = &call.routed.target.upstream;
        let to = upstream.service().clone();
        let mut recording =
            self.context.recording(words, call.identity.trace_id, (begun, now), self.caller, to, "http");
        recording.linked(call.link.clone());
        if call.refusal.is_none() {
            recording.routed(&call.routed);
        }
        if call.refusal.is_none() {
            let read = || read_head(&call.text.bytes);
            recording.copy = Copy::begin(self.context, self.caller, &call.routed, &call.identity, read);
        }
        self.call(call, RefCell::new(recording)).await
    }

    fn prepare(&self, head: &[u8], is_last: bool, now: jiff::Timestamp) -> Read {
        let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let request = match Request::read(head, &mut room) {
            Ok(request) => request,
            Err(Fault::Version) => {
                return match of_later_version(head) {
                    Ok(head) => self.prepare(&head, is_last, now),
                    Err(fault) => Read::Wrong(fault),
                };
            }
            Err(fault) => return Read::Wrong(fault),
        };
        let asker = Asker::accepting(request.accept);
        let asked = Asked {
            is_http11: request.is_http11,
            is_head: request.method == "HEAD",
            is_connect: request.is_connect(),
            upgrades: request.upgrade.is_some(),
            keeps: request.keeps && !is_last,
        };
        let host = if asked.is_connect { request.target } else { request.host };
        let lead = self.way.lead(&http::Asked { host, path: request.target, is_connect: asked.is_connect, asker });
        let target = match lead {
            Lead::Service(target) => target,
            Lead::Tunnel(tunnel) => return Read::Tunnel(tunnel, asker),
            Lead::Here(making) => return Read::Here(making, asked, request.framing),
        };
        let mut identity = Identity::of(now, &request.given);
        let carried = || request.first(overrides::INHERITED);
        let linked = self.own.as_ref().map(|own| own.link(&mut identity, carried)).unwrap_or_default();
        let led = match self.context.endless(&linked, self.caller, &identity) {
            Some(refusal) => Err(refusal),
            None => self.lead(target.clone(), &request, linked.inherited.as_ref()),
        };
        let (routed, refusal) = match led {
            Ok(routed) => (routed, None),
            Err(refusal) => (Routed::plainly(target), Some(Box::new(refusal))),
        };
        if routed.target.endpoint().protocol.is_http2() && refusal.is_none() {
            return Read::Other;
        }
        let host = routed.target.endpoint().location.host();
        let more = routed.more.as_deref();
        let added = Added { identity: &identity, host: host.as_deref(), origin: self.way.origin(), more };
        let mut text = self.wire.spare().text();
        request.write(&added, &mut text.bytes);
        let words = Words::new(identity.request_id(), request.method, request.target);
        let (framing, is_idempotent) = (request.framing, request.is_idempotent());
        let call =
            Prepared { routed, refusal, link: linked.told(), text, asked, framing, is_idempotent, identity, asker };
        Read::Call(call, words)
    }

    async fn call(&self, mut call: Prepared, recording: RefCell<Recording>) -> After {
        let body = Transfer::new(
            call.framing,
            match call.framing {
                Framing::Chunked => Encoder::Chunked,
                Framing::Length(_) | Framing::Close => Encoder::Raw,
            },
        );
        let mut body = body.seen_by(recording.borrow().copy.clone().map(Tee::Upload));
        let read = body.take(self.wire, &mut call.text.bytes);
        let refused = match (read, call.refusal.take()) {
            (Err(malformed), _) => Err(Refusal::Malformed(malformed.to_string())),
            (Ok(()), Some(refusal)) => Err(*refusal),
            (Ok(()), None) => match self.arrive(&mut call, &recording).await {
                Some(arrived) => arrived,
                None => return gone(&recording, "it did not wait until the service was ready"),
            },
        };
        let result = match refused {
            Ok(place) => {
                let exchanged = self.exchange(&call, place, &mut body, &recording).await;
                exchanged.map_err(|refusal| refusal.led(&call.routed))
            }
            Err(refusal) => Err(refusal),
        };
        match result {
            Ok(after) => after,
            Err(refusal) => self.refuse(refusal, &call, body.is_done(), recording).await,
        }
    }

    /// Over a kept connection or a new one; over another if the callee had closed the kept one.
    async fn exchange(
        &self,
        call: &Prepared,
        place: Place,
        body: &mut Transfer,
        recording: &RefCell<Recording>,
    ) -> Result<After, Refusal> {
        let upstream = &call.routed.target.upstream;
        let (pool, begun, mut tried) = (&self.context.pool, recording.borrow().begun, Tried::default());
        let shelf = self.shelf(place.location());
        let mut attempts = Attempts { pool, caller: self.caller, begun, place, shelf };
        loop {
            let another = |place: &mut Place| {
                self.another(call, place, &mut tried, recording).then(|| self.shelf(place.location()))
            };
            let (callee, is_kept) = match idle::unless_gone(self.wire, attempts.next(another)).await {
                Some(Ok(next)) => next,
                Some(Err(error)) => return Err(http::unreached(upstream, attempts.place.location(), &error)),
                None => return Ok(gone(recording, "it went away")),
            };
            let id = call.identity.id();
            let sent = Call { text: &call.text.bytes, asked: call.asked, id, is_idempotent: call.is_idempotent };
            let reason = match exchange::run(self.wire, &callee, &sent, body, recording).await {
                // What is still to come of the request is HTTP, and would be read as the new protocol's.
                Outcome::Answered { answer, is_uploaded: false } if answer.tunnel => {
                    recording.borrow_mut().fail("it changed the protocol before the request had ended".to_owned());
                    return Ok(After::Cut);
                }
                Outcome::Answered { answer, .. } if answer.tunnel => {
                    recording.borrow_mut().finish();
                    return Ok(self.tunnel(&callee).await);
                }
                Outcome::Answered { answer, is_uploaded } => {
                    let ended = recording.borrow_mut().finish();
                    self.ended.set(ended);
                    if answer.keeps && is_uploaded {
                        pool.keep(&attempts.shelf, callee, ended);
                    }
                    return Ok(match (is_uploaded, answer.caller_keeps) {
                        (false, _) => After::Linger,
                        (true, true) => After::Next,
                        (true, false) => After::Close,
                    });
                }
                Outcome::Unanswered { is_unsent: true, .. } if is_kept => continue,
                Outcome::Unanswered { error, .. } => format!("no answer: {error}"),
                Outcome::Wrong(Fault::Http2) => return Err(Refusal::only_http2(&call.routed.target)),
                Outcome::Wrong(fault) => format!("its answer cannot be read: {fault}"),
                Outcome::Malformed(reason) => return Err(Refusal::Malformed(reason)),
                Outcome::BrokeOff { error, is_delimited } => {
                    recording.borrow_mut().fail(format!("the answer broke off: {error}"));
                    if !is_delimited {
                        self.wire.reset();
                    }
                    return Ok(After::Cut);
                }
                Outcome::CallerGone(reason) => return Ok(gone(recording, &reason)),
            };
            return Err(Refusal::failed(upstream, reason));
        }
    }

    /// Opens a tunnel ourselves.
    async fn connect(&self, tunnel: &Tunnel, asker: Asker) -> After {
        let opened = idle::unless_gone(self.wire, tunnel.open(self.caller, self.context)).await;
        let (stream, _call) = match opened {
            None => return After::Cut,
            Some(Ok(opened)) => opened,
            Some(Err(refusal)) => {
                let answer = self.way.refuse(refusal, asker).await;
                return self.reply(&answer, Asked::LAST, None).await;
            }
        };
        let callee = Wire::new(stream, self.wire.spare().clone());
        match self.wire.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await {
            Ok(()) => self.tunnel(&callee).await,
            Err(_) => After::Cut,
        }
    }

    /// Both sides have agreed to speak something else from here on.
    async fn tunnel(&self, callee: &Wire<Stream>) -> After {
        match relay::join(self.wire, callee).await {
            Ok(()) => After::Close,
            Err(_) => After::Cut,
        }
    }
}

/// Nobody waits for the answer any more; that is not the callee's failure.
fn gone(recording: &RefCell<Recording>, reason: &str) -> After {
    recording.borrow_mut().fail(format!("{GONE}: {reason}"));
    After::Cut
}
