//! Connections to callees, kept for the next call.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
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
pub struct Key {
    location: Location,
    owner: Option<Arc<str>>,
}

impl Key {
    pub fn new(location: &Location, caller: &Caller) -> Self {
        Self { location: location.clone(), owner: owner(location, caller) }
    }
}

/// All connections of the proxy's thread.
#[derive(Clone, Default)]
pub struct Pool(Rc<Inner>);

/// What all clones of a pool share.
#[derive(Default)]
pub struct Inner {
    kept: RefCell<HashMap<Key, Kept>>,
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

/// The latest used are at the back, where they are taken from first: those at the front grow old and are dropped.
#[derive(Default)]
struct Kept {
    wires: VecDeque<(Wire<Stream>, Instant)>,
    http1: VecDeque<(http1::SendRequest<Incoming>, Instant)>,
    http2: Option<http2::SendRequest<Incoming>>,
}

/// An HTTP/1.1 connection that is in use.
pub struct Lease {
    pool: Pool,
    key: Key,
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
}

impl Pool {
    /// A pool that dials so.
    pub fn new(dialer: Dialer) -> Self {
        Self(Rc::new(Inner { dialer, ..Inner::default() }))
    }

    /// A kept connection that is still open, as far as is known.
    pub fn take_wire(&self, key: &Key) -> Option<Wire<Stream>> {
        let mut kept = self.kept.borrow_mut();
        let wires = &mut kept.get_mut(key)?.wires;
        while let Some((wire, _)) = wires.pop_back() {
            // Whatever comes before it was asked for, its end included, is wrong. This asks the runtime and not the
            // kernel where nothing has come.
            if wire.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending() {
                return Some(wire);
            }
        }
        None
    }

    /// Keeps a connection on which nothing is left of the last answer.
    pub fn keep_wire(&self, key: &Key, wire: Wire<Stream>, now: Instant) {
        if !wire.is_empty() {
            return;
        }
        let mut kept = self.kept.borrow_mut();
        let wires = match kept.get_mut(key) {
            Some(kept) => &mut kept.wires,
            None => &mut kept.entry(key.clone()).or_default().wires,
        };
        if wires.len() < KEPT {
            wires.push_back((wire, now));
            if !self.is_swept.replace(true) {
                spawn_local(self.clone().sweep());
            }
        }
    }

    /// Closes what has grown old, until nothing is kept.
    async fn sweep(self) {
        let mut left = true;
        while left {
            tokio::time::sleep(FRESH).await;
            let now = clock::instant();
            let old = |since: &Instant| now.saturating_duration_since(*since) >= FRESH;
            left = false;
            for kept in self.kept.borrow_mut().values_mut() {
                let count = kept.wires.partition_point(|(_, since)| old(since));
                kept.wires.drain(..count);
                left |= !kept.wires.is_empty();
            }
        }
        self.is_swept.set(false);
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
    ) -> Result<(Response<Incoming>, Lease), CallError> {
        let key = Key::new(location, caller);
        let lease = |sender| Lease { pool: self.clone(), key: key.clone(), sender };
        while let Some(mut sender) = self.take_http1(&key) {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, lease(sender))),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let dialled = self.dialer.dial(location, caller, Offer::Http1).await;
        let stream = dialled.map_err(|error| CallError::Connect(location.clone(), error))?;
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
    ) -> Result<Response<Incoming>, CallError> {
        let key = Key::new(location, caller);
        let kept = self.kept.borrow().get(&key).and_then(|kept| kept.http2.clone());
        if let Some(mut sender) = kept.filter(|sender| !sender.is_closed()) {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let failed = |error| CallError::Connect(location.clone(), error);
        let stream = self.dialer.dial(location, caller, Offer::Http2).await.map_err(failed)?;
        if matches!(stream, Stream::Tls(_)) && !stream.negotiated_http2() {
            let reason = "it does not speak HTTP/2";
            return Err(failed(io::Error::new(io::ErrorKind::Unsupported, reason)));
        }
        let builder = http2::Builder::new(LocalExecutor);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        spawn_local(async move {
            let _ = connection.await;
        });
        self.kept.borrow_mut().entry(key).or_default().http2 = Some(sender.clone());
        Ok(sender.send_request(request).await?)
    }

    fn take_http1(&self, key: &Key) -> Option<http1::SendRequest<Incoming>> {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.get_mut(key)?;
        while let Some((sender, since)) = kept.http1.pop_back() {
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
        let mut kept = self.pool.kept.borrow_mut();
        let kept = kept.entry(self.key).or_default();
        while kept.http1.front().is_some_and(|(_, since)| since.elapsed() >= FRESH) {
            kept.http1.pop_front();
        }
        if kept.http1.len() < KEPT && !self.sender.is_closed() {
            kept.http1.push_back((self.sender, clock::instant()));
        }
    }
}
