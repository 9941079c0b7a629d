//! By the standard library.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::{Program, Seat};

/// Elsewhere the standard library starts processes; a killed launcher is noticed by the engine alone.
#[derive(Debug)]
pub struct Spawner;

impl Spawner {
    /// Nothing to prepare.
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Starts a process, by default as the leader of a new group and with no input.
    pub fn spawn(&mut self, program: &Program<'_>) -> Result<Pid, i32> {
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let texts = |block: &'_ [u8]| {
            let whole = block.strip_suffix(b"\0").unwrap_or(block).to_vec();
            whole.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let argv = texts(program.argv);
        let (name, arguments) = argv.split_first().ok_or(2)?;
        let variables = texts(program.environment).into_iter().filter_map(|entry| {
            let at = entry.iter().position(|&byte| byte == b'=')?;
            Some((text(&entry[..at]), text(&entry[at + 1..])))
        });
        let copy = |descriptor: &std::os::fd::OwnedFd| {
            descriptor.try_clone().map(Stdio::from).map_err(|error| error.raw_os_error().unwrap_or(5))
        };
        let mut command = Command::new(text(name));
        command
            .args(arguments.iter().map(|word| text(word)))
            .env_clear()
            .envs(variables)
            .current_dir(text(program.folder.strip_suffix(b"\0").unwrap_or(program.folder)))
            .stdin(program.stdin.as_ref().map(copy).transpose()?.unwrap_or_else(Stdio::null))
            .stdout(copy(&program.stdout)?)
            .stderr(copy(&program.stderr)?);
        match program.seat {
            Seat::Own => {
                command.process_group(0);
            }
            Seat::Group(group) => {
                command.process_group(i32::try_from(group).unwrap_or(0));
            }
            Seat::Terminal => {
                // SAFETY: two system calls, which are async-signal-safe and touch nothing of ours.
                #[allow(unsafe_code)]
                unsafe {
                    command.pre_exec(|| {
                        rustix::process::setsid()?;
                        Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
                    });
                }
            }
        }
        let child = command.spawn().map_err(|error| error.raw_os_error().unwrap_or(5))?;
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(3)
    }
}
