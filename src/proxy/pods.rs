//! Calls out of pods: one listener each, at which every stream that leaves arrives; the kernel tells where it was meant to go.

mod bound;
mod containers;
mod datagrams;
mod doors;
mod names;
mod told;
mod whom;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;

use rustix::net::sockopt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use bound::{Bound, Carried, bound, in_workspace};
use containers::{Berths, Containers};
use datagrams::Outlet;
use doors::Doors;
use names::Names;
use whom::Callers;

use super::door::{self, Door};
use super::edge::{Callee, connection};
use super::egress::{self, Onward};
use super::http::{Caller, Context};
use super::listen::each_connection;
use super::standard;
use super::wire::Io;
use crate::discovery::{serve_tcp, serve_udp};
use crate::effects::pods::{Directory, News, Opened, Pod};
use crate::model::Protocol;
use crate::plan::FRONT_DOOR;
use crate::route::{Location, Table, Upstream};
use crate::supervise::Incarnation;

/// The pods in which services are to be reached, by name; clones share them.
#[derive(Clone, Default)]
pub struct Pods {
    directory: Rc<RefCell<Directory>>,
    tables: Rc<RefCell<Option<watch::Receiver<Arc<Table>>>>>,
}

impl Pods {
    /// Looks pods up here from now on, and services in these tables.
    pub fn look_in(&self, directory: Directory, tables: watch::Receiver<Arc<Table>>) {
        self.directory.replace(directory);
        self.tables.replace(Some(tables));
    }

    /// A stream to a program in its pod, from the address of its caller.
    pub async fn connect(&self, callee: (&str, u32), caller: &Caller, port: u16) -> io::Result<TcpStream> {
        self.pod(callee)?.connect(self.source(caller), port).await
    }

    /// A socket for datagrams between a caller and a program in its pod.
    pub async fn datagrams(&self, callee: (&str, u32), caller: &Caller, port: u16) -> io::Result<UdpSocket> {
        self.pod(callee)?.datagrams(self.source(caller), port).await
    }

    fn pod(&self, (service, instance): (&str, u32)) -> io::Result<Pod> {
        let pod = self.directory.borrow().pod(service, instance);
        pod.ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    /// Whether a service listens by IPv6 and by that alone, on any of its ports.
    fn is_ipv6(&self, upstream: &Upstream) -> bool {
        let Some(Pod { ears, .. }) = self.directory.borrow().first(&upstream.name) else { return false };
        let mut streams = upstream.ports.iter().filter(|port| port.protocol != Protocol::Udp);
        streams.any(|port| matches!(port.location, Location::Pod { port, .. } if ears.by_ipv6_alone(port)))
    }

    /// The address from which a caller is seen to call.
    fn source(&self, caller: &Caller) -> Ipv4Addr {
        let own = |name: &str| Some(self.tables.borrow().as_ref()?.borrow().upstream(name)?.own);
        match caller {
            Caller::Pod(_, own) => *own,
            Caller::Service(name) => own(name).unwrap_or(FRONT_DOOR),
            Caller::Outside => FRONT_DOOR,
        }
    }
}

/// What all pods share.
#[derive(Clone)]
pub struct Surroundings {
    pub tables: watch::Receiver<Arc<Table>>,
    pub context: Context,
    pub door: Rc<Door>,
}

/// Serves pods as they come, until no more can come.
pub async fn serve(mut news: mpsc::UnboundedReceiver<News>, around: Surroundings) {
    let around = Rc::new(around);
    let context = &around.context;
    let mut tasks: HashMap<Incarnation, Vec<JoinHandle<()>>> = HashMap::new();
    let (berths, mut containers) = (Berths::default(), None::<(Containers, JoinHandle<()>)>);
    while let Some(news) = news.recv().await {
        match news {
            News::Opened(pod) => {
                tasks.insert(pod.incarnation, open(pod, &around));
            }
            News::Router(router) => {
                let (network, served) = Containers::serve(router, berths.clone(), around.clone());
                // One that comes again takes the place of one that is gone.
                if let Some((_, gone)) = containers.replace((network, spawn_local(served))) {
                    gone.abort();
                }
            }
            News::Joined(joined) => {
                if let Some((network, _)) = &containers {
                    berths.join(joined.incarnation, joined.address, network.caller(joined, &around));
                }
            }
            News::Closed(incarnation) => {
                berths.leave(incarnation);
                tasks.remove(&incarnation).into_iter().flatten().for_each(|task| task.abort());
            }
            News::Withdrawn(locations) => locations.iter().for_each(|it| context.pool.withdraw(it)),
        }
    }
}

fn open(pod: Opened, around: &Rc<Surroundings>) -> Vec<JoinHandle<()>> {
    let Surroundings { tables, context, .. } = &**around;
    let Opened { service, address, pod: Pod { line, .. }, listener, names, datagrams, .. } = pod;
    let pods = context.pool.dialer.pods.clone();
    let doors = Rc::new(Doors::of_pod(service.clone(), line.clone(), tables.clone(), context.router.clone()));
    let pod = Names::new((service.clone(), address), None, doors, tables.clone(), pods);
    let (socket, forwarder) = (names.into(), context.forwarder.clone());
    let (asked, caller) = (pod.clone(), Rc::new(PodCaller { service, address, names: pod }));
    let names = spawn_local(async move {
        let _ = serve_udp(socket, asked, forwarder).await;
    });
    let outlet = Outlet { line, callers: Callers::One(caller.clone()), around: around.clone() };
    let datagrams = datagrams.into_iter().map(|socket| {
        let outlet = outlet.clone();
        spawn_local(async move {
            let _ = outlet.serve(socket.into()).await;
        })
    });
    let streams = spawn_local(accept(listener.into(), caller, around.clone()));
    datagrams.chain([names, streams]).collect()
}

/// Who calls out of a pod, or out of a container.
struct PodCaller {
    service: Arc<str>,
    /// Of its pod.
    address: Ipv4Addr,
    names: Rc<Names>,
}

impl PodCaller {
    fn caller(&self) -> Caller {
        Caller::Pod(self.service.clone(), self.address)
    }
}

async fn accept(listener: StdListener, caller: Rc<PodCaller>, around: Rc<Surroundings>) {
    let what = format!("the way out of {}'s pod", caller.service);
    each_connection(listener, what, |stream, from| arrived(stream, from, &caller, &around)).await;
}

fn arrived(stream: TcpStream, from: SocketAddr, caller: &PodCaller, around: &Surroundings) {
    // Without it the pod is gone already.
    let Ok(meant) = meant(&stream, from) else { return };
    lead(stream, meant, caller, around);
}

/// Leads a stream to where a caller meant it to go.
fn lead(stream: TcpStream, meant: SocketAddr, caller: &PodCaller, around: &Surroundings) {
    let Surroundings { tables, context, door } = around;
    let called = in_workspace(meant.ip()).ok().filter(|address| tables.borrow().called(*address).is_some());
    if let Some(called) = called {
        // It knew the address from before: the kernel may have to be told.
        let names = caller.names.clone();
        spawn_local(async move { names.meet(called).await });
    }
    let bound = bound(&caller.service, Carried::Stream, meant, &tables.borrow());
    let (who, address) = (caller.caller(), caller.address);
    match bound {
        Bound::Service(target) => {
            let callee = Callee::named(target, tables.clone());
            spawn_local(connection(stream, who, callee, context.clone()));
        }
        Bound::Door => {
            let _ = stream.set_nodelay(true);
            spawn_local(door::connection(stream, who, address.into(), door.clone()));
        }
        Bound::Elsewhere(to) => {
            let name = caller.names.name_of(meant.ip());
            let from = standard::source(to, &tables.borrow());
            spawn_local(egress::serve(stream, who, Onward { address: to, name, from }, context.clone()));
        }
        Bound::Names => {
            let (names, forwarder) = (caller.names.clone(), context.forwarder.clone());
            spawn_local(async move {
                let _ = serve_tcp(stream, names, forwarder).await;
            });
        }
        Bound::Nobody => stream.reset(),
    }
}

/// Whom a stream was meant for. One listener has both families: callers by IPv4 are mapped there (RFC 4291 section
/// 2.5.5.2).
fn meant(stream: &TcpStream, from: SocketAddr) -> rustix::io::Result<SocketAddr> {
    match from.ip().to_canonical() {
        IpAddr::V4(_) => sockopt::ip_original_dst(stream).map(SocketAddr::V4),
        IpAddr::V6(_) => sockopt::ipv6_original_dst(stream).map(SocketAddr::V6),
    }
}
