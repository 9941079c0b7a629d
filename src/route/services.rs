//! The services of a table, as names are bound to them: each to its place among the [`Upstreams`](super::Upstreams).

use std::sync::Arc;

use super::{Availability, Location, Table, Upstream};
use crate::dtab::namers::{Kind, Presence, Services};

/// The services of a table, where those are there that can take a call, or that a call may wait for.
#[derive(Debug, Clone)]
pub struct Callable(pub Arc<Table>);

impl Services<usize> for Callable {
    fn find(&self, kind: Kind, name: &str) -> Presence<usize> {
        let wants_external = match kind {
            Kind::Local => false,
            Kind::External => true,
            // The files of addresses are nobody's service.
            Kind::File => return Presence::Absent,
        };
        let found = self.0.versioned(name).filter(|&place| self.0.upstreams[place].is_external() == wants_external);
        found.map_or(Presence::Absent, |place| presence(place, *self.0.upstreams[place].availability.borrow()))
    }
}

/// One that is on its way is there too: who calls it waits, and in a union it keeps its share.
fn presence(place: usize, availability: Availability) -> Presence<usize> {
    match availability {
        Availability::Ready | Availability::Coming(_) | Availability::Idle => Presence::At(place),
        Availability::Absent(_) => Presence::Absent,
    }
}

impl Table {
    /// The place of the service of a name, or of the version of one: `users`, `users-v1`, `users-v2`.
    pub fn versioned(&self, name: &str) -> Option<usize> {
        self.upstreams.place(name).or_else(|| self.first_versions.get(name).copied())
    }
}

impl Upstream {
    /// Whether it lives elsewhere.
    pub fn is_external(&self) -> bool {
        self.ports.iter().any(|port| matches!(port.location, Location::Elsewhere { .. }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::Ipv4Addr;

    use tokio::sync::watch;

    use super::*;
    use crate::model::{Egress, Protocol};
    use crate::route::Endpoint;
    use crate::supervise::State;

    fn upstream(name: &str, location: Location, availability: Availability) -> Arc<Upstream> {
        Arc::new(Upstream {
            name: name.into(),
            called: Ipv4Addr::LOCALHOST,
            own: Ipv4Addr::LOCALHOST,
            egress: Egress::Allow,
            ports: vec![Endpoint { name: "http".to_owned(), number: 80, protocol: Protocol::Http, location }],
            availability: watch::channel(availability).1,
        })
    }

    #[test]
    fn names_are_bound_to_what_can_take_a_call() {
        let here = Location::Loopback(1);
        let elsewhere = Location::Elsewhere { host: "example.com".into(), port: 443, tls: true };
        let table = Table {
            upstreams: [
                upstream("users", here.clone(), Availability::Ready),
                upstream("users-v2", here.clone(), Availability::Coming(State::Starting)),
                upstream("lazy", here.clone(), Availability::Idle),
                upstream("gone", here, Availability::Absent(State::Stopped)),
                upstream("stripe", elsewhere, Availability::Ready),
            ]
            .into_iter()
            .collect(),
            first_versions: HashMap::from([("users-v1".into(), 0)]),
            ..Table::default()
        };
        let services = Callable(Arc::new(table));
        let local = ["users", "users-v1", "users-v2", "lazy", "gone", "stripe", "users-v3", "nobody"];
        let found = local.map(|name| services.find(Kind::Local, name));
        let at = Presence::At;
        let no = || Presence::Absent;
        assert_eq!(found, [at(0), at(0), at(1), at(2), no(), no(), no(), no()]);
        assert_eq!(["stripe", "users"].map(|name| services.find(Kind::External, name)), [at(4), no()]);
        assert_eq!(services.find(Kind::File, "users"), no());
    }
}
