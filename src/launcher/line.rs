//! The engine's line to one pod: sockets that call into it, and who may not be called from it.

use std::io;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpStream as StdStream, UdpSocket as StdSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, send, socketpair};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UdpSocket, UnixStream};

use super::pod::{Handover, MOST_DOORS, OpenPort, Request, Sockets, Tracking, WayIn, decode_addresses};
use super::stock::Stock;
use crate::plan::{Subnet, twin};

/// More than any answer has that is told by its bytes.
const MOST_BYTES: usize = 1024;

/// A line to a pod that may have come up or not. Shared by all that call into it, in whichever thread.
#[derive(Debug)]
pub struct Line {
    /// Of the pod, or of the container to which this is the way.
    address: Ipv4Addr,
    wire: Arc<Wire>,
    /// Where its program may listen.
    sides: &'static [Side],
    /// Where the program was found to listen, as a place in `sides`.
    side: AtomicU8,
}

/// What sockets and requests go through. All containers of a workspace share their router's.
#[derive(Debug)]
struct Wire {
    /// Of packets, which only the types call a stream.
    socket: UnixStream,
    /// One request at a time, and how many answers are still to come: whoever asks may give up in between.
    turn: tokio::sync::Mutex<usize>,
    stock: Mutex<Stock>,
}

/// Where in its pod a program listens: on its addresses, or only on one of the loopbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Address,
    Loopback,
    Address6,
    Loopback6,
}

impl Side {
    const OF_POD: &'static [Self] = &[Self::Address, Self::Loopback, Self::Address6, Self::Loopback6];
    /// The router is another network: nobody's loopback is reached from there.
    const OF_CONTAINER: &'static [Self] = &[Self::Address];

    /// The program's address in the pod that has `own`.
    fn target(self, own: Ipv4Addr) -> IpAddr {
        match self {
            Self::Address => own.into(),
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            Self::Address6 => twin(own).into(),
            Self::Loopback6 => Ipv6Addr::LOCALHOST.into(),
        }
    }
}

impl Line {
    /// A line to a pod that has `address`, and the pod's end of it.
    pub fn new(address: Ipv4Addr) -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::of(ours, address)?, theirs))
    }

    /// A line by this end of a socket of packets.
    pub fn of(socket: OwnedFd, address: Ipv4Addr) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let wire = Wire {
            socket: UnixStream::from_std(socket.into())?,
            turn: tokio::sync::Mutex::new(0),
            stock: Mutex::default(),
        };
        Ok(Self { address, wire: Arc::new(wire), sides: Side::OF_POD, side: AtomicU8::new(0) })
    }

    /// The way to a container that has `address`, over the line of its router.
    pub fn to_container(router: &Self, address: Ipv4Addr) -> Self {
        Self { address, wire: router.wire.clone(), sides: Side::OF_CONTAINER, side: AtomicU8::new(0) }
    }

    /// Waits for the pod's sockets, which it sends when it is complete. An error where it never is.
    pub async fn handover(&self) -> io::Result<Handover> {
        let _turn = self.wire.turn.lock().await;
        self.receive().await??.into_handover().ok_or_else(gone)
    }

    /// A stream from `source`, an address of the workspace's range, to a port of the program in the pod.
    pub async fn connect(&self, source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
        let known = usize::from(self.side.load(Ordering::Relaxed));
        let mut refused = None;
        // First where it was found the last time.
        for place in iter::once(known).chain((0..self.sides.len()).filter(|place| *place != known)) {
            match self.connect_to(self.sides[place].target(self.address), source, port).await {
                Ok(stream) => {
                    self.side.store(u8::try_from(place).unwrap_or(0), Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(error) if is_elsewhere(&error) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(gone))
    }

    /// A socket for datagrams between `source`, an address of the workspace's range, and a port of the program in the
    /// pod, which takes them at `target`, or where it is reached by its own address.
    pub async fn datagrams(&self, target: Option<IpAddr>, source: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
        let (target, source) = (target.unwrap_or(self.address.into()), self.seen(source));
        let way = if target.is_ipv4() { WayIn::Datagram } else { WayIn::Datagram6 };
        let socket =
            StdSocket::from(self.ask(Request::Sockets { way, count: 1 }).await?.0.pop().ok_or_else(exhausted)?);
        let source: IpAddr = if target.is_ipv4() { source.into() } else { twin(source).into() };
        rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
        socket.connect((target, port))?;
        UdpSocket::from_std(socket)
    }

    /// A router's socket for the datagrams that arrive for an address of its network and a port.
    pub async fn datagrams_at(&self, address: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
        let request = Request::Sockets { way: WayIn::Datagram, count: 1 };
        let socket = StdSocket::from(self.ask(request).await?.0.pop().ok_or_else(exhausted)?);
        rustix::net::bind(&socket, &SocketAddr::from((address, port)))?;
        UdpSocket::from_std(socket)
    }

    /// What it takes to pass the pod's datagrams on. An error where its kernel has it not.
    pub async fn tracking(&self) -> io::Result<Tracking> {
        let sockets = self.ask(Request::Tracking).await?;
        sockets.into_tracking().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Whom programs in the pod dialled in vain since it was made: what the kernel refused them, and ports of its own
    /// loopback, where perhaps somebody listens.
    pub async fn dialled(&self) -> io::Result<Vec<SocketAddrV4>> {
        let mut owed = self.wire.turn.lock().await;
        self.send(&mut owed, &Request::Dialled).await?;
        let mut packet = [0; MOST_BYTES];
        let read =
            || rustix::net::recv(&self.wire.socket, &mut packet[..], RecvFlags::DONTWAIT).map_err(io::Error::from);
        let (length, _) = self.wire.socket.async_io(Interest::READABLE, read).await?;
        *owed -= 1;
        Ok(decode_addresses(&packet[..length]))
    }

    /// A stream from `source` to a port of one address in the pod.
    pub async fn connect_to(&self, target: impl Into<IpAddr>, source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
        let (target, source) = (target.into(), self.seen(source));
        let socket = if target.is_ipv4() { self.socket().await? } else { self.socket6().await? };
        let socket = TcpSocket::from_std_stream(StdStream::from(socket));
        let source: IpAddr = if target.is_ipv4() { source.into() } else { twin(source).into() };
        socket.bind((source, 0).into())?;
        let stream = socket.connect((target, port).into()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A caller's address as the callee sees it.
    fn seen(&self, source: Ipv4Addr) -> Ipv4Addr {
        if self.sides == Side::OF_CONTAINER { Subnet::of(self.address).of_caller(source) } else { source }
    }

    /// Has calls from the pod to an address refused by its kernel, but for those to its doors: some open, some shut.
    /// After an error some of them may have changed; it is no harm to ask again.
    pub async fn set_doors(&self, address: Ipv4Addr, open: &[OpenPort], shut: &[OpenPort]) -> io::Result<()> {
        let parts = open.chunks(MOST_DOORS).map(|open| (open.to_vec(), Vec::new()));
        let parts = parts.chain(shut.chunks(MOST_DOORS).map(|shut| (Vec::new(), shut.to_vec())));
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return self.ask(Request::Doors { address, open: Vec::new(), shut: Vec::new() }).await.map(drop);
        }
        for (open, shut) in parts {
            self.ask(Request::Doors { address, open, shut }).await?;
        }
        Ok(())
    }

    /// Few programs listen by IPv6 alone: there is no stock of these.
    async fn socket6(&self) -> io::Result<OwnedFd> {
        let request = Request::Sockets { way: WayIn::Stream6, count: 1 };
        // Where the kernel knows no IPv6, nobody listens by it.
        self.ask(request).await?.0.pop().ok_or_else(gone)
    }

    /// A socket in stock, or one of those that are fetched. Those who wait for their turn find what the one before them
    /// has fetched.
    async fn socket(&self) -> io::Result<OwnedFd> {
        if let Some(socket) = self.stock().take() {
            return Ok(socket);
        }
        let mut owed = self.wire.turn.lock().await;
        if let Some(socket) = self.stock().take() {
            return Ok(socket);
        }
        let count = self.stock().order(Instant::now());
        let fetched = self.answered(&mut owed, &Request::Sockets { way: WayIn::Stream, count }).await?;
        self.stock().fill(fetched.0).ok_or_else(exhausted)
    }

    fn stock(&self) -> std::sync::MutexGuard<'_, Stock> {
        self.wire.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, request: Request) -> io::Result<Sockets> {
        let mut owed = self.wire.turn.lock().await;
        self.answered(&mut owed, &request).await
    }

    async fn answered(&self, owed: &mut usize, request: &Request) -> io::Result<Sockets> {
        self.send(owed, request).await?;
        let answer = self.receive().await?;
        *owed -= 1;
        Ok(answer?)
    }

    /// Sends a request. Answers that nobody waits for any more come first, and go.
    async fn send(&self, owed: &mut usize, request: &Request) -> io::Result<()> {
        while *owed > 0 {
            let _ = self.receive().await?;
            *owed -= 1;
        }
        send(&self.wire.socket, &request.encode(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        *owed += 1;
        Ok(())
    }

    /// The next answer, which may be a refusal.
    async fn receive(&self) -> io::Result<Result<Sockets, Errno>> {
        let received = self.wire.socket.async_io(Interest::READABLE, || {
            Sockets::receive(&self.wire.socket, RecvFlags::DONTWAIT).map_err(io::Error::from)
        });
        received.await?.ok_or_else(gone)
    }
}

/// Nobody listens there, or a pod without IPv6 has no such place.
fn is_elsewhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NetworkUnreachable)
}

/// The pod is not there (any more): as for any peer that is not, the call is refused.
fn gone() -> io::Error {
    Errno::CONNREFUSED.into()
}

/// The pod could make no socket.
fn exhausted() -> io::Error {
    Errno::MFILE.into()
}
