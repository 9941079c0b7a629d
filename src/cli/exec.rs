//! `nagaya exec`: a command in a service's folder and environment.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this process becomes the command")]

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;

use super::args::Global;
use super::enter::not_run;
use super::error::{Code, Error};
use super::locate::connect;
use super::output::Output;
use crate::api::Client;
use crate::effects::places::CONTAINERS as NOTE;
use crate::effects::{containers, environment, fs};
use crate::launcher::{Account, Entering};
use crate::runtime::{Changes, Environment, InPod};
use crate::supervise::State;
use crate::view::Service;

/// How long a pod that is to come is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `exec` is asked for.
#[derive(Debug, Args)]
pub struct Exec {
    /// As with docker; a command has the terminal that this one has
    #[arg(short = 't', long = "tty", hide = true)]
    pub tty: bool,
    /// As with docker
    #[arg(short = 'i', long = "interactive", hide = true)]
    pub interactive: bool,
    /// The service
    pub service: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// Becomes the command, so that its terminal, signals and exit code are its own.
pub async fn run(global: &Global, args: Exec, output: &Output) -> Result<ExitCode, Error> {
    let as_exec = |error: Error| Error { code: Code::Exec, ..error };
    let (client, engine) = connect(global, output).map_err(as_exec)?;
    let environment = place_of(&client, &args.service, output).await.map_err(as_exec)?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Error::new(Code::Exec, "there is no command to execute"));
    };
    if let InPod::Container(container) = &environment.pod {
        return in_container(&engine.state.join(NOTE), container, &args.command).await;
    }
    if !fs::is_folder(&environment.folder) {
        let message = format!("the folder {} of {} is not there", environment.folder.display(), args.service);
        return Err(Error::new(Code::Exec, message));
    }
    let mut command = command(&environment, &args.service, program)?;
    let failed = command
        .args(arguments)
        .env_clear()
        .envs(&environment.variables)
        .env("PWD", &environment.folder)
        .current_dir(&environment.folder)
        .exec();
    let path = environment.variables.get("PATH").map(OsStr::new);
    Err(not_run(program, path, &failed))
}

/// The place of a service; while one that has a pod is about to start, this waits for the pod.
async fn place_of(client: &Client, service: &str, output: &Output) -> Result<Environment, Error> {
    let found = client.env(service).await?;
    if found.pod != InPod::Absent {
        return Ok(found);
    }
    let mut rows = client.events("/v1/services/stream").await?;
    let coming = async {
        let mut is_told = false;
        while let Some(changes) = rows.next::<Changes>().await {
            // Of several instances one that comes is enough.
            let of_it: Vec<_> = changes.services.iter().filter(|row| row.name == service).collect();
            if of_it.iter().any(|row| row.pid.is_some()) {
                return;
            }
            let Some(row) = of_it.iter().find(|row| is_coming(row)) else {
                if of_it.is_empty() && !changes.whole { continue } else { return }
            };
            if output.is_interactive() && !std::mem::replace(&mut is_told, true) {
                output.say(&format!("{service} {}: the command waits for its pod", row.state.said()));
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, coming).await;
    Ok(client.env(service).await?)
}

/// Whether a process of it is to start without more being asked for.
fn is_coming(row: &Service) -> bool {
    let begins = matches!(row.state, State::Waiting | State::Setup | State::Starting | State::Backoff);
    row.wanted && begins && !row.stuck
}

/// Runs a command in a container, with the streams of this process.
async fn in_container(note: &Path, container: &str, command: &[OsString]) -> Result<ExitCode, Error> {
    let words = command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let code = containers::exec(note, container, words).await.map_err(|reason| Error::new(Code::Exec, reason))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// A program in the place of a service: in its pod, where it has one, and as its account.
pub fn command(environment: &Environment, service: &str, program: &OsStr) -> Result<Command, Error> {
    match &environment.pod {
        InPod::No => here(program, environment.account.as_ref()),
        InPod::Pid(init) => into_pod(&Entering { init: *init, account: environment.account.clone() }, program),
        InPod::Container(container) => Err(Error::new(
            Code::Exec,
            format!("{service} is the container {container}, in which no program of here runs"),
        )),
        InPod::Absent => {
            let message = format!("{service} does not run, so there is nothing to run this in");
            Err(Error::new(Code::Exec, message).hint(format!("nagaya start {service}")))
        }
    }
}

/// The command itself, from now on as the account that the service has.
fn here(program: &OsStr, account: Option<&Account>) -> Result<Command, Error> {
    account
        .map_or(Ok(()), Account::take_on)
        .map_err(|error| Error::new(Code::Exec, format!("the account of the service cannot be taken on: {error}")))?;
    Ok(Command::new(program))
}

/// This program again, with one thread, as only such a process can enter a pod.
fn into_pod(entering: &Entering, program: &OsStr) -> Result<Command, Error> {
    let own = environment::program().map_err(|error| Error::new(Code::Exec, format!("no program: {error}")))?;
    let mut command = Command::new(&own);
    command.args(&entering.command(&own)[1..]).arg(program);
    Ok(command)
}
