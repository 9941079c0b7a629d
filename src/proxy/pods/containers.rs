//! Calls of containers: all come out of one network, whose router hands over its sockets, and are told apart by their
//! addresses, which their engine lets nobody else have.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};

use super::datagrams::Outlet;
use super::doors::{Doors, changed};
use super::names::Names;
use super::whom::Callers;
use super::{PodCaller, Surroundings, lead};
use crate::discovery::serve_udp_of;
use crate::effects::pods::{Joined, Router};
use crate::launcher::Line;
use crate::model::Protocol;
use crate::plan::Subnet;
use crate::proxy::listen::each_connection;
use crate::proxy::wire::Io;
use crate::route::Upstream;
use crate::supervise::Incarnation;

/// How long after a socket for datagrams could not be had.
const AGAIN: Duration = Duration::from_secs(1);

/// Containers that run, by their addresses, as those in pods have them; clones are the same.
#[derive(Clone, Default)]
pub struct Berths(Rc<RefCell<Known>>);

type Known = HashMap<Ipv4Addr, (Incarnation, Rc<PodCaller>)>;

impl Berths {
    /// One runs.
    pub fn join(&self, incarnation: Incarnation, address: Ipv4Addr, caller: Rc<PodCaller>) {
        self.0.borrow_mut().insert(address, (incarnation, caller));
    }

    /// It runs no more.
    pub fn leave(&self, incarnation: Incarnation) {
        self.0.borrow_mut().retain(|_, (known, _)| *known != incarnation);
    }

    /// Whoever calls from an address of the containers' network. Somebody who joined that by himself is nobody of ours.
    pub fn caller(&self, from: SocketAddr) -> Option<Rc<PodCaller>> {
        let IpAddr::V4(source) = from.ip().to_canonical() else { return None };
        self.0.borrow().get(&Subnet::inside(source)).map(|(_, caller)| caller.clone())
    }
}

/// The network of the containers.
pub struct Containers {
    subnet: Subnet,
    doors: Rc<Doors>,
}

impl Containers {
    /// The network by its router, and what serves all that comes out of it until that is dropped.
    pub fn serve(
        router: Router,
        berths: Berths,
        around: Rc<Surroundings>,
    ) -> (Self, impl Future<Output = ()> + 'static) {
        let Router { line, subnet, listener, names } = router;
        let Surroundings { tables, context, .. } = &*around;
        let doors = Rc::new(Doors::of_containers(subnet, line.clone(), tables.clone(), context.router.clone()));
        let network = Self { subnet, doors: doors.clone() };
        let served = async move {
            let what = "the way out of the containers".to_owned();
            let streams = each_connection(listener.into(), what, |stream, from| {
                arrived(stream, from, &berths, &around);
            });
            let whose = |client| berths.caller(client).map(|caller| caller.names.clone());
            let names = serve_udp_of(names.into(), whose, around.context.forwarder.clone());
            let datagrams = Datagrams { line, subnet, berths: berths.clone(), around: around.clone() };
            let _ = tokio::join!(streams, names, datagrams.serve(&doors));
        };
        (network, served)
    }

    /// A container that runs, as a caller.
    pub fn caller(&self, joined: Joined, around: &Surroundings) -> Rc<PodCaller> {
        let Joined { service, address, .. } = joined;
        let pods = around.context.pool.dialer.pods.clone();
        let whose = (service.clone(), address);
        let names = Names::new(whose, Some(self.subnet), self.doors.clone(), around.tables.clone(), pods);
        Rc::new(PodCaller { service, address, names })
    }
}

fn arrived(stream: TcpStream, from: SocketAddr, berths: &Berths, around: &Surroundings) {
    let (Some(caller), Ok(meant)) = (berths.caller(from), sockopt::ip_original_dst(&stream)) else {
        return stream.reset();
    };
    let meant = SocketAddr::from((Subnet::inside(*meant.ip()), meant.port()));
    lead(stream, meant, &caller, around);
}

/// What is sent to services: a socket in the containers' network for each of their ports that takes datagrams, as long as
/// they can be called. Where there is none, the kernel refuses.
struct Datagrams {
    line: Arc<Line>,
    subnet: Subnet,
    berths: Berths,
    around: Rc<Surroundings>,
}

/// Ends with whoever has it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Datagrams {
    /// Serves the ports that there are, and has the kernel know of all services, whoever asks for them.
    async fn serve(self, doors: &Rc<Doors>) {
        let (own, mut tables) = (Rc::new(self), None);
        let tables = tables.get_or_insert(own.around.tables.clone());
        let mut open: HashMap<(Ipv4Addr, u16), Task> = HashMap::new();
        let mut met: HashSet<Ipv4Addr> = HashSet::new();
        loop {
            let table = tables.borrow_and_update().clone();
            let wanted: HashSet<(Ipv4Addr, u16)> = table.upstreams.iter().flat_map(ports).collect();
            open.retain(|place, _| wanted.contains(place));
            for place in wanted {
                let one = own.clone();
                open.entry(place).or_insert_with(|| Task(spawn_local(async move { one.keep(place).await })));
            }
            for upstream in table.upstreams.iter().filter(|upstream| met.insert(upstream.called)) {
                let (doors, address) = (doors.clone(), upstream.called);
                spawn_local(async move { doors.meet(address).await });
            }
            if tables.changed().await.is_err() {
                return;
            }
        }
    }

    /// Keeps the socket of a port for as long as the service at its address can be called.
    async fn keep(&self, (address, port): (Ipv4Addr, u16)) {
        let mut tables = self.around.tables.clone();
        loop {
            let upstream = tables.borrow_and_update().called(address).cloned();
            let reach = upstream.map(|upstream| self.around.context.router.reach(&upstream, None));
            let is_there = reach.as_ref().is_some_and(|reach| !reach.is_refused);
            tokio::select! {
                () = self.pass_on((address, port)), if is_there => {}
                () = changed(reach) => {}
                changed = tables.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn pass_on(&self, (address, port): (Ipv4Addr, u16)) {
        let Ok(socket) = self.line.datagrams_at(self.subnet.outside(address), port).await else {
            return tokio::time::sleep(AGAIN).await;
        };
        let callers = Callers::Containers(self.berths.clone());
        let outlet = Outlet { line: self.line.clone(), callers, around: self.around.clone() };
        let _ = outlet.serve_at(socket, (address, port).into()).await;
        tokio::time::sleep(AGAIN).await;
    }
}

fn ports(upstream: &Arc<Upstream>) -> Vec<(Ipv4Addr, u16)> {
    let takes = upstream.ports.iter().filter(|port| port.protocol == Protocol::Udp);
    takes.map(|port| (upstream.called, port.number)).collect()
}
