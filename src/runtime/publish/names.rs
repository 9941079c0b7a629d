//! What of a plan names lead to: those of pods, of versions, and of services in other places.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::model::{External, Leads, Port};
use crate::plan::{FRONT_DOOR, HOST, Plan, Planned, PlannedPort};
use crate::route::zone::{Entry, Origin, Zone};
use crate::route::{Apart, Availability, Endpoint, Location, Remote, Replicas, Upstream, Upstreams, Version};
use crate::supervise::World;

/// Further names of services; where two claim one, the first has it.
pub(super) fn aliases(plan: &Plan) -> HashMap<Arc<str>, usize> {
    let mut out = HashMap::new();
    for (place, planned) in plan.services.iter().enumerate() {
        for alias in &planned.aliases {
            out.entry(alias.as_str().to_ascii_lowercase().into()).or_insert(place);
        }
    }
    out
}

/// The callers of each combination of versions; all of one share what names mean there.
pub(super) fn apart(plan: &Plan) -> HashMap<Arc<str>, Arc<Apart>> {
    let mut known: HashMap<*const Leads, Arc<Apart>> = HashMap::new();
    let callers = plan.services.iter().filter_map(|planned| Some((planned, planned.leads.as_ref()?)));
    let led = |(planned, leads): (&Planned, &Arc<Leads>)| {
        let names = || leads.iter().map(|(name, copy)| (name.as_str(), copy.as_str()));
        let apart = known.entry(Arc::as_ptr(leads)).or_insert_with(|| Arc::new(Apart::new(names())));
        (planned.name.as_str().into(), apart.clone())
    };
    callers.map(led).collect()
}

/// Services as they run in other places. A port of theirs leads to the URL, where that can take its calls.
pub(super) fn remotes(plan: &Plan, upstreams: &Upstreams) -> HashMap<String, Arc<Upstream>> {
    let all = plan.remotes.iter().flat_map(|(remote, services)| services.iter().map(move |it| (remote, it)));
    let upstream = |(remote, (service, url)): (&String, (&String, &External))| {
        let here = &upstreams[upstreams.place(service)?];
        let location = Location::Elsewhere { host: url.host.clone(), port: url.port, tls: url.scheme.is_tls() };
        let ports = here.ports.iter().filter(|port| url.takes(port.protocol));
        let ports = ports.map(|port| Endpoint { location: location.clone(), ..port.clone() }).collect();
        let there = Upstream {
            name: format!("{service}@{remote}").into(),
            version: Some(Version { of: here.name.clone(), name: remote.as_str().into() }),
            remote: Some(Remote { name: remote.as_str().into(), url: url.clone() }),
            called: here.called,
            own: here.own,
            egress: here.egress,
            ports,
            availability: watch::channel(Availability::Ready).1,
            replicas: Replicas::Fixed,
        };
        Some((format!("{remote}/{service}"), Arc::new(there)))
    };
    all.filter_map(upstream).collect()
}

/// What names mean in the pods of a plan. Services that are leaving have none any more.
pub(super) fn zone(world: &World) -> Zone {
    let plan = world.plan();
    let origin = Origin {
        workspace: plan.workspace.to_string(),
        label: plan.host_label.clone(),
        namespace: plan.namespace.to_string(),
        host: HOST,
        front_door: FRONT_DOOR,
    };
    let entry = |planned: &Planned| Entry {
        name: planned.name.to_string(),
        aliases: planned.aliases.iter().map(ToString::to_string).collect(),
        hostnames: planned.hostnames.iter().map(ToString::to_string).collect(),
        address: planned.addresses.called,
        pods: (1..=planned.most_instances()).map(|it| planned.own_address(it)).collect(),
        ports: planned.ports.iter().map(port).collect(),
    };
    let staying = (0..plan.services.len()).take_while(|place| !world.is_leaving(*place));
    Zone::new(origin, staying.map(|place| entry(&plan.services[place])).collect())
}

/// Where the versions are that are called by the names of their services.
pub(super) fn first_versions(plan: &Plan) -> HashMap<Arc<str>, usize> {
    let own_name = |(place, planned): (usize, &Planned)| {
        let version = planned.version.as_ref().filter(|_| planned.bears_name())?;
        Some((format!("{}-{}", version.of, version.name).into(), place))
    };
    plan.services.iter().enumerate().filter_map(own_name).collect()
}

fn port(port: &PlannedPort) -> Port {
    Port { name: port.name.clone(), number: port.number, protocol: port.protocol }
}
