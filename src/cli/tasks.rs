//! `nagaya tasks`: every task of every task runner, found without executing anything.

mod ask;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::args::Global;
use super::error::Error;
use super::locate;
use super::output::{Output, dim};
use crate::effects::fs;
use crate::effects::programs::{self, Program};
use crate::effects::{environment, tree};
use crate::manifest::did_you_mean;
use crate::tasks::{self, Completeness, Invoke, Listing, Task, runner_ids};
use crate::view::{self, TaskLine};

#[derive(Debug, Args)]
pub struct Tasks {
    /// The folder [default: the manifest's, or this one]
    pub dir: Option<PathBuf>,
    /// Only of one runner, as `make` or `npm`
    #[arg(long, value_name = "RUNNER")]
    pub runner: Option<String>,
    /// Show private tasks, hooks, files, CI jobs and what is built in too; JSON always has them
    #[arg(long)]
    pub all: bool,
    /// Ask the runners themselves too, which executes the project's code; each folder is trusted once
    #[arg(long)]
    pub exec: bool,
    /// Show the files that were read, and how much of each is known
    #[arg(long)]
    pub sources: bool,
}

/// All that `--json --sources` prints.
#[derive(Serialize)]
struct Everything<'a> {
    tasks: Vec<view::Task<'a>>,
    sources: Vec<view::TaskSource<'a>>,
    programs: Vec<Tool<'a>>,
    notes: Vec<String>,
}

/// A program that runs tasks here.
#[derive(Serialize)]
struct Tool<'a> {
    program: &'a str,
    /// `found`, `right`, `wrong`, `unknown` or `missing`.
    status: &'static str,
    path: Option<&'a Path>,
    owner: Option<&'static str>,
}

/// Lists them.
pub fn run(global: &Global, args: &Tasks, output: &Output) -> Result<ExitCode, Error> {
    if let Some(runner) = &args.runner
        && !runner_ids().any(|id| id == runner)
    {
        let error = Error::usage(format!("there is no runner `{runner}`"));
        return Err(match did_you_mean(runner, runner_ids()) {
            Some(hint) => error.hint(hint),
            None => error.hint(format!("known are {}", runner_ids().collect::<Vec<_>>().join(", "))),
        });
    }
    let root = root(global, args)?;
    let mut walked = tree::walk(&root, locate::places().ok().map(|places| places.trees()).as_deref());
    let mut listing = tasks::discover(&root, std::mem::take(&mut walked.files), &walked.disk(), args.runner.as_deref());
    let silent = if args.exec { ask::ask(&root, &mut listing, global, output)? } else { Vec::new() };
    let programs = programs(&listing.tasks);
    let unread = walked.problems.iter().map(|(path, why)| format!("{}: {why}", view::path_from(&root, path)));
    let notes: Vec<String> = notes(&listing, &programs).into_iter().chain(unread).chain(silent).collect();
    match (output.json, args.sources) {
        (true, false) => output.json(&as_json(&root, &listing)),
        (true, true) => output.json(&Everything {
            tasks: as_json(&root, &listing),
            sources: listing.sources.iter().map(|source| view::TaskSource::new(&root, source)).collect(),
            programs: programs.iter().map(|(name, program)| tool(name, program)).collect(),
            notes: notes.clone(),
        }),
        (false, true) => print_sources(&root, &listing, output),
        (false, false) => print_tasks(&root, &listing, args.all, output),
    }
    // As JSON, they are in the document that was asked for; a pipe of the plain array must still be told of gaps.
    if !(output.json && args.sources) {
        say_gaps(&root, &listing, output);
        notes.iter().for_each(|note| output.say(&format!("note: {note}")));
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder that is asked for, the manifest's, or this one; by its real path.
fn root(global: &Global, args: &Tasks) -> Result<PathBuf, Error> {
    let folder = match (&args.dir, locate::manifest(global)) {
        (Some(dir), _) => dir.clone(),
        (None, Ok(request)) => {
            request.files.first().and_then(|path| path.parent()).unwrap_or(Path::new(".")).to_owned()
        }
        (None, Err(error)) if !global.file.is_empty() => return Err(error),
        (None, Err(_)) => PathBuf::from("."),
    };
    let real = fs::real(&folder).map_err(|error| Error::usage(format!("{}: {error}", folder.display())))?;
    match fs::is_folder(&real) {
        true => Ok(real),
        false => Err(Error::usage(format!("{} is no folder", folder.display()))
            .hint("`nagaya tasks DIR` lists the tasks of a folder and all below it")),
    }
}

fn as_json<'a>(root: &Path, listing: &'a Listing) -> Vec<view::Task<'a>> {
    listing.tasks.iter().map(|task| view::Task::new(root, task)).collect()
}

/// The programs that the tasks are run by, and what PATH says of them.
fn programs(tasks: &[Task]) -> BTreeMap<String, Program> {
    let wanted: BTreeMap<&str, &Path> = tasks
        .iter()
        .filter_map(|task| match &task.invoke {
            Invoke::Argv { words, folder, .. } => Some((&*words[0], folder.as_path())),
            Invoke::Elsewhere => None,
        })
        .filter(|(program, _)| !program.contains('/'))
        .collect();
    let path = environment::variable("PATH");
    let find =
        |(program, folder): (&str, &Path)| (program.to_owned(), programs::find(program, folder, path.as_deref()));
    wanted.into_iter().map(find).collect()
}

fn tool<'a>(name: &'a str, program: &'a Program) -> Tool<'a> {
    let (status, path, owner) = match program {
        Program::Found(path) => ("found", Some(&**path), None),
        Program::Right(path) => ("right", Some(&**path), None),
        Program::Wrong { path, owner, .. } => ("wrong", Some(&**path), Some(*owner)),
        Program::Unknown { path, .. } => ("unknown", Some(&**path), None),
        Program::Missing => ("missing", None, None),
    };
    Tool { program: name, status, path, owner }
}

/// Conflicts and programs that are missing or somebody else's, each said once.
fn notes(listing: &Listing, programs: &BTreeMap<String, Program>) -> Vec<String> {
    let conflicts: BTreeSet<&String> = listing.conflicts.iter().map(|(_, conflict)| conflict).collect();
    let mut notes: Vec<String> = conflicts.into_iter().cloned().collect();
    for (name, program) in programs {
        notes.extend(match program {
            Program::Found(_) | Program::Right(_) => None,
            Program::Wrong { path, owner, wanted, hint } => {
                Some(format!("`{name}` is {}, which is {owner}, and these tasks need {wanted}: {hint}", path.display()))
            }
            Program::Unknown { path, wanted } => {
                Some(format!("whether {} is {wanted} cannot be seen; others have its name", path.display()))
            }
            Program::Missing => Some(format!("`{name}` is not on PATH")),
        });
    }
    notes
}

fn print_tasks(root: &Path, listing: &Listing, all: bool, output: &Output) {
    let shown: Vec<&Task> = listing.tasks.iter().filter(|task| all || task.is_everyday()).collect();
    let lines = view::task_lines(root, listing, &shown, output.width());
    let styled: Vec<String> = lines
        .into_iter()
        .map(|line| match line {
            TaskLine::Head(title, rest) => format!("{}  {}", super::output::bold(&title), dim(&rest)),
            TaskLine::Task(name, about) if about.is_empty() => name.trim_end().to_owned(),
            TaskLine::Task(name, about) => format!("{name}  {}", dim(&about)),
            TaskLine::Blank => String::new(),
        })
        .collect();
    if !styled.is_empty() {
        output.lines(&styled);
    }
    match (shown.len(), listing.tasks.len() - shown.len()) {
        (0, 0) => output.say(&format!("no task was found in {}", root.display())),
        (_, 0) => {}
        (_, hidden) => output.say(&format!("{hidden} private, built-in or of CI are hidden; `--all` shows them")),
    }
}

fn print_sources(root: &Path, listing: &Listing, output: &Output) {
    let columns = [
        ("FILE", view::Align::Left),
        ("RUNNER", view::Align::Left),
        ("TASKS", view::Align::Right),
        ("KNOWN", view::Align::Left),
    ];
    let mut table = view::Table::new(&columns);
    for source in &listing.sources {
        let source = view::TaskSource::new(root, source);
        let known = match &source.reason {
            Some(reason) => format!("{}: {reason}", source.status),
            None => source.status.to_owned(),
        };
        table.row(vec![source.place(), source.runner.to_owned(), source.tasks.to_string(), known]);
    }
    let lines = table.lines().into_iter().enumerate();
    output.lines(&lines.map(|(at, line)| if at == 0 { dim(&line) } else { line }).collect::<Vec<_>>());
}

/// Every file of which not all is known, so that no list looks more complete than it is.
fn say_gaps(root: &Path, listing: &Listing, output: &Output) {
    for source in &listing.sources {
        if source.completeness == Completeness::Complete {
            continue;
        }
        let source = view::TaskSource::new(root, source);
        let reason = source.reason.as_deref().unwrap_or_default();
        output.say(&format!("{}: {} for {}: {reason}", source.place(), source.status, source.runner));
    }
}
