//! Looking at processes: who they are, who their children are, what they hold.

use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process_group};

/// A process as shown to users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub pid: u32,
    pub program: String,
}

/// A process by number.
pub fn describe(pid: u32) -> Owner {
    let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Owner { pid, program: program.trim_end().to_owned() }
}

/// Whether a process lives and was started at that time: a number alone may be somebody else's by now.
pub fn alive(pid: u32, started: u64) -> bool {
    start_time(pid) == Some(started)
}

/// Whether a process was killed and has not let go of everything yet: it still has its sockets, and answers nobody
/// (`flags` and `signal` of proc_pid_stat(5)).
pub fn is_ending(pid: u32) -> bool {
    /// `PF_EXITING` in the kernel's `sched.h`.
    const EXITING: u64 = 4;
    const KILLED: u64 = 1 << (Signal::KILL.as_raw() - 1);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = fields(&stat).unwrap_or_default();
    let has = |place: usize, bit: u64| {
        fields.get(place).and_then(|field| field.parse::<u64>().ok()).is_some_and(|bits| bits & bit != 0)
    };
    has(6, EXITING) || has(28, KILLED)
}

/// When a process started, in the kernel's ticks since boot. One that has ended and was not waited for is none.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = fields(&stat)?;
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

/// The kernel's letter for what a process does: `R`, `S`, `T` where it is stopped (`state` of proc_pid_stat(5)).
pub fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields(&stat)?.first()?.chars().next()
}

/// The fields of `/proc/PID/stat` from the state on; the name before them may hold spaces and parentheses.
pub(super) fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace().collect())
}

/// A process and all its descendants, parents first.
pub(super) fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    found
}

/// The processes of one instance, and those of others.
#[derive(Debug, Clone, Copy)]
pub struct Kin<'a> {
    /// Its main process, or what that left.
    pub pids: &'a [u32],
    /// Main processes of other instances.
    pub others: &'a [u32],
}

impl Kin<'_> {
    /// Whether a process is one of the instance's: a descendant, or one that was left to the launcher and whose line
    /// leads to no other instance.
    pub fn has(&self, pid: u32) -> bool {
        let launcher = self.pids.first().copied().and_then(parent);
        for ancestor in std::iter::successors(Some(pid), |&pid| parent(pid)) {
            if self.pids.contains(&ancestor) || Some(ancestor) == launcher {
                return true;
            }
            if self.others.contains(&ancestor) {
                return false;
            }
        }
        false
    }
}

/// The process above one.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields(&stat)?.get(1)?.parse().ok().filter(|parent| *parent > 0)
}

/// The inodes of the sockets that a process holds; an error where it may not be looked at.
pub(super) fn sockets(pid: u32) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        inodes.extend(socket_inode(&target));
    }
    Ok(inodes)
}

fn socket_inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The process that holds a socket, among all that this user may look at.
pub(super) fn holder(inode: u64) -> Option<Owner> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| sockets(*pid).is_ok_and(|inodes| inodes.contains(&inode))).map(describe)
}

/// Kills the groups that these processes led, which have ended themselves.
pub fn end_groups(leaders: &[u32]) {
    for leader in leaders.iter().filter_map(|&leader| number(leader)) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// Kills a process, if that number is still its own.
pub fn kill(pid: u32, started: u64) {
    if let Some(process) = number(pid).filter(|_| alive(pid, started)) {
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
}

/// Signals a process that is known to be there.
pub fn signal(pid: u32, signal: crate::model::Signal) {
    let signal = rustix::process::Signal::from_named_raw(signal.number());
    if let Some((process, signal)) = number(pid).zip(signal) {
        let _ = rustix::process::kill_process(process, signal);
    }
}

/// Waits for the end of a process that is not our child.
#[cfg(target_os = "linux")]
pub fn wait(pid: u32, started: u64) {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{PidfdFlags, pidfd_open};
    let Some(process) = number(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return };
    // The number may have become somebody else's before the descriptor was made.
    while alive(pid, started) && poll(&mut [PollFd::new(&process, PollFlags::IN)], None).is_err() {}
}

/// Waits for the end of a process that is not our child; elsewhere nothing tells of that.
#[cfg(not(target_os = "linux"))]
pub fn wait(pid: u32, started: u64) {
    while alive(pid, started) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A process's number as the system calls take it.
pub(super) fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
