//! Connections to callees, kept for the next call.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::dial::{Dialer, Offer, Stream, owner};
use super::http::{Caller, LocalExecutor};
use super::wire::{Spare, Wire};
use crate::effects::clock;
use crate::route::Location;

/// Idle connections that are kept for one callee: as many as callers at once can need. Fewer would be closed and made
/// again with every call beyond them.
const KEPT: usize = 512;
/// Servers close idle connections after a while; one that is younger is very likely still open.
const FRESH: Duration = Duration::from_secs(30);

/// Whose connections, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    location: Location,
    owner: Option<Caller>,
}

/// All connections of the proxy's thread.
#[derive(Clone, Default)]
pub struct Pool(Rc<Inner>);

/// What all clones of a pool share.
#[derive(Default)]
pub struct Inner {
    shelves: RefCell<HashMap<Key, Shelf>>,
    pub dialer: Dialer,
    pub spare: Spare,
    /// Somebody is going to look for those that grew old.
    is_swept: Cell<bool>,
}

impl Deref for Pool {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The connections to one place; clones are the same ones.
#[derive(Clone, Default)]
pub struct Shelf(Rc<RefCell<Kept>>);

/// The latest used are at the back, where they are taken from first: those at the front grow old and are dropped.
#[derive(Default)]
struct Kept {
    wires: VecDeque<(Wire<Stream>, Instant)>,
    http1: VecDeque<(http1::SendRequest<Incoming>, Instant)>,
    http2: Option<http2::SendRequest<Incoming>>,
    /// Nothing is called there any more.
    is_withdrawn: bool,
}

/// An HTTP/1.1 connection that is in use.
pub struct Lease {
    pool: Pool,
    shelf: Shelf,
    sender: http1::SendRequest<Incoming>,
}

/// Why a call did not reach its callee or got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("nothing answers on {0}: {1}")]
    Connect(Location, io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer: {0}")]
    Broken(String),
    /// It was asked by HTTP/1.1.
    #[error("it speaks HTTP/2 alone")]
    OnlyHttp2,
}

/// A call that failed, with the request where nothing of it was sent.
#[derive(Debug)]
pub struct Failed {
    pub error: CallError,
    pub unsent: Option<Box<Request<Incoming>>>,
}

impl<E: Into<CallError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), unsent: None }
    }
}

impl Pool {
    /// A pool that dials so.
    pub fn new(dialer: Dialer) -> Self {
        Self(Rc::new(Inner { dialer, ..Inner::default() }))
    }

    /// The connections of a caller to a place.
    pub fn shelf(&self, location: &Location, caller: &Caller) -> Shelf {
        let key = Key { location: location.clone(), owner: owner(location, caller) };
        self.shelves.borrow_mut().entry(key).or_default().clone()
    }

    /// Keeps a connection on which nothing is left of the last answer.
    pub fn keep(&self, shelf: &Shelf, wire: Wire<Stream>, now: Instant) {
        let kept = &mut shelf.0.borrow_mut();
        if wire.is_empty() && !kept.is_withdrawn && kept.wires.len() < KEPT {
            kept.wires.push_back((wire, now));
            self.sweep_later();
        }
    }

    /// Closes what is kept to a place, and keeps nothing more there. Servers that stop in order wait for that.
    pub fn withdraw(&self, location: &Location) {
        self.shelves.borrow_mut().retain(|key, shelf| {
            let stays = key.location != *location;
            if !stays {
                *shelf.0.borrow_mut() = Kept { is_withdrawn: true, ..Kept::default() };
            }
            stays
        });
    }

    fn sweep_later(&self) {
        if !self.is_swept.replace(true) {
            spawn_local(self.clone().sweep());
        }
    }

    /// Closes what has grown old, until nothing is kept.
    async fn sweep(self) {
        loop {
            tokio::time::sleep(FRESH).await;
            if !self.close_old(clock::instant()) {
                return self.is_swept.set(false);
            }
        }
    }

    /// Whether any are left.
    fn close_old(&self, now: Instant) -> bool {
        let is_old = |since: &Instant| now.saturating_duration_since(*since) >= FRESH;
        let mut left = false;
        for shelf in self.shelves.borrow().values() {
            let Kept { wires, http1, .. } = &mut *shelf.0.borrow_mut();
            wires.drain(..wires.partition_point(|(_, since)| is_old(since)));
            http1.drain(..http1.partition_point(|(_, since)| is_old(since)));
            left |= !wires.is_empty() || !http1.is_empty();
        }
        left
    }

    /// Opens a connection for HTTP/1.1.
    pub async fn dial_wire(&self, location: &Location, caller: &Caller) -> io::Result<Wire<Stream>> {
        let stream = self.dialer.dial(location, caller, Offer::Http1).await?;
        Ok(Wire::new(stream, self.spare.clone()))
    }

    /// Sends a request over HTTP/1.1. A kept connection that turns out to be closed is no failure: the request is
    /// untouched then and goes over a new one.
    pub async fn http1(
        &self,
        location: &Location,
        caller: &Caller,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let shelf = self.shelf(location, caller);
        let lease = |sender| Lease { pool: self.clone(), shelf: shelf.clone(), sender };
        while let Some(mut sender) = shelf.take_http1() {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, lease(sender))),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let stream = match self.dialer.dial(location, caller, Offer::Http1).await {
            Ok(stream) => stream,
            Err(error) => return Err(not_connected(location, error, request)),
        };
        let mut builder = http1::Builder::new();
        let (mut sender, connection) =
            builder.preserve_header_case(true).writev(false).handshake(TokioIo::new(stream)).await?;
        spawn_local(async move {
            let _ = connection.with_upgrades().await;
        });
        let answer = sender.send_request(request).await?;
        Ok((answer, lease(sender)))
    }

    /// Sends a request over HTTP/2 with prior knowledge, or as TLS agreed; calls that may share a connection do.
    pub async fn http2(
        &self,
        location: &Location,
        caller: &Caller,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Failed> {
        let shelf = self.shelf(location, caller);
        let kept = shelf.0.borrow().http2.clone();
        if let Some(mut sender) = kept.filter(|sender| !sender.is_closed()) {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let stream = match self.dialer.dial(location, caller, Offer::Http2).await {
            Ok(stream) => stream,
            Err(error) => return Err(not_connected(location, error, request)),
        };
        if matches!(stream, Stream::Tls(_)) && !stream.negotiated_http2() {
            let reason = "it does not speak HTTP/2";
            let error = io::Error::new(io::ErrorKind::Unsupported, reason);
            return Err(CallError::Connect(location.clone(), error).into());
        }
        let builder = http2::Builder::new(LocalExecutor);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        spawn_local(async move {
            let _ = connection.await;
        });
        if !shelf.is_withdrawn() {
            shelf.0.borrow_mut().http2 = Some(sender.clone());
        }
        Ok(sender.send_request(request).await?)
    }
}

fn not_connected(location: &Location, error: io::Error, request: Request<Incoming>) -> Failed {
    Failed { error: CallError::Connect(location.clone(), error), unsent: Some(Box::new(request)) }
}

impl Shelf {
    /// Whether nothing is kept there any more: the next call to the same place has another one.
    pub fn is_withdrawn(&self) -> bool {
        self.0.borrow().is_withdrawn
    }

    /// A kept connection that is still open, as far as is known.
    pub fn take(&self) -> Option<Wire<Stream>> {
        let wires = &mut self.0.borrow_mut().wires;
        while let Some((wire, _)) = wires.pop_back() {
            // Whatever comes before it was asked for, its end included, is wrong. This asks the runtime and not the
            // kernel where nothing has come.
            if wire.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending() {
                return Some(wire);
            }
        }
        None
    }

    fn take_http1(&self) -> Option<http1::SendRequest<Incoming>> {
        let senders = &mut self.0.borrow_mut().http1;
        while let Some((sender, since)) = senders.pop_back() {
            if sender.is_ready() && since.elapsed() < FRESH {
                return Some(sender);
            }
        }
        None
    }
}

impl Lease {
    /// The answer has been read to its end.
    pub fn give_back(self) {
        let kept = &mut self.shelf.0.borrow_mut();
        if kept.http1.len() < KEPT && !kept.is_withdrawn && !self.sender.is_closed() {
            kept.http1.push_back((self.sender, clock::instant()));
            self.pool.sweep_later();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_of_hyper_that_grow_old_are_closed_too() {
        let (pool, caller) = (Pool::default(), Caller::Outside);
        let shelf = pool.shelf(&Location::Loopback(1), &caller);
        let begun = clock::instant();
        let mut callees = Vec::new();
        for since in [begun, begun + FRESH] {
            let (own, callee) = tokio::io::duplex(1);
            let (sender, connection) = http1::handshake(TokioIo::new(own)).await.unwrap();
            tokio::spawn(connection);
            shelf.0.borrow_mut().http1.push_back((sender, since));
            callees.push(callee);
        }
        assert!(pool.close_old(begun + FRESH), "the younger one stays");
        let ended = tokio::io::AsyncReadExt::read(&mut callees[0], &mut [0]).await;
        assert_eq!(ended.unwrap(), 0);
        assert!(!pool.close_old(begun + 2 * FRESH), "none is left");
    }
}
