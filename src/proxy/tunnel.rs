//! Where a CONNECT at the front door leads: to a service of the workspace, and to nobody else (RFC 9110 section 9.3.6).

use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use super::answer::Refusal;
use super::dial::Stream;
use super::http::{Caller, Context, Target};
use super::tcp;
use crate::route::{Call, Location, Upstream};

/// The ports that clients take for http and https where none is named.
const STANDARD: [u16; 2] = [80, 443];

/// What an authority means.
#[derive(Debug)]
pub enum Meant {
    /// A port that speaks anything but HTTP.
    Service(Target),
    /// The front door itself: what speaks HTTP is reached there as it would be without a tunnel.
    Door,
}

/// The other end of a tunnel.
pub enum Tunnel {
    Service(Target),
    /// The front door, which serves what comes through the tunnel as it serves its caller; and who was asked for.
    Door {
        of: Arc<str>,
        enter: Enter,
    },
}

/// Begins to serve a connection.
pub type Enter = Rc<dyn Fn(TcpStream)>;

/// What `db.shop.localhost:5432` means, a port by production's number. 80 and 443 are the front door's where a service
/// has no such port, and the second is meant where none is named.
pub fn meant(upstream: &Arc<Upstream>, authority: &str, front_door: u16) -> Result<Meant, Refusal> {
    let named = authority.rsplit_once(':').and_then(|(_, number)| number.parse().ok());
    let number = named.unwrap_or(STANDARD[1]);
    match upstream.stream_port(number) {
        Some(port) if !upstream.ports[port].protocol.is_http() => {
            Ok(Meant::Service(Target { upstream: upstream.clone(), port }))
        }
        None if number != front_door && !STANDARD.contains(&number) => {
            Err(Refusal::Failed(upstream.name.clone(), format!("it has no port {number}")))
        }
        _ => Ok(Meant::Door),
    }
}

impl Tunnel {
    /// Opens it. What is asked of the front door through a tunnel is recorded there.
    pub async fn open(&self, caller: &Caller, context: &Context) -> Result<(Stream, Call), Refusal> {
        match self {
            Self::Service(target) => tcp::open(caller, target, context, None).await,
            Self::Door { of, enter } => {
                let failed = |error| Refusal::Failed(of.clone(), format!("no tunnel to the front door: {error}"));
                let (stream, other) = pair().await.map_err(failed)?;
                let location = Location::Loopback(other.local_addr().map_err(failed)?.port());
                enter(other);
                Ok((Stream::Tcp(stream, None), Call::Fixed(location)))
            }
        }
    }
}

/// Both ends of a connection over the loopback.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let own = stream.local_addr()?;
    loop {
        let (other, peer) = listener.accept().await?;
        // Somebody else on this machine may have come first.
        if peer == own {
            stream.set_nodelay(true)?;
            other.set_nodelay(true)?;
            return Ok((stream, other));
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
        let told = |authority| match meant(&upstream, authority, 4400) {
            Ok(Meant::Service(target)) => target.port.to_string(),
            Ok(Meant::Door) => "door".to_owned(),
            Err(refusal) => refusal.to_string(),
        };
        let cases = [
            ("db.shop.localhost:53", "1"),
            ("db.shop.localhost:8080", "door"),
            ("db.shop.localhost:443", "door"),
            ("db.shop.localhost:80", "door"),
            ("db.shop.localhost:4400", "door"),
            ("db.shop.localhost", "door"),
            ("db.shop.localhost:22", "db: it has no port 22"),
        ];
        for (authority, expected) in cases {
            assert_eq!(told(authority), expected, "{authority}");
        }
    }
}
