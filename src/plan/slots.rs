//! Which port numbers of this machine a workspace needs.
//!
//! A slot's key is stable, so that a number, once given, can be remembered and given again.

use std::collections::{HashMap, HashSet};

use crate::model::{NetworkMode, Protocol, Service, ServiceName, Workspace};

use super::edges::wanted_edges;
use super::instances::most_instances;
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

/// The key of the front door's.
pub const FRONT_DOOR_SLOT: &str = "front-door";

/// The first instance of a service has its name, as where there is no other.
fn instance_key(service: &ServiceName, instance: u32) -> String {
    if instance == 1 { service.to_string() } else { format!("{service}#{instance}") }
}

fn own_key(service: &ServiceName, instance: u32, port: &str) -> String {
    format!("{}/{port}", instance_key(service, instance))
}

fn address_key(service: &ServiceName, instance: u32) -> String {
    format!("@{}", instance_key(service, instance))
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
    let mut out = vec![Slot { key: FRONT_DOOR_SLOT.to_owned(), kind: SlotKind::Engine }];
    for service in workspace.services.values() {
        // One that lives elsewhere has numbers of its own there, and none of this machine.
        let none = service.external().is_some() || in_pod(service);
        let own = if none { &[] } else { service.ports.as_slice() };
        let instances = 1..=most_instances(service, mode(service));
        let pods = instances.clone().take_while(|instance| *instance == 1 || in_pod(service));
        out.extend(pods.map(|it| Slot { key: address_key(&service.name, it), kind: SlotKind::Address }));
        for (instance, (port, insisted)) in
            instances.flat_map(|it| own.iter().zip(&service.listen).map(move |p| (it, p)))
        {
            let kind = insisted.map_or(SlotKind::Program, SlotKind::Insisted);
            out.push(Slot { key: own_key(&service.name, instance, &port.name), kind });
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
        self.get(FRONT_DOOR_SLOT)
    }

    /// Where an instance of a service itself listens.
    pub fn own(&self, service: &ServiceName, instance: u32, port: &str) -> u16 {
        self.get(&own_key(service, instance, port))
    }

    /// The number in the addresses of an instance; the first's is the service's too.
    pub fn address(&self, service: &ServiceName, instance: u32) -> u16 {
        self.get(&address_key(service, instance))
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
