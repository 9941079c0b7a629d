//! A pod: the view that one instance has of the network, the process table and a few files.
//!
//! Pid 1 of a pod is a fork of the launcher that is born into new namespaces, makes them a home (`enter`), starts the
//! service and then only reaps, passes on signals and hands out sockets (`init`). Its death empties the pod, whatever
//! was forked in there.
//!
//! No root is needed: an unprivileged account gets a user namespace in which its ids mean themselves. An account that
//! may do all this anyway keeps its own, so that `su`, `user:` and file owners work as they do outside.

mod clone;
mod control;
mod enter;
mod event;
mod home;
mod init;
mod maps;
mod netlink;
mod redirect;
pub mod router;
mod rules;
mod spare;
mod step;

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

pub use clone::{Nursery, signal_pod};
pub use control::{MOST_DOORS, MOST_SOCKETS, OpenPort, Request, Sockets, WayIn, decode_addresses};
pub use event::{EVENT, Event, event};
pub use netlink::find as find_attribute;
pub use spare::Spare;
pub use step::{Failure, Step};

/// Where calls and datagrams to everybody else arrive, on a pod's loopback, above the ephemeral range.
pub const ENGINE: u16 = 61_000;
/// Where a pod's questions of names arrive.
pub const NAMES: u16 = 61_053;
/// Nobody listens there: what is sent there is refused at once.
pub const NOBODY: u16 = 61_001;

/// What a pod is made of, as the engine orders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// The folder with its `hosts`, `resolv.conf` and `nsswitch.conf`, as far as they are its own.
    pub etc: Vec<u8>,
    /// `None` in network mode `names`: it shares the host's network, and only its files and its process table are its
    /// own. Nothing is handed over from there.
    pub network: Option<Network>,
}

/// A pod's own network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its own address.
    pub address: Ipv4Addr,
    /// The range in which all services have addresses, its prefix length with it. They have twins in IPv6.
    pub range: (Ipv4Addr, u8),
    /// The host has a way to the world by IPv6.
    pub world6: bool,
    pub host_name: Vec<u8>,
    /// The service itself listens on port 53: questions to its loopback are its own to answer.
    pub answers_names: bool,
    /// A port of its loopback at which it finds the host's: the front door, which many runtimes look for there whatever
    /// DNS says (RFC 6761 section 6.3). 0 for none.
    pub front_door: u16,
    /// It may call nobody outside the range, nor in it the address given here, which is the host's.
    pub confined: Option<Ipv4Addr>,
}

/// What came out of a pod for the engine, in this order.
#[derive(Debug)]
pub struct Handover {
    /// All streams that leave the pod; `SO_ORIGINAL_DST` tells where they were meant to go.
    pub listener: OwnedFd,
    /// All its questions of names.
    pub names: OwnedFd,
    /// All other datagrams that leave the pod, by IPv4.
    pub datagrams: OwnedFd,
    /// The same by IPv6, where the kernel knows that.
    pub datagrams6: Option<OwnedFd>,
    /// Answers who listens within (sock_diag(7)).
    pub diagnosis: OwnedFd,
}

/// What it takes to pass a pod's datagrams on, made for pods that send any.
#[derive(Debug)]
pub struct Tracking {
    /// Answers whom a datagram was meant for (ctnetlink, of `NETLINK_NETFILTER`).
    pub conntrack: OwnedFd,
    /// Sends whole IPv4 packets, and receives none.
    pub packets: OwnedFd,
    /// The same of IPv6, where the kernel knows that.
    pub packets6: Option<OwnedFd>,
}
