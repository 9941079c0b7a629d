//! One combination after the other: waiting for it, and the command's run against it.
#![allow(clippy::disallowed_types, reason = "this process is the command's parent")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anstream::adapter::strip_str;
use futures_util::future::try_join_all;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Matrix;
use super::show::Progress;
use crate::cli::error::{Code, Error};
use crate::cli::output::Output;
use crate::cli::temporary::Temporary;
use crate::cli::wait::{Goal, settle};
use crate::cli::{enter, exec};
use crate::effects::programs::{self, Program};
use crate::effects::{self, environment, fs};
use crate::model::{Signal, in_variable};
use crate::runtime::Environment;
use crate::view;
use crate::view::elapsed;
use crate::view::matrix::{Cell, CellResult, Combined};

/// Lines of a command that are told where it failed.
const SHOWN: usize = 20;
/// What of a log is looked at for those.
const TAIL: u64 = 64 << 10;
/// How long a command that took too long has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// All combinations on their way.
pub struct Cells<'a> {
    engine: &'a Temporary,
    args: &'a Matrix,
    matrix: &'a view::matrix::Matrix,
    progress: &'a Progress<'a>,
    quiet: Output,
    /// Where this command was called, and where what it runs is run.
    folder: PathBuf,
    state: PathBuf,
    turns: Semaphore,
}

/// How a command ended.
enum Ran {
    Ended(ExitStatus),
    TooLong(Duration),
}

impl<'a> Cells<'a> {
    pub fn new(
        engine: &'a Temporary,
        args: &'a Matrix,
        matrix: &'a view::matrix::Matrix,
        progress: &'a Progress<'a>,
        output: &Output,
    ) -> Result<Self, Error> {
        let folder =
            environment::folder().map_err(|error| Error::failed(format!("there is no current folder: {error}")))?;
        let turns = Semaphore::new(args.jobs.get().min(Semaphore::MAX_PERMITS));
        let state = engine.running.identity.state();
        Ok(Self { engine, args, matrix, progress, quiet: output.silent(), folder, state, turns })
    }

    /// What came of each, in their order. An error is one that concerns all.
    pub async fn all(&self) -> Result<Vec<Cell>, Error> {
        fs::make_private_folder(&self.logs()).map_err(|error| unwritable(&self.logs(), &error))?;
        try_join_all((0..self.matrix.combinations.len()).map(|place| self.cell(place))).await
    }

    fn logs(&self) -> PathBuf {
        self.state.join("matrix")
    }

    async fn cell(&self, place: usize) -> Result<Cell, Error> {
        let begun = Instant::now();
        if let Err(error) = self.ready(place).await {
            if !matches!(error.code, Code::Failed | Code::TimedOut) {
                return Err(error);
            }
            let cell = not_ready(&error);
            self.progress.done(place, &cell);
            return Ok(cell);
        }
        let ready = begun.elapsed();
        self.progress.ready(place, ready);
        let turn = self.turns.acquire().await;
        self.progress.runs(place);
        let cell = self.command(place).await;
        drop(turn);
        let cell = Cell { ready_ms: millis(ready), ..cell? };
        self.progress.done(place, &cell);
        Ok(cell)
    }

    /// Waits for a combination, and for what it shares with others.
    async fn ready(&self, place: usize) -> Result<(), Error> {
        let combined = &self.matrix.combinations[place];
        let shared = self.matrix.shared.iter().map(|it| it.service.clone());
        let services: Vec<String> =
            combined.services.iter().cloned().chain(shared).chain([combined.guest.clone()]).collect();
        let timeout = Some(self.args.wait_timeout);
        settle(&self.engine.client, &self.state, &services, Goal::Ready, timeout, &self.quiet).await
    }

    async fn command(&self, place: usize) -> Result<Cell, Error> {
        let combined = &self.matrix.combinations[place];
        let log = self.logs().join(format!("{}.log", combined.name));
        let surroundings = self.engine.client.env(&combined.guest).await?;
        let begun = Instant::now();
        let ran = self.spawned(combined, &surroundings, &log).await?;
        let took = begun.elapsed();
        let last_lines = fs::read_end(&log, TAIL).map(|text| last(&text)).unwrap_or_default();
        let (result, code, reason) = match ran {
            Ran::Ended(status) => match enter::code(status) {
                0 => (CellResult::Passed, Some(0), None),
                code @ 129.. => (CellResult::Failed, Some(code), Some(format!("killed by signal {}", code - 128))),
                code => (CellResult::Failed, Some(code), Some(format!("exited with {code}"))),
            },
            Ran::TooLong(limit) => {
                (CellResult::TimedOut, None, Some(format!("the command took longer than {}", elapsed(limit))))
            }
        };
        let log = Some(log.display().to_string());
        Ok(Cell { result, code, reason, ready_ms: None, duration_ms: millis(took), last_lines, log })
    }

    async fn spawned(&self, combined: &Combined, surroundings: &Environment, log: &Path) -> Result<Ran, Error> {
        let Some((program, arguments)) = self.args.command.split_first() else {
            return Err(Error::usage("there is no command to run"));
        };
        let path = surroundings.variables.get("PATH").map(OsStr::new);
        if programs::find(&program.to_string_lossy(), &self.folder, path) == Program::Missing {
            return Err(Error::new(Code::NotFound, format!("`{}` cannot be found", program.to_string_lossy())));
        }
        fs::remove(log).map_err(|error| unwritable(log, &error))?;
        let file = fs::open_log(log).map_err(|error| unwritable(log, &error))?;
        let again = file.try_clone().map_err(|error| unwritable(log, &error))?;
        let mut command: Command = exec::command(surroundings, &combined.guest, program)?.into();
        command.args(arguments).env_clear().envs(&surroundings.variables).envs(variables(combined));
        command.env("PWD", &self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(file).stderr(again);
        let child = command.spawn().map_err(|error| enter::not_run(program, path, &error))?;
        let mut group = Group { id: child.id(), child };
        let limit = self.args.timeout;
        let waited = async {
            match limit {
                Some(limit) => tokio::time::timeout(limit, group.child.wait()).await.map_err(|_| limit),
                None => Ok(group.child.wait().await),
            }
        };
        match waited.await {
            Ok(ended) => Ok(Ran::Ended(ended.map_err(|error| Error::failed(format!("the command is lost: {error}")))?)),
            Err(limit) => {
                group.ask_to_end().await;
                Ok(Ran::TooLong(limit))
            }
        }
    }
}

/// A command and all that it started: none of it outlives this.
struct Group {
    child: Child,
    id: Option<u32>,
}

impl Group {
    /// By SIGTERM, for a while.
    async fn ask_to_end(&mut self) {
        if let Some(pid) = self.child.id() {
            effects::signal(pid, Signal::TERM);
            let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        effects::end_groups(self.id.as_slice());
    }
}

/// By which the command knows what it runs against.
fn variables(combined: &Combined) -> Vec<(String, String)> {
    let pairs: Vec<String> =
        combined.versions.iter().map(|(service, version)| format!("{service}={version}")).collect();
    let each = combined
        .versions
        .iter()
        .map(|(service, version)| (format!("NAGAYA_MATRIX_{}", in_variable(service)), version.clone()));
    let all = [("NAGAYA_MATRIX".to_owned(), pairs.join(" ")), ("NAGAYA_COMBINATION".to_owned(), combined.name.clone())];
    all.into_iter().chain(each).collect()
}

fn not_ready(error: &Error) -> Cell {
    let detail = strip_str(error.detail.as_deref().unwrap_or_default()).to_string();
    let reason = error.message.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    Cell {
        result: CellResult::NotReady,
        code: None,
        reason: Some(reason),
        ready_ms: None,
        duration_ms: None,
        last_lines: detail.lines().map(str::to_owned).collect(),
        log: None,
    }
}

fn last(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned()).collect()
}

fn millis(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_millis()).ok()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_knows_its_combination() {
        let versions = [("users", "v1"), ("user-db", "main")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let combined = Combined { name: "c3".into(), versions, services: Vec::new(), guest: String::new() };
        let told: Vec<String> =
            variables(&combined).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            told,
            [
                "NAGAYA_MATRIX=users=v1 user-db=main",
                "NAGAYA_COMBINATION=c3",
                "NAGAYA_MATRIX_USERS=v1",
                "NAGAYA_MATRIX_USER_DB=main"
            ]
        );
    }
}
