//! Opens connections to callees: the one place that does.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http::Caller;
use super::pods::Pods;
use super::pool::Seat;
use crate::effects::{descriptors, roots};
use crate::route::Location;

/// How long a connection may take to come about. A callee whose backlog is full answers nothing at all.
const PATIENCE: Duration = Duration::from_secs(5);
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// What is going to be spoken, where that is negotiated in TLS (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Bytes,
    Http1,
    Http2,
}

/// A connection to a callee.
#[derive(Debug)]
pub enum Stream {
    /// Perhaps with what it tells of its callee.
    Tcp(TcpStream, Option<Box<Seat>>),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens connections; clones share what TLS needs, which is made when it is first used.
#[derive(Clone, Default)]
pub struct Dialer {
    tls: Rc<OnceCell<ClientConfig>>,
    /// The platform's where not given.
    roots: Option<Rc<RootCertStore>>,
    patience: Option<Duration>,
    /// The pods in which services are.
    pub pods: Pods,
}

/// Whose connections to a place may be shared: everybody's (`None`), or one caller's alone, where the connection itself
/// says who calls.
pub fn owner(location: &Location, caller: &Caller) -> Option<Caller> {
    match location {
        Location::Loopback(_) | Location::Elsewhere { .. } => None,
        Location::Pod { .. } => Some(caller.clone()),
    }
}

impl Dialer {
    /// A dialer that trusts these roots and not the platform's, and waits for `patience`.
    pub fn new(roots: RootCertStore, patience: Duration) -> Self {
        Self { tls: Rc::default(), roots: Some(Rc::new(roots)), patience: Some(patience), pods: Pods::default() }
    }

    /// Connects to a place for a caller. A callee that does not accept in time is `TimedOut`.
    pub async fn dial(&self, location: &Location, caller: &Caller, offer: Offer) -> io::Result<Stream> {
        let connected = async {
            match location {
                Location::Loopback(port) => loopback(*port).await.map(Stream::plain),
                Location::Pod { service, instance, port } => {
                    self.pods.connect((service, *instance), caller, *port).await.map(Stream::plain)
                }
                Location::Elsewhere { host, port, tls } => {
                    let stream = TcpStream::connect((&**host, *port)).await?;
                    stream.set_nodelay(true)?;
                    // In a place of its own: all who wait would have its room.
                    if *tls { Box::pin(self.secure(stream, host, offer)).await } else { Ok(Stream::plain(stream)) }
                }
            }
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it did not accept the connection in time");
        let stream = tokio::time::timeout(self.patience.unwrap_or(PATIENCE), connected).await.map_err(late)??;
        // The engine's own work goes before another call.
        if stream.is_kept_back() { Err(Errno::MFILE.into()) } else { Ok(stream) }
    }

    /// Read off the thread that serves: there may be hundreds of files.
    async fn configuration(&self) -> io::Result<&ClientConfig> {
        let made = self.tls.get_or_try_init(async || {
            let roots = match &self.roots {
                Some(roots) => RootCertStore::clone(roots),
                None => tokio::task::spawn_blocking(roots::platform).await.map_err(io::Error::other)?,
            };
            configuration(roots)
        });
        made.await
    }

    async fn secure(&self, stream: TcpStream, host: &str, offer: Offer) -> io::Result<Stream> {
        let mut config = self.configuration().await?.clone();
        config.alpn_protocols = match offer {
            Offer::Bytes => Vec::new(),
            Offer::Http1 => vec![HTTP1.to_vec()],
            Offer::Http2 => vec![HTTP2.to_vec(), HTTP1.to_vec()],
        };
        let invalid = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("`{host}` is no name for TLS"));
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// rustls on ring, whatever else is in the program.
fn configuration(roots: RootCertStore) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}

/// A stream to a port of the loopback. Many servers listen on one family only.
async fn loopback(port: u16) -> io::Result<TcpStream> {
    let stream = match TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Ok(stream) => stream,
        Err(error) => TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.map_err(|_| error)?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Stream {
    fn plain(stream: TcpStream) -> Self {
        Self::Tcp(stream, None)
    }

    /// What it tells of its callee.
    pub fn seat(&mut self) -> Option<&mut Seat> {
        match self {
            Self::Tcp(_, seat) => seat.as_deref_mut(),
            Self::Tls(_) => None,
        }
    }

    /// Whether HTTP/2 was negotiated; without TLS nothing is.
    pub fn negotiated_http2(&self) -> bool {
        match self {
            Self::Tcp(..) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP2),
        }
    }
}

impl Stream {
    fn is_kept_back(&self) -> bool {
        match self {
            Self::Tcp(stream, _) => descriptors::is_kept_back(stream),
            Self::Tls(stream) => descriptors::is_kept_back(stream.get_ref().0),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, seat) => {
                let polled = Pin::new(stream).poll_read(context, into);
                if let (Some(seat), true) = (seat, polled.is_ready()) {
                    seat.heard();
                }
                polled
            }
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Tcp(..))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
