//! One service: checked against its neighbours and the disk.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::manifest::load::{Files, Shell, read_env_file};
use crate::manifest::problem::{Problem, Problems, did_you_mean};
use crate::manifest::raw::{
    CommandSpec, DependsOn, EnvFile, Listen, Logs, Ports, RawService, RestartRecord, SetupRecord,
};
use crate::manifest::read::{At, Entry, OrBrief};
use crate::manifest::source::Span;
use crate::model::{
    BackoffSpec, Command, Condition, Dependency, Environment, Inputs, LogKeeping, Port, Reaction, Readiness, Reference,
    Restart, Run, Service, ServiceName, SetupStep, Size, Stdin, Stop, Template, Value,
};

use super::network::{aliases, hostnames, publish};
use super::probes::{lower_liveness, lower_readiness, lower_startup};
use super::scale::{Scale, scale};
use super::schedule::lower_schedule;
use super::task::{Jobs, check_task_condition};
use super::watch::lower_watch;
use super::{Unit, container, env_values, external, unknown_service};

/// What one service is lowered among.
pub struct Context<'a> {
    pub names: &'a [ServiceName],
    pub jobs: &'a Jobs,
    pub unit: &'a Unit,
    pub shared: &'a Arc<IndexMap<String, Value>>,
    pub shell: &'a Shell,
    pub files: &'a dyn Files,
}

/// Lowers one service; `None` when it lacks what it cannot do without.
pub fn lower(
    name: &ServiceName,
    entry: Entry<RawService>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Service> {
    let Entry { key, value: mut raw } = entry;
    let is_container = container::is_one(name, &mut raw, key, problems);
    if let Some(url) = &raw.external {
        return external::lower(name, &raw, url, key, context, problems);
    }
    // That of a container is in its image.
    let dir = if is_container { Some(context.unit.dir.clone()) } else { working_dir(&raw, context, problems) };
    let ports = ports(raw.ports.as_ref());
    let listen = listen(raw.listen.as_ref().map(|listen| &listen.value), &ports, problems);
    let publish = publish(&raw, &ports, &listen, problems);
    let depends_on = depends_on(raw.depends_on.as_ref().map(|on| &on.value), context, problems);
    let environment = environment(&raw, context, problems);
    let healthy = container::health(&raw, problems).filter(|_| raw.readiness.is_none());
    let readiness = healthy.unwrap_or_else(|| lower_readiness(raw.readiness.as_ref(), &ports, problems));
    let startup = lower_startup(raw.startup.as_ref(), &ports, problems);
    let liveness = lower_liveness(raw.liveness.as_ref(), &ports, problems);
    let setup = setup(raw.setup.as_ref().map(|steps| steps.0.as_slice()).unwrap_or_default(), problems);
    let watch = lower_watch(raw.watch.as_ref(), !setup.is_empty() || raw.build.is_some(), problems);
    let stop = Stop::default();
    let stop = Stop {
        signal: raw.stop_signal.as_ref().map_or(stop.signal, |word| word.value.0),
        grace: raw.stop_grace_period.as_ref().map_or(stop.grace, |grace| grace.value),
    };
    let logs = logs(raw.logs.as_ref().map(|logs| &logs.value), problems);
    let is_set = |flag: Option<&At<bool>>| flag.is_some_and(|flag| flag.value);
    let lazy = is_set(raw.lazy.as_ref());
    if lazy && ports.is_empty() {
        let problem = Problem::error("lazy_without_ports", format!("`{name}` is lazy but has no ports"));
        problems.push(problem.at(key).hint("a lazy service is started by its first request, so it needs `ports`"));
    }
    let Scale { replicas, autoscale, stateful, strategy, idle_timeout, max_age } = scale(name, &raw, problems);
    let restart = restart(raw.restart.as_ref().map(|restart| &restart.value));
    let schedule = lower_schedule(name, &raw, problems);
    let profiles = raw.profiles.clone().unwrap_or_default().0;
    let (aliases, hostnames) = (aliases(&raw, problems), hostnames(&raw, problems));
    let network = raw.network.as_ref().and_then(|word| word.value.0);
    let run = match is_container {
        true => Run::Container(Box::new(container::lower(&raw, context, problems)?)),
        false => Run::Process(command(name, &raw, key, problems)?),
    };
    let service = Service {
        aliases,
        hostnames,
        setup,
        ports,
        listen,
        publish,
        network,
        egress: raw.egress.as_ref().map(|word| word.value.0).unwrap_or_default(),
        user: raw.user.as_ref().map(|user| user.value.clone()),
        depends_on,
        environment,
        readiness,
        startup,
        liveness,
        restart,
        schedule,
        stop,
        profiles,
        lazy,
        replicas,
        autoscale,
        stateful,
        snapshot: raw.snapshot.as_ref().map_or(stateful, |it| it.value),
        idle_timeout,
        max_age,
        strategy,
        watch,
        logs,
        stdin: Stdin::of(is_set(raw.tty.as_ref()), is_set(raw.stdin_open.as_ref())),
        ..Service::plain(name.clone(), run, dir?, declared_at(key, problems))
    };
    Some(service)
}

/// The file and line of a key.
pub fn declared_at(key: Span, problems: &Problems) -> (std::path::PathBuf, usize) {
    (problems.sources.get(key.source).path.clone(), problems.sources.position(key).line)
}

fn command(name: &ServiceName, raw: &RawService, key: Span, problems: &mut Problems) -> Option<Command> {
    if let Some(command) = &raw.command {
        return Some(lower_command(&command.value));
    }
    if raw.template.is_none() {
        let problem = Problem::error("missing_command", format!("`{name}` says nothing of what it runs"));
        problems.push(problem.at(key).hint("add `command: …`, or `image: …` for a container"));
    }
    None
}

/// The command as the model has it.
pub fn lower_command(spec: &CommandSpec) -> Command {
    match spec {
        CommandSpec::Shell(line) => Command::Shell(line.clone()),
        CommandSpec::Argv(words) => Command::Argv(words.clone()),
    }
}

fn working_dir(raw: &RawService, context: &Context<'_>, problems: &mut Problems) -> Option<std::path::PathBuf> {
    let Some(written) = &raw.working_dir else { return Some(context.unit.dir.clone()) };
    let dir = context.unit.dir.join(&written.value);
    if context.files.is_dir(&dir) {
        // Written `../x` or through a link, it is shown and compared as what it is.
        return Some(context.files.canonical(&dir).unwrap_or(dir));
    }
    let problem = match context.files.canonical(&dir) {
        Ok(_) => Problem::error("not_a_folder", format!("`{}` is not a folder", written.value)),
        Err(_) => Problem::error("missing_folder", format!("the folder `{}` does not exist", written.value)),
    };
    let base = context.unit.dir.display();
    problems.push(problem.at(written.span).hint(format!("`working_dir` is relative to {base}")));
    None
}

/// The declared ports.
pub fn ports(raw: Option<&Ports>) -> Vec<Port> {
    let port = |port: &At<crate::manifest::raw::PortSpec>| Port {
        name: port.value.name.clone(),
        number: port.value.number,
        protocol: port.value.protocol,
    };
    raw.map(|ports| ports.0.iter().map(port).collect()).unwrap_or_default()
}

fn listen(raw: Option<&Listen>, ports: &[Port], problems: &mut Problems) -> Vec<Option<u16>> {
    let mut out = vec![None; ports.len()];
    match raw {
        None => {}
        Some(Listen::First(number)) => match out.first_mut() {
            Some(first) => *first = Some(number.value),
            None => problems.push(
                Problem::error("listen_without_ports", "`listen` needs a port to be about")
                    .at(number.span)
                    .hint(format!("add `ports: {}`", number.value)),
            ),
        },
        Some(Listen::Named(dict)) => {
            for (name, entry) in &dict.0 {
                match ports.iter().position(|port| port.name == *name) {
                    Some(place) => out[place] = Some(entry.value.value),
                    None => problems.push(unknown_port(name, ports, entry.key)),
                }
            }
        }
    }
    out
}

/// "there is no port …", with the ports there are.
pub fn unknown_port(name: &str, ports: &[Port], span: Span) -> Problem {
    let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let hint = did_you_mean(name, known.iter().copied()).or_else(|| match known.as_slice() {
        [] => Some("declare it under `ports`".to_owned()),
        _ => Some(format!("its ports are {}", known.join(", "))),
    });
    Problem::error("unknown_port", format!("there is no port `{name}`")).at(span).maybe_hint(hint)
}

fn depends_on(raw: Option<&DependsOn>, context: &Context<'_>, problems: &mut Problems) -> Vec<Dependency> {
    let mut out: Vec<Dependency> = Vec::new();
    let names = context.names;
    for entry in raw.map(|raw| raw.0.as_slice()).unwrap_or_default() {
        let job = context.jobs.get(entry.name.as_str());
        let name = job.map_or(entry.name.as_str(), ServiceName::as_str);
        let Some(service) = names.iter().position(|known| known.as_str() == name) else {
            let known: Vec<String> = names.iter().map(ToString::to_string).collect();
            problems.push(unknown_service(&entry.name, entry.span, &known));
            continue;
        };
        if job.is_some() {
            check_task_condition(entry, problems);
        }
        let usual = if job.is_some() { Condition::Completed } else { Condition::Ready };
        let condition = entry.condition.map_or(usual, |word| word.0);
        if !out.iter().any(|known| known.service == service) {
            out.push(Dependency { service, condition, restart: entry.restart });
        }
    }
    out
}

fn environment(raw: &RawService, context: &Context<'_>, problems: &mut Problems) -> Environment {
    let mut files = Vec::new();
    for entry in raw.env_file.as_ref().map(|files| files.0.as_slice()).unwrap_or_default() {
        files.extend(env_file(entry, &context.unit.dir, context, problems));
    }
    Environment {
        dotenv: context.unit.dotenv.clone(),
        files,
        shared: context.shared.clone(),
        own: raw.environment.as_ref().map(|own| env_values(&own.value)).unwrap_or_default(),
    }
}

fn env_file(
    entry: &At<OrBrief<EnvFile>>,
    dir: &Path,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let EnvFile { path, required } = &entry.value.0;
    let Some(path) = path else {
        problems.push(Problem::error("missing_key", "an env_file needs a `path`").at(entry.span));
        return Vec::new();
    };
    let required = required.unwrap_or(true);
    let variables = read_env_file(&dir.join(path), required, Some(entry.span), context.shell, context.files, problems);
    variables.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
}

fn setup(raw: &[At<OrBrief<SetupRecord>>], problems: &mut Problems) -> Vec<SetupStep> {
    let mut steps = Vec::new();
    for At { value: OrBrief(step), span } in raw {
        let Some(command) = &step.command else {
            problems.push(Problem::error("missing_key", "a setup step needs a `command`").at(*span));
            continue;
        };
        let inputs = step.inputs.as_ref().map_or(Inputs::LockFiles, |globs| Inputs::Globs(globs.0.clone()));
        steps.push(SetupStep { command: lower_command(command), inputs });
    }
    steps
}

fn restart(raw: Option<&OrBrief<RestartRecord>>) -> Restart {
    let default = Restart::default();
    let Some(OrBrief(raw)) = raw else { return default };
    let backoff = raw.backoff.clone().unwrap_or_default();
    let base = backoff.base.unwrap_or(default.backoff.base);
    Restart {
        policy: raw.policy.map_or(default.policy, |word| word.policy),
        max: raw.max.or(raw.policy.and_then(|word| word.max)),
        backoff: BackoffSpec {
            base,
            max: backoff.max.unwrap_or(default.backoff.max).max(base),
            jitter: backoff.jitter.map_or(default.backoff.jitter, |word| word.0),
        },
        reset: raw.reset.unwrap_or(default.reset),
    }
}

/// Smaller segments would be turned over with every burst.
const SMALLEST_SEGMENT: Size = Size(64 << 10);

fn logs(raw: Option<&Logs>, problems: &mut Problems) -> LogKeeping {
    let default = LogKeeping::default();
    let Some(raw) = raw else { return default };
    if let Some(size) = raw.max_size.as_ref().filter(|size| size.value < SMALLEST_SEGMENT) {
        let message = format!("`max_size` is at least {SMALLEST_SEGMENT}");
        problems.push(Problem::error("too_small", message).at(size.span));
    }
    LogKeeping {
        max_size: raw.max_size.as_ref().map_or(default.max_size, |size| size.value),
        max_files: raw.max_files.unwrap_or(default.max_files),
    }
}

/// Checks that need all services: addresses and conditions.
pub fn check_together(services: &IndexMap<ServiceName, Service>, problems: &mut Problems) {
    for service in services.values() {
        for reference in references_of(service) {
            check_reference(service, reference, services, problems);
        }
        for dependency in &service.depends_on {
            check_condition(service, dependency, services, problems);
        }
    }
}

/// Every address that a service asks for.
fn references_of(service: &Service) -> impl Iterator<Item = &Reference> {
    let environment = &service.environment;
    let values = environment.shared.values().chain(environment.own.values()).filter_map(|value| match value {
        Value::Is(template) => Some(template),
        Value::FromShell => None,
    });
    let setup = service.setup.iter().flat_map(|step| step.command.templates());
    let probes = service.probe_commands().flat_map(Command::templates);
    let command = service.commands().flat_map(Command::templates);
    let watch = service.watch.iter().flat_map(|watch| match &watch.reaction {
        Reaction::Run(command) => command.templates(),
        _ => &[],
    });
    let templates: Vec<&Template> = values.chain(command).chain(setup).chain(probes).chain(watch).collect();
    templates.into_iter().flat_map(Template::references)
}

fn check_reference(
    service: &Service,
    reference: &Reference,
    services: &IndexMap<ServiceName, Service>,
    problems: &mut Problems,
) {
    let written = Template(vec![crate::model::Piece::Address(reference.clone())]).written();
    let span = declared_span(service, problems).map(|span| problems.sources.find_after(span, &written));
    let known: Vec<String> = services.keys().map(ToString::to_string).collect();
    let Some(target) = services.get(&reference.service) else {
        if let Some(span) = span {
            problems.push(unknown_service(reference.service.as_str(), span, &known));
        }
        return;
    };
    let mut problem = match &reference.port {
        _ if target.ports.is_empty() => {
            Problem::error("no_ports", format!("`{written}`: the service `{}` has no ports", target.name))
                .hint("declare them under its `ports`")
        }
        Some(port) if !target.ports.iter().any(|known| known.name == *port) => {
            let at = span.unwrap_or(Span { source: 0, start: 0, end: 0 });
            unknown_port(port, &target.ports, at)
        }
        _ => return,
    };
    problem.at = span;
    problems.push(problem);
}

fn check_condition(
    service: &Service,
    dependency: &Dependency,
    services: &IndexMap<ServiceName, Service>,
    problems: &mut Problems,
) {
    let target = &services[dependency.service];
    if target.external().is_some() && matches!(dependency.condition, Condition::Completed | Condition::LogReady) {
        let message = format!(
            "`{}` waits until `{}` is {}, but that lives elsewhere",
            service.name,
            target.name,
            dependency.condition.word()
        );
        let mut problem =
            Problem::error("external_process", message).hint("it can only be waited for as `service_healthy`");
        problem.at = declared_span(service, problems);
        problems.push(problem);
        return;
    }
    if dependency.condition == Condition::LogReady && !matches!(target.readiness, Readiness::Log(_)) {
        let message = format!("`{}` waits for a log line of `{}`, which declares none", service.name, target.name);
        let mut problem = Problem::error("no_log_readiness", message)
            .hint(format!("add `readiness: {{ log: … }}` to `{}`", target.name));
        problem.at = declared_span(service, problems);
        problems.push(problem);
    }
}

/// The place of a service's declaration.
pub fn declared_span(service: &Service, problems: &Problems) -> Option<Span> {
    let (path, line) = &service.declared;
    problems.sources.find_line(path, *line)
}
