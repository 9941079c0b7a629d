//! The published table: who can be called, where, and who may be asking.
//!
//! Beside it are the names: the zone of a workspace, and the files by which a pod's programs find its server.
//!
//! The runtime makes a new table when the plan changes; what changes from moment to moment, whether a service can
//! take a call, is a watched value inside it. The proxy reads both and never asks the supervisor.

mod apart;
mod availability;
pub mod disco;
pub mod files;
pub mod history;
mod hosts;
mod known;
pub mod lint;
mod listener;
pub mod remotes;
mod replicas;
pub mod resolv;
mod routes;
mod services;
pub mod shares;
mod upstream;
mod upstreams;
pub mod zone;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use disco::Disco;
use zone::Zone;

use crate::dtab::Identifier;
use crate::model::{Egress, Rules};

pub use crate::plan::Location;
pub use apart::Apart;
pub use availability::Availability;
pub use hosts::{Place, host_name, is_machine};
pub use known::{Asking, Known};
pub use listener::{Listener, Socket, on_loopback};
pub use replicas::{Call, Life, Picked, Replicas, Tried};
pub use routes::Routes;
pub use services::{Callable, Standing};
pub use upstream::{Endpoint, Remote, Upstream, Version};
pub use upstreams::Upstreams;

/// Everything the proxy needs.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The workspace's label in host names.
    pub host_label: String,
    pub front_door: u16,
    pub front_door_socket: Socket,
    pub upstreams: Upstreams,
    /// Services as they run in other places: `staging/users`.
    pub remotes: HashMap<String, Arc<Upstream>>,
    /// Addresses that somebody has written into files.
    pub disco: Arc<Disco>,
    /// The versions that bear the names of their services, by their own names: `users-v1` is where `users` is.
    pub first_versions: HashMap<Arc<str>, usize>,
    /// Listeners on the host, the front door's left out: for callers that are in no pod, and for everybody outside.
    pub listeners: HashMap<SocketAddrV4, Listener>,
    /// Who is called at which address, in pods: a place in `upstreams`.
    pub called: HashMap<Ipv4Addr, usize>,
    /// Callers and callees that the manifest has.
    pub declared: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// Nobody else may call.
    pub strict: bool,
    /// The front door is at ports 80 and 443 too.
    pub standard_ports: bool,
    /// What names mean in pods.
    pub zone: Arc<Zone>,
    /// What names requests, in turn; where nothing does, it is the name of whoever is called.
    pub identifiers: Vec<Identifier>,
    /// Routes for some requests alone.
    pub rules: Arc<Rules>,
    /// Further names of services, at the front door too.
    pub aliases: HashMap<Arc<str>, usize>,
    /// Callers for whom names mean something else.
    pub apart: HashMap<Arc<str>, Arc<Apart>>,
    /// Services that the manifest has no longer, which still have to end: no name leads to them.
    pub leaving: HashSet<usize>,
}

impl Table {
    /// The socket of a listener that this table already has.
    pub fn socket(&self, at: SocketAddrV4) -> Option<Socket> {
        if on_loopback(self.front_door) == at {
            return Some(self.front_door_socket.clone());
        }
        self.listeners.get(&at).map(|listener| listener.socket.clone())
    }

    /// The service that is called at an address.
    pub fn called(&self, address: Ipv4Addr) -> Option<&Arc<Upstream>> {
        self.upstreams.get(*self.called.get(&address)?)
    }

    /// The service whose pod has an address, as its callees see it, where that is its only one: whoever is called by the
    /// address of one of several means that one.
    pub fn alone_at(&self, address: Ipv4Addr) -> Option<&Arc<Upstream>> {
        let upstream = self.upstreams.get(self.zone.owner(address)?)?;
        upstream.replicas.are_only_at(address).then_some(upstream)
    }

    /// The service of a name.
    pub fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        Some(&self.upstreams[self.upstreams.place(name)?])
    }

    /// The place of the service of a name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.upstreams.place(name)
    }

    /// Whether a service may leave the workspace; what is not known any more may.
    pub fn egress(&self, name: &str) -> Egress {
        self.upstream(name).map_or(Egress::Allow, |upstream| upstream.egress)
    }

    /// Whether a service may call another, or itself. Who may call a service may call each of its versions.
    pub fn allows(&self, from: &str, to: &Upstream) -> bool {
        !self.strict || *from == *to.name || self.is_declared(from, to.service()) || self.is_declared(from, &to.name)
    }

    /// Whether the manifest has a call.
    pub fn is_declared(&self, from: &str, to: &str) -> bool {
        self.declared.get(from).is_some_and(|callees| callees.contains(to))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    pub(super) fn table(names: &[&str]) -> Table {
        let (_, availability) = watch::channel(Availability::Ready);
        let upstream = |name: &&str| Upstream {
            name: (*name).into(),
            version: None,
            remote: None,
            called: Ipv4Addr::LOCALHOST,
            own: Ipv4Addr::LOCALHOST,
            egress: Egress::Deny,
            ports: Vec::new(),
            availability: availability.clone(),
            replicas: Replicas::Fixed,
        };
        let upstreams = names.iter().map(upstream).map(Arc::new).collect();
        Table { host_label: "shop".into(), upstreams, ..Table::default() }
    }

    #[test]
    fn a_service_is_found_by_its_name() {
        let table = table(&["web", "users", "db"]);
        assert_eq!(
            ["web", "users", "db", "Users", ""].map(|name| table.index(name)),
            [Some(0), Some(1), Some(2), None, None]
        );
        assert_eq!(table.upstream("db").map(|upstream| &*upstream.name), Some("db"));
        assert_eq!((table.egress("users"), table.egress("gone")), (Egress::Deny, Egress::Allow));
    }
}
