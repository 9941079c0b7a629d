//! Names of hosts at the front door: which service, or none, each of them means.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::zone::Found;
use super::{Table, Upstream};

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

    /// The name of the service that a Host header means, by whichever of its names: at the front door, in pods, in
    /// production. `None` for the names of others, and for those of machines: addresses and `localhost`.
    pub fn named_by_host(&self, host: &str) -> Option<&str> {
        if let Some(upstream) = self.by_host(host) {
            return Some(&upstream.name);
        }
        match self.zone.lookup(host_name(host), None) {
            Found::Service { service, .. } => self.zone.name(service),
            _ => None,
        }
    }
}

/// Whether a host, with or without a port, is an address or this machine's own name: that names no service.
pub fn is_machine(host: &str) -> bool {
    let name = host_name(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::tests::table;

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
