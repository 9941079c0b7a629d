//! In which variables a task runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Task, Template, Value, Workspace};
use crate::plan::{Layers, Shell};

/// What a task whose result is kept gets of the shell besides what it names: without these little works, and results
/// do not depend on them.
pub const BASE: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "CI",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
];

/// All variables of a task that needs no service.
pub fn variables(workspace: &Workspace, task: &Task, shell: &Shell) -> BTreeMap<String, String> {
    let shell = match &task.caching {
        None => shell.clone(),
        Some(caching) => Arc::new(
            shell
                .iter()
                .filter(|(name, _)| BASE.contains(&name.as_str()) || caching.env.contains(name) || is_asked(task, name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ),
    };
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
        shell,
        dotenv: environment.dotenv.clone(),
        declared: declared.collect(),
        ..Layers::default()
    };
    layers.resolve().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether the manifest takes a variable from the shell by its name.
fn is_asked(task: &Task, name: &str) -> bool {
    let environment = &task.environment;
    [environment.shared.get(name), environment.own.get(name)].contains(&Some(&Value::FromShell))
}

/// The variables of the shell that decide about a result, each with the value that the task gets: one that is not set
/// differs from one that is empty.
pub fn inherited<'a>(task: &'a Task, shell: &'a Shell) -> BTreeMap<&'a str, Option<&'a str>> {
    let of_shell = |name: &str| shell.get(name).map(String::as_str);
    let environment = &task.environment;
    let of_file = |name: &str| {
        let found = environment.dotenv.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let declared = || environment.shared.iter().chain(&environment.own);
    // What the manifest or `.env` sets takes the shell's place, and is written.
    let is_written = |name: &str| of_file(name).is_some() || declared().any(|(known, _)| known == name);
    let named = task.caching.iter().flat_map(|caching| &caching.env).map(String::as_str);
    let named = named.filter(|name| !is_written(name)).map(|name| (name, of_shell(name)));
    let asked = declared().filter(|(_, value)| **value == Value::FromShell).map(|(name, _)| name.as_str());
    named.chain(asked.map(|name| (name, of_shell(name).or_else(|| of_file(name))))).collect()
}

/// Whether it gets addresses of services, which are known once those are there.
pub fn has_addresses(task: &Task) -> bool {
    let environment = &task.environment;
    let mut values = environment.shared.iter().chain(&environment.own).map(|(_, value)| value);
    values.any(|value| matches!(value, Value::Is(template) if template.as_text().is_none()))
}

/// What the manifest and its files set, for the key of a result: names with the text as it is written.
pub fn written(task: &Task) -> BTreeMap<&str, String> {
    let environment = &task.environment;
    let dotenv = environment.dotenv.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let declared = environment.shared.iter().chain(&environment.own).filter_map(|(name, value)| match value {
        Value::Is(template) => Some((name.as_str(), Template::written(template))),
        Value::FromShell => None,
    });
    dotenv.chain(declared).collect()
}
