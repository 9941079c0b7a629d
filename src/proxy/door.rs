//! The front door: one port for everybody outside, services by host name.

use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::answer::{Asker, Refusal, STYLE, escape};
use super::body::Body;
use super::edge::{breathe, is_passing};
use super::http::{Caller, Context, Target, forward, server};
use crate::route::{Availability, Table, host_name};

/// Serves the front door until its task is ended.
pub async fn serve(listener: StdListener, tables: watch::Receiver<Arc<Table>>, context: Context) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                spawn_local(connection(stream, tables.clone(), context.clone()));
            }
            Err(error) if is_passing(&error) => breathe().await,
            Err(_) => return,
        }
    }
}

async fn connection(stream: TcpStream, tables: watch::Receiver<Arc<Table>>, context: Context) {
    let service = service_fn(|request| {
        let table = tables.borrow().clone();
        let context = context.clone();
        async move { Ok::<_, Infallible>(answer(request, &table, &context).await) }
    });
    let _ = server().serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

async fn answer(mut request: Request<Incoming>, table: &Table, context: &Context) -> Response<Body> {
    let host = host(&request);
    let Some(upstream) = table.by_host(&host) else { return no_service(&request, &host, table) };
    let Some(port) = upstream.web_port() else {
        let reason = "it has no port that speaks HTTP".to_owned();
        return Refusal::Failed(upstream.name.clone(), reason).response(&Asker::of(&request, false));
    };
    tell_who_asks(&mut request, &host);
    let target = Target { upstream: upstream.clone(), port };
    forward(request, &Caller::Outside, &target, context).await
}

fn host<B>(request: &Request<B>) -> String {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    authority.or(header).unwrap_or("").to_ascii_lowercase()
}

/// What a proxy in front tells a service about the outside.
fn tell_who_asks(request: &mut Request<Incoming>, host: &str) {
    let headers = request.headers_mut();
    headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("127.0.0.1"));
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("http"));
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.entry("x-forwarded-host").or_insert(host);
    }
}

/// The index of the services for those who ask for no service in particular; strangers' host names learn nothing.
fn no_service<B>(request: &Request<B>, host: &str, table: &Table) -> Response<Body> {
    let name = host_name(host);
    if name.is_empty() {
        let mut response = Response::new(Body::text("nagaya: the request has no Host that can be read\n".to_owned()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    }
    let own = format!("{}.localhost", table.host_label);
    if ![own.as_str(), "localhost", "127.0.0.1", "[::1]"].contains(&name) {
        return Refusal::Unknown(name.to_owned()).response(&Asker::of(request, false));
    }
    let mut response = Response::new(Body::text(index(table)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn index(table: &Table) -> String {
    let label = escape(&table.host_label);
    let rows: String = table
        .upstreams
        .iter()
        .map(|upstream| {
            let name = escape(&upstream.name);
            let link = match upstream.web_port() {
                Some(_) => format!("<a href=\"http://{name}.{label}.localhost:{}/\">{name}</a>", table.front_door),
                None => name,
            };
            let state = match *upstream.availability.borrow() {
                Availability::Ready => "ready",
                Availability::Idle => "idle: starts when it is called",
                Availability::Coming(state) | Availability::Absent(state) => state.word(),
            };
            format!("<tr><td>{link}<td>{state}")
        })
        .collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>{label}</title>{STYLE}<main><h1>{label}</h1><table>{rows}</table></main>"
    )
}
