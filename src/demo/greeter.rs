//! `greeter`: a gRPC server by hand, one method and the standard health service.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::serve::listen;

type Frames = std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>;
type Body = StreamBody<futures_util::stream::Iter<Frames>>;

/// Serves until it is ended.
pub async fn run() -> io::Result<()> {
    let listener = listen("greeter", 50051).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let service =
                service_fn(|request: Request<Incoming>| async move { Ok::<_, Infallible>(answer(request).await) });
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match path.as_str() {
        "/grpc.health.v1.Health/Check" => reply(Some(vec![0x08, 1]), 0),
        "/demo.Greeter/Greet" => {
            let name = field_one(&body).unwrap_or_else(|| "nobody".to_owned());
            println!("greeting {name}");
            reply(Some(string_field(&format!("Good day, {name}!"))), 0)
        }
        _ => reply(None, 12),
    }
}

/// An answer with its status in the trailers, as gRPC wants it.
fn reply(message: Option<Vec<u8>>, status: u8) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    let data = message.map(|message| Ok(Frame::data(Bytes::from(framed(&message)))));
    let frames: Vec<_> = data.into_iter().chain([Ok(Frame::trailers(trailers))]).collect();
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// Asks a greeter for a greeting.
pub async fn greet(address: &str, name: &str) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| format!("greeter: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| told(&error))?;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| told(&error))?;
    tokio::spawn(connection);
    let request = Request::post(format!("http://{address}/demo.Greeter/Greet"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from(framed(&string_field(name)))))
        .map_err(|error| told(&error))?;
    let response = sender.send_request(request).await.map_err(|error| told(&error))?;
    let early = response.headers().get("grpc-status").cloned();
    let body = response.into_body().collect().await.map_err(|error| told(&error))?;
    let status = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned()).or(early);
    match status.as_ref().map(HeaderValue::as_bytes) {
        Some(b"0") => field_one(&body.to_bytes()).ok_or_else(|| "greeter: an empty answer".to_owned()),
        Some(code) => Err(format!("greeter: gRPC status {}", String::from_utf8_lossy(code))),
        None => Err("greeter: no gRPC status".to_owned()),
    }
}

/// A gRPC frame: no compression, the length, the message.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(0);
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// A protobuf message with one string in field 1; shorter than 128 bytes, so that its length is one byte.
fn string_field(text: &str) -> Vec<u8> {
    let short: String = text.chars().take(30).collect();
    let length = u8::try_from(short.len()).unwrap_or(0);
    [&[0x0a, length], short.as_bytes()].concat()
}

fn field_one(frame: &[u8]) -> Option<String> {
    let [0x0a, length, text @ ..] = frame.get(5..)? else { return None };
    text.get(..usize::from(*length)).map(|text| String::from_utf8_lossy(text).into_owned())
}
