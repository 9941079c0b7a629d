//! `resolv.conf`, read as glibc reads it (resolv.conf(5)).

use std::net::{IpAddr, Ipv6Addr};

/// Servers beyond these are not asked (glibc's MAXNS).
const MOST_SERVERS: usize = 3;

/// What a `resolv.conf` says; that of a missing file is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    pub nameservers: Vec<Nameserver>,
    pub search: Vec<String>,
    /// `ndots:1`, `edns0` and so on, as they are written.
    pub options: Vec<String>,
}

/// A server that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameserver {
    pub address: IpAddr,
    /// The interface behind the `%` of a link-local address.
    pub scope: Option<String>,
}

impl ResolvConf {
    /// Reads a file's text; what cannot be understood is passed over, as resolvers do.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            // A keyword stands at the very beginning of its line; so do the signs of a comment.
            let mut words = line.split_whitespace();
            match words.next().filter(|word| line.starts_with(word)) {
                Some("nameserver") => conf.nameservers.extend(words.next().and_then(Nameserver::parse)),
                // The last of these lines holds. The root, as systemd-resolved writes it, adds nothing.
                Some("search" | "domain") => {
                    conf.search = words.filter(|domain| *domain != ".").map(str::to_owned).collect();
                }
                Some("options") => conf.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        conf.nameservers.truncate(MOST_SERVERS);
        conf
    }
}

impl Nameserver {
    fn parse(word: &str) -> Option<Self> {
        if let Ok(address) = word.parse() {
            return Some(Self { address, scope: None });
        }
        let (address, scope) = word.split_once('%')?;
        let address: Ipv6Addr = address.parse().ok()?;
        Some(Self { address: address.into(), scope: Some(scope.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        ResolvConf::parse(text).nameservers.iter().map(|server| server.address.to_string()).collect()
    }

    #[test]
    fn reads_servers_search_and_options() {
        let text = "# by hand\n; also a comment\nnameserver 192.168.1.1\nnameserver\t2001:db8::1 # home\n\
                    domain old.example\nsearch corp.example  lab.example\noptions edns0 ndots:2\noptions trust-ad\n";
        let conf = ResolvConf::parse(text);
        assert_eq!(addresses(text), ["192.168.1.1", "2001:db8::1"]);
        assert_eq!(conf.search, ["corp.example", "lab.example"]);
        assert_eq!(conf.options, ["edns0", "ndots:2", "trust-ad"]);
    }

    #[test]
    fn passes_over_what_it_cannot_read() {
        assert_eq!(ResolvConf::parse(""), ResolvConf::default());
        let text = "nameserver\nnameserver nonsense\n  nameserver 10.0.0.1\nnameservers 10.0.0.2\nnameserver 10.0.0.3";
        assert_eq!(addresses(text), ["10.0.0.3"]);
        assert_eq!(ResolvConf::parse("search a\nsearch .\n").search, [""; 0]);
    }

    #[test]
    fn asks_three_servers_at_most() {
        let text: String = (1..6).map(|n| format!("nameserver 10.0.0.{n}\n")).collect();
        assert_eq!(addresses(&text), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    }

    #[test]
    fn keeps_the_interface_of_a_link_local_server() {
        let conf = ResolvConf::parse("nameserver fe80::1%wlan0\nnameserver ::1\n");
        assert_eq!(conf.nameservers[0].scope.as_deref(), Some("wlan0"));
        assert_eq!(conf.nameservers[1], Nameserver { address: Ipv6Addr::LOCALHOST.into(), scope: None });
    }
}
