//! How the result of a task is kept: what is known before it runs of all that the result depends on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::key::{Key, Parts, hash_of};
use super::variables::{inherited, written};
use crate::model::{ServiceName, Task, Workspace};
use crate::plan::Shell;

/// How the result of a task is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keep {
    /// The task and its checkout, as no other task is called.
    pub task: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// Commands that tell the versions of programs.
    pub tools: Vec<Vec<String>>,
    /// What the result depends on and is known before: command, variables.
    pub parts: Parts,
    /// Tasks before it whose results are kept, as they are called here, with what stands for each: they are not to be made
    /// anew while it runs. Those of the same run are known beside this.
    pub before: Vec<(String, Key)>,
}

impl Keep {
    /// Of a task that is run as `argv`, where its result is kept.
    pub fn of(workspace: &Workspace, task: &Task, argv: &[String], shell: &Shell) -> Option<Self> {
        let caching = task.caching.as_ref()?;
        Some(Self {
            task: checked_out(workspace, task),
            inputs: caching.inputs.clone(),
            outputs: caching.outputs.clone(),
            tools: caching.tools.iter().map(|tool| version_command(tool)).collect(),
            parts: parts(workspace, task, argv, shell),
            before: Vec::new(),
        })
    }
}

/// A task that the engine runs and whose result is kept, as the engine tells of it: all that is known before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeptJob {
    pub name: String,
    /// Absolute.
    pub folder: PathBuf,
    pub lock: Option<String>,
    pub keep: Keep,
    /// The tasks that it needs.
    pub before: Vec<Before>,
}

/// A task that has come to its end before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Before {
    pub name: String,
    /// What [`Keep::task`] is of it, where its result is kept.
    pub kept: Option<String>,
    /// What stands for it where no result is. Nothing, where it needs others itself: it may have run when those were others
    /// than they are now.
    pub definition: Option<Key>,
}

/// The jobs of the engine whose results are kept, by their names among the services.
pub fn kept_jobs(workspace: &Workspace, shell: &Shell) -> BTreeMap<ServiceName, KeptJob> {
    let before = |need: &usize| {
        let task = &workspace.tasks[*need];
        Before {
            name: task.name.to_string(),
            kept: task.caching.as_ref().map(|_| checked_out(workspace, task)),
            definition: task.tasks.is_empty().then(|| Key::of_command(&task.command.argv_with(&[]), &[])),
        }
    };
    let kept = |task: &Task| {
        let job = KeptJob {
            name: task.name.to_string(),
            folder: task.working_dir.clone(),
            lock: task.lock.clone(),
            keep: Keep::of(workspace, task, &task.command.argv_with(&[]), shell)?,
            before: task.tasks.iter().map(before).collect(),
        };
        Some((task.job.clone()?, job))
    };
    workspace.tasks.values().filter_map(kept).collect()
}

/// The part of a key that stands for another task.
pub fn key_part(task: &str) -> String {
    format!("task {task}")
}

fn checked_out(workspace: &Workspace, task: &Task) -> String {
    format!("{}:{}", workspace.root.display(), task.name)
}

/// `node` asks `node --version`; more than one word is the command itself.
fn version_command(tool: &str) -> Vec<String> {
    let words: Vec<String> = tool.split_whitespace().map(str::to_owned).collect();
    match words.as_slice() {
        [program] => vec![program.clone(), "--version".to_owned()],
        _ => words,
    }
}

/// What a result depends on besides files, tools and other tasks. Values are never shown, only their hashes are kept.
fn parts(workspace: &Workspace, task: &Task, argv: &[String], shell: &Shell) -> Parts {
    let caching = task.caching.iter();
    let lists = caching.flat_map(|it| [("inputs", &it.inputs), ("outputs", &it.outputs)]);
    let folder = task.working_dir.strip_prefix(&workspace.root).unwrap_or(&task.working_dir);
    let mut parts: Parts = lists.map(|(name, list)| (name.to_owned(), hash_of(list))).collect();
    parts.insert("command".to_owned(), hash_of(argv));
    parts.insert("name".to_owned(), hash_of([task.name.as_str()]));
    parts.insert("folder".to_owned(), hash_of([folder.as_os_str().as_encoded_bytes()]));
    parts.insert("platform".to_owned(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    if !task.services.is_empty() {
        // It gets their addresses, and finds their data there. Both are one workspace's own, and what was made of them is no
        // use to another.
        let network = workspace.network.map(|mode| format!("{mode:?}")).unwrap_or_default();
        let root = workspace.root.as_os_str().as_encoded_bytes();
        parts.insert("network".to_owned(), hash_of([network.as_bytes(), workspace.name.as_str().as_bytes(), root]));
    }
    for (name, value) in written(task) {
        parts.insert(format!("variable {name}"), hash_of([value]));
    }
    for (name, value) in inherited(task, shell) {
        let hash = value.map_or_else(|| "unset".to_owned(), |value| hash_of([value]));
        parts.insert(format!("variable {name}"), hash);
    }
    parts
}
