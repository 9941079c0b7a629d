//! Pods from the engine's side: made with each launch, known to the proxy as long as they are there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket as StdSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::ears::{Ears, Taker, Unheard, astray};
use crate::launcher::Line;
use crate::launcher::pod::{self, Handover};
use crate::model::Egress;
use crate::plan::{HOST, Location, Planned, RANGE, Subnet};
use crate::supervise::Incarnation;

/// What the proxy is told of pods.
#[derive(Debug)]
pub enum News {
    Opened(Opened),
    /// The network of the containers is there.
    Router(Router),
    /// A container in it runs.
    Joined(Joined),
    /// Nothing in it runs any more.
    Closed(Incarnation),
    /// No calls are sent there any more, by whatever way they went.
    Withdrawn(Vec<Location>),
}

/// A pod that is complete: its program is about to start.
#[derive(Debug)]
pub struct Opened {
    pub incarnation: Incarnation,
    pub service: Arc<str>,
    /// Which of the service's instances is in it.
    pub instance: u32,
    /// Its own address.
    pub address: Ipv4Addr,
    pub pod: Pod,
    /// All streams that leave the pod.
    pub listener: OwnedFd,
    /// All its questions of names.
    pub names: OwnedFd,
    /// All other datagrams that leave the pod, a socket for each family of addresses.
    pub datagrams: Vec<OwnedFd>,
    /// Whether the service's callers are to be sent there; a setup step's pod only calls.
    pub serves: bool,
}

/// The pods in which services are to be reached; clones are the same. It is shared and not told of, because whoever is
/// led to an instance finds its pod here, however soon that is.
#[derive(Debug, Clone, Default)]
pub struct Directory(Arc<Mutex<Entries>>);

/// By services and the numbers of their instances.
type Entries = HashMap<Arc<str>, BTreeMap<u32, (Incarnation, Pod)>>;

impl Directory {
    /// The pod of an instance, if it has one.
    pub fn pod(&self, service: &str, instance: u32) -> Option<Pod> {
        self.lock().get(service)?.get(&instance).map(|(_, pod)| pod.clone())
    }

    /// The pod of a service's first instance.
    pub fn first(&self, service: &str) -> Option<Pod> {
        self.lock().get(service)?.values().next().map(|(_, pod)| pod.clone())
    }

    fn enter(&self, (service, instance): (&Arc<str>, u32), incarnation: Incarnation, pod: Pod) {
        self.lock().entry(service.clone()).or_default().insert(instance, (incarnation, pod));
    }

    fn leave(&self, incarnation: Incarnation) {
        self.lock().retain(|_, pods| {
            pods.retain(|_, (known, _)| *known != incarnation);
            !pods.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network of a workspace's containers, for whoever serves what they call.
#[derive(Debug)]
pub struct Router {
    pub line: Arc<Line>,
    pub subnet: Subnet,
    /// All streams of all containers to addresses of the workspace.
    pub listener: OwnedFd,
    /// All their questions of names.
    pub names: OwnedFd,
}

/// A container that runs.
#[derive(Debug)]
pub struct Joined {
    pub incarnation: Incarnation,
    pub service: Arc<str>,
    /// Its own address, as in a pod.
    pub address: Ipv4Addr,
}

/// Tells the proxy of pods. One whose program ended before its sockets had come is never opened: the proxy would hold
/// them, and with them the pod's network, for as long as the engine lives.
#[derive(Debug, Clone)]
pub struct Announcer {
    news: mpsc::UnboundedSender<News>,
    /// Pods that were ordered and have not been closed.
    open: Arc<Mutex<HashSet<Incarnation>>>,
    directory: Directory,
}

impl Announcer {
    fn order(&self, incarnation: Incarnation) {
        self.lock().insert(incarnation);
    }

    fn open(&self, pod: Opened) {
        // The lock is held while it is told, lest the end be told before.
        let open = self.lock();
        if open.contains(&pod.incarnation) {
            if pod.serves {
                self.directory.enter((&pod.service, pod.instance), pod.incarnation, pod.pod.clone());
            }
            let _ = self.news.send(News::Opened(pod));
        }
    }

    /// The router of the containers has handed over its sockets.
    pub fn open_router(&self, line: Arc<Line>, subnet: Subnet, handover: Handover) {
        let Handover { listener, names, .. } = handover;
        let _ = self.news.send(News::Router(Router { line, subnet, listener, names }));
    }

    /// A container runs.
    pub fn join(&self, incarnation: Incarnation, planned: &Planned, instance: u32, line: Arc<Line>) {
        let (service, address): (Arc<str>, _) = (planned.name.as_str().into(), planned.own_address(instance));
        // The lock is held while it is told, as with pods.
        let mut open = self.lock();
        open.insert(incarnation);
        // Nobody has to be asked where it listens: what the network of the containers does not reach is not there.
        self.directory.enter((&service, instance), incarnation, Pod { line, ears: Ears::new(address) });
        let _ = self.news.send(News::Joined(Joined { incarnation, service, address }));
    }

    /// The proxy may let go of a pod, if there was one: as long as it holds a socket of it, the kernel keeps its network.
    pub fn close(&self, incarnation: Incarnation) {
        let mut open = self.lock();
        if open.remove(&incarnation) {
            self.directory.leave(incarnation);
            let _ = self.news.send(News::Closed(incarnation));
        }
    }

    /// Connections that are kept to these places are to be closed.
    pub fn withdraw(&self, locations: Vec<Location>) {
        let _ = self.news.send(News::Withdrawn(locations));
    }

    /// No pod is left.
    pub fn close_all(&self) {
        let open: Vec<Incarnation> = self.lock().iter().copied().collect();
        open.into_iter().for_each(|incarnation| self.close(incarnation));
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Incarnation>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The proxy's end of the news, to be taken once, and the directory.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    news: Arc<Mutex<Option<mpsc::UnboundedReceiver<News>>>>,
    pub directory: Directory,
}

impl Inbox {
    /// An inbox and the way to it.
    pub fn new() -> (Announcer, Self) {
        let (news, receiver) = mpsc::unbounded_channel();
        let directory = Directory::default();
        let announcer = Announcer { news, open: Arc::default(), directory: directory.clone() };
        (announcer, Self { news: Arc::new(Mutex::new(Some(receiver))), directory })
    }

    /// Takes it; `None` for everybody but the first.
    pub fn take(&self) -> Option<mpsc::UnboundedReceiver<News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the launcher needs to make a pod: its parts, and its end of the line.
pub type PodOrder = (pod::Pod, OwnedFd);

/// What the launcher needs to start a program that has only its own files, in network mode `names`. Nothing comes out of
/// there and nothing is asked for, so the line's other end is closed at once.
pub fn private_files(etc: &Path) -> io::Result<PodOrder> {
    let (_closed, end) = std::os::unix::net::UnixStream::pair()?;
    Ok((pod::Pod { etc: etc.as_os_str().as_encoded_bytes().to_vec(), network: None }, end.into()))
}

/// A pod as it is called and asked; clones share the ways there.
#[derive(Debug, Clone)]
pub struct Pod {
    pub line: Arc<Line>,
    pub ears: Ears,
}

/// What is to run in a pod.
#[derive(Debug)]
pub struct Whose<'a> {
    pub incarnation: Incarnation,
    pub planned: &'a Planned,
    pub instance: u32,
    /// Whether the service's callers are to be sent there.
    pub serves: bool,
}

impl Pod {
    /// A pod to be, and what the launcher needs to make it. When it is complete, the proxy is told.
    pub fn order(
        whose: &Whose<'_>,
        etc: &Path,
        front_door: u16,
        announcer: &Announcer,
    ) -> io::Result<(Self, PodOrder)> {
        let &Whose { incarnation, planned, instance, serves } = whose;
        let address = planned.own_address(instance);
        let (line, end) = Line::new(address)?;
        let pod = Self { line: Arc::new(line), ears: Ears::new(address) };
        let listens_itself = |number: u16| planned.ports.iter().any(|port| port.number == number);
        let order = pod::Pod {
            etc: etc.as_os_str().as_encoded_bytes().to_vec(),
            network: Some(pod::Network {
                address,
                range: RANGE,
                world6: reaches_world6(),
                host_name: planned.name.as_str().as_bytes().to_vec(),
                answers_names: listens_itself(53),
                front_door: if listens_itself(front_door) { 0 } else { front_door },
                confined: (planned.egress == Egress::Deny).then_some(HOST),
            }),
        };
        announcer.order(incarnation);
        let (known, service, announcer) = (pod.clone(), planned.name.as_str().into(), announcer.clone());
        tokio::spawn(async move {
            // Where it is never complete, the launcher tells why.
            let Ok(handover) = known.line.handover().await else { return };
            let Handover { listener, names, datagrams, datagrams6, diagnosis } = handover;
            let datagrams = std::iter::once(datagrams).chain(datagrams6).collect();
            known.ears.complete(diagnosis);
            announcer.open(Opened {
                incarnation,
                service,
                instance,
                address,
                pod: known,
                listener,
                names,
                datagrams,
                serves,
            });
        });
        Ok((pod, (order, end)))
    }

    /// A stream from `source` to a port of a program in it. Where nobody listens, what is open is told; a program that
    /// listens on an odd address of the loopback is found all the same.
    pub async fn connect(&self, source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
        let refused = match self.line.connect(source, port).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => error,
            settled => return settled,
        };
        let ears = self.ears.clone();
        let Ok(open) = tokio::task::spawn_blocking(move || ears.lately()).await else { return Err(refused) };
        match astray(&open, port) {
            Some(address) => self.line.connect_to(address, source, port).await,
            None => Err(io::Error::new(io::ErrorKind::ConnectionRefused, Unheard::new(port, open))),
        }
    }

    /// A socket for datagrams from `source` to a port of a program in it; refused where nobody takes them. Only a pod can
    /// be asked who does.
    pub async fn datagrams(&self, source: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
        let target = match self.ears.taker(port) {
            Taker::At(address) => Some(address),
            Taker::Unknown => None,
            Taker::Nobody => {
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, Unheard::of_datagrams(port)));
            }
        };
        self.line.datagrams(target, source, port).await
    }
}

/// Whether this machine has a way to addresses of the internet by IPv6; nothing is sent.
fn reaches_world6() -> bool {
    // The first address of those that are given out (RFC 3587).
    let somewhere = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1);
    StdSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok_and(|socket| socket.connect((somewhere, 9)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(incarnation: Incarnation) -> Opened {
        let address = Ipv4Addr::new(10, 66, 128, 1);
        let (line, _) = Line::new(address).unwrap();
        let socket = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into();
        Opened {
            incarnation,
            service: "web".into(),
            instance: 1,
            address,
            pod: Pod { line: line.into(), ears: Ears::new(address) },
            listener: socket(),
            names: socket(),
            datagrams: vec![socket()],
            serves: true,
        }
    }

    #[tokio::test]
    async fn a_pod_that_ended_before_its_sockets_came_is_never_opened() {
        let (announcer, inbox) = Inbox::new();
        let mut news = inbox.take().unwrap();
        let (quick, usual, none) = (Incarnation(1), Incarnation(2), Incarnation(3));
        announcer.order(quick);
        announcer.order(usual);
        announcer.close(quick);
        announcer.open(opened(quick));
        assert!(inbox.directory.pod("web", 1).is_none());
        announcer.open(opened(usual));
        // Before anybody has read the news: its calls may come at once.
        assert!(inbox.directory.pod("web", 1).is_some() && inbox.directory.pod("web", 2).is_none());
        announcer.close(usual);
        assert!(inbox.directory.pod("web", 1).is_none() && inbox.directory.first("web").is_none());
        // One that never had a pod.
        announcer.close(none);
        drop(announcer);
        let mut told = Vec::new();
        while let Some(one) = news.recv().await {
            told.push(match one {
                News::Opened(pod) => ("opened", pod.incarnation),
                News::Closed(incarnation) => ("closed", incarnation),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(told, [("closed", quick), ("opened", usual), ("closed", usual)]);
    }
}
