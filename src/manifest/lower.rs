//! From what is written to what is meant: [`RawWorkspace`]s to one [`Workspace`].

mod container;
mod external;
mod guest;
mod identifiers;
mod network;
mod probes;
mod remotes;
mod routes;
mod scale;
mod schedule;
mod secrets;
mod service;
mod task;
mod unique;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{BadName, Graph, Namespace, Service, ServiceName, Size, Value, Version, Workspace, WorkspaceName};

use super::load::{Files, Request, Shell};
use super::problem::{Problem, Problems, did_you_mean};
use super::raw::{Env, RawService, RawWorkspace};
use super::read::{At, Entry};
use super::source::Span;
use super::templates::{Bound, Gift};
use super::versions::Versioned;

/// One manifest, overlays merged, that takes part in the workspace; the first is the main one.
pub struct Unit {
    pub dir: PathBuf,
    pub dotenv: Arc<Vec<(String, String)>>,
    pub raw: RawWorkspace,
    /// The services that are versions of one.
    pub versions: Vec<(String, Versioned)>,
    /// What those get that depend on services of templates.
    pub bound: Bound,
    pub span: Span,
}

/// Builds the workspace; `None` when it cannot be. Every problem found is added.
pub fn lower(
    mut units: Vec<Unit>,
    request: &Request,
    shell: &Shell,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Workspace> {
    let main = units.first()?;
    let name = workspace_name(main, request, problems);
    let own_name = own_name(main).ok();
    let root = main.dir.clone();
    let main_span = main.span;
    let network = main.raw.network.as_ref().and_then(|word| word.value.0);
    let namespace = namespace(main, problems);
    let strict = main.raw.strict.as_ref().is_some_and(|strict| strict.value);
    let budget = budget(main, problems);
    ignored_in_includes(&units, problems);
    let groups = groups(&mut units);
    let shared = shared_environments(&units);
    let declared = declared(&mut units, problems);
    let tasks = task::declared(&mut units, &declared, problems);
    if declared.is_empty() && tasks.is_empty() && !problems.has_errors() {
        let problem = Problem::error("no_services", "the manifest has no services").at(main_span);
        problems.push(problem.hint("add some under `services`, or run `nagaya demo` for an example"));
    }
    unique::check_names(&declared, name.as_ref(), &namespace, problems);
    unique::check_host_ports(&declared, problems);
    let jobs = task::jobs(&tasks, &declared, problems);
    let names: Vec<ServiceName> = declared.keys().chain(jobs.values()).cloned().collect();
    let homes: Vec<usize> = declared.values().map(|found| found.unit).collect();
    let mut services = IndexMap::new();
    for (name, found) in declared {
        let unit = &units[found.unit];
        let context = service::Context { names: &names, jobs: &jobs, unit, shared: &shared[found.unit], shell, files };
        let version = version(&name, unit);
        if let Some(service) = service::lower(&name, found.service, &context, problems) {
            let Gift { variables: binds, database } = gift(&name, unit);
            services.insert(name, Service { version, binds, database, ..service });
        }
    }
    let among = task::Among { names: &names, jobs: &jobs, units: &units, shared: &shared, files };
    let tasks = task::lower(tasks, &among, problems);
    if let Some((tasks, _)) = &tasks {
        services.extend(task::services(tasks, &among));
    }
    // A service that could not be read leaves a gap, and places no longer fit.
    if services.len() != names.len() {
        return None;
    }
    if request.guest {
        let manifest = request.files.first().map_or(root.as_path(), PathBuf::as_path);
        guest::add(&mut services, &root, manifest, problems);
    }
    apply_groups(groups, &mut services, problems);
    service::check_together(&services, problems);
    let routes = routes::routes(&units, problems);
    let rules = routes::rules(&units, &services, problems);
    let remotes = remotes::remotes(&units, &services, &homes, problems);
    let identifiers = identifiers::identifiers(units.first()?, problems);
    let graph = graph(&services, problems)?;
    let (tasks, task_graph) = tasks?;
    let profiles = known_profiles(&services);
    Some(Workspace {
        has_own_name: name == own_name,
        name: name?,
        root,
        services,
        graph,
        tasks,
        task_graph,
        network,
        namespace,
        strict,
        budget,
        routes,
        rules,
        identifiers,
        remotes,
        profiles,
    })
}

/// What a service of a unit is a version of.
fn version(name: &ServiceName, unit: &Unit) -> Option<Version> {
    let (_, versioned) = unit.versions.iter().find(|(known, _)| known == name.as_str())?;
    Some(Version { of: ServiceName::new(&versioned.service).ok()?, name: versioned.version.clone() })
}

/// What a service of a unit is for others.
fn gift(name: &ServiceName, unit: &Unit) -> Gift {
    unit.bound.iter().find(|(known, _)| known == name.as_str()).map(|(_, gift)| gift.clone()).unwrap_or_default()
}

struct Declared {
    unit: usize,
    service: Entry<RawService>,
}

fn workspace_name(main: &Unit, request: &Request, problems: &mut Problems) -> Option<WorkspaceName> {
    let named = match &request.project {
        Some(project) => WorkspaceName::new(project).map_err(|error| Box::new(no_name(project, error))),
        None => own_name(main),
    };
    let named =
        named.and_then(|name| if RESERVED.contains(&name.as_str()) { Err(reserved(&name, main)) } else { Ok(name) });
    named.map_err(|problem| problems.push(*problem)).ok()
}

/// `users.localhost` is the front door's, and would be this service's too.
const RESERVED: [&str; 1] = ["localhost"];

fn reserved(name: &WorkspaceName, main: &Unit) -> Box<Problem> {
    let problem = Problem::error("bad_name", format!("a workspace cannot be called `{name}`"));
    let problem = problem.hint("that name means this machine everywhere; `name` gives it another");
    Box::new(match &main.raw.name {
        Some(name) => problem.at(name.span),
        None => problem,
    })
}

/// What a manifest calls its workspace.
fn own_name(main: &Unit) -> Result<WorkspaceName, Box<Problem>> {
    if let Some(name) = &main.raw.name {
        return WorkspaceName::new(&name.value).map_err(|error| Box::new(no_name(&name.value, error).at(name.span)));
    }
    // As with Compose, the folder's name serves.
    let folder = main.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let usable = BadName::suggestion(&folder).unwrap_or(folder);
    let usable = if RESERVED.contains(&&*usable) { "workspace".to_owned() } else { usable };
    WorkspaceName::new(&usable)
        .or_else(|_| WorkspaceName::new("workspace"))
        .map_err(|error| Box::new(no_name(&usable, error)))
}

fn no_name(text: &str, error: BadName) -> Problem {
    let hint = BadName::suggestion(text).map(|name| format!("`{name}` would do"));
    Problem::error("bad_name", format!("`{text}` is no workspace name: {error}")).maybe_hint(hint)
}

fn namespace(main: &Unit, problems: &mut Problems) -> Namespace {
    let Some(At { value: text, span }) = &main.raw.namespace else { return Namespace::default() };
    Namespace::new(text).unwrap_or_else(|error| {
        let hint = BadName::suggestion(text).map(|name| format!("`{}` would do", name.replace('_', "-")));
        let problem = Problem::error("bad_name", format!("`{text}` is no namespace: {error}"));
        problems.push(problem.at(*span).maybe_hint(hint));
        Namespace::default()
    })
}

/// Less than any workspace takes.
const SMALLEST_BUDGET: Size = Size(1 << 20);

fn budget(main: &Unit, problems: &mut Problems) -> Option<Size> {
    let budget = main.raw.budget.as_ref()?;
    if budget.value < SMALLEST_BUDGET {
        let message = format!("{} of memory is less than anything takes", budget.value);
        problems.push(Problem::error("small_budget", message).at(budget.span).hint("write a unit: `4GiB`"));
    }
    Some(budget.value)
}

fn ignored_in_includes(units: &[Unit], problems: &mut Problems) {
    for unit in &units[1..] {
        let spans = [
            ("name", unit.raw.name.as_ref().map(|name| name.span)),
            ("network", unit.raw.network.as_ref().map(|network| network.span)),
            ("namespace", unit.raw.namespace.as_ref().map(|namespace| namespace.span)),
            ("identifier", unit.raw.identifier.as_ref().and_then(|list| Some(list.0.first()?.span))),
            ("strict", unit.raw.strict.as_ref().map(|strict| strict.span)),
            ("budget", unit.raw.budget.as_ref().map(|budget| budget.span)),
        ];
        for (key, span) in spans {
            if let Some(span) = span {
                let message = format!("`{key}` of an included manifest is ignored; the main one decides");
                problems.push(Problem::warning("ignored_in_include", message).at(span));
            }
        }
    }
}

/// All services by name, in the order of the files.
fn declared(units: &mut [Unit], problems: &mut Problems) -> IndexMap<ServiceName, Declared> {
    let mut all: IndexMap<ServiceName, Declared> = IndexMap::new();
    for (place, unit) in units.iter_mut().enumerate() {
        for (text, service) in unit.raw.services.take().unwrap_or_default().0 {
            let Some(name) = network::service_name(&text, service.key, problems) else { continue };
            if let Some(first) = all.get(&name) {
                problems.push(
                    Problem::error("duplicate_service", format!("`{name}` is defined in two manifests"))
                        .at(service.key)
                        .related(first.service.key, "first here")
                        .hint("rename one of them"),
                );
                continue;
            }
            all.insert(name, Declared { unit: place, service });
        }
    }
    all
}

/// `environment` at the top: the main manifest's reaches every service, an included one's its own, and wins there.
fn shared_environments(units: &[Unit]) -> Vec<Arc<IndexMap<String, Value>>> {
    let main = units[0].raw.environment.as_ref().map(env_values).unwrap_or_default();
    let all = units.iter().enumerate().map(|(place, unit)| {
        let mut values = main.clone();
        if place > 0 {
            values.extend(unit.raw.environment.as_ref().map(env_values).unwrap_or_default());
        }
        Arc::new(values)
    });
    all.collect()
}

fn env_values(env: &Env) -> IndexMap<String, Value> {
    let value = |value: &Option<crate::model::Template>| value.clone().map_or(Value::FromShell, Value::Is);
    env.0.iter().map(|(key, entry)| (key.clone(), value(&entry.value))).collect()
}

type Groups = Vec<(String, Vec<At<String>>)>;

fn groups(units: &mut [Unit]) -> Groups {
    let profiles = units.iter_mut().filter_map(|unit| unit.raw.profiles.take());
    profiles.flat_map(|dict| dict.0.into_iter().map(|(name, entry)| (name, entry.value.0))).collect()
}

/// `profiles: {backend: [users, db]}` says the same as `profiles: [backend]` on each of them.
fn apply_groups(groups: Groups, services: &mut IndexMap<ServiceName, Service>, problems: &mut Problems) {
    for (profile, members) in groups {
        for member in members {
            let known: Vec<String> = services.keys().map(ToString::to_string).collect();
            match services.get_mut(member.value.as_str()) {
                Some(service) if service.profiles.contains(&profile) => {}
                Some(service) => service.profiles.push(profile.clone()),
                None => problems.push(unknown_service(&member.value, member.span, &known)),
            }
        }
    }
}

fn unknown_service(name: &str, span: Span, known: &[String]) -> Problem {
    let near = did_you_mean(name, known.iter().map(String::as_str));
    let hint = near.or_else(|| match known.len() {
        0 => None,
        1..=12 => Some(format!("the services are {}", known.join(", "))),
        count => Some(format!("none of the {count} services has a name like it")),
    });
    Problem::error("unknown_service", format!("there is no service `{name}`")).at(span).maybe_hint(hint)
}

fn known_profiles(services: &IndexMap<ServiceName, Service>) -> Vec<String> {
    let mut all: Vec<String> = services.values().flat_map(|service| service.profiles.clone()).collect();
    all.sort();
    all.dedup();
    all
}

fn graph(services: &IndexMap<ServiceName, Service>, problems: &mut Problems) -> Option<Graph> {
    let edges = services
        .values()
        .enumerate()
        .flat_map(|(from, service)| service.depends_on.iter().map(move |dependency| (from, dependency.service)));
    match Graph::new(services.len(), edges) {
        Ok(graph) => Some(graph),
        Err(cycle) => {
            let name = |place: &usize| services[*place].name.to_string();
            let walk: Vec<String> = cycle.0.iter().chain(cycle.0.first()).map(name).collect();
            let first = &services[cycle.0[0]];
            let message = format!("these services wait for each other: {}", walk.join(" -> "));
            let mut problem = Problem::error("cycle", message)
                .hint("one of them must start without the other: take it out of `depends_on` (an address in `environment` is no wait)");
            problem.at = service::declared_span(first, problems);
            problems.push(problem);
            None
        }
    }
}
