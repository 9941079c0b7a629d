//! Where a pod's packets go: one nat chain on output for each family of addresses.
//!
//! Every stream that leaves for anywhere but the pod itself comes to the one listener, every question of names to the
//! engine's socket, every other datagram to another, which has the listener's number. Nothing that leaves reaches any
//! network: there is none. A set holds the addresses of services that the pod knows, another their ports that can be
//! called now: all else at these addresses is refused by the kernel, so that `wait-for-it db:5432` learns the truth.

use std::net::{IpAddr, Ipv4Addr};

use rustix::io::Errno;

use super::control::OpenPort;
use super::netlink::Protocol;
use super::rules::{Family, Hook, Match, TCP, Table, UDP, Verdict, whole};
use super::{ENGINE, NAMES, NOBODY, Network};
use crate::plan::{RANGE6, Subnet, twin};

/// The families of a pod.
pub type Families = &'static [Family];
/// Those of a pod that shares the host's network.
pub const NONE: Families = &[];
const BOTH: Families = &[Family::V4, Family::V6];
pub const V4: Families = &[Family::V4];

/// Sets up all rules of a pod; for which families is returned.
pub fn install(pod: &Network) -> Result<Families, Errno> {
    let commit = |(families, notes): (Families, bool)| {
        let batch = whole(|batch| {
            for &family in families {
                fill(&mut Table { batch, family, notes: notes && family == Family::V4, hook: Hook::Output }, pod);
            }
        });
        batch.send(Protocol::Netfilter).map(|()| families)
    };
    // A kernel may know no IPv6, or no nat for it, or no sets that rules add to.
    let lesser = [(BOTH, false), (V4, true), (V4, false)];
    lesser.into_iter().fold(commit((BOTH, true)), |done, less| done.or_else(|_| commit(less)))
}

/// Sets up the rules of a router: what arrives for a range comes to the engine, but for what is the router's own.
pub fn install_router(subnet: Subnet) -> Result<(), Errno> {
    let batch = whole(|batch| {
        let mut table = Table { batch, family: Family::V4, notes: false, hook: Hook::Arrival };
        table.make();
        table.rule(&[Match::Address(subnet.router().into())], Verdict::Accept);
        table.rule(&[Match::Transport(TCP), Match::Refused], Verdict::Redirect(NOBODY));
        table.rule(&[Match::Transport(UDP), Match::Port(53)], Verdict::Redirect(NAMES));
        // Datagrams come to sockets at the addresses themselves: nobody here can be asked whom one was meant for that was
        // redirected, as the engine may not be root.
        let range = Match::Range((subnet.base().into(), Subnet::PREFIX));
        table.rule(&[Match::Transport(TCP), range], Verdict::Redirect(ENGINE));
    });
    batch.send(Protocol::Netfilter)
}

fn fill(table: &mut Table<'_>, pod: &Network) {
    table.make();
    if pod.answers_names {
        table.rule(&[Match::Loopback], Verdict::Accept);
        table.rule(&[Match::Address(of(table.family, pod.address))], Verdict::Accept);
    }
    // A service that is a server of names itself is asked by its own.
    let question = [Match::Transport(UDP), Match::Port(53)];
    table.rule(&[&question[..], &[Match::Open]].concat(), Verdict::Redirect(ENGINE));
    table.rule(&[&question[..], &[Match::Refused]].concat(), Verdict::Redirect(NOBODY));
    let names = match table.family {
        Family::V4 => NAMES,
        // Servers of IPv6 are asked by who does not read resolv.conf: too few for a socket of their own.
        Family::V6 => ENGINE,
    };
    table.rule(&question, Verdict::Redirect(names));
    if pod.front_door != 0 {
        let door = [Match::Transport(TCP), Match::Loopback, Match::Port(pod.front_door)];
        table.rule(&door, Verdict::Redirect(ENGINE));
    }
    // Calls into the pod go to the loopback too, from the address of whoever calls.
    note(table, &[Match::Transport(TCP), Match::Loopback, Match::FromLoopback]);
    table.rule(&[Match::Loopback], Verdict::Accept);
    table.rule(&[Match::Address(of(table.family, pod.address))], Verdict::Accept);
    note(table, &[Match::HasPorts, Match::Refused]);
    table.rule(&[Match::HasPorts, Match::Refused], Verdict::Redirect(NOBODY));
    match pod.confined {
        Some(host) => {
            let range = match table.family {
                Family::V4 => (pod.range.0.into(), pod.range.1),
                Family::V6 => (RANGE6.0.into(), RANGE6.1),
            };
            let host = [Match::HasPorts, Match::Address(of(table.family, host))];
            note(table, &host);
            table.rule(&host, Verdict::Redirect(NOBODY));
            table.rule(&[Match::HasPorts, Match::Range(range)], Verdict::Redirect(ENGINE));
            note(table, &[Match::HasPorts]);
            table.rule(&[Match::HasPorts], Verdict::Redirect(NOBODY));
        }
        None => table.rule(&[Match::HasPorts], Verdict::Redirect(ENGINE)),
    }
}

/// Remembers whom a program dials: what is refused, and what is its own, where perhaps nobody listens.
fn note(table: &mut Table<'_>, matches: &[Match]) {
    if table.notes {
        table.rule(matches, Verdict::Note);
    }
}

/// An address of the workspace in a family.
fn of(family: Family, address: Ipv4Addr) -> IpAddr {
    match family {
        Family::V4 => address.into(),
        Family::V6 => twin(address).into(),
    }
}

/// Has calls to an address and its twin refused but at its doors, some of which open and some shut.
pub fn doors(families: Families, address: Ipv4Addr, open: &[OpenPort], shut: &[OpenPort]) -> Result<(), Errno> {
    let batch = whole(|batch| {
        for &family in families {
            let mut table = Table { batch: &mut *batch, family, notes: false, hook: Hook::Output };
            let address = of(family, address);
            // One that is not open cannot be shut, and would undo all the rest.
            table.open(address, shut);
            table.shut(address, shut);
            table.open(address, open);
            table.guard(address);
        }
    });
    batch.send(Protocol::Netfilter)
}
