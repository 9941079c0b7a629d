//! Where the programs of a pod listen, asked of its kernel.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::clock;
use super::listeners::{Listeners, Open, bound_to, listens, takes_datagrams};
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

/// Who takes the datagrams to a port of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taker {
    /// A program that is bound to this address, or to all of its family.
    At(IpAddr),
    Nobody,
    /// The kernel does not tell, or cannot be asked, as that of a container.
    Unknown,
}

/// A port on which nobody listens where callers are led: what was expected, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// What streams there is, in its place.
    Stream {
        port: u16,
        open: Vec<Open>,
    },
    Datagrams {
        port: u16,
    },
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
            Protocol::Udp => self.taker(number) != Taker::Nobody,
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

    /// Where in the pod a program takes datagrams to a port.
    pub fn taker(&self, port: u16) -> Taker {
        let own = IpAddr::from(self.address);
        let places = [own, Ipv4Addr::LOCALHOST.into(), twin(self.address).into(), Ipv6Addr::LOCALHOST.into()];
        let takes = |place: &IpAddr| self.ask(|socket| takes_datagrams(socket, (*place, port).into()));
        if let Some(place) = places.into_iter().find(|place| takes(place) == Some(true)) {
            return Taker::At(place);
        }
        // Some are found by no look-up: who takes them from one sender alone, or from one device.
        match self.ask(|socket| bound_to(socket, port)) {
            Some(Ok(bound)) if bound.is_empty() => Taker::Nobody,
            Some(Ok(bound)) => Taker::At(bound.into_iter().find(|address| !address.is_unspecified()).unwrap_or(own)),
            Some(Err(_)) | None => Taker::Unknown,
        }
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
        Self::Stream { port, open }
    }

    /// What is said of a port for datagrams that nobody takes.
    pub fn of_datagrams(port: u16) -> Self {
        Self::Datagrams { port }
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (port, open) = match self {
            Self::Stream { port, open } => (port, open),
            Self::Datagrams { port } => return write!(f, "nobody takes datagrams on {port}"),
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
