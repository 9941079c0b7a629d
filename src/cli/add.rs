//! `nagaya add`: puts something into the manifest, shown before it is written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::args::Global;
use super::change::Change;
use super::error::Error;
use super::output::Output;
use super::run::{FoundTask, find_task};
use super::{init, locate};
use crate::effects::{fs, globs};
use crate::manifest::{self, Addition, TEMPLATES, is_template_name, template_about, template_folders};
use crate::model::{ServiceName, TaskName};
use crate::tasks::relative;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Add {
    #[command(subcommand)]
    pub what: Option<What>,
    #[command(flatten)]
    pub template: AddTemplate,
}

#[derive(Debug, Args)]
pub struct AddTemplate {
    /// A backing service from a template: `postgres`, `redis@7`; without one, those that there are
    pub template: Option<String>,
    /// What the service is called [default: the template's name]
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Show the change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
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
    match (&args.what, &args.template.template) {
        (Some(What::Task(args)), _) => task(global, args, output),
        (None, Some(wanted)) => template(global, wanted, &args.template, output),
        (None, None) => list(global, output),
    }
}

/// The templates that there are: the manifest's own, then those that come with nagaya and have no namesake among them.
fn list(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let mut all = own(global);
    for it in TEMPLATES {
        if !all.iter().any(|known| known.name == it.name) {
            all.push(Listed { name: it.name.to_owned(), about: it.about().to_owned(), path: None });
        }
    }
    if global.json {
        output.json(&all);
        return Ok(ExitCode::SUCCESS);
    }
    let width = all.iter().map(|it| it.name.len()).max().unwrap_or(0).max(12);
    for Listed { name, about, path } in &all {
        let from = path.as_ref().map(|path| format!(" ({})", path.display())).unwrap_or_default();
        output.line(format!("{name:<width$} {about}{from}").trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// A template as a row.
#[derive(Debug, serde::Serialize)]
struct Listed {
    name: String,
    about: String,
    /// The file of one that is the manifest's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
}

/// The templates in the folders that the manifest names, if there is one. The first of a name is the one that is used.
fn own(global: &Global) -> Vec<Listed> {
    let Ok(request) = locate::manifest(global) else { return Vec::new() };
    let Some(dir) = request.files.first().and_then(|file| file.parent()) else { return Vec::new() };
    let texts = request.files.iter().map(|file| fs::read_text(file).unwrap_or_default());
    let folders: Vec<String> = texts.flat_map(|text| template_folders(&text)).collect();
    let mut found: Vec<Listed> = Vec::new();
    for folder in folders {
        let folder = dir.join(folder);
        let mut files = fs::names(&folder).unwrap_or_default();
        files.sort();
        for file in files {
            let Some(name) = file.strip_suffix(".yaml").filter(|name| is_template_name(name)) else { continue };
            if found.iter().any(|known| known.name == name) {
                continue;
            }
            let path = folder.join(&file);
            let about = template_about(&fs::read_text(&path).unwrap_or_default()).to_owned();
            found.push(Listed { name: name.to_owned(), about, path: Some(path) });
        }
    }
    found
}

fn template(global: &Global, wanted: &str, args: &AddTemplate, output: &Output) -> Result<ExitCode, Error> {
    let start = start(global)?;
    let name = args.name.as_deref().unwrap_or_else(|| wanted.split('@').next().unwrap_or(wanted));
    ServiceName::new(name)
        .map_err(|error| Error::usage(format!("`{name}`: {error}")).hint("`--as NAME` gives it another name"))?;
    let lines = vec![format!("{}:", manifest::scalar(name)), format!("  template: {}", manifest::literal(wanted))];
    let additions = [Addition { name: name.to_owned(), lines }];
    let after = manifest::add(&start.text, "services", &additions).map_err(|error| match error {
        manifest::CannotAdd::Known(name) => Error::usage(format!("the manifest has a service `{name}` already"))
            .hint("`--as NAME` gives it another name"),
        error => init::cannot(&start.path, &error, &additions),
    })?;
    let remain = init::check_added(&start.path, &start.text, &after, output)?;
    if start.change(after).make(args.dry_run, &[], global, output)? {
        init::say_remaining(remain, output);
        output.say(&format!("next: `depends_on: [{name}]` where it is needed, then `nagaya up`"));
    }
    Ok(ExitCode::SUCCESS)
}

/// What something is added to.
struct Start {
    path: PathBuf,
    text: String,
    /// The text is a file's, and not the beginning of a new one.
    is_there: bool,
}

impl Start {
    fn change(self, after: String) -> Change {
        Change { path: self.path, before: Some(self.text).filter(|_| self.is_there), after }
    }
}

/// The manifest, or the beginning of one for this folder.
fn start(global: &Global) -> Result<Start, Error> {
    match locate::manifest(global) {
        Ok(request) => {
            let path = request.files[0].clone();
            let text = fs::read_text(&path).map_err(|error| Error::failed(format!("{}: {error}", path.display())))?;
            Ok(Start { path, text, is_there: true })
        }
        Err(error) if !global.file.is_empty() => Err(error),
        Err(_) => {
            let (path, text) = init::new_manifest()?;
            Ok(Start { path, text, is_there: false })
        }
    }
}

fn task(global: &Global, args: &AddTask, output: &Output) -> Result<ExitCode, Error> {
    let start = start(global)?;
    let found = find_task(global, &args.task, output)?;
    let name = args.name.clone().unwrap_or_else(|| found.name.clone());
    TaskName::new(&name)
        .map_err(|error| Error::usage(format!("`{name}`: {error}")).hint("`--as NAME` gives it another name"))?;
    let additions = [addition(&name, &found, args, start.path.parent().unwrap_or(Path::new("/")))];
    let after = manifest::add(&start.text, "tasks", &additions).map_err(|error| match error {
        manifest::CannotAdd::Known(name) => {
            Error::usage(format!("the manifest has a task `{name}` already")).hint("`--as NAME` gives it another name")
        }
        error => init::cannot(&start.path, &error, &additions),
    })?;
    let remain = init::check_added(&start.path, &start.text, &after, output)?;
    if start.change(after).make(args.dry_run, &[], global, output)? {
        init::say_remaining(remain, output);
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
        // What the runner is told to do is in its file: a result of other words would be another one.
        let source = match found.file.strip_prefix(&found.folder) {
            Ok(below) => globs::exactly(below),
            Err(_) => globs::exactly(Path::new(&relative(&found.file, &found.folder))),
        };
        let inputs: Vec<String> = args.inputs.iter().cloned().chain([source]).collect();
        lines.push(format!("  inputs: [{}]", list(&inputs)));
        lines.push(format!("  outputs: [{}]", list(&args.outputs)));
    }
    Addition { name: name.to_owned(), lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_task_is_an_input_wherever_it_is() {
        let args = AddTask {
            task: "docs".to_owned(),
            name: None,
            inputs: vec!["src".to_owned()],
            outputs: vec!["out".to_owned()],
            needs: Vec::new(),
            dry_run: false,
        };
        for (file, input) in [("/w/sub/Makefile", "Makefile"), ("/w/common/docs.mk", "../common/docs.mk")] {
            let found = FoundTask {
                name: "docs".to_owned(),
                folder: "/w/sub".into(),
                file: file.into(),
                words: vec!["make".to_owned(), "docs".to_owned()],
                description: None,
                because: String::new(),
            };
            let lines = addition("docs", &found, &args, Path::new("/w")).lines;
            let inputs = format!("  inputs: [{}, {}]", manifest::literal("src"), manifest::literal(input));
            assert!(lines.contains(&inputs), "{lines:?}");
        }
    }
}
