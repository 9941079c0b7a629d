//! What the engine asks of a pod's pid 1, over a socket of packets, and the answers.

use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use super::Handover;

/// More than this the kernel does not pass in one message (SCM_MAX_FD, unix(7)).
pub const MOST_SOCKETS: u8 = 253;

/// A request; each is answered by one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Sockets with which to call into the pod.
    Sockets { ipv6: bool, count: u8 },
    /// Have calls to an address refused, or let through again.
    Absent { address: Ipv4Addr, refused: bool },
}

impl Request {
    /// As a packet.
    pub fn encode(self) -> [u8; 6] {
        match self {
            Self::Sockets { ipv6, count } => [0, ipv6.into(), count, 0, 0, 0],
            Self::Absent { address, refused } => {
                let [a, b, c, d] = address.octets();
                [1, refused.into(), a, b, c, d]
            }
        }
    }

    /// From a packet.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        match *packet {
            [0, ipv6, count, ..] => Some(Self::Sockets { ipv6: ipv6 != 0, count }),
            [1, refused, a, b, c, d] => {
                Some(Self::Absent { address: Ipv4Addr::new(a, b, c, d), refused: refused != 0 })
            }
            _ => None,
        }
    }
}

/// Descriptors that came in a packet.
#[derive(Debug, Default)]
pub struct Sockets(pub Vec<OwnedFd>);

/// Sends a packet of one byte with descriptors beside it.
pub fn send(socket: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS as usize))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[IoSlice::new(&[1])], &mut control, SendFlags::NOSIGNAL).map(drop)
}

impl Sockets {
    /// Receives a packet; `None` when the other end is gone.
    pub fn receive(socket: impl AsFd, flags: RecvFlags) -> Result<Option<Self>, Errno> {
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
        Ok((message.bytes > 0).then_some(Self(out)))
    }

    /// The first packet of a pod.
    pub fn into_handover(self) -> Option<Handover> {
        let [listener, names, diagnosis] = <[OwnedFd; 3]>::try_from(self.0).ok()?;
        Some(Handover { listener, names, diagnosis })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_way() {
        for request in [
            Request::Sockets { ipv6: true, count: 200 },
            Request::Absent { address: Ipv4Addr::new(10, 66, 1, 2), refused: true },
        ] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        assert_eq!(Request::decode(&[7]), None);
    }
}
