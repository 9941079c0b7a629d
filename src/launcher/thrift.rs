//! Giving memory back that only a boot needed.
#![allow(unsafe_code)]

/// Returns to the system what this process has freed, and lets go of the pages of its own program: those that are needed
/// again come from the kernel's cache. Takes milliseconds.
pub fn give_back() {
    trim();
    if let Some((start, length)) = program() {
        // SAFETY: the range is one mapping of this program's file, private and never written to. The kernel finds each of its
        // pages again when it is used, as after it took one away by itself, which it may do at any time.
        unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(start), length, libc::MADV_DONTNEED) };
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: takes a number; the allocator locks all its arenas itself.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

/// Where the code of this program is, and how much of it there is (proc_pid_maps(5)).
fn program() -> Option<(usize, usize)> {
    let own = std::fs::read_link("/proc/self/exe").ok()?;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.contains(" r-xp ") && line.ends_with(&*own.to_string_lossy()))?;
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_runs_on_after_it_let_go_of_itself() {
        let (start, length) = program().unwrap();
        let here = (give_back as *const ()).addr();
        assert!((start..start + length).contains(&here));
        let kept: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        give_back();
        assert!(kept.iter().enumerate().all(|(number, text)| *text == number.to_string()));
    }
}
