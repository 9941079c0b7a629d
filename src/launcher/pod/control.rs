//! What the engine asks of a pod's pid 1, over a socket of packets, and the answers.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use super::rules::{TCP, UDP};
use super::{Handover, Tracking};

/// More than this the kernel does not pass in one message (SCM_MAX_FD, unix(7)).
pub const MOST_SOCKETS: u8 = 253;

/// No packet to pid 1 is longer.
pub const LONGEST: usize = 512;
/// So many doors one request may change.
pub const MOST_DOORS: usize = (LONGEST - HEAD) / DOOR;
/// What stands before the doors, and what each of them takes.
const HEAD: usize = 6;
const DOOR: usize = 3;

/// A port of a callee, and how it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpenPort {
    pub datagrams: bool,
    pub port: u16,
}

impl OpenPort {
    /// The number of its transport in IP headers.
    pub fn transport(self) -> u8 {
        if self.datagrams { UDP } else { TCP }
    }
}

/// A request; each is answered by one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Sockets with which to call into the pod.
    Sockets { way: WayIn, count: u8 },
    /// From now on calls to an address are refused but at its open doors: these open, those shut. At most
    /// [`MOST_DOORS`] of both.
    Doors { address: Ipv4Addr, open: Vec<OpenPort>, shut: Vec<OpenPort> },
    /// The sockets of [`Tracking`].
    Tracking,
    /// Whom programs dialled in vain, by IPv4. The answer's bytes say it.
    Dialled,
}

/// A kind of socket that calls into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WayIn {
    Stream,
    Stream6,
    Datagram,
    Datagram6,
}

impl WayIn {
    const ALL: [Self; 4] = [Self::Stream, Self::Stream6, Self::Datagram, Self::Datagram6];
}

impl Request {
    /// As a packet.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Sockets { way, count } => vec![0, *way as u8, *count],
            Self::Doors { address, open, shut } => {
                let [a, b, c, d] = address.octets();
                let mut out = vec![1, u8::try_from(open.len()).unwrap_or(u8::MAX), a, b, c, d];
                for door in open.iter().chain(shut) {
                    let [high, low] = door.port.to_be_bytes();
                    out.extend([door.datagrams.into(), high, low]);
                }
                out
            }
            Self::Tracking => vec![2],
            Self::Dialled => vec![3],
        }
    }

    /// From a packet.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        match *packet {
            [0, way, count] => WayIn::ALL.get(usize::from(way)).map(|&way| Self::Sockets { way, count }),
            [1, count, a, b, c, d, ref doors @ ..] => {
                let (doors, _) = doors.as_chunks::<DOOR>();
                let door = |&[datagrams, high, low]: &[u8; DOOR]| OpenPort {
                    datagrams: datagrams != 0,
                    port: u16::from_be_bytes([high, low]),
                };
                let (open, shut) = doors.split_at_checked(count.into())?;
                let all = |doors: &[[u8; DOOR]]| doors.iter().map(door).collect();
                Some(Self::Doors { address: Ipv4Addr::new(a, b, c, d), open: all(open), shut: all(shut) })
            }
            [2] => Some(Self::Tracking),
            [3] => Some(Self::Dialled),
            _ => None,
        }
    }
}

/// Addresses as the bytes of a packet: one, and six for each.
pub fn encode_addresses(addresses: &[SocketAddrV4]) -> Vec<u8> {
    let bytes = |address: &SocketAddrV4| [&address.ip().octets()[..], &address.port().to_be_bytes()].concat();
    std::iter::once(1).chain(addresses.iter().flat_map(bytes)).collect()
}

/// The addresses in a packet.
pub fn decode_addresses(packet: &[u8]) -> Vec<SocketAddrV4> {
    let (addresses, _) = packet.get(1..).unwrap_or_default().as_chunks::<6>();
    let address = |&[a, b, c, d, high, low]: &[u8; 6]| {
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
    };
    addresses.iter().map(address).collect()
}

/// Descriptors that came in a packet.
#[derive(Debug, Default)]
pub struct Sockets(pub Vec<OwnedFd>);

/// What a packet says when there is nothing but descriptors to say; anything else is an error's number.
const DONE: u8 = 0;

/// Sends a packet that says no: one byte, the number of the error.
pub fn refuse(socket: impl AsFd, errno: Errno) -> Result<(), Errno> {
    let number = u8::try_from(errno.raw_os_error()).unwrap_or(u8::MAX);
    rustix::net::send(socket, &[number], SendFlags::NOSIGNAL).map(drop)
}

/// Sends a packet of one byte with descriptors beside it.
pub fn send(socket: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS as usize))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[IoSlice::new(&[DONE])], &mut control, SendFlags::NOSIGNAL).map(drop)
}

impl Sockets {
    /// Receives a packet; `None` when the other end is gone, and the number of the error where the packet says no.
    pub fn receive(socket: impl AsFd, flags: RecvFlags) -> Result<Option<Result<Self, Errno>>, Errno> {
        let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS as usize))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let message = recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        let mut out = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                out.extend(descriptors);
            }
        }
        let said = match byte {
            [DONE] => Ok(Self(out)),
            [number] => Err(Errno::from_raw_os_error(number.into())),
        };
        Ok((message.bytes > 0).then_some(said))
    }

    /// The first packet of a pod.
    pub fn into_handover(self) -> Option<Handover> {
        let mut sockets = self.0.into_iter();
        let (listener, names, datagrams) = (sockets.next()?, sockets.next()?, sockets.next()?);
        Some(Handover { listener, names, datagrams, diagnosis: sockets.next()?, datagrams6: sockets.next() })
    }

    /// The answer to [`Request::Tracking`]; none where the kernel has no such sockets.
    pub fn into_tracking(self) -> Option<Tracking> {
        let mut sockets = self.0.into_iter();
        Some(Tracking { conntrack: sockets.next()?, packets: sockets.next()?, packets6: sockets.next() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_way() {
        let address = Ipv4Addr::new(10, 66, 1, 2);
        let (stream, datagrams) = (OpenPort { datagrams: false, port: 65_432 }, OpenPort { datagrams: true, port: 53 });
        for request in [
            Request::Sockets { way: WayIn::Stream6, count: 200 },
            Request::Sockets { way: WayIn::Datagram, count: 1 },
            Request::Tracking,
            Request::Dialled,
            Request::Doors { address, open: vec![stream, datagrams], shut: vec![stream] },
            Request::Doors { address, open: Vec::new(), shut: Vec::new() },
            Request::Doors { address, open: vec![stream; MOST_DOORS - 1], shut: vec![datagrams] },
        ] {
            let packet = request.encode();
            assert!(packet.len() <= LONGEST);
            assert_eq!(Request::decode(&packet), Some(request));
        }
        let addresses: Vec<SocketAddrV4> = vec!["127.0.0.1:5432".parse().unwrap(), "10.66.0.1:80".parse().unwrap()];
        assert_eq!(decode_addresses(&encode_addresses(&addresses)), addresses);
        assert!(decode_addresses(&[]).is_empty() && decode_addresses(&[1, 2, 3]).is_empty());
        for nonsense in [&[7][..], &[0, 9, 1], &[], &[1, 2, 10, 66, 1, 2, 0, 0, 80]] {
            assert_eq!(Request::decode(nonsense), None, "{nonsense:?}");
        }
    }
}
