//! Calls by HTTP: who calls whom, and how each of their connections is served.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use rustix::io::Errno;

use super::answer::Refusal;
use super::unreached::Unreached;
use super::wire::{Io, Wire};
use super::{bridge, h1};
use crate::effects::descriptors;
use crate::route::{Endpoint, Location, Upstream};

pub use super::answer::Answer;
// What `serve` leaves to hyper, which serves HTTP/1.1 too where somebody compares the two.
pub use super::bridge::serve as serve_by_hyper;
pub use super::context::{Context, Limits};
pub use super::h1::Spoken;
pub use super::way::{Asked, Lead, Making, Origin, Way};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    Service(Arc<str>),
    /// An instance of a service, by the address of its pod.
    Pod(Arc<str>, Ipv4Addr),
    /// Somebody outside, through the front door.
    Outside,
}

impl Caller {
    /// The service that calls.
    pub fn service(&self) -> Option<&Arc<str>> {
        match self {
            Self::Service(name) | Self::Pod(name, _) => Some(name),
            Self::Outside => None,
        }
    }
}

/// Who is called, at which of its ports.
#[derive(Debug, Clone)]
pub struct Target {
    pub upstream: Arc<Upstream>,
    pub port: usize,
}

impl Target {
    /// The port that is called.
    pub fn endpoint(&self) -> &Endpoint {
        &self.upstream.ports[self.port]
    }
}

/// Why a callee could not be connected to.
fn not_dialled(upstream: &Upstream, location: &Location, error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::TimedOut => Refusal::Silent(upstream.name.clone()),
        _ if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
            let limit = descriptors::limit();
            let reason =
                format!("the engine has no descriptor left for this call: all {limit} that it may have are taken");
            Refusal::failed(upstream, reason)
        }
        _ => {
            let reason = format!("nothing answers on {location}: {error}");
            match location {
                Location::Elsewhere { .. } => Refusal::Outside(upstream.name.clone(), reason),
                Location::Loopback(_) | Location::Pod { .. } => Refusal::failed(upstream, reason),
            }
        }
    }
}

/// The same of a callee that may be in another place.
pub fn unreached(upstream: &Upstream, location: &Location, error: &io::Error) -> Refusal {
    match &upstream.remote {
        Some(remote) => Unreached::new(upstream.service(), remote, error).into(),
        None => not_dialled(upstream, location, error),
    }
}

/// Serves one connection of one caller, HTTP/1.1 or HTTP/2.
pub async fn serve<S: Io, W: Way>(stream: S, caller: Caller, way: W, context: Context) {
    let wire = Wire::new(stream, context.pool.spare.clone());
    match h1::serve(&wire, &caller, &way, &context).await {
        h1::End::Closed => {}
        h1::End::Other(spoken) => bridge::serve(wire.rewound(), spoken, caller, way, context).await,
    }
}
