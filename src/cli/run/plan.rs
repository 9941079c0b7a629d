//! `nagaya run --dry-run`, and `nagaya why TASK`: what would run, and why.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use tokio::sync::mpsc;

use super::jobs::{Built, along, declared_alone};
use super::{FoundTask, Run, on_a_runtime, surroundings};
use crate::cli::error::Error;
use crate::cli::output::{Output, dim};
use crate::model::Workspace;
use crate::pipeline::{Change, Key, changes};
use crate::run::{Job, Preview, preview};
use crate::view::plain;

/// One task, as JSON.
#[derive(Serialize)]
struct Planned<'a> {
    task: &'a str,
    /// `run` or `cached`.
    action: &'static str,
    command: &'a [String],
    working_dir: &'a Path,
    depends_on: Vec<&'a str>,
    /// Those that are started for it, or found ready, in the order of a boot.
    services: Vec<String>,
    key: Option<Key>,
    reason: String,
    changes: Vec<Change>,
}

/// Changes that are shown of a task.
const SHOWN: usize = 10;

/// Tells what would run. Files that others of these tasks would make are taken as they are now.
pub fn run(built: &Built, args: &Run, output: &Output) -> Result<ExitCode, Error> {
    let previews = look(built.jobs.clone(), args.force)?;
    let names: Vec<&str> = built.jobs.iter().map(|job| job.name.as_str()).collect();
    let all = built.jobs.iter().zip(&previews).zip(&built.nodes).enumerate();
    let planned: Vec<Planned<'_>> = all
        .map(|(place, ((job, preview), node))| {
            let needs = node.needs.iter().map(|need| names[*need]).collect();
            let services = built.among.get(&place).map(|among| among.along.clone()).unwrap_or_default();
            Planned { services, ..planned(job, preview, needs, args.force) }
        })
        .collect();
    if output.json {
        output.json(&planned);
        return Ok(ExitCode::SUCCESS);
    }
    for it in &planned {
        let with = match it.services.is_empty() || it.action != "run" {
            true => String::new(),
            false => format!("; with {}", it.services.join(", ")),
        };
        output.line(&format!("{:6}  {}  {}", it.action, plain(it.task), dim(&plain(&format!("{}{with}", it.reason)))));
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a task of the manifest would run, or would not.
pub fn why(workspace: &Workspace, place: usize, output: &Output) -> Result<ExitCode, Error> {
    let jobs = declared_alone(workspace, place)?;
    let previews = look(jobs.clone(), false)?;
    // What it needs stands before it.
    let (Some(job), Some(preview)) = (jobs.last(), previews.last()) else {
        return Err(Error::failed("there is nothing to tell"));
    };
    let needs = workspace.tasks[place].tasks.iter().map(|need| workspace.tasks[*need].name.as_str()).collect();
    let services = along(workspace, &workspace.tasks[place]);
    let planned = Planned { services, ..planned(job, preview, needs, false) };
    if output.json {
        output.json(&planned);
        return Ok(ExitCode::SUCCESS);
    }
    let verb = if planned.action == "cached" { "would not run" } else { "would run" };
    output.line(&format!("{} {verb}: {}", planned.task, planned.reason));
    for change in planned.changes.iter().take(SHOWN) {
        output.line(&format!("  {} was {}", change.part, change.change));
    }
    if planned.changes.len() > SHOWN {
        output.line(&dim(&format!("  and {} more, which `--json` has", planned.changes.len() - SHOWN)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a task of a task runner would run: it always does.
pub fn why_found(task: &FoundTask, output: &Output) -> ExitCode {
    let reason = format!("no result of it is kept ({}), so it runs every time", task.because);
    if output.json {
        output.json(&Planned {
            task: &task.name,
            action: "run",
            command: &task.words,
            working_dir: &task.folder,
            depends_on: Vec::new(),
            services: Vec::new(),
            key: None,
            reason,
            changes: Vec::new(),
        });
        return ExitCode::SUCCESS;
    }
    output.line(&plain(&format!("{} would run: {reason}", task.name)));
    output.say("`nagaya add task` has the manifest declare it, with inputs and outputs, so that its result is kept");
    ExitCode::SUCCESS
}

fn look(jobs: Vec<Job>, force: bool) -> Result<Vec<Preview>, Error> {
    let (news, _inbox) = mpsc::channel(1);
    let surroundings = surroundings(force, news)?;
    let previews = on_a_runtime(preview(jobs, surroundings))?;
    previews.map_err(|error| Error::failed(format!("the tasks cannot be looked at: {error}")))
}

fn planned<'a>(job: &'a Job, preview: &Preview, depends_on: Vec<&'a str>, force: bool) -> Planned<'a> {
    let changes = match (&preview.last, &preview.parts) {
        // The last success may be of other arguments, or was not kept: what differs from that tells nothing.
        _ if preview.hit || preview.unkept.is_some() => Vec::new(),
        (Some(last), Some(now)) => changes(&last.parts, now),
        _ => Vec::new(),
    };
    let reason = match preview {
        Preview { problem: Some(problem), .. } => format!("its result cannot be kept: {problem}"),
        _ if job.keep.is_none() => "no result of it is kept, so it runs every time".to_owned(),
        Preview { hit: true, .. } => "its result is there".to_owned(),
        _ if force => "it is to run whatever is there".to_owned(),
        Preview { unkept: Some(why), .. } => format!("its last result was not kept: {why}"),
        Preview { last: None, .. } => "it has not succeeded here yet".to_owned(),
        _ => match changes.as_slice() {
            [] => "its result was thrown away".to_owned(),
            [only] => format!("{} was {} since it succeeded last", only.part, only.change),
            several => format!("{} things changed since it succeeded last", several.len()),
        },
    };
    Planned {
        task: &job.name,
        action: if preview.hit { "cached" } else { "run" },
        command: &job.argv,
        working_dir: &job.folder,
        depends_on,
        services: Vec::new(),
        key: preview.parts.as_ref().map(Key::of),
        reason,
        changes,
    }
}
