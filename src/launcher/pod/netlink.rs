//! Messages to the kernel's network configuration (netlink(7)), as bytes, and its answers.

mod attributes;

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

pub use attributes::{all, find};

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
/// Attributes within an attribute.
const NESTED: u16 = 0x8000;

/// Several messages on their way to the kernel. It answers those in which something is wrong, and the last one anyway.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    message: usize,
    sequence: u32,
    /// Where the last message begins that can be answered.
    last: Option<usize>,
}

/// All rules of a pod fit. What a process just forked writes anew costs a fault for each page: what grows is written twice.
const ROOM: usize = 12 << 10;

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: Vec::with_capacity(ROOM), message: 0, sequence: 0, last: None }
    }
}

/// An attribute that is being written; its length is filled in when it ends.
pub struct Open(usize);

impl Batch {
    /// Begins a message.
    pub fn begin(&mut self, kind: u16, extra: u16) {
        self.last = Some(self.bytes.len());
        self.header(kind, REQUEST | extra);
    }

    /// Begins a message that creates something.
    pub fn create(&mut self, kind: u16) {
        self.begin(kind, CREATE);
    }

    /// Begins a message that is never answered.
    pub fn begin_silent(&mut self, kind: u16) {
        self.header(kind, REQUEST);
    }

    fn header(&mut self, kind: u16, flags: u16) {
        self.message = self.bytes.len();
        self.sequence += 1;
        let mut header = [0; 16];
        header[4..6].copy_from_slice(&kind.to_ne_bytes());
        header[6..8].copy_from_slice(&flags.to_ne_bytes());
        header[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&header);
    }

    /// Ends the message.
    pub fn end(&mut self) {
        let length = u32::try_from(self.bytes.len() - self.message).unwrap_or(u32::MAX);
        self.bytes[self.message..self.message + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Bytes as they are; messages and attributes begin at multiples of four.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        let missing = self.bytes.len().next_multiple_of(4) - self.bytes.len();
        self.bytes.extend_from_slice(&[0; 3][..missing]);
    }

    /// An attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.attribute_header(kind, value.len());
        self.put(value);
    }

    fn attribute_header(&mut self, kind: u16, length: usize) {
        let ([a, b], [c, d]) = (u16::try_from(length + 4).unwrap_or(u16::MAX).to_ne_bytes(), kind.to_ne_bytes());
        self.bytes.extend_from_slice(&[a, b, c, d]);
    }

    /// A number in network order, as nf_tables wants it.
    pub fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// A text with its closing zero.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.attribute_header(kind, value.len() + 1);
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    /// Begins an attribute that holds others.
    pub fn open(&mut self, kind: u16) -> Open {
        let at = self.bytes.len();
        self.attribute_header(kind | NESTED, 0);
        Open(at)
    }

    /// Ends it.
    pub fn close(&mut self, open: Open) {
        let length = u16::try_from(self.bytes.len() - open.0).unwrap_or(u16::MAX);
        self.bytes[open.0..open.0 + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Sends one question, and passes on the content of every message that answers it.
    pub fn ask(mut self, protocol: Protocol, mut take: impl FnMut(&[u8])) -> Result<(), Errno> {
        const DUMP: u16 = 0x300;
        let socket = self.dispatch(protocol, DUMP)?;
        let mut buffer = vec![0; 32 << 10];
        loop {
            let (received, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            for (kind, content) in messages(&buffer[..received]) {
                match kind {
                    DONE => return Ok(()),
                    ERROR => return Err(error(content).unwrap_or(Errno::BADMSG)),
                    _ => take(content),
                }
            }
        }
    }

    /// Sends all of it, with further flags for the last message that can be answered.
    fn dispatch(&mut self, protocol: Protocol, flags: u16) -> Result<OwnedFd, Errno> {
        if let Some(last) = self.last {
            // Behind the length and the type.
            let flags = u16::from_ne_bytes([self.bytes[last + 6], self.bytes[last + 7]]) | flags;
            self.bytes[last + 6..last + 8].copy_from_slice(&flags.to_ne_bytes());
        }
        let protocol = match protocol {
            // NETLINK_ROUTE is number 0.
            Protocol::Route => None,
            Protocol::Netfilter => Some(netlink::NETFILTER),
        };
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        send(&socket, &self.bytes, SendFlags::empty())?;
        Ok(socket)
    }

    /// Sends all of it and waits for the last answer; the first that is an error is returned.
    pub fn send(mut self, protocol: Protocol) -> Result<(), Errno> {
        if self.last.is_none() {
            return Ok(());
        }
        let socket = self.dispatch(protocol, ACKNOWLEDGE)?;
        let mut buffer = [0; 2 << 10];
        loop {
            let (received, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            if is_answered(&buffer[..received])? {
                return Ok(());
            }
        }
    }
}

/// To which part of the kernel.
#[derive(Debug, Clone, Copy)]
pub enum Protocol {
    Route,
    Netfilter,
}

const ERROR: u16 = 2;
const DONE: u16 = 3;

/// The messages in a datagram: their kind, and what is behind their header.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<16>()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let content = rest.get(16..length.min(rest.len())).unwrap_or_default();
        rest = rest.get(length.max(16).next_multiple_of(4)..).unwrap_or_default();
        Some((kind, content))
    })
}

/// The error that a message is about; none where all is well.
fn error(content: &[u8]) -> Option<Errno> {
    let Some(code) = content.first_chunk::<4>() else { return Some(Errno::BADMSG) };
    let code = i32::from_ne_bytes(*code);
    (code != 0).then(|| Errno::from_raw_os_error(-code))
}

/// Whether a datagram says that all is well, or something is not.
fn is_answered(datagram: &[u8]) -> Result<bool, Errno> {
    match messages(datagram).find(|(kind, _)| *kind == ERROR) {
        None => Ok(false),
        Some((_, content)) => error(content).map_or(Ok(true), Err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_an_error_or_none() {
        let message = |kind: u16, code: i32| {
            let mut bytes = vec![0; 20];
            bytes[0..4].copy_from_slice(&20u32.to_ne_bytes());
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..20].copy_from_slice(&code.to_ne_bytes());
            bytes
        };
        assert_eq!(is_answered(&[message(3, 7), message(2, 0)].concat()), Ok(true));
        assert_eq!(is_answered(&[message(2, -1), message(2, 0)].concat()), Err(Errno::PERM));
        assert_eq!(is_answered(&message(2, 0)[..18]), Err(Errno::BADMSG));
        assert_eq!([is_answered(&[]), is_answered(&message(3, 7))], [Ok(false), Ok(false)]);
    }

    #[test]
    fn only_the_last_message_asks_for_an_answer() {
        let mut batch = Batch::default();
        for kind in [20, 24] {
            batch.create(kind);
            batch.put(&[0; 4]);
            batch.end();
        }
        assert_eq!(batch.last, Some(20));
        batch.begin_silent(17);
        batch.end();
        assert_eq!(batch.last, Some(20));
        assert_eq!(Batch::default().send(Protocol::Route), Ok(()));
    }
}
