//! Where a CONNECT leads: to a service by its name, or out of the workspace (RFC 9110 section 9.3.6).

use std::sync::Arc;

use super::http::Target;
use crate::route::{Location, Table, host_name};

/// The other end of a tunnel.
#[derive(Debug, Clone)]
pub enum Destination {
    Service(Target),
    Elsewhere(Location),
}

impl Destination {
    /// What `users:8080`, `users.shop.localhost:80` or `example.com:443` mean in a workspace. A service is reached at its
    /// port of that name or number if it has one (`users:grpc`, `users:8080`), else at the one that the front door would take, else
    /// at its first. `None` is no authority, or a service without a port.
    pub fn of(table: &Table, authority: &str) -> Option<Self> {
        let (host, port) = authority.rsplit_once(':')?;
        if let Some(upstream) = table.upstreams.labelled(host_name(host)).or_else(|| table.by_host(host)) {
            let named = upstream.ports.iter().position(|endpoint| endpoint.name == port);
            let numbered = upstream.ports.iter().position(|endpoint| Ok(endpoint.number) == port.parse());
            let port = named
                .or(numbered)
                .or_else(|| upstream.web_port())
                .or_else(|| (!upstream.ports.is_empty()).then_some(0))?;
            return Some(Self::Service(Target { upstream: upstream.clone(), port }));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|_| !host.is_empty())?;
        Some(Self::Elsewhere(Location::Elsewhere { host: host.into(), port, tls: false }))
    }

    /// Who is called, for the record.
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Service(target) => target.upstream.name.clone(),
            Self::Elsewhere(location) => location.to_string().into(),
        }
    }

    pub fn location(&self) -> &Location {
        match self {
            Self::Service(target) => &target.endpoint().location,
            Self::Elsewhere(location) => location,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;
    use crate::route::{Availability, Endpoint, Upstream};

    #[test]
    fn authorities_lead_to_services_and_elsewhere() {
        let (_keep, availability) = tokio::sync::watch::channel(Availability::Ready);
        let port = |name: &str, protocol, port| Endpoint {
            name: name.to_owned(),
            number: 9000 + port,
            protocol,
            location: Location::Loopback(port),
        };
        let ports = vec![port("tcp", Protocol::Tcp, 1), port("http", Protocol::Http, 2)];
        let upstream = Arc::new(Upstream {
            name: "users".into(),
            called: std::net::Ipv4Addr::LOCALHOST,
            own: std::net::Ipv4Addr::LOCALHOST,
            egress: crate::model::Egress::Allow,
            ports,
            availability,
        });
        let table =
            Table { host_label: "shop".to_owned(), upstreams: [upstream].into_iter().collect(), ..Table::default() };
        let told = |authority| Destination::of(&table, authority).map(|found| found.location().to_string());
        let cases = [
            ("users:8080", Some("port 2")),
            ("USERS.shop.localhost:80", Some("port 2")),
            ("users:tcp", Some("port 1")),
            ("users:9001", Some("port 1")),
            ("example.com:443", Some("example.com:443")),
            ("[::1]:80", Some("[::1]:80")),
            ("example.com", None),
            ("example.com:x", None),
            (":80", None),
        ];
        for (authority, expected) in cases {
            assert_eq!(told(authority).as_deref(), expected, "{authority}");
        }
    }
}
