//! Where a CONNECT at the front door leads: to a service of the workspace, and to nobody else (RFC 9110 section 9.3.6).

use std::sync::Arc;

use super::answer::Refusal;
use super::dial::{Offer, Stream};
use super::http::{Caller, Context, Target, not_dialled};
use super::tcp;
use crate::route::{Call, Location, Upstream};

/// The ports that clients take for http and https where none is named.
const STANDARD: [u16; 2] = [80, 443];

/// The other end of a tunnel.
#[derive(Debug, Clone)]
pub enum Tunnel {
    /// A port that speaks anything but HTTP.
    Service(Target),
    /// The front door itself, at this number: what speaks HTTP is reached there as it would be without a tunnel.
    Door { of: Arc<str>, number: u16 },
}

impl Tunnel {
    /// What `db.shop.localhost:5432` means, a port by production's number. 80 and 443 are the front door's where a
    /// service has no such port, and the second is meant where none is named.
    pub fn to(upstream: &Arc<Upstream>, authority: &str, front_door: u16) -> Result<Self, Refusal> {
        let named = authority.rsplit_once(':').and_then(|(_, number)| number.parse().ok());
        let number = named.unwrap_or(STANDARD[1]);
        match upstream.stream_port(number) {
            Some(port) if !upstream.ports[port].protocol.is_http() => {
                Ok(Self::Service(Target { upstream: upstream.clone(), port }))
            }
            None if number != front_door && !STANDARD.contains(&number) => {
                Err(Refusal::Failed(upstream.name.clone(), format!("it has no port {number}")))
            }
            _ => Ok(Self::Door { of: upstream.name.clone(), number: front_door }),
        }
    }

    /// Opens it. What is asked of the front door through a tunnel is recorded there.
    pub async fn open(&self, caller: &Caller, context: &Context) -> Result<(Stream, Call), Refusal> {
        match self {
            Self::Service(target) => tcp::open(caller, target, context, None).await,
            Self::Door { of, number } => {
                let location = Location::Loopback(*number);
                let dialled = context.pool.dialer.dial(&location, caller, Offer::Bytes).await;
                let stream = dialled.map_err(|error| not_dialled(of, &location, &error))?;
                Ok((stream, Call::Fixed(location)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Egress, Protocol};
    use crate::route::{Availability, Endpoint};

    #[test]
    fn authorities_lead_to_ports_and_to_the_front_door() {
        let (_keep, availability) = tokio::sync::watch::channel(Availability::Ready);
        let port = |protocol, number| Endpoint {
            name: String::new(),
            number,
            protocol,
            location: Location::Loopback(number + 1),
        };
        let upstream = Arc::new(Upstream {
            name: "db".into(),
            version: None,
            remote: None,
            called: std::net::Ipv4Addr::LOCALHOST,
            own: std::net::Ipv4Addr::LOCALHOST,
            egress: Egress::Allow,
            ports: vec![port(Protocol::Udp, 53), port(Protocol::Tcp, 53), port(Protocol::Http, 8080)],
            availability,
            replicas: crate::route::Replicas::Fixed,
        });
        let told = |authority| match Tunnel::to(&upstream, authority, 4400) {
            Ok(Tunnel::Service(target)) => target.port.to_string(),
            Ok(Tunnel::Door { number, .. }) => format!("door {number}"),
            Err(refusal) => refusal.to_string(),
        };
        let cases = [
            ("db.shop.localhost:53", "1"),
            ("db.shop.localhost:8080", "door 4400"),
            ("db.shop.localhost:443", "door 4400"),
            ("db.shop.localhost:80", "door 4400"),
            ("db.shop.localhost:4400", "door 4400"),
            ("db.shop.localhost", "door 4400"),
            ("db.shop.localhost:22", "db: it has no port 22"),
        ];
        for (authority, expected) in cases {
            assert_eq!(told(authority), expected, "{authority}");
        }
    }
}
