//! Ports of services in pods, at the same number of the host's loopback: people type `localhost:5173`.
//!
//! Of several versions of a service the first counts: the others are reached through it.

use std::collections::HashMap;

use crate::model::Protocol;

use super::{Planned, PlannedPublish};

/// Below it, root's engine would take 22 or 80 from whoever comes later and expects them.
const UNPRIVILEGED: u16 = 1024;

/// Has every port published at its own number whose number no other service has, and which nobody chose for another.
pub fn publish(services: &mut [Planned], front_door: u16) {
    let mut claims: HashMap<u16, usize> = HashMap::from([(front_door, 2)]);
    for service in services.iter().filter(|service| service.bears_name()) {
        let mut own: Vec<u16> = service.all_ports().map(|port| port.number).collect();
        own.extend(service.publish.iter().map(|it| it.host));
        own.sort_unstable();
        own.dedup();
        own.into_iter().for_each(|number| *claims.entry(number).or_default() += 1);
    }
    for service in services.iter_mut().filter(|service| service.in_pod() && service.bears_name()) {
        let free = |number: u16| {
            number >= UNPRIVILEGED
                && claims.get(&number) == Some(&1)
                && service.publish.iter().all(|published| published.host != number)
        };
        let streams = service.all_ports().enumerate().filter(|(_, port)| port.protocol != Protocol::Udp);
        let same = streams.filter(|(_, port)| free(port.number));
        let same: Vec<PlannedPublish> =
            same.map(|(port, it)| PlannedPublish { host: it.number, port, chosen: false }).collect();
        service.publish.extend(same);
    }
}
