//! Connections to callees, kept for the next call.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::http::LocalExecutor;
use crate::effects::clock;
use crate::route::Location;

/// Idle connections that are kept for one callee: as many as callers at once can need. Fewer would be closed and made
/// again with every call beyond them.
const KEPT: usize = 256;
/// Servers close idle connections after a while; one that is younger is very likely still open.
const FRESH: Duration = Duration::from_secs(30);

/// All connections of the proxy's thread, by where they lead.
#[derive(Clone, Default)]
pub struct Pool(Rc<RefCell<HashMap<Location, Kept>>>);

#[derive(Default)]
struct Kept {
    /// The latest used at the back, where it is taken from first: those at the front grow old and are dropped.
    http1: VecDeque<(http1::SendRequest<Incoming>, Instant)>,
    http2: Option<http2::SendRequest<Incoming>>,
}

/// An HTTP/1.1 connection that is in use.
pub struct Lease {
    pool: Pool,
    location: Location,
    sender: http1::SendRequest<Incoming>,
}

/// Why a call did not reach its callee or got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("nothing answers at {0}: {1}")]
    Connect(Location, io::Error),
    #[error("{0} wants TLS, which is not built yet in this version of nagaya")]
    Tls(Location),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
}

/// A stream to where a callee is.
pub async fn connect(location: &Location) -> Result<TcpStream, CallError> {
    let stream = match location {
        Location::Loopback(port) => connect_loopback(*port).await,
        Location::Elsewhere { tls: true, .. } => return Err(CallError::Tls(location.clone())),
        Location::Elsewhere { host, port, tls: false } => TcpStream::connect((&**host, *port)).await,
    };
    let ready = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
    ready.map_err(|error| CallError::Connect(location.clone(), error))
}

/// Many servers listen on one family only.
async fn connect_loopback(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Ok(stream) => Ok(stream),
        Err(error) => TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.map_err(|_| error),
    }
}

impl Pool {
    /// Sends a request over HTTP/1.1. A kept connection that turns out to be closed is no failure: the request is
    /// untouched then and goes over a new one.
    pub async fn http1(
        &self,
        location: &Location,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, Lease), CallError> {
        while let Some(mut sender) = self.take(location) {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, Lease { pool: self.clone(), location: location.clone(), sender })),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let stream = connect(location).await?;
        let (mut sender, connection) =
            http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await?;
        spawn_local(async move {
            let _ = connection.with_upgrades().await;
        });
        let answer = sender.send_request(request).await?;
        Ok((answer, Lease { pool: self.clone(), location: location.clone(), sender }))
    }

    /// Sends a request over HTTP/2 with prior knowledge; all calls to a place share one connection.
    pub async fn http2(
        &self,
        location: &Location,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, CallError> {
        let kept = self.0.borrow().get(location).and_then(|kept| kept.http2.clone());
        if let Some(mut sender) = kept.filter(|sender| !sender.is_closed()) {
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let stream = connect(location).await?;
        let (mut sender, connection) = http2::Builder::new(LocalExecutor).handshake(TokioIo::new(stream)).await?;
        spawn_local(async move {
            let _ = connection.await;
        });
        self.0.borrow_mut().entry(location.clone()).or_default().http2 = Some(sender.clone());
        Ok(sender.send_request(request).await?)
    }

    fn take(&self, location: &Location) -> Option<http1::SendRequest<Incoming>> {
        let mut pool = self.0.borrow_mut();
        let kept = pool.get_mut(location)?;
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
        let mut pool = self.pool.0.borrow_mut();
        let kept = pool.entry(self.location).or_default();
        while kept.http1.front().is_some_and(|(_, since)| since.elapsed() >= FRESH) {
            kept.http1.pop_front();
        }
        if kept.http1.len() < KEPT && !self.sender.is_closed() {
            kept.http1.push_back((self.sender, clock::instant()));
        }
    }
}
