//! `nagaya add`: puts something into the manifest, shown before it is written.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::args::Global;
use super::change::Change;
use super::error::Error;
use super::output::Output;
use super::run::{FoundTask, find_task};
use super::{init, locate};
use crate::effects::fs;
use crate::manifest::{self, Addition};
use crate::model::TaskName;

#[derive(Debug, Args)]
pub struct Add {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Debug, Subcommand)]
pub enum What {
    /// A task of a task runner, so that it can have inputs, outputs and what comes before it
    Task(AddTask),
}

#[derive(Debug, Args)]
pub struct AddTask {
    /// The task, by its short or full name
    pub task: String,
    /// What it is called in the manifest [default: its own name]
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// A glob of files on which its result depends; may be repeated
    #[arg(long = "input", value_name = "GLOB")]
    pub inputs: Vec<String>,
    /// A glob of files that it makes; may be repeated
    #[arg(long = "output", value_name = "GLOB")]
    pub outputs: Vec<String>,
    /// A service or task that must be there first; may be repeated
    #[arg(long, value_name = "NAME")]
    pub needs: Vec<String>,
    /// Show the change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

pub fn run(global: &Global, args: &Add, output: &Output) -> Result<ExitCode, Error> {
    match &args.what {
        What::Task(args) => task(global, args, output),
    }
}

fn task(global: &Global, args: &AddTask, output: &Output) -> Result<ExitCode, Error> {
    let request = locate::manifest(global).map_err(|error| error.hint("`nagaya init` writes one"))?;
    let path = request.files[0].clone();
    let found = find_task(global, &args.task, output)?;
    let name = args.name.clone().unwrap_or_else(|| found.name.clone());
    TaskName::new(&name)
        .map_err(|error| Error::usage(format!("`{name}`: {error}")).hint("`--as NAME` gives it another name"))?;
    let before = fs::read_text(&path).map_err(|error| Error::failed(format!("{}: {error}", path.display())))?;
    let additions = [addition(&name, &found, args, path.parent().unwrap_or(Path::new("/")))];
    let after = manifest::add(&before, "tasks", &additions).map_err(|error| match error {
        manifest::CannotAdd::Known(name) => {
            Error::usage(format!("the manifest has a task `{name}` already")).hint("`--as NAME` gives it another name")
        }
        error => init::cannot(&path, &error, &additions),
    })?;
    init::check(&path, &after, output)?;
    if (Change { path, before: Some(before), after }).make(args.dry_run, &[], global, output)? {
        output.say(&format!("next: nagaya run {name}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn addition(name: &str, found: &FoundTask, args: &AddTask, base: &Path) -> Addition {
    let list = |words: &[String]| words.iter().map(|word| manifest::literal(word)).collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("# {}", found.because), format!("{}:", manifest::scalar(name))];
    if let Some(text) = &found.description {
        lines.push(format!("  description: {}", manifest::literal(text)));
    }
    if found.folder != base {
        let shown = found.folder.strip_prefix(base).unwrap_or(&found.folder).display().to_string();
        lines.push(format!("  working_dir: {}", manifest::literal(&shown)));
    }
    lines.push(format!("  command: [{}]", list(&found.words)));
    if !args.needs.is_empty() {
        lines.push(format!("  depends_on: [{}]", list(&args.needs)));
    }
    if !args.inputs.is_empty() || !args.outputs.is_empty() {
        lines.push(format!("  inputs: [{}]", list(&args.inputs)));
        lines.push(format!("  outputs: [{}]", list(&args.outputs)));
    }
    Addition { name: name.to_owned(), lines }
}
