//! Connections to callees, kept for the next call.

mod failed;
mod http2;
mod place;
mod sweep;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;
use tokio::task::spawn_local;

pub use failed::Failed;
use http2::Line;
use place::Place;
pub use place::Seat;

use super::dial::{Dialer, Offer, Stream, owner};
use super::http::Caller;
use super::upload::Upload;
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
    /// And for those that are not kept for as long.
    is_swept_soon: Cell<bool>,
}

impl Deref for Pool {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The connections to one place; clones are the same ones.
#[derive(Clone)]
pub struct Shelf(Rc<RefCell<Kept>>);

/// The latest used are at the back, where they are taken from first: those at the front grow old and are dropped.
struct Kept {
    place: Arc<Place>,
    wires: VecDeque<(Wire<Stream>, Instant)>,
    http1: VecDeque<(http1::SendRequest<Upload>, Instant)>,
    http2: Line,
    /// Nothing is called there any more.
    is_withdrawn: bool,
}

/// An HTTP/1.1 connection that is in use.
pub struct Lease {
    pool: Pool,
    shelf: Shelf,
    sender: http1::SendRequest<Upload>,
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

impl Pool {
    /// A pool that dials so.
    pub fn new(dialer: Dialer) -> Self {
        Self(Rc::new(Inner { dialer, ..Inner::default() }))
    }

    /// The connections of a caller to a place.
    pub fn shelf(&self, location: &Location, caller: &Caller) -> Shelf {
        let key = Key { location: location.clone(), owner: owner(location, caller) };
        let mut shelves = self.shelves.borrow_mut();
        if let Some(known) = shelves.get(&key) {
            return known.clone();
        }
        // Perhaps nothing is ever kept there.
        self.sweep_later();
        let others = shelves.iter().find(|(other, _)| other.location == *location);
        let place = others.map_or_else(|| Place::at(location), |(_, shelf)| shelf.place());
        let shelf = Shelf::at(place);
        shelves.insert(key, shelf.clone());
        shelf
    }

    /// Keeps a connection on which nothing is left of the last answer.
    pub fn keep(&self, shelf: &Shelf, wire: Wire<Stream>, now: Instant) {
        let kept = &mut shelf.0.borrow_mut();
        let has_room = wire.is_empty() && !kept.is_withdrawn && kept.wires.len() < KEPT;
        if has_room && wire.with(|stream| stream.seat().is_none_or(|seat| seat.stays(now))) {
            kept.wires.push_back((wire, now));
            self.kept_at(&kept.place);
        }
    }

    /// Closes what is kept to a place, and keeps nothing more there. Servers that stop in order wait for that.
    pub fn withdraw(&self, location: &Location) {
        self.shelves.borrow_mut().retain(|key, shelf| {
            let stays = key.location != *location;
            if !stays {
                let kept = &mut *shelf.0.borrow_mut();
                *kept = Kept { is_withdrawn: true, ..Kept::at(kept.place.clone()) };
            }
            stays
        });
    }

    /// Opens a connection for HTTP/1.1.
    pub async fn dial_wire(&self, location: &Location, caller: &Caller) -> io::Result<Wire<Stream>> {
        Ok(Wire::new(self.dial_http1(location, caller).await?, self.spare.clone()))
    }

    async fn dial_http1(&self, location: &Location, caller: &Caller) -> io::Result<Stream> {
        let mut stream = self.dialer.dial(location, caller, Offer::Http1).await?;
        if let Stream::Tcp(_, seat) = &mut stream {
            *seat = self.seat(location, caller).map(Box::new);
        }
        Ok(stream)
    }

    /// Sends a request over HTTP/1.1. A kept connection that turns out to be closed is no failure: the request is
    /// untouched then and goes over a new one.
    pub async fn http1(
        &self,
        location: &Location,
        caller: &Caller,
        mut request: Request<Upload>,
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
        let stream = match self.dial_http1(location, caller).await {
            Ok(stream) => stream,
            Err(error) => return Err(Failed::connect(location, error, request)),
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
}

impl Kept {
    fn at(place: Arc<Place>) -> Self {
        let (wires, http1, http2) = Default::default();
        Self { place, wires, http1, http2, is_withdrawn: false }
    }
}

impl Shelf {
    fn at(place: Arc<Place>) -> Self {
        Self(Rc::new(RefCell::new(Kept::at(place))))
    }

    fn place(&self) -> Arc<Place> {
        self.0.borrow().place.clone()
    }

    /// Whether nothing is kept there any more: the next call to the same place has another one.
    pub fn is_withdrawn(&self) -> bool {
        self.0.borrow().is_withdrawn
    }

    /// A kept connection that is still open, as far as is known, for a call that begins now.
    pub fn take(&self, now: Instant) -> Option<Wire<Stream>> {
        let wires = &mut self.0.borrow_mut().wires;
        while let Some((wire, since)) = wires.pop_back() {
            if is_old(since, now, FRESH) {
                // Those that are left are older.
                wires.clear();
                return None;
            }
            // Whatever comes before it was asked for, its end included, is wrong. This asks the runtime and not the
            // kernel where nothing has come; a task that has had its share of the runtime would be told so all the same.
            let is_quiet = {
                let look = pin!(unconstrained(poll_fn(|context| wire.poll_fill(context))));
                look.poll(&mut Context::from_waker(Waker::noop())).is_pending()
            };
            if is_quiet {
                return Some(wire);
            }
        }
        None
    }

    fn take_http1(&self) -> Option<http1::SendRequest<Upload>> {
        let senders = &mut self.0.borrow_mut().http1;
        while let Some((sender, since)) = senders.pop_back() {
            if sender.is_ready() && !is_old(since, clock::instant(), FRESH) {
                return Some(sender);
            }
        }
        None
    }
}

/// Whether a connection that was used last at `since` has been idle for as long as it may.
fn is_old(since: Instant, now: Instant, limit: Duration) -> bool {
    now.saturating_duration_since(since) >= limit
}

impl Lease {
    /// The answer has been read to its end.
    pub fn give_back(self) {
        let kept = &mut self.shelf.0.borrow_mut();
        let has_room = kept.http1.len() < KEPT && !kept.is_withdrawn && !self.sender.is_closed();
        if has_room && !kept.place.is_waited_for() {
            kept.http1.push_back((self.sender, clock::instant()));
            self.pool.kept_at(&kept.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::{LocalSet, coop};

    use super::*;

    pub(super) const CALLER: Caller = Caller::Outside;
    pub(super) const PLACE: Location = Location::Loopback(1);

    /// A connection, and its other end.
    pub(super) async fn connected() -> (Wire<Stream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        (Wire::new(Stream::Tcp(own, None), Spare::default()), other)
    }

    #[test]
    fn a_kept_connection_is_taken_only_while_it_is_young() {
        local(async {
            let pool = Pool::default();
            let shelf = pool.shelf(&PLACE, &CALLER);
            let begun = clock::instant();
            let mut others = Vec::new();
            for since in [begun, begun + FRESH / 2] {
                let (wire, other) = connected().await;
                pool.keep(&shelf, wire, since);
                others.push(other);
            }
            assert!(shelf.take(begun + FRESH).is_some());
            assert!(shelf.take(begun + FRESH).is_none());
            assert!(shelf.0.borrow().wires.is_empty());
        });
    }

    /// The runtime tells such a task that nothing has come, whatever has.
    #[test]
    fn one_that_has_ended_is_not_taken_by_a_task_that_has_had_its_share() {
        local(async {
            let pool = Pool::default();
            let shelf = pool.shelf(&PLACE, &CALLER);
            let now = clock::instant();
            let (wire, other) = connected().await;
            drop(other);
            pool.keep(&shelf, wire, now);
            // The end of a second one that ended later is there: so is that of the first.
            let (second, third) = connected().await;
            drop(third);
            assert_eq!(second.fill().await.unwrap(), 0);
            let taken = spawn_local(async move {
                while coop::has_budget_remaining() {
                    coop::consume_budget().await;
                }
                shelf.take(now).is_some()
            });
            assert!(!taken.await.unwrap());
        });
    }

    pub(super) fn local(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, test);
    }
}
