//! Where bound names lead, in linkerd's shape.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::delegate_tree::{Addr, Endpoint, Meta};
use crate::dtab::Place;
use crate::route::{Location, Upstream};

/// The addresses of host names, as far as they were looked up; and those that were asked for and are not known.
#[derive(Debug, Default)]
pub struct Hosts {
    pub known: HashMap<String, Vec<IpAddr>>,
    pub wanted: RefCell<Vec<String>>,
}

impl Hosts {
    /// Where a place is. A service is at its first port for browsers, or else at its first: what is asked for is not
    /// said. In a pod that is the address at which other pods call it.
    pub fn addr(&self, place: &Place<Arc<Upstream>>) -> Addr {
        match place {
            Place::At(upstream) => self.upstream(upstream),
            Place::Inet(address) => self.at(&address.host, address.port),
            Place::Vacant => bound(&[], 0),
        }
    }

    fn upstream(&self, upstream: &Upstream) -> Addr {
        let Some(port) = upstream.web_port().or((!upstream.ports.is_empty()).then_some(0)) else {
            return bound(&[], 0);
        };
        let port = &upstream.ports[port];
        match &port.location {
            Location::Loopback(number) => bound(&[Ipv4Addr::LOCALHOST.into()], *number),
            Location::Pod { .. } => bound(&[upstream.called.into()], port.number),
            Location::Elsewhere { host, port, .. } => self.at(host, *port),
        }
    }

    /// A name that nobody knows is negative, as with finagle.
    fn at(&self, host: &str, port: u16) -> Addr {
        if let Ok(ip) = host.parse() {
            return bound(&[ip], port);
        }
        match self.known.get(host).map(Vec::as_slice) {
            Some([]) => Addr::Neg,
            Some(ips) => bound(ips, port),
            None if host == "localhost" => bound(&[Ipv4Addr::LOCALHOST.into()], port),
            None => {
                self.wanted.borrow_mut().push(host.to_owned());
                Addr::Pending
            }
        }
    }
}

fn bound(ips: &[IpAddr], port: u16) -> Addr {
    let endpoint = |ip: &IpAddr| Endpoint { ip: ip.to_string(), port, meta: Meta {} };
    Addr::Bound { addrs: ips.iter().map(endpoint).collect(), meta: Meta {} }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtab::Address;

    fn addr(hosts: &Hosts, host: &str) -> Addr {
        hosts.addr(&Place::Inet(Address { host: host.to_owned(), port: 80 }))
    }

    #[test]
    fn host_names_are_asked_for_and_then_known() {
        let mut hosts = Hosts::default();
        assert_eq!(addr(&hosts, "localhost"), bound(&[Ipv4Addr::LOCALHOST.into()], 80));
        assert_eq!(addr(&hosts, "::1"), bound(&["::1".parse().unwrap()], 80));
        assert_eq!([addr(&hosts, "a.test"), addr(&hosts, "b.test")], [Addr::Pending, Addr::Pending]);
        assert_eq!(hosts.wanted.take(), ["a.test", "b.test"]);
        let ips: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap()).to_vec();
        hosts.known = HashMap::from([("a.test".to_owned(), ips.clone()), ("b.test".to_owned(), Vec::new())]);
        assert_eq!([addr(&hosts, "a.test"), addr(&hosts, "b.test")], [bound(&ips, 80), Addr::Neg]);
        assert_eq!((hosts.addr(&Place::Vacant), hosts.wanted.take().len()), (bound(&[], 0), 0));
    }
}
