//! Who listens where, asked of the kernel in one go (sock_diag(7)).
//!
//! Readiness by connecting would disturb the program and could be answered by somebody else; a listening socket
//! that one of its own processes holds is proof. One dump serves every service that is waited for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::process::{Kin, Owner, describe, holder, sockets, tree};

/// All listening TCP sockets of this network namespace, by port.
#[derive(Debug, Default)]
pub struct Listeners(HashMap<u16, Vec<Listener>>);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listener {
    inode: u64,
    address: IpAddr,
}

/// A port on which a program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub port: u16,
    pub address: IpAddr,
    /// Its name, where that can be seen.
    pub program: Option<String>,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        self.program.as_ref().map_or(Ok(()), |program| write!(f, " ({program})"))
    }
}

/// What is known about one port.
#[derive(Debug, PartialEq, Eq)]
pub enum Listening {
    /// Held by the processes asked about.
    Own,
    /// By them and by another (`SO_REUSEPORT`): each gets some of the connections.
    Shared(Option<Owner>),
    /// Held by another, who gets all of them.
    Stranger(Option<Owner>),
    Nobody,
}

impl Listeners {
    /// The present listeners.
    pub fn look() -> io::Result<Self> {
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
        Self::look_by(&socket)
    }

    /// Those of the network namespace in which a socket for such questions was made.
    pub fn look_by(socket: &OwnedFd) -> io::Result<Self> {
        let mut found = Self::default();
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            found.dump(socket, family, TCP)?;
        }
        Ok(found)
    }

    /// All of them, by port. Their programs are looked for among the descendants of a process.
    pub fn open(&self, root: Option<u32>) -> Vec<Open> {
        let mut programs = HashMap::new();
        for pid in root.into_iter().flat_map(tree) {
            // A child has what its parent holds too: the parent comes first.
            for inode in sockets(pid).unwrap_or_default() {
                programs.entry(inode).or_insert(pid);
            }
        }
        let open = |port: u16, it: &Listener| {
            let program = programs.get(&it.inode).map(|pid| describe(*pid).program).filter(|name| !name.is_empty());
            Open { port, address: it.address, program }
        };
        let sorted: BTreeMap<_, _> = self.0.iter().collect();
        sorted
            .into_iter()
            .flat_map(|(port, all)| all.iter().map(move |it| (*port, it)))
            .map(|(port, it)| open(port, it))
            .collect()
    }

    /// Of all, those that a process or a descendant of it holds.
    pub fn open_of(&self, pids: &[u32]) -> Vec<Open> {
        let of = |pid: u32| self.open(Some(pid)).into_iter().filter(|it| it.program.is_some());
        pids.iter().copied().flat_map(of).collect()
    }

    /// Who gets the connections to a port of the loopback: a family's processes, others, or both.
    pub fn on(&self, port: u16, kin: Kin<'_>) -> Listening {
        let all = self.0.get(&port).map(Vec::as_slice).unwrap_or_default();
        let (own, is_hidden) = held(kin);
        let answering = answering(all);
        if answering.is_empty() {
            // It may be meant for another address alone.
            return if all.iter().any(|it| own.contains(&it.inode)) { Listening::Own } else { Listening::Nobody };
        }
        let mut is_own = false;
        let mut stranger = None;
        for listener in answering {
            match own.contains(&listener.inode) {
                true => is_own = true,
                false => match holder(listener.inode) {
                    Some(owner) if kin.has(owner.pid) => is_own = true,
                    // A process of another account, say one that dropped its rights, hides what it holds.
                    None if is_hidden => is_own = true,
                    owner => stranger = Some(owner),
                },
            }
        }
        match (stranger, is_own) {
            (None, _) => Listening::Own,
            (Some(owner), true) => Listening::Shared(owner),
            (Some(owner), false) => Listening::Stranger(owner),
        }
    }

    /// The sockets that get the connections to a port of the loopback.
    pub fn answering(&self, port: u16) -> Vec<u64> {
        let all = self.0.get(&port).map(Vec::as_slice).unwrap_or_default();
        answering(all).iter().map(|listener| listener.inode).collect()
    }

    /// All ports on which a process or a descendant listens.
    pub fn of(&self, pids: &[u32]) -> Vec<u16> {
        let held: Vec<u64> =
            pids.iter().flat_map(|&pid| tree(pid)).filter_map(|pid| sockets(pid).ok()).flatten().collect();
        let mut ports: Vec<u16> = self
            .0
            .iter()
            .filter(|(_, all)| all.iter().any(|it| held.contains(&it.inode)))
            .map(|(port, _)| *port)
            .collect();
        ports.sort_unstable();
        ports
    }

    /// Who holds a port.
    pub fn holder(&self, port: u16) -> Option<Owner> {
        self.0.get(&port)?.iter().find_map(|it| holder(it.inode))
    }

    fn dump(&mut self, socket: &OwnedFd, family: AddressFamily, transport: u8) -> io::Result<()> {
        send(socket, &request(family, transport, REQUEST_AND_DUMP), SendFlags::empty())?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let (received, _) = recv(socket, &mut buffer[..], RecvFlags::empty())?;
            if self.messages(&buffer[..received])? {
                return Ok(());
            }
        }
    }

    /// Takes in one datagram; true when the dump is complete.
    fn messages(&mut self, mut rest: &[u8]) -> io::Result<bool> {
        const ERROR: u16 = 2;
        const DONE: u16 = 3;
        while let Some(header) = rest.first_chunk::<16>() {
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            // A dump that fails may end like one that does not, but for a number below 0.
            let code = rest.get(16..20).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
            match u16::from_ne_bytes([header[4], header[5]]) {
                DONE if code >= 0 => return Ok(true),
                DONE | ERROR => return Err(io::Error::other("the kernel refused to list sockets")),
                _ => {}
            }
            // struct inet_diag_msg: the local port at 4, big endian, its address at 8; the inode at 68.
            if let Some(message) = rest.get(16..length).filter(|message| message.len() >= 72) {
                let port = u16::from_be_bytes([message[4], message[5]]);
                let inode = u32::from_ne_bytes([message[68], message[69], message[70], message[71]]);
                self.0.entry(port).or_default().push(Listener { inode: inode.into(), address: address(message) });
            }
            let step = length.max(16).next_multiple_of(4);
            rest = rest.get(step..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// Of the listeners on one port those to which the kernel gives a connection to the loopback: the address that fits best
/// wins, and several of the same share. The loopback of IPv6 is tried when that of IPv4 refuses.
fn answering(all: &[Listener]) -> Vec<Listener> {
    let ranks: [IpAddr; 5] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::UNSPECIFIED.into(),
        // It takes IPv4 too, unless it was asked not to, which is not told.
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
    ];
    let at = |rank: &IpAddr| all.iter().copied().filter(|it| it.address == *rank).collect::<Vec<_>>();
    ranks.iter().map(at).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The local address in a struct inet_diag_msg.
fn address(message: &[u8]) -> IpAddr {
    let octets: [u8; 16] = message.get(8..24).and_then(|it| it.try_into().ok()).unwrap_or_default();
    match u16::from(message[0]) == AddressFamily::INET.as_raw() {
        true => Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into(),
        false => Ipv6Addr::from(octets).into(),
    }
}

/// The sockets that a family's processes hold, and whether one of them may not be looked at.
fn held(kin: Kin<'_>) -> (Vec<u64>, bool) {
    let mut is_hidden = false;
    let all = kin.pids.iter().flat_map(|&pid| tree(pid)).filter_map(|pid| {
        let held = sockets(pid);
        is_hidden |= held.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        held.ok()
    });
    let all = all.flatten().collect();
    (all, is_hidden)
}

/// Whether anybody listens on a port in the network namespace of `socket`, on any of these addresses. A look-up in the
/// kernel's table: its cost does not grow with the number of sockets there are, as that of a dump does.
pub fn listens(socket: &OwnedFd, port: u16, addresses: &[IpAddr]) -> bool {
    addresses.iter().any(|address| is_bound(socket, TCP, (*address, port).into()).unwrap_or(false))
}

/// The same of datagrams: whether anybody takes those to an address.
pub fn takes_datagrams(socket: &OwnedFd, to: SocketAddr) -> bool {
    is_bound(socket, UDP, to).unwrap_or(false)
}

/// The addresses at which there are sockets for datagrams to a port, whomever they take them from. An error where the
/// kernel does not tell: it may be built without that (`CONFIG_INET_UDP_DIAG`), and then a look-up finds nobody.
pub fn bound_to(socket: &OwnedFd, port: u16) -> io::Result<Vec<IpAddr>> {
    let mut found = Listeners::default();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        found.dump(socket, family, UDP)?;
    }
    Ok(found.0.remove(&port).unwrap_or_default().into_iter().map(|it| it.address).collect())
}

fn is_bound(socket: &OwnedFd, transport: u8, at: SocketAddr) -> io::Result<bool> {
    let (family, octets) = match at.ip() {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let mut message = request(family, transport, REQUEST);
    // struct inet_diag_sockid: ports in network order, addresses, interface, and no particular cookie. Of datagrams the
    // kernel reads both ends the other way round (`udp_dump_one` in net/ipv4/udp_diag.c).
    let (port, address) = if transport == UDP { (26, 44) } else { (24, 28) };
    message[port..port + 2].copy_from_slice(&at.port().to_be_bytes());
    message[address..address + octets.len()].copy_from_slice(&octets);
    message[64..72].fill(0xff);
    send(socket, &message, SendFlags::empty())?;
    let mut buffer = [0; 1024];
    let (received, _) = recv(socket, &mut buffer[..], RecvFlags::empty())?;
    let kind = u16::from_ne_bytes([buffer[4], buffer[5]]);
    Ok(received >= 16 && kind == SOCK_DIAG_BY_FAMILY)
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST: u16 = 0x1;
const REQUEST_AND_DUMP: u16 = REQUEST | 0x300;

/// A question about sockets of a transport, of streams those in the state LISTEN: struct nlmsghdr and struct
/// inet_diag_req_v2.
fn request(family: AddressFamily, transport: u8, flags: u16) -> [u8; 72] {
    const LISTEN: u32 = 1 << 10;
    let states = if transport == TCP { LISTEN } else { u32::MAX };
    let mut message = [0; 72];
    message[0..4].copy_from_slice(&72u32.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[16] = family.as_raw().to_le_bytes()[0];
    message[17] = transport;
    message[20..24].copy_from_slice(&states.to_ne_bytes());
    message
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn own(pids: &[u32]) -> Kin<'_> {
        Kin { pids, others: &[] }
    }

    #[test]
    fn the_address_that_fits_best_answers() {
        let listener = |at: (usize, &&str)| Listener { inode: at.0 as u64, address: at.1.parse().unwrap() };
        let cases: [(&[&str], &[u64]); 8] = [
            (&["0.0.0.0", "127.0.0.1"], &[1]),
            (&["::", "0.0.0.0", "::1"], &[1]),
            (&["127.0.0.1", "127.0.0.1", "::"], &[0, 1]),
            (&["0.0.0.0", "0.0.0.0"], &[0, 1]),
            (&["::1", "::"], &[1]),
            (&["::1"], &[0]),
            (&["192.0.2.1", "127.66.0.1"], &[]),
            (&[], &[]),
        ];
        for (addresses, expected) in cases {
            let all: Vec<Listener> = addresses.iter().enumerate().map(listener).collect();
            let found: Vec<u64> = answering(&all).iter().map(|it| it.inode).collect();
            assert_eq!(found, expected, "{addresses:?}");
        }
    }

    #[test]
    fn finds_our_own_listener_and_tells_it_from_a_strangers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let listeners = Listeners::look().unwrap();
        assert_eq!(listeners.on(port, own(&[std::process::id()])), Listening::Own);
        assert!(listeners.of(&[std::process::id()]).contains(&port));
        let Listening::Stranger(owner) = listeners.on(port, own(&[u32::MAX])) else { panic!() };
        assert_eq!(owner.unwrap().pid, std::process::id());
        drop(listener);
        assert_eq!(Listeners::look().unwrap().on(port, own(&[std::process::id()])), Listening::Nobody);
    }

    #[test]
    fn one_port_can_be_asked_for() {
        let diagnosis =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG));
        let diagnosis = diagnosis.unwrap();
        let loopback = [IpAddr::from([127, 0, 0, 1])];
        for bound in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(bound).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(listens(&diagnosis, port, &loopback), "{bound}");
            drop(listener);
            assert!(!listens(&diagnosis, port, &loopback), "{bound}");
        }
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        assert!(listens(&diagnosis, listener.local_addr().unwrap().port(), &loopback));
    }

    #[test]
    fn whoever_takes_datagrams_is_found_where_they_are_sent() {
        let diagnosis =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG));
        let diagnosis = diagnosis.unwrap();
        for (bound, reached, missed) in [("127.0.0.1:0", "127.0.0.1", "127.0.0.2"), ("[::1]:0", "::1", "127.0.0.1")] {
            let Ok(socket) = std::net::UdpSocket::bind(bound) else { continue };
            let at = |address: &str| (address.parse::<IpAddr>().unwrap(), socket.local_addr().unwrap().port()).into();
            let (reached, missed): (SocketAddr, SocketAddr) = (at(reached), at(missed));
            assert_eq!(bound_to(&diagnosis, reached.port()).unwrap(), [reached.ip()]);
            assert!(takes_datagrams(&diagnosis, reached) && !takes_datagrams(&diagnosis, missed), "{bound}");
            drop(socket);
            assert!(!takes_datagrams(&diagnosis, reached), "{bound}");
        }
    }

    #[test]
    fn finds_listeners_on_ipv6() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Listeners::look().unwrap().on(port, own(&[std::process::id()])), Listening::Own);
    }
}
