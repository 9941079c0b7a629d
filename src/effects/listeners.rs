//! Who listens where, asked of the kernel in one go (sock_diag(7)).
//!
//! Readiness by connecting would disturb the program and could be answered by somebody else; a listening socket
//! that one of its own processes holds is proof. One dump serves every service that is waited for.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::process::{Owner, holder, sockets, tree};

/// All listening TCP sockets of this network namespace: port to inodes.
#[derive(Debug, Default)]
pub struct Listeners(HashMap<u16, Vec<u64>>);

/// What is known about one port.
#[derive(Debug, PartialEq, Eq)]
pub enum Listening {
    /// Held by the processes asked about.
    Own,
    /// Held by another.
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
            found.dump(socket, family)?;
        }
        Ok(found)
    }

    /// All their ports.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.0.keys().copied().collect();
        ports.sort_unstable();
        ports
    }

    /// Whether the process `pid`, or a descendant, listens on a port.
    pub fn on(&self, port: u16, pids: &[u32]) -> Listening {
        let Some(inodes) = self.0.get(&port) else { return Listening::Nobody };
        let holds = |pid: u32| match sockets(pid) {
            Ok(held) => held.iter().any(|inode| inodes.contains(inode)),
            // A process of another account, say one that dropped its rights, hides what it holds.
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        if pids.iter().any(|&pid| holds(pid)) || pids.iter().flat_map(|&pid| tree(pid)).any(holds) {
            return Listening::Own;
        }
        Listening::Stranger(inodes.first().and_then(|&inode| holder(inode)))
    }

    /// All ports on which a process or a descendant listens.
    pub fn of(&self, pids: &[u32]) -> Vec<u16> {
        let held: Vec<u64> =
            pids.iter().flat_map(|&pid| tree(pid)).filter_map(|pid| sockets(pid).ok()).flatten().collect();
        let mut ports: Vec<u16> = self
            .0
            .iter()
            .filter(|(_, inodes)| inodes.iter().any(|inode| held.contains(inode)))
            .map(|(port, _)| *port)
            .collect();
        ports.sort_unstable();
        ports
    }

    /// Who holds a port.
    pub fn holder(&self, port: u16) -> Option<Owner> {
        self.0.get(&port)?.iter().find_map(|&inode| holder(inode))
    }

    fn dump(&mut self, socket: &OwnedFd, family: AddressFamily) -> io::Result<()> {
        send(socket, &request(family, REQUEST_AND_DUMP), SendFlags::empty())?;
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
            match u16::from_ne_bytes([header[4], header[5]]) {
                DONE => return Ok(true),
                ERROR => return Err(io::Error::other("the kernel refused to list sockets")),
                _ => {}
            }
            // struct inet_diag_msg: the local port at 4, big endian; the inode at 68.
            if let Some(message) = rest.get(16..length).filter(|message| message.len() >= 72) {
                let port = u16::from_be_bytes([message[4], message[5]]);
                let inode = u32::from_ne_bytes([message[68], message[69], message[70], message[71]]);
                self.0.entry(port).or_default().push(inode.into());
            }
            let step = length.max(16).next_multiple_of(4);
            rest = rest.get(step..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// Whether anybody listens on a port in the network namespace of `socket`, on any of these addresses. A look-up in the
/// kernel's table: its cost does not grow with the number of sockets there are, as that of a dump does.
pub fn listens(socket: &OwnedFd, port: u16, addresses: &[IpAddr]) -> bool {
    addresses.iter().any(|address| listens_on(socket, port, *address).unwrap_or(false))
}

fn listens_on(socket: &OwnedFd, port: u16, address: IpAddr) -> io::Result<bool> {
    let (family, octets) = match address {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let mut message = request(family, REQUEST);
    // struct inet_diag_sockid: ports in network order, addresses, interface, and no particular cookie.
    message[24..26].copy_from_slice(&port.to_be_bytes());
    message[28..28 + octets.len()].copy_from_slice(&octets);
    message[64..72].fill(0xff);
    send(socket, &message, SendFlags::empty())?;
    let mut buffer = [0; 1024];
    let (received, _) = recv(socket, &mut buffer[..], RecvFlags::empty())?;
    let kind = u16::from_ne_bytes([buffer[4], buffer[5]]);
    Ok(received >= 16 && kind == SOCK_DIAG_BY_FAMILY)
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST: u16 = 0x1;
const REQUEST_AND_DUMP: u16 = REQUEST | 0x300;

/// A question about TCP sockets in the state LISTEN: struct nlmsghdr and struct inet_diag_req_v2.
fn request(family: AddressFamily, flags: u16) -> [u8; 72] {
    const TCP: u8 = 6;
    const LISTEN: u32 = 1 << 10;
    let mut message = [0; 72];
    message[0..4].copy_from_slice(&72u32.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[16] = family.as_raw().to_le_bytes()[0];
    message[17] = TCP;
    message[20..24].copy_from_slice(&LISTEN.to_ne_bytes());
    message
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn finds_our_own_listener_and_tells_it_from_a_strangers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let listeners = Listeners::look().unwrap();
        assert_eq!(listeners.on(port, &[std::process::id()]), Listening::Own);
        assert!(listeners.of(&[std::process::id()]).contains(&port));
        let Listening::Stranger(owner) = listeners.on(port, &[u32::MAX]) else { panic!() };
        assert_eq!(owner.unwrap().pid, std::process::id());
        drop(listener);
        assert_eq!(Listeners::look().unwrap().on(port, &[std::process::id()]), Listening::Nobody);
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
    fn finds_listeners_on_ipv6() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Listeners::look().unwrap().on(port, &[std::process::id()]), Listening::Own);
    }
}
