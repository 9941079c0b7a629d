//! Where a pod's packets go (nf_tables over netlink): one nat chain on output.
//!
//! Every stream that leaves for anywhere but the pod itself comes to the one listener, every question of names to the
//! engine's socket, every other datagram to another. Nothing that leaves reaches any network: there is none. A set holds
//! the addresses of services that cannot be called now: their callers are refused by the kernel, so that
//! `wait-for-it db:5432` learns the truth.

use std::net::Ipv4Addr;

use rustix::io::Errno;

use super::netlink::{Batch, Protocol};
use super::{DATAGRAMS, LISTENER, NAMES, NOBODY, Network};

const TABLE: &str = "nagaya";
const CHAIN: &str = "ways-out";
const ABSENT: &str = "absent";

const NF_TABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const DELETE_ELEMENT: u16 = 14;
const APPEND: u16 = 0x800;
const IPV4: u8 = 2;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Sets up all rules of a pod.
pub fn install(pod: &Network) -> Result<(), Errno> {
    let mut batch = Batch::default();
    frame(&mut batch, BATCH_BEGIN);
    message(&mut batch, NEW_TABLE, 0);
    batch.text(1, TABLE);
    batch.end();
    chain(&mut batch);
    set(&mut batch);
    if pod.answers_names {
        rule(&mut batch, &[Match::Loopback], Verdict::Accept);
    }
    rule(&mut batch, &[Match::Transport(UDP), Match::Port(53)], Verdict::Redirect(NAMES));
    if pod.front_door != 0 {
        let door = [Match::Transport(TCP), Match::Loopback, Match::Port(pod.front_door)];
        rule(&mut batch, &door, Verdict::Redirect(LISTENER));
    }
    rule(&mut batch, &[Match::Loopback], Verdict::Accept);
    rule(&mut batch, &[Match::Address(pod.address)], Verdict::Accept);
    lead(&mut batch, Some(Match::Absent), Way::Refused);
    match pod.confined {
        Some(host) => {
            lead(&mut batch, Some(Match::Address(host)), Way::Refused);
            lead(&mut batch, Some(Match::Range(pod.range)), Way::Engine);
            lead(&mut batch, None, Way::Refused);
        }
        None => lead(&mut batch, None, Way::Engine),
    }
    frame(&mut batch, BATCH_END);
    batch.send(Protocol::Netfilter)
}

/// Has calls to an address refused, or let through again.
pub fn absent(address: Ipv4Addr, refused: bool) -> Result<(), Errno> {
    let mut batch = Batch::default();
    frame(&mut batch, BATCH_BEGIN);
    message(&mut batch, if refused { NEW_ELEMENT } else { DELETE_ELEMENT }, 0);
    batch.text(1, TABLE);
    batch.text(2, ABSENT);
    let elements = batch.open(3);
    let element = batch.open(1);
    let key = batch.open(1);
    batch.attribute(1, &address.octets());
    batch.close(key);
    batch.close(element);
    batch.close(elements);
    batch.end();
    frame(&mut batch, BATCH_END);
    match batch.send(Protocol::Netfilter) {
        // It is so already.
        Err(Errno::EXIST | Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// What a packet must be like.
#[derive(Clone, Copy)]
enum Match {
    Transport(u8),
    Port(u16),
    Loopback,
    Address(Ipv4Addr),
    /// With its prefix length, in whole bytes.
    Range((Ipv4Addr, u8)),
    Absent,
}

/// Where streams and datagrams go.
#[derive(Clone, Copy)]
enum Way {
    Engine,
    /// They are told at once by the kernel's answer, not by silence.
    Refused,
}

/// Leads what is sent to some addresses, or to all.
fn lead(batch: &mut Batch, to: Option<Match>, way: Way) {
    let ports = match way {
        Way::Engine => [(TCP, LISTENER), (UDP, DATAGRAMS)],
        Way::Refused => [(TCP, NOBODY), (UDP, NOBODY)],
    };
    for (transport, port) in ports {
        let matches: Vec<Match> = std::iter::once(Match::Transport(transport)).chain(to).collect();
        rule(batch, &matches, Verdict::Redirect(port));
    }
}

#[derive(Clone, Copy)]
enum Verdict {
    Accept,
    Redirect(u16),
}

fn frame(batch: &mut Batch, kind: u16) {
    batch.begin_silent(kind);
    // struct nfgenmsg: family, version, and the subsystem in network order.
    batch.put(&[0, 0, 0, 10]);
    batch.end();
}

fn message(batch: &mut Batch, kind: u16, flags: u16) {
    const CREATE: u16 = 0x400;
    batch.begin((NF_TABLES << 8) | kind, CREATE | flags);
    batch.put(&[IPV4, 0, 0, 0]);
}

fn chain(batch: &mut Batch) {
    const OUTPUT: u32 = 3;
    const DESTINATION_NAT: i32 = -100;
    message(batch, NEW_CHAIN, 0);
    batch.text(1, TABLE);
    batch.text(3, CHAIN);
    let hook = batch.open(4);
    batch.number(1, OUTPUT);
    batch.number(2, DESTINATION_NAT.cast_unsigned());
    batch.close(hook);
    batch.text(7, "nat");
    batch.end();
}

fn set(batch: &mut Batch) {
    const IPV4_ADDRESS: u32 = 7;
    message(batch, NEW_SET, 0);
    batch.text(1, TABLE);
    batch.text(2, ABSENT);
    batch.number(3, 0);
    batch.number(4, IPV4_ADDRESS);
    batch.number(5, 4);
    batch.number(10, 1);
    batch.end();
}

fn rule(batch: &mut Batch, matches: &[Match], verdict: Verdict) {
    message(batch, NEW_RULE, APPEND);
    batch.text(1, TABLE);
    batch.text(2, CHAIN);
    let expressions = batch.open(4);
    for it in matches {
        condition(batch, *it);
    }
    conclude(batch, verdict);
    batch.close(expressions);
    batch.end();
}

/// The first register, which conditions read and write.
const REGISTER: u32 = 1;

fn condition(batch: &mut Batch, it: Match) {
    const TRANSPORT_PROTOCOL: u32 = 16;
    match it {
        Match::Transport(number) => {
            expression(batch, "meta", |batch| {
                batch.number(1, REGISTER);
                batch.number(2, TRANSPORT_PROTOCOL);
            });
            equals(batch, &[number]);
        }
        Match::Port(number) => {
            payload(batch, TRANSPORT_HEADER, 2, 2);
            equals(batch, &number.to_be_bytes());
        }
        Match::Loopback => {
            // 127.0.0.0/8: the first byte decides.
            payload(batch, NETWORK_HEADER, 16, 1);
            equals(batch, &[127]);
        }
        Match::Address(address) => {
            payload(batch, NETWORK_HEADER, 16, 4);
            equals(batch, &address.octets());
        }
        Match::Range((network, length)) => {
            let bytes = length / 8;
            payload(batch, NETWORK_HEADER, 16, bytes.into());
            equals(batch, &network.octets()[..usize::from(bytes)]);
        }
        Match::Absent => {
            payload(batch, NETWORK_HEADER, 16, 4);
            expression(batch, "lookup", |batch| {
                batch.text(1, ABSENT);
                batch.number(2, REGISTER);
                batch.number(4, 1);
            });
        }
    }
}

fn conclude(batch: &mut Batch, verdict: Verdict) {
    const ACCEPT: u32 = 1;
    const VERDICT_REGISTER: u32 = 0;
    match verdict {
        Verdict::Accept => expression(batch, "immediate", |batch| {
            batch.number(1, VERDICT_REGISTER);
            let data = batch.open(2);
            let code = batch.open(2);
            batch.number(1, ACCEPT);
            batch.close(code);
            batch.close(data);
        }),
        Verdict::Redirect(port) => {
            expression(batch, "immediate", |batch| {
                batch.number(1, REGISTER);
                let data = batch.open(2);
                batch.attribute(1, &port.to_be_bytes());
                batch.close(data);
            });
            expression(batch, "redir", |batch| batch.number(1, REGISTER));
        }
    }
}

const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

fn payload(batch: &mut Batch, base: u32, offset: u32, length: u32) {
    expression(batch, "payload", |batch| {
        batch.number(1, REGISTER);
        batch.number(2, base);
        batch.number(3, offset);
        batch.number(4, length);
    });
}

fn equals(batch: &mut Batch, value: &[u8]) {
    const EQUAL: u32 = 0;
    expression(batch, "cmp", |batch| {
        batch.number(1, REGISTER);
        batch.number(2, EQUAL);
        let data = batch.open(3);
        batch.attribute(1, value);
        batch.close(data);
    });
}

fn expression(batch: &mut Batch, name: &str, content: impl FnOnce(&mut Batch)) {
    let element = batch.open(1);
    batch.text(1, name);
    let data = batch.open(2);
    content(batch);
    batch.close(data);
    batch.close(element);
}
