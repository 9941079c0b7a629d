//! Who calls whom: declared by `depends_on`, or told by an address in a variable.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::model::{self, Command, Form, Names, NetworkMode, Part, Protocol, Reaction, Service, Value, Workspace};

use super::addresses::on_loopback;
use super::proxies::Proxies;
use super::{LOOPBACK, Surroundings};

/// A caller, a callee's port, and the listener between them: calls that arrive there are this caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// The place of the port in the callee's list.
    pub port: usize,
    /// Where the proxy listens for it on the host; a caller in a pod has its own for all calls. Only pods have a way for
    /// datagrams.
    pub listen: Option<SocketAddrV4>,
}

/// An address of a service in a variable of another: shown in the graph, never an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub from: usize,
    pub to: usize,
    /// The port's place, where the address tells it.
    pub port: Option<usize>,
    /// The variable.
    pub via: String,
    /// Written as `${users.url}`, which is filled in; a bare `users:8080` is not, and where the caller's network mode is
    /// `env` nothing resolves it.
    pub filled: bool,
}

/// All references of a workspace.
pub fn references(workspace: &Workspace) -> Vec<Reference> {
    let names = workspace.names();
    let mut out: Vec<Reference> = Vec::new();
    for (from, service) in workspace.services.values().enumerate() {
        for (via, value) in declared_values(service) {
            for (to, port, filled) in targets(&value, workspace, &names) {
                let reference = Reference { from, to, port, via: via.to_owned(), filled };
                if to != from && !out.contains(&reference) {
                    out.push(reference);
                }
            }
        }
        for reference in commands(service).flat_map(Command::templates).flat_map(model::Template::references) {
            let Some((to, port)) = resolve(reference, workspace) else { continue };
            let reference = Reference { from, to, port: Some(port), via: "command".to_owned(), filled: true };
            if to != from && !out.contains(&reference) {
                out.push(reference);
            }
        }
    }
    out
}

/// Everything that is run for a service: itself, its setup steps, its probes, what follows from a change of its files.
fn commands(service: &Service) -> impl Iterator<Item = &Command> {
    let watch = service.watch.iter().filter_map(|watch| match &watch.reaction {
        Reaction::Run(command) => Some(command),
        Reaction::Restart | Reaction::Rebuild | Reaction::Signal(_) => None,
    });
    service
        .commands()
        .chain(service.setup.iter().map(|step| &step.command))
        .chain(service.probe_commands())
        .chain(watch)
}

/// A value with references, or a plain text.
pub enum Declared<'a> {
    Template(&'a model::Template),
    Text(&'a str),
}

/// Every variable that the manifest and its files set for a service; the shell's are no part of the workspace.
pub fn declared_values(service: &Service) -> impl Iterator<Item = (&str, Declared<'_>)> {
    let environment = &service.environment;
    let files = environment.dotenv.iter().chain(&environment.files);
    let texts = files.map(|(key, value)| (key.as_str(), Declared::Text(value)));
    let values = environment.shared.iter().chain(&environment.own).filter_map(|(key, value)| match value {
        Value::Is(template) => Some((key.as_str(), Declared::Template(template))),
        Value::FromShell => None,
    });
    texts.chain(values)
}

fn targets(value: &Declared<'_>, workspace: &Workspace, names: &Names<'_>) -> Vec<(usize, Option<usize>, bool)> {
    match value {
        Declared::Text(text) => in_text(text, workspace, names),
        Declared::Template(template) => {
            let filled = template.references().filter_map(|it| resolve(it, workspace));
            let mut all: Vec<_> = filled.map(|(to, port)| (to, Some(port), true)).collect();
            if let Some(text) = template.as_text() {
                all.extend(in_text(text, workspace, names));
            }
            all
        }
    }
}

fn resolve(reference: &model::Reference, workspace: &Workspace) -> Option<(usize, usize)> {
    let to = workspace.index(reference.service.as_str())?;
    let ports = &workspace.service(to).ports;
    let port = match &reference.port {
        Some(name) => ports.iter().position(|port| port.name == *name)?,
        None => ports.iter().position(|port| port.protocol != Protocol::Udp).unwrap_or(0),
    };
    Some((to, port))
}

/// `users:50051`, `http://users.shop/x`, `postgres://me@db.default.svc:5432/shop`, several of them with commas.
fn in_text(text: &str, workspace: &Workspace, names: &Names<'_>) -> Vec<(usize, Option<usize>, bool)> {
    text.split([',', ' ', ';']).filter_map(|word| address(word, workspace, names)).collect()
}

fn address(word: &str, workspace: &Workspace, names: &Names<'_>) -> Option<(usize, Option<usize>, bool)> {
    let (scheme, rest) = match word.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, word),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, number) = match authority.rsplit_once(':') {
        Some((host, number)) => (host, Some(number.parse::<u16>().ok()?)),
        None => (authority, None),
    };
    // A bare word may be anything; only a URL or a port makes an address of it.
    if scheme.is_none() && number.is_none() {
        return None;
    }
    let to = names.find(host)?;
    let number = number.or(match scheme {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    });
    let port = number.and_then(|number| workspace.service(to).ports.iter().position(|port| port.number == number));
    Some((to, port, false))
}

/// The callee ports for which each caller gets a listener.
pub fn wanted_edges(workspace: &Workspace, references: &[Reference]) -> Vec<(usize, usize, usize)> {
    let mut out = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut want = |edge: (usize, usize, usize)| {
        if seen.insert(edge) {
            out.push(edge);
        }
    };
    // What is a name alone calls nobody.
    let calls = |from: usize| workspace.service(from).part != Part::Name;
    for (from, service) in workspace.services.values().enumerate().filter(|(from, _)| calls(*from)) {
        for dependency in &service.depends_on {
            let ports = workspace.service(dependency.service).ports.len();
            (0..ports).for_each(|port| want((from, dependency.service, port)));
        }
    }
    for reference in references.iter().filter(|reference| calls(reference.from)) {
        let ports = workspace.service(reference.to).ports.len();
        match reference.port {
            Some(port) => want((reference.from, reference.to, port)),
            None => (0..ports).for_each(|port| want((reference.from, reference.to, port))),
        }
    }
    out
}

/// The edges with their listeners.
pub fn edges(workspace: &Workspace, references: &[Reference], surroundings: &Surroundings) -> Vec<Edge> {
    let edges = wanted_edges(workspace, references).into_iter().filter_map(|(from, to, port)| {
        let (caller, callee) = (workspace.service(from), workspace.service(to));
        let (ports, callee_port) = (&surroundings.ports, &callee.ports[port]);
        let listen = match workspace.network_of(caller, surroundings.network) {
            NetworkMode::Pod => None,
            _ if callee_port.protocol == Protocol::Udp => return None,
            NetworkMode::Names => {
                let address = on_loopback(surroundings.loopback, ports.pair(&caller.name, &callee.name));
                Some(SocketAddrV4::new(address, callee_port.number))
            }
            NetworkMode::Env => {
                let number = ports.edge(&caller.name, &callee.name, &callee_port.name);
                Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, number))
            }
        };
        Some(Edge { from, to, port, listen })
    });
    let mut edges: Vec<Edge> = edges.collect();
    edges.sort_by_key(|edge| (edge.from, edge.to, edge.port));
    edges
}

/// Addresses as one caller sees them.
pub struct Outlook<'a> {
    pub caller: usize,
    /// Which of its instances.
    pub instance: u32,
    pub workspace: &'a Workspace,
    pub edges: &'a [Edge],
    pub surroundings: &'a Surroundings,
    /// The shell's proxies, as pods have them.
    pub proxies: &'a Proxies,
}

impl Outlook<'_> {
    /// The caller's edges, by callee and port.
    pub fn edges(&self) -> &[Edge] {
        let start = self.edges.partition_point(|edge| edge.from < self.caller);
        let end = self.edges.partition_point(|edge| edge.from <= self.caller);
        &self.edges[start..end]
    }

    /// What takes the place of `${users.url}`.
    pub fn fill(&self, reference: &model::Reference) -> String {
        let Some((to, port)) = resolve(reference, self.workspace) else { return String::new() };
        let edge = self.edges().iter().find(|edge| edge.to == to && edge.port == port);
        let callee = self.workspace.service(to);
        let (host, number) = self.address(to, port, edge);
        show(reference.form, callee, callee.ports[port].protocol, host, number)
    }

    /// Whether the caller is in a pod.
    pub fn calls_by_name(&self) -> bool {
        self.network() == NetworkMode::Pod
    }

    fn network(&self) -> NetworkMode {
        self.workspace.network_of(self.workspace.service(self.caller), self.surroundings.network)
    }

    /// Host and port at which the caller reaches a callee: its name and production's port, where names lead anywhere.
    pub fn address(&self, to: usize, port: usize, edge: Option<&Edge>) -> (&str, u16) {
        let callee = self.workspace.service(to);
        match self.network() {
            NetworkMode::Pod => return (callee.name.as_str(), callee.ports[port].number),
            NetworkMode::Names if edge.is_some() => return (callee.name.as_str(), callee.ports[port].number),
            NetworkMode::Names | NetworkMode::Env => {}
        }
        // Its own address is its own: nobody goes through the proxy to reach itself.
        let own = || {
            let instance = if to == self.caller { self.instance } else { 1 };
            self.surroundings.ports.own(&callee.name, instance, &callee.ports[port].name)
        };
        (LOOPBACK, edge.and_then(|edge| edge.listen).map_or_else(own, |listen| listen.port()))
    }
}

/// An address of a callee in one of its spellings.
pub fn show(form: Form, callee: &Service, protocol: Protocol, host: &str, number: u16) -> String {
    let path = callee.external().map_or("", |external| &external.path);
    match form {
        Form::Url => format!("{}://{host}:{number}{path}", protocol.scheme()),
        Form::Host => host.to_owned(),
        Form::Port => number.to_string(),
        Form::Addr => format!("{host}:{number}"),
    }
}
