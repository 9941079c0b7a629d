//! `nagaya tasks`: every task of every task runner, found without executing anything.

mod ask;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::args::Global;
use super::error::Error;
use super::locate;
use super::output::{Output, dim};
use crate::effects::fs;
use crate::effects::programs::{self, Program};
use crate::effects::{environment, tree};
use crate::manifest::did_you_mean;
use crate::tasks::{Completeness, Invoke, Listing, OWN, Task, runner_ids};
use crate::view::{self, TaskLine, plain};

#[derive(Debug, Args)]
pub struct Tasks {
    /// The folder [default: the manifest's, or this one]
    pub dir: Option<PathBuf>,
    /// Only of one runner, as `make` or `npm`
    #[arg(long, value_name = "RUNNER")]
    pub runner: Option<String>,
    /// Show private tasks, hooks, files, CI jobs, what is built in or for other systems too; JSON always has them
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
    let memories = locate::places().ok().map(|places| places.trees());
    if args.exec || (output.json && args.sources) {
        return live(global, args, output, &root, memories.as_deref());
    }
    let runner = args.runner.as_deref();
    let form = form(args, output);
    let told = tree::tell(&root, memories.as_deref(), runner, &form, |listing| told(&root, listing, args, output));
    output.text(&told.text);
    told.remarks.said.iter().for_each(|line| output.say(line));
    let notes = notes(told.remarks.conflicts, &look_up(&told.remarks.programs), &root, &told.problems);
    notes.iter().for_each(|note| output.say(&format!("note: {note}")));
    Ok(ExitCode::SUCCESS)
}

/// What is told depends on this beside the list.
fn form(args: &Tasks, output: &Output) -> String {
    match (output.json, args.sources) {
        (true, _) => "json".to_owned(),
        (false, true) => "sources".to_owned(),
        (false, false) => format!("all={} columns={:?}", args.all, output.width()),
    }
}

/// With what only this moment can tell: programs that run tasks, and what runners say when they are asked.
fn live(
    global: &Global,
    args: &Tasks,
    output: &Output,
    root: &Path,
    memories: Option<&Path>,
) -> Result<ExitCode, Error> {
    let tree::Listed { mut listing, problems } = tree::list(root, memories, args.runner.as_deref());
    let silent = if args.exec { ask::ask(root, &mut listing, global, output)? } else { Vec::new() };
    let (remarks, text) = told(root, &listing, args, output);
    let programs = look_up(&remarks.programs);
    let notes = notes(remarks.conflicts, &programs, root, &problems).into_iter().chain(silent).collect::<Vec<_>>();
    if output.json && args.sources {
        output.json(&Everything {
            tasks: as_json(root, &listing),
            sources: listing.sources.iter().map(|source| view::TaskSource::new(root, source)).collect(),
            programs: programs.iter().map(|(name, program)| tool(name, program)).collect(),
            notes,
        });
        return Ok(ExitCode::SUCCESS);
    }
    output.text(&text);
    remarks.said.iter().for_each(|line| output.say(line));
    notes.iter().for_each(|note| output.say(&format!("note: {note}")));
    Ok(ExitCode::SUCCESS)
}

/// What is told beside the text.
#[derive(Debug, Serialize, Deserialize)]
struct Remarks {
    said: Vec<String>,
    conflicts: Vec<String>,
    /// The programs that the tasks are run by, each with a folder that it is looked for from.
    programs: BTreeMap<String, PathBuf>,
}

/// What a list comes to, and what is remarked of it. A pipe of the plain array must still be told of gaps.
fn told(root: &Path, listing: &Listing, args: &Tasks, output: &Output) -> (Remarks, String) {
    let mut said = Vec::new();
    let text = match (output.json, args.sources) {
        // There it is a part of more.
        (true, true) => String::new(),
        (true, false) => Output::as_json(&as_json(root, listing)),
        (false, true) => sources(root, listing),
        (false, false) => lines(root, listing, args.all, output, &mut said),
    };
    said.extend(gaps(root, listing));
    let conflicts: BTreeSet<&String> = listing.conflicts.iter().map(|(_, conflict)| conflict).collect();
    let conflicts = conflicts.into_iter().map(|conflict| plain(conflict)).collect();
    (Remarks { said, conflicts, programs: programs(&listing.tasks) }, text)
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

/// The programs that the tasks are run by and that PATH has a say in.
fn programs(tasks: &[Task]) -> BTreeMap<String, PathBuf> {
    let wanted: BTreeMap<&str, &Path> = tasks
        .iter()
        .filter_map(|task| match &task.invoke {
            Invoke::Argv { words, folder, .. } => Some((&*words[0], folder.as_path())),
            Invoke::Elsewhere => None,
        })
        // This very program is there.
        .filter(|(program, _)| !program.contains('/') && *program != OWN)
        .collect();
    wanted.into_iter().map(|(program, folder)| (program.to_owned(), folder.to_owned())).collect()
}

/// What PATH says of programs.
fn look_up(programs: &BTreeMap<String, PathBuf>) -> BTreeMap<String, Program> {
    let path = environment::variable("PATH");
    let find = |(name, folder): (&String, &PathBuf)| (name.clone(), programs::find(name, folder, path.as_deref()));
    programs.iter().map(find).collect()
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

/// Conflicts, programs that are missing or somebody else's, and folders that could not be looked into.
fn notes(
    conflicts: Vec<String>,
    programs: &BTreeMap<String, Program>,
    root: &Path,
    problems: &[(PathBuf, String)],
) -> Vec<String> {
    let mut notes = conflicts;
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
    notes.extend(problems.iter().map(|(path, why)| plain(&format!("{}: {why}", view::path_from(root, path)))));
    notes
}

fn lines(root: &Path, listing: &Listing, all: bool, output: &Output, said: &mut Vec<String>) -> String {
    let shown: Vec<&Task> = listing.tasks.iter().filter(|task| all || task.is_everyday()).collect();
    match (shown.len(), listing.tasks.len() - shown.len()) {
        (0, 0) => said.push(none_found(root, listing)),
        (_, 0) => {}
        (_, hidden) => said.push(format!("{hidden} private, built-in or of CI are hidden; `--all` shows them")),
    }
    let lines = view::task_lines(root, listing, &shown, output.width());
    let styled = lines.into_iter().map(|line| match line {
        TaskLine::Head(title, rest) => format!("{}  {}\n", super::output::bold(&title), dim(&rest)),
        TaskLine::Task(name, about) if about.is_empty() => format!("{}\n", name.trim_end()),
        TaskLine::Task(name, about) => format!("{name}  {}\n", dim(&about)),
        TaskLine::Blank => "\n".to_owned(),
    });
    styled.collect()
}

/// Why nothing is listed: there may be tasks whose names nothing but their runners know.
fn none_found(root: &Path, listing: &Listing) -> String {
    let unnamed: BTreeSet<&str> = listing.sources.iter().filter(|it| it.sample.is_some()).map(|it| it.runner).collect();
    if unnamed.is_empty() {
        return format!("no task was found in {}", root.display());
    }
    let runners = unnamed.into_iter().collect::<Vec<_>>().join(" and ");
    format!(
        "the names of the tasks here are known to {runners} alone; `--exec` asks, which executes the project's code"
    )
}

fn sources(root: &Path, listing: &Listing) -> String {
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
        table.row(vec![plain(&source.place()), source.runner.to_owned(), source.tasks.to_string(), plain(&known)]);
    }
    let lines = table.lines().into_iter().enumerate();
    lines.map(|(at, line)| if at == 0 { dim(&line) + "\n" } else { line + "\n" }).collect()
}

/// Every file of which not all is known, so that no list looks more complete than it is.
fn gaps<'a>(root: &'a Path, listing: &'a Listing) -> impl Iterator<Item = String> + 'a {
    let partial = listing.sources.iter().filter(|source| source.completeness != Completeness::Complete);
    partial.map(|source| {
        let source = view::TaskSource::new(root, source);
        let reason = source.reason.as_deref().unwrap_or_default();
        plain(&format!("{}: {} for {}: {reason}", source.place(), source.status, source.runner))
    })
}
