//! Looking at processes: who they are, who their children are, what they hold.

use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal};

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

/// When a process started, in the kernel's ticks since boot. One that has ended and was not waited for is none.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = fields(&stat)?;
    if matches!(fields.first(), Some(&("Z" | "X"))) {
        return None;
    }
    fields.get(19)?.parse().ok()
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

/// Kills a process group.
pub fn kill_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    }
}
