//! `nagaya ci -- COMMAND`: boot, wait, run the command among the services, take everything down.
#![allow(clippy::disallowed_types, reason = "this process is the command's parent")]

mod artifacts;
mod report;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::args::{Global, duration};
use super::enter;
use super::error::{Code, Error};
use super::exec;
use super::output::Output;
use super::temporary::{Stop, Temporary};
use super::wait::{Goal, settle};
use super::{block, events, locate};
use crate::effects::{clock, environment};
use crate::engine::{Found, Order, Owned, Running, find_or_start};
use crate::manifest::{GUEST, Request};
use crate::plan::Selection;
use crate::runtime::UpRequest;
use crate::view::{Event, Service};
use report::{Ran, Report, Seen};

/// What `ci` is asked for.
#[derive(Debug, Args)]
pub struct Ci {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// How long to wait at most until all are ready
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "NAGAYA_TIMEOUT")]
    pub timeout: Option<Duration>,
    /// Keep the logs of services that failed in this folder, or all where only the command did; and all events
    #[arg(long, value_name = "DIR", env = "NAGAYA_ARTIFACTS")]
    pub artifacts: Option<PathBuf>,
    /// Write the outcomes of all services and of the command as JUnit has them
    #[arg(long, value_name = "FILE", env = "NAGAYA_JUNIT")]
    pub junit: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Whatever goes wrong before the command has run is 125, as with `exec`, or 126 and 127 where it cannot be run: all other
/// codes are the command's, but for 130 of an interrupt.
pub fn run(global: &Global, args: Ci, output: &Output) -> Result<ExitCode, Error> {
    let as_ci = |error: Error| match error.code {
        Code::Interrupted | Code::NotExecutable | Code::NotFound => error,
        _ => Error { code: Code::Exec, ..error },
    };
    boot(global, args, output).map_err(as_ci)
}

fn boot(global: &Global, args: Ci, output: &Output) -> Result<ExitCode, Error> {
    if let Some(folder) = &args.artifacts {
        // Whatever comes of this one, nobody is to take for it what another has left.
        artifacts::clear(folder).map_err(|error| Error::failed(format!("{}: {error}", folder.display())))?;
    }
    let load = Request { guest: true, ..locate::manifest(global)? };
    let mut services = args.services.clone();
    if !services.is_empty() {
        services.push(GUEST.to_owned());
    }
    let selection = Selection::of(&services, &global.profile, false);
    let color = output.error_colors() && !output.json;
    let up = UpRequest { load: Some(load.clone()), selection, color, ..UpRequest::default() };
    let order = Order { load, up, standard_ports: false, namerd: None, matrix: None };
    match find_or_start(&locate::places()?, &order, &|word| output.say(word))? {
        Found::Running(engine) => {
            Err(Error::failed(format!("{} is running already, and `ci` takes down what it runs", engine.name))
                .hint("`nagaya exec` runs a command among its services")
                .hint("`-p NAME` runs another workspace of this manifest beside it"))
        }
        Found::Started(running, owned) => block(async {
            running.notices.iter().for_each(|notice| output.say(notice));
            Session::new(*running, owned, args).run(output).await
        }),
    }
}

/// An engine that is there for one command.
struct Session {
    engine: Temporary,
    args: Ci,
}

impl Session {
    fn new(running: Running, owned: Owned, args: Ci) -> Self {
        Self { engine: Temporary::new(running, owned), args }
    }

    async fn run(self, output: &Output) -> Result<ExitCode, Error> {
        let mut printer = events::Printer { client: self.engine.client.clone(), next: 0 };
        let begun = Instant::now();
        let ready = self.wait(&mut printer, output).await;
        let mut ran = match ready {
            Ok(()) => self.command().await,
            Err(error) => Ran { result: Err(error), took: Duration::ZERO },
        };
        if output.json {
            printer.catch_up(output).await?;
            output.json_line(&ended(&ran));
        }
        let seen = self.seen().await;
        let at = clock::utc();
        let took = begun.elapsed();
        self.engine.end(output).await;
        // Now the logs are complete.
        let (rows, events) = seen?;
        let seen = Seen { rows, events, at, took };
        let report = Report::new(&self.engine.running.identity, seen, &ran, &self.args);
        if let Err(error) = report.write(&self.args, output) {
            // Where the command itself was fine, its result was asked for in vain.
            ran.result = ran.result.and_then(|code| if code == 0 { Err(error) } else { Ok(code) });
        }
        ran.result.map(ExitCode::from).map_err(|error| error.detail(report.last_lines()))
    }

    async fn wait(&self, printer: &mut events::Printer, output: &Output) -> Result<(), Error> {
        let services: Vec<String> =
            self.engine.running.services.iter().filter(|name| *name != GUEST).cloned().collect();
        let state = self.engine.running.identity.state();
        let waiting = settle(&self.engine.client, &state, &services, Goal::Ready, self.args.timeout, output);
        let following = async {
            match output.json {
                true => printer.follow(output).await,
                false => std::future::pending().await,
            }
        };
        let mut stop = Stop::new()?;
        tokio::select! {
            result = waiting => result,
            Err(error) = following => Err(error),
            () = stop.asked() => Err(Error::new(Code::Interrupted, "interrupted")),
        }
    }

    /// Runs the command, with this process's terminal and streams.
    async fn command(&self) -> Ran {
        let begun = Instant::now();
        let result = self.spawned().await;
        Ran { result, took: begun.elapsed() }
    }

    async fn spawned(&self) -> Result<u8, Error> {
        // The guest was started with the rest, and is quicker than most.
        settle(
            &self.engine.client,
            &self.engine.running.identity.state(),
            &[GUEST.to_owned()],
            Goal::Ready,
            None,
            &Output::plain().silent(),
        )
        .await?;
        let surroundings = self.engine.client.env(GUEST).await?;
        let folder =
            environment::folder().map_err(|error| Error::failed(format!("there is no current folder: {error}")))?;
        let Some((program, arguments)) = self.args.command.split_first() else {
            return Err(Error::usage("there is no command to run"));
        };
        let mut command = exec::command(&surroundings, GUEST, program)?;
        command.args(arguments).env_clear().envs(&surroundings.variables).env("PWD", &folder);
        let path = surroundings.variables.get("PATH").map(OsStr::new);
        enter::attend(command.into(), |error| enter::not_run(program, path, error)).await
    }

    /// How the services are, and what happened to them.
    async fn seen(&self) -> Result<(Vec<Service>, Vec<Event>), Error> {
        let rows =
            self.engine.client.services().await?.into_iter().filter(|row| row.wanted && row.name != GUEST).collect();
        Ok((rows, self.engine.client.happened(0).await?.events))
    }
}

/// The command's end, as the last line of the stream.
fn ended(ran: &Ran) -> Event {
    let (message, code) = match &ran.result {
        Ok(code) => (format!("the command ended with {code}"), Some(i32::from(*code))),
        Err(error) => (error.message.clone(), None),
    };
    let event = Event::told("ci", None, message, clock::utc());
    Event { code, duration_ms: u64::try_from(ran.took.as_millis()).ok(), ..event }
}
