//! The parts of messages as bytes, written and read.

use std::io;
use std::net::Ipv4Addr;

use super::LARGEST;
use crate::launcher::pod::{Failure, Network, Pod, Step};
use crate::launcher::spawn::Account;

/// What is said of a message that makes no sense.
pub fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed message between engine and launcher")
}

/// A message that is being written.
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn new() -> Self {
        Self(vec![0; 4])
    }

    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub fn int(&mut self, number: i32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub fn account(&mut self, account: &Account) {
        self.id(account.uid);
        self.id(account.gid);
        self.list(account.groups.iter(), |out, group| out.id(*group));
    }

    pub fn id(&mut self, id: u32) {
        self.0.extend_from_slice(&id.to_le_bytes());
    }

    pub fn address(&mut self, address: Ipv4Addr) {
        self.0.extend_from_slice(&address.octets());
    }

    pub fn pod(&mut self, pod: &Pod) {
        self.bytes(&pod.etc);
        self.list(pod.network.iter(), Self::network);
    }

    fn network(&mut self, network: &Network) {
        self.address(network.address);
        self.address(network.range.0);
        self.byte(network.range.1);
        self.byte(network.world6.into());
        self.bytes(&network.host_name);
        self.byte(network.answers_names.into());
        self.id(network.front_door.into());
        self.list(network.confined.iter(), |out, host| out.address(*host));
    }

    pub fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.length(items.len());
        items.for_each(|item| write(self, item));
    }

    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// What is left of a message that is being read.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    pub fn byte(&mut self) -> io::Result<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub fn number(&mut self) -> io::Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub fn int(&mut self) -> io::Result<i32> {
        self.take().map(i32::from_le_bytes)
    }

    pub fn pid(&mut self) -> io::Result<u32> {
        self.number().and_then(|number| u32::try_from(number).map_err(|_| malformed()))
    }

    fn length(&mut self) -> io::Result<usize> {
        usize::try_from(self.number()?).ok().filter(|length| *length <= LARGEST).ok_or_else(malformed)
    }

    pub fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = self.length()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(head.to_vec())
    }

    pub fn id(&mut self) -> io::Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn account(&mut self) -> io::Result<Account> {
        Ok(Account { uid: self.id()?, gid: self.id()?, groups: self.list(Self::id)? })
    }

    pub fn address(&mut self) -> io::Result<Ipv4Addr> {
        self.take::<4>().map(Ipv4Addr::from)
    }

    pub fn pod(&mut self) -> io::Result<Pod> {
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

    pub fn failure(&mut self) -> io::Result<Failure> {
        let step = Step::from_number(self.byte()?).ok_or_else(malformed)?;
        Ok(Failure { step, errno: self.int()? })
    }

    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.length()?).map(|_| read(self)).collect()
    }
}
