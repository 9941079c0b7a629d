//! The words of nf_tables for one table of a pod (`linux/netfilter/nf_tables.h`): a nat chain, sets, rules.

mod expressions;

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use rustix::io::Errno;

use super::control::OpenPort;
use super::netlink::{Batch, Protocol, all, find};
use expressions::{
    EQUAL, NETWORK_HEADER, REGISTER, TRANSPORT_HEADER, UNEQUAL, WORDS, compare, conclude, lookup, payload,
    payload_into, transport, transport_into,
};

const TABLE: &str = "nagaya";
const CHAIN: &str = "ways-out";
const GUARDED: &str = "guarded";
const DOORS: &str = "doors";
const DIALLED: &str = "dialled";
/// Whom programs dialled in vain: so many are remembered.
const MOST_DIALLED: u32 = 64;

const NF_TABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const GET_ELEMENTS: u16 = 13;
const DELETE_ELEMENT: u16 = 14;
const APPEND: u16 = 0x800;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// What nft calls `inet_proto` and `inet_service`, and how many bits each part of a key's kind has. nft shows sets by them.
const KIND_OF_TRANSPORT: u32 = 12;
const KIND_OF_PORT: u32 = 13;
const KIND_BITS: u32 = 6;

/// Which packets a table sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// The bytes of an IP header in which the destination is: the first, and how many.
    fn destination(self) -> (u32, u32) {
        match self {
            Self::V4 => (16, 4),
            Self::V6 => (24, 16),
        }
    }

    /// Where a packet has its source: offset and length.
    fn source(self) -> (u32, u32) {
        match self {
            Self::V4 => (12, 4),
            Self::V6 => (8, 16),
        }
    }

    /// The number of its ICMP.
    fn icmp(self) -> u8 {
        match self {
            Self::V4 => 1,
            Self::V6 => 58,
        }
    }

    /// What nft calls `ipv4_addr` and `ipv6_addr`.
    fn kind_of_address(self) -> u32 {
        match self {
            Self::V4 => 7,
            Self::V6 => 8,
        }
    }
}

/// What a packet must be like.
#[derive(Clone, Copy)]
pub enum Match {
    Transport(u8),
    /// All but ICMP: what is left has ports, or is not sent by programs.
    HasPorts,
    Port(u16),
    Loopback,
    /// Sent by a program of the pod that chose no address of its own.
    FromLoopback,
    Address(IpAddr),
    /// With its prefix length, in whole bytes.
    Range((IpAddr, u8)),
    /// Bound for a guarded address, but for none of its doors.
    Refused,
    /// Bound for an open door.
    Open,
}

/// What becomes of it.
#[derive(Clone, Copy)]
pub enum Verdict {
    Accept,
    /// To a port of the loopback.
    Redirect(u16),
    /// Its destination is written down, and the next rule looks at it. By IPv4 only: whoever can dials by both.
    Note,
}

/// Has the kernel take all that is written between as one change.
pub fn whole(write: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::default();
    frame(&mut batch, BATCH_BEGIN);
    write(&mut batch);
    frame(&mut batch, BATCH_END);
    batch
}

fn frame(batch: &mut Batch, kind: u16) {
    batch.begin_silent(kind);
    // struct nfgenmsg: family, version, and the subsystem in network order.
    batch.put(&[0, 0, 0, 10]);
    batch.end();
}

/// The table of one family, into which is written.
pub struct Table<'a> {
    pub batch: &'a mut Batch,
    pub family: Family,
    /// It has a set for [`Verdict::Note`].
    pub notes: bool,
    pub hook: Hook,
}

/// Where packets are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Hook {
    /// As they arrive from another network.
    Arrival = 0,
    /// As programs here send them.
    Output = 3,
}

impl Table<'_> {
    /// Makes it, with an empty chain and empty sets.
    pub fn make(&mut self) {
        self.message(NEW_TABLE, 0);
        self.batch.text(1, TABLE);
        self.batch.end();
        self.chain();
        let (_, length) = self.family.destination();
        let address = self.family.kind_of_address();
        self.set(GUARDED, address, length);
        self.set(DOORS, (address << KIND_BITS | KIND_OF_TRANSPORT) << KIND_BITS | KIND_OF_PORT, length + 8);
        if self.notes {
            self.notebook();
        }
    }

    fn message(&mut self, kind: u16, flags: u16) {
        const CREATE: u16 = 0x400;
        self.batch.begin((NF_TABLES << 8) | kind, CREATE | flags);
        self.batch.put(&[self.family.number(), 0, 0, 0]);
    }

    fn chain(&mut self) {
        const DESTINATION_NAT: i32 = -100;
        self.message(NEW_CHAIN, 0);
        self.batch.text(1, TABLE);
        self.batch.text(3, CHAIN);
        let hook = self.batch.open(4);
        self.batch.number(1, self.hook as u32);
        self.batch.number(2, DESTINATION_NAT.cast_unsigned());
        self.batch.close(hook);
        self.batch.text(7, "nat");
        self.batch.end();
    }

    fn set(&mut self, name: &str, kind: u32, length: u32) {
        self.message(NEW_SET, 0);
        self.batch.text(1, TABLE);
        self.batch.text(2, name);
        self.batch.number(3, 0);
        self.batch.number(4, kind);
        self.batch.number(5, length);
        // Its number in the batch, of which there is only one for each name.
        self.batch.number(10, u32::from(name == DOORS) + 1);
        self.batch.end();
    }

    /// A set that rules add to: addresses with ports. When it is full, nothing is added.
    fn notebook(&mut self) {
        const FILLED_BY_RULES: u32 = 0x20;
        const MAY_GROW_OLD: u32 = 0x10;
        const ADDRESS_AND_PORT: u32 = 7 << KIND_BITS | KIND_OF_PORT;
        // But nothing in it does, so that the kernel has no reason to look often: in milliseconds, a month.
        const SELDOM: u32 = 30 * 24 * 3600 * 1000;
        self.message(NEW_SET, 0);
        self.batch.text(1, TABLE);
        self.batch.text(2, DIALLED);
        self.batch.number(3, FILLED_BY_RULES | MAY_GROW_OLD);
        self.batch.number(4, ADDRESS_AND_PORT);
        self.batch.number(5, 8);
        let description = self.batch.open(9);
        self.batch.number(1, MOST_DIALLED);
        self.batch.close(description);
        self.batch.number(10, 3);
        self.batch.number(12, SELDOM);
        self.batch.end();
    }

    /// Has all calls to an address refused but those to its doors.
    pub fn guard(&mut self, address: IpAddr) {
        self.elements(NEW_ELEMENT, GUARDED, &[octets(address)]);
    }

    /// Opens doors of an address; those that are open stay so.
    pub fn open(&mut self, address: IpAddr, doors: &[OpenPort]) {
        self.elements(NEW_ELEMENT, DOORS, &keys(address, doors));
    }

    /// Shuts doors of an address, which must be open.
    pub fn shut(&mut self, address: IpAddr, doors: &[OpenPort]) {
        self.elements(DELETE_ELEMENT, DOORS, &keys(address, doors));
    }

    fn elements(&mut self, change: u16, set: &str, keys: &[Vec<u8>]) {
        if keys.is_empty() {
            return;
        }
        self.message(change, 0);
        self.batch.text(1, TABLE);
        self.batch.text(2, set);
        let elements = self.batch.open(3);
        for bytes in keys {
            let element = self.batch.open(1);
            let key = self.batch.open(1);
            self.batch.attribute(1, bytes);
            self.batch.close(key);
            self.batch.close(element);
        }
        self.batch.close(elements);
        self.batch.end();
    }

    /// Adds a rule behind the others.
    pub fn rule(&mut self, matches: &[Match], verdict: Verdict) {
        self.message(NEW_RULE, APPEND);
        self.batch.text(1, TABLE);
        self.batch.text(2, CHAIN);
        let expressions = self.batch.open(4);
        for it in matches {
            self.condition(*it);
        }
        conclude(self.batch, verdict);
        self.batch.close(expressions);
        self.batch.end();
    }

    fn condition(&mut self, it: Match) {
        match it {
            Match::Transport(number) => {
                transport(self.batch);
                compare(self.batch, EQUAL, &[number]);
            }
            Match::HasPorts => {
                transport(self.batch);
                compare(self.batch, UNEQUAL, &[self.family.icmp()]);
            }
            Match::Port(number) => {
                payload(self.batch, TRANSPORT_HEADER, 2, 2);
                compare(self.batch, EQUAL, &number.to_be_bytes());
            }
            Match::Loopback => self.is_loopback(self.family.destination()),
            Match::FromLoopback => self.is_loopback(self.family.source()),
            Match::Address(address) => self.destination(&octets(address)),
            Match::Range((network, length)) => self.destination(&octets(network)[..usize::from(length / 8)]),
            Match::Refused => {
                let (offset, length) = self.family.destination();
                payload(self.batch, NETWORK_HEADER, offset, length);
                lookup(self.batch, GUARDED, REGISTER, false);
                self.door(true);
            }
            Match::Open => self.door(false),
        }
    }

    /// Bound for an open door, or for none.
    fn door(&mut self, is_none: bool) {
        let (offset, length) = self.family.destination();
        // A key of several parts has each in words of its own.
        let behind = WORDS + length / 4;
        payload_into(self.batch, WORDS, NETWORK_HEADER, offset, length);
        transport_into(self.batch, behind);
        payload_into(self.batch, behind + 1, TRANSPORT_HEADER, 2, 2);
        lookup(self.batch, DOORS, WORDS, is_none);
    }

    /// The destination begins with these bytes.
    fn is_loopback(&mut self, (offset, _): (u32, u32)) {
        match self.family {
            // 127.0.0.0/8: the first byte decides.
            Family::V4 => self.header(offset, &[127]),
            Family::V6 => self.header(offset, &std::net::Ipv6Addr::LOCALHOST.octets()),
        }
    }

    fn destination(&mut self, bytes: &[u8]) {
        let (offset, _) = self.family.destination();
        self.header(offset, bytes);
    }

    /// The header has these bytes there.
    fn header(&mut self, offset: u32, bytes: &[u8]) {
        payload(self.batch, NETWORK_HEADER, offset, u32::try_from(bytes.len()).unwrap_or(0));
        compare(self.batch, EQUAL, bytes);
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The keys of doors in their set: the address, the number of the transport, and the port, each filled up to words.
fn keys(address: IpAddr, doors: &[OpenPort]) -> Vec<Vec<u8>> {
    let key = |door: &OpenPort| {
        let [high, low] = door.port.to_be_bytes();
        [&octets(address)[..], &[door.transport(), 0, 0, 0, high, low, 0, 0]].concat()
    };
    doors.iter().map(key).collect()
}

/// Whom programs dialled in vain since their pod was made.
pub fn dialled() -> Result<Vec<SocketAddrV4>, Errno> {
    let mut batch = Batch::default();
    batch.begin((NF_TABLES << 8) | GET_ELEMENTS, 0);
    batch.put(&[Family::V4.number(), 0, 0, 0]);
    batch.text(1, TABLE);
    batch.text(2, DIALLED);
    batch.end();
    let mut out = Vec::new();
    batch.ask(Protocol::Netfilter, |message| out.extend(elements(message)))?;
    Ok(out)
}

/// The elements in an answer: an address and a port each, in network order.
fn elements(message: &[u8]) -> Vec<SocketAddrV4> {
    let lists = message.get(4..).and_then(|attributes| find(attributes, 3)).unwrap_or_default();
    let key = |element| find(find(element, 1)?, 1)?.first_chunk::<6>();
    let address = |&[a, b, c, d, high, low]: &[u8; 6]| {
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
    };
    all(lists, 1).filter_map(key).map(address).collect()
}
