//! By which names and numbers a service is called, and how it sees the network.

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::RawService;
use crate::manifest::read::At;
use crate::manifest::source::Span;
use crate::model::{BadName, HostName, Port, Protocol, Publish, ServiceName, ServicePort};

/// Names that mean something else to every resolver, or to nagaya.
const RESERVED: [&str; 3] = ["localhost", "host", "self"];
/// The same for host names: these, and all below them, mean this machine or the front door.
const RESERVED_ZONES: [&str; 3] = ["localhost", "nagaya.internal", "docker.internal"];

/// The name of a service, or another one of it.
pub fn service_name(text: &str, span: Span, problems: &mut Problems) -> Option<ServiceName> {
    if RESERVED.contains(&text) {
        let problem = Problem::error("bad_name", format!("a service cannot be called `{text}`")).at(span);
        problems.push(problem.hint("that name means something else everywhere"));
        return None;
    }
    let complain = |error: BadName| {
        let hint = BadName::suggestion(text).map(|name| format!("`{name}` would do"));
        Problem::error("bad_name", format!("`{text}` is no service name: {error}")).at(span).maybe_hint(hint)
    };
    ServiceName::new(text).map_err(|error| problems.push(complain(error))).ok()
}

/// `aliases`.
pub fn aliases(raw: &RawService, problems: &mut Problems) -> Vec<ServiceName> {
    let written = raw.aliases.iter().flat_map(|aliases| &aliases.0);
    written.filter_map(|alias| service_name(&alias.value, alias.span, problems)).collect()
}

/// `hostnames`.
pub fn hostnames(raw: &RawService, problems: &mut Problems) -> Vec<HostName> {
    let mut names = Vec::new();
    for At { value: name, span } in raw.hostnames.iter().flat_map(|names| &names.0) {
        match RESERVED_ZONES.into_iter().find(|zone| is_within(name.as_str(), zone)) {
            None => names.push(name.clone()),
            Some(zone) => {
                let message = format!("`{name}` cannot be a service's: what ends with `{zone}` means this machine");
                problems.push(Problem::error("bad_host_name", message).at(*span));
            }
        }
    }
    names
}

fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// `publish`: a number that is declared means that port, any other one is the program's as it is.
pub fn publish(raw: &RawService, ports: &[Port], listen: &[Option<u16>], problems: &mut Problems) -> Vec<Publish> {
    let mut out = Vec::new();
    for At { value: spec, span } in raw.publish.iter().flat_map(|specs| &specs.0) {
        let declared = ports.iter().position(|port| port.number == spec.port);
        let port = declared.map_or(ServicePort::Number(spec.port), ServicePort::Declared);
        if declared.is_some_and(|place| ports[place].protocol == Protocol::Udp) {
            let message = format!("port {} is udp, and only streams can be published", spec.port);
            problems.push(Problem::error("udp_published", message).at(*span));
        }
        // Its own number is published already where the program itself listens on it.
        let insisted = listen.iter().position(|number| *number == Some(spec.host));
        if insisted.is_some() && insisted != declared && port != ServicePort::Number(spec.host) {
            let message = format!("the program itself listens on port {} of this machine (`listen`)", spec.host);
            let problem = Problem::error("port_clash", message).at(*span);
            problems.push(problem.hint("publish it under another number"));
        }
        out.push(Publish { host: spec.host, port });
    }
    out
}
