//! What looks wrong in a manifest that can be used.

use crate::model::{Egress, HostName, NetworkMode, Run, Value, Workspace};

use super::{coupling, references};

/// A warning about a service, with a word of its text that shows where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    pub service: usize,
    pub needle: String,
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

/// All of them, where `auto` means the network mode that is given.
pub fn lints(workspace: &Workspace, auto: NetworkMode) -> Vec<Lint> {
    let mut out = Vec::new();
    unresolvable(workspace, auto, &mut out);
    unguarded(workspace, auto, &mut out);
    lax(workspace, auto, &mut out);
    foreign_localhost(workspace, &mut out);
    own_host_name(workspace, &mut out);
    out.extend(coupling::lints(workspace));
    out
}

/// In network mode `env` only `${users.addr}` leads anywhere; `users:50051` does not resolve.
fn unresolvable(workspace: &Workspace, auto: NetworkMode, out: &mut Vec<Lint>) {
    let in_env = |place| workspace.network_of(workspace.service(place), auto) == NetworkMode::Env;
    for reference in references(workspace).into_iter().filter(|it| !it.filled && in_env(it.from)) {
        let target = &workspace.service(reference.to).name;
        out.push(Lint {
            service: reference.from,
            needle: reference.via.clone(),
            code: "unresolvable_name",
            message: format!(
                "`{}` calls `{target}` by a name, and in network mode `env` no name leads to a service",
                reference.via
            ),
            hint: format!("write `${{{target}.addr}}` or `${{{target}.url}}`"),
        });
    }
}

/// What a program calls outside can only be kept from it in a pod.
fn unguarded(workspace: &Workspace, auto: NetworkMode, out: &mut Vec<Lint>) {
    for (place, service) in workspace.services.values().enumerate() {
        let network = workspace.network_of(service, auto);
        if service.egress == Egress::Deny && network != NetworkMode::Pod {
            out.push(Lint {
                service: place,
                needle: "egress".to_owned(),
                code: "not_enforced",
                message: format!(
                    "in network mode `{}` nothing keeps `{}` from the outside",
                    network.word(),
                    service.name
                ),
                hint: "`egress: deny` holds in network mode `pod`".to_owned(),
            });
        }
    }
}

/// Nor can calls within the workspace that the manifest does not have: told once, for all services.
fn lax(workspace: &Workspace, auto: NetworkMode, out: &mut Vec<Lint>) {
    if !workspace.strict {
        return;
    }
    let processes = workspace.services.values().enumerate().filter(|(_, it)| matches!(it.run, Run::Process(_)));
    let mut modes = processes.map(|(place, service)| (place, service, workspace.network_of(service, auto)));
    let Some((place, service, network)) = modes.find(|(.., network)| *network != NetworkMode::Pod) else { return };
    out.push(Lint {
        service: place,
        needle: "network".to_owned(),
        code: "not_enforced",
        message: format!(
            "in network mode `{}` nothing keeps `{}` from calls that the manifest does not have",
            network.word(),
            service.name
        ),
        hint: "`strict: true` holds in network mode `pod`".to_owned(),
    });
}

/// `localhost:5432` is this machine's; where another service owns that port, it is hardly what is meant.
fn foreign_localhost(workspace: &Workspace, out: &mut Vec<Lint>) {
    for (place, service) in workspace.services.values().enumerate() {
        let values = service.environment.shared.iter().chain(&service.environment.own);
        let texts = values.filter_map(|(key, value)| match value {
            Value::Is(template) => Some((key, template.as_text()?)),
            Value::FromShell => None,
        });
        for (key, text) in texts {
            let Some(number) = localhost_port(text) else { continue };
            let owner = workspace
                .services
                .values()
                .find(|other| other.name != service.name && other.ports.iter().any(|port| port.number == number));
            let Some(owner) = owner else { continue };
            out.push(Lint {
                service: place,
                needle: key.clone(),
                code: "localhost",
                message: format!("`{key}` says localhost:{number}, and `{}` owns port {number}", owner.name),
                hint: format!("write `${{{}.addr}}`, so that the call goes to it", owner.name),
            });
        }
    }
}

/// What is led here by its real name reaches the proxy, which begins the TLS itself: a program's own has no other side.
fn own_host_name(workspace: &Workspace, out: &mut Vec<Lint>) {
    for (place, service) in workspace.services.values().enumerate() {
        let Some(external) = service.external().filter(|external| external.scheme.is_tls()) else { continue };
        let is_it = |name: &&HostName| name.covers(&external.host);
        let Some(name) = service.hostnames.iter().find(is_it) else { continue };
        let (scheme, host) = (external.scheme.word(), &external.host);
        out.push(Lint {
            service: place,
            needle: name.to_string(),
            code: "tls_in_tls",
            message: format!(
                "`{name}` leads programs that call {scheme}://{host} to the proxy, which speaks TLS to {host} itself: \
                 theirs fails"
            ),
            hint: format!(
                "without the host name they reach {host} as it is; to call it through the proxy, use {}://{}",
                scheme.trim_end_matches('s'),
                service.name
            ),
        });
    }
}

fn localhost_port(text: &str) -> Option<u16> {
    ["localhost:", "127.0.0.1:"].iter().find_map(|host| {
        let rest = text.split_once(host)?.1;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}
