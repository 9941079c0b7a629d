//! Giving birth to pid 1 of a pod.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::spawn::{Program, Spawner};
use super::init::{self, Birth, Origin};
use super::maps::{self, Identity};
use super::spare::{self, Spare, Waiting};
use super::{Failure, Pod, Step};

/// What all pods have in common: made once, by the launcher.
#[derive(Debug)]
pub struct Nursery {
    identity: Identity,
    ids: (u32, u32),
    /// Readable when the launcher is dead: looked at once, by each pod, after it has armed its own end.
    launcher: OwnedFd,
    /// Where all pods tell what happens in them.
    events: UnixDatagram,
}

impl Nursery {
    /// A nursery, and the end at which events are received.
    pub fn new() -> io::Result<(Self, UnixDatagram)> {
        let (events, inbox) = UnixDatagram::pair()?;
        inbox.set_nonblocking(true)?;
        // The kernel tells the sender's process number as it is seen from here: a pod knows only its own numbers.
        rustix::net::sockopt::set_socket_passcred(&inbox, true)?;
        let launcher = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
        Ok((Self { identity: Identity::of_this_process(), ids: maps::own(), launcher, events }, inbox))
    }

    /// Starts `program` in a new pod. Whether that worked is an event; here it is only whether there is a pid 1, which
    /// is returned.
    pub fn bear(
        &self,
        key: u64,
        pod: &Pod,
        program: &Program<'_>,
        engine: &OwnedFd,
        spawner: &mut Spawner,
    ) -> Result<Pid, Failure> {
        let network = if pod.network.is_some() { NETWORK } else { 0 };
        match self.divide(libc::CLONE_NEWNS | libc::CLONE_NEWPID | network)? {
            Divided::Outside(child) => Ok(child),
            Divided::Within(origin) => {
                let arrived = init::arrive(origin);
                let gid = self.ids.1;
                init::live(arrived, Birth { key, pod, program, engine, spawner, events: &self.events, gid })
            }
        }
    }

    /// Makes a pod's namespaces and their pid 1 for whoever is launched next and has a network.
    pub fn bear_ahead(&self, spawner: &mut Spawner) -> Result<Spare, Failure> {
        let (ours, theirs) = UnixStream::pair().map_err(Step::Namespaces.broke())?;
        // What is mounted is looked at when it is launched: until then it may change.
        match self.divide(libc::CLONE_NEWPID | NETWORK)? {
            Divided::Outside(child) => Ok(Spare::new(child, ours)),
            Divided::Within(origin) => spare::wait(
                init::arrive(origin),
                Waiting { line: theirs, spawner, events: &self.events, gid: self.ids.1 },
            ),
        }
    }

    /// Becomes two processes, of which one is pid 1 of fresh namespaces.
    fn divide(&self, mut flags: i32) -> Result<Divided<'_>, Failure> {
        if self.identity != Identity::Shared {
            flags |= libc::CLONE_NEWUSER;
        }
        let maps = match self.identity {
            Identity::Mapped => Some(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)),
            Identity::Shared | Identity::Single => None,
        };
        let maps = maps.transpose().map_err(Step::Maps.failed())?;
        let born = clone(flags).map_err(|errno| Failure { step: Step::Namespaces, errno })?;
        let Some(child) = born else {
            let mapped = maps.map(|(read, write)| {
                drop(write);
                read
            });
            let (identity, ids) = (self.identity, self.ids);
            return Ok(Divided::Within(Origin { launcher: &self.launcher, identity, ids, mapped }));
        };
        if let Some((_, write)) = maps
            && maps::map_all(child.as_raw_nonzero().get().unsigned_abs()).is_ok()
        {
            let _ = rustix::io::write(&write, &[1]);
        }
        Ok(Divided::Outside(child))
    }
}

/// The namespaces of a pod that has a network.
const NETWORK: i32 = libc::CLONE_NEWNET | libc::CLONE_NEWUTS;

/// Which of the two this is.
enum Divided<'a> {
    Outside(Pid),
    Within(Origin<'a>),
}

/// Becomes two processes, of which the child (`None`) has all signals blocked.
#[allow(unsafe_code)]
fn clone(flags: i32) -> Result<Option<Pid>, i32> {
    // SAFETY: without CLONE_VM and with a null stack this is fork(2), with new namespaces for the child. The launcher has
    // one thread, so the child is a whole copy with every lock free. Signals are blocked around it because the
    // launcher's handlers write to descriptors that are not the child's to use.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &all, &mut before);
        let flags = libc::c_long::from(flags | libc::SIGCHLD);
        // syscall(2) reads words, and a variadic argument is as wide as it is written.
        let none: libc::c_long = 0;
        let pid = libc::syscall(libc::SYS_clone, flags, none, none, none, none);
        if pid == 0 {
            return Ok(None);
        }
        let errno = *libc::__errno_location();
        libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        // -1 is no number of a process, and `from_raw` would take it for one.
        let child = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
        child.map_or(Err(errno), |child| Ok(Some(child)))
    }
}

/// The signal by which pid 1 is told to signal everybody in its pod, with the signal's number as value.
pub fn order_signal() -> i32 {
    libc::SIGRTMIN() + 1
}

/// Has pid 1 of a pod signal all processes in it.
#[allow(unsafe_code)]
pub fn signal_pod(init: Pid, signal: i32) {
    // SAFETY: plain values; the union of `sigval` is as large as a pointer, and pid 1 reads the same integer part.
    unsafe {
        let mut value: libc::sigval = std::mem::zeroed();
        value.sival_ptr = std::ptr::without_provenance_mut(usize::try_from(signal).unwrap_or(0));
        libc::sigqueue(init.as_raw_nonzero().get(), order_signal(), value);
    }
}

/// Signals every process in this pid namespace but its pid 1, who calls this.
#[allow(unsafe_code)]
pub fn signal_everybody(signal: i32) {
    // SAFETY: takes two numbers. Pid 1 of a pod is alone with what it started: -1 reaches nobody else.
    unsafe {
        libc::kill(-1, signal);
    }
}

/// Gives this process a copy of what is mounted, which nobody else sees.
#[allow(unsafe_code)]
pub fn copy_mounts() -> Result<(), Errno> {
    // SAFETY: takes a number. This process has one thread, so no other one is left with what it had.
    match unsafe { libc::unshare(libc::CLONE_NEWNS) } {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PERM)),
    }
}

/// A descriptor from which the signals that pid 1 waits for are read; all are blocked.
#[allow(unsafe_code)]
pub fn signals() -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the set is initialised before it is used; the descriptor is checked and owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        libc::sigaddset(&mut set, order_signal());
        let raw = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if raw < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(raw)) }
    }
}

/// Closes all but the standard three and those that are kept: what the launcher has open for others is not a pod's.
#[allow(unsafe_code)]
pub fn keep_only(kept: &[BorrowedFd<'_>]) {
    let mut numbers: Vec<u32> = kept.iter().map(|descriptor| descriptor.as_raw_fd().unsigned_abs()).collect();
    numbers.sort_unstable();
    let mut from = 3;
    for number in numbers.into_iter().filter(|number| *number >= 3) {
        if number > from {
            // SAFETY: a system call. Owners of the closed descriptors are in this copy of the launcher's memory, which
            // never runs their destructors: pid 1 ends by `_exit`.
            unsafe { libc::close_range(from, number - 1, 0) };
        }
        from = number + 1;
    }
    // SAFETY: as above.
    unsafe { libc::close_range(from, libc::c_uint::MAX, 0) };
}

/// Ends this process without running what belongs to the launcher.
#[allow(unsafe_code)]
pub fn end(code: i32) -> ! {
    // SAFETY: ends the process; nothing of it is used after.
    unsafe { libc::_exit(code) }
}
