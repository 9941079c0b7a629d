//! A service that lives elsewhere: what it may have, and what contradicts it.

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{ExternalUrl, RawService};
use crate::manifest::read::At;
use crate::manifest::source::Span;
use crate::model::{Port, Run, Service, ServiceName};

use super::network::{aliases, hostnames, publish};
use super::service::{Context, declared_at, ports};

/// Lowers a service that is only called; `None` where its URL is bad. Without `ports` it has the one of the URL.
pub fn lower(
    name: &ServiceName,
    raw: &RawService,
    url: &At<ExternalUrl>,
    key: Span,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Service> {
    contradictions(name, raw, url.span, problems);
    let external = url.value.0.as_ref()?;
    let declared = ports(raw.ports.as_ref());
    let ports: Vec<Port> = if declared.is_empty() { vec![external.port()] } else { declared };
    let listen = vec![None; ports.len()];
    let (run, folder) = (Run::External(external.clone()), context.unit.dir.clone());
    Some(Service {
        aliases: aliases(raw, problems),
        hostnames: hostnames(raw, problems),
        publish: publish(raw, &ports, &listen, problems),
        ports,
        listen,
        profiles: raw.profiles.clone().unwrap_or_default().0,
        ..Service::plain(name.clone(), run, folder, declared_at(key, problems))
    })
}

/// What is written about a process that there is not.
fn contradictions(name: &ServiceName, raw: &RawService, external: Span, problems: &mut Problems) {
    for (key, span) in of_a_process(raw) {
        let message = format!("`{name}` lives elsewhere, so there is no process to which `{key}` could apply");
        let problem = Problem::error("external_process", message).at(span).related(external, "it lives here");
        problems.push(problem.hint(format!("remove `{key}`, or remove `external` to run it here")));
    }
}

/// The keys that are about a process, and where their values stand.
fn of_a_process(raw: &RawService) -> impl Iterator<Item = (&'static str, Span)> {
    let first = |spans: Option<&Span>| spans.copied();
    let setup: Vec<Span> = raw.setup.iter().flat_map(|steps| &steps.0).map(|step| step.span).collect();
    let files: Vec<Span> = raw.env_file.iter().flat_map(|files| &files.0).map(|file| file.span).collect();
    let watch: Vec<Span> = raw.watch.iter().flat_map(|watches| &watches.0).map(|watch| watch.span).collect();
    let keys = [
        ("command", span(raw.command.as_ref())),
        ("image", span(raw.image.as_ref())),
        ("build", span(raw.build.as_ref())),
        ("working_dir", span(raw.working_dir.as_ref())),
        ("setup", first(setup.first())),
        ("listen", span(raw.listen.as_ref())),
        ("depends_on", span(raw.depends_on.as_ref())),
        ("environment", span(raw.environment.as_ref())),
        ("env_file", first(files.first())),
        ("readiness", span(raw.readiness.as_ref())),
        ("startup", span(raw.startup.as_ref())),
        ("liveness", span(raw.liveness.as_ref())),
        ("restart", span(raw.restart.as_ref())),
        ("schedule", span(raw.schedule.as_ref())),
        ("stop_signal", span(raw.stop_signal.as_ref())),
        ("stop_grace_period", span(raw.stop_grace_period.as_ref())),
        ("lazy", span(raw.lazy.as_ref())),
        ("replicas", span(raw.replicas.as_ref())),
        ("stateful", span(raw.stateful.as_ref())),
        ("snapshot", span(raw.snapshot.as_ref())),
        ("idle_timeout", span(raw.idle_timeout.as_ref())),
        ("max_age", span(raw.max_age.as_ref())),
        ("strategy", span(raw.strategy.as_ref())),
        ("logs", span(raw.logs.as_ref())),
        ("egress", span(raw.egress.as_ref())),
        ("network", span(raw.network.as_ref())),
        ("watch", first(watch.first())),
        ("user", span(raw.user.as_ref())),
    ];
    keys.into_iter().filter_map(|(key, span)| Some((key, span?)))
}

fn span<T>(value: Option<&At<T>>) -> Option<Span> {
    value.map(|value| value.span)
}
