//! `nagaya check`: all that is wrong with the manifest, and what looks wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use super::args::Global;
use super::dtab::named;
use super::error::{Code, Error};
use super::locate;
use super::output::Output;
use crate::effects::fs::{self, Disk};
use crate::effects::{environment, inputs, ports};
use crate::manifest::{self, Problem, Problems, Request, Span};
use crate::model::{Command, NetworkMode, Workspace};
use crate::plan::{Lint, door_clash, lints};
use crate::route::lint::{Finding, Spot, lint};
use crate::runtime::add_clashes;
use crate::view::located;

/// Exit code 3 where something is wrong; what only looks wrong is shown.
pub fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let request = locate::manifest(global)?;
    let (workspace, mut problems) = manifest::load(&request, &environment::shell(), &Disk);
    if let Some(workspace) = &workspace {
        // What `auto` means is tried, lest it be warned of what holds only elsewhere.
        let auto = crate::engine::modes_possible().best();
        for lint in lints(workspace, auto).into_iter().chain(missing_programs(workspace)) {
            let problem = located(workspace, &lint, &problems);
            problems.push(problem);
        }
        // As for whoever boots it: only what is asked for by name is wrong.
        add_clashes(workspace, &mut problems, ports::lowest());
        for finding in lint(&workspace.routes, &workspace.rules, &named(workspace)) {
            let problem = Problem::warning(finding.code, finding.message.clone()).maybe_hint(finding.hint.clone());
            match spots(&finding, &problems).as_slice() {
                [] => problems.push(problem),
                spots => spots.iter().for_each(|at| problems.push(problem.clone().at(*at))),
            }
        }
        let unmatched = unmatched_inputs(workspace, &problems);
        unmatched.into_iter().for_each(|problem| problems.push(problem));
        if let Some(lint) = door(workspace, &request, auto) {
            let problem = located(workspace, &lint, &problems);
            problems.push(problem);
        }
        problems.sort();
    }
    if output.json {
        let list: Vec<Json> = problems.list.iter().map(|problem| problem_json(problem, &problems)).collect();
        output.json(&json!({ "problems": list }));
        return Ok(if problems.has_errors() { ExitCode::from(Code::Manifest as u8) } else { ExitCode::SUCCESS });
    }
    let Some(workspace) = workspace.filter(|_| !problems.has_errors()) else {
        return Err(output.manifest_error(&problems));
    };
    output.warnings(&problems);
    let services = counted(&workspace);
    output.say(&match problems.list.len() {
        0 => format!("{}: {services}, nothing wrong", workspace.name),
        1 => format!("{}: {services}, 1 warning", workspace.name),
        warnings => format!("{}: {services}, {warnings} warnings", workspace.name),
    });
    Ok(ExitCode::SUCCESS)
}

/// `2 services and 1 task`. A task that runs among the services is a task.
fn counted(workspace: &Workspace) -> String {
    let counted = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    let jobs = workspace.tasks.values().filter(|task| task.job.is_some()).count();
    let services = workspace.services.len().saturating_sub(jobs);
    match (services, workspace.tasks.len()) {
        (services, 0) => counted(services, "service"),
        (0, tasks) => counted(tasks, "task"),
        (services, tasks) => format!("{} and {}", counted(services, "service"), counted(tasks, "task")),
    }
}

/// Inputs of tasks that mean nothing that is there: no change would ever be noticed. What another task makes may come yet.
fn unmatched_inputs(workspace: &Workspace, problems: &Problems) -> Vec<Problem> {
    let place = |folder: &Path, glob: &str| {
        let first = glob.trim_start_matches("./").split('/').next().unwrap_or_default();
        folder.join(first)
    };
    let caching = || workspace.tasks.values().filter_map(|task| Some((task, task.caching.as_ref()?)));
    let made: BTreeSet<PathBuf> = caching()
        .flat_map(|(task, caching)| caching.outputs.iter().map(move |glob| place(&task.working_dir, glob)))
        .collect();
    let mut out = Vec::new();
    for (task, caching) in caching() {
        // What cannot be looked at is told of when the task runs.
        let inputs = inputs::unmatched(&task.working_dir, &caching.inputs, &[]).unwrap_or_default();
        for input in inputs.iter().filter(|input| !made.contains(&place(&task.working_dir, input))) {
            let message = format!("the input `{input}` of the task `{}` matches nothing", task.name);
            let hint = "as it is, no change makes the task run again: its result is kept for good";
            let problem = Problem::warning("unmatched_input", message).hint(hint);
            let key = format!("{}:", task.name);
            let at = problems.sources.find_behind(&key, input).first().copied();
            out.push(at.into_iter().fold(problem, Problem::at));
        }
    }
    out
}

/// Where that stands in the manifest of which a finding is told.
fn spots(finding: &Finding, problems: &Problems) -> Vec<Span> {
    let sources = &problems.sources;
    let all = sources.find_behind("routes:", &finding.needle);
    let is_prefix = |span: &Span| sources.behind(*span).trim_start().starts_with("=>");
    let (prefixes, names): (Vec<Span>, Vec<Span>) = all.iter().partition(|span| is_prefix(span));
    let fitting = match finding.spot {
        Spot::Name => names,
        Spot::Prefix => prefixes,
        Spot::Nth(number) => prefixes.into_iter().skip(number).take(1).collect(),
        Spot::First => Vec::new(),
    };
    // A list of routes has other words for the same.
    if fitting.is_empty() { all.into_iter().take(1).collect() } else { fitting }
}

/// The front door's number may be one that a service is to have.
fn door(workspace: &Workspace, request: &Request, auto: NetworkMode) -> Option<Lint> {
    // Without a place for its state nothing was ever kept of a door.
    let home = locate::places().ok()?.home(&locate::id(workspace, request));
    ports::front_door(&home).and_then(|door| door_clash(workspace, auto, door))
}

/// A problem as JSON.
pub fn problem_json(problem: &Problem, problems: &Problems) -> Json {
    let place = problem.at.map(|span| (problems.sources.get(span.source), problems.sources.position(span)));
    json!({
        "severity": problem.severity.word(),
        "code": problem.code,
        "message": problem.message,
        "file": place.as_ref().map(|(source, _)| &source.path),
        "line": place.as_ref().map(|(_, at)| at.line),
        "column": place.as_ref().map(|(_, at)| at.column),
        "hint": problem.hint,
    })
}

/// Programs that cannot be found now. A setup step may bring them, so this is no error.
fn missing_programs(workspace: &Workspace) -> Vec<Lint> {
    let missing = workspace.services.values().enumerate().filter_map(|(place, service)| {
        let Command::Argv(words) = service.command()? else { return None };
        let program = words.first()?.as_text()?;
        if !service.setup.is_empty()
            || which::which_in_global(program, environment::variable("PATH")).ok()?.next().is_some()
        {
            return None;
        }
        if program.contains('/') && fs::exists(&service.working_dir.join(program)) {
            return None;
        }
        Some(Lint {
            service: place,
            needle: program.to_owned(),
            code: "missing_program",
            message: format!("`{program}` is not a command that can be found now"),
            hint: format!("install it, or name it by a path relative to {}", service.working_dir.display()),
        })
    });
    missing.collect()
}
