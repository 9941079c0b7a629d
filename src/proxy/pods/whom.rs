//! Of datagrams that come to a socket: whose they are, and whom they were meant for.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::PodCaller;
use super::containers::Berths;
use crate::effects::flows::{Flow, Tracker};

/// Whoever sends.
#[derive(Clone)]
pub enum Callers {
    One(Rc<PodCaller>),
    /// They are told apart by their addresses.
    Containers(Berths),
}

impl Callers {
    /// Who sends from an address.
    pub fn of(&self, sender: SocketAddr) -> Option<Rc<PodCaller>> {
        match self {
            Self::One(caller) => Some(caller.clone()),
            Self::Containers(berths) => berths.caller(sender),
        }
    }
}

/// How it is found out whom a datagram was meant for.
pub enum Meant {
    /// The kernel knows, as it redirected it.
    Tracked(Tracker),
    /// All that come here are for the same.
    Always(SocketAddr),
}

impl Meant {
    /// The flow of a datagram that came to `at`.
    pub fn flow(&self, sender: SocketAddr, at: SocketAddr) -> io::Result<Option<Flow>> {
        match self {
            Self::Tracked(tracker) => tracker.find(sender, at),
            Self::Always(to) => Ok(Some(Flow { from: sender, to: *to })),
        }
    }

    /// Tells the sender of a flow that nobody takes it, where that can be said.
    pub fn refuse(&self, flow: Flow) {
        if let Self::Tracked(tracker) = self {
            tracker.refuse(flow);
        }
    }
}
