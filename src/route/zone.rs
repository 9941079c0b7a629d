//! The names of a workspace, as Kubernetes, Compose and the front door would have them, and their addresses.
//!
//! Only the first labels of services are kept, in one map; what may stand behind them is tried in turn. So a zone of
//! a thousand services costs about as many entries, and a look-up a handful of hashes.

mod spellings;
#[cfg(test)]
mod tests;

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
    /// The workspace's name: `shop`.
    pub workspace: String,
    /// Its label at the front door, which is another one where a second checkout of it runs: `shop-2`.
    pub label: String,
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
    suffixes: Vec<String>,
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
        let [workspace, label, namespace] = [const { String::new() }; 3];
        Self::new(Origin { workspace, label, namespace, host: nowhere, front_door: nowhere }, Vec::new())
    }
}

impl Zone {
    /// The zone of these services; where two claim a name, the first has it, and a name goes before an alias.
    pub fn new(origin: Origin, services: Vec<Entry>) -> Self {
        let Origin { workspace, label, namespace, host, front_door } = origin;
        let [workspace, label, namespace] = [workspace, label, namespace].map(|name| normal(&name));
        let mut suffixes = vec![
            format!(".{namespace}.svc.{CLUSTER}"),
            format!(".{namespace}.svc"),
            format!(".{namespace}"),
            format!(".{workspace}"),
        ];
        if label != workspace {
            suffixes.push(format!(".{label}"));
        }
        let origin = Origin { workspace, label, namespace, host, front_door };
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

    /// The service that has an address, for its name or for one of its pods.
    pub fn owner(&self, address: Ipv4Addr) -> Option<usize> {
        self.addresses.get(&address).copied()
    }

    /// The full name of a service, as Kubernetes calls it: `users.default.svc.cluster.local`.
    pub fn full_name(&self, service: usize) -> Option<String> {
        self.services.get(service).map(|entry| format!("{}{}", entry.name, self.suffixes[0]))
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The address at which a service is called.
    pub fn address(&self, service: usize) -> Option<Ipv4Addr> {
        self.services.get(service).map(|entry| entry.address)
    }

    /// The name of a service.
    pub fn name(&self, service: usize) -> Option<&str> {
        self.services.get(service).map(|entry| entry.name.as_str())
    }

    /// The front door has everything below the workspace's label, its own page for strangers included: that is what
    /// the same URL shows in a browser, for which all of `localhost` is one machine (RFC 6761 section 6.3).
    fn localhost(&self, name: &str) -> Option<Ipv4Addr> {
        let below = if name == "localhost" { "" } else { name.strip_suffix(".localhost")? };
        let is_front_door = is_within(below, &self.origin.label);
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
        let Origin { workspace, label, .. } = &self.origin;
        let is_own = |zone: &&str| match [workspace.as_str(), label.as_str()].contains(zone) {
            true => name.split_once('.').is_some_and(|(_, rest)| rest == *zone),
            false => is_within(name, zone),
        };
        let zones = [CLUSTER, namespace, OURS, workspace.as_str(), label.as_str()];
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
