//! Processes that outlived their engine and their launcher: found by the mark in their environment, and ended.
//!
//! The launcher kills what it started when the engine dies, and the kernel kills an instance's main process when the
//! launcher dies. What main processes had started themselves is left only when both are killed at once.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::process::{fields, number, tree};
use crate::launcher::TOKEN;

/// Processes that SIGKILL does not end within this time are the kernel's.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Kills every process that a workspace's engines have marked, waits for their ends and returns how many there were.
/// Only for whoever holds the workspace's lock: those of a living engine are marked too.
pub fn end(id: &str) -> usize {
    let deadline = Instant::now() + LAST_WAIT;
    let spared = ancestors();
    let mut count = 0;
    // Again, until a look finds none: a process may have started another in the meantime.
    loop {
        let found: Vec<OwnedFd> = all().filter(|pid| !spared.contains(pid)).filter_map(|pid| marked(id, pid)).collect();
        if found.is_empty() || Instant::now() >= deadline {
            return count;
        }
        count += found.len();
        for process in &found {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        found.iter().for_each(|process| wait(process, deadline));
    }
}

/// Kills a process with its children, where it is in a container of this name. Control groups are called after the containers
/// for which engines make them (cgroups(7)), so nothing else is met where an engine counts processes otherwise.
pub fn kill_within(pid: u32, container: &str) {
    let is_inside =
        |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|it| it.contains(container));
    for pid in tree(pid) {
        if let Some(process) = open(pid).filter(|_| is_inside(pid)) {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

fn open(pid: u32) -> Option<OwnedFd> {
    pidfd_open(number(pid)?, PidfdFlags::empty()).ok()
}

/// Until the end of a process or the deadline.
fn wait(process: &OwnedFd, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    if let Ok(left) = Timespec::try_from(left) {
        let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&left));
    }
}

/// The numbers of all processes.
fn all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process, if its environment bears a workspace's mark and this user may look there. A number may become another
/// process's at any time: what lives still once the mark was read again was the one that bears it.
fn marked(id: &str, pid: u32) -> Option<OwnedFd> {
    let mark = format!("{TOKEN}={id}:").into_bytes();
    let bears = || {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry.starts_with(&mark))
    };
    let process = bears().then(|| open(pid)).flatten()?;
    (bears() && lives(&process)).then_some(process)
}

fn lives(process: &OwnedFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)) == Ok(0)
}

/// This process and those above it: a command that a survivor's shell gave is not to end itself.
fn ancestors() -> Vec<u32> {
    let parent = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        fields(&stat)?.get(1)?.parse().ok().filter(|parent| *parent > 0)
    };
    std::iter::successors(Some(std::process::id()), parent).collect()
}
