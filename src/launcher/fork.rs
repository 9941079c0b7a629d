//! Becoming two processes while there is still one thread.
//!
//! The engine is a fork of the `up` that starts it, and the launcher a fork of the engine, before either has grown: no
//! second loading of the program, and pages that never change are shared by all three.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::process::ExitCode;

use rustix::process::Pid;

/// Which of the two this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    Parent(Pid),
    /// Has to end by [`leave`], and to close what is the parent's.
    Child,
}

/// How often others are let go first, before a thread counts as one that stays.
const YIELDS: usize = 1000;

/// Becomes two processes. Refused once there is a second thread, which the child would lack while keeping whatever
/// locks it held.
pub fn fork() -> io::Result<Forked> {
    // One that has ended may be counted for a moment longer.
    for _ in 0..YIELDS {
        if threads() <= 1 {
            break;
        }
        std::thread::yield_now();
    }
    if threads() > 1 {
        return Err(io::Error::other("a process with several threads cannot fork"));
    }
    fork_raw()
}

/// Ends a child, instead of going back into what the parent was doing.
#[allow(clippy::exit, reason = "the child's work is done")]
pub fn leave(code: ExitCode) -> ! {
    std::process::exit(i32::from(code != ExitCode::SUCCESS))
}

#[allow(unsafe_code)]
fn fork_raw() -> io::Result<Forked> {
    // SAFETY: this process has one thread (checked by the caller), so the child is a whole copy: no lock is held by a
    // thread that is not there, and every allocation is in order.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child).map_or(Forked::Child, Forked::Parent)),
    }
}

/// Closes every descriptor but the standard three and `kept`. What a caller of `up` left open, such as the lock of a
/// script or a pipe that somebody reads to its end, must not live as long as the engine. For a fresh child only.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn close_others(kept: BorrowedFd<'_>) {
    let kept = kept.as_raw_fd().unsigned_abs();
    // SAFETY: plain system calls. Nothing else in this process owns a descriptor: it is a fresh fork of an `up` that had
    // opened only `kept`, so none is closed under an owner that would close another's in its place later.
    unsafe {
        if kept > 3 {
            libc::close_range(3, kept - 1, 0);
        }
        libc::close_range(kept + 1, libc::c_uint::MAX, 0);
    }
}

/// Elsewhere they stay open.
#[cfg(not(target_os = "linux"))]
pub fn close_others(_: BorrowedFd<'_>) {}

/// The number of threads; where it cannot be known, one is believed to be there.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}
