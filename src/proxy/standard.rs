//! Ports 80 and 443: the front doors of all workspaces of this user, told apart by host name.
//!
//! A connection is passed on as it is to the door of the workspace that its first words name; everything else is
//! that door's business, TLS too. HTTP/2 in clear text names nobody in words that can be read here, and is for this
//! engine's own door.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_local};

use super::egress::connect;
use super::hello::{self, HANDSHAKE};
use super::listen::each_connection;
use crate::effects::places::Places;
use crate::effects::registry;
use crate::effects::standard_ports::{Claim, Ports, STANDARD, listen_soon};
use crate::plan::of_strict;
use crate::route::{Place, Table, host_name, on_loopback};

/// The longest beginning that is read for a name.
const LONGEST: usize = 64 << 10;
/// How long a client has to name somebody.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds the ports, or waits until they are ours, until its task is ended.
pub async fn serve(claim: Claim, tables: watch::Receiver<Arc<Table>>, places: Places) {
    let ports = match claim {
        Claim::Held(ports) => Ok(ports),
        Claim::Later(turn) => match turn.await {
            Ok(turn) => listen_soon(turn).await,
            Err(_) => return,
        },
    };
    match ports {
        Ok(ports) => accept_all(ports, &tables, &places).await,
        #[allow(clippy::print_stderr, reason = "standard error is the engine's log")]
        Err(why) => eprintln!("{} the front door is not at ports 80 and 443: {why}", crate::effects::clock::utc()),
    }
}

async fn accept_all(mut ports: Ports, tables: &watch::Receiver<Arc<Table>>, places: &Places) {
    let mut tasks = JoinSet::new();
    for listener in std::mem::take(&mut ports.listeners) {
        tasks.spawn_local(accept(listener, tables.clone(), places.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

async fn accept(listener: StdListener, tables: watch::Receiver<Arc<Table>>, places: Places) {
    let serve = |stream, from: SocketAddr| {
        let table = tables.borrow().clone();
        spawn_local(connection(stream, from.ip(), table, places.clone()));
    };
    each_connection(listener, "port 80 or 443".to_owned(), serve).await;
}

async fn connection(mut stream: TcpStream, from: IpAddr, table: Arc<Table>, places: Places) {
    let _ = stream.set_nodelay(true);
    let mut beginning = Vec::new();
    let named = tokio::time::timeout(PATIENCE, name(&mut stream, &mut beginning)).await;
    let Ok(Some(name)) = named else { return };
    let number = door(name, &table, places).await;
    let Ok(mut onward) = connect(on_loopback(number).into(), onward_from(from)).await else { return };
    let _ = onward.set_nodelay(true);
    if onward.write_all(&beginning).await.is_ok() {
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    }
}

/// From where pods of a strict workspace call a standard port of this machine, which may lead back to their own door.
pub fn source(address: SocketAddr, table: &Table) -> Option<Ipv4Addr> {
    let is_shared = address.ip() == Ipv4Addr::LOCALHOST && STANDARD.contains(&address.port());
    (table.strict && is_shared).then(|| of_strict(table.front_door))
}

/// From where a call is passed on that came from an address: as a pod's, where it is one.
fn onward_from(from: IpAddr) -> Option<Ipv4Addr> {
    match from {
        IpAddr::V4(from) if from.octets()[..2] == of_strict(0).octets()[..2] => Some(from),
        _ => None,
    }
}

/// The door of the workspace that a name belongs to; ours where it is nobody's.
async fn door(name: String, table: &Table, places: Places) -> u16 {
    let own = table.front_door;
    if !matches!(table.place(&name), Place::Foreign) {
        return own;
    }
    let found = tokio::task::spawn_blocking(move || {
        let engines = registry::engines(&places).into_iter();
        { engines }.find(|engine| is_of(&name, &engine.host_label)).map(|engine| engine.front_door)
    });
    found.await.ok().flatten().unwrap_or(own)
}

/// `web.shop.localhost` and `shop.localhost` are of `shop`.
fn is_of(host: &str, label: &str) -> bool {
    let host = host_name(host).to_ascii_lowercase();
    let rest = host.strip_suffix(".localhost").and_then(|rest| rest.strip_suffix(label));
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The name that a connection begins with, empty where it has none; `None` for one that ended or goes on for too long.
/// What was read is in `beginning`.
async fn name(stream: &mut TcpStream, beginning: &mut Vec<u8>) -> Option<String> {
    while beginning.len() < LONGEST {
        if stream.read_buf(beginning).await.ok()? == 0 {
            return None;
        }
        let found = if beginning[0] == HANDSHAKE { hello::name(beginning) } else { host(beginning) };
        if let Some(name) = found {
            return Some(name);
        }
    }
    None
}

/// The Host of a request of HTTP/1, or the authority of its target; `None` while its head is not complete.
fn host(beginning: &[u8]) -> Option<String> {
    let end = memchr::memmem::find(beginning, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&beginning[..end]);
    let mut lines = head.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("");
    let absolute = target.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
    let connect = (head.starts_with("CONNECT ")).then_some(target);
    let header = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value.trim())
    });
    Some(absolute.or(connect).or(header).unwrap_or("").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_names_its_host() {
        let cases = [
            ("GET / HTTP/1.1\r\nhost: web.shop.localhost\r\n\r\n", Some("web.shop.localhost")),
            ("GET / HTTP/1.1\r\nA: b\r\nHost:web.shop.localhost:80 \r\n\r\nHost: x", Some("web.shop.localhost:80")),
            ("GET http://a.b.localhost/x HTTP/1.1\r\nHost: other\r\n\r\n", Some("a.b.localhost")),
            ("CONNECT a.b.localhost:443 HTTP/1.1\r\nHost: other\r\n\r\n", Some("a.b.localhost:443")),
            ("GET / HTTP/1.0\r\n\r\n", Some("")),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some("")),
            ("GET / HTTP/1.1\r\nHost: web.shop.localhost\r\n", None),
        ];
        for (text, expected) in cases {
            assert_eq!(host(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_of_one_workspace() {
        assert!(is_of("web.shop.localhost:80", "shop") && is_of("SHOP.localhost", "shop"));
        assert!(!is_of("web.myshop.localhost", "shop") && !is_of("shop.example.com", "shop") && !is_of("", "shop"));
    }
}
