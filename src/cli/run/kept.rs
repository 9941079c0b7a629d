//! `nagaya kept MANIFEST TASK NAMES COMMAND…`: a task whose result is kept, in its place among the services. What is there already
//! is put back, and else the command runs and its result is kept, just as `nagaya run` does it. For tasks that the engine
//! runs, not for people.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use tokio::sync::mpsc;

use super::jobs::declared_alone;
use super::show::Printer;
use super::{BACKLOG, GRACE, Style, on_a_runtime, surroundings};
use crate::cli::error::{Code, Error};
use crate::cli::locate;
use crate::cli::output::Output;
use crate::effects::environment;
use crate::manifest::Request;
use crate::pipeline::{Machine, Node, Rules};
use crate::run::{self, Job};

/// Runs it and passes on its code.
pub fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    let words: Option<Vec<String>> = words.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let Some([manifest, task, names, argv @ ..]) = words.as_deref() else {
        return Err(Error::usage("`nagaya kept` is for nagaya's own use: see `inputs` and `outputs` of a task"));
    };
    let output = Output::plain();
    let (mut job, before) = job(manifest, task, &output)?;
    job.argv = argv.to_vec();
    // What it depends on of the shell is what it names, here as anywhere.
    let given = environment::everything().into_iter().filter(|(name, _)| names.split(',').any(|own| own == name));
    job.variables.extend(given);
    let name = job.name.clone();
    let mut printer = Printer::new(vec![name], true, Style::Prefixed, &output);
    let (unheard, _) = mpsc::channel(1);
    let (news, mut inbox) = mpsc::channel(BACKLOG);
    let (looking, running) = (surroundings(false, unheard)?, surroundings(false, news)?);
    let rules = Rules { jobs: NonZeroUsize::MIN, keep_going: false, grace: GRACE };
    let machine = Machine::new(vec![Node { weight: 1, ..Node::default() }], rules);
    let outcome = on_a_runtime(async {
        let job = run::after(before, job, looking).await?;
        let printing = async {
            while let Some(news) = inbox.recv().await {
                printer.print(news);
            }
        };
        tokio::join!(run::drive(machine, vec![job], running), printing).0
    })?;
    let outcome = outcome.map_err(|error| Error::failed(format!("{task} cannot be run: {error}")))?;
    printer.finish(&outcome);
    Ok(match (outcome.interrupted, outcome.code) {
        // Whatever it had made by then, it has not completed.
        (true, _) => ExitCode::from(Code::Interrupted as u8),
        (false, code) => ExitCode::from(code),
    })
}

/// The job, and those that it needs, which have run by now. This process is where it is to run.
fn job(manifest: &str, task: &str, output: &Output) -> Result<(Job, Vec<Job>), Error> {
    let request: Request = serde_json::from_str(manifest).map_err(|error| Error::usage(error.to_string()))?;
    let workspace = locate::load(&request, &output.silent())?;
    let unknown = || Error::usage(format!("the manifest has no task `{task}` any more"));
    let place = workspace.tasks.get_index_of(task).ok_or_else(unknown)?;
    let mut jobs = declared_alone(&workspace, place)?;
    let job = jobs.pop().ok_or_else(unknown)?;
    Ok((Job { among: false, ..job }, jobs))
}
