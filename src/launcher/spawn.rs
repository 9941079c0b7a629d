//! Starting one process, as cheaply as the kernel allows.
//!
//! `std::process` forks where something has to happen between fork and exec, and a fork copies page tables: a third of
//! the cost of starting a small program. Here the child borrows the launcher's memory until it execs
//! (`CLONE_VM | CLONE_VFORK`, what `posix_spawn` does inside), and still arms its parent-death signal, which
//! `posix_spawn` cannot.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

/// What to start. Texts end with a zero each: they are what `execve` takes, as they came over the wire.
#[derive(Debug)]
pub struct Program<'a> {
    /// The words of the command line.
    pub argv: &'a [u8],
    /// `NAME=value`s.
    pub environment: &'a [u8],
    pub folder: &'a [u8],
    /// The account that runs it, where that is another.
    pub account: Option<&'a Account>,
    /// What it reads; nothing where there is none.
    pub stdin: Option<OwnedFd>,
    pub seat: Seat,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// To which group and terminal a process belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// It leads a process group of its own.
    Own,
    /// It joins this one, so that it has the terminal.
    Group(u32),
    /// What it reads is a terminal of its own: it leads a session.
    Terminal,
}

impl Seat {
    /// As a number: no process group has the highest one.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Own => 0,
            Self::Group(group) => group,
            Self::Terminal => u32::MAX,
        }
    }

    /// What a number says.
    pub(super) fn of(number: u32) -> Self {
        match number {
            0 => Self::Own,
            u32::MAX => Self::Terminal,
            group => Self::Group(group),
        }
    }
}

/// An account by its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// Its further groups.
    pub groups: Vec<u32>,
}

/// The value of a variable in a block of `NAME=value`s.
pub fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    environment
        .split(|&byte| byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::Spawner;
#[cfg(not(target_os = "linux"))]
pub use portable::Spawner;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn run(argv: &[&str], environment: &[&str], folder: &str) -> Result<String, i32> {
        let block =
            |words: &[&str]| words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
        let (mut output, stdout) = std::io::pipe().unwrap();
        let stderr = stdout.try_clone().unwrap();
        let program = Program {
            argv: &block(argv),
            environment: &block(environment),
            folder: &block(&[folder]),
            account: None,
            stdin: None,
            seat: Seat::Own,
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        let pid = Spawner::new().unwrap().spawn(&program)?;
        drop(program);
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
        Ok(text)
    }

    #[test]
    fn a_program_gets_its_words_variables_and_folder() {
        let script = "echo $0 $1 \"$A\" $(pwd); cat; echo end >&2";
        let said = run(&["sh", "-c", script, "zero", "one"], &["PATH=/nowhere:/usr/bin:/bin", "A=a b"], "/tmp");
        assert_eq!(said.unwrap(), "zero one a b /tmp\nend\n");
    }

    #[test]
    fn it_leads_a_group_of_its_own_and_takes_signals() {
        let said = run(
            &["/bin/sh", "-c", "grep -c 'SigBlk:.*0000000000000000' /proc/self/status; ps -o pgid= -p $$; echo $$"],
            &["PATH=/usr/bin:/bin"],
            "/",
        );
        let lines: Vec<String> = said.unwrap().lines().map(|line| line.trim().to_owned()).collect();
        assert_eq!(lines[0], "1");
        assert_eq!(lines[1], lines[2]);
    }

    #[test]
    fn failures_are_those_of_the_system_call() {
        assert_eq!(run(&["no-such-program"], &["PATH=/bin"], "/").unwrap_err(), 2);
        assert_eq!(run(&["/etc/passwd"], &[], "/").unwrap_err(), 13);
        assert_eq!(run(&["/bin/true"], &[], "/no/such/folder").unwrap_err(), 2);
        assert_eq!(run(&[""], &[], "/").unwrap_err(), 2);
    }

    #[test]
    fn a_script_without_an_interpreter_goes_to_the_shell() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("run");
        std::fs::write(&script, "echo scripted $1\n").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let folder = dir.path().to_str().unwrap();
        assert_eq!(run(&["./run", "x"], &[], folder).unwrap(), "scripted x\n");
        assert_eq!(run(&["run", "y"], &[&format!("PATH={folder}")], "/").unwrap(), "scripted y\n");
    }
}
