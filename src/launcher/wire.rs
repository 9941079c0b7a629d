//! Messages between engine and launcher: length-prefixed, descriptors beside the first byte.
//!
//! Both ends are the same binary, so there is no version and no schema; texts are bytes, as paths and variables are.

mod coding;
mod frames;

use std::io;
use std::net::SocketAddrV4;

use super::pod::{Failure, Pod};
use super::spawn::{Account, Seat};
use coding::{Reader, Writer, malformed};

pub use frames::Frames;

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
    /// Should the engine be killed, run this when all that was started is gone, and wait for it.
    Last(Vec<u8>),
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
            Self::Last(argv) => {
                out.byte(3);
                out.bytes(argv);
            }
        }
        out.finish()
    }

    /// The message in a frame's body.
    pub fn decode(body: &[u8]) -> io::Result<Self> {
        let mut input = Reader::new(body);
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
            3 => Ok(Self::Last(input.bytes()?)),
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
                out.address(*address.ip());
                out.id(address.port().into());
            }
        }
        out.finish()
    }

    /// The message in a frame's body.
    pub fn decode(body: &[u8]) -> io::Result<Self> {
        let mut input = Reader::new(body);
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::launcher::pod::{Network, Step};

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
            Order::Last(b"x\0y\0".to_vec()),
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
