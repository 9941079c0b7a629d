//! Requests to an engine that bollard does not make: those that are upgraded, or whose answers it does not read whole.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::effects::containers::engine::{Engine, MUCH};
use crate::effects::containers::found::Place;

/// The way to an engine; a connection for each request.
#[derive(Debug, Clone)]
pub struct Wire {
    place: Place,
    /// `v1.41`.
    version: String,
}

impl Wire {
    /// The way to an engine, in the version that was agreed with it.
    pub fn to(engine: &Engine) -> Self {
        let version = engine.docker.client_version();
        Self { place: engine.place.clone(), version: format!("v{}.{}", version.major_version, version.minor_version) }
    }

    /// A path of the engine's API.
    pub fn path(&self, path: &str) -> String {
        format!("/{}{path}", self.version)
    }

    /// Sends a request; the answer, once its head is there.
    pub async fn send<E>(&self, request: Request<UnsyncBoxBody<Bytes, E>>) -> Result<Response<Incoming>, String>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let lost = |error: std::io::Error| format!("the engine of containers at {}: {error}", self.place);
        let exchanged = async {
            match &self.place {
                Place::Socket(path) => exchange(UnixStream::connect(path).await.map_err(lost)?, request).await,
                Place::Tcp(address) => exchange(TcpStream::connect(address).await.map_err(lost)?, request).await,
            }
        };
        let late = |_| format!("the engine of containers at {} took too long to answer", self.place);
        tokio::time::timeout(MUCH, exchanged).await.map_err(late)?
    }
}

async fn exchange<E>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut request: Request<UnsyncBoxBody<Bytes, E>>,
) -> Result<Response<Incoming>, String>
where
    E: std::error::Error + Send + Sync + 'static,
{
    request.headers_mut().insert(HOST, HeaderValue::from_static("docker"));
    let broken = |error: hyper::Error| format!("the engine of containers broke off: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(broken)
}
