//! The one connection to a place that calls by HTTP/2 share, and its making, which they share as well.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::{CallError, FRESH, Failed, Pool, Shelf, is_old};
use crate::effects::clock;
use crate::proxy::dial::{Offer, Stream};
use crate::proxy::http::Caller;
use crate::proxy::reset::is_of_stream;
use crate::proxy::together::{Spawner, Together};
use crate::proxy::upload::Upload;
use crate::route::Location;

type Sender = http2::SendRequest<Upload>;

/// After so long without a word a callee that still owes an answer is asked whether it is there. Servers of gRPC take
/// a client that asks more often than every 5 minutes for a nuisance, and close.
const QUIET: Duration = Duration::from_secs(330);
/// Streams that were given up lately and are still known, so that what comes for them is no error.
const MOST_RESETS: usize = 1000;
/// How long it may take to say so.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, and the one that is being made.
#[derive(Default)]
pub struct Line {
    open: Option<Open>,
    /// What will have come of it.
    coming: Option<watch::Receiver<Option<Made>>>,
    /// Of the connection that was made last.
    number: u64,
}

struct Open {
    number: u64,
    sender: Sender,
    /// When a call last began there.
    used: Instant,
}

type Made = Result<Sender, Failure>;

/// Why there is no connection: each that waited for it is told.
#[derive(Debug, Clone)]
enum Failure {
    Connect(Arc<io::Error>),
    Broken(Arc<str>),
}

impl Line {
    /// Whether there is neither a connection nor one to come.
    pub fn is_unused(&self) -> bool {
        self.open.is_none() && self.coming.is_none()
    }

    /// Whether there is a connection.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Lets a connection go on which no call has begun for long. What is under way there still ends.
    pub fn close_old(&mut self, now: Instant) {
        self.open.take_if(|open| open.sender.is_closed() || is_old(open.used, now, FRESH));
    }

    /// For a call that begins now.
    fn take(&mut self, now: Instant) -> Option<(u64, Sender)> {
        self.close_old(now);
        let open = self.open.as_mut()?;
        open.used = now;
        Some((open.number, open.sender.clone()))
    }

    /// It turned out to take no more calls.
    fn forget(&mut self, number: u64) {
        self.open.take_if(|open| open.number == number);
    }

    /// The one that was made last turned out to be broken.
    fn forget_last(&mut self) {
        self.open = None;
    }

    /// The connection that is used from now on.
    pub fn set(&mut self, sender: Sender, used: Instant) {
        self.number += 1;
        self.open = Some(Open { number: self.number, sender, used });
    }
}

impl Failure {
    fn told(self, location: &Location) -> CallError {
        match self {
            Self::Connect(error) => CallError::Connect(location.clone(), again(&error)),
            Self::Broken(reason) => CallError::Broken(reason.to_string()),
        }
    }
}

/// The same error for somebody else, with what is told of TLS.
fn again(error: &io::Error) -> io::Error {
    if let Some(number) = error.raw_os_error() {
        return io::Error::from_raw_os_error(number);
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => io::Error::new(error.kind(), tls.clone()),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Pool {
    /// Sends a request over HTTP/2 with prior knowledge, or as TLS agreed; calls that may share a connection do.
    pub async fn http2(
        &self,
        location: &Location,
        caller: &Caller,
        mut request: Request<Upload>,
    ) -> Result<Response<Incoming>, Failed> {
        let shelf = self.shelf(location, caller);
        while let Some((number, mut sender)) = shelf.take_http2() {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => {
                        let error = error.into_error();
                        if !is_of_stream(&error) {
                            shelf.0.borrow_mut().http2.forget(number);
                        }
                        return Err(error.into());
                    }
                },
            }
            shelf.0.borrow_mut().http2.forget(number);
        }
        let mut sender = match self.shared(&shelf, location, caller).await {
            Ok(sender) => sender,
            Err(error) => return Err(Failed::before(error, request)),
        };
        Ok(sender.send_request(request).await.inspect_err(|error| {
            if !is_of_stream(error) {
                shelf.0.borrow_mut().http2.forget_last();
            }
        })?)
    }

    /// The connection that is being made. Whoever comes first has it made, and it is made though that one goes away:
    /// others may wait.
    async fn shared(&self, shelf: &Shelf, location: &Location, caller: &Caller) -> Result<Sender, CallError> {
        let make = || {
            let (told, coming) = watch::channel(None);
            spawn_local(self.clone().make(shelf.clone(), location.clone(), caller.clone(), told));
            coming
        };
        let mut coming = shelf.0.borrow_mut().http2.coming.get_or_insert_with(make).clone();
        let made = coming.wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
        let never = || Err(Failure::Broken("the connection was given up".into()));
        made.unwrap_or_else(never).map_err(|failure| failure.told(location))
    }

    async fn make(self, shelf: Shelf, location: Location, caller: Caller, told: watch::Sender<Option<Made>>) {
        let made = self.handshake(&location, &caller).await;
        {
            let kept = &mut *shelf.0.borrow_mut();
            kept.http2.coming = None;
            if let Ok(sender) = &made
                && !kept.is_withdrawn
            {
                kept.http2.set(sender.clone(), clock::instant());
                self.sweep_later();
            }
        }
        told.send_replace(Some(made));
    }

    async fn handshake(&self, location: &Location, caller: &Caller) -> Made {
        let dialled = self.dialer.dial(location, caller, Offer::Http2).await;
        let stream = dialled.map_err(|error| Failure::Connect(Arc::new(error)))?;
        if matches!(stream, Stream::Tls(_)) && !stream.negotiated_http2() {
            let error = io::Error::new(io::ErrorKind::Unsupported, "it does not speak HTTP/2");
            return Err(Failure::Connect(Arc::new(error)));
        }
        let spawner = Spawner::default();
        let mut builder = http2::Builder::new(spawner.clone());
        // What still comes for calls that were given up counts as an error there, over the connection's whole life, and
        // a thousand of these would end it with all other calls on it.
        builder.max_concurrent_reset_streams(MOST_RESETS).max_local_error_reset_streams(None);
        builder.timer(TokioTimer::new()).keep_alive_interval(QUIET).keep_alive_timeout(PATIENCE);
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| Failure::Broken(error.to_string().into()))?;
        spawn_local(Together::new(connection, spawner).whole());
        Ok(sender)
    }
}

impl Shelf {
    fn take_http2(&self) -> Option<(u64, Sender)> {
        let kept = &mut *self.0.borrow_mut();
        // Where there is none, nobody has to know what time it is.
        kept.http2.is_open().then(|| kept.http2.take(clock::instant())).flatten()
    }
}
