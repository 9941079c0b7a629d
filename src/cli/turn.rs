//! `nagaya turn FILE LOCK TASK COMMAND…`: waits for a lock and becomes the command, which has it as long as it and all that
//! it began are there. For tasks that the engine runs, not for people.
#![allow(clippy::disallowed_types, reason = "this process becomes the command")]

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::enter::not_run;
use super::error::{Code, Error};
use super::output::Output;
use crate::effects::{environment, locks};

/// Waits, and does not come back where the command can be run.
pub fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    let [file, lock, task, program, arguments @ ..] = words else {
        return Err(Error::usage("`nagaya turn` is for nagaya's own use: see `lock` of a task"));
    };
    let (file, lock) = (Path::new(file), lock.display());
    let folder = environment::folder().unwrap_or_default();
    // In a pod a process's number is not the one that others know it by.
    let workspace = environment::variable("NAGAYA_WORKSPACE").unwrap_or_default();
    let who = format!("workspace {}, {} in {}", workspace.display(), task.display(), folder.display());
    let waits = |holder: &str| Output::plain().tell(&format!("waits for the lock `{lock}`, which {holder} has"));
    locks::take_along(file, &who, waits).map_err(|error| {
        Error::new(Code::Exec, format!("the lock `{lock}` cannot be had: {}: {error}", file.display()))
    })?;
    let error = Command::new(program).args(arguments).exec();
    Err(not_run(program, environment::variable("PATH").as_deref(), &error))
}
