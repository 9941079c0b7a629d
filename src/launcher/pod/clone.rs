//! Giving birth to pid 1 of a pod.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::spawn::{Program, Spawner};
use super::init::{self, Birth};
use super::maps::{self, Identity};
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
        let mut flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID;
        if pod.network.is_some() {
            flags |= libc::CLONE_NEWNET | libc::CLONE_NEWUTS;
        }
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
            init::live(Birth {
                key,
                pod,
                program,
                engine,
                launcher: &self.launcher,
                spawner,
                events: &self.events,
                identity: self.identity,
                ids: self.ids,
                mapped,
            })
        };
        if let Some((_, write)) = maps
            && maps::map_all(child.as_raw_nonzero().get().unsigned_abs()).is_ok()
        {
            let _ = rustix::io::write(&write, &[1]);
        }
        Ok(child)
    }
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
