//! Where the programs of a pod listen, asked of its kernel.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::clock;
use super::listeners::{Listeners, Open, listens, takes_datagrams};
use crate::launcher::pod::ENGINE;
use crate::model::Protocol;
use crate::plan::{PlannedPort, twin};

/// What was heard is good for this long where nobody asks for the present: a look costs, and callers may be many.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// More are not listed.
const MOST: usize = 5;

/// Where the programs of a pod listen; clones share the way there.
#[derive(Debug, Clone)]
pub struct Ears {
    /// The pod's own.
    address: Ipv4Addr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// There once the pod is complete. One question at a time: the answers come in order.
    diagnosis: OnceLock<Mutex<OwnedFd>>,
    /// Pid 1 of the pod, once it is known.
    init: OnceLock<u32>,
    heard: Mutex<Option<(Instant, Vec<Open>)>>,
}

/// A port on which nobody listens where callers are led: what was expected, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unheard {
    port: u16,
    /// What is open, which is known only of streams.
    open: Option<Vec<Open>>,
}

impl Ears {
    /// For a pod to be, which has `address`.
    pub fn new(address: Ipv4Addr) -> Self {
        Self { address, shared: Arc::default() }
    }

    /// The pod is complete, and can be asked through this.
    pub fn complete(&self, diagnosis: OwnedFd) {
        let _ = self.shared.diagnosis.set(diagnosis.into());
    }

    /// Whose descendants its programs are.
    pub fn descend_from(&self, init: u32) {
        let _ = self.shared.init.set(init);
    }

    /// Whether a program is there for callers of a port.
    pub fn answers(&self, port: &PlannedPort) -> bool {
        port.listen().is_some_and(|number| match port.protocol {
            Protocol::Udp => self.taker(number).is_some(),
            _ => self.hear(number),
        })
    }

    /// Whether a program listens on a port, where callers are led.
    pub fn hear(&self, port: u16) -> bool {
        self.by_ipv4(port) || self.by_ipv6(port)
    }

    /// Whether a program is there for callers by IPv6, and by that alone.
    pub fn by_ipv6_alone(&self, port: u16) -> bool {
        !self.by_ipv4(port) && self.by_ipv6(port)
    }

    /// Where in the pod a program takes datagrams to a port; `None` where nobody does.
    pub fn taker(&self, port: u16) -> Option<IpAddr> {
        let places =
            [self.address.into(), Ipv4Addr::LOCALHOST.into(), twin(self.address).into(), Ipv6Addr::LOCALHOST.into()];
        places
            .into_iter()
            .find(|place: &IpAddr| self.ask(|socket| takes_datagrams(socket, (*place, port).into())).unwrap_or(false))
    }

    /// Whether there is anybody to ask: nobody of what the pod's engine does not see into, as a container is.
    pub fn can_be_asked(&self) -> bool {
        self.shared.diagnosis.get().is_some()
    }

    /// All that listens, with the programs.
    pub fn open(&self) -> Vec<Open> {
        let listeners = self.ask(|socket| Listeners::look_by(socket).ok()).flatten().unwrap_or_default();
        let mut open = listeners.open(self.shared.init.get().copied());
        open.retain(|it| it.port != ENGINE);
        open
    }

    /// The same, as it was a short while ago.
    pub fn lately(&self) -> Vec<Open> {
        let mut heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match &*heard {
            Some((at, open)) if at.elapsed() < GOOD_FOR => open.clone(),
            _ => heard.insert((clock::instant(), self.open())).1.clone(),
        }
    }

    fn by_ipv4(&self, port: u16) -> bool {
        self.any(port, &[self.address.into(), Ipv4Addr::LOCALHOST.into()])
    }

    fn by_ipv6(&self, port: u16) -> bool {
        self.any(port, &[twin(self.address).into(), Ipv6Addr::LOCALHOST.into()])
    }

    fn any(&self, port: u16, addresses: &[IpAddr]) -> bool {
        self.ask(|socket| listens(socket, port, addresses)).unwrap_or(false)
    }

    fn ask<T>(&self, question: impl FnOnce(&OwnedFd) -> T) -> Option<T> {
        self.shared.diagnosis.get().map(|socket| question(&socket.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// On which address of the loopback a program listens on a port, where it does so on one that nobody expects.
pub fn astray(open: &[Open], port: u16) -> Option<Ipv4Addr> {
    open.iter().filter(|it| it.port == port).find_map(|it| match it.address.to_canonical() {
        IpAddr::V4(address) if address.is_loopback() && address != Ipv4Addr::LOCALHOST => Some(address),
        _ => None,
    })
}

impl Unheard {
    /// What is said of a port on which nobody was found, while these are open.
    pub fn new(port: u16, open: Vec<Open>) -> Self {
        Self { port, open: Some(open) }
    }

    /// What is said of a port for datagrams that nobody takes.
    pub fn of_datagrams(port: u16) -> Self {
        Self { port, open: None }
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, open: Some(open) } = self else {
            return write!(f, "nobody takes datagrams on {}", self.port);
        };
        if let Some(address) = astray(open, *port) {
            return write!(f, "listens on {address}:{port} only; calls find it here, but would not in production");
        }
        let mut words: Vec<String> = Vec::new();
        for word in open.iter().map(Open::to_string) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        write!(f, "expected {port}, ")?;
        let more = words.len().saturating_sub(MOST);
        match words.as_slice() {
            [] => f.write_str("nothing is open"),
            [only] => write!(f, "open is only {only}"),
            all if more > 0 => write!(f, "open are {} and {more} more", all[..MOST].join(", ")),
            [first @ .., last] => write!(f, "open are {} and {last}", first.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(at: &str, program: &str) -> Open {
        let at: std::net::SocketAddr = at.parse().unwrap();
        let program = (!program.is_empty()).then(|| program.to_owned());
        Open { port: at.port(), address: at.ip(), program }
    }

    #[test]
    fn a_port_on_which_nobody_listens_is_told_with_what_is_open() {
        let many: Vec<Open> = (1..8).map(|port| open(&format!("0.0.0.0:{port}"), "")).collect();
        let cases = [
            (vec![], "expected 8080, nothing is open"),
            (vec![open("0.0.0.0:3000", "node")], "expected 8080, open is only 3000 (node)"),
            (
                vec![open("0.0.0.0:3000", "node"), open("[::]:3000", "node"), open("127.0.0.1:9229", "")],
                "expected 8080, open are 3000 (node) and 9229",
            ),
            (many, "expected 8080, open are 1, 2, 3, 4, 5 and 2 more"),
            (
                vec![open("127.0.0.2:8080", "node")],
                "listens on 127.0.0.2:8080 only; calls find it here, but would not in production",
            ),
        ];
        for (open, said) in cases {
            assert_eq!(Unheard::new(8080, open).to_string(), said);
        }
    }

    #[test]
    fn only_another_address_of_the_loopback_is_astray() {
        let cases = [
            ("127.0.0.2:80", Some(Ipv4Addr::new(127, 0, 0, 2))),
            ("[::ffff:127.1.2.3]:80", Some(Ipv4Addr::new(127, 1, 2, 3))),
            ("127.0.0.1:80", None),
            ("127.0.0.2:81", None),
            ("10.66.0.1:80", None),
            ("0.0.0.0:80", None),
            ("[::1]:80", None),
        ];
        for (at, found) in cases {
            assert_eq!(astray(&[open(at, "")], 80), found, "{at}");
        }
    }
}
