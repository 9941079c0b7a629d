//! Addresses in the pods of a workspace: each service has one at which it is called and one of its own.
//!
//! All workspaces use the same range, which exists in pods only: none sees another's. In network mode `names` the
//! addresses are of this machine's loopback, where each workspace has a range of its own, and each caller and callee an
//! address in it.

use std::net::Ipv4Addr;

use crate::model::ServiceName;

use super::slots::Ports;

/// All addresses of a workspace.
pub const RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 66, 0, 0), 16);
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

/// The two addresses of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Where it is called: its name leads there, from every pod but its own.
    pub called: Ipv4Addr,
    /// Its pod's own, which callees see as the caller's.
    pub own: Ipv4Addr,
}

impl Addresses {
    /// Those of a service, by the number it was given.
    pub fn of(service: &ServiceName, ports: &Ports) -> Self {
        let [high, low] = ports.address(service).to_be_bytes();
        Self { called: Ipv4Addr::new(10, 66, high, low), own: Ipv4Addr::new(10, 66, high | 0x80, low) }
    }
}

/// Whether an address is one of a workspace's.
pub fn is_ours(address: Ipv4Addr) -> bool {
    address.octets()[..2] == RANGE.0.octets()[..2]
}
