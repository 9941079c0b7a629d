//! `nagaya exec`: a command in a service's folder and environment.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this process becomes the command")]

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::args::{Exec, Global};
use super::error::{Code, Error};
use super::locate::connect;
use super::output::Output;
use crate::effects::fs;

/// Becomes the command, so that its terminal, signals and exit code are its own.
pub async fn run(global: &Global, args: Exec, output: &Output) -> Result<ExitCode, Error> {
    let as_exec = |error: Error| Error { code: Code::Exec, ..error };
    let (client, _) = connect(global, output).map_err(as_exec)?;
    let environment = client.env(&args.service).await.map_err(Error::from).map_err(as_exec)?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Error::new(Code::Exec, "there is no command to execute"));
    };
    if !fs::is_folder(&environment.folder) {
        let message = format!("the folder {} of {} is not there", environment.folder.display(), args.service);
        return Err(Error::new(Code::Exec, message));
    }
    let failed = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&environment.variables)
        .env("PWD", &environment.folder)
        .current_dir(&environment.folder)
        .exec();
    let shown = program.to_string_lossy();
    Err(match failed.kind() {
        std::io::ErrorKind::NotFound => Error::new(Code::NotFound, format!("`{shown}` cannot be found")),
        std::io::ErrorKind::PermissionDenied => {
            Error::new(Code::NotExecutable, format!("`{shown}` may not be executed"))
        }
        _ => Error::new(Code::Exec, format!("`{shown}`: {failed}")),
    })
}
