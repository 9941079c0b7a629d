//! Messages between engine and launcher: length-prefixed, descriptors beside the first byte.
//!
//! Both ends are the same binary, so there is no version and no schema; texts are bytes, as paths and variables are.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::pod::{Failure, Network, Pod, Step};
use super::spawn::{Account, Seat};

/// Nobody's arguments and variables are larger than the kernel's own limit for them, by far.
const LARGEST: usize = 16 << 20;

/// From the engine.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// Start a process; its standard output and error come along as descriptors, and with a pod its line to the engine.
    /// The texts are blocks in which each ends with a zero, as `execve` will want them.
    Launch {
        key: u64,
        argv: Vec<u8>,
        environment: Vec<u8>,
        folder: Vec<u8>,
        account: Option<Account>,
        pod: Option<Pod>,
        /// What it reads comes along too, before the line.
        input: Option<Seat>,
    },
    /// Send a signal to all processes of an instance.
    Signal { key: u64, signal: i32 },
    /// Keep the descriptor that comes along open until the end.
    Hold,
}

/// From the launcher.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    Launched {
        key: u64,
        pid: u32,
        /// Pid 1 of its pod, if it has one.
        init: Option<u32>,
    },
    /// It could not be started.
    Refused { key: u64, failure: Failure },
    /// In its pod this was dialled in vain; told before its end.
    Dialled { key: u64, address: SocketAddrV4 },
    /// The main process ended, with a wait status in the kernel's encoding, and these are left.
    Exited { key: u64, status: i32, left: Vec<u32> },
    /// The last process is gone.
    Gone { key: u64 },
}

impl Order {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Launch { key, argv, environment, folder, account, pod, input } => {
                out.byte(0);
                out.number(*key);
                out.bytes(argv);
                out.bytes(environment);
                out.bytes(folder);
                out.list(account.iter(), Writer::account);
                out.list(pod.iter(), Writer::pod);
                out.list(input.iter(), |out, seat| out.id(seat.number()));
            }
            Self::Signal { key, signal } => {
                out.byte(1);
                out.number(*key);
                out.int(*signal);
            }
            Self::Hold => out.byte(2),
        }
        out.finish()
    }

    /// The message in a frame's body.
    pub fn decode(body: &[u8]) -> io::Result<Self> {
        let mut input = Reader(body);
        match input.byte()? {
            0 => Ok(Self::Launch {
                key: input.number()?,
                argv: input.bytes()?,
                environment: input.bytes()?,
                folder: input.bytes()?,
                account: input.list(Reader::account)?.pop(),
                pod: input.list(Reader::pod)?.pop(),
                input: input.list(Reader::id)?.pop().map(Seat::of),
            }),
            1 => Ok(Self::Signal { key: input.number()?, signal: input.int()? }),
            2 => Ok(Self::Hold),
            _ => Err(malformed()),
        }
    }
}

impl Notice {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Launched { key, pid, init } => {
                out.byte(0);
                out.number(*key);
                out.number((*pid).into());
                out.list(init.iter(), |out, init| out.number((*init).into()));
            }
            Self::Refused { key, failure } => {
                out.byte(1);
                out.number(*key);
                out.byte(failure.step.number());
                out.int(failure.errno);
            }
            Self::Exited { key, status, left } => {
                out.byte(2);
                out.number(*key);
                out.int(*status);
                out.list(left.iter(), |out, pid| out.number((*pid).into()));
            }
            Self::Gone { key } => {
                out.byte(3);
                out.number(*key);
            }
            Self::Dialled { key, address } => {
                out.byte(4);
                out.number(*key);
                out.0.extend_from_slice(&address.ip().octets());
                out.id(address.port().into());
            }
        }
        out.finish()
    }

    /// The message in a frame's body.
    pub fn decode(body: &[u8]) -> io::Result<Self> {
        let mut input = Reader(body);
        Ok(match input.byte()? {
            0 => Self::Launched { key: input.number()?, pid: input.pid()?, init: input.list(Reader::pid)?.pop() },
            1 => Self::Refused { key: input.number()?, failure: input.failure()? },
            2 => Self::Exited { key: input.number()?, status: input.int()?, left: input.list(Reader::pid)? },
            3 => Self::Gone { key: input.number()? },
            4 => {
                let (key, address) = (input.number()?, input.address()?);
                let port = u16::try_from(input.id()?).map_err(|_| malformed())?;
                Self::Dialled { key, address: SocketAddrV4::new(address, port) }
            }
            _ => return Err(malformed()),
        })
    }
}

/// Bytes received so far, from which whole frames are taken.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    read: usize,
}

impl Frames {
    /// Adds what was received.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the body of the next whole frame.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let Some((prefix, rest)) = self.buffer[self.read..].split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > LARGEST {
            return Err(malformed());
        }
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.read + 4;
        self.read = start + length;
        Ok(Some(&self.buffer[start..start + length]))
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed message between engine and launcher")
}

struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Self(vec![0; 4])
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn int(&mut self, number: i32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn account(&mut self, account: &Account) {
        self.id(account.uid);
        self.id(account.gid);
        self.list(account.groups.iter(), |out, group| out.id(*group));
    }

    fn id(&mut self, id: u32) {
        self.0.extend_from_slice(&id.to_le_bytes());
    }

    fn pod(&mut self, pod: &Pod) {
        self.bytes(&pod.etc);
        self.list(pod.network.iter(), Self::network);
    }

    fn network(&mut self, network: &Network) {
        self.0.extend_from_slice(&network.address.octets());
        self.0.extend_from_slice(&network.range.0.octets());
        self.byte(network.range.1);
        self.byte(network.world6.into());
        self.bytes(&network.host_name);
        self.byte(network.answers_names.into());
        self.id(network.front_door.into());
        self.list(network.confined.iter(), |out, host| out.0.extend_from_slice(&host.octets()));
    }

    fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.length(items.len());
        items.for_each(|item| write(self, item));
    }

    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> io::Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn int(&mut self) -> io::Result<i32> {
        self.take().map(i32::from_le_bytes)
    }

    fn pid(&mut self) -> io::Result<u32> {
        self.number().and_then(|number| u32::try_from(number).map_err(|_| malformed()))
    }

    fn length(&mut self) -> io::Result<usize> {
        usize::try_from(self.number()?).ok().filter(|length| *length <= LARGEST).ok_or_else(malformed)
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = self.length()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(head.to_vec())
    }

    fn id(&mut self) -> io::Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn account(&mut self) -> io::Result<Account> {
        Ok(Account { uid: self.id()?, gid: self.id()?, groups: self.list(Self::id)? })
    }

    fn address(&mut self) -> io::Result<Ipv4Addr> {
        self.take::<4>().map(Ipv4Addr::from)
    }

    fn pod(&mut self) -> io::Result<Pod> {
        Ok(Pod { etc: self.bytes()?, network: self.list(Self::network)?.pop() })
    }

    fn network(&mut self) -> io::Result<Network> {
        Ok(Network {
            address: self.address()?,
            range: (self.address()?, self.byte()?),
            world6: self.byte()? != 0,
            host_name: self.bytes()?,
            answers_names: self.byte()? != 0,
            front_door: u16::try_from(self.id()?).map_err(|_| malformed())?,
            confined: self.list(Self::address)?.pop(),
        })
    }

    fn failure(&mut self) -> io::Result<Failure> {
        let step = Step::from_number(self.byte()?).ok_or_else(malformed)?;
        Ok(Failure { step, errno: self.int()? })
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.length()?).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_pieces_too() {
        let orders = [
            Order::Launch {
                key: 7,
                argv: b"sh\0\0".to_vec(),
                environment: b"A=\xff=1\0".to_vec(),
                folder: b"/\0".to_vec(),
                account: Some(Account { uid: 1, gid: 2, groups: vec![3, 4] }),
                pod: Some(Pod {
                    etc: b"/tmp".to_vec(),
                    network: Some(Network {
                        address: Ipv4Addr::new(10, 66, 128, 1),
                        range: (Ipv4Addr::new(10, 66, 0, 0), 16),
                        world6: true,
                        host_name: b"web".to_vec(),
                        answers_names: true,
                        front_door: 4400,
                        confined: Some(Ipv4Addr::new(10, 66, 255, 1)),
                    }),
                }),
                input: Some(Seat::Group(7)),
            },
            Order::Signal { key: u64::MAX, signal: -1 },
        ];
        let bytes: Vec<u8> = orders.iter().flat_map(Order::encode).collect();
        let mut frames = Frames::default();
        let mut read = Vec::new();
        for byte in bytes {
            frames.extend(&[byte]);
            while let Some(body) = frames.next().unwrap() {
                read.push(Order::decode(body).unwrap());
            }
        }
        assert_eq!(read, orders);
    }

    #[test]
    fn notices_survive_the_way() {
        for notice in [
            Notice::Launched { key: 1, pid: 2, init: None },
            Notice::Launched { key: 1, pid: 2, init: Some(3) },
            Notice::Refused { key: 1, failure: Failure { step: Step::Exec, errno: 13 } },
            Notice::Exited { key: 1, status: 256, left: vec![3, 4] },
            Notice::Gone { key: 9 },
            Notice::Dialled { key: 9, address: "127.0.0.1:5432".parse().unwrap() },
        ] {
            assert_eq!(Notice::decode(&notice.encode()[4..]).unwrap(), notice);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for body in [&[][..], &[9], &[0, 1], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]] {
            assert!(Order::decode(body).is_err());
        }
        let mut frames = Frames::default();
        frames.extend(&[255; 8]);
        assert!(frames.next().is_err());
    }
}
