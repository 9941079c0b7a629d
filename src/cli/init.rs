//! `nagaya init`: a manifest of the services that are found, shown before it is written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::change::Change;
use super::error::{Code, Error};
use super::locate;
use super::output::Output;
use crate::effects::fs::{self, Disk};
use crate::effects::{environment, tree};
use crate::manifest::{self, Addition, CannotAdd, Problem, Problems, Request, Severity};
use crate::model::{BadName, Workspace, WorkspaceName};
use crate::tasks::{Proposal, Proposed, propose};

#[derive(Debug, Args)]
pub struct Init {
    /// The folder [default: the manifest's, or this one]
    pub dir: Option<PathBuf>,
    /// Show the manifest, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Proposes what is not in the manifest yet.
pub fn run(global: &Global, args: &Init, output: &Output) -> Result<ExitCode, Error> {
    let root = root(global, args)?;
    let path = manifest_of(global, &root)?;
    let walked = tree::walk_for_services(&root);
    let mut proposed = propose(&root, &walked.files, &Disk);
    let before = match fs::exists(&path) {
        true => Some(fs::read_text(&path).map_err(|error| Error::failed(format!("{}: {error}", path.display())))?),
        false => None,
    };
    if let Some(workspace) = before.as_ref().map(|_| existing(global, &path, output)).transpose()? {
        leave_out_known(&workspace, &root, &mut proposed);
    }
    // Tasks alone make no workspace.
    if proposed.services.is_empty() && (before.is_none() || proposed.tasks.is_empty()) {
        proposed.notes.iter().for_each(|note| output.say(&format!("note: {note}")));
        return nothing(&root, before.is_some(), output);
    }
    let base = path.parent().unwrap_or(&root).to_owned();
    let additions = |all: &[Proposal]| all.iter().map(|it| addition(it, &root, &base)).collect::<Vec<Addition>>();
    let start = match &before {
        Some(text) => text.clone(),
        None => format!("name: {}\n", workspace_name(&root)),
    };
    let mut after = start;
    for (section, all) in [("services", &proposed.services), ("tasks", &proposed.tasks)] {
        let additions = additions(all);
        if !additions.is_empty() {
            after = manifest::add(&after, section, &additions).map_err(|error| cannot(&path, &error, &additions))?;
        }
    }
    check(&path, &after, output)?;
    let change = Change { path, before, after };
    if change.make(args.dry_run, &proposed.notes, global, output)? {
        output.say("next: nagaya check · nagaya up --dry-run · nagaya up");
    }
    Ok(ExitCode::SUCCESS)
}

fn root(global: &Global, args: &Init) -> Result<PathBuf, Error> {
    let folder = match (&args.dir, locate::manifest(global)) {
        (Some(dir), _) => dir.clone(),
        (None, Ok(request)) => request.files.first().and_then(|it| it.parent()).unwrap_or(Path::new(".")).to_owned(),
        (None, Err(_)) => PathBuf::from("."),
    };
    let real = fs::real(&folder).map_err(|error| Error::usage(format!("{}: {error}", folder.display())))?;
    match fs::is_folder(&real) {
        true => Ok(real),
        false => Err(Error::usage(format!("{} is no folder", folder.display()))),
    }
}

/// The manifest that is written: the one of `-f`, the folder's own, or a new one.
fn manifest_of(global: &Global, root: &Path) -> Result<PathBuf, Error> {
    let here = environment::folder().map_err(|error| Error::usage(format!("there is no current folder: {error}")))?;
    Ok(match global.file.first() {
        Some(file) => here.join(file),
        None => ["nagaya.yaml", "nagaya.yml"]
            .into_iter()
            .map(|name| root.join(name))
            .find(|path| fs::is_file(path))
            .unwrap_or_else(|| root.join("nagaya.yaml")),
    })
}

/// What the manifest says now. One with mistakes is not added to.
fn existing(global: &Global, path: &Path, output: &Output) -> Result<Workspace, Error> {
    let request = Request {
        files: vec![fs::real(path).map_err(|error| Error::failed(format!("{}: {error}", path.display())))?],
        explicit: true,
        project: global.project_name.clone(),
        profiles: global.profile.clone(),
        no_env_file: global.no_env_file,
        guest: false,
    };
    locate::load(&request, output)
}

/// A folder whose service is declared is not proposed again, nor is a name that is taken.
fn leave_out_known(workspace: &Workspace, root: &Path, proposed: &mut Proposed) {
    let folders: Vec<&Path> = workspace.services.values().map(|service| service.working_dir.as_path()).collect();
    let is_task = |name: &str| workspace.tasks.keys().any(|it| it.as_str() == name);
    let is_taken = |name: &str| workspace.services.keys().any(|it| it.as_str() == name);
    proposed.tasks.retain(|it| !is_task(&it.name) && !is_taken(&it.name));
    let before = proposed.services.len();
    let single = |folder: &Path, all: &[Proposal]| all.iter().filter(|it| it.folder == folder).count() == 1;
    let all = proposed.services.clone();
    proposed.services.retain(|it| {
        let path = root.join(&it.folder);
        let path = path.components().collect::<PathBuf>();
        !(is_taken(&it.name) || single(&it.folder, &all) && folders.contains(&path.as_path()))
    });
    match before - proposed.services.len() {
        0 => {}
        known => proposed.notes.push(format!("what the manifest has already is left as it is ({known})")),
    }
}

fn nothing(root: &Path, is_known: bool, output: &Output) -> Result<ExitCode, Error> {
    if is_known {
        output.say("the manifest has all services that were found");
        return Ok(ExitCode::SUCCESS);
    }
    let message = format!("nothing in {} looks like a service", root.display());
    Err(Error::failed(message)
        .hint("looked for: Procfiles, dev scripts, known frameworks, container files; `nagaya tasks` lists commands")
        .hint("`nagaya add task NAME` begins a manifest with a task, `nagaya add TEMPLATE` with a backing service")
        .hint("a nagaya.yaml by hand: `services: { web: { command: ./web, ports: 8080 } }`"))
}

/// Where this folder's manifest will be, and how it begins.
pub fn new_manifest() -> Result<(PathBuf, String), Error> {
    let here = environment::folder().and_then(|folder| fs::real(&folder));
    let here = here.map_err(|error| Error::usage(format!("there is no current folder: {error}")))?;
    Ok((here.join("nagaya.yaml"), format!("name: {}\n", workspace_name(&here))))
}

fn workspace_name(root: &Path) -> String {
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match WorkspaceName::new(&name) {
        Ok(_) => name,
        Err(_) => BadName::suggestion(&name).unwrap_or_else(|| "workspace".to_owned()),
    }
}

fn addition(proposal: &Proposal, root: &Path, base: &Path) -> Addition {
    let mut lines = vec![format!("# {}", proposal.because), format!("{}:", proposal.name)];
    let folder = root.join(&proposal.folder).components().collect::<PathBuf>();
    if folder != base {
        let shown = folder.strip_prefix(base).unwrap_or(&folder).display().to_string();
        lines.push(format!("  working_dir: {}", manifest::literal(&shown)));
    }
    lines.push(format!("  command: {}", manifest::literal(&proposal.command)));
    if let Some(port) = proposal.port {
        lines.push(format!("  ports: {{ http: {port} }}"));
    }
    if !proposal.depends_on.is_empty() {
        lines.push(format!("  depends_on: [{}]", proposal.depends_on.join(", ")));
    }
    Addition { name: proposal.name.clone(), lines }
}

/// What is proposed is a manifest that can be read: seen before anybody agrees to it.
pub fn check(path: &Path, text: &str, output: &Output) -> Result<(), Error> {
    let problems: Problems = manifest::check_text(path, text, &environment::shell(), &Disk);
    if problems.has_errors() {
        return Err(output.manifest_error(&problems));
    }
    Ok(())
}

/// What is added makes nothing wrong by itself. What was wrong before is no reason against it; that is how many problems
/// remain.
pub fn check_added(path: &Path, before: &str, after: &str, output: &Output) -> Result<usize, Error> {
    let shell = environment::shell();
    let problems = |text: &str| manifest::check_text(path, text, &shell, &Disk);
    let mut known: Vec<(&'static str, String)> =
        problems(before).list.into_iter().filter(is_error).map(|it| (it.code, it.message)).collect();
    let all = problems(after);
    let remain = all.errors();
    // Lines have moved, so an old one is known by its words; each stands for one.
    let is_new = |problem: &Problem| {
        let place = known.iter().position(|(code, message)| *code == problem.code && *message == problem.message);
        place.map(|place| known.swap_remove(place)).is_none()
    };
    let new: Vec<Problem> = all.list.into_iter().filter(is_error).filter(is_new).collect();
    match new.is_empty() {
        true => Ok(remain),
        false => Err(output.manifest_error(&Problems { sources: all.sources, list: new })),
    }
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

/// A word for whoever added something to a manifest that has other problems.
pub fn say_remaining(remain: usize, output: &Output) {
    if remain > 0 {
        let problems = if remain == 1 { "a problem that was" } else { "problems that were" };
        let count = if remain == 1 { String::new() } else { format!("{remain} ") };
        output.say(&format!("the manifest has {count}{problems} there before: `nagaya check` shows more"));
    }
}

/// The lines themselves, where they cannot be put in.
pub fn cannot(path: &Path, error: &CannotAdd, additions: &[Addition]) -> Error {
    let lines: Vec<String> = additions.iter().flat_map(|it| &it.lines).map(|line| format!("  {line}")).collect();
    Error::new(Code::Failed, format!("{}: {error}", path.display()))
        .detail(lines.join("\n"))
        .hint("these are the lines: put them in by hand")
}
