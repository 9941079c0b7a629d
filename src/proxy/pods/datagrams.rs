//! Datagrams out of a pod: each flow of them goes on over a socket of its own, of the host or of the callee's pod.
//!
//! They come to one socket, as streams come to one listener, and an answer that is sent from it is seen to come from
//! whom the datagram was meant for. Nothing is asked of the kernel, and nothing but that socket is there, until a
//! program sends its first one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::bound::{Bound, Carried, NAMES, bound};
use super::whom::{Callers, Meant};
use super::{PodCaller, Surroundings};
use crate::discovery::{Transport, answer};
use crate::effects::clock;
use crate::effects::flows::{Flow, Tracker};
use crate::launcher::Line;
use crate::proxy::body::Recording;
use crate::proxy::headers::{Given, Identity};
use crate::proxy::http::{Caller, Target};
use crate::route::{Availability, Location};
use crate::telemetry::requests::Words;

/// A flow is given up so long after its last datagram (RFC 4787 section 4.3).
const IDLE: Duration = Duration::from_secs(120);
/// So long the kernel remembers a flow for certain: where it could not be told to, it forgets after 30 s.
const FRESH: Duration = Duration::from_secs(20);
/// Whoever is refused is refused for so long without another look, and another record.
const REFUSAL: Duration = Duration::from_secs(1);
/// Flows of one pod; the one that was quiet longest makes room.
const MOST: usize = 1024;
/// Datagrams of one flow that wait for a callee to come.
const BACKLOG: usize = 64;
/// More than any has.
const LONGEST: usize = 64 << 10;

/// A way out for datagrams: one pod's, or that of all containers to one port.
#[derive(Clone)]
pub struct Outlet {
    pub line: Arc<Line>,
    pub callers: Callers,
    pub around: Rc<Surroundings>,
}

/// What all flows of a pod share.
struct Post {
    outlet: Outlet,
    socket: UdpSocket,
    /// Its address.
    at: SocketAddr,
    meant: Meant,
    /// Where answers are received, one after the other.
    buffer: RefCell<Vec<u8>>,
}

/// A flow that is served.
struct Known {
    flow: Flow,
    inbox: mpsc::Sender<Vec<u8>>,
    /// When there was a datagram, of either side.
    last: Rc<Cell<Instant>>,
}

impl Outlet {
    /// Serves a pod's socket until its future is dropped. Where the kernel cannot tell whom datagrams are meant for, the
    /// socket closes and it refuses them from then on.
    pub async fn serve(self, socket: StdSocket) -> io::Result<()> {
        let socket = UdpSocket::from_std(socket)?;
        socket.readable().await?;
        // Most pods never come here: what waits for a first datagram is to be small.
        Box::pin(self.pass_on(socket)).await
    }

    async fn pass_on(self, socket: UdpSocket) -> io::Result<()> {
        let tracker = Tracker::new(self.line.tracking().await?);
        let at = socket.local_addr()?;
        // Whether it answers at all; a single failure later is one datagram's.
        tracker.find(at, at)?;
        self.serve_all(socket, Meant::Tracked(tracker)).await
    }

    /// Serves a socket to which only datagrams for `to` come.
    pub async fn serve_at(self, socket: UdpSocket, to: SocketAddr) -> io::Result<()> {
        Box::pin(self.serve_all(socket, Meant::Always(to))).await
    }

    async fn serve_all(self, socket: UdpSocket, meant: Meant) -> io::Result<()> {
        let at = socket.local_addr()?;
        let post = Rc::new(Post { outlet: self, socket, at, meant, buffer: RefCell::new(vec![0; LONGEST]) });
        let mut flows: HashMap<SocketAddr, Known> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut buffer = vec![0; LONGEST];
        loop {
            tokio::select! {
                received = post.socket.recv_from(&mut buffer) => match received {
                    Ok((length, sender)) => {
                        if post.is_question(sender, &buffer[..length], &mut tasks) {
                            continue;
                        }
                        if let Some(known) = post.known(&mut flows, sender, &mut tasks) {
                            known.last.set(clock::instant());
                            // One too many is lost, as on any network.
                            let _ = known.inbox.try_send(buffer[..length].to_vec());
                        }
                    }
                    // Of an earlier answer that nobody waited for.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                },
                Some(_) = tasks.join_next() => flows.retain(|_, known| !known.inbox.is_closed()),
            }
        }
    }
}

impl Post {
    /// Whether a datagram is a question of names, which is answered: those by IPv6 come here.
    fn is_question(self: &Rc<Self>, sender: SocketAddr, bytes: &[u8], tasks: &mut JoinSet<()>) -> bool {
        let Callers::One(caller) = &self.outlet.callers else { return false };
        if self.at.is_ipv4() {
            return false;
        }
        let flow = self.meant.flow(sender, self.at).ok().flatten().filter(|flow| flow.to.port() == NAMES);
        let tables = &self.outlet.around.tables;
        let led = |to| bound(&caller.service, Carried::Datagram, to, &tables.borrow());
        // A service may be a server of names itself.
        let is_question = flow.is_some_and(|flow| !matches!(led(flow.to), Bound::Service(_)));
        if is_question && tasks.len() < MOST {
            let (post, caller, bytes) = (self.clone(), caller.clone(), bytes.to_vec());
            tasks.spawn_local(async move {
                let forwarder = &post.outlet.around.context.forwarder;
                if let Some(reply) = answer(&bytes, Transport::Udp, &*caller.names, forwarder).await {
                    let _ = post.socket.send_to(&reply, sender).await;
                }
            });
        }
        is_question
    }

    /// The flow of a datagram: one that is served, or a new one. None where the kernel knows of none.
    fn known<'a>(
        self: &Rc<Self>,
        flows: &'a mut HashMap<SocketAddr, Known>,
        sender: SocketAddr,
        tasks: &mut JoinSet<()>,
    ) -> Option<&'a Known> {
        let now = clock::instant();
        let served = flows.get(&sender).filter(|known| !known.inbox.is_closed());
        if served.is_none_or(|known| now.duration_since(known.last.get()) >= FRESH) {
            let flow = self.meant.flow(sender, self.at).ok().flatten()?;
            // A program's next flow may look like its last.
            if served.is_none_or(|known| known.flow != flow) {
                let caller = self.outlet.callers.of(sender)?;
                make_room(flows);
                flows.insert(sender, self.open(caller, flow, sender, tasks));
            }
        }
        flows.get(&sender)
    }

    fn open(self: &Rc<Self>, caller: Rc<PodCaller>, flow: Flow, sender: SocketAddr, tasks: &mut JoinSet<()>) -> Known {
        let (inbox, datagrams) = mpsc::channel(BACKLOG);
        let last = Rc::new(Cell::new(clock::instant()));
        let passage = Passage { post: self.clone(), caller, flow, sender, last: last.clone() };
        tasks.spawn_local(passage.run(datagrams));
        Known { flow, inbox, last }
    }
}

/// A flow that is dropped ends.
fn make_room(flows: &mut HashMap<SocketAddr, Known>) {
    if flows.len() >= MOST
        && let Some(oldest) = flows.iter().min_by_key(|(_, known)| known.last.get()).map(|(sender, _)| *sender)
    {
        flows.remove(&oldest);
    }
}

/// One flow on its way.
struct Passage {
    post: Rc<Post>,
    caller: Rc<PodCaller>,
    flow: Flow,
    /// As whom the pod's socket sees the flow's program.
    sender: SocketAddr,
    last: Rc<Cell<Instant>>,
}

/// The end of a callee.
type Gone = Pin<Box<dyn Future<Output = ()>>>;

/// The other side of a flow.
struct Outside {
    socket: UdpSocket,
    /// When the callee is to get no more, where that is a service: what comes in its place is elsewhere.
    gone: Gone,
}

impl Passage {
    async fn run(self, mut datagrams: mpsc::Receiver<Vec<u8>>) {
        match self.open().await {
            Some(outside) => self.pass(outside, datagrams).await,
            None => {
                let refuse = async {
                    while datagrams.recv().await.is_some() {
                        self.post.meant.refuse(self.flow);
                    }
                };
                let _ = timeout(REFUSAL, refuse).await;
            }
        }
    }

    /// Opens the way for a flow, and records it; `None` where there is none.
    async fn open(&self) -> Option<Outside> {
        let (begun, now) = (clock::instant(), clock::utc());
        let around = &self.post.outlet.around;
        let bound = bound(&self.caller.service, Carried::Datagram, self.flow.to, &around.tables.borrow());
        let to = match &bound {
            Bound::Service(target) => target.upstream.name.clone(),
            Bound::Elsewhere(address) => address.to_string().into(),
            Bound::Door | Bound::Names | Bound::Nobody => return None,
        };
        if let Bound::Service(target) = &bound {
            // It may know the address from before: the kernel may have to be told.
            self.caller.names.meet(target.upstream.called).await;
        }
        let identity = Identity::of(now, &Given::default());
        let words = Words::new(identity.request_id(), "", "");
        let caller = self.caller.caller();
        let mut recording = around.context.recording(words, identity.trace_id, (begun, now), &caller, to, "udp");
        if matches!(bound, Bound::Elsewhere(_)) {
            recording.known_as(self.caller.names.name_of(self.flow.to.ip()));
        }
        match self.connect(&bound, &caller).await {
            Ok(outside) => {
                recording.finish();
                Some(outside)
            }
            Err(reason) => fail(recording, reason),
        }
    }

    async fn connect(&self, bound: &Bound, caller: &Caller) -> Result<Outside, String> {
        match bound {
            Bound::Service(target) => self.to_service(target, caller).await,
            Bound::Elsewhere(address) => {
                let socket = connected(*address).await.map_err(|error| format!("{address}: {error}"))?;
                Ok(Outside { socket, gone: Box::pin(std::future::pending()) })
            }
            Bound::Door | Bound::Names | Bound::Nobody => Err("nobody is there".to_owned()),
        }
    }

    async fn to_service(&self, target: &Target, caller: &Caller) -> Result<Outside, String> {
        let context = &self.post.outlet.around.context;
        let call = context.available(target).await.map_err(|refusal| refusal.to_string())?;
        let location = call.location();
        let socket = match location {
            Location::Pod { service, instance, port } => {
                context.pool.dialer.pods.datagrams((service, *instance), caller, *port).await
            }
            Location::Loopback(port) => connected((Ipv4Addr::LOCALHOST, *port).into()).await,
            Location::Elsewhere { host, port, .. } => match tokio::net::lookup_host((&**host, *port)).await {
                Ok(mut found) => match found.next() {
                    Some(address) => connected(address).await,
                    None => Err(io::ErrorKind::HostUnreachable.into()),
                },
                Err(error) => Err(error),
            },
        };
        let socket = socket.map_err(|error| format!("{location}: {error}"))?;
        let absent = absent(target.upstream.availability.clone());
        let closed = call.into_closed();
        let gone = async {
            tokio::select! {
                () = absent => {}
                () = closed => {}
            }
        };
        Ok(Outside { socket, gone: Box::pin(gone) })
    }

    /// Passes datagrams on both ways until nothing comes any more.
    async fn pass(&self, outside: Outside, mut datagrams: mpsc::Receiver<Vec<u8>>) {
        let Outside { socket, mut gone } = outside;
        loop {
            let end = self.last.get() + IDLE;
            tokio::select! {
                datagram = datagrams.recv() => {
                    let Some(datagram) = datagram else { return };
                    if let Err(error) = socket.send(&datagram).await {
                        // Any other is one of this datagram: too long, say.
                        self.is_refused(&error);
                    }
                }
                ready = socket.readable() => {
                    if ready.is_err() || !self.answers(&socket) {
                        return;
                    }
                }
                () = sleep_until(end.into()) => {
                    if self.last.get() + IDLE <= clock::instant() {
                        return;
                    }
                }
                () = &mut gone => return,
            }
        }
    }

    /// Passes on all answers that are there; false when the flow is over.
    fn answers(&self, socket: &UdpSocket) -> bool {
        let Post { meant, at, buffer, .. } = &*self.post;
        loop {
            let mut buffer = buffer.borrow_mut();
            let length = match socket.try_recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) => return self.is_refused(&error),
            };
            let now = clock::instant();
            let is_known = || meant.flow(self.sender, *at).is_ok_and(|flow| flow == Some(self.flow));
            // What the kernel has forgotten would be seen to come from somebody else.
            if now.duration_since(self.last.get()) >= FRESH && !is_known() {
                return false;
            }
            self.last.set(now);
            // One that is not taken now is lost, as on any network.
            let _ = self.post.socket.try_send_to(&buffer[..length], self.sender);
        }
    }

    /// Whether the other side's host said that nobody takes these datagrams, which the program is told.
    fn is_refused(&self, error: &io::Error) -> bool {
        let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
        if is_refused {
            self.post.meant.refuse(self.flow);
        }
        is_refused
    }
}

fn fail(mut recording: Recording, reason: String) -> Option<Outside> {
    recording.fail(reason);
    None
}

/// A socket of the host's that sends to an address and hears nobody else.
async fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// Until a callee that is ready is so no more.
async fn absent(mut callee: watch::Receiver<Availability>) {
    let _ = callee.wait_for(|now| *now != Availability::Ready).await;
}
