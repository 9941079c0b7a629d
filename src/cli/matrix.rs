//! `nagaya matrix users=v1,v2 orders=v1,v2 -- COMMAND`: which versions of services go together.

mod cells;
mod show;
mod words;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::args::{Global, duration};
use super::error::{Code, Error};
use super::output::Output;
use super::temporary::{Stop, Temporary};
use super::{block, locate};
use crate::effects::registry::{self, Registration};
use crate::effects::{self, environment, tries};
use crate::engine::{self, Found, Order, find_or_start};
use crate::manifest::Request;
use crate::plan::Selection;
use crate::runtime::{MatrixRequest, UpRequest};
use crate::view;
use cells::Cells;
use show::{Progress, report};

/// How long an engine that was killed can take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(2);
/// The code of a command that SIGKILL ended.
const KILLED: u8 = 137;

/// What `matrix` is asked for.
#[derive(Debug, Args)]
pub struct Matrix {
    /// Services with the versions to compare, the present one first. A version is one of the manifest's `versions`; a branch,
    /// tag or commit (`git:NAME` where both have the name); `.` for the files as they are; or a folder: `./users-next`
    #[arg(required = true, value_name = "SERVICE=VERSION,…")]
    pub services: Vec<String>,
    /// Run the command against so many combinations at once
    #[arg(short, long, value_name = "N", default_value = "1", env = "NAGAYA_JOBS")]
    pub jobs: NonZeroUsize,
    /// The most combinations that are booted
    #[arg(long, value_name = "N", default_value = "16", env = "NAGAYA_LIMIT")]
    pub limit: usize,
    /// Give each combination its own copy of everything, databases too
    #[arg(long, env = "NAGAYA_ISOLATE")]
    pub isolate: bool,
    /// How long to wait at most until a combination is ready
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m", env = "NAGAYA_WAIT_TIMEOUT")]
    pub wait_timeout: Duration,
    /// How long the command may take against each
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "NAGAYA_TIMEOUT")]
    pub timeout: Option<Duration>,
    /// The command and its arguments, which is run once for each combination
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Boots, runs, takes down, tells.
pub fn run(global: &Global, args: Matrix, output: &Output) -> Result<ExitCode, Error> {
    let here = environment::folder().map_err(|error| Error::usage(format!("there is no current folder: {error}")))?;
    let services = words::read(&args.services, args.limit, &here)?;
    let load = Request { guest: true, ..locate::manifest(global)? };
    let selection = Selection::of(&[], &global.profile, false);
    let color = output.error_colors() && !output.json;
    let up = UpRequest { load: Some(load.clone()), selection, color, ..UpRequest::default() };
    let matrix = Some(MatrixRequest { services, isolate: args.isolate });
    let order = Order { load, up, standard_ports: false, namerd: None, matrix };
    match find_or_start(&locate::places()?, &order, &|word| output.say(word))? {
        Found::Running(engine) => Err(Error::failed(format!(
            "{} is running already: there is one matrix of a workspace at a time",
            engine.name
        ))
        .hint("`-p NAME` runs another one beside it")
        .hint(format!("`nagaya down -p {}` ends it", engine.name))),
        Found::Started(running, owned) => block(async {
            running.notices.iter().for_each(|notice| output.say(notice));
            let Some(matrix) = running.matrix.clone() else {
                return Err(Error::new(Code::Bug, "the engine has made no matrix"));
            };
            Session { engine: Temporary::new(*running, owned), args, matrix }.run(output).await
        }),
    }
}

/// An engine with all combinations.
struct Session {
    engine: Temporary,
    args: Matrix,
    matrix: view::matrix::Matrix,
}

/// How the running of all combinations ended.
enum Ended {
    Cells(Result<Vec<view::matrix::Cell>, Error>),
    Interrupted,
    /// The engine is gone, and what it ran with it.
    Lost,
}

impl Ended {
    /// Whether it is as if the engine were gone: it did not answer, or a command was killed.
    fn looks_lost(&self) -> bool {
        match self {
            Self::Lost | Self::Interrupted => false,
            Self::Cells(Err(_)) => true,
            Self::Cells(Ok(cells)) => cells.iter().any(|cell| cell.code == Some(KILLED)),
        }
    }
}

impl Session {
    async fn run(mut self, output: &Output) -> Result<ExitCode, Error> {
        // Only what is booted, by profiles and for want of those who need it.
        let booted = &self.engine.running.services;
        self.matrix.shared.retain(|it| booted.contains(&it.service));
        self.matrix.combinations.iter_mut().for_each(|it| it.services.retain(|name| booted.contains(name)));
        show::begin(&self.matrix, self.args.isolate, output);
        let ended = self.all(output).await?;
        match ended {
            Ended::Lost => {
                self.sweep(output).await?;
                Err(Error::failed("the engine was killed, and all combinations with it"))
            }
            Ended::Interrupted => {
                self.engine.end(output).await;
                Err(Error::new(Code::Interrupted, "interrupted"))
            }
            Ended::Cells(cells) => {
                self.engine.end(output).await;
                let cells = cells?;
                report(&self.matrix, self.args.isolate, &cells, output);
                let all = cells.iter().all(view::matrix::Cell::passed);
                Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(Code::Failed as u8) })
            }
        }
    }

    /// Waits for each combination and runs the command, until all are through.
    async fn all(&self, output: &Output) -> Result<Ended, Error> {
        let mut stop = Stop::new()?;
        let pid = self.engine.running.identity.pid;
        let Some(started) = effects::start_time(pid) else { return Ok(Ended::Lost) };
        let mut lost = tokio::task::spawn_blocking(move || effects::wait(pid, started));
        let progress = Progress::new(&self.matrix, output);
        let cells = Cells::new(&self.engine, &self.args, &self.matrix, &progress, output)?;
        let ended = tokio::select! {
            biased;
            _ = &mut lost => Ended::Lost,
            () = stop.asked() => Ended::Interrupted,
            cells = cells.all() => Ended::Cells(cells),
        };
        // Who is killed has let go of all its own some time before it is gone.
        if ended.looks_lost() {
            let _ = tokio::time::timeout(LAST_BREATH, lost).await;
        }
        progress.end();
        // What failed because nothing was there any more says nothing of any version.
        Ok(if effects::alive(pid, started) { ended } else { Ended::Lost })
    }

    /// Clears up behind an engine that was killed.
    async fn sweep(&self, output: &Output) -> Result<(), Error> {
        let places = locate::places()?;
        let home = places.home(&self.engine.running.identity.id);
        if let Some(killed) = registry::read(&home).filter(|it: &Registration| !it.is_alive()) {
            engine::clear(&places, &killed, &|text| output.say(text))?;
        }
        // Unless there is another already, whose worktrees these are.
        if let Ok(Some(_lock)) = registry::lock(&home.lock()) {
            tries::clear(&home, tries::read(&home.tries())).await;
        }
        Ok(())
    }
}
