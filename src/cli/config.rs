//! `nagaya config`: the manifest as it is understood.

use std::process::ExitCode;

use serde_json::{Value as Json, json};

use super::args::Global;
use super::check::problem_json;
use super::error::Error;
use super::locate;
use super::output::Output;
use crate::effects::environment;
use crate::effects::fs::Disk;
use crate::manifest::{self, print_yaml};
use crate::model::{
    Autoscale, Check, Command, Liveness, NetworkMode, Probe, Publish, Readiness, Service, ServicePort, Sign, Startup,
    Stdin, Task, Value, Workspace, show_duration,
};
use crate::plan::{Reference, references};

/// Prints it as YAML, or as JSON with its problems.
pub fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let request = locate::manifest(global)?;
    let (workspace, problems) = manifest::load(&request, &environment::shell(), &Disk);
    let Some(workspace) = workspace else { return Err(output.manifest_error(&problems)) };
    let mut value = workspace_json(&workspace);
    if output.json {
        value["problems"] = problems.list.iter().map(|it| problem_json(it, &problems)).collect();
        output.json(&value);
    } else {
        output.warnings(&problems);
        output.line(print_yaml(&value).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn workspace_json(workspace: &Workspace) -> Json {
    let references = references(workspace);
    let services: serde_json::Map<String, Json> = workspace
        .services
        .values()
        .enumerate()
        .filter(|(_, service)| !service.task)
        .map(|(place, service)| (service.name.to_string(), service_json(place, service, &references, workspace)))
        .collect();
    json!({
        "name": workspace.name,
        "network": network(workspace.network),
        "namespace": workspace.namespace,
        "strict": workspace.strict,
        "budget": workspace.budget.map(|budget| budget.to_string()),
        "routes": workspace.routes.to_string(),
        "rules": workspace.rules.iter().map(|rule| json!({
            "name": *rule.entry.label, "match": rule.when.to_string(),
            "prefix": rule.entry.dentry.prefix.to_string(), "dst": rule.entry.dentry.tree.to_string(),
        })).collect::<Vec<_>>(),
        "services": services,
        "tasks": workspace.tasks.values().map(|task| (task.name.to_string(), task_json(task, workspace))).collect::<Json>(),
    })
}

fn service_json(place: usize, service: &Service, references: &[Reference], workspace: &Workspace) -> Json {
    let name = |place: usize| workspace.service(place).name.to_string();
    let own = references.iter().filter(|reference| reference.from == place);
    json!({
        "kind": service.kind(),
        "version": service.version.as_ref().map(|it| json!({ "service": it.of, "name": it.name })),
        "command": service.own_command().map(Command::written),
        "external": service.external().map(ToString::to_string),
        "image": service.container().and_then(|it| it.image.name.as_ref()),
        "build": service.container().and_then(|it| it.image.build.as_ref()).map(|it| &it.context),
        "working_dir": service.working_dir,
        "setup": service.setup.iter().map(|step| step.command.written()).collect::<Vec<_>>(),
        "environment": environment(service),
        "ports": service.ports.iter().zip(&service.listen).map(|(port, listen)| json!({
            "name": port.name, "port": port.number, "published": listen, "protocol": port.protocol.word(),
        })).collect::<Vec<_>>(),
        "aliases": service.aliases,
        "hostnames": service.hostnames,
        "publish": service.publish.iter().map(|it| publish(it, service)).collect::<Vec<_>>(),
        "network": network(service.network.or(workspace.network)),
        "egress": service.egress.word(),
        "user": service.user.as_ref().map(ToString::to_string),
        "depends_on": service.depends_on.iter().map(|it| json!({
            "service": name(it.service), "condition": it.condition.word(), "restart": it.restart,
        })).collect::<Vec<_>>(),
        "references": own.map(|it| json!({ "service": name(it.to), "via": it.via })).collect::<Vec<_>>(),
        "replicas": service.replicas,
        "autoscale": service.autoscale.map(autoscale),
        "stateful": service.stateful,
        "snapshot": service.snapshot,
        "idle_timeout": service.idle_timeout.map(show_duration),
        "max_age": service.max_age.map(show_duration),
        "healthcheck": healthcheck(service),
        "startup": service.startup.as_ref().map(startup),
        "liveness": service.liveness.as_ref().map(liveness),
        "restart": format!("{:?}", service.restart.policy).to_lowercase(),
        "schedule": service.schedule.as_ref().map(ToString::to_string),
        "stop_signal": service.stop.signal.to_string(),
        "stop_grace_period": show_duration(service.stop.grace),
        "lazy": service.lazy,
        "tty": service.stdin == Stdin::Terminal,
        "stdin_open": service.stdin != Stdin::Empty,
        "watch": service.watch.iter().map(|it| json!({
            "paths": it.paths, "ignore": it.ignore, "action": it.reaction.word(),
        })).collect::<Vec<_>>(),
        "profiles": service.profiles,
    })
}

fn autoscale(it: Autoscale) -> Json {
    json!({
        "min": it.min, "max": it.max, "in_flight": it.in_flight,
        "period": show_duration(it.period), "stabilization_window": show_duration(it.window),
    })
}

fn task_json(task: &Task, workspace: &Workspace) -> Json {
    let tasks = task.tasks.iter().map(|need| workspace.tasks[*need].name.to_string());
    let services = task.services.iter().map(|need| workspace.service(need.service).name.to_string());
    json!({
        "command": task.command.written(),
        "description": task.description,
        "working_dir": task.working_dir,
        "depends_on": tasks.chain(services).collect::<Vec<_>>(),
        "inputs": task.caching.as_ref().map(|it| &it.inputs),
        "outputs": task.caching.as_ref().map(|it| &it.outputs),
        "env": task.caching.as_ref().map(|it| &it.env),
        "tools": task.caching.as_ref().map(|it| &it.tools),
        "lock": task.lock,
    })
}

/// What the manifest and its files set; `null` takes the shell's value.
fn environment(service: &Service) -> Json {
    let layers = &service.environment;
    let mut out = serde_json::Map::new();
    out.extend(layers.files.iter().map(|(key, value)| (key.clone(), json!(value))));
    for (key, value) in layers.shared.iter().chain(&layers.own) {
        let value = match value {
            Value::Is(template) => json!(template.written()),
            Value::FromShell => Json::Null,
        };
        out.insert(key.clone(), value);
    }
    Json::Object(out)
}

fn network(mode: Option<NetworkMode>) -> &'static str {
    mode.map_or("auto", NetworkMode::word)
}

fn publish(publish: &Publish, service: &Service) -> Json {
    let port = match publish.port {
        ServicePort::Declared(place) => service.ports[place].number,
        ServicePort::Number(number) => number,
    };
    json!({ "host": publish.host, "port": port })
}

fn healthcheck(service: &Service) -> Json {
    match &service.readiness {
        Readiness::Started => json!({ "kind": "started" }),
        Readiness::Listening => json!({ "kind": "listening" }),
        Readiness::Log(pattern) => json!({ "kind": "log", "pattern": pattern }),
        Readiness::Notify => json!({ "kind": "notify" }),
        Readiness::Probe(it) => probe(it),
    }
}

fn startup(startup: &Startup) -> Json {
    let mut value = match &startup.sign {
        Sign::Probe(it) => probe(it),
        Sign::Log(pattern) => json!({ "kind": "log", "pattern": pattern }),
        Sign::Notify => json!({ "kind": "notify" }),
    };
    value["limit"] = json!(show_duration(startup.limit));
    value
}

fn liveness(liveness: &Liveness) -> Json {
    match liveness {
        Liveness::Probe(it) => probe(it),
        Liveness::Watchdog(limit) => json!({ "kind": "notify", "limit": show_duration(*limit) }),
    }
}

fn probe(Probe { check, rhythm }: &Probe) -> Json {
    let mut value = match check {
        Check::Http { path, .. } => json!({ "kind": "http", "path": path }),
        Check::Tcp { .. } => json!({ "kind": "tcp" }),
        Check::Grpc { service, .. } => json!({ "kind": "grpc", "service": service }),
        Check::Exec(command) => json!({ "kind": "exec", "command": command.written() }),
    };
    value["period"] = json!(show_duration(rhythm.period));
    value["timeout"] = json!(show_duration(rhythm.timeout));
    value["failure_threshold"] = json!(rhythm.failure_threshold);
    value["success_threshold"] = json!(rhythm.success_threshold);
    value
}
