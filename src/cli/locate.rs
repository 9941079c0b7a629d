//! Which manifest and which engine a command is about.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::Global;
use super::error::{Code, Error};
use super::output::{Output, dim};
use crate::api::{Client, Concern};
use crate::effects::fs::{self, Disk};
use crate::effects::places::{Places, workspace_id};
use crate::effects::registry::{self, Registration};
use crate::effects::{self, environment, ports};
use crate::manifest::{self, Problems, Request};
use crate::model::Workspace;
use crate::runtime::add_clashes;

/// The names under which a manifest is looked for, in order.
const NAMES: [&str; 2] = ["nagaya.yaml", "nagaya.yml"];
/// What others call theirs, with the tool they belong to.
const FOREIGN: [(&str, &str); 8] = [
    ("compose.yaml", "Docker Compose"),
    ("compose.yml", "Docker Compose"),
    ("docker-compose.yml", "Docker Compose"),
    ("docker-compose.yaml", "Docker Compose"),
    ("process-compose.yaml", "process-compose"),
    ("process-compose.yml", "process-compose"),
    ("Procfile.dev", "Foreman"),
    ("Procfile", "Foreman"),
];

/// The manifest that a command is about, by its real path, and its overlays.
pub fn manifest(global: &Global) -> Result<Request, Error> {
    let here = environment::folder().map_err(|error| Error::usage(format!("there is no current folder: {error}")))?;
    let explicit = !global.file.is_empty();
    let found = match explicit {
        true => global.file.iter().map(|path| here.join(path)).collect(),
        false => vec![search(&global.manifest_from.as_ref().map_or(here.clone(), |from| here.join(from)))?],
    };
    let real = |path: PathBuf| fs::real(&path).map_err(|error| missing(&path, &error));
    Ok(Request {
        files: found.into_iter().map(real).collect::<Result<_, _>>()?,
        explicit,
        project: global.project_name.clone(),
        profiles: global.profile.clone(),
        no_env_file: global.no_env_file,
        guest: false,
    })
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Manifest, format!("{}: {error}", path.display()))
}

fn search(here: &Path) -> Result<PathBuf, Error> {
    let named = |folder: &Path| NAMES.iter().map(|name| folder.join(name)).find(|path| fs::is_file(path));
    if let Some(found) = here.ancestors().find_map(named) {
        return Ok(found);
    }
    let foreign = |folder: &Path| {
        FOREIGN.iter().map(|(name, tool)| (folder.join(name), tool)).find(|(path, _)| fs::is_file(path))
    };
    let error = Error::new(Code::Manifest, format!("there is no nagaya.yaml in {} or above it", here.display()));
    Err(match here.ancestors().find_map(foreign) {
        Some((path, tool)) => error
            .hint(format!("{} belongs to {tool}; this version does not read it yet", path.display()))
            .hint("write a nagaya.yaml beside it: each service needs `command`, and may have `ports` and `depends_on`"),
        None => error.hint("`nagaya demo` shows a workspace; `nagaya demo --write DIR` writes its manifest as a start"),
    })
}

/// Reads the manifest; warnings are shown, problems are the error.
pub fn load(request: &Request, output: &Output) -> Result<Workspace, Error> {
    let (workspace, problems) = manifest::load(request, &environment::shell(), &Disk);
    usable(workspace, &problems, output)
}

/// The same for who runs some of its tasks: what matters to others alone, and not to those before them, is not said.
pub fn load_to_run(request: &Request, tasks: &[String], output: &Output) -> Result<Workspace, Error> {
    let (workspace, mut problems) = manifest::load(request, &environment::shell(), &Disk);
    if let Some(workspace) = &workspace {
        let named = tasks.iter().filter_map(|task| workspace.tasks.get_index_of(task.as_str()));
        let within = workspace.task_graph.closure(named);
        let runs = |task: &String| workspace.tasks.get_index_of(task.as_str()).is_some_and(|place| within[place]);
        problems.list.retain(|problem| problem.task.as_ref().is_none_or(runs));
    }
    usable(workspace, &problems, output)
}

/// The same for who would boot it: what this machine cannot give it is a problem too.
pub fn load_to_boot(request: &Request, output: &Output) -> Result<Workspace, Error> {
    let (workspace, mut problems) = manifest::load(request, &environment::shell(), &Disk);
    if let Some(workspace) = &workspace {
        add_clashes(workspace, &mut problems, ports::lowest());
    }
    usable(workspace, &problems, output)
}

fn usable(workspace: Option<Workspace>, problems: &Problems, output: &Output) -> Result<Workspace, Error> {
    match workspace.filter(|_| !problems.has_errors()) {
        Some(workspace) => {
            output.warnings(problems);
            Ok(workspace)
        }
        None => Err(output.manifest_error(problems)),
    }
}

/// The folders of this user.
pub fn places() -> Result<Places, Error> {
    Places::find().map_err(|error| Error::failed(error.to_string()))
}

/// The id of a workspace.
pub fn id(workspace: &Workspace, request: &Request) -> String {
    let manifest = request.files.first().map_or(Path::new(""), PathBuf::as_path);
    workspace_id(workspace.name.as_str(), manifest)
}

/// The engine that a command is about. It is found by the manifest's path, so that a manifest that has become
/// unreadable is no obstacle, or by name with `-p`.
pub fn engine(global: &Global) -> Result<Registration, Error> {
    pick(global, &registry::engines(&places()?))
}

/// The note of an engine that was killed, by the same rules.
pub fn killed(global: &Global) -> Option<Registration> {
    pick(global, &registry::killed(&places().ok()?)).ok()
}

/// The one of several engines that a command is about.
fn pick(global: &Global, running: &[Registration]) -> Result<Registration, Error> {
    let manifest = manifest(global);
    let path = manifest.as_ref().ok().and_then(|request| request.files.first().cloned());
    let here = |engine: &&Registration| path.as_ref().is_some_and(|path| engine.manifest == *path);
    if let Some(name) = &global.project_name {
        let named: Vec<&Registration> = running.iter().filter(|engine| engine.name == *name).collect();
        let nearest = named.iter().copied().find(here);
        return match (nearest, named.as_slice()) {
            (Some(engine), _) => Ok(engine.clone()),
            (None, [engine]) => Ok((*engine).clone()),
            (None, []) => Err(none_running(&format!("no workspace called `{name}` is running"))),
            (None, several) => {
                let error = Error::usage(format!("{} workspaces called `{name}` are running", several.len()));
                Err(several.iter().fold(error, |error, engine| {
                    error.hint(format!("`-f {}` means this one", engine.manifest.display()))
                }))
            }
        };
    }
    let path_error = manifest.err();
    match running.iter().filter(here).find(|engine| !engine.explicit) {
        Some(engine) => Ok(engine.clone()),
        None => Err(match (running.iter().find(here), path_error) {
            (Some(other), _) => none_running("this workspace is not running under its own name")
                .hint(format!("it runs as `-p {}`", other.name)),
            (None, Some(error)) if running.is_empty() => error,
            (None, Some(error)) => error.hint(format!(
                "`-p NAME` means a running workspace from anywhere: {}",
                running.iter().map(|engine| engine.name.as_str()).collect::<Vec<_>>().join(", ")
            )),
            (None, None) => none_running("this workspace is not running"),
        }),
    }
}

/// What there is to say when an engine has ended that was followed: one that was killed ends nothing well.
pub fn gone(engine: &Registration, output: &Output) -> Result<ExitCode, Error> {
    if registry::was_killed(engine) {
        return Err(Error::failed("the engine ended unexpectedly")
            .hint("`engine.log` in the workspace's state may tell why; `nagaya up` starts again"));
    }
    output.say(&dim(&format!("{} has ended", engine.name)));
    Ok(ExitCode::SUCCESS)
}

fn none_running(message: &str) -> Error {
    Error::new(Code::NoEngine, message).hint("`nagaya up` starts it; `nagaya ls` lists what runs")
}

/// A client of the engine that a command is about, with a word about its version where that differs.
pub fn connect(global: &Global, output: &Output) -> Result<(Client, Registration), Error> {
    let engine = engine(global)?;
    if engine.version != env!("CARGO_PKG_VERSION") {
        output.say(&format!(
            "this is nagaya {}, the engine is {}: `ps`, `logs`, `start`, `stop` and `down` work; for the rest do \
             `nagaya down` and `nagaya up`",
            env!("CARGO_PKG_VERSION"),
            engine.version
        ));
    }
    Ok((client(&engine.socket, engine.pid, output), engine))
}

/// A client of an engine, which tells while that does not answer.
pub fn client(socket: &Path, pid: u32, output: &Output) -> Client {
    let output = output.clone();
    Client::new(socket).telling(Concern::new(move || output.tell(&silence(pid))))
}

/// What to do about an engine that does not answer.
fn silence(pid: u32) -> String {
    let head = format!("the engine (pid {pid}) is not answering");
    match effects::state(pid) {
        Some(state @ ('T' | 't')) => {
            format!("{head}: it is stopped (state {state}), by a signal or a debugger; `kill -CONT {pid}` has it go on")
        }
        Some(state) => format!("{head} (state {state}); `nagaya down --force` kills it and all that it runs"),
        None => format!("{head}: there is no such process any more"),
    }
}
