//! A service as callers see it: its ports, where they lead, and which of its versions it is.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Availability, Call, Location, Picked, Replicas, Tried};
use crate::model::{Egress, External, Protocol, web_port};

/// A service that can be called.
#[derive(Debug)]
pub struct Upstream {
    pub name: Arc<str>,
    /// Which of several versions it is.
    pub version: Option<Version>,
    /// Where it runs, where that is another place.
    pub remote: Option<Remote>,
    /// Where it is called from pods.
    pub called: Ipv4Addr,
    /// The address of its first instance's pod.
    pub own: Ipv4Addr,
    /// Whether it may call what is outside the workspace.
    pub egress: Egress,
    /// The declared ports, then those that are only published.
    pub ports: Vec<Endpoint>,
    pub availability: watch::Receiver<Availability>,
    /// Its instances, where it has some here.
    pub replicas: Replicas,
}

/// Another place, in which a service of the workspace runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// `staging`.
    pub name: Arc<str>,
    pub url: External,
}

/// One of several versions of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The service, by the name that callers know.
    pub of: Arc<str>,
    /// `v2`.
    pub name: Arc<str>,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    /// Production's.
    pub number: u16,
    pub protocol: Protocol,
    /// Where the proxy dials, or would its first instance.
    pub location: Location,
}

impl Upstream {
    /// Whether it is an address to which an entry leads, and no service: its name has a colon then, as no service's has.
    pub fn is_address(&self) -> bool {
        self.name.contains(':')
    }

    /// Begins a call to a port, by its place.
    pub fn pick(&self, port: usize) -> Picked {
        match self.ports.get(port) {
            Some(endpoint) => self.replicas.pick(port, &endpoint.location),
            None => Picked::NoPort,
        }
    }

    /// Puts another instance in the place of one that a call could not be connected to; false where none is left to try.
    pub fn another(&self, place: &mut Call, tried: &mut Tried) -> bool {
        match self.replicas.another(place, tried) {
            Some(other) => {
                *place = other;
                true
            }
            None => false,
        }
    }

    /// The service that it is a version of; itself where there is only one.
    pub fn service(&self) -> &Arc<str> {
        self.version.as_ref().map_or(&self.name, |version| &version.of)
    }

    /// The place of the port that has the part of another service's port: its number, else its name, else what is
    /// spoken there.
    pub fn port_like(&self, other: &Endpoint) -> Option<usize> {
        let streams = || self.ports.iter().enumerate().filter(|(_, port)| port.protocol != Protocol::Udp);
        let named = || streams().find(|(_, port)| port.name == other.name).map(|(place, _)| place);
        let spoken = || match other.protocol.is_http() {
            true => self.web_port(),
            false => streams().find(|(_, port)| !port.protocol.is_http()).map(|(place, _)| place),
        };
        self.stream_port(other.number).or_else(named).or_else(spoken)
    }

    /// The place of the port at which streams to production's number arrive; datagrams to it are another's.
    pub fn stream_port(&self, number: u16) -> Option<usize> {
        self.ports.iter().position(|port| port.number == number && port.protocol != Protocol::Udp)
    }

    /// The port that the front door leads to.
    pub fn web_port(&self) -> Option<usize> {
        web_port(self.ports.iter().map(|port| port.protocol))
    }
}
