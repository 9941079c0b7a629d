//! File descriptors: two for a service, two for a proxied connection; the usual limit of 1024 is soon reached.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

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
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let highest = u64::try_from(count).unwrap_or(u64::MAX).min(limit.saturating_sub(1));
    let Ok(highest) = i32::try_from(highest) else { return Ok(()) };
    let any = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
    drop(rustix::io::fcntl_dupfd_cloexec(&any, highest)?);
    Ok(())
}
