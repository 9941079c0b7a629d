//! Addresses in the pods of a workspace: each service has one at which it is called, and each instance one of its own.
//!
//! All workspaces use the same range, which exists in pods only: none sees another's. In network mode `names` the
//! addresses are of this machine's loopback, where each workspace has a range of its own, and each caller and callee an
//! address in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::ServiceName;

use super::slots::Ports;

/// All addresses of a workspace.
pub const RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 66, 0, 0), 16);
/// The same addresses as IPv6 has them: in the last four bytes.
pub const RANGE6: (Ipv6Addr, u8) = (twin(RANGE.0), 96 + 16);
/// Who answers questions of names.
pub const NAMESERVER: Ipv4Addr = Ipv4Addr::new(10, 66, 255, 53);
/// The loopback of the host: `host.nagaya.internal`.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 66, 255, 1);
/// The front door, and whoever calls from outside as a pod sees it.
pub const FRONT_DOOR: Ipv4Addr = Ipv4Addr::new(10, 66, 255, 2);
/// Numbers that services can have: below the addresses above, with room for both of each.
pub const NUMBERS: std::ops::Range<u16> = 1..0x7f00;

/// Second octets of the workspaces' ranges on the loopback. Those below are left to people and to the system, which have
/// 127.0.1.1 and 127.0.0.53.
pub const LOOPBACK_RANGES: std::ops::Range<u8> = 64..255;
/// Numbers that pairs can have in a range.
pub const PAIRS: std::ops::Range<u16> = 1..0xff00;

/// The address of a pair in a workspace's range.
pub fn on_loopback(range: u8, pair: u16) -> Ipv4Addr {
    let [high, low] = pair.to_be_bytes();
    Ipv4Addr::new(127, range, high, low)
}

/// The address of this machine's loopback from which pods of a strict workspace call ports that engines share, by its
/// front door: passed on to that door, they are not taken for somebody outside.
pub fn of_strict(front_door: u16) -> Ipv4Addr {
    on_loopback(LOOPBACK_RANGES.start - 1, front_door)
}

/// The address of a service, and that of one of its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Where it is called: its name leads there, from every pod but its own.
    pub called: Ipv4Addr,
    /// That of an instance's own pod, which callees see as the caller's.
    pub own: Ipv4Addr,
}

impl Addresses {
    /// Those of an instance of a service, by the numbers that they were given.
    pub fn of(service: &ServiceName, instance: u32, ports: &Ports) -> Self {
        let number = |instance| ports.address(service, instance).to_be_bytes();
        let ([high, low], [own_high, own_low]) = (number(1), number(instance));
        Self { called: Ipv4Addr::new(10, 66, high, low), own: Ipv4Addr::new(10, 66, own_high | 0x80, own_low) }
    }
}

/// Whether an address is one of a workspace's.
pub fn is_ours(address: Ipv4Addr) -> bool {
    address.octets()[..2] == RANGE.0.octets()[..2]
}

/// The IPv6 address of whoever has an address in a workspace: `fd66::10.66.0.1`.
pub const fn twin(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets();
    let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, high, low)
}

/// Whose twin an address is.
pub fn of_twin(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    let own = Ipv4Addr::new(a, b, c, d);
    (is_ours(own) && twin(own) == address).then_some(own)
}

/// A workspace's network of containers: all that has an address in pods has one there, with the same last two bytes, and
/// so have the router and the engine's own gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet(pub [u8; 2]);

impl Subnet {
    /// The length of its prefix.
    pub const PREFIX: u8 = 16;

    /// That of an address.
    pub fn of(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        Self([a, b])
    }

    /// Its first address.
    pub fn base(self) -> Ipv4Addr {
        self.with([0, 0])
    }

    /// Where the engine of containers has its end of it.
    pub fn gateway(self) -> Ipv4Addr {
        self.with([255, 254])
    }

    /// The router's own address.
    pub fn router(self) -> Ipv4Addr {
        self.with([255, 253])
    }

    /// What the router answers for: ranges with the lengths of their prefixes.
    pub fn answered(self) -> [(Ipv4Addr, u8); 4] {
        // Services are called in the lower half; instances have addresses in the upper one.
        let alone = |address| (self.outside(address), 32);
        [(self.base(), 17), alone(HOST), alone(FRONT_DOOR), alone(NAMESERVER)]
    }

    /// The address here of whoever has this one in pods.
    pub fn outside(self, address: Ipv4Addr) -> Ipv4Addr {
        let [.., high, low] = address.octets();
        self.with([high, low])
    }

    /// The address in pods of whoever has this one here.
    pub fn inside(address: Ipv4Addr) -> Ipv4Addr {
        let ([a, b, ..], [.., high, low]) = (RANGE.0.octets(), address.octets());
        Ipv4Addr::new(a, b, high, low)
    }

    /// The address that a container sees of a caller: one of the router's. That of an instance is the one at which it
    /// would be called.
    pub fn of_caller(self, own: Ipv4Addr) -> Ipv4Addr {
        let [.., high, low] = own.octets();
        let is_special = high == u8::MAX;
        self.with([if is_special { high } else { high & 0x7f }, low])
    }

    fn with(self, [high, low]: [u8; 2]) -> Ipv4Addr {
        Ipv4Addr::new(self.0[0], self.0[1], high, low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_containers_mirrors_the_range() {
        let subnet = Subnet([10, 80]);
        let (called, own) = (Ipv4Addr::new(10, 66, 1, 2), Ipv4Addr::new(10, 66, 129, 2));
        assert_eq!(subnet.outside(called), Ipv4Addr::new(10, 80, 1, 2));
        assert_eq!(Subnet::inside(subnet.outside(own)), own);
        assert_eq!(subnet.of_caller(own), subnet.outside(called));
        assert_eq!(subnet.of_caller(FRONT_DOOR), subnet.outside(FRONT_DOOR));
        let answered = |address: Ipv4Addr| {
            let bits = |address: Ipv4Addr, length: u8| address.to_bits() >> (32 - u32::from(length));
            subnet.answered().iter().any(|(range, length)| bits(address, *length) == bits(*range, *length))
        };
        assert!([HOST, FRONT_DOOR, NAMESERVER, called].iter().all(|it| answered(subnet.outside(*it))));
        assert!([subnet.outside(own), subnet.gateway(), subnet.router()].iter().all(|it| !answered(*it)));
    }

    #[test]
    fn twins_are_those_of_a_workspaces_addresses() {
        assert_eq!(RANGE6.0.to_string(), "fd66::a42:0");
        assert_eq!(of_twin(twin(HOST)), Some(HOST));
        for other in ["fd66::1", "fd66::1:0:a42:1", "::ffff:10.66.0.1", "fd66::10.67.0.1"] {
            assert_eq!(of_twin(other.parse().unwrap()), None, "{other}");
        }
    }
}
