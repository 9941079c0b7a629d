//! The manifest as it is written: every key of it, loose, with places.
//!
//! Keys marked `later` are read for their shape and refused as not built; building one means taking the mark away
//! and lowering the value (`lower`).

mod container;
mod identifier;
mod network;
mod policy;
mod ports;
mod probe;
mod replicas;
mod route;
mod schedule;
mod service;
mod task;
mod template;
mod watch;
mod words;

use indexmap::IndexMap;

use crate::model::{Size, Template};

use super::node::{Node, Value};
use super::problem::{Problem, Problems};
use super::read::{Any, At, Brief, Definitions, Dict, Entry, OneOrMany, OrBrief, Read, record, wrong_type};
use super::source::Span;

pub use container::{Build, BuildSecret, HealthCheck, NamedVolumes, Pairs, Secrets, Volume, VolumeWord};
pub use identifier::IdentifierRecord;
pub use network::{ExternalUrl, PublishSpec, bad_url};
pub use policy::{Backoff, Policy};
pub use ports::{Listen, PortSpec, Ports};
pub use probe::{ExecCheck, GrpcCheck, HttpCheck, PortRef, Probe, TcpCheck};
pub use replicas::Replicas;
pub use route::{MatchRecord, PathRecord, RouteRecord, RouteSpec, TextRecord, Texts};
pub use schedule::ScheduleRecord;
pub use service::{CommandSpec, DependsOn, DependsOnEntry, EnvFile, Logs, RawService, RestartRecord, SetupRecord};
pub use task::RawTask;
pub use template::TemplateUse;
pub use watch::Watch;
pub use words::{Action, ConditionWord, EgressWord, NamedBy, NetworkWord, RunsOn, SignalWord};

record! {
    /// A workspace: the services that are booted together.
    RawWorkspace is "a manifest" {
        /// The workspace's name, a DNS label; the folder's name where it is not given.
        name: At<String>,
        /// Other manifests whose services join; paths inside stay relative to their own file.
        include: OneOrMany<At<OrBrief<Include>>>,
        /// Variables for every service.
        environment: Env,
        /// What runs, by name.
        services: Dict<RawService>,
        /// A dtab that is appended to the built-in one; or a list, of such and of routes for some requests alone.
        routes: OneOrMany<At<RouteSpec>>,
        /// What names requests for the routes, in turn; by the service that is called where nothing does.
        identifier: OneOrMany<At<OrBrief<IdentifierRecord>>>,
        /// Commands that end, by name.
        tasks: Dict<OrBrief<RawTask>>,
        /// Production's own files, for `parity`.
        [later] production: Production,
        /// How host processes see the network: `auto`, `pod`, `names` or `env`.
        network: At<NetworkWord>,
        /// The Kubernetes namespace, for `users.NAMESPACE.svc`; `default`.
        namespace: At<String>,
        /// Refuse calls to services that were not declared as dependencies.
        strict: At<bool>,
        /// Memory for the whole workspace: above it lazy services are stopped, those first that nobody called for longest.
        budget: At<Size>,
        /// Places where services run that are not booted here.
        /// Places where services run that are not run here: a URL for each service, and under `*` one for all, with
        /// `{name}` for a service's.
        remotes: Dict<Dict<At<String>>>,
        /// Folders with templates of one's own, `NAME.yaml` each; they come before nagaya's.
        templates: OneOrMany<At<String>>,
        /// Named groups of services, switched on with `--profile`.
        profiles: Dict<OneOrMany<At<String>>>,
        /// Volumes of containers, by name: data that outlives them.
        volumes: NamedVolumes,
        /// Secrets for builds, by name.
        secrets: Secrets,
        /// Where traces and metrics go.
        [later] telemetry: Any,
        /// Values for `${NAME}`, weaker than the shell and `.env`.
        vars: Dict<String>,
    }
}

record! {
    /// An included manifest.
    Include is "an include" {
        /// The manifest.
        path: String,
        /// The file that takes the place of `.env` beside it.
        env_file: String,
    }
}

impl Brief for Include {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        String::read(node, problems).map(|path| Self { path: Some(path), env_file: None })
    }

    fn brief_schema(definitions: &mut Definitions) -> serde_json::Value {
        String::schema(definitions)
    }
}

/// Variables: a mapping, or Compose's list of `KEY=VALUE`.
#[derive(Debug, Clone, Default)]
pub struct Env(pub IndexMap<String, Entry<Option<Template>>>);

impl Read for Env {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::default()),
            Value::Map(entries) => Some(Self::from_entries(entries.iter().filter_map(|(key, node)| {
                let value = match &node.value {
                    Value::Null => None,
                    _ => Some(Template::read(node, problems)?),
                };
                Some((key.text.clone(), key.span, value))
            }))),
            Value::Seq(items) => Some(Self::from_entries(items.iter().filter_map(|item| {
                let template = Template::read(item, problems)?;
                let (key, value) = split_assignment(template);
                Some((key, item.span, value))
            }))),
            Value::Scalar(_) => {
                wrong_type("variables (a mapping or a list of `KEY=VALUE`)", node, problems);
                None
            }
        }
        .map(|env| env.checked(problems))
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        serde_json::json!({ "anyOf": [
            { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } },
            { "type": "array", "items": { "type": "string" } },
        ] })
    }
}

impl Env {
    fn from_entries(entries: impl Iterator<Item = (String, Span, Option<Template>)>) -> Self {
        Self(entries.map(|(key, span, value)| (key, Entry { key: span, value })).collect())
    }

    fn checked(mut self, problems: &mut Problems) -> Self {
        self.0.retain(|key, entry| {
            let good = !key.is_empty() && !key.contains(['=', '\0']);
            if !good {
                let message = format!("`{key}` cannot be the name of a variable");
                problems.push(Problem::error("bad_variable", message).at(entry.key));
            }
            good
        });
        self
    }
}

/// `KEY=rest` into its halves; the `=` always stands in the first piece, as keys hold no references.
fn split_assignment(template: Template) -> (String, Option<Template>) {
    use crate::model::Piece;
    let mut pieces = template.0;
    let Some(Piece::Text(first)) = pieces.first_mut() else { return (String::new(), None) };
    let Some((key, value)) = first.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())) else {
        return (first.clone(), None);
    };
    *first = value;
    (key, Some(Template(pieces)))
}

record! {
    /// Production's own files.
    Production is "production" {
        /// Kubernetes manifests (globs).
        kubernetes: OneOrMany<String>,
        /// Compose files (globs).
        compose: OneOrMany<String>,
        /// The mesh whose defaults hold where nothing is written.
        mesh: words::MeshWord,
    }
}
