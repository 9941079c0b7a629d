//! What the host itself knows of names: its servers, and its hosts file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::effects::{clock, fs};
use crate::route::resolv::{Nameserver, ResolvConf};
use crate::route::zone::normal;

/// So long the files are taken to be as they were: laptops change networks, but not between two queries.
const FRESH: Duration = Duration::from_secs(2);

/// The host's two files, read again when they may have changed.
#[derive(Debug)]
pub struct Host {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    port: u16,
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    read: Option<Instant>,
    texts: [String; 2],
    servers: Vec<SocketAddr>,
    names: HashMap<String, Vec<IpAddr>>,
}

impl Host {
    /// This machine's files.
    pub fn this() -> Self {
        Self::reading("/etc/resolv.conf".into(), "/etc/hosts".into(), 53)
    }

    /// Other files, and the port on which the servers in them listen. Files that are not there are empty.
    pub fn reading(resolv_conf: PathBuf, hosts: PathBuf, port: u16) -> Self {
        Self { resolv_conf, hosts, port, known: RefCell::default() }
    }

    /// The servers to ask, best first.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.refresh();
        self.known.borrow().servers.clone()
    }

    /// The addresses of a name in the hosts file.
    pub fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.refresh();
        self.known.borrow().names.get(name).cloned()
    }

    /// Whether a server is near enough to know names of one label, as the router knows `printer`. Those of the
    /// internet never do, and need not hear of them.
    pub fn knows_short_names(&self) -> bool {
        self.servers().iter().any(|server| is_near(server.ip()))
    }

    fn refresh(&self) {
        let now = clock::instant();
        let mut known = self.known.borrow_mut();
        if known.read.is_some_and(|read| now.duration_since(read) < FRESH) {
            return;
        }
        known.read = Some(now);
        let texts = [&self.resolv_conf, &self.hosts].map(|path| fs::read_foreign(path));
        if known.texts != texts {
            known.servers = servers(&texts[0], self.port);
            known.names = names(&texts[1]);
            known.texts = texts;
        }
    }
}

fn servers(text: &str, port: u16) -> Vec<SocketAddr> {
    let address = |server: Nameserver| match server.scope {
        None => Some(SocketAddr::new(server.address, port)),
        // The system's resolver reads the name of an interface; it asks nobody for an address.
        Some(scope) => (format!("{}%{scope}", server.address), port).to_socket_addrs().ok()?.next(),
    };
    ResolvConf::parse(text).nameservers.into_iter().filter_map(address).collect()
}

fn names(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut names: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for name in words {
            names.entry(normal(name)).or_default().push(address);
        }
    }
    names
}

/// On this machine or in its network.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared(v4.octets()),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Addresses that many networks behind one share (RFC 6598), overlay networks such as Tailscale's among them.
fn is_shared(octets: [u8; 4]) -> bool {
    octets[0] == 100 && octets[1] & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_the_port() {
        let text = "nameserver 127.0.0.53\nnameserver 2001:db8::1\nnameserver fe80::1%no-such-interface\n";
        assert_eq!(
            servers(text, 53).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.53:53", "[2001:db8::1]:53"]
        );
        let scoped = servers("nameserver fe80::1%lo\n", 53);
        assert!(matches!(scoped[..], [SocketAddr::V6(server)] if server.scope_id() != 0), "{scoped:?}");
    }

    #[test]
    fn hosts_have_all_their_addresses() {
        let names = names("127.0.0.1 localhost\n::1 localhost # six\n#1.2.3.4 no\n10.0.0.1 NAS.lan. nas\nnonsense x\n");
        let addresses = |name: &str| names.get(name).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(addresses("localhost").unwrap(), ["127.0.0.1", "::1"]);
        assert_eq!(addresses("nas.lan").unwrap(), ["10.0.0.1"]);
        assert_eq!(addresses("nas").unwrap(), ["10.0.0.1"]);
        assert_eq!([addresses("no"), addresses("x")], [None, None]);
    }

    #[test]
    fn near_servers_are_those_of_this_network() {
        for near in ["127.0.0.53", "192.168.1.1", "10.0.0.2", "169.254.169.253", "100.100.100.100", "fd00::1", "::1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["8.8.8.8", "100.128.0.1", "2001:4860:4860::8888", "172.15.0.1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn missing_files_are_empty() {
        let host = Host::reading("/nonexistent/resolv.conf".into(), "/nonexistent/hosts".into(), 53);
        assert_eq!((host.servers(), host.addresses("localhost"), host.knows_short_names()), (Vec::new(), None, false));
    }
}
