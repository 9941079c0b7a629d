//! `nagaya enter PID[:UID:GID[:GROUP…]] COMMAND…`: a command in the pod whose pid 1 is PID, as an account. For `exec` and for probes, not for people.
#![allow(clippy::disallowed_types, reason = "this process is the command's parent")]

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::block;
use super::error::{Code, Error};
use crate::effects::{environment, fs};
use crate::launcher::Entering;
use crate::model::Signal;

/// Enters the pod and runs the command there; its exit code is passed on. Called while there is one thread.
pub fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    let whom = words.first().and_then(|word| Entering::parse(word.to_str()?));
    let (Some(entering), [_, program, arguments @ ..]) = (whom, words) else {
        return Err(Error::usage("`nagaya enter` is for nagaya's own use: see `nagaya exec`"));
    };
    entering.enter().map_err(|error| {
        Error::new(Code::Exec, format!("the pod cannot be entered: {error}"))
            .hint("it may just have ended: `nagaya ps` tells")
    })?;
    block(async { command(program, arguments).await })
}

async fn command(program: &OsStr, arguments: &[OsString]) -> Result<ExitCode, Error> {
    let mut command = Command::new(program);
    command.args(arguments);
    let not_run = |error: &std::io::Error| not_run(program, environment::variable("PATH").as_deref(), error);
    attend(command, not_run).await.map(ExitCode::from)
}

/// Runs a command to its end, with this process's streams; its exit code, as a shell tells it. What asks this process to
/// end is passed on, so that it outlives the command.
pub async fn attend(mut command: Command, not_run: impl Fn(&std::io::Error) -> Error) -> Result<u8, Error> {
    // Asked for before there is a child: none may be missed.
    let caught = |kind| signal(kind).map_err(|error| Error::new(Code::Exec, format!("no signals: {error}")));
    let (mut interrupt, mut quit) = (caught(SignalKind::interrupt())?, caught(SignalKind::quit())?);
    let (mut terminate, mut hangup) = (caught(SignalKind::terminate())?, caught(SignalKind::hangup())?);
    let mut child = command.spawn().map_err(|error| not_run(&error))?;
    loop {
        tokio::select! {
            ended = child.wait() => return Ok(ended.map_or(1, code)),
            _ = interrupt.recv() => unless_told(&child, Signal::INT),
            _ = quit.recv() => unless_told(&child, Signal::QUIT),
            _ = terminate.recv() => pass_on(&child, Signal::TERM),
            _ = hangup.recv() => pass_on(&child, Signal::HUP),
        }
    }
}

/// A terminal tells all in its foreground; whoever tells this process alone means the command.
fn unless_told(child: &Child, signal: Signal) {
    if !crate::effects::terminal::is_in_foreground() {
        pass_on(child, signal);
    }
}

fn pass_on(child: &Child, signal: Signal) {
    if let Some(pid) = child.id() {
        crate::effects::signal(pid, signal);
    }
}

/// The exit code of what ended, as a shell tells it.
pub fn code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// A command that could not be run with `path` as PATH, as a shell tells it.
pub fn not_run(program: &OsStr, path: Option<&OsStr>, error: &std::io::Error) -> Error {
    let shown = program.to_string_lossy();
    match error.kind() {
        _ if fs::is_missing(program, path, error) => Error::new(Code::NotFound, format!("`{shown}` cannot be found")),
        std::io::ErrorKind::PermissionDenied => {
            Error::new(Code::NotExecutable, format!("`{shown}` may not be executed"))
        }
        _ => Error::new(Code::Exec, format!("`{shown}`: {error}")),
    }
}
