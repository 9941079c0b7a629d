//! A pod that is made before it is needed: namespaces and their pid 1, which waits to be told whose it is.
//!
//! Namespaces and a process take most of the time of a pod's making. A service that is replaced, called for the first
//! time, or waited for by others finds that behind it. Nobody works while one waits.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::Pid;

use super::super::spawn::{Program, Seat, Spawner};
use super::super::wire::{Frames, Order};
use super::init::{self, Birth};
use super::{Failure, Step, clone};

/// One that waits.
#[derive(Debug)]
pub struct Spare {
    init: Pid,
    line: UnixStream,
}

impl Spare {
    pub(super) fn new(init: Pid, line: UnixStream) -> Self {
        Self { init, line }
    }

    /// Its pid 1.
    pub fn init(&self) -> Pid {
        self.init
    }

    /// Tells it what to launch, with what comes along. An error where it is gone.
    pub fn give(mut self, order: &Order, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let bytes = order.encode();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(descriptors));
        let sent = sendmsg(&self.line, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        // More than the socket takes at once it takes as it is read. SIGPIPE is ignored here.
        self.line.write_all(&bytes[sent..]).map_err(|_| Errno::PIPE)
    }
}

/// What a pid 1 has that waits.
pub(super) struct Waiting<'a> {
    pub line: UnixStream,
    pub spawner: &'a mut Spawner,
    pub events: &'a UnixDatagram,
    pub gid: u32,
}

/// The life of a pid 1 that was made ahead.
pub(super) fn wait(arrived: Result<(), Failure>, waiting: Waiting<'_>) -> ! {
    let Waiting { line, spawner, events, gid } = waiting;
    // What the launcher has open is not to stay so for as long as this waits.
    clone::keep_only(&[line.as_fd(), events.as_fd(), spawner.kept()]);
    let Ok((Order::Launch { key, argv, environment, folder, account, pod: Some(pod), input }, mut with)) =
        receive(&line)
    else {
        clone::end(0)
    };
    drop(line);
    let output = with.pop_front().zip(with.pop_front());
    let stdin = input.is_some().then(|| with.pop_front()).flatten();
    let (Some((stdout, stderr)), Some(engine)) = (output, with.pop_front()) else { clone::end(1) };
    let program = Program {
        argv: &argv,
        environment: &environment,
        folder: &folder,
        account: account.as_ref(),
        stdin,
        seat: input.unwrap_or(Seat::Own),
        stdout,
        stderr,
    };
    let arrived = arrived.and_then(|()| clone::copy_mounts().map_err(Step::Mounts.failed()));
    init::live(arrived, Birth { key, pod: &pod, program: &program, engine: &engine, spawner, events, gid })
}

/// The one order that comes. An error where none does.
fn receive(line: &UnixStream) -> Result<(Order, VecDeque<OwnedFd>), Errno> {
    let (mut frames, mut with) = (Frames::default(), VecDeque::new());
    loop {
        let mut bytes = [0; 8 << 10];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let count = match recvmsg(line, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) if message.bytes == 0 => return Err(Errno::PIPE),
            Ok(message) => message.bytes,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                with.extend(descriptors);
            }
        }
        frames.extend(&bytes[..count]);
        if let Some(body) = frames.next().map_err(|_| Errno::BADMSG)? {
            return Ok((Order::decode(body).map_err(|_| Errno::BADMSG)?, with));
        }
    }
}
