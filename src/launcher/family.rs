//! Which processes belong to which instance, also after their parents died.

use std::collections::HashMap;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// The variable that marks every process of an instance, wherever it wanders.
pub const TOKEN: &str = "NAGAYA_TOKEN";

/// All instances that may still have processes.
#[derive(Debug, Default)]
pub struct Family {
    instances: HashMap<u64, Instance>,
    leaders: HashMap<Pid, u64>,
    /// Adopted processes and whose they are; a child's number is not used again before we have reaped it.
    adopted: HashMap<Pid, u64>,
}

#[derive(Debug)]
struct Instance {
    leader: Pid,
    token: Vec<u8>,
    leader_alive: bool,
    /// The group was seen to be empty after its leader's end: its number may be another's from now on.
    group_gone: bool,
    /// The last signal that was ordered: processes that turn up later get it too.
    ordered: Option<i32>,
}

/// What is left of an instance whose main process ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Remains {
    pub pids: Vec<u32>,
    pub group: bool,
}

impl Remains {
    /// Whether nothing is left.
    pub fn none(&self) -> bool {
        self.pids.is_empty() && !self.group
    }
}

impl Family {
    /// A new instance with its main process, which leads its own group.
    pub fn add(&mut self, key: u64, leader: Pid, token: Vec<u8>) {
        self.instances.insert(key, Instance { leader, token, leader_alive: true, group_gone: false, ordered: None });
        self.leaders.insert(leader, key);
    }

    /// A child was reaped: the instance whose main process it was.
    pub fn reaped(&mut self, pid: Pid) -> Option<u64> {
        self.adopted.remove(&pid);
        let key = self.leaders.remove(&pid)?;
        if let Some(instance) = self.instances.get_mut(&key) {
            instance.leader_alive = false;
        }
        Some(key)
    }

    /// Looks at the present children and takes note of those that came by adoption. Those whose instance was told
    /// to stop are told too: they may have missed it.
    pub fn adopt(&mut self, children: &[Pid]) {
        for &pid in children {
            if self.leaders.contains_key(&pid) || self.adopted.contains_key(&pid) {
                continue;
            }
            let Some(key) = self.owner(pid) else { continue };
            self.adopted.insert(pid, key);
            let ordered = self.instances.get(&key).and_then(|instance| instance.ordered);
            if let Some(signal) = ordered.and_then(Signal::from_named_raw) {
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// An orphan belongs to the instance in whose group it still is, or whose token is in its environment.
    fn owner(&self, pid: Pid) -> Option<u64> {
        if let Ok(group) = rustix::process::getpgid(Some(pid))
            && let Some((key, _)) = self.instances.iter().find(|(_, it)| it.leader == group && !it.group_gone)
        {
            return Some(*key);
        }
        let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()?;
        let token = environment
            .split(|&byte| byte == 0)
            .find_map(|entry| entry.strip_prefix(TOKEN.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))?;
        self.instances.iter().find(|(_, instance)| instance.token == token).map(|(key, _)| *key)
    }

    /// What is left of an instance apart from its main process.
    pub fn remains(&mut self, key: u64) -> Remains {
        let pids = self.adopted.iter().filter(|(_, owner)| **owner == key).map(|(pid, _)| number(*pid)).collect();
        let group = self.instances.get_mut(&key).is_some_and(|instance| {
            instance.group_gone |= !instance.leader_alive && !group_exists(instance.leader);
            !instance.group_gone
        });
        Remains { pids, group }
    }

    /// The instances whose main process is gone.
    pub fn leaderless(&self) -> Vec<u64> {
        self.instances.iter().filter(|(_, instance)| !instance.leader_alive).map(|(key, _)| *key).collect()
    }

    /// Forgets an instance of which nothing is left.
    pub fn forget(&mut self, key: u64) {
        self.instances.remove(&key);
    }

    /// Signals the group of an instance and what wandered off from it.
    pub fn signal(&mut self, key: u64, signal: i32) {
        let Some(instance) = self.instances.get_mut(&key) else { return };
        instance.ordered = Some(signal);
        let Some(signal) = Signal::from_named_raw(signal) else { return };
        let leader = Some(instance.leader).filter(|_| !instance.group_gone);
        if let Some(leader) = leader {
            // One that joined another's group has none of its own.
            let sent = kill_process_group(leader, signal);
            if sent.is_err() && instance.leader_alive {
                let _ = kill_process(leader, signal);
            }
        }
        for (pid, _) in self.adopted.iter().filter(|(_, owner)| **owner == key) {
            if rustix::process::getpgid(Some(*pid)).ok() != leader {
                let _ = kill_process(*pid, signal);
            }
        }
    }

    /// Kills every group.
    pub fn kill_all(&mut self) {
        let keys: Vec<u64> = self.instances.keys().copied().collect();
        keys.into_iter().for_each(|key| self.signal(key, Signal::KILL.as_raw()));
    }
}

/// A process number as the engine counts it.
pub fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

fn group_exists(leader: Pid) -> bool {
    !matches!(test_kill_process_group(leader), Err(Errno::SRCH))
}
