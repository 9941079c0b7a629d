//! The published table: who can be called, where, and who may be asking.
//!
//! Beside it are the names: the zone of a workspace, and the files by which a pod's programs find its server.
//!
//! The runtime makes a new table when the plan changes; what changes from moment to moment, whether a service can
//! take a call, is a watched value inside it. The proxy reads both and never asks the supervisor.

pub mod disco;
pub mod files;
pub mod history;
mod known;
pub mod lint;
pub mod remotes;
mod replicas;
pub mod resolv;
mod routes;
mod services;
pub mod shares;
mod upstreams;
pub mod zone;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use disco::Disco;
use zone::Zone;

use crate::dtab::Identifier;
use crate::model::{Egress, External, Protocol, Rules, web_port};
use crate::supervise::{State, Status};

pub use crate::plan::Location;
pub use known::{Asking, Known};
pub use replicas::{Call, Life, Picked, Replicas, Tried};
pub use routes::Routes;
pub use services::{Callable, Standing};
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
    /// Services that the manifest has no longer, which still have to end: no name leads to them.
    pub leaving: HashSet<usize>,
}

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

/// A listener that leads to one port of one service.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The service that calls there; none where it is published for everybody outside.
    pub from: Option<Arc<str>>,
    pub to: Arc<Upstream>,
    /// The place of the port in the callee's list.
    pub port: usize,
    pub socket: Socket,
}

/// A listening socket on its way from whoever opened it to the proxy; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Socket(Arc<Mutex<Option<TcpListener>>>);

impl Socket {
    /// A socket to be taken.
    pub fn new(listener: TcpListener) -> Self {
        Self(Arc::new(Mutex::new(Some(listener))))
    }

    /// Takes it; `None` for everybody but the first.
    pub fn take(&self) -> Option<TcpListener> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whether a call can be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    Ready,
    /// It is on its way: the call waits.
    Coming(State),
    /// It starts when it is called.
    Idle,
    /// It is not going to come: the call is refused.
    Absent(State),
}

impl Availability {
    /// What a status means for callers.
    pub fn of(status: &Status) -> Self {
        match status.state {
            State::Running | State::Ready => Self::Ready,
            State::Idle => Self::Idle,
            State::Waiting if status.stuck => Self::Absent(status.state),
            State::Waiting | State::Setup | State::Starting | State::Backoff => Self::Coming(status.state),
            // On its way down it still answers what reaches it; new calls would be lost.
            State::Stopping if status.wanted => Self::Coming(status.state),
            State::Unhealthy | State::Stopping | State::Stopped | State::Completed | State::Failed => {
                Self::Absent(status.state)
            }
        }
    }
}

/// What a host name means at the front door.
#[derive(Debug)]
pub enum Place<'a> {
    Service(&'a Arc<Upstream>),
    /// The workspace itself.
    Index,
    /// A name below the workspace's that no service has.
    Nobody(&'a str),
    /// Not a name of this workspace. A page of a stranger may have had its own name lead here (DNS rebinding).
    Foreign,
}

impl Table {
    /// What a host name means, with or without a port.
    pub fn place<'a>(&'a self, host: &'a str) -> Place<'a> {
        if let Some(upstream) = self.by_host(host) {
            return Place::Service(upstream);
        }
        let name = host_name(host);
        let rest = match strip_suffix(name, ".localhost") {
            Some(rest) => rest,
            None if ["127.0.0.1", "[::1]"].contains(&name) => return Place::Index,
            None if name.eq_ignore_ascii_case("localhost") => return Place::Index,
            None => return Place::Foreign,
        };
        match strip_suffix(rest, &self.host_label) {
            Some("") => Place::Index,
            Some(label) => label.strip_suffix('.').map_or(Place::Foreign, Place::Nobody),
            None => Place::Foreign,
        }
    }

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

    /// The service that a host name of the front door means: `web.shop.localhost`.
    pub fn by_host(&self, host: &str) -> Option<&Arc<Upstream>> {
        let rest = strip_suffix(host_name(host), ".localhost")?;
        let label = strip_suffix(rest, &self.host_label)?.strip_suffix('.')?;
        // Names may be in capitals (RFC 4343); ours never are.
        let label = match label.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(label.to_ascii_lowercase()),
            false => Cow::Borrowed(label),
        };
        let place = self.upstreams.place(&label).or_else(|| self.aliases.get(&*label).copied())?;
        self.upstreams.get(place).filter(|_| !self.leaving.contains(&place))
    }
}

/// A number at the address where everybody on this machine looks.
pub fn on_loopback(number: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, number)
}

/// Names are the same in capitals (RFC 4343).
fn strip_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

/// The name in a Host header: without a port, and without the dot that a full name may end with.
pub fn host_name(host: &str) -> &str {
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, behind)| port(behind)).map_or(host, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

impl Upstream {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> Table {
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

    #[test]
    fn hosts_lead_to_services() {
        let table = table(&["users", "web"]);
        let found = |host: &str| table.by_host(host).is_some_and(|upstream| *upstream.name == *"web");
        assert!(found("web.shop.localhost:4400") && found("web.shop.localhost") && found("WEB.shop.localhost"));
        assert!(!found("web.other.localhost") && !found("webshop.localhost") && !found("shop.localhost"));
        assert!(!found("x.web.shop.localhost") && !found(""));
        assert!(found("web.shop.localhost.:80") && found("web.SHOP.LocalHost"));
        assert_eq!(["[::1]", "[::1]:80", "a:80", "a."].map(host_name), ["[::1]", "[::1]", "a", "a"]);
    }

    #[test]
    fn aliases_lead_to_services_and_nothing_to_those_that_leave() {
        let aliases = [("people".into(), 0), ("old.people".into(), 0), ("was".into(), 1)].into();
        let table = Table { aliases, leaving: [1].into(), ..table(&["users", "gone"]) };
        let found = |label: &str| table.by_host(&format!("{label}.shop.localhost")).map(|upstream| &*upstream.name);
        assert_eq!(["users", "people", "People", "old.people"].map(found), [Some("users"); 4]);
        assert_eq!(["gone", "was", "x.people"].map(found), [None; 3]);
        assert!(matches!(table.place("gone.shop.localhost"), Place::Nobody("gone")));
    }

    #[test]
    fn strangers_names_mean_nothing() {
        let table = Table { host_label: "shop".into(), ..Table::default() };
        for own in ["shop.localhost:4400", "localhost", "LOCALHOST:80", "127.0.0.1:4400", "[::1]:4400", "[::1]"] {
            assert!(matches!(table.place(own), Place::Index), "{own}");
        }
        for missing in ["nobody.shop.localhost", "a.b.shop.localhost:80"] {
            assert!(matches!(table.place(missing), Place::Nobody(_)), "{missing}");
        }
        let strangers =
            ["", "example.com", "127.0.0.1.example.com", "web.other.localhost", "xshop.localhost", "é", "10.0.0.1"];
        for stranger in strangers {
            assert!(matches!(table.place(stranger), Place::Foreign), "{stranger}");
        }
    }
}
