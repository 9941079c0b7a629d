//! A small HTTP server and client, enough for the demo's services.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Listens at the port of production, or where `PORT` says: without pods that one may be somebody else's.
pub async fn listen(name: &str, port: u16) -> io::Result<TcpListener> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(port);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("{name} is listening on port {port}");
    Ok(listener)
}

/// Serves HTTP/1.1 at port 8080: each path by `answer`, `/healthz` by itself.
pub async fn http<F, A>(name: &'static str, answer: F) -> io::Result<()>
where
    F: Fn(String) -> A + Clone + Send + 'static,
    A: Future<Output = Result<String, String>> + Send + 'static,
{
    let listener = listen(name, 8080).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move { Ok::<_, Infallible>(respond(name, &request, answer).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond<F, A>(name: &str, request: &Request<Incoming>, answer: F) -> Response<Full<Bytes>>
where
    F: Fn(String) -> A,
    A: Future<Output = Result<String, String>>,
{
    let path = request.uri().path().to_owned();
    if path == "/healthz" {
        return Response::new(Full::from("ok"));
    }
    let method = request.method().clone();
    let (status, body) = match answer(path.clone()).await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
    };
    let level = if status.is_success() { "info" } else { "error" };
    println!(r#"{{"level":"{level}","service":"{name}","msg":"{method} {path} {}"}}"#, status.as_u16());
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    if name == "web" {
        response
            .headers_mut()
            .insert("content-type", hyper::header::HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response
}

/// The body of a `GET`, or why there is none.
pub async fn get(url: &str) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let address = url.strip_prefix("http://").unwrap_or(url);
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let stream = TcpStream::connect(authority).await.map_err(|error| told(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
    tokio::spawn(connection);
    let request = Request::get(format!("/{path}")).header("host", authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| told(&error))?;
    let response = sender.send_request(request).await.map_err(|error| told(&error))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| told(&error))?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { Ok(body) } else { Err(format!("{status}: {}", body.trim())) }
}
