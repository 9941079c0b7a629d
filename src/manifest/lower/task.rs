//! Tasks: checked against each other, the services and the disk.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::manifest::load::Files;
use crate::manifest::problem::{Problem, Problems, did_you_mean};
use crate::manifest::raw::{DependsOn, DependsOnEntry, RawTask};
use crate::manifest::read::{At, Entry, OneOrMany, OrBrief};
use crate::manifest::source::Span;
use crate::model::{
    BadName, Caching, Condition, Dependency, Environment, Graph, Run, Service, ServiceName, Task, TaskName, Template,
    Value,
};

use super::service::{declared_at, lower_command};
use super::{Declared, Unit, env_values};

/// A task as it is written, and the unit that has it.
pub struct DeclaredTask {
    unit: usize,
    key: Span,
    raw: RawTask,
}

/// Tasks that are jobs of the engine, as they need services or services need them: each with the name that it has among
/// those.
pub type Jobs = IndexMap<TaskName, ServiceName>;

/// What tasks are lowered among.
pub struct Among<'a> {
    /// Services, and then the jobs.
    pub names: &'a [ServiceName],
    pub jobs: &'a Jobs,
    pub units: &'a [Unit],
    pub shared: &'a [Arc<IndexMap<String, Value>>],
    pub files: &'a dyn Files,
}

/// All tasks by name, in the order of the files.
pub fn declared(
    units: &mut [Unit],
    services: &IndexMap<ServiceName, Declared>,
    problems: &mut Problems,
) -> IndexMap<TaskName, DeclaredTask> {
    let mut all: IndexMap<TaskName, DeclaredTask> = IndexMap::new();
    for (unit, it) in units.iter_mut().enumerate() {
        for (text, Entry { key, value: OrBrief(raw) }) in it.raw.tasks.take().unwrap_or_default().0 {
            let name = match TaskName::new(&text) {
                Ok(name) => name,
                Err(error) => {
                    problems.push(Problem::error("bad_name", format!("`{text}` is no name: {error}")).at(key));
                    continue;
                }
            };
            let taken = services.get(text.as_str()).map(|service| (service.service.key, "a service has this name too"));
            let taken = taken.or_else(|| all.get(&name).map(|first| (first.key, "a task has this name already")));
            if let Some((first, what)) = taken {
                let problem = Problem::error("duplicate_task", format!("`{name}`: {what}")).at(key);
                problems.push(problem.related(first, "first here").hint("rename one of them"));
                continue;
            }
            all.insert(name, DeclaredTask { unit, key, raw });
        }
    }
    all
}

/// Which tasks are jobs.
pub fn jobs(
    tasks: &IndexMap<TaskName, DeclaredTask>,
    services: &IndexMap<ServiceName, Declared>,
    problems: &mut Problems,
) -> Jobs {
    let entries = |on: &Option<At<DependsOn>>| -> Vec<String> {
        on.iter().flat_map(|on| &on.value.0).map(|entry| entry.name.clone()).collect()
    };
    let is_task = |name: &String| tasks.contains_key(name.as_str());
    let mut needed: Vec<String> = services.values().flat_map(|it| entries(&it.service.value.depends_on)).collect();
    needed.retain(is_task);
    let needs_service =
        |task: &DeclaredTask| entries(&task.raw.depends_on).iter().any(|name| services.contains_key(name.as_str()));
    let mut found: Vec<&str> = Vec::new();
    // What a service needs has to bring along what it needs itself.
    while let Some(name) = needed.pop() {
        if let Some((name, task)) = tasks.get_key_value(name.as_str())
            && !found.contains(&name.as_str())
        {
            found.push(name.as_str());
            needed.extend(entries(&task.raw.depends_on).into_iter().filter(is_task));
        }
    }
    let mut jobs = Jobs::new();
    for (name, task) in tasks.iter().filter(|(name, task)| found.contains(&name.as_str()) || needs_service(task)) {
        let text = BadName::suggestion(name.as_str()).unwrap_or_else(|| name.to_string());
        let taken = |job: &ServiceName| services.contains_key(job) || jobs.values().any(|known| known == job);
        match ServiceName::new(&text).ok().filter(|job| !taken(job)) {
            Some(job) => drop(jobs.insert(name.clone(), job)),
            None => {
                let message = format!("`{name}` runs among the services, where `{text}` is another's name or none");
                problems.push(Problem::error("duplicate_task", message).at(task.key).hint("rename the task"));
            }
        }
    }
    jobs
}

/// A task is over or it is not: nothing else can be waited for.
pub fn check_task_condition(entry: &DependsOnEntry, problems: &mut Problems) {
    if entry.condition.is_some_and(|word| word.0 != Condition::Completed) {
        let message = format!("`{}` is a task, and can only be waited for as `completed`", entry.name);
        problems.push(Problem::error("task_condition", message).at(entry.span));
    }
}

/// The jobs of the engine: services that run to their end.
pub fn services(tasks: &IndexMap<TaskName, Task>, among: &Among<'_>) -> Vec<(ServiceName, Service)> {
    let place = |name: &TaskName| {
        let job = among.jobs.get(name)?;
        among.names.iter().position(|known| known == job)
    };
    let service = |(name, job): (&TaskName, &ServiceName)| {
        let task = tasks.get(name)?;
        let first = task.tasks.iter().filter_map(|need| place(tasks.get_index(*need)?.0));
        let first = first.map(|service| Dependency { service, condition: Condition::Completed, restart: false });
        Some((job.clone(), as_service(task, job, first.chain(task.services.iter().cloned()).collect())))
    };
    among.jobs.iter().filter_map(service).collect()
}

fn as_service(task: &Task, name: &ServiceName, depends_on: Vec<Dependency>) -> Service {
    let run = Run::Process(task.command.clone());
    Service {
        task: true,
        lock: task.lock.clone(),
        of_shell: task.of_shell(),
        depends_on,
        environment: task.environment.clone(),
        ..Service::plain(name.clone(), run, task.working_dir.clone(), task.declared.clone())
    }
}

/// The tasks and what they need of each other; `None` where one cannot be used.
pub fn lower(
    declared: IndexMap<TaskName, DeclaredTask>,
    among: &Among<'_>,
    problems: &mut Problems,
) -> Option<(IndexMap<TaskName, Task>, Graph)> {
    let names: Vec<TaskName> = declared.keys().cloned().collect();
    let keys: Vec<Span> = declared.values().map(|task| task.key).collect();
    let mut tasks = IndexMap::new();
    for (name, task) in declared {
        if let Some(task) = lower_one(&name, task, &names, among, problems) {
            tasks.insert(name, task);
        }
    }
    if tasks.len() != names.len() {
        return None;
    }
    let edges = tasks.values().enumerate().flat_map(|(from, task)| task.tasks.iter().map(move |to| (from, *to)));
    match Graph::new(tasks.len(), edges) {
        Ok(graph) => Some((tasks, graph)),
        Err(cycle) => {
            let walk: Vec<&str> = cycle.0.iter().chain(cycle.0.first()).map(|place| names[*place].as_str()).collect();
            let message = format!("these tasks wait for each other: {}", walk.join(" -> "));
            let problem = Problem::error("cycle", message).at(keys[cycle.0[0]]);
            problems.push(problem.hint("take one of them out of the other's `depends_on`"));
            None
        }
    }
}

fn lower_one(
    name: &TaskName,
    declared: DeclaredTask,
    names: &[TaskName],
    among: &Among<'_>,
    problems: &mut Problems,
) -> Option<Task> {
    let DeclaredTask { unit: place, key, raw } = declared;
    let unit = &among.units[place];
    let working_dir = working_dir(&raw, unit, among.files, problems);
    let (tasks, services) = needs(&raw, names, &among.names[..among.names.len() - among.jobs.len()], problems);
    let caching = caching(name, &raw, key, problems);
    let environment = Environment {
        dotenv: unit.dotenv.clone(),
        files: Vec::new(),
        shared: among.shared[place].clone(),
        own: raw.environment.as_ref().map(|own| env_values(&own.value)).unwrap_or_default(),
    };
    let Some(command) = &raw.command else {
        let problem = Problem::error("missing_command", format!("`{name}` says nothing of what it runs"));
        problems.push(problem.at(key).hint("add `command: …`"));
        return None;
    };
    let lowered = lower_command(&command.value);
    // Only a task that has services to speak to is told where they are.
    let own = environment.own.values().filter(|_| services.is_empty()).filter_map(|value| match value {
        Value::Is(template) => Some(template),
        Value::FromShell => None,
    });
    check_references(own.chain(lowered.templates()).flat_map(Template::references), command.span, problems);
    Some(Task {
        name: name.clone(),
        command: lowered,
        working_dir: working_dir?,
        description: raw.description.clone(),
        tasks,
        services,
        job: among.jobs.get(name).cloned(),
        environment,
        lock: lock(raw.lock.as_ref(), problems),
        caching,
        declared: declared_at(key, problems),
    })
}

fn check_references<'a>(
    mut references: impl Iterator<Item = &'a crate::model::Reference>,
    span: Span,
    problems: &mut Problems,
) {
    if let Some(reference) = references.next() {
        let message = format!("an address of `{}` cannot be used in a task", reference.service);
        let problem = Problem::error("no_reference_here", message).at(span);
        problems.push(problem.hint("with the service in `depends_on`, it can stand in `environment`"));
    }
}

fn working_dir(raw: &RawTask, unit: &Unit, files: &dyn Files, problems: &mut Problems) -> Option<PathBuf> {
    let Some(written) = &raw.working_dir else { return Some(unit.dir.clone()) };
    let dir = unit.dir.join(&written.value);
    if files.is_dir(&dir) {
        return Some(files.canonical(&dir).unwrap_or(dir));
    }
    let problem = Problem::error("missing_folder", format!("there is no folder `{}`", written.value));
    problems.push(problem.at(written.span).hint(format!("`working_dir` is relative to {}", unit.dir.display())));
    None
}

/// What comes first: tasks and services, whose names differ.
fn needs(
    raw: &RawTask,
    tasks: &[TaskName],
    services: &[ServiceName],
    problems: &mut Problems,
) -> (Vec<usize>, Vec<Dependency>) {
    let mut found: (Vec<usize>, Vec<Dependency>) = Default::default();
    for entry in raw.depends_on.as_ref().map(|it| it.value.0.as_slice()).unwrap_or_default() {
        let condition = entry.condition.map(|word| word.0);
        if let Some(task) = tasks.iter().position(|name| name.as_str() == entry.name) {
            check_task_condition(entry, problems);
            if !found.0.contains(&task) {
                found.0.push(task);
            }
        } else if let Some(service) = services.iter().position(|name| name.as_str() == entry.name) {
            if !found.1.iter().any(|known| known.service == service) {
                found.1.push(Dependency { service, condition: condition.unwrap_or(Condition::Ready), restart: false });
            }
        } else {
            let known: Vec<&str> =
                tasks.iter().map(TaskName::as_str).chain(services.iter().map(ServiceName::as_str)).collect();
            let hint = did_you_mean(&entry.name, known.iter().copied());
            let message = format!("there is no task or service `{}`", entry.name);
            problems.push(Problem::error("unknown_task", message).at(entry.span).maybe_hint(hint));
        }
    }
    found
}

fn caching(name: &TaskName, raw: &RawTask, key: Span, problems: &mut Problems) -> Option<Caching> {
    let inputs = raw.inputs.as_ref().map(|globs| globs_of(globs, false, problems));
    let outputs = raw.outputs.as_ref().map(|globs| globs_of(globs, true, problems));
    let words = |list: &Option<OneOrMany<At<String>>>| -> Vec<String> {
        list.iter().flat_map(|list| &list.0).map(|word| word.value.clone()).collect()
    };
    let (env, tools) = (words(&raw.env), words(&raw.tools));
    for name in raw.env.iter().flat_map(|list| &list.0).filter(|name| !is_variable(&name.value)) {
        let message = format!("`{}` is no name of a variable", name.value);
        problems.push(
            Problem::error("bad_variable", message).at(name.span).hint("each is named in full; there are no patterns"),
        );
    }
    let (missing, is_asked) = match (&inputs, &outputs) {
        (Some(_), Some(_)) => return Some(Caching { inputs: inputs?, outputs: outputs?, env, tools }),
        (None, Some(_)) => ("inputs", true),
        (Some(_), None) => ("outputs", true),
        (None, None) => ("inputs` and `outputs", !env.is_empty() || !tools.is_empty()),
    };
    if is_asked {
        let message = format!("`{name}` has no `{missing}`, so it runs every time");
        let problem = Problem::warning("not_cached", message).at(key).of_task(name.as_str());
        problems
            .push(problem.hint("with `inputs` and `outputs` its results are kept; `outputs: []` keeps its log alone"));
    }
    None
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '*', '?', '\0']) && !name.contains(char::is_whitespace)
}

fn globs_of(globs: &At<OneOrMany<At<String>>>, below: bool, problems: &mut Problems) -> Vec<String> {
    let mut out = Vec::new();
    for At { value, span } in &globs.value.0 {
        let bare = value.strip_prefix('!').unwrap_or(value);
        let problem = match globset::GlobBuilder::new(bare).literal_separator(true).build() {
            Err(error) => Some(format!("`{value}` is no glob: {}", error.kind())),
            Ok(_) if bare.is_empty() => Some("a glob cannot be empty".to_owned()),
            Ok(_) if below && (bare.starts_with('/') || bare.split('/').any(|part| part == "..")) => {
                Some(format!("`{value}` leaves the task's folder, and outputs stay below it"))
            }
            Ok(_) => None,
        };
        match problem {
            Some(message) => problems.push(Problem::error("bad_glob", message).at(*span)),
            None => out.push(value.clone()),
        }
    }
    out
}

/// A lock is a file's name.
fn lock(raw: Option<&At<String>>, problems: &mut Problems) -> Option<String> {
    let At { value, span } = raw?;
    let good = TaskName::new(value).is_ok() && value.len() <= 100;
    if !good {
        let message = format!("`{value}` cannot be the name of a lock");
        problems.push(Problem::error("bad_name", message).at(*span).hint("letters, digits and `-_.:/@+` can"));
    }
    good.then(|| value.clone())
}
