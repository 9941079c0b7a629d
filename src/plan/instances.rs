//! How many instances of a service there can be at once, and where that cannot be had.

use crate::model::{MOST_REPLICAS, NetworkMode, Service, ServicePort, Strategy, Workspace};

use super::lint::Lint;

/// Instances beside those that are wanted: one that is to take a place, and one that still answers what it was asked.
const SPARE: u32 = 2;

/// How instances of a service are replaced. Two at once need no care where each has its own ports and owns nothing.
pub fn strategy(service: &Service, network: NetworkMode) -> Strategy {
    let rolls = network == NetworkMode::Pod && !service.ports.is_empty() && !service.stateful;
    match service.strategy {
        _ if service.external().is_some() => Strategy::Recreate,
        Some(strategy) => strategy,
        None if rolls => Strategy::Rolling,
        None => Strategy::Recreate,
    }
}

/// How many instances of a service there can be at once.
pub fn most_instances(service: &Service, network: NetworkMode) -> u32 {
    let spare = if strategy(service, network) == Strategy::Rolling { SPARE } else { 0 };
    service.most_replicas().clamp(1, MOST_REPLICAS) + spare
}

/// Services of which there are to be several where all share the ports of one machine, and whose programs take no other.
pub fn crowded(workspace: &Workspace, auto: NetworkMode) -> Vec<Lint> {
    let mut out = Vec::new();
    for (place, service) in workspace.services.values().enumerate() {
        let network = workspace.network_of(service, auto);
        if network == NetworkMode::Pod || most_instances(service, network) == 1 {
            continue;
        }
        let Some(number) = insisted(service) else { continue };
        let (needle, several) = match service.most_replicas() {
            1 => ("strategy", "two instances while one is replaced".to_owned()),
            count => ("replicas", format!("{count} instances")),
        };
        out.push(Lint {
            service: place,
            needle: needle.to_owned(),
            code: "crowded",
            message: format!(
                "{} is to have {several}, all on port {number} of this machine (network mode `{}`)",
                service.name,
                network.word()
            ),
            hint: "`network: pod` gives each its own ports; or have it take its port from `PORT`, without `listen`"
                .to_owned(),
        });
    }
    out
}

/// A port of this machine that the program takes whatever it is told.
fn insisted(service: &Service) -> Option<u16> {
    let published = service.publish.iter().find_map(|publish| match publish.port {
        ServicePort::Number(number) => Some(number),
        ServicePort::Declared(_) => None,
    });
    service.listen.iter().copied().flatten().next().or(published)
}
