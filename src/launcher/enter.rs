//! Entering a pod that is there (setns(2)).

use std::io;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

/// Moves this process, which has one thread, into the namespaces of a pod's pid 1; its children are in the pod. The
/// account that made a pod has all rights over it.
pub fn enter(init: i32) -> io::Result<()> {
    let init = Pid::from_raw(init).ok_or(io::ErrorKind::InvalidInput)?;
    let pod = pidfd_open(init, PidfdFlags::empty())?;
    let rest = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME;
    // One's own user namespace cannot be entered: there is none where no other was needed.
    let own = std::fs::read_link("/proc/self/ns/user")?;
    let theirs = std::fs::read_link(format!("/proc/{}/ns/user", init.as_raw_nonzero()))?;
    let folder = std::env::current_dir();
    let all = if own == theirs { rest } else { rest | ThreadNameSpaceType::USER };
    move_into_thread_name_spaces(std::os::fd::AsFd::as_fd(&pod), all)?;
    // The move left it at the pod's root.
    folder.and_then(std::env::set_current_dir)
}
