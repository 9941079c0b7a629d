//! The services of a table, as names are bound to them.

use std::sync::Arc;

use super::disco::FOLDER;
use super::{Availability, Location, Table, Upstream};
use crate::dtab::namers::{Kind, Presence, Services};
use crate::dtab::{Label, Path};

/// The services of a table, where those are there that can take a call, or that a call may wait for.
#[derive(Debug, Clone)]
pub struct Callable(pub Arc<Table>);

impl Services<Arc<Upstream>> for Callable {
    fn find(&self, kind: Kind, name: &str) -> Presence<Arc<Upstream>> {
        match kind {
            Kind::File => self.0.disco.find(name),
            _ => self.service(kind, name).map_or(Presence::Absent, presence),
        }
    }
}

impl Callable {
    /// The service of a name, whether it is there or not.
    pub fn service(&self, kind: Kind, name: &str) -> Option<&Arc<Upstream>> {
        let wants_external = match kind {
            Kind::Local => false,
            Kind::External => true,
            Kind::Remote => return self.0.remotes.get(name),
            // The files of addresses are nobody's service.
            Kind::File => return None,
        };
        let found = self.0.versioned(name).map(|place| &self.0.upstreams[place]);
        found.filter(|found| found.is_external() == wants_external)
    }

    /// How the service stands at which a name ends, where it counts as nobody: `users-v2 is stopped`; or what is wrong with
    /// its file.
    pub fn absent(&self, name: &Path) -> Option<String> {
        if let Some(rest) = name.strip_prefix(&Kind::File.prefix()) {
            let labels: Vec<&str> = rest.iter().map_while(Label::as_str).collect();
            let file = (1..=labels.len()).map(|count| labels[..count].join("/"));
            return file.into_iter().find_map(|file| {
                let flaw = self.0.disco.flaw(&file)?;
                Some(format!("the file `{FOLDER}/{file}` cannot be read: {flaw}"))
            });
        }
        let label = name.strip_prefix(&Kind::Local.prefix())?.first()?.as_str()?;
        let upstream = self.service(Kind::Local, label)?;
        match *upstream.availability.borrow() {
            Availability::Absent(state) => Some(format!("{} {}", upstream.name, state.said())),
            _ => None,
        }
    }
}

/// Who calls what is on its way waits for it; what starts when it is called keeps its share of a union for that.
pub(super) fn presence(upstream: &Arc<Upstream>) -> Presence<Arc<Upstream>> {
    match Standing::of(upstream) {
        Standing::Here => Presence::At(upstream.clone()),
        Standing::Coming => Presence::Pending,
        Standing::Absent => Presence::Absent,
    }
}

/// What an availability means for names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Here,
    Coming,
    Absent,
}

impl Standing {
    /// That of a service now.
    pub fn of(upstream: &Upstream) -> Self {
        match *upstream.availability.borrow() {
            Availability::Ready | Availability::Idle => Self::Here,
            Availability::Coming(_) => Self::Coming,
            Availability::Absent(_) => Self::Absent,
        }
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
    use crate::route::{Endpoint, Replicas};
    use crate::supervise::State;

    fn upstream(name: &str, location: Location, availability: Availability) -> Arc<Upstream> {
        Arc::new(Upstream {
            name: name.into(),
            version: None,
            remote: None,
            called: Ipv4Addr::LOCALHOST,
            own: Ipv4Addr::LOCALHOST,
            egress: Egress::Allow,
            ports: vec![Endpoint { name: "http".to_owned(), number: 80, protocol: Protocol::Http, location }],
            availability: watch::channel(availability).1,
            replicas: Replicas::Fixed,
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
        let find = |kind, name: &str| match services.find(kind, name) {
            Presence::At(upstream) => upstream.name.to_string(),
            Presence::Pending => "pending".to_owned(),
            Presence::Absent | Presence::Vacant | Presence::Means(_) => String::new(),
        };
        let local = ["users", "users-v1", "users-v2", "lazy", "gone", "stripe", "users-v3", "nobody"];
        let found = local.map(|name| find(Kind::Local, name));
        assert_eq!(found, ["users", "users", "pending", "lazy", "", "", "", ""]);
        assert_eq!(["stripe", "users"].map(|name| find(Kind::External, name)), ["stripe", ""]);
        assert_eq!(find(Kind::File, "users"), "");
        let told = ["/#/local/gone/more", "/#/local/users", "/#/local/nobody", "/svc/gone"]
            .map(|name| services.absent(&name.parse().unwrap()));
        assert_eq!(told, [Some("gone is stopped".to_owned()), None, None, None]);
    }
}
