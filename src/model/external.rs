//! A service that lives elsewhere, by its URL.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::{Port, Protocol};

/// Where a service lives that is not run here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct External {
    pub scheme: Scheme,
    /// A host name or an address, an IPv6 one without its brackets.
    pub host: Arc<str>,
    pub port: u16,
    /// What a URL of it ends with: empty, or `/v1`. Part of the address, not of the way: callers put it before theirs.
    pub path: String,
}

/// How it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
    Grpc,
    Grpcs,
    Tcp,
}

/// Why a text is no URL of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    #[error("it does not begin with a scheme")]
    NoScheme,
    #[error("`{0}` is no scheme that can be called here")]
    Scheme(String),
    /// Not shown: it may hold a password.
    #[error("an account does not belong into it")]
    Account,
    #[error("`{0}` is no host")]
    Host(String),
    #[error("`{0}` is no port")]
    Port(String),
    #[error("`{0}://` needs a port")]
    NoPort(&'static str),
    #[error("`{0}://` ends with the port")]
    Path(&'static str),
    #[error("it ends with the path, without `?` and `#`")]
    Query,
}

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 5] = [Self::Http, Self::Https, Self::Grpc, Self::Grpcs, Self::Tcp];

    /// The word before `://`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Tcp => "tcp",
        }
    }

    /// Whether it is spoken within TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }

    /// What is spoken, within TLS where there is some.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Http | Self::Https => Protocol::Http,
            Self::Grpc | Self::Grpcs => Protocol::Grpc,
            Self::Tcp => Protocol::Tcp,
        }
    }

    /// The port of a URL without one (RFC 9110 section 4.2, gRPC's naming).
    fn usual_port(self) -> Option<u16> {
        match self {
            Self::Http | Self::Grpc => Some(80),
            Self::Https | Self::Grpcs => Some(443),
            Self::Tcp => None,
        }
    }
}

impl External {
    /// Reads a URL; see [`BadUrl`] for what is refused.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let (word, rest) = url.split_once("://").ok_or(BadUrl::NoScheme)?;
        let known = Scheme::ALL.into_iter().find(|scheme| scheme.word().eq_ignore_ascii_case(word));
        let scheme = known.ok_or_else(|| BadUrl::Scheme(word.to_owned()))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(BadUrl::Account);
        }
        if path.contains(['?', '#']) {
            return Err(BadUrl::Query);
        }
        let path = path.trim_end_matches('/');
        if !path.is_empty() && scheme.protocol() != Protocol::Http {
            return Err(BadUrl::Path(scheme.word()));
        }
        let (host, port) = split_port(authority)?;
        let port = port.or(scheme.usual_port()).ok_or(BadUrl::NoPort(scheme.word()))?;
        Ok(Self { scheme, host: read_host(host)?, port, path: path.to_owned() })
    }

    /// The port of a declaration that has none.
    pub fn port(&self) -> Port {
        let protocol = self.scheme.protocol();
        Port { name: protocol.word().to_owned(), number: self.port, protocol }
    }

    /// The number outside for the port at a place: the URL's for the one declared with that number, or, where none is,
    /// for the first; the others keep theirs.
    pub fn number(&self, ports: &[Port], place: usize) -> u16 {
        let own = ports.iter().position(|port| port.number == self.port).unwrap_or(0);
        if place == own { self.port } else { ports[place].number }
    }
}

/// The URL, with its port where that is not the usual one.
impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.word())?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        if self.scheme.usual_port() != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// `host:port`, `[v6]:port`, or either without the port.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), BadUrl> {
    let brackets = match authority.starts_with('[') {
        true => authority.find(']').ok_or_else(|| BadUrl::Host(authority.to_owned()))?,
        false => 0,
    };
    let Some(colon) = authority[brackets..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(brackets + colon);
    match port[1..].parse() {
        Ok(number) if number > 0 => Ok((host, Some(number))),
        _ => Err(BadUrl::Port(port[1..].to_owned())),
    }
}

/// Any name that a resolver might know, `localhost` too: some programs run beside the workspace.
fn read_host(text: &str) -> Result<Arc<str>, BadUrl> {
    let bad = || BadUrl::Host(text.to_owned());
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(bad)?;
        return inner.parse::<Ipv6Addr>().map(|address| address.to_string().into()).map_err(|_| bad());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let good = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(allowed);
    let name = text.strip_suffix('.').unwrap_or(text);
    (name.len() <= 253 && name.split('.').all(good)).then(|| text.to_ascii_lowercase().into()).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let cases = [
            ("https://api.stripe.com", ("api.stripe.com", 443, "", Protocol::Http, true)),
            ("http://localhost:3000/", ("localhost", 3000, "", Protocol::Http, false)),
            ("HTTPS://API.example.com/v1/", ("api.example.com", 443, "/v1", Protocol::Http, true)),
            ("tcp://db.example.com:5432", ("db.example.com", 5432, "", Protocol::Tcp, false)),
            ("grpc://10.0.0.7:50051", ("10.0.0.7", 50051, "", Protocol::Grpc, false)),
            ("grpcs://pay.example.com", ("pay.example.com", 443, "", Protocol::Grpc, true)),
            ("http://[::1]:8080", ("::1", 8080, "", Protocol::Http, false)),
            ("http://[2001:db8::1]", ("2001:db8::1", 80, "", Protocol::Http, false)),
        ];
        for (url, expected) in cases {
            let read = External::parse(url).unwrap();
            let scheme = read.scheme;
            assert_eq!((&*read.host, read.port, &*read.path, scheme.protocol(), scheme.is_tls()), expected, "{url}");
        }
    }

    #[test]
    fn they_are_shown_as_they_would_be_written() {
        for url in ["https://api.stripe.com", "http://x:3000/v1", "tcp://db:5432", "http://[::1]:8080"] {
            assert_eq!(External::parse(url).unwrap().to_string(), url);
        }
        assert_eq!(External::parse("http://x:80/").unwrap().to_string(), "http://x");
    }

    #[test]
    fn what_cannot_be_called_is_refused_with_its_reason() {
        let host = |text: &str| BadUrl::Host(text.to_owned());
        let cases = [
            ("api.stripe.com", BadUrl::NoScheme),
            ("ftp://x", BadUrl::Scheme("ftp".into())),
            ("https://me:secret@x", BadUrl::Account),
            ("https://", host("")),
            ("https://a b", host("a b")),
            ("http://[::1", host("[::1")),
            ("http://[x]", host("[x]")),
            ("http://a..b", host("a..b")),
            ("http://x:0", BadUrl::Port("0".into())),
            ("http://x:", BadUrl::Port(String::new())),
            ("http://x:y", BadUrl::Port("y".into())),
            ("tcp://db", BadUrl::NoPort("tcp")),
            ("tcp://db:1/x", BadUrl::Path("tcp")),
            ("https://x/?a", BadUrl::Query),
            ("https://x#a", BadUrl::Query),
        ];
        for (url, reason) in cases {
            assert_eq!(External::parse(url), Err(reason), "{url}");
        }
    }

    #[test]
    fn the_port_of_the_url_is_found_among_the_declared() {
        let port = |number| Port { name: format!("p{number}"), number, protocol: Protocol::Http };
        let url = |text| External::parse(text).unwrap();
        assert_eq!(url("https://x").number(&[port(80), port(9100)], 0), 443);
        assert_eq!(url("https://x").number(&[port(80), port(9100)], 1), 9100);
        let named = [port(9187), port(5432)];
        assert_eq!([0, 1].map(|place| url("tcp://db:5432").number(&named, place)), [9187, 5432]);
    }
}
