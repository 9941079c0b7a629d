//! What network mode `names` cannot give: there all share the ports of one machine.

use crate::model::{NetworkMode, Service, Workspace};

use super::edges::{references, wanted_edges};
use super::lint::Lint;

/// Whether a service runs in this mode, where `auto` means the mode that is given.
pub fn uses_names(workspace: &Workspace, auto: NetworkMode) -> bool {
    processes(workspace).any(|service| workspace.network_of(service, auto) == NetworkMode::Names)
}

fn processes(workspace: &Workspace) -> impl Iterator<Item = &Service> {
    workspace.services.values().filter(|service| service.external().is_none())
}

/// Calls at production's ports that cannot be had, where this account may listen from `lowest` on: ports that are too
/// low, and those on which a program of the workspace insists, since it may listen on all addresses.
pub fn clashes(workspace: &Workspace, auto: NetworkMode, lowest: u16) -> Vec<Lint> {
    let mut out: Vec<Lint> = Vec::new();
    for (from, to, port) in wanted_edges(workspace, &references(workspace)) {
        let (caller, callee) = (workspace.service(from), workspace.service(to));
        if caller.external().is_some() || workspace.network_of(caller, auto) != NetworkMode::Names {
            continue;
        }
        let number = callee.ports[port].number;
        let lint = |message: String, hint: String| Lint {
            service: from,
            needle: callee.name.to_string(),
            code: "names_clash",
            message,
            hint,
        };
        let calls = format!("in network mode `names`, {} calls {} at port {number}", caller.name, callee.name);
        if number < lowest {
            out.push(lint(
                format!("{calls}, and this account may listen from port {lowest} on"),
                "`network: pod` has no such limit; `network: env` has addresses in variables".to_owned(),
            ));
        } else if let Some(holder) = holder(workspace, auto, number) {
            out.push(lint(
                format!("{calls}, and {} insists on that port of this machine (`listen: {number}`)", holder.name),
                format!(
                    "`network: pod` gives each its own ports; or leave out `listen`, and have {} take its port from `PORT`",
                    holder.name
                ),
            ));
        }
    }
    out
}

/// Names of production that cannot be had, since they stand for any number of names: a hosts file has none such.
pub fn wildcards(workspace: &Workspace, auto: NetworkMode) -> Vec<Lint> {
    let mut out: Vec<Lint> = Vec::new();
    for (from, to, _) in wanted_edges(workspace, &references(workspace)) {
        let (caller, callee) = (workspace.service(from), workspace.service(to));
        if caller.external().is_some() || workspace.network_of(caller, auto) != NetworkMode::Names {
            continue;
        }
        for name in callee.hostnames.iter().filter(|name| name.wildcard().is_some()) {
            let lint = Lint {
                service: to,
                needle: "hostnames".to_owned(),
                code: "names_wildcard",
                message: format!("in network mode `names`, {} finds no name below `{name}`", caller.name),
                hint: format!(
                    "list the names that are called in the `hostnames` of {}; or `network: pod`, in which all resolve",
                    callee.name
                ),
            };
            if !out.contains(&lint) {
                out.push(lint);
            }
        }
    }
    out
}

/// Who insists on a number of this machine.
fn holder(workspace: &Workspace, auto: NetworkMode, number: u16) -> Option<&Service> {
    processes(workspace).find(|service| {
        workspace.network_of(service, auto) != NetworkMode::Pod && service.listen.contains(&Some(number))
    })
}
