//! Whom a datagram out of a pod was meant for, and the answer that nobody takes it.
//!
//! `SO_ORIGINAL_DST` tells that of streams alone. The kernel's connection tracking knows it of datagrams too: it is asked
//! by the address that a redirected one came from (ctnetlink, `linux/netfilter/nfnetlink_conntrack.h`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sendto};

use crate::launcher::pod::{Tracking, find_attribute as find};

const UDP: u8 = 17;

/// A flow of datagrams, as the program in the pod sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub from: SocketAddr,
    pub to: SocketAddr,
}

/// What the kernel knows of a pod's flows.
#[derive(Debug)]
pub struct Tracker(Tracking);

impl Tracker {
    /// A tracker by sockets that were made in the pod.
    pub fn new(tracking: Tracking) -> Self {
        Self(tracking)
    }

    /// The flow of a datagram that came to `at` and seemed to be from `sender`; `None` where there is no such flow (any
    /// more).
    pub fn find(&self, sender: SocketAddr, at: SocketAddr) -> io::Result<Option<Flow>> {
        send(&self.0.conntrack, &question(sender, at), SendFlags::DONTWAIT)?;
        let mut buffer = [0; 2048];
        // The kernel answers while it is asked.
        let (length, _) = recv(&self.0.conntrack, &mut buffer[..], RecvFlags::DONTWAIT)?;
        answer(&buffer[..length])
    }

    /// Tells the sender of a flow that nobody takes it, as a host would on which nobody listens (RFC 792, RFC 4443). Where
    /// that cannot be said, it has to find out by the silence.
    pub fn refuse(&self, flow: Flow) {
        let Some(packet) = unreachable(flow) else { return };
        let socket = if flow.from.is_ipv4() { Some(&self.0.packets) } else { self.0.packets6.as_ref() };
        if let Some(socket) = socket {
            let _ = sendto(socket, &packet, SendFlags::DONTWAIT, &SocketAddr::new(flow.from.ip(), 0));
        }
    }
}

// Attributes, with what is in them.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ADDRESSES: u16 = 1;
const PROTOCOL: u16 = 2;
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
const NESTED: u16 = 0x8000;

/// `IPCTNL_MSG_CT_GET` by the tuple of a flow's replies.
fn question(sender: SocketAddr, at: SocketAddr) -> Vec<u8> {
    const CONNTRACK_GET: u16 = (1 << 8) | 1;
    const REQUEST: u16 = 1;
    let port = |kind: u16, address: SocketAddr| attribute(kind, &address.port().to_be_bytes());
    let addresses = [address(0, at.ip()), address(1, sender.ip())].concat();
    let protocol = [attribute(NUMBER, &[UDP]), port(SOURCE_PORT, at), port(DESTINATION_PORT, sender)].concat();
    let tuple = [attribute(NESTED | ADDRESSES, &addresses), attribute(NESTED | PROTOCOL, &protocol)].concat();
    let family = if at.is_ipv4() { 2 } else { 10 };
    let body = [vec![family, 0, 0, 0], attribute(NESTED | TUPLE_REPLY, &tuple)].concat();
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(CONNTRACK_GET.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// The source address (`side` 0) or the destination's (1) of a tuple.
fn address(side: u16, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => attribute(1 + side, &address.octets()),
        IpAddr::V6(address) => attribute(3 + side, &address.octets()),
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut out = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// What a netlink message says: a flow, or an error.
fn answer(message: &[u8]) -> io::Result<Option<Flow>> {
    const ERROR: u16 = 2;
    let malformed = || io::Error::from(Errno::BADMSG);
    let (header, rest) = message.split_first_chunk::<16>().ok_or_else(malformed)?;
    if u16::from_ne_bytes([header[4], header[5]]) == ERROR {
        let code = rest.first_chunk::<4>().map(|code| i32::from_ne_bytes(*code)).ok_or_else(malformed)?;
        let errno = Errno::from_raw_os_error(-code);
        return if errno == Errno::NOENT { Ok(None) } else { Err(errno.into()) };
    }
    let tuple = rest.get(4..).and_then(|attributes| find(attributes, TUPLE_ORIGINAL));
    tuple.and_then(flow).map(Some).ok_or_else(malformed)
}

fn flow(tuple: &[u8]) -> Option<Flow> {
    let (addresses, protocol) = (find(tuple, ADDRESSES)?, find(tuple, PROTOCOL)?);
    let side = |side: u16, port: u16| -> Option<SocketAddr> {
        let v4 = || find(addresses, 1 + side)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets));
        let v6 = || find(addresses, 3 + side)?.first_chunk::<16>().map(|octets| IpAddr::from(*octets));
        let port = find(protocol, port)?.first_chunk::<2>().map(|port| u16::from_be_bytes(*port))?;
        Some(SocketAddr::new(v4().or_else(v6)?, port))
    };
    Some(Flow { from: side(0, SOURCE_PORT)?, to: side(1, DESTINATION_PORT)? })
}

/// "Port unreachable", from where a flow leads, as a packet.
fn unreachable(flow: Flow) -> Option<Vec<u8>> {
    const ICMP: u8 = 1;
    const ICMP6: u8 = 58;
    // By this the kernel finds the socket: the datagram's own header, as it was sent.
    let udp = [flow.from.port(), flow.to.port(), 8, 0].map(u16::to_be_bytes).concat();
    let message = |kind: u8, code: u8, ip: &[u8]| [&[kind, code, 0, 0, 0, 0, 0, 0][..], ip, &udp].concat();
    let (mut message, header, sum) = match (flow.from.ip(), flow.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let message = message(3, 3, &header(UDP, 8, from, to));
            let sum = checksum(&message);
            let length = u16::try_from(message.len()).ok()?;
            (message, header(ICMP, length, to, from).to_vec(), sum)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let message = message(1, 4, &header6(UDP, 8, from, to));
            let length = u16::try_from(message.len()).ok()?;
            // Addresses, length and protocol are summed up too (RFC 8200 section 8.1).
            let before = [&to.octets()[..], &from.octets(), &[0, 0], &length.to_be_bytes(), &[0, 0, 0, ICMP6]].concat();
            let sum = checksum(&[before.as_slice(), &message].concat());
            (message, header6(ICMP6, length, to, from).to_vec(), sum)
        }
        _ => return None,
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    Some([header, message].concat())
}

/// An IPv6 header (RFC 8200) before `length` bytes.
fn header6(protocol: u8, length: u16, from: Ipv6Addr, to: Ipv6Addr) -> [u8; 40] {
    let mut header = [0; 40];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&length.to_be_bytes());
    header[6..8].copy_from_slice(&[protocol, 64]);
    header[8..24].copy_from_slice(&from.octets());
    header[24..40].copy_from_slice(&to.octets());
    header
}

/// An IP header (RFC 791) before `length` bytes.
fn header(protocol: u8, length: u16, from: Ipv4Addr, to: Ipv4Addr) -> [u8; 20] {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(20 + length).to_be_bytes());
    header[8..10].copy_from_slice(&[64, protocol]);
    header[12..16].copy_from_slice(&from.octets());
    header[16..20].copy_from_slice(&to.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

/// The internet's (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_flow_is_read_out_of_the_kernels_answer() {
        for [from, to] in [["10.66.128.1:41636", "192.0.2.1:123"], ["[fd66::a42:8001]:9", "[2001:db8::1]:53"]] {
            let flow = Flow { from: at(from), to: at(to) };
            let port = |kind: u16, of: SocketAddr| attribute(kind, &of.port().to_be_bytes());
            let addresses = [address(0, flow.from.ip()), address(1, flow.to.ip())].concat();
            let protocol = [attribute(NUMBER, &[UDP]), port(SOURCE_PORT, flow.from), port(DESTINATION_PORT, flow.to)];
            let tuple = [attribute(NESTED | 1, &addresses), attribute(NESTED | 2, &protocol.concat())].concat();
            let known = [attribute(9, b"x"), attribute(NESTED | TUPLE_ORIGINAL, &tuple)].concat();
            let message = [&[0; 16][..], &[2, 0, 0, 0], &known].concat();
            assert_eq!(answer(&message).unwrap(), Some(flow));
            for length in 0..message.len() {
                assert!(answer(&message[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn an_unknown_flow_is_no_error() {
        let error = |code: i32| [&[16, 0, 0, 0, 2, 0][..], &[0; 10], &code.to_ne_bytes()].concat();
        assert_eq!(answer(&error(-2)).unwrap(), None);
        assert_eq!(answer(&error(-1)).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_question_names_the_way_back() {
        for (sender, own, family) in
            [("10.66.128.1:41636", "127.0.0.1:61002", 2), ("[fd66::a42:8001]:41636", "[::1]:61002", 10)]
        {
            let message = question(at(sender), at(own));
            assert_eq!(message.len(), u32::from_ne_bytes([message[0], message[1], message[2], message[3]]) as usize);
            assert_eq!(message[16], family);
            let reply = flow(find(&message[20..], TUPLE_REPLY).unwrap()).unwrap();
            assert_eq!(reply, Flow { from: at(own), to: at(sender) });
        }
    }

    #[test]
    fn a_refusal_shows_the_datagram_that_was_sent() {
        let packet = unreachable(Flow { from: at("10.66.128.1:4000"), to: at("192.0.2.1:123") }).unwrap();
        let ports = [4000u16.to_be_bytes(), 123u16.to_be_bytes()].concat();
        assert_eq!((packet.len(), packet[9], &packet[12..20]), (56, 1, &[192, 0, 2, 1, 10, 66, 128, 1][..]));
        assert_eq!((&packet[20..22], &packet[40..48]), (&[3, 3][..], &[10, 66, 128, 1, 192, 0, 2, 1][..]));
        assert_eq!(packet[48..52], ports);
        // What is summed up with its sum is nothing.
        assert_eq!([checksum(&packet[..20]), checksum(&packet[20..]), checksum(&packet[28..48])], [0; 3]);

        let packet = unreachable(Flow { from: at("[fd66::1]:4000"), to: at("[2001:db8::1]:123") }).unwrap();
        assert_eq!((packet.len(), packet[6], &packet[40..42], &packet[88..92]), (96, 58, &[1, 4][..], &ports[..]));
        let before = [&packet[8..40], &[0, 0, 0, 56, 0, 0, 0, 58]].concat();
        assert_eq!(checksum(&[&before, &packet[40..]].concat()), 0);
        assert_eq!(unreachable(Flow { from: at("[fd66::1]:4000"), to: at("192.0.2.1:123") }), None);
    }
}
