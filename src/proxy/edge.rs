//! One caller's way to one port of one callee, and everybody's outside to a published port.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddrV4, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::spawn_local;

use super::closing::Closing;
use super::detect::Beginning;
use super::http::{Asked, Caller, Context, Lead, Target, Way};
use super::listen::Listener;
use super::routing::Router;
use super::{detect, http, tcp};
use crate::effects::ports;
use crate::route::Table;

/// How often an address that could not be had is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Serves an edge or a published port for as long as tables have it. The listener is closed while the callee is absent;
/// the address stays ours meanwhile.
pub async fn serve(at: SocketAddrV4, listener: StdListener, mut tables: watch::Receiver<Arc<Table>>, context: Context) {
    let mut socket = Socket::Open(listener);
    loop {
        let Some(arrival) = find(&tables, at) else { return };
        let reach = context.router.reach(&arrival.target.upstream, arrival.caller.service());
        // Where it cannot be had, somebody of this account was faster, or descriptors ran out.
        socket = socket.turned(at, reach.is_refused).unwrap_or(Socket::Lost);
        let present = tables.clone();
        let accepted = async {
            match &socket {
                Socket::Open(listener) => accept(listener, at, &arrival, &present, &context).await,
                Socket::Reserved { .. } | Socket::Lost => std::future::pending().await,
            }
        };
        tokio::select! {
            result = accepted => if result.is_err() {
                socket = Socket::Lost;
                tokio::time::sleep(RETRY).await;
            },
            () = reach.changed() => {}
            changed = tables.changed() => if changed.is_err() { return },
            // Nobody tells when what was in the way has gone.
            () = tokio::time::sleep(RETRY), if matches!(socket, Socket::Lost) => {}
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
    let listener = Listener::new(listener.try_clone()?, at.to_string())?;
    loop {
        let (stream, _) = listener.accept().await?;
        let callee = Callee { from: Source::Listener(at), target: arrival.target.clone(), tables: tables.clone() };
        spawn_local(connection(stream, arrival.caller.clone(), callee, context.clone()));
    }
}

/// Whom a connection leads to. It may outlive the table that it began with: a caller keeps it open, and the callee may be
/// somewhere else after a reload.
pub struct Callee {
    from: Source,
    target: Target,
    tables: watch::Receiver<Arc<Table>>,
}

/// By what a callee is found again in another table.
enum Source {
    /// The listener's address.
    Listener(SocketAddrV4),
    /// The callee's name, and the number of its port.
    Name,
}

impl Callee {
    /// One that was told by its address.
    pub fn named(target: Target, tables: watch::Receiver<Arc<Table>>) -> Self {
        Self { from: Source::Name, target, tables }
    }

    fn find(&self) -> Option<Target> {
        match self.from {
            Source::Listener(at) => find(&self.tables, at).map(|arrival| arrival.target),
            Source::Name => {
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
    /// The service that calls.
    caller: Option<Arc<str>>,
}

impl Way for ToCallee {
    fn lead(&self, _: &Asked<'_>) -> Lead {
        Lead::Service(self.callee.borrow_mut().target())
    }

    fn addressee(&self) -> Arc<str> {
        self.callee.borrow_mut().target().upstream.service().clone()
    }

    fn closing(&self) -> Closing {
        Closing::with(self.callee.borrow_mut().target().upstream, self.router.clone(), self.caller.clone())
    }
}

/// Serves one connection by the protocol of the callee's port.
pub async fn connection(stream: TcpStream, caller: Caller, mut callee: Callee, context: Context) {
    let _ = stream.set_nodelay(true);
    let target = callee.target();
    let beginning = detect::beginning(&stream, target.endpoint().protocol).await;
    match beginning {
        Beginning::Http => {
            let (callee, router) = (RefCell::new(callee), context.router.clone());
            let way = ToCallee { callee, router, caller: caller.service().cloned() };
            http::serve(stream, caller, way, context).await;
        }
        Beginning::Bytes => tcp::serve(stream, &caller, &target, &context, None).await,
        Beginning::Tls(name) => tcp::serve(stream, &caller, &target, &context, Some(&name)).await,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::mpsc;

    use super::*;
    use crate::model::{Egress, Protocol};
    use crate::route::{Availability, Endpoint, Location, Upstream};
    use crate::supervise::State;

    /// Time passes as fast as there is nothing to do.
    #[tokio::test(start_paused = true)]
    async fn an_address_that_somebody_had_is_taken_when_it_is_free() {
        let stranger = StdListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(at) = stranger.local_addr().unwrap() else { panic!("it is one of IPv4") };
        let (now, availability) = watch::channel(Availability::Absent(State::Stopped));
        let endpoint =
            Endpoint { name: String::new(), number: 80, protocol: Protocol::Http, location: Location::Loopback(1) };
        let to = Arc::new(upstream(vec![endpoint], availability));
        let listener = crate::route::Listener { from: None, to, port: 0, socket: crate::route::Socket::default() };
        let table = Table { listeners: [(at, listener)].into(), ..Table::default() };
        let (_keep, tables) = watch::channel(Arc::new(table));
        let context = Context::new(crate::telemetry::requests::Requests::default(), mpsc::unbounded_channel().0);
        let own = StdListener::bind("127.0.0.1:0").unwrap();
        own.set_nonblocking(true).unwrap();
        let pass = || tokio::time::sleep(RETRY / 10);
        let test = async {
            let serving = spawn_local(serve(at, own, tables, context));
            // It is to be refused, then to be listened on, and can be neither.
            pass().await;
            now.send_replace(Availability::Ready);
            pass().await;
            drop(stranger);
            let mut tries = 0;
            while TcpStream::connect(at).await.is_err() {
                tries += 1;
                assert!(tries < 100, "nobody listens");
                pass().await;
            }
            serving.abort();
        };
        tokio::task::LocalSet::new().run_until(test).await;
    }

    fn upstream(ports: Vec<Endpoint>, availability: watch::Receiver<Availability>) -> Upstream {
        Upstream {
            name: "web".into(),
            version: None,
            remote: None,
            called: Ipv4Addr::LOCALHOST,
            own: Ipv4Addr::LOCALHOST,
            egress: Egress::Allow,
            ports,
            availability,
            replicas: crate::route::Replicas::Fixed,
        }
    }

    #[test]
    fn a_stream_is_not_led_to_datagrams_of_the_same_number() {
        let (_keep, availability) = watch::channel(Availability::Ready);
        let port = |protocol, location| Endpoint { name: String::new(), number: 443, protocol, location };
        let upstream = |location| {
            let ports = [port(Protocol::Udp, Location::Loopback(1)), port(Protocol::H2, Location::Loopback(location))];
            upstream(ports.into(), availability.clone())
        };
        let (tables, table) = watch::channel(Arc::new(Table::default()));
        let mut callee = Callee::named(Target { upstream: Arc::new(upstream(2)), port: 1 }, table);
        assert_eq!(callee.target().endpoint().location, Location::Loopback(2));
        let upstreams = [Arc::new(upstream(3))].into_iter().collect();
        tables.send_replace(Arc::new(Table { upstreams, ..Table::default() }));
        assert_eq!(callee.target().endpoint().location, Location::Loopback(3));
    }
}
