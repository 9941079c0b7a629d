//! What may be there only once: names in the workspace, and ports of this machine.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{Listen, RawService};
use crate::manifest::source::Span;
use crate::model::{Namespace, ServiceName, WorkspaceName, short_name};

use super::Declared;

/// Every name that a service is called by means that service alone.
pub fn check_names(
    declared: &IndexMap<ServiceName, Declared>,
    workspace: Option<&WorkspaceName>,
    namespace: &Namespace,
    problems: &mut Problems,
) {
    let mut taken = Taken::default();
    for (service, found) in declared {
        taken.names.insert(service.as_str(), (service, found.service.key));
    }
    for (service, raw) in raws(declared) {
        for alias in raw.aliases.iter().flat_map(|aliases| &aliases.0) {
            taken.claim(&alias.value, service, alias.span, problems);
        }
    }
    for (service, raw) in raws(declared) {
        for host in raw.hostnames.iter().flat_map(|hosts| &hosts.0) {
            let name = host.value.as_str();
            let short = workspace.and_then(|workspace| short_name(name, workspace, namespace));
            match short.and_then(|short| taken.names.get(short)) {
                Some((owner, first)) if *owner != service => {
                    problems.push(taken_already(name, owner, *first, host.span));
                }
                _ => taken.claim(name, service, host.span, problems),
            }
        }
    }
}

fn raws(declared: &IndexMap<ServiceName, Declared>) -> impl Iterator<Item = (&ServiceName, &RawService)> {
    declared.iter().map(|(name, found)| (name, &found.service.value))
}

/// Names with the service that has them and the place where that is written.
#[derive(Default)]
struct Taken<'a> {
    names: HashMap<&'a str, (&'a ServiceName, Span)>,
}

impl<'a> Taken<'a> {
    fn claim(&mut self, name: &'a str, service: &'a ServiceName, span: Span, problems: &mut Problems) {
        match self.names.get(name) {
            Some((owner, first)) => problems.push(taken_already(name, owner, *first, span)),
            None => {
                self.names.insert(name, (service, span));
            }
        }
    }
}

fn taken_already(name: &str, owner: &ServiceName, first: Span, span: Span) -> Problem {
    Problem::error("duplicate_name", format!("the name `{name}` means `{owner}` already"))
        .at(span)
        .related(first, "first here")
        .hint("a name means one service: take another one, or remove it in one place")
}

/// A port of this machine that a service is to have.
struct Claim<'a> {
    service: &'a ServiceName,
    number: u16,
    span: Span,
    by: By,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Listen,
    Publish,
}

/// A port of this machine belongs to one service. That a service publishes the one on which its program insists is
/// looked at where it is lowered.
pub fn check_host_ports(declared: &IndexMap<ServiceName, Declared>, problems: &mut Problems) {
    let mut taken: HashMap<u16, Claim<'_>> = HashMap::new();
    for claim in raws(declared).flat_map(|(service, raw)| claims(service, raw)) {
        match taken.get(&claim.number) {
            Some(first) if first.service == claim.service && first.by != claim.by => {}
            Some(first) => problems.push(port_clash(first, &claim)),
            None => {
                taken.insert(claim.number, claim);
            }
        }
    }
}

fn claims<'a>(service: &'a ServiceName, raw: &'a RawService) -> Vec<Claim<'a>> {
    let claim = |number, span, by| Claim { service, number, span, by };
    let mut claims: Vec<Claim<'_>> = match raw.listen.as_ref().map(|listen| &listen.value) {
        None => Vec::new(),
        Some(Listen::First(number)) => vec![claim(number.value, number.span, By::Listen)],
        Some(Listen::Named(numbers)) => {
            numbers.0.values().map(|entry| claim(entry.value.value, entry.value.span, By::Listen)).collect()
        }
    };
    let published = raw.publish.iter().flat_map(|specs| &specs.0);
    claims.extend(published.map(|spec| claim(spec.value.host, spec.span, By::Publish)));
    claims
}

fn port_clash(first: &Claim<'_>, second: &Claim<'_>) -> Problem {
    let (number, a, b) = (first.number, first.service, second.service);
    let message = match (first.by, second.by) {
        _ if a == b => format!("`{a}` has port {number} of this machine twice"),
        (By::Listen, By::Listen) => format!("`{a}` and `{b}` both listen on port {number} of this machine"),
        (By::Publish, By::Publish) => format!("`{a}` and `{b}` are both published on port {number} of this machine"),
        (By::Listen, By::Publish) => {
            format!("`{b}` is published on port {number} of this machine, where `{a}` listens")
        }
        (By::Publish, By::Listen) => {
            format!("`{b}` listens on port {number} of this machine, where `{a}` is published")
        }
    };
    let hint = match (first.by, second.by) {
        (By::Listen, By::Listen) => "let one of them take its port from `PORT`, without `listen`".to_owned(),
        _ => format!("publish one of them under another number: `{}:…`", number.checked_add(1).unwrap_or(8081)),
    };
    Problem::error("port_clash", message).at(second.span).related(first.span, "first here").hint(hint)
}
