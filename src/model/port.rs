//! Ports as production numbers them, and the protocol spoken on each.

use std::fmt;

/// A port of a service. `number` is production's; where the program really listens is the plan's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    pub number: u16,
    pub protocol: Protocol,
}

/// A port of a service, declared or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServicePort {
    /// A declared port, by its place in the service's list.
    Declared(usize),
    /// Any other one, by the number on which the program listens.
    Number(u16),
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1, and WebSocket, which starts as such.
    Http,
    /// HTTP/2 with prior knowledge.
    H2,
    /// gRPC: HTTP/2 with prior knowledge, with trailers.
    Grpc,
    /// Bytes. TLS is bytes too: nobody here holds its key.
    Tcp,
    /// Told by the first bytes of each connection.
    Detect,
    /// Datagrams.
    Udp,
}

/// The place of the port to which somebody is sent who knows no more than a service's name: the first that says HTTP/1.1,
/// else the first that says HTTP, else the first that says nothing.
pub fn web_port(ports: impl Iterator<Item = Protocol> + Clone) -> Option<usize> {
    let first = |wanted: fn(Protocol) -> bool| ports.clone().position(wanted);
    first(|it| it == Protocol::Http).or_else(|| first(Protocol::is_http)).or_else(|| first(Protocol::is_web))
}

impl Protocol {
    /// The protocol that is written as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "http" | "http1" | "ws" => Self::Http,
            "h2" | "http2" | "h2c" => Self::H2,
            "grpc" => Self::Grpc,
            "tcp" | "tls" | "https" => Self::Tcp,
            "udp" => Self::Udp,
            _ => return None,
        })
    }

    /// The protocol that a port's name tells, as Istio reads it: `grpc`, `http-admin`. Servers of other
    /// names that speak first would wait for the detection to give up, so the usual ones are listed
    /// (linkerd's opaque ports).
    pub fn from_port_name(name: &str) -> Self {
        let word = name.split('-').next().unwrap_or(name);
        match word {
            "mysql" | "smtp" | "postgres" | "postgresql" | "redis" | "mongo" | "mongodb" | "memcached" | "amqp"
            | "kafka" | "nats" | "ftp" | "ssh" | "imap" | "pop3" | "mqtt" => Self::Tcp,
            _ => Self::from_word(word).unwrap_or(Self::Detect),
        }
    }

    /// The same at a port whose number tells more: where servers speak first, nothing can be told from what a client
    /// says (linkerd's opaque ports: SMTP, MySQL, Galera, PostgreSQL, Redis, Elasticsearch's own, Memcached).
    pub fn at(self, number: u16) -> Self {
        match (self, number) {
            (Self::Detect, 25 | 587 | 3306 | 4444 | 5432 | 6379 | 9300 | 11211) => Self::Tcp,
            (known, _) => known,
        }
    }

    /// The word for users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::H2 => "h2",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
            Self::Detect => "detect",
            Self::Udp => "udp",
        }
    }

    /// Whether a browser or `curl` can be sent there with an `http://` URL.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Detect)
    }

    /// HTTP/2 and nothing else.
    pub fn is_http2(self) -> bool {
        matches!(self, Self::H2 | Self::Grpc)
    }

    /// Whether it is HTTP of some version.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::H2 | Self::Grpc)
    }

    /// The scheme of this port's URL.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http | Self::H2 | Self::Grpc | Self::Detect => "http",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_protocol() {
        let cases = [
            ("http", Protocol::Http),
            ("http-admin", Protocol::Http),
            ("grpc", Protocol::Grpc),
            ("postgres", Protocol::Tcp),
            ("main", Protocol::Detect),
            ("metrics", Protocol::Detect),
        ];
        for (name, protocol) in cases {
            assert_eq!(Protocol::from_port_name(name), protocol, "{name}");
        }
    }

    #[test]
    fn the_port_for_the_web_is_one_that_says_so() {
        use Protocol::{Detect, Grpc, H2, Http, Tcp, Udp};
        let cases: [(&[Protocol], Option<usize>); 7] = [
            (&[Detect, Http], Some(1)),
            (&[Grpc, Detect, Http], Some(2)),
            (&[Detect, Tcp, Grpc], Some(2)),
            (&[Detect, H2], Some(1)),
            (&[Tcp, Detect, Detect], Some(1)),
            (&[Tcp, Udp], None),
            (&[], None),
        ];
        for (ports, place) in cases {
            assert_eq!(web_port(ports.iter().copied()), place, "{ports:?}");
        }
    }

    #[test]
    fn numbers_tell_where_names_do_not() {
        assert_eq!(Protocol::Detect.at(3306), Protocol::Tcp);
        assert_eq!(Protocol::Detect.at(8080), Protocol::Detect);
        assert_eq!(Protocol::Http.at(3306), Protocol::Http);
    }
}
