//! The ids of a pod: whoever looks from inside sees the same numbers as outside (user_namespaces(7)).

use std::fs;
use std::io;

use rustix::process::{getegid, geteuid};

/// How a pod's ids come about, by what this process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It may make all namespaces but a user's: the pod's ids are everybody's.
    Shared,
    /// It may change ids, but not make namespaces: all ids that it has are mapped to themselves, by itself.
    Mapped,
    /// Only its own id is mapped, by the pod: an ordinary account.
    Single,
}

const SETGID: u64 = 1 << 6;
const SETUID: u64 = 1 << 7;
const NET_ADMIN: u64 = 1 << 12;
const SYS_ADMIN: u64 = 1 << 21;

impl Identity {
    /// What holds for this process.
    pub fn of_this_process() -> Self {
        let capabilities = capabilities().unwrap_or(0);
        let has = |wanted: u64| capabilities & wanted == wanted;
        if has(SYS_ADMIN | NET_ADMIN) {
            Self::Shared
        } else if has(SETUID | SETGID) {
            Self::Mapped
        } else {
            Self::Single
        }
    }
}

/// The effective ones (capabilities(7)).
fn capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Maps one's own ids in a fresh user namespace, from within.
pub fn map_own(uid: u32, gid: u32) -> io::Result<()> {
    // Without this an account could leave a group that a file denies access to.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// The ids of this process, before it enters anything.
pub fn own() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

/// Maps everything that this process has to itself in the user namespace of a child.
pub fn map_all(child: u32) -> io::Result<()> {
    for file in ["uid_map", "gid_map"] {
        let own = fs::read_to_string(format!("/proc/self/{file}"))?;
        fs::write(format!("/proc/{child}/{file}"), identity(&own))?;
    }
    Ok(())
}

/// Every range to itself: the first number of a line is where it is seen from here.
fn identity(map: &str) -> String {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, _, count) = (words.next()?, words.next()?, words.next()?);
        Some(format!("{start} {start} {count}\n"))
    };
    map.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_mapped_to_itself() {
        assert_eq!(
            identity("         0       1000          1\n         1     100000      65536\n"),
            "0 0 1\n1 1 65536\n"
        );
    }
}
