//! In which variables a task runs.

use std::collections::BTreeMap;

use crate::model::{Task, Template, Value, Workspace};
use crate::plan::{Layers, Shell, seen};

/// All variables of a task that needs no service.
pub fn variables(workspace: &Workspace, task: &Task, shell: &Shell) -> BTreeMap<String, String> {
    let environment = &task.environment;
    // An address of a service means nothing outside the services' network.
    let declared = environment.shared.iter().chain(&environment.own).filter_map(|(name, value)| match value {
        Value::Is(template) => template.as_text().map(|text| (name.clone(), Some(text.to_owned()))),
        Value::FromShell => Some((name.clone(), None)),
    });
    let layers = Layers {
        generated: vec![
            ("NAGAYA_WORKSPACE".into(), workspace.name.to_string()),
            ("NAGAYA_TASK".into(), task.name.to_string()),
        ],
        shell: seen(shell, task.of_shell().as_ref()),
        dotenv: environment.dotenv.clone(),
        declared: declared.collect(),
        ..Layers::default()
    };
    layers.resolve().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The variables of the shell that decide about a result, each with the value that the task gets: one that is not set
/// differs from one that is empty.
pub fn inherited<'a>(task: &'a Task, shell: &'a Shell) -> BTreeMap<&'a str, Option<&'a str>> {
    let named = task.caching.iter().flat_map(|caching| &caching.env).map(String::as_str);
    let names = named.chain(task.environment.asked()).filter(|name| !is_written(task, name));
    names.map(|name| (name, value_of(task, shell, name))).collect()
}

/// What takes the shell's place: a value of the manifest, or one of `.env` that the manifest does not ask the shell for.
fn is_written(task: &Task, name: &str) -> bool {
    match task.environment.declared(name) {
        Some(Value::Is(_)) => true,
        Some(Value::FromShell) => false,
        None => task.environment.of_file(name).is_some(),
    }
}

/// What is taken from the shell: its own value, or else that of `.env`.
fn value_of<'a>(task: &'a Task, shell: &'a Shell, name: &str) -> Option<&'a str> {
    shell.get(name).map(String::as_str).or_else(|| task.environment.of_file(name))
}

/// What the manifest and its files set, for the key of a result: names with the text as it is written, the stronger one
/// of two.
pub fn written(task: &Task) -> BTreeMap<&str, String> {
    let environment = &task.environment;
    let dotenv = environment.dotenv.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let declared = environment.shared.iter().chain(&environment.own).filter_map(|(name, value)| match value {
        Value::Is(template) => Some((name.as_str(), Template::written(template))),
        Value::FromShell => None,
    });
    dotenv.chain(declared).collect()
}
