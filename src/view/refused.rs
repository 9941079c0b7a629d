//! Calls that came to nothing in their caller's own pod, and what would help.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use crate::model::Protocol;
use crate::plan::{HOST, HOST_NAME, Plan, Planned};
use crate::route::Availability;
use crate::supervise::{State, Status};

/// More are not shown.
const MOST: usize = 8;

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Whom the service called: `localhost:5432`, `db:5432`, `192.0.2.1:443`.
    pub to: String,
    /// Why it was refused, and what to do about it.
    pub hint: String,
}

/// What was in the way of calls to a service, and is no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It was in this state.
    Absent(State),
    /// The manifest gave it other ports.
    OtherPorts,
    /// `strict: true` may have forbidden the call.
    Forbidden,
}

/// Who judges what one service dialled.
#[derive(Debug)]
pub struct Judge<'a> {
    pub plan: &'a Plan,
    pub place: usize,
    /// Of all services, now.
    pub statuses: &'a [Status],
    /// Of all services, as long as this one runs.
    pub past: &'a [Vec<Past>],
}

impl Judge<'_> {
    /// What is to be said of it. `listens` tells whether somebody listens on a port of the service's own loopback.
    pub fn refused(&self, dialled: &[SocketAddrV4], listens: impl Fn(u16) -> bool) -> Vec<Refused> {
        let vain = dialled.iter().filter(|at| !at.ip().is_loopback() || !listens(at.port()));
        let mut out: Vec<Refused> = vain.filter_map(|at| self.one(*at)).collect();
        out.sort_by(|one, other| one.to.cmp(&other.to));
        out.dedup();
        out.truncate(MOST);
        out
    }

    fn one(&self, at: SocketAddrV4) -> Option<Refused> {
        let (address, port) = (*at.ip(), at.port());
        if address.is_loopback() {
            return self.on_loopback(port);
        }
        let callee = self.plan.services.iter().position(|planned| planned.addresses.called == address);
        Some(match callee {
            Some(callee) => {
                let name = &self.plan.services[callee].name;
                Refused { to: format!("{name}:{port}"), hint: self.at_service(callee, port) }
            }
            None => {
                let host = if address == HOST { HOST_NAME.to_owned() } else { address.to_string() };
                Refused { to: format!("{host}:{port}"), hint: "`egress: deny` forbids it".to_owned() }
            }
        })
    }

    /// Its own declared ports are nobody else's, and whether it listens there is told elsewhere.
    fn on_loopback(&self, port: u16) -> Option<Refused> {
        let has = |planned: &Planned| planned.ports.iter().any(|known| known.number == port);
        if has(&self.plan.services[self.place]) {
            return None;
        }
        let hint = match self.plan.services.iter().find(|planned| has(planned)) {
            Some(owner) => format!("localhost is its own pod; {0} has that port: `{0}:{port}`", owner.name),
            None => format!("localhost is its own pod; this machine's is `{HOST_NAME}:{port}`"),
        };
        Some(Refused { to: format!("localhost:{port}"), hint })
    }

    fn at_service(&self, callee: usize, port: u16) -> String {
        let planned = &self.plan.services[callee];
        let name = &planned.name;
        let is_declared = self.plan.edges.iter().any(|edge| (edge.from, edge.to) == (self.place, callee));
        if self.plan.strict && !is_declared {
            return format!(
                "`strict: true` forbids it, as {} does not declare it",
                self.plan.services[self.place].name
            );
        }
        let mut known = planned.all_ports().filter(|known| known.number == port).peekable();
        if known.peek().is_none() {
            return undeclared(planned, port);
        }
        let absent = self.absent(callee);
        match known.all(|known| known.protocol == Protocol::Udp) {
            // Which it was the pod's kernel has not written down.
            true => match absent {
                Some(absent) => format!("{name} takes only datagrams (udp) at {port}; or {absent}"),
                None => format!("{name} takes only datagrams (udp) at {port}"),
            },
            false => absent.unwrap_or_else(|| {
                format!("{name} {} now; why it could not be called then is not known", self.said(callee))
            }),
        }
    }

    fn said(&self, service: usize) -> &'static str {
        self.statuses.get(service).map_or("is unknown", |status| status.state.said())
    }

    /// What is, or was, in the way, as far as that is known.
    fn absent(&self, callee: usize) -> Option<String> {
        let (name, status) = (&self.plan.services[callee].name, self.statuses.get(callee)?);
        if matches!(Availability::of(status), Availability::Absent(_)) {
            return Some(format!("{name} {}", status.state.said()));
        }
        let past: Vec<String> = self.past.get(callee)?.iter().map(|past| past.told()).collect();
        let past = match past.as_slice() {
            [] => return None,
            [only] => only.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        };
        Some(format!("{name} {past} then; it {} now", status.state.said()))
    }
}

impl Past {
    fn told(self) -> String {
        match self {
            Self::Absent(State::Failed) => "had failed".to_owned(),
            Self::Absent(State::Completed) => "had completed".to_owned(),
            Self::Absent(State::Backoff) => "was waiting to be started again".to_owned(),
            Self::Absent(state) => format!("was {}", state.word()),
            Self::OtherPorts => "had other ports".to_owned(),
            Self::Forbidden => "might be called by fewer (`strict: true`)".to_owned(),
        }
    }
}

/// That a service has not the port, and which it has.
fn undeclared(callee: &Planned, port: u16) -> String {
    let name = &callee.name;
    let known: Vec<String> = callee.all_ports().map(|known| format!("{} ({})", known.number, known.name)).collect();
    match known.as_slice() {
        [] => format!("{name} declares no ports; where it listens on {port}, put that into its `ports`"),
        [only] => format!("{name} declares no port {port}, only {only}"),
        [first @ .., last] => format!("{name} declares no port {port}, only {} and {last}", first.join(", ")),
    }
}
