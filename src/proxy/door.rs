//! The front door: one port for everybody outside, services by host name, http and https.

use std::future::ready;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::answer::{Answer, Asker, Refusal};
use super::headers::{Given, Identity};
use super::hello::HANDSHAKE;
use super::http::{self, Asked, Caller, Context, Lead, Making, Origin, Target, Way};
use super::listen::each_connection;
use super::pages::{Pages, page};
use super::routing::own::{self, Parameter};
use super::routing::permits;
use super::tls::Tls;
use super::tunnel::{self, Meant, Tunnel};
use super::wire::Io;
use crate::effects::clock;
use crate::effects::places::Places;
use crate::effects::ports;
use crate::plan::of_strict;
use crate::route::{Place, Table, Upstream};
use crate::runtime::Board;
use crate::telemetry::requests::Words;

/// What all connections of the front door share.
pub struct Door {
    tables: watch::Receiver<Arc<Table>>,
    context: Context,
    pages: Pages,
    tls: Tls,
}

impl Door {
    /// A front door; `logs` is the folder of the services' output, of which what was written since `began` is shown.
    pub fn new(
        tables: watch::Receiver<Arc<Table>>,
        context: Context,
        board: Board,
        places: Places,
        logs: PathBuf,
        began: Timestamp,
    ) -> Self {
        Self { tables, context, tls: Tls::new(places.clone()), pages: Pages::new(board, places, logs, began) }
    }
}

/// Serves the front door until its task is ended.
pub async fn serve(listener: StdListener, number: u16, door: Rc<Door>) {
    // Browsers try `::1` first for `*.localhost`. Where there is no such address, they have the other one.
    let second = ports::listen_v6(number);
    tokio::join!(accept(Some(listener), &door), accept(second.ok(), &door));
}

async fn accept(listener: Option<StdListener>, door: &Rc<Door>) {
    let Some(listener) = listener else { return };
    let serve = |stream: TcpStream, peer: SocketAddr| {
        // One of our pods, on its way round over a port that engines share: who it is nobody knows here.
        if peer.ip() == of_strict(door.tables.borrow().front_door) {
            return stream.reset();
        }
        let _ = stream.set_nodelay(true);
        spawn_local(connection(stream, Caller::Outside, peer.ip(), door.clone()));
    };
    each_connection(listener, "the front door".to_owned(), serve).await;
}

/// Serves one connection of a caller at an address, in the clear or by TLS.
pub async fn connection(stream: TcpStream, caller: Caller, peer: IpAddr, door: Rc<Door>) {
    let mut first = [0];
    match tokio::time::timeout(door.context.limits.head, stream.peek(&mut first)).await {
        // In a place of its own: those in the clear would wait with the room of both.
        Ok(Ok(1)) if first == [HANDSHAKE] => Box::pin(secured(stream, caller, peer, door)).await,
        Ok(Ok(1)) => requests(stream, "http", caller, peer, door).await,
        _ => {}
    }
}

async fn secured(stream: TcpStream, caller: Caller, peer: IpAddr, door: Rc<Door>) {
    if let Ok(stream) = door.tls.accept(stream).await {
        requests(stream, "https", caller, peer, door).await;
    }
}

async fn requests<S: Io>(stream: S, scheme: &'static str, caller: Caller, peer: IpAddr, door: Rc<Door>) {
    let context = door.context.clone();
    let inside = Inside { door, caller: caller.clone(), peer, origin: Origin { scheme, address: peer.to_string() } };
    http::serve(stream, caller, inside, context).await;
}

/// The way of one connection: to whatever service a request names, if its caller may call that.
struct Inside {
    door: Rc<Door>,
    caller: Caller,
    peer: IpAddr,
    origin: Origin,
}

impl Way for Inside {
    fn lead(&self, asked: &Asked<'_>) -> Lead {
        let table = self.door.tables.borrow();
        match table.place(asked.host) {
            Place::Service(upstream) => {
                let lead = permits::service(&table, &self.caller, upstream);
                let lead = lead.and_then(|()| match asked.is_connect {
                    true => self.tunnel(upstream, asked.host, table.front_door),
                    false => match noted(asked, &table.host_label) {
                        Some(noted) => noted.map(|answer| Lead::Here(Box::pin(ready(answer)))),
                        None => web(upstream).map(Lead::Service),
                    },
                });
                lead.unwrap_or_else(|refusal| {
                    if let Refusal::Undeclared(_, to) = &refusal {
                        self.record(to, asked, &refusal);
                    }
                    Lead::Here(self.refuse(refusal, asked.asker))
                })
            }
            Place::Nobody(name) => {
                let refusal = Refusal::Unknown(format!("{name}.{}.localhost", table.host_label));
                Lead::Here(self.refuse(refusal, asked.asker))
            }
            Place::Index if !asked.is_connect && is_root(asked.path) => Lead::Here(self.index(table.clone())),
            Place::Index => {
                let text = "there is nothing here but the page of all services, at /";
                Lead::Here(Box::pin(ready(plain(StatusCode::NOT_FOUND, text))))
            }
            Place::Foreign => {
                let text = "nothing is served here by this name";
                Lead::Here(Box::pin(ready(plain(StatusCode::MISDIRECTED_REQUEST, text))))
            }
        }
    }

    /// Browsers get a page.
    fn refuse(&self, refusal: Refusal, asker: Asker) -> Making {
        let answer = refusal.response(asker);
        if !asker.is_browser {
            return Box::pin(ready(answer));
        }
        let door = self.door.clone();
        Box::pin(async move {
            let (mut parts, _) = answer.into_parts();
            let table = door.tables.borrow().clone();
            let page = page(parts.status, door.pages.refusal(&refusal, parts.status, &table).await);
            let (explained, body) = page.into_parts();
            parts.headers.extend(explained.headers);
            Answer::from_parts(parts, body)
        })
    }

    fn origin(&self) -> Option<&Origin> {
        Some(&self.origin)
    }
}

impl Inside {
    /// A call that is not made is listed too, where it was meant for a service.
    fn record(&self, to: &Arc<str>, asked: &Asked<'_>, refusal: &Refusal) {
        let (begun, now) = (clock::instant(), clock::utc());
        let identity = Identity::of(now, &Given::default());
        let words = Words::new(identity.request_id(), "", asked.path);
        let (context, asker) = (&self.door.context, asked.asker);
        let protocol = if asker.is_grpc { "grpc" } else { "http" };
        let mut recording =
            context.recording(words, identity.trace_id, (begun, now), &self.caller, to.clone(), protocol);
        recording.fail(refusal.to_string());
        recording.status(refusal.response(asker).status().as_u16());
        recording.grpc_status(asker.is_grpc.then_some(refusal.grpc_status(asker)));
    }

    fn tunnel(&self, upstream: &Arc<Upstream>, authority: &str, front_door: u16) -> Result<Lead, Refusal> {
        Ok(Lead::Tunnel(match tunnel::meant(upstream, authority, front_door)? {
            Meant::Service(target) => Tunnel::Service(target),
            Meant::Door => {
                let (door, caller, peer) = (self.door.clone(), self.caller.clone(), self.peer);
                let enter = move |stream| drop(spawn_local(connection(stream, caller.clone(), peer, door.clone())));
                Tunnel::Door { of: upstream.name.clone(), enter: Rc::new(enter) }
            }
        }))
    }

    fn index(&self, table: Arc<Table>) -> Making {
        let door = self.door.clone();
        Box::pin(async move { page(StatusCode::OK, door.pages.index(&table).await) })
    }
}

/// Gives a browser that brings entries in a URL the cookie that keeps them, or takes it away where there are none; then
/// it is to ask again without.
fn noted(asked: &Asked<'_>, host_label: &str) -> Option<Result<Answer, Refusal>> {
    if !asked.asker.is_browser || !own::has_parameter(asked.path) {
        return None;
    }
    let Parameter { value, rest } = own::parameter(asked.path)?;
    Some(own::read_linked(&value).map(|_| {
        let mut answer = plain(StatusCode::TEMPORARY_REDIRECT, "the cookie is set; ask again without the parameter");
        // A second slash would make a host of the path.
        let rest = format!("/{}", rest.trim_start_matches(['/', '\\']));
        let fields = [(LOCATION, rest), (SET_COOKIE, own::set_cookie(&value, host_label))];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }))
}

/// What the front door shows of a service.
fn web(upstream: &Arc<Upstream>) -> Result<Target, Refusal> {
    let port = upstream.web_port().ok_or_else(|| Refusal::not_web(upstream))?;
    Ok(Target { upstream: upstream.clone(), port })
}

/// The path may be left out where the target is a whole URL (RFC 9112 section 3.2.2).
fn is_root(path: &str) -> bool {
    matches!(path.split('?').next(), Some("/" | ""))
}

fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Answer::new(format!("nagaya: {text}\n").into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
