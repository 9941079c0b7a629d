//! One caller's way to one port of one callee, and everybody's outside to a published port.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddrV4, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::closing::Closing;
use super::detect::Beginning;
use super::http::{Asked, Caller, Context, Lead, Target, Way};
use super::routing::Router;
use super::{detect, http, tcp};
use crate::effects::ports;
use crate::route::Table;

/// Serves an edge or a published port for as long as tables have it. The listener is closed while the callee is absent;
/// the address stays ours meanwhile.
pub async fn serve(at: SocketAddrV4, listener: StdListener, mut tables: watch::Receiver<Arc<Table>>, context: Context) {
    let mut socket = Socket::Open(listener);
    loop {
        let Some(arrival) = find(&tables, at) else { return };
        let reach = context.router.reach(&arrival.target.upstream);
        socket = match socket.turned(at, reach.is_refused) {
            Ok(socket) => socket,
            // Somebody of this account was faster, or descriptors ran out: try again when something changes.
            Err(_) => {
                breathe().await;
                Socket::Lost
            }
        };
        let present = tables.clone();
        let accepted = async {
            match &socket {
                Socket::Open(listener) => accept(listener, at, &arrival, &present, &context).await,
                Socket::Reserved { .. } | Socket::Lost => std::future::pending().await,
            }
        };
        tokio::select! {
            result = accepted => if result.is_err() {
                breathe().await;
                socket = Socket::Lost;
            },
            () = reach.changed() => {}
            changed = tables.changed() => if changed.is_err() { return },
        }
    }
}

enum Socket {
    Open(StdListener),
    /// Bound, but whoever connects is refused.
    Reserved {
        _held: OwnedFd,
    },
    Lost,
}

impl Socket {
    /// Open or closed, as it should be.
    fn turned(self, at: SocketAddrV4, absent: bool) -> io::Result<Self> {
        match (self, absent) {
            (Self::Open(listener), true) => {
                // First the new one, so that the address is never free.
                let reserved = ports::reserve(at)?;
                drop(listener);
                Ok(Self::Reserved { _held: reserved })
            }
            (Self::Reserved { .. } | Self::Lost, false) => ports::listen(at).map(Self::Open),
            (Self::Lost, true) => ports::reserve(at).map(|held| Self::Reserved { _held: held }),
            (same, _) => Ok(same),
        }
    }
}

/// Whose calls arrive at a listener, and where they lead.
struct Arrival {
    caller: Caller,
    target: Target,
}

fn find(tables: &watch::Receiver<Arc<Table>>, at: SocketAddrV4) -> Option<Arrival> {
    let table = tables.borrow();
    let listener = table.listeners.get(&at)?;
    let caller = listener.from.clone().map_or(Caller::Outside, Caller::Service);
    Some(Arrival { caller, target: Target { upstream: listener.to.clone(), port: listener.port } })
}

async fn accept(
    listener: &StdListener,
    at: SocketAddrV4,
    arrival: &Arrival,
    tables: &watch::Receiver<Arc<Table>>,
    context: &Context,
) -> io::Result<()> {
    // The runtime's listener is a second descriptor of the same socket, registered for as long as this runs.
    let listener = TcpListener::from_std(listener.try_clone()?)?;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if is_passing(&error) => {
                breathe().await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let callee = Callee { from: From::Listener(at), target: arrival.target.clone(), tables: tables.clone() };
        spawn_local(connection(stream, arrival.caller.clone(), callee, context.clone()));
    }
}

/// Whom a connection leads to. It may outlive the table that it began with: a caller keeps it open, and the callee may be
/// somewhere else after a reload.
pub struct Callee {
    from: From,
    target: Target,
    tables: watch::Receiver<Arc<Table>>,
}

/// By what a callee is found again in another table.
enum From {
    /// The listener's address.
    Listener(SocketAddrV4),
    /// The callee's name, and the number of its port.
    Name,
}

impl Callee {
    /// One that was told by its address.
    pub fn named(target: Target, tables: watch::Receiver<Arc<Table>>) -> Self {
        Self { from: From::Name, target, tables }
    }

    fn find(&self) -> Option<Target> {
        match self.from {
            From::Listener(at) => find(&self.tables, at).map(|arrival| arrival.target),
            From::Name => {
                let upstream = self.tables.borrow().upstream(&self.target.upstream.name)?.clone();
                let port = upstream.stream_port(self.target.endpoint().number)?;
                Some(Target { upstream, port })
            }
        }
    }

    /// By the present table; a listener that is gone leads where it led.
    fn target(&mut self) -> Target {
        if self.tables.has_changed().unwrap_or(false) {
            self.tables.mark_unchanged();
            if let Some(target) = self.find() {
                self.target = target;
            }
        }
        self.target.clone()
    }
}

/// All requests of a connection are addressed to one callee, wherever it is by now.
struct ToCallee {
    callee: RefCell<Callee>,
    router: Router,
}

impl Way for ToCallee {
    fn lead(&self, _: &Asked<'_>) -> Lead {
        Lead::Service(self.callee.borrow_mut().target())
    }

    fn closing(&self) -> Closing {
        Closing::with(self.callee.borrow_mut().target().upstream, self.router.clone())
    }
}

/// Errors of one connection, or of a shortage that passes; the listener itself is sound.
pub fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::INTR];
    error.kind() == io::ErrorKind::ConnectionAborted
        || error.kind() == io::ErrorKind::ConnectionReset
        || passing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// With no descriptor left, asking again at once would only burn the processor.
pub async fn breathe() {
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
}

/// Serves one connection by the protocol of the callee's port.
pub async fn connection(stream: TcpStream, caller: Caller, mut callee: Callee, context: Context) {
    let _ = stream.set_nodelay(true);
    let target = callee.target();
    let beginning = detect::beginning(&stream, target.endpoint().protocol).await;
    match beginning {
        Beginning::Http => {
            let way = ToCallee { callee: RefCell::new(callee), router: context.router.clone() };
            http::serve(stream, caller, way, context).await;
        }
        Beginning::Bytes => tcp::serve(stream, &caller, &target, &context, None).await,
        Beginning::Tls(name) => tcp::serve(stream, &caller, &target, &context, Some(&name)).await,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::{Egress, Protocol};
    use crate::route::{Availability, Endpoint, Location, Upstream};

    #[test]
    fn a_stream_is_not_led_to_datagrams_of_the_same_number() {
        let (_keep, availability) = watch::channel(Availability::Ready);
        let port = |protocol, location| Endpoint { name: String::new(), number: 443, protocol, location };
        let upstream = |location| Upstream {
            name: "web".into(),
            version: None,
            remote: None,
            called: Ipv4Addr::LOCALHOST,
            own: Ipv4Addr::LOCALHOST,
            egress: Egress::Allow,
            ports: vec![port(Protocol::Udp, Location::Loopback(1)), port(Protocol::H2, Location::Loopback(location))],
            availability: availability.clone(),
            replicas: crate::route::Replicas::Fixed,
        };
        let (tables, table) = watch::channel(Arc::new(Table::default()));
        let mut callee = Callee::named(Target { upstream: Arc::new(upstream(2)), port: 1 }, table);
        assert_eq!(callee.target().endpoint().location, Location::Loopback(2));
        let upstreams = [Arc::new(upstream(3))].into_iter().collect();
        tables.send_replace(Arc::new(Table { upstreams, ..Table::default() }));
        assert_eq!(callee.target().endpoint().location, Location::Loopback(3));
    }
}
