//! What happens in a pod, told to the launcher in datagrams of one length.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixDatagram;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use rustix::process::Pid;

use super::{Failure, Step};

/// What happens in a pod, for the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The service's main process, which sends this itself, so that the kernel tells its number.
    Main,
    /// It was executed.
    Launched,
    Refused(Failure),
    /// A program of it dialled this in vain: told before an end that went wrong.
    Dialled(SocketAddrV4),
    /// It ended, with a wait status; whether others are left.
    Exited {
        status: i32,
        others: bool,
    },
}

/// The length of every event.
pub const EVENT: usize = 16;

impl Event {
    /// As a datagram.
    pub fn encode(self, key: u64) -> [u8; EVENT] {
        let (kind, detail, number): (u8, u16, i32) = match self {
            Self::Main => (0, 0, 0),
            Self::Launched => (1, 0, 0),
            Self::Refused(failure) => (2, failure.step.number().into(), failure.errno),
            Self::Exited { status, others } => (3, others.into(), status),
            Self::Dialled(address) => (4, address.port(), address.ip().to_bits().cast_signed()),
        };
        let mut out = [0; EVENT];
        out[..8].copy_from_slice(&key.to_ne_bytes());
        out[8..12].copy_from_slice(&number.to_ne_bytes());
        out[12] = kind;
        out[13..15].copy_from_slice(&detail.to_ne_bytes());
        out
    }

    fn decode(bytes: &[u8; EVENT]) -> Option<(u64, Self)> {
        let [k0, k1, k2, k3, k4, k5, k6, k7, n0, n1, n2, n3, kind, d0, d1, _] = *bytes;
        let number = i32::from_ne_bytes([n0, n1, n2, n3]);
        let detail = u16::from_ne_bytes([d0, d1]);
        let event = match kind {
            0 => Self::Main,
            1 => Self::Launched,
            2 => Self::Refused(Failure { step: Step::from_number(u8::try_from(detail).ok()?)?, errno: number }),
            3 => Self::Exited { status: number, others: detail != 0 },
            4 => Self::Dialled(SocketAddrV4::new(Ipv4Addr::from_bits(number.cast_unsigned()), detail)),
            _ => return None,
        };
        Some((u64::from_ne_bytes([k0, k1, k2, k3, k4, k5, k6, k7]), event))
    }
}

/// The next event in the launcher's inbox: whose, what, and from which process.
pub fn event(inbox: &UnixDatagram) -> Option<(u64, Event, Option<Pid>)> {
    let mut bytes = [0; EVENT];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(inbox, &mut [std::io::IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::empty()).ok()?;
    let sender = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
        _ => None,
    });
    Event::decode(&bytes).map(|(key, event)| (key, event, sender))
}

/// Tells the launcher; where that is gone, nobody.
pub fn tell(events: &UnixDatagram, key: u64, event: Event) {
    let _ = send(events, &event.encode(key), SendFlags::NOSIGNAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_the_way() {
        let failure = Failure { step: Step::Redirects, errno: 95 };
        let dialled = Event::Dialled("127.0.0.1:65432".parse().unwrap());
        let exited = Event::Exited { status: -1, others: true };
        for event in [Event::Main, Event::Launched, Event::Refused(failure), exited, dialled] {
            assert_eq!(Event::decode(&event.encode(u64::MAX - 1)), Some((u64::MAX - 1, event)));
        }
    }
}
