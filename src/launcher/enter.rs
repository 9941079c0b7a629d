//! Entering a pod that is there (setns(2)).

use std::io;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

/// All that a pod may have of its own, as /proc names it.
const KINDS: [(&str, ThreadNameSpaceType); 5] = [
    ("user", ThreadNameSpaceType::USER),
    ("mnt", ThreadNameSpaceType::MOUNT),
    ("net", ThreadNameSpaceType::NETWORK),
    ("pid", ThreadNameSpaceType::PROCESS_ID),
    ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
];

/// Moves this process, which has one thread, into the namespaces of a pod's pid 1; its children are in the pod. The
/// account that made a pod has all rights over it.
pub fn enter(init: i32) -> io::Result<()> {
    let init = Pid::from_raw(init).ok_or(io::ErrorKind::InvalidInput)?;
    let pod = pidfd_open(init, PidfdFlags::empty())?;
    let mut all = ThreadNameSpaceType::empty();
    for (name, kind) in KINDS {
        let own = std::fs::read_link(format!("/proc/self/ns/{name}"))?;
        let theirs = std::fs::read_link(format!("/proc/{}/ns/{name}", init.as_raw_nonzero()))?;
        // What it shares with everybody cannot be entered, for lack of rights over it.
        if own != theirs {
            all |= kind;
        }
    }
    let folder = std::env::current_dir();
    move_into_thread_name_spaces(std::os::fd::AsFd::as_fd(&pod), all)?;
    // The move left it at the pod's root.
    folder.and_then(std::env::set_current_dir)
}
