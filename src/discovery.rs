//! Discovery: the DNS server of the pods.
//!
//! Names of the workspace are answered from its zone; all others as the host would: from its hosts file, else by its
//! servers. The sockets are made elsewhere, inside the pods; here they are only served, each by one future that is
//! dropped to end it. Nothing is kept but what the host's two files say: whoever wants a cache has the host's.

mod answer;
mod exchange;
mod forward;
mod host;
mod message;
mod serve;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::route::zone::{Asker, Zone};

pub use answer::{Transport, answer};
pub use forward::Forwarder;
pub use host::Host;
pub use serve::{serve_tcp, serve_udp, serve_udp_of};

/// What the server has to know of a pod, asked anew for each query: plans change while pods live.
pub trait Pod {
    /// The names of its workspace.
    fn zone(&self) -> Arc<Zone>;

    /// Its own service and address; none where it has no place in the zone (any more).
    fn asker(&self) -> Option<Asker>;

    /// Whether it may know names of the world outside.
    fn egress(&self) -> Egress;

    /// The IPv6 address of another service (its place in the zone), where that is called by IPv6.
    fn twin(&self, service: usize) -> Option<Ipv6Addr>;

    /// How an address of the workspace is written where it is: containers have a network of their own.
    fn seen(&self, address: Ipv4Addr) -> Ipv4Addr {
        address
    }

    /// The address of the workspace that is meant by one that is written so.
    fn meant(&self, address: Ipv4Addr) -> Ipv4Addr {
        address
    }

    /// It is told the addresses of a name that is not ours: calls may follow.
    fn told(&self, name: &str, addresses: &[IpAddr]);

    /// It asked for another service (its place in the zone): a call is about to follow. The answer is held back until
    /// this is over.
    fn asked(&self, service: usize) -> impl Future<Output = ()>;
}

/// Whether a pod may leave its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egress {
    Allow,
    /// Names that are not ours are refused.
    Deny,
}
