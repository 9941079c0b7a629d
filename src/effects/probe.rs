//! One try of a probe.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Empty, Full};
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::pods::Pod;
use crate::launcher::Line;
use crate::plan::{FRONT_DOOR, PlannedCheck};

const AGENT: &str = concat!("nagaya-probe/", env!("CARGO_PKG_VERSION"));

/// How a program is reached.
#[derive(Debug)]
pub enum Way {
    /// Over the loopback of the host.
    Loopback,
    /// In its pod.
    Pod(Arc<Line>),
    /// The same, and wherever it may listen there.
    Anywhere(Pod),
}

impl Way {
    /// The way to a program in a pod, or without one. Where it may listen is looked for only if it had the time to.
    pub fn to(pod: Option<&Pod>, is_late: bool) -> Self {
        match pod {
            None => Self::Loopback,
            Some(pod) if is_late => Self::Anywhere(pod.clone()),
            Some(pod) => Self::Pod(pod.line.clone()),
        }
    }

    async fn connect(&self, port: u16) -> Result<TcpStream, Missed> {
        let stream = match self {
            Self::Loopback => connect(port).await,
            // As in production, probes come from elsewhere.
            Self::Pod(line) => line.connect(FRONT_DOOR, port).await,
            Self::Anywhere(pod) => pod.connect(FRONT_DOOR, port).await,
        };
        stream.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Missed::NobodyListens(port),
            _ => Missed::Other(format!("port {port}: {error}")),
        })
    }
}

/// Why a try went wrong, in words that a user should read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    #[error("nothing listens on port {0}")]
    NobodyListens(u16),
    #[error("{0}")]
    Other(String),
}

impl From<String> for Missed {
    fn from(words: String) -> Self {
        Self::Other(words)
    }
}

/// Tries a check that needs no process.
pub async fn try_network(way: &Way, check: &PlannedCheck, timeout: Duration) -> Result<(), Missed> {
    let attempt = async {
        match check {
            PlannedCheck::Http { port, path, host, headers, status } => {
                http(way, *port, path, host.as_deref(), headers, *status).await
            }
            PlannedCheck::Tcp { port } => way.connect(*port).await.map(|_| ()),
            PlannedCheck::Grpc { port, service } => grpc(way, *port, service).await,
            PlannedCheck::Exec(_) => Ok(()),
        }
    };
    match tokio::time::timeout(timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(format!("{} did not answer within {timeout:?}", what(check)).into()),
    }
}

fn what(check: &PlannedCheck) -> String {
    match check {
        PlannedCheck::Http { port, path, .. } => format!("GET {path} on port {port}"),
        PlannedCheck::Tcp { port } => format!("port {port}"),
        PlannedCheck::Grpc { port, .. } => format!("the health service on port {port}"),
        PlannedCheck::Exec(argv) => argv.join(" "),
    }
}

/// Many servers listen on one family only.
async fn connect(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Ok(stream) => Ok(stream),
        Err(error) => TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.map_err(|_| error),
    }
}

async fn http(
    way: &Way,
    port: u16,
    path: &str,
    host: Option<&str>,
    headers: &[(String, String)],
    wanted: Option<u16>,
) -> Result<(), Missed> {
    let stream = way.connect(port).await?;
    let told = |error: hyper::Error| format!("GET {path} on port {port}: {}", plain(&error));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let mut request = Request::get(path).header(USER_AGENT, AGENT).header("connection", "close");
    let host = host.map_or_else(|| format!("localhost:{port}"), str::to_owned);
    request = request.header(HOST, host);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| format!("the probe itself is wrong: {error}"))?;
    // The head is all that is wanted: the connection is dropped where it stands.
    let (connection, answer) = (pin!(connection.without_shutdown()), pin!(sender.send_request(request)));
    let answer = match select(answer, connection).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    };
    let status = answer.map_err(told)?.status().as_u16();
    let good = wanted.map_or((200..400).contains(&status), |wanted| wanted == status);
    match good {
        true => Ok(()),
        false => Err(format!("GET {path} answered {status}").into()),
    }
}

/// `grpc.health.v1.Health/Check`, by hand: the messages have one field each.
async fn grpc(way: &Way, port: u16, service: &str) -> Result<(), Missed> {
    let stream = way.connect(port).await?;
    let told = |error: hyper::Error| format!("the health service on port {port}: {}", plain(&error));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(told)?;
    let connection = tokio::spawn(connection);
    let uri = format!("http://localhost:{port}/grpc.health.v1.Health/Check");
    let request = Request::post(uri)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(Full::new(Bytes::from(health_request(service))))
        .map_err(|error| format!("the probe itself is wrong: {error}"))?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(told)?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(told)?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let status = trailers.get("grpc-status").or(head.headers.get("grpc-status")).cloned();
        health_answer(head.status.as_u16(), status.as_ref().and_then(|it| it.to_str().ok()), &body.to_bytes())
    };
    let result = answered.await;
    connection.abort();
    Ok(result?)
}

/// A gRPC frame (a flag, a length, the message) with HealthCheckRequest { service = 1 }.
fn health_request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    let name = &service.as_bytes()[..service.len().min(127)];
    if let (false, Ok(length)) = (name.is_empty(), u8::try_from(name.len())) {
        message.extend([0x0a, length]);
        message.extend_from_slice(name);
    }
    let length = u32::try_from(message.len()).unwrap_or(0);
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame
}

/// HealthCheckResponse { status = 1 }, where 1 is SERVING.
fn health_answer(http_status: u16, grpc_status: Option<&str>, frame: &[u8]) -> Result<(), String> {
    match grpc_status {
        _ if http_status != 200 => Err(format!("the health service answered HTTP {http_status}")),
        Some("0") => match frame.get(5..) {
            Some([0x08, 1, ..]) => Ok(()),
            Some([0x08, 2, ..]) => Err("the health service says NOT_SERVING".into()),
            Some([0x08, 3, ..]) => Err("the health service says SERVICE_UNKNOWN".into()),
            _ => Err("the health service says UNKNOWN".into()),
        },
        Some("5") => Err("the health service does not know this service (NOT_FOUND)".into()),
        Some("12") => Err("the server has no health service (UNIMPLEMENTED)".into()),
        Some(other) => Err(format!("the health service answered gRPC status {other}")),
        None => Err("the answer has no gRPC status: is this a gRPC server?".into()),
    }
}

/// The cause at the bottom of an error, which is what helps.
fn plain(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_messages_are_what_protobuf_makes_them() {
        assert_eq!(health_request(""), [0, 0, 0, 0, 0]);
        assert_eq!(health_request("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(health_answer(200, Some("0"), &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        assert!(health_answer(200, Some("0"), &[0, 0, 0, 0, 2, 8, 2]).is_err());
        assert!(health_answer(404, None, &[]).is_err());
        assert!(health_answer(200, None, &[]).is_err());
    }
}
