//! Which service a host name means.

use std::collections::HashMap;

use super::{Namespace, Workspace, WorkspaceName};

/// Every name of a workspace's services, as production spells them: names, aliases, full host names, and the longer
/// spellings of Kubernetes' DNS.
#[derive(Debug)]
pub struct Names<'a> {
    workspace: &'a Workspace,
    exact: HashMap<&'a str, usize>,
    /// Host names that begin with `*.`, by what stands behind that.
    wildcards: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    /// The names of a workspace.
    pub fn new(workspace: &'a Workspace) -> Self {
        let mut names = Self { workspace, exact: HashMap::new(), wildcards: HashMap::new() };
        for (place, service) in workspace.services.values().enumerate() {
            names.exact.insert(service.name.as_str(), place);
            names.exact.extend(service.aliases.iter().map(|alias| (alias.as_str(), place)));
            for host in &service.hostnames {
                match host.wildcard() {
                    Some(base) => names.wildcards.insert(base, place),
                    None => names.exact.insert(host.as_str(), place),
                };
            }
        }
        names
    }

    /// The place of the service that a host name means, in any case of letters. An exact name goes before a wildcard,
    /// and of those the longest counts.
    pub fn find(&self, host: &str) -> Option<usize> {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let known = |name: &str| self.exact.get(name).copied();
        let short = || short_name(&host, &self.workspace.name, &self.workspace.namespace).and_then(known);
        let bases = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        known(&host).or_else(short).or_else(|| bases.into_iter().find_map(|base| self.wildcards.get(base).copied()))
    }
}

/// The name within one of its longer spellings: `users.WORKSPACE`, `users.NAMESPACE`, `users.NAMESPACE.svc` and
/// `users.NAMESPACE.svc.cluster.local` (Kubernetes, "DNS for Services and Pods").
pub fn short_name<'a>(host: &'a str, workspace: &WorkspaceName, namespace: &Namespace) -> Option<&'a str> {
    let (name, zone) = host.split_once('.')?;
    let cluster = zone.strip_suffix(".svc.cluster.local").or(zone.strip_suffix(".svc"));
    let ours = zone == workspace.as_str() || cluster.unwrap_or(zone) == namespace.as_str();
    ours.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_spellings_are_of_this_workspace_alone() {
        let (workspace, namespace) = (WorkspaceName::new("shop").unwrap(), Namespace::new("pay").unwrap());
        let name = |host| short_name(host, &workspace, &namespace);
        for host in ["users.shop", "users.pay", "users.pay.svc", "users.pay.svc.cluster.local"] {
            assert_eq!(name(host), Some("users"), "{host}");
        }
        for host in ["users", "users.default", "users.shop.svc", "users.pay.cluster.local", "a.users.shop", "users.svc"]
        {
            assert_eq!(name(host), None, "{host}");
        }
    }
}
