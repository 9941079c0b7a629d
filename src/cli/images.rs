//! `nagaya pull` and `nagaya build`, and the building before an `up`: images, fetched or built by their engine.

mod before;
mod progress;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use self::before::before_up;
use self::progress::{Event, Outcome, Progress};
use super::args::Global;
use super::error::Error;
use super::locate;
use super::output::Output;
use crate::effects::containers::Images;
use crate::model::{Build, Image, Workspace};
use crate::plan::{Selection, select};

#[derive(Debug, Args)]
pub struct Pull {
    /// Services; all whose images are fetched where none is named
    pub services: Vec<String>,
    /// Those that they need too
    #[arg(long)]
    pub include_deps: bool,
}

#[derive(Debug, Args)]
pub struct BuildImages {
    /// Services; all whose images are built where none is named
    pub services: Vec<String>,
    /// Those that they need too
    #[arg(long)]
    pub with_dependencies: bool,
    /// Build every layer anew
    #[arg(long)]
    pub no_cache: bool,
    /// Look for newer images to build on
    #[arg(long)]
    pub pull: bool,
    /// For `up --build`: print rows at the end, and show all else as without `--json`
    #[arg(long, hide = true)]
    pub rows: bool,
}

const FAILED: &str = "failed";
const UNCHANGED: &str = "unchanged";
/// So many images at once.
const AT_ONCE: usize = 4;

/// One image, and whose it is.
#[derive(Debug, Clone)]
struct Task {
    services: Vec<String>,
    /// What people call it.
    shown: String,
    image: Image,
    /// How it is built, where it is.
    build: Option<Build>,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    services: Vec<String>,
    image: String,
    /// `pulled`, `built`, `unchanged` or `failed`.
    state: String,
    message: Option<String>,
}

/// Fetches images.
pub async fn pull(global: &Global, args: &Pull, output: &Output) -> Result<ExitCode, Error> {
    let load = locate::manifest(global)?;
    let workspace = locate::load(&load, output)?;
    let selection = selection(&args.services, global, !args.include_deps);
    let mut tasks = tasks(&workspace, &selection)?;
    tasks.retain(|task| task.build.is_none());
    if tasks.is_empty() {
        return Err(none("fetched", "`nagaya build` builds those that have a `build`"));
    }
    let done = carry_out(&locate::id(&workspace, &load), tasks, output).await?;
    finish(&done, false, output)
}

/// Builds images.
pub async fn build(global: &Global, args: &BuildImages, output: &Output) -> Result<ExitCode, Error> {
    let load = locate::manifest(global)?;
    let workspace = locate::load(&load, output)?;
    let selection = selection(&args.services, global, !args.with_dependencies);
    let mut tasks = built(&workspace, &selection)?;
    if tasks.is_empty() && args.rows {
        output.json(&[(); 0]);
        return Ok(ExitCode::SUCCESS);
    }
    if tasks.is_empty() {
        return Err(none("built", "`nagaya pull` fetches those that have an `image` alone"));
    }
    for build in tasks.iter_mut().filter_map(|task| task.build.as_mut()) {
        build.no_cache |= args.no_cache;
        build.pull |= args.pull;
    }
    let done = carry_out(&locate::id(&workspace, &load), tasks, output).await?;
    finish(&done, args.rows, output)
}

fn none(what: &str, hint: &str) -> Error {
    Error::usage(format!("no image of these services is {what}")).hint(hint)
}

fn selection(services: &[String], global: &Global, no_deps: bool) -> Selection {
    Selection::of(services, &global.profile, no_deps)
}

fn built(workspace: &Workspace, selection: &Selection) -> Result<Vec<Task>, Error> {
    let mut tasks = tasks(workspace, selection)?;
    tasks.retain(|task| task.build.is_some());
    Ok(tasks)
}

/// The images of the selected services, each once.
fn tasks(workspace: &Workspace, selection: &Selection) -> Result<Vec<Task>, Error> {
    let mask = select(workspace, selection, |_| false).map_err(|error| Error::usage(error.to_string()))?;
    let mut tasks: Vec<Task> = Vec::new();
    for place in (0..mask.len()).filter(|place| mask[*place]) {
        let service = workspace.service(place);
        let Some(container) = service.container() else { continue };
        let (name, image) = (service.name.to_string(), &container.image);
        match tasks.iter_mut().find(|task| task.image == *image) {
            Some(task) => task.services.push(name),
            None => tasks.push(Task {
                services: vec![name],
                shown: image.shown(),
                image: image.clone(),
                build: image.build.clone(),
            }),
        }
    }
    Ok(tasks)
}

/// Fetches or builds all, several at once, and shows how far they are. One that fails holds up no other.
async fn carry_out(workspace: &str, tasks: Vec<Task>, output: &Output) -> Result<Vec<(Task, Outcome)>, Error> {
    let images = Arc::new(Images::of(workspace).await.map_err(Error::failed)?);
    let (events, mut inbox) = mpsc::unbounded_channel();
    let work = stream::iter(tasks.clone().into_iter().enumerate()).map(|(place, task)| {
        let (images, events) = (images.clone(), events.clone());
        async move {
            let outcome = one(&images, &task, place, &events).await;
            let _ = events.send((place, Event::Ended(outcome)));
        }
    });
    let work = work.buffer_unordered(AT_ONCE).collect::<Vec<()>>();
    let mut progress = Progress::new(tasks.iter().map(|task| task.services.join(", ")).collect(), output);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            Some((place, event)) = inbox.recv() => progress.take(place, event),
            _ = &mut work, if !progress.is_over() => {}
            else => {}
        }
        if progress.is_over() {
            break;
        }
    }
    Ok(tasks.into_iter().zip(progress.outcomes()).collect())
}

async fn one(images: &Images, task: &Task, place: usize, events: &mpsc::UnboundedSender<(usize, Event)>) -> Outcome {
    let (lines, mut said) = mpsc::unbounded_channel();
    let work = async {
        match &task.build {
            Some(build) => images.build(&task.image, build, lines).await,
            None => images.fetch(&task.image, lines).await,
        }
    };
    let pass_on = async {
        while let Some(line) = said.recv().await {
            let _ = events.send((place, Event::Line(line)));
        }
    };
    match tokio::join!(work, pass_on).0 {
        Ok(changed) => Outcome::Done { changed },
        Err(reason) => Outcome::Failed(reason),
    }
}

fn finish(done: &[(Task, Outcome)], rows: bool, output: &Output) -> Result<ExitCode, Error> {
    if output.json || rows {
        output.json(&done.iter().map(|(task, outcome)| row(task, outcome)).collect::<Vec<_>>());
    }
    if output.json {
        let failed = done.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
        return Ok(ExitCode::from(u8::from(failed)));
    }
    check(done)?;
    Ok(ExitCode::SUCCESS)
}

fn row(task: &Task, outcome: &Outcome) -> Row {
    let (state, message) = match (outcome, &task.build) {
        (Outcome::Failed(reason), _) => (FAILED, Some(reason.clone())),
        (Outcome::Done { changed: false }, _) => (UNCHANGED, None),
        (Outcome::Done { .. }, Some(_)) => ("built", None),
        (Outcome::Done { .. }, None) => ("pulled", None),
    };
    Row { services: task.services.clone(), image: task.shown.clone(), state: state.to_owned(), message }
}

/// The error for those that failed.
fn check(done: &[(Task, Outcome)]) -> Result<(), Error> {
    let reasons = done.iter().filter_map(|(task, outcome)| match outcome {
        Outcome::Failed(reason) => Some(format!("{}: {reason}", task.services.join(", "))),
        Outcome::Done { .. } => None,
    });
    let reasons: Vec<String> = reasons.collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::failed(reasons.join("\n"))) }
}
