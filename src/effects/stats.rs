//! CPU time and memory of process groups, while somebody looks.

use std::collections::HashMap;

use super::process::fields;

/// What all processes of one group use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// CPU time since their start, in the kernel's ticks.
    pub ticks: u64,
    pub memory_bytes: u64,
}

/// The usage of every process group of this machine, by its leader.
#[derive(Debug, Default)]
pub struct Sample(HashMap<u32, Usage>);

impl Sample {
    /// Looks at all processes once.
    pub fn take() -> Self {
        let mut groups: HashMap<u32, Usage> = HashMap::new();
        let page = rustix::param::page_size() as u64;
        let Ok(entries) = std::fs::read_dir("/proc") else { return Self::default() };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some(fields) = fields(&stat) else { continue };
            let number = |at: usize| fields.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            // proc_pid_stat(5), counted from the state: group 2, utime 11, stime 12, resident pages 21.
            let Ok(group) = u32::try_from(number(2)) else { continue };
            let usage = groups.entry(group).or_default();
            usage.ticks += number(11) + number(12);
            usage.memory_bytes += number(21) * page;
        }
        Self(groups)
    }

    /// The usage of one group.
    pub fn of(&self, leader: u32) -> Option<Usage> {
        self.0.get(&leader).copied()
    }
}

/// The memory that families of processes take, each of which descends from some or is in a group that they lead. What is
/// shared counts once where it matters: where the plain sum is more than `enough`, and that is looked at more closely.
pub fn memory(families: &[Vec<u32>], enough: u64) -> Vec<u64> {
    let all = processes();
    let owner = |pid: u32| families.iter().position(|roots| roots.contains(&pid));
    let family = |process: &Process| {
        let mut seen = process;
        // A cycle cannot be, but processes may change while they are read.
        for _ in 0..all.len() {
            if let Some(found) = owner(seen.pid).or_else(|| owner(seen.group)) {
                return Some(found);
            }
            seen = all.get(&seen.parent)?;
        }
        None
    };
    let members: Vec<(usize, &Process)> = all.values().filter_map(|it| Some((family(it)?, it))).collect();
    let sum = |of: &dyn Fn(&Process) -> u64| {
        let mut out = vec![0; families.len()];
        members.iter().for_each(|(family, process)| out[*family] += of(process));
        out
    };
    let resident = sum(&|process| process.resident);
    match resident.iter().sum::<u64>() > enough {
        true => sum(&|process| proportional(process.pid).unwrap_or(process.resident)),
        false => resident,
    }
}

struct Process {
    pid: u32,
    parent: u32,
    group: u32,
    resident: u64,
}

fn processes() -> HashMap<u32, Process> {
    let page = rustix::param::page_size() as u64;
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let process = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields = fields(&stat)?;
        // proc_pid_stat(5), counted from the state: parent 1, group 2, resident pages 21.
        let (parent, group) = (fields.get(1)?.parse().ok()?, fields.get(2)?.parse().ok()?);
        Some((pid, Process { pid, parent, group, resident: fields.get(21)?.parse::<u64>().ok()? * page }))
    };
    entries.flatten().filter_map(process).collect()
}

/// What a process takes, with its share of what others have too (`Pss` in proc_pid_smaps(5)).
fn proportional(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Ticks in a second.
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_takes_what_its_members_take() {
        let own = std::process::id();
        let plain = memory(&[vec![own], vec![u32::MAX]], u64::MAX);
        assert!(plain[0] > 1 << 20 && plain[1] == 0, "{plain:?}");
        let shared = memory(&[vec![own]], 0);
        assert!(shared[0] > 1 << 16 && shared[0] <= 2 * plain[0], "{shared:?} of {plain:?}");
    }
}
