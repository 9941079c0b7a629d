//! Which port numbers of this machine a workspace needs.
//!
//! A slot's key is stable, so that a number, once given, can be remembered and given again.

use std::collections::{HashMap, HashSet};

use crate::model::{NetworkMode, Protocol, Service, ServiceName, Workspace};

use super::edges::wanted_edges;
use super::references;

/// One port number that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    pub key: String,
    pub kind: SlotKind,
}

/// Who is going to listen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// The program itself, at a number of our choice.
    Program,
    /// At this number and no other: the program insists on it, or it was chosen with `publish`.
    Insisted(u16),
    /// The engine.
    Engine,
    /// Nobody: the number is part of an address in pods.
    Address,
    /// Nobody either: it is part of the loopback address at which one calls another in network mode `names`.
    Pair,
}

const FRONT_DOOR: &str = "front-door";

fn own_key(service: &ServiceName, port: &str) -> String {
    format!("{service}/{port}")
}

fn address_key(service: &ServiceName) -> String {
    format!("@{service}")
}

fn edge_key(from: &ServiceName, to: &ServiceName, port: &str) -> String {
    format!("{from}->{to}/{port}")
}

fn pair_key(from: &ServiceName, to: &ServiceName) -> String {
    format!("{from}@{to}")
}

/// A program that is given this number would find it taken, when it listens on all addresses.
fn called(number: u16) -> Slot {
    Slot { key: format!("called/{number}"), kind: SlotKind::Insisted(number) }
}

/// Nobody else of the workspace is to be given a published number.
fn published(number: u16) -> Slot {
    Slot { key: format!("publish/{number}"), kind: SlotKind::Insisted(number) }
}

/// Every slot of a workspace, where `auto` means this mode.
pub fn slots(workspace: &Workspace, auto: NetworkMode) -> Vec<Slot> {
    // In its pod every port is free, and a caller in a pod needs no listener.
    let mode = |service: &Service| workspace.network_of(service, auto);
    let in_pod = |service: &Service| mode(service) == NetworkMode::Pod;
    let mut out = vec![Slot { key: FRONT_DOOR.to_owned(), kind: SlotKind::Engine }];
    for service in workspace.services.values() {
        // One that lives elsewhere has numbers of its own there, and none of this machine.
        let none = service.external().is_some() || in_pod(service);
        let own = if none { &[] } else { service.ports.as_slice() };
        out.push(Slot { key: address_key(&service.name), kind: SlotKind::Address });
        for (port, insisted) in own.iter().zip(&service.listen) {
            let kind = insisted.map_or(SlotKind::Program, SlotKind::Insisted);
            out.push(Slot { key: own_key(&service.name, &port.name), kind });
        }
        out.extend(service.publish.iter().map(|publish| published(publish.host)));
    }
    for (from, to, port) in wanted_edges(workspace, &references(workspace)) {
        let (from, to) = (workspace.service(from), workspace.service(to));
        if to.ports[port].protocol == Protocol::Udp {
            continue;
        }
        match mode(from) {
            NetworkMode::Pod => {}
            NetworkMode::Names => {
                out.push(Slot { key: pair_key(&from.name, &to.name), kind: SlotKind::Pair });
                out.push(called(to.ports[port].number));
            }
            NetworkMode::Env => {
                let key = edge_key(&from.name, &to.name, &to.ports[port].name);
                out.push(Slot { key, kind: SlotKind::Engine });
            }
        }
    }
    // A callee of several ports has one address, and a number may be called by several.
    let mut seen = HashSet::new();
    out.retain(|slot| seen.insert(slot.key.clone()));
    out
}

/// The numbers given to slots.
#[derive(Debug, Clone, Default)]
pub struct Ports(pub HashMap<String, u16>);

impl Ports {
    fn get(&self, key: &str) -> u16 {
        self.0.get(key).copied().unwrap_or(0)
    }

    /// The front door.
    pub fn front_door(&self) -> u16 {
        self.get(FRONT_DOOR)
    }

    /// Where a service itself listens.
    pub fn own(&self, service: &ServiceName, port: &str) -> u16 {
        self.get(&own_key(service, port))
    }

    /// The number in a service's addresses.
    pub fn address(&self, service: &ServiceName) -> u16 {
        self.get(&address_key(service))
    }

    /// The number in the loopback address at which one service calls another.
    pub fn pair(&self, from: &ServiceName, to: &ServiceName) -> u16 {
        self.get(&pair_key(from, to))
    }

    /// Where the proxy listens for calls of one service to another.
    pub fn edge(&self, from: &ServiceName, to: &ServiceName, port: &str) -> u16 {
        self.get(&edge_key(from, to, port))
    }
}
