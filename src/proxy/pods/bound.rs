//! Where what leaves a pod is bound for: decided by the table alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::effects::standard_ports::STANDARD;
use crate::model::{Egress, Protocol};
use crate::plan::{FRONT_DOOR, HOST, NAMESERVER, is_ours, of_twin};
use crate::proxy::http::Target;
use crate::route::{Table, Upstream, on_loopback};

/// Where servers of names listen.
pub const NAMES: u16 = 53;

/// What leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    Stream,
    Datagram,
}

/// Where it is bound for.
#[derive(Debug)]
pub enum Bound {
    /// A port of a service that the caller may call.
    Service(Target),
    /// The front door.
    Door,
    /// Somewhere else, dialled from the host.
    Elsewhere(SocketAddr),
    /// The server of names.
    Names,
    /// Nowhere.
    Nobody,
}

/// Where a caller is led by an address. Of a service's ports those count that carry such.
pub fn bound(caller: &str, carried: Carried, meant: SocketAddr, table: &Table) -> Bound {
    let is_confined = table.egress(caller) == Egress::Deny;
    let port = meant.port();
    let address = match in_workspace(meant.ip()) {
        Ok(address) => address,
        Err(address) if is_confined || !is_reached(address) => return Bound::Nobody,
        Err(address) => return outside(address.into(), port),
    };
    if let Some(upstream) = table.called(address).or_else(|| table.alone_at(address)) {
        // The routes lead streams, and nobody asks them about datagrams.
        let upstream = if carried == Carried::Datagram { table.led(caller, upstream) } else { upstream };
        let place = upstream.ports.iter().position(|known| known.number == port && carried.is_for(known.protocol));
        return place.map_or(Bound::Nobody, |place| service(caller, upstream, place, table));
    }
    let is_door = port == table.front_door && carried == Carried::Stream;
    match address {
        NAMESERVER if port == NAMES => Bound::Names,
        // The pod's own loopback comes here for the front door's number alone.
        Ipv4Addr::LOCALHOST | FRONT_DOOR if is_door => Bound::Door,
        HOST if is_confined => Bound::Nobody,
        HOST if is_door || (table.standard_ports && carried == Carried::Stream && STANDARD.contains(&port)) => {
            Bound::Door
        }
        HOST => host(caller, carried, port, table),
        address if is_confined || is_ours(address) || !is_sent_on(address) => Bound::Nobody,
        address => outside(address.into(), port),
    }
}

/// An IPv4 address, or whose twin it is; other addresses of IPv6 are no workspace's.
pub fn in_workspace(address: IpAddr) -> Result<Ipv4Addr, Ipv6Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Ok(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) => of_twin(address).ok_or(address),
    }
}

impl Carried {
    fn is_for(self, protocol: Protocol) -> bool {
        (protocol == Protocol::Udp) == (self == Self::Datagram)
    }
}

fn service(caller: &str, upstream: &Arc<Upstream>, port: usize, table: &Table) -> Bound {
    match table.allows(caller, upstream) {
        true => Bound::Service(Target { upstream: upstream.clone(), port }),
        false => Bound::Nobody,
    }
}

/// A port of the host's loopback. At those that we have there ourselves it would be taken for somebody outside, or for
/// the caller of that edge.
fn host(caller: &str, carried: Carried, port: u16, table: &Table) -> Bound {
    let at = on_loopback(port);
    match table.listeners.get(&at).filter(|_| carried == Carried::Stream) {
        Some(own) => service(caller, &own.to, own.port, table),
        None => Bound::Elsewhere(at.into()),
    }
}

/// Whatever server of names a program asks, over TCP as over UDP, is the engine.
fn outside(address: IpAddr, port: u16) -> Bound {
    if port == NAMES { Bound::Names } else { Bound::Elsewhere(SocketAddr::new(address, port)) }
}

/// Whether there is more to an address than the network that a pod does not have.
fn is_sent_on(address: Ipv4Addr) -> bool {
    !(address.is_multicast() || address.is_broadcast() || address.is_unspecified() || address.is_loopback())
}

/// Whether the host can reach an address as it is written.
fn is_reached(address: Ipv6Addr) -> bool {
    !(address.is_multicast() || address.is_unspecified() || address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::sync::watch;

    use super::*;
    use crate::route::{Availability, Endpoint, Listener, Location, Replicas, Socket, Version};

    const DOOR: u16 = 4400;

    /// `open` may leave, `shut` may not, and both are to call `users` alone, which has a version; `db` is published.
    fn table(strict: bool) -> Table {
        let port = |protocol, number| {
            let location = Location::Loopback(number);
            Endpoint { name: String::new(), number, protocol, location }
        };
        let upstream = |(name, of, last, egress): (&str, Option<&str>, u8, Egress)| {
            Arc::new(Upstream {
                name: name.into(),
                version: of.map(|of| Version { of: of.into(), name: "v2".into() }),
                remote: None,
                called: Ipv4Addr::new(10, 66, 0, last),
                own: Ipv4Addr::new(10, 66, 128, last),
                egress,
                ports: vec![port(Protocol::Http, 80), port(Protocol::Udp, 8125)],
                availability: watch::channel(Availability::Ready).1,
                replicas: Replicas::Fixed,
            })
        };
        let all = [
            ("open", None, 1, Egress::Allow),
            ("shut", None, 2, Egress::Deny),
            ("users", None, 3, Egress::Allow),
            ("users-v2", Some("users"), 4, Egress::Allow),
            ("db", None, 5, Egress::Allow),
        ];
        let upstreams: Vec<Arc<Upstream>> = all.into_iter().map(upstream).collect();
        let published = Listener { from: None, to: upstreams[4].clone(), port: 0, socket: Socket::default() };
        let users = || ["users".into()].into_iter().collect();
        Table {
            front_door: DOOR,
            called: upstreams.iter().enumerate().map(|(place, it)| (it.called, place)).collect(),
            upstreams: upstreams.into_iter().collect(),
            declared: HashMap::from([("open".into(), users()), ("shut".into(), users())]),
            listeners: HashMap::from([(on_loopback(5432), published)]),
            strict,
            ..Table::default()
        }
    }

    fn told(caller: &str, carried: Carried, address: &str, table: &Table) -> String {
        match bound(caller, carried, address.parse().unwrap(), table) {
            Bound::Service(target) => format!("{} at {}", target.upstream.name, target.endpoint().number),
            Bound::Door => "door".to_owned(),
            Bound::Elsewhere(address) => address.to_string(),
            Bound::Names => "names".to_owned(),
            Bound::Nobody => "nobody".to_owned(),
        }
    }

    /// By address what `open` and `shut` come to, where calls have to be declared and where not.
    #[test]
    fn addresses_lead_where_their_caller_may_go() {
        let cases = [
            ("10.66.0.3:80", ["users at 80", "users at 80"], ["users at 80", "users at 80"]),
            ("[fd66::10.66.0.3]:80", ["users at 80", "users at 80"], ["users at 80", "users at 80"]),
            ("10.66.0.3:81", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("10.66.0.3:8125", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("10.66.0.4:80", ["users-v2 at 80", "users-v2 at 80"], ["users-v2 at 80", "users-v2 at 80"]),
            ("10.66.0.5:80", ["db at 80", "db at 80"], ["nobody", "nobody"]),
            ("10.66.0.9:80", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("10.66.255.2:4400", ["door", "door"], ["door", "door"]),
            ("127.0.0.1:4400", ["door", "door"], ["door", "door"]),
            ("[::1]:4400", ["door", "door"], ["door", "door"]),
            ("10.66.255.2:80", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("127.0.0.1:80", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("10.66.255.1:4400", ["door", "nobody"], ["door", "nobody"]),
            ("[fd66::10.66.255.1]:4400", ["door", "nobody"], ["door", "nobody"]),
            ("10.66.255.1:5432", ["db at 80", "nobody"], ["nobody", "nobody"]),
            ("10.66.255.1:22", ["127.0.0.1:22", "nobody"], ["127.0.0.1:22", "nobody"]),
            ("10.66.255.53:53", ["names", "names"], ["names", "names"]),
            ("192.0.2.1:443", ["192.0.2.1:443", "nobody"], ["192.0.2.1:443", "nobody"]),
            ("192.0.2.1:53", ["names", "nobody"], ["names", "nobody"]),
            ("[2001:db8::1]:443", ["[2001:db8::1]:443", "nobody"], ["[2001:db8::1]:443", "nobody"]),
            ("[::ffff:192.0.2.1]:443", ["192.0.2.1:443", "nobody"], ["192.0.2.1:443", "nobody"]),
            ("[fe80::1]:443", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("224.0.0.1:443", ["nobody", "nobody"], ["nobody", "nobody"]),
            ("0.0.0.0:443", ["nobody", "nobody"], ["nobody", "nobody"]),
        ];
        for (address, free, strict) in cases {
            for (is_strict, expected) in [(false, free), (true, strict)] {
                let found = ["open", "shut"].map(|caller| told(caller, Carried::Stream, address, &table(is_strict)));
                assert_eq!(found, expected, "{address}, strict: {is_strict}");
            }
        }
        assert_eq!(told("db", Carried::Stream, "10.66.0.5:80", &table(true)), "db at 80", "itself");
    }

    #[test]
    fn the_hosts_standard_ports_are_the_door_where_the_engine_has_them() {
        for (standard_ports, expected) in [(false, ["127.0.0.1:443", "nobody"]), (true, ["door", "nobody"])] {
            let table = Table { standard_ports, ..table(true) };
            let found = ["open", "shut"].map(|caller| told(caller, Carried::Stream, "10.66.255.1:443", &table));
            assert_eq!(found, expected);
            assert_eq!(told("open", Carried::Datagram, "10.66.255.1:443", &table), "127.0.0.1:443");
        }
    }

    #[test]
    fn datagrams_lead_to_no_streams() {
        let cases = [
            ("10.66.0.3:8125", "users at 8125"),
            ("10.66.0.3:80", "nobody"),
            ("127.0.0.1:4400", "nobody"),
            ("10.66.255.2:4400", "nobody"),
            ("10.66.255.1:4400", "127.0.0.1:4400"),
            ("10.66.255.1:5432", "127.0.0.1:5432"),
            ("192.0.2.1:53", "names"),
        ];
        for (address, expected) in cases {
            assert_eq!(told("open", Carried::Datagram, address, &table(true)), expected, "{address}");
        }
    }
}
