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

/// Ticks in a second.
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}
