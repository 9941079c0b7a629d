//! File descriptors: two for a service, two for a proxied connection; the usual limit of 1024 is soon reached.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::process::{Resource, getrlimit, setrlimit};

/// So many descriptors are no connection's: with them the engine answers commands, starts services and writes logs,
/// whoever else calls. Under a small limit it is a quarter.
const KEPT_BACK: u64 = 32;

/// The limit of this process.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Whether a descriptor that was just made is one of those that are kept back. The kernel gives the lowest number that is
/// free (open(2)), so a high one tells that all below are taken.
pub fn is_kept_back(descriptor: impl AsFd) -> bool {
    let limit = limit();
    let first = limit - KEPT_BACK.min(limit / 4);
    u64::try_from(descriptor.as_fd().as_raw_fd()).is_ok_and(|number| number >= first)
}

/// Raises this process's limit to the hard one. Children that are started before keep the old one.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Lets the kernel's table have room for so many descriptors at once.
///
/// While a process has one thread this is a copy; later each doubling waits for every processor to pass through the
/// scheduler (`synchronize_rcu`), ten milliseconds and more, in the middle of a boot.
pub fn make_room(count: usize) -> io::Result<()> {
    let highest = u64::try_from(count).unwrap_or(u64::MAX).min(limit().saturating_sub(1));
    let Ok(highest) = i32::try_from(highest) else { return Ok(()) };
    let any = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
    drop(rustix::io::fcntl_dupfd_cloexec(&any, highest)?);
    Ok(())
}
