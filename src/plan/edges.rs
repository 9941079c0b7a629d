//! Who calls whom: declared by `depends_on`, or told by an address in a variable.

use crate::model::{self, Form, Protocol, Service, Value, Workspace};

use super::{LOOPBACK, Surroundings};

/// A caller, a callee's port, and the listener between them: calls that arrive there are this caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// The place of the port in the callee's list.
    pub port: usize,
    /// Where the proxy listens for it on the host; a caller in a pod calls by name instead.
    pub listen: Option<u16>,
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
    /// Written as `${users.url}`, which is filled in; a bare `users:8080` is not, and in this network mode
    /// nothing resolves it.
    pub filled: bool,
}

/// All references of a workspace.
pub fn references(workspace: &Workspace) -> Vec<Reference> {
    let mut out: Vec<Reference> = Vec::new();
    for (from, service) in workspace.services.values().enumerate() {
        for (via, value) in declared_values(service) {
            for (to, port, filled) in targets(&value, workspace) {
                let reference = Reference { from, to, port, via: via.to_owned(), filled };
                if to != from && !out.contains(&reference) {
                    out.push(reference);
                }
            }
        }
        let templates =
            service.command.templates().iter().chain(service.setup.iter().flat_map(|it| it.command.templates()));
        for reference in templates.flat_map(model::Template::references) {
            let Some((to, port)) = resolve(reference, workspace) else { continue };
            let reference = Reference { from, to, port: Some(port), via: "command".to_owned(), filled: true };
            if to != from && !out.contains(&reference) {
                out.push(reference);
            }
        }
    }
    out
}

/// A value with references, or a plain text.
enum Declared<'a> {
    Template(&'a model::Template),
    Text(&'a str),
}

/// Every variable that the manifest and its files set for a service; the shell's are no part of the workspace.
fn declared_values(service: &Service) -> impl Iterator<Item = (&str, Declared<'_>)> {
    let environment = &service.environment;
    let files = environment.dotenv.iter().chain(&environment.files);
    let texts = files.map(|(key, value)| (key.as_str(), Declared::Text(value)));
    let values = environment.shared.iter().chain(&environment.own).filter_map(|(key, value)| match value {
        Value::Is(template) => Some((key.as_str(), Declared::Template(template))),
        Value::FromShell => None,
    });
    texts.chain(values)
}

fn targets(value: &Declared<'_>, workspace: &Workspace) -> Vec<(usize, Option<usize>, bool)> {
    match value {
        Declared::Text(text) => in_text(text, workspace),
        Declared::Template(template) => {
            let filled = template.references().filter_map(|it| resolve(it, workspace));
            let mut all: Vec<_> = filled.map(|(to, port)| (to, Some(port), true)).collect();
            if let Some(text) = template.as_text() {
                all.extend(in_text(text, workspace));
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

/// `users:50051`, `http://users/x`, `postgres://me@db.default.svc:5432/shop`, several of them with commas.
fn in_text(text: &str, workspace: &Workspace) -> Vec<(usize, Option<usize>, bool)> {
    text.split([',', ' ', ';']).filter_map(|word| address(word, workspace)).collect()
}

fn address(word: &str, workspace: &Workspace) -> Option<(usize, Option<usize>, bool)> {
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
    let to = workspace.index(production_name(host, workspace))?;
    let number = number.or(match scheme {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    });
    let port = number.and_then(|number| workspace.service(to).ports.iter().position(|port| port.number == number));
    Some((to, port, false))
}

/// The service in one of production's names: `users`, `users.shop`, `users.default.svc.cluster.local`.
fn production_name<'a>(host: &'a str, workspace: &Workspace) -> &'a str {
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let host = host.strip_suffix(".svc").unwrap_or(host);
    match host.split_once('.') {
        Some((name, zone)) if zone == "default" || zone == workspace.name.as_str() => name,
        _ => host,
    }
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
    for (from, service) in workspace.services.values().enumerate() {
        for dependency in &service.depends_on {
            let ports = workspace.service(dependency.service).ports.len();
            (0..ports).for_each(|port| want((from, dependency.service, port)));
        }
    }
    for reference in references {
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
    let wanted = wanted_edges(workspace, references).into_iter();
    let edges = wanted.filter(|&(_, to, port)| workspace.service(to).ports[port].protocol != Protocol::Udp).map(
        |(from, to, port)| {
            let (caller, callee) = (workspace.service(from), workspace.service(to));
            let listen = || surroundings.ports.edge(&caller.name, &callee.name, &callee.ports[port].name);
            Edge { from, to, port, listen: (!surroundings.pods).then(listen) }
        },
    );
    let mut edges: Vec<Edge> = edges.collect();
    edges.sort_by_key(|edge| (edge.from, edge.to, edge.port));
    edges
}

/// Addresses as one caller sees them.
pub struct Outlook<'a> {
    pub caller: usize,
    pub workspace: &'a Workspace,
    pub edges: &'a [Edge],
    pub surroundings: &'a Surroundings,
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
        let protocol = self.workspace.service(to).ports[port].protocol;
        let (host, number) = self.address(to, port, edge);
        show(reference.form, protocol, host, number)
    }

    /// Host and port at which the caller reaches a callee: in a pod its name and production's port.
    pub fn address(&self, to: usize, port: usize, edge: Option<&Edge>) -> (&str, u16) {
        let callee = self.workspace.service(to);
        if self.surroundings.pods {
            return (callee.name.as_str(), callee.ports[port].number);
        }
        // Its own address is its own: nobody goes through the proxy to reach itself.
        let own = || self.surroundings.ports.own(&callee.name, &callee.ports[port].name);
        (LOOPBACK, edge.and_then(|edge| edge.listen).unwrap_or_else(own))
    }
}

/// An address in one of its spellings.
pub fn show(form: Form, protocol: Protocol, host: &str, number: u16) -> String {
    match form {
        Form::Url => format!("{}://{host}:{number}", protocol.scheme()),
        Form::Host => host.to_owned(),
        Form::Port => number.to_string(),
        Form::Addr => format!("{host}:{number}"),
    }
}
