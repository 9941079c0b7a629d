//! A pod's own addresses and routes, all on its loopback (rtnetlink(7)).

use std::net::{IpAddr, Ipv4Addr};

use rustix::io::Errno;

use super::netlink::{Batch, Protocol};

/// The loopback is the first interface of every network namespace.
const LOOPBACK: u32 = 1;

/// Where a pod is at home, in one family.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its own address.
    pub own: IpAddr,
    /// What is local to it: sockets may be bound to any of these, and a caller's may be a source.
    pub range: (IpAddr, u8),
    /// There is a way to everywhere else. Without one `connect` fails before a redirect sees it, and
    /// `getaddrinfo(AI_ADDRCONFIG)` denies even known names.
    pub world: bool,
}

/// Brings the loopback up, and puts addresses and routes on it.
pub fn settle(place: Place) -> Result<(), Errno> {
    let mut batch = Batch::default();
    raise(&mut batch);
    dwell(batch, place)
}

/// The same in a further family.
pub fn settle_too(place: Place) -> Result<(), Errno> {
    dwell(Batch::default(), place)
}

fn dwell(mut batch: Batch, place: Place) -> Result<(), Errno> {
    address(&mut batch, place.own);
    route(&mut batch, Some(place.range), place.own);
    if place.world {
        route(&mut batch, None, place.own);
    }
    batch.send(Protocol::Route)
}

/// Makes ranges local to this network, beside what it has: it answers for them, and may call from them.
pub fn answer_for(ranges: &[(Ipv4Addr, u8)], own: Ipv4Addr) -> Result<(), Errno> {
    let mut batch = Batch::default();
    for (range, length) in ranges {
        route(&mut batch, Some(((*range).into(), *length)), own.into());
    }
    batch.send(Protocol::Route)
}

fn raise(batch: &mut Batch) {
    const NEW_LINK: u16 = 16;
    const UP: u32 = 1;
    batch.begin(NEW_LINK, 0);
    // struct ifinfomsg: family, type, index, flags, and which of those change.
    batch.put(&[0; 4]);
    for word in [LOOPBACK, UP, UP] {
        batch.put(&word.to_ne_bytes());
    }
    batch.end();
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address(batch: &mut Batch, own: IpAddr) {
    const NEW_ADDRESS: u16 = 20;
    const LOCAL: u16 = 2;
    const ADDRESS: u16 = 1;
    const LIFETIME: u16 = 6;
    // Nobody else can have it: it need not be looked for first.
    const NO_DETECTION: u8 = 2;
    let (length, flags) = if own.is_ipv4() { (32, 0) } else { (128, NO_DETECTION) };
    batch.create(NEW_ADDRESS);
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    batch.put(&[family(own), length, flags, 0]);
    batch.put(&LOOPBACK.to_ne_bytes());
    batch.attribute(LOCAL, &octets(own));
    batch.attribute(ADDRESS, &octets(own));
    if own.is_ipv6() {
        // struct ifa_cacheinfo: preferred for no time, valid forever. Whoever has the choice takes IPv4 (RFC 6724 section
        // 5, rule 3): a call is accepted here before it is known whether the host reaches anybody by IPv6.
        let lifetime = [0, u32::MAX, 0, 0].map(u32::to_ne_bytes).concat();
        batch.attribute(LIFETIME, &lifetime);
    }
    batch.end();
}

/// A route over the loopback: a range of local addresses, or the way to everywhere else.
fn route(batch: &mut Batch, local: Option<(IpAddr, u8)>, source: IpAddr) {
    const NEW_ROUTE: u16 = 24;
    const DESTINATION: u16 = 1;
    const INTERFACE: u16 = 4;
    const SOURCE: u16 = 7;
    const MAIN_TABLE: u8 = 254;
    const LOCAL_TABLE: u8 = 255;
    const BOOT: u8 = 3;
    const LINK_SCOPE: u8 = 253;
    const HOST_SCOPE: u8 = 254;
    const UNICAST: u8 = 1;
    const LOCAL: u8 = 2;
    let (prefix, table, scope, kind) = match local {
        Some((_, prefix)) => (prefix, LOCAL_TABLE, HOST_SCOPE, LOCAL),
        None if source.is_ipv4() => (0, MAIN_TABLE, LINK_SCOPE, UNICAST),
        // IPv6 has no others over a loopback (`fib6_is_reject` in net/ipv6/route.c).
        None => (0, MAIN_TABLE, HOST_SCOPE, LOCAL),
    };
    batch.create(NEW_ROUTE);
    // struct rtmsg: family, lengths of destination and source, type of service, table, protocol, scope, type, flags.
    batch.put(&[family(source), prefix, 0, 0, table, BOOT, scope, kind, 0, 0, 0, 0]);
    if let Some((range, _)) = local {
        batch.attribute(DESTINATION, &octets(range));
    }
    batch.attribute(SOURCE, &octets(source));
    batch.attribute(INTERFACE, &LOOPBACK.to_ne_bytes());
    batch.end();
}
