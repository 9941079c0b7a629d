//! `nagaya run`: tasks of the manifest and of any task runner, with all that comes before them.

mod ask;
mod jobs;
mod kept;
mod pick;
mod plan;
mod services;
mod show;
mod watch;
mod whose;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;

use super::args::{Global, duration};
use super::error::{Code, Error};
use super::locate;
use super::output::Output;
use crate::effects::cache::{CACHE_SIZE, Store};
use crate::effects::environment;
use crate::launcher::Process;
use crate::model::Size;
use crate::pipeline::{Drawn, Machine, Rules, draw, draw_dot, draw_mermaid};
use crate::run::{self, Job, News, Surroundings};

use ask::Asked;
use jobs::Built;
use show::Printer;

pub use ask::{FoundTask, find_task, workspace};
pub use kept::run as kept;
pub use plan::{why, why_found};

#[derive(Debug, Args)]
pub struct Run {
    /// Tasks, by their names or the full ones that `nagaya tasks --json` has as `id`
    pub tasks: Vec<String>,
    /// How many at once [default: the number of processors]
    #[arg(short, long, value_name = "N", env = "NAGAYA_JOBS")]
    pub jobs: Option<NonZeroUsize>,
    /// How to show what several tasks write
    #[arg(long, value_name = "HOW", env = "NAGAYA_OUTPUT")]
    pub output: Option<Style>,
    /// After a failure, go on with all that does not need what failed
    #[arg(short, long, env = "NAGAYA_KEEP_GOING")]
    pub keep_going: bool,
    /// How long to wait at most for the services of a task
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "NAGAYA_WAIT_TIMEOUT")]
    pub wait_timeout: Option<Duration>,
    /// Run also what has a result already
    #[arg(long, env = "NAGAYA_FORCE")]
    pub force: bool,
    /// Tell what would run, and what has a result already
    #[arg(long)]
    pub dry_run: bool,
    /// Draw the tasks and what they need; all of the manifest where none is named
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "text", require_equals = true)]
    pub graph: Option<Format>,
    /// Run them again whenever files have changed
    #[arg(long)]
    pub watch: bool,
    /// Arguments for the named tasks
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

/// How what several tasks write is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Each line as it comes, with the name of its task
    Prefixed,
    /// All lines of a task together, when it has ended
    Grouped,
}

/// How a picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Dot,
    Mermaid,
}

/// Between a task's being asked to end and its being killed.
const GRACE: Duration = Duration::from_secs(10);
/// News that may wait to be printed: who writes faster than that waits.
const BACKLOG: usize = 256;
/// What kept results may take where nothing else is said.
const LIMIT: Size = Size(4 << 30);

/// Runs them and passes on the code of the first that failed.
pub fn run(global: &Global, args: Run, output: &Output) -> Result<ExitCode, Error> {
    through(global, &args, output).map_err(|error| match error.code {
        Code::NotFound | Code::NotExecutable | Code::Interrupted => error,
        _ => Error { code: Code::Exec, ..error },
    })
}

fn through(global: &Global, args: &Run, output: &Output) -> Result<ExitCode, Error> {
    if args.watch {
        return watch::run(global, &args.tasks, output);
    }
    if let (true, Some(first)) = (args.tasks.is_empty(), args.arguments.first()) {
        let first = first.to_string_lossy();
        return Err(Error::usage(format!("no task is named before `--`, and `{first}` is an argument for one"))
            .hint(format!("`nagaya run TASK -- {first}` gives it to a task")));
    }
    let asked = match (&args.graph, args.tasks.is_empty()) {
        (Some(_), true) => Asked::all(global, output)?,
        _ => Asked::find(global, &args.tasks, output)?,
    };
    let arguments = args.arguments.iter().map(|word| match word.to_str() {
        Some(word) => Ok(word.to_owned()),
        None => Err(Error::usage(format!("`{}` is not UTF-8", word.to_string_lossy()))),
    });
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    let built = jobs::build(&asked, &arguments, args, output)?;
    if let Some(format) = args.graph {
        return Ok(show_graph(&built.drawn, format, output));
    }
    if args.dry_run {
        return plan::run(&built, args, output);
    }
    execute(global, built, args, output)
}

fn show_graph(drawn: &[Drawn], format: Format, output: &Output) -> ExitCode {
    if output.json {
        output.json(&drawn);
        return ExitCode::SUCCESS;
    }
    output.lines(&match format {
        Format::Text => draw(drawn),
        Format::Dot => draw_dot(drawn),
        Format::Mermaid => draw_mermaid(drawn),
    });
    ExitCode::SUCCESS
}

fn execute(global: &Global, built: Built, args: &Run, output: &Output) -> Result<ExitCode, Error> {
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let rules = Rules { jobs, keep_going: args.keep_going, grace: GRACE };
    let Built { jobs, nodes, among, .. } = built;
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let plain = jobs.len() == 1 && args.output.is_none();
    let mut printer = Printer::new(names, plain, args.output.unwrap_or(Style::Prefixed), output);
    let stay = match among.is_empty() {
        true => None,
        false => Some(services::come(global, among, args.wait_timeout, output)?),
    };
    let (news, inbox) = mpsc::channel(BACKLOG);
    let (asks, asked) = mpsc::unbounded_channel();
    let surroundings = Surroundings { asks: stay.is_some().then_some(asks), ..surroundings(args.force, news)? };
    let machine = Machine::new(nodes, rules);
    on_a_runtime(async {
        let serving = async {
            if let Some(stay) = &stay {
                stay.serve(asked).await;
            }
        };
        let ended = tokio::join!(shown((machine, jobs), surroundings, inbox, &mut printer), serving).0;
        if let Some(stay) = stay {
            stay.leave().await?;
        }
        ended
    })?
}

/// Runs jobs, each by its node of the machine, and shows what they tell. The code is that of the first that failed.
async fn shown(
    (machine, jobs): (Machine, Vec<Job>),
    surroundings: Surroundings,
    mut inbox: mpsc::Receiver<News>,
    printer: &mut Printer<'_>,
) -> Result<ExitCode, Error> {
    let printing = async {
        while let Some(news) = inbox.recv().await {
            printer.print(news);
        }
    };
    let outcome = tokio::join!(run::drive(machine, jobs, surroundings), printing).0;
    let outcome = outcome.map_err(|error| Error::failed(format!("the tasks cannot be run: {error}")))?;
    printer.finish(&outcome);
    Ok(match (outcome.interrupted, outcome.code) {
        // Whatever had been made by then, it is not complete.
        (true, _) => ExitCode::from(Code::Interrupted as u8),
        (false, code) => ExitCode::from(code),
    })
}

/// What tasks share. It forks, so there may be no thread yet.
fn surroundings(force: bool, news: mpsc::Sender<run::News>) -> Result<Surroundings, Error> {
    let places = locate::places()?;
    let size = environment::variable(CACHE_SIZE).map(|size| size.to_string_lossy().into_owned());
    let launcher = Process::fork().map_err(|error| Error::failed(format!("no process can be made: {error}")))?;
    Ok(Surroundings {
        store: Store::new(places.results(), limit(size.as_deref())?),
        locks: places.task_locks(),
        who: format!("process {}", std::process::id()),
        force,
        asks: None,
        news,
        launcher,
    })
}

/// The most that kept results may take, as `NAGAYA_CACHE_SIZE` has it.
fn limit(size: Option<&str>) -> Result<u64, Error> {
    let Some(text) = size else { return Ok(LIMIT.0) };
    Size::parse(text).map(|size| size.0).map_err(|error| Error::usage(format!("{CACHE_SIZE}: {error}")))
}

/// Runs to the end; a thread that waits for a lock nobody wants any more is left to itself.
fn on_a_runtime<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
