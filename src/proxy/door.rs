//! The front door: one port for everybody outside, services by host name, http and https.

use std::convert::Infallible;
use std::net::{IpAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::answer::{Asker, Refusal};
use super::body::Body;
use super::bridge::builder;
use super::edge::{breathe, is_passing};
use super::http::{Caller, Context, Target, forward};
use super::pages::{Pages, page};
use super::tls::{HANDSHAKE, Tls};
use super::tunnel;
use crate::effects::places::Places;
use crate::effects::ports;
use crate::route::{Place, Table, Upstream};
use crate::runtime::Board;

/// What all connections of the front door share.
pub struct Door {
    pub tables: watch::Receiver<Arc<Table>>,
    pub context: Context,
    pub pages: Pages,
    tls: Tls,
}

impl Door {
    /// A front door; `logs` is the folder of the services' output.
    pub fn new(
        tables: watch::Receiver<Arc<Table>>,
        context: Context,
        board: Board,
        places: Places,
        logs: PathBuf,
    ) -> Self {
        Self { tables, context, tls: Tls::new(places.clone()), pages: Pages::new(board, places, logs) }
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
struct Way {
    scheme: &'static str,
    peer: IpAddr,
}

/// Serves the front door until its task is ended.
pub async fn serve(listener: StdListener, number: u16, door: Rc<Door>) {
    // Browsers try `::1` first for `*.localhost`. Where there is no such address, they have the other one.
    let second = ports::listen_v6(number);
    tokio::join!(accept(Some(listener), &door), accept(second.ok(), &door));
}

async fn accept(listener: Option<StdListener>, door: &Rc<Door>) {
    let Some(Ok(listener)) = listener.map(TcpListener::from_std) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                spawn_local(connection(stream, peer.ip(), door.clone()));
            }
            Err(error) if is_passing(&error) => breathe().await,
            Err(_) => return,
        }
    }
}

async fn connection(stream: TcpStream, peer: IpAddr, door: Rc<Door>) {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first == [HANDSHAKE] => {
            if let Ok(stream) = door.tls.accept(stream).await {
                http(stream, Way { scheme: "https", peer }, door).await;
            }
        }
        Ok(1) => http(stream, Way { scheme: "http", peer }, door).await,
        _ => {}
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, way: Way, door: Rc<Door>) {
    let builder = builder(&door.context);
    let service = service_fn(|request| {
        let door = door.clone();
        async move { Ok::<_, Infallible>(answer(request, way, &door).await) }
    });
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

async fn answer(mut request: Request<Incoming>, way: Way, door: &Door) -> Response<Body> {
    let authority = match authority(&request) {
        Ok(authority) => authority,
        Err(problem) => return text(StatusCode::BAD_REQUEST, problem),
    };
    let table = door.tables.borrow().clone();
    match table.place(authority.as_str()) {
        Place::Foreign => text(StatusCode::MISDIRECTED_REQUEST, "nothing is served here by this name"),
        Place::Service(upstream) if request.method() == Method::CONNECT => {
            tunnel::open(request, authority.port_u16(), upstream, &table, door).await
        }
        Place::Service(upstream) => {
            tell_who_asks(&mut request, &authority, way);
            pass_on(request, upstream, door).await
        }
        Place::Nobody(name) => {
            let refusal = Refusal::Unknown(format!("{name}.{}.localhost", table.host_label));
            let response = refusal.response(Asker::of(&request, false), &[]);
            explained(response.map(Body::own), door, &table).await
        }
        Place::Index if request.uri().path() == "/" => page(StatusCode::OK, door.pages.index(&table).await),
        Place::Index => text(StatusCode::NOT_FOUND, "there is nothing here but the page of all services, at /"),
    }
}

async fn pass_on(request: Request<Incoming>, upstream: &Arc<Upstream>, door: &Door) -> Response<Body> {
    let response = match upstream.web_port() {
        Some(port) => {
            let target = Target { upstream: upstream.clone(), port };
            forward(request, &Caller::Outside, &target, &door.context).await
        }
        None => {
            let reason = "it has no port that speaks HTTP".to_owned();
            Refusal::Failed(upstream.name.clone(), reason).response(Asker::of(&request, false), &[]).map(Body::own)
        }
    };
    let table = door.tables.borrow().clone();
    explained(response, door, &table).await
}

/// Browsers get a page where the proxy itself has refused.
async fn explained(mut response: Response<Body>, door: &Door, table: &Table) -> Response<Body> {
    let Some(refusal) = response.extensions_mut().remove::<Refusal>() else { return response };
    let mut explained = page(response.status(), door.pages.refusal(&refusal, response.status(), table).await);
    response.headers_mut().extend(std::mem::take(explained.headers_mut()));
    response.map(|_| explained.into_body())
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::own(format!("nagaya: {text}\n")));
    *response.status_mut() = status;
    response
}

/// What a request is for: the target's own authority where it has one, else that of its only Host (RFC 9112
/// section 3.2, RFC 9113 section 8.3.1).
fn authority<B>(request: &Request<B>) -> Result<Authority, &'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err("the request has more than one Host");
    }
    let authority = match (request.uri().authority(), host) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| "the Host cannot be read")?,
        (None, None) => return Err("the request has no Host"),
    };
    // RFC 9110 section 4.2.4.
    if authority.as_str().contains('@') { Err("a host has no user here") } else { Ok(authority) }
}

/// What a proxy in front tells a service about the outside.
fn tell_who_asks(request: &mut Request<Incoming>, authority: &Authority, way: Way) {
    let headers = request.headers_mut();
    if let Ok(peer) = HeaderValue::from_str(&way.peer.to_string()) {
        headers.append(HeaderName::from_static("x-forwarded-for"), peer);
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static(way.scheme));
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        // Whoever goes on by the Host must not be led elsewhere than we were (RFC 9112 section 3.2.2).
        headers.insert(HOST, host.clone());
        headers.entry("x-forwarded-host").or_insert(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, hosts: &[&str]) -> Result<String, &'static str> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        authority(&request.body(()).unwrap()).map(|authority| authority.to_string())
    }

    #[test]
    fn a_request_is_for_one_host() {
        assert_eq!(of("/", &["web.shop.localhost:4400"]).unwrap(), "web.shop.localhost:4400");
        assert_eq!(of("http://web.shop.localhost/a", &["example.com"]).unwrap(), "web.shop.localhost");
        assert_eq!(of("/", &["[::1]:4400"]).unwrap(), "[::1]:4400");
        let bad: [&[&str]; 6] = [&[], &[""], &["a", "a"], &["a b"], &["me@a"], &["a/b"]];
        for hosts in bad {
            assert!(of("/", hosts).is_err(), "{hosts:?}");
        }
    }
}
