//! The names of a workspace, as Kubernetes, Compose and the front door would have them, and their addresses.
//!
//! Only the first labels of services are kept, in one map; what may stand behind them is tried in turn. So a zone of
//! a thousand services costs about as many entries, and a look-up a handful of hashes.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::model::{Port, Protocol};

/// The domain of a Kubernetes cluster.
const CLUSTER: &str = "cluster.local";
/// The domain of the host's own names, and the host itself as others call it.
const OURS: &str = "nagaya.internal";
const HOSTS: [&str; 2] = ["host.nagaya.internal", "host.docker.internal"];

/// What the names of services hang from, and the addresses that belong to no service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The workspace's label in host names: `shop`.
    pub workspace: String,
    /// The Kubernetes namespace: `default`.
    pub namespace: String,
    /// What `host.nagaya.internal` is.
    pub host: Ipv4Addr,
    /// What `web.shop.localhost` is.
    pub front_door: Ipv4Addr,
}

/// The names and addresses of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// Further names, good wherever `name` is.
    pub aliases: Vec<String>,
    /// Full names of production: `users.internal.example.com`, `*.users.example.com` for all below.
    pub hostnames: Vec<String>,
    /// The virtual address, under which others call it.
    pub address: Ipv4Addr,
    /// The own addresses of its pods; they have a name only.
    pub pods: Vec<Ipv4Addr>,
    pub ports: Vec<Port>,
}

/// The pod that asks: for its own names it gets its own address, as everywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The place of its service in the zone.
    pub service: usize,
    pub address: Ipv4Addr,
}

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A service, by its place.
    Service { service: usize, address: Ipv4Addr },
    /// A port of a service: `_http._tcp.users` (RFC 2782).
    Port { service: usize, number: u16 },
    /// Nothing of a service: the host, the front door, the loopback.
    Address(Ipv4Addr),
    /// A name between others of ours, with no record of its own.
    Empty,
    /// Nothing; and nobody else knows more, since all names in `zone` are ours.
    Missing { zone: String },
    /// Not ours.
    Elsewhere,
}

/// All names of a workspace.
#[derive(Debug, Clone)]
pub struct Zone {
    origin: Origin,
    services: Vec<Entry>,
    /// What may follow a label, with its dot.
    suffixes: [String; 4],
    /// Names and aliases.
    labels: HashMap<String, usize>,
    hostnames: HashMap<String, usize>,
    /// Hostnames that began with `*.`, without it.
    wildcards: HashMap<String, usize>,
    addresses: HashMap<Ipv4Addr, usize>,
}

impl Default for Zone {
    /// The zone of no workspace.
    fn default() -> Self {
        let nowhere = Ipv4Addr::UNSPECIFIED;
        let origin = Origin { workspace: String::new(), namespace: String::new(), host: nowhere, front_door: nowhere };
        Self::new(origin, Vec::new())
    }
}

impl Zone {
    /// The zone of these services; where two claim a name, the first has it, and a name goes before an alias.
    pub fn new(origin: Origin, services: Vec<Entry>) -> Self {
        let origin = Origin { workspace: normal(&origin.workspace), namespace: normal(&origin.namespace), ..origin };
        let Origin { workspace, namespace, .. } = &origin;
        let suffixes = [
            format!(".{namespace}.svc.{CLUSTER}"),
            format!(".{namespace}.svc"),
            format!(".{namespace}"),
            format!(".{workspace}"),
        ];
        let mut zone = Self {
            origin,
            suffixes,
            labels: HashMap::with_capacity(services.len()),
            hostnames: HashMap::new(),
            wildcards: HashMap::new(),
            addresses: HashMap::with_capacity(services.len()),
            services,
        };
        zone.index();
        zone
    }

    fn index(&mut self) {
        let services = || self.services.iter().enumerate();
        for (place, entry) in services() {
            self.labels.entry(normal(&entry.name)).or_insert(place);
            for address in entry.pods.iter().chain([&entry.address]) {
                self.addresses.entry(*address).or_insert(place);
            }
        }
        for (place, entry) in services() {
            for alias in &entry.aliases {
                self.labels.entry(normal(alias)).or_insert(place);
            }
            for hostname in entry.hostnames.iter().map(|hostname| normal(hostname)) {
                match hostname.strip_prefix("*.") {
                    Some(parent) => self.wildcards.entry(parent.to_owned()).or_insert(place),
                    None => self.hostnames.entry(hostname).or_insert(place),
                };
            }
        }
    }

    /// What a name is, in any case of letters and with or without the dot that a full name ends with.
    pub fn lookup(&self, name: &str, asker: Option<Asker>) -> Found {
        let name = normal(name);
        if let Some(address) = self.localhost(&name) {
            return Found::Address(address);
        }
        if let Some(service) = self.service(&name) {
            let own = asker.filter(|asker| asker.service == service);
            let address = own.map_or(self.services[service].address, |asker| asker.address);
            return Found::Service { service, address };
        }
        if HOSTS.contains(&name.as_str()) {
            return Found::Address(self.origin.host);
        }
        self.port(&name).unwrap_or_else(|| self.nothing(&name))
    }

    /// The name of an address, for reverse look-ups: of a service by its virtual address or those of its pods.
    pub fn reverse(&self, address: Ipv4Addr) -> Option<String> {
        if let Some(&service) = self.addresses.get(&address) {
            return self.full_name(service);
        }
        if address == Ipv4Addr::LOCALHOST {
            return Some("localhost".to_owned());
        }
        (address == self.origin.host).then(|| HOSTS[0].to_owned())
    }

    /// The full name of a service, as Kubernetes calls it: `users.default.svc.cluster.local`.
    pub fn full_name(&self, service: usize) -> Option<String> {
        self.services.get(service).map(|entry| format!("{}{}", entry.name, self.suffixes[0]))
    }

    /// The name of a service.
    pub fn name(&self, service: usize) -> Option<&str> {
        self.services.get(service).map(|entry| entry.name.as_str())
    }

    /// The front door has everything below the workspace's label, its own page for strangers included: that is what
    /// the same URL shows in a browser, for which all of `localhost` is one machine (RFC 6761 section 6.3).
    fn localhost(&self, name: &str) -> Option<Ipv4Addr> {
        let below = if name == "localhost" { "" } else { name.strip_suffix(".localhost")? };
        let is_front_door = is_within(below, &self.origin.workspace);
        Some(if is_front_door { self.origin.front_door } else { Ipv4Addr::LOCALHOST })
    }

    fn service(&self, name: &str) -> Option<usize> {
        let label = |name: &str| self.labels.get(name).copied();
        let suffixed = || self.suffixes.iter().find_map(|suffix| label(name.strip_suffix(suffix.as_str())?));
        let hostname = || self.hostnames.get(name).copied();
        label(name).or_else(suffixed).or_else(hostname).or_else(|| self.wildcard(name))
    }

    /// The nearest wildcard above a name; it stands for any number of labels (RFC 4592 section 3.3.1).
    fn wildcard(&self, name: &str) -> Option<usize> {
        if self.wildcards.is_empty() {
            return None;
        }
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(&service) = self.wildcards.get(parent) {
                return Some(service);
            }
            rest = parent;
        }
        None
    }

    /// What stands below a service with underscores: only ports do, so that nobody asks the internet for the rest
    /// (gRPC tries `_grpc_config.users`).
    fn port(&self, name: &str) -> Option<Found> {
        let mut host = name;
        while let Some((label, rest)) = host.split_once('.')
            && label.starts_with('_')
        {
            host = rest;
        }
        let labels = name.strip_suffix(host)?.strip_suffix('.')?;
        let service = self.service(host)?;
        let (port, transport) = labels.split_once('.').unwrap_or(("", labels));
        let mut ports = self.services[service].ports.iter().filter(|port| transport == transport_label(port));
        let missing = || Found::Missing { zone: host.to_owned() };
        if port.is_empty() {
            return Some(ports.next().map_or_else(missing, |_| Found::Empty));
        }
        let is_named = |it: &&Port| port.strip_prefix('_').is_some_and(|name| it.name.eq_ignore_ascii_case(name));
        Some(ports.find(is_named).map_or_else(missing, |port| Found::Port { service, number: port.number }))
    }

    /// A name that is nobody's: whose is its absence?
    fn nothing(&self, name: &str) -> Found {
        let namespace = &self.suffixes[1][1..];
        let cluster = &self.suffixes[0][1..];
        if is_within(cluster, name) && is_within(name, CLUSTER) {
            return Found::Empty;
        }
        // Deeper below the workspace's label no name of ours has its place, but that label may be a domain of the
        // internet, as `shop` is.
        let is_own = |zone: &&str| match *zone == self.origin.workspace {
            true => name.split_once('.').is_some_and(|(_, rest)| rest == *zone),
            false => is_within(name, zone),
        };
        let zones = [CLUSTER, namespace, OURS, self.origin.workspace.as_str()];
        match zones.into_iter().find(is_own) {
            Some(zone) if zone == name => Found::Empty,
            Some(zone) => Found::Missing { zone: zone.to_owned() },
            None => Found::Elsewhere,
        }
    }
}

/// The spelling that is compared: small letters, no dot at the end.
pub fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a name is a domain or below it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The protocol in an SRV name (RFC 2782): what carries the port's own.
fn transport_label(port: &Port) -> &'static str {
    if port.protocol == Protocol::Udp { "_udp" } else { "_tcp" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, last: u8) -> Entry {
        Entry {
            name: name.to_owned(),
            aliases: Vec::new(),
            hostnames: Vec::new(),
            address: Ipv4Addr::new(10, 66, 128, last),
            pods: vec![Ipv4Addr::new(10, 66, 0, last)],
            ports: Vec::new(),
        }
    }

    fn origin() -> Origin {
        Origin {
            workspace: "shop".to_owned(),
            namespace: "default".to_owned(),
            host: Ipv4Addr::new(10, 66, 255, 1),
            front_door: Ipv4Addr::new(10, 66, 255, 2),
        }
    }

    fn port(name: &str, number: u16, protocol: Protocol) -> Port {
        Port { name: name.to_owned(), number, protocol }
    }

    fn zone() -> Zone {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let users = Entry {
            aliases: words(&["accounts", "Accounts-V2", "old.accounts"]),
            hostnames: words(&["users.internal.example.com", "*.users.example.com."]),
            ports: vec![port("http", 80, Protocol::Http), port("grpc", 9090, Protocol::Grpc)],
            ..entry("users", 1)
        };
        let dns = Entry {
            aliases: words(&["users", "accounts"]),
            ports: vec![port("dns", 53, Protocol::Udp), port("dns-tcp", 53, Protocol::Tcp)],
            ..entry("user_dns", 2)
        };
        Zone::new(origin(), vec![users, dns])
    }

    fn service(name: &str) -> Option<usize> {
        match zone().lookup(name, None) {
            Found::Service { service, address } => {
                assert_eq!(address, Ipv4Addr::new(10, 66, 128, u8::try_from(service).unwrap() + 1), "{name}");
                Some(service)
            }
            _ => None,
        }
    }

    fn missing(zone: &str) -> Found {
        Found::Missing { zone: zone.to_owned() }
    }

    #[test]
    fn a_service_has_its_names_everywhere() {
        for name in ["users", "accounts", "accounts-v2", "old.accounts"] {
            for suffix in ["", ".shop", ".default", ".default.svc", ".default.svc.cluster.local"] {
                let full = format!("{name}{suffix}");
                assert_eq!(service(&full), Some(0), "{full}");
                assert_eq!(service(&format!("{}.", full.to_uppercase())), Some(0), "{full}");
            }
        }
        assert_eq!(service("user_dns.shop"), Some(1));
        assert_eq!(service("users.Internal.example.com"), Some(0));
    }

    #[test]
    fn a_wildcard_stands_for_what_is_below_it() {
        assert_eq!(service("eu.users.example.com"), Some(0));
        assert_eq!(service("a.b.users.example.com."), Some(0));
        assert_eq!(zone().lookup("users.example.com", None), Found::Elsewhere);
        assert_eq!(zone().lookup("xusers.example.com", None), Found::Elsewhere);
    }

    #[test]
    fn a_pods_own_names_are_its_own_address() {
        let own = Ipv4Addr::new(10, 66, 0, 1);
        let asker = Some(Asker { service: 0, address: own });
        for name in ["users", "accounts.default.svc", "users.internal.example.com"] {
            assert_eq!(zone().lookup(name, asker), Found::Service { service: 0, address: own }, "{name}");
        }
        let other = Found::Service { service: 1, address: Ipv4Addr::new(10, 66, 128, 2) };
        assert_eq!(zone().lookup("user_dns", asker), other);
    }

    #[test]
    fn localhost_is_the_loopback_or_the_front_door() {
        let found = |name: &str| zone().lookup(name, None);
        for name in ["web.shop.localhost", "SHOP.localhost.", "users.shop.localhost", "a.b.shop.localhost"] {
            assert_eq!(found(name), Found::Address(origin().front_door), "{name}");
        }
        for name in ["localhost", "users.localhost", "web.other.localhost", "webshop.localhost", "LocalHost."] {
            assert_eq!(found(name), Found::Address(Ipv4Addr::LOCALHOST), "{name}");
        }
        assert_eq!(found("notlocalhost"), Found::Elsewhere);
    }

    #[test]
    fn the_host_has_two_names() {
        for name in ["host.nagaya.internal", "Host.Docker.Internal."] {
            assert_eq!(zone().lookup(name, None), Found::Address(origin().host));
        }
        assert_eq!(zone().lookup("gateway.docker.internal", None), Found::Elsewhere);
    }

    #[test]
    fn what_nobody_else_can_know_is_missing() {
        let cases = [
            ("userz.shop", missing("shop")),
            ("userz.default.svc.cluster.local", missing("cluster.local")),
            ("users.other.svc.cluster.local", missing("cluster.local")),
            ("userz.default.svc", missing("default.svc")),
            ("guest.nagaya.internal", missing("nagaya.internal")),
            ("cluster.local", Found::Empty),
            ("svc.cluster.local.", Found::Empty),
            ("default.svc.cluster.local", Found::Empty),
            ("default.svc", Found::Empty),
            ("nagaya.internal", Found::Empty),
        ];
        for (name, expected) in cases {
            assert_eq!(zone().lookup(name, None), expected, "{name}");
        }
    }

    #[test]
    fn the_rest_is_elsewhere() {
        let names =
            ["", ".", "printer", "shop", "www.users.shop", "x.default", "example.com", "mycluster.local", "svc"];
        for name in names {
            assert_eq!(zone().lookup(name, None), Found::Elsewhere, "{name}");
        }
    }

    #[test]
    fn a_port_is_found_by_its_name_and_transport() {
        let found = |name: &str| zone().lookup(name, None);
        let http = Found::Port { service: 0, number: 80 };
        for name in ["_http._tcp.users", "_HTTP._tcp.users.default.svc.cluster.local.", "_http._tcp.accounts.shop"] {
            assert_eq!(found(name), http, "{name}");
        }
        assert_eq!(found("_http._tcp.users.internal.example.com"), http);
        assert_eq!(found("_grpc._tcp.users"), Found::Port { service: 0, number: 9090 });
        assert_eq!(found("_dns._udp.user_dns"), Found::Port { service: 1, number: 53 });
        assert_eq!(found("_dns._tcp.user_dns"), missing("user_dns"));
        assert_eq!(found("_tcp.users"), Found::Empty);
        assert_eq!(found("_udp.users"), missing("users"));
        assert_eq!(found("_grpc_config.users"), missing("users"));
        assert_eq!(found("_a._http._tcp.users"), missing("users"));
        assert_eq!(found("_http._tcp.example.com"), Found::Elsewhere);
    }

    #[test]
    fn addresses_have_names() {
        let users = Some("users.default.svc.cluster.local".to_owned());
        assert_eq!(zone().reverse(Ipv4Addr::new(10, 66, 128, 1)), users);
        assert_eq!(zone().reverse(Ipv4Addr::new(10, 66, 0, 1)), users);
        assert_eq!(zone().reverse(origin().host).as_deref(), Some("host.nagaya.internal"));
        assert_eq!(zone().reverse(Ipv4Addr::LOCALHOST).as_deref(), Some("localhost"));
        assert_eq!(zone().reverse(Ipv4Addr::new(10, 66, 128, 9)), None);
    }

    #[test]
    fn a_thousand_services_are_found() {
        let address = |n: u16| Ipv4Addr::from(0x0a42_8000 + u32::from(n));
        let services = (0..1000).map(|n| Entry { address: address(n), ..entry(&format!("service-{n}"), 1) });
        let zone = Zone::new(origin(), services.collect());
        for n in 0..1000 {
            let found = Found::Service { service: usize::from(n), address: address(n) };
            assert_eq!(zone.lookup(&format!("service-{n}.default.svc.cluster.local"), None), found);
        }
        assert_eq!(zone.labels.len(), 1000);
    }
}
