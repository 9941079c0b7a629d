//! What is said of a container, in Compose's words.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::manifest::node::{Node, Value};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::read::{
    Any, At, Brief, Definitions, Dict, OneOrMany, OrBrief, Read, read_word, record, text_of, wrong_type,
};
use crate::manifest::source::Span;
use crate::model::{Pull, Size};

use super::CommandSpec;

record! {
    /// How an image is built.
    Build is "a build" {
        /// The folder whose files the build sees; that of the manifest.
        context: At<String>,
        /// The Dockerfile, relative to the context; `Dockerfile`.
        dockerfile: String,
        /// The Dockerfile itself.
        dockerfile_inline: String,
        /// Build arguments.
        args: At<Pairs>,
        /// The stage to build.
        target: String,
        /// Labels of the image.
        labels: At<Pairs>,
        /// Build every layer anew.
        no_cache: bool,
        /// Look for newer images to build on.
        pull: bool,
        /// Names for the image besides.
        tags: OneOrMany<String>,
        /// Images whose layers are used.
        cache_from: OneOrMany<String>,
        /// Where layers go.
        [later] cache_to: OneOrMany<String>,
        /// Secrets of the build (BuildKit).
        secrets: OneOrMany<At<OrBrief<BuildSecret>>>,
        /// Keys of the build (BuildKit).
        [later] ssh: Any,
        /// Further folders (BuildKit).
        [later] additional_contexts: Any,
        /// Platforms of the image.
        [later] platforms: OneOrMany<String>,
        /// Shared memory of the build.
        [later] shm_size: Size,
        /// The network of the build's commands: `none`, `host`, or the engine's own.
        network: String,
        /// Hosts file entries of the build.
        [later] extra_hosts: Any,
    }
}

impl Brief for Build {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|context| Self { context: Some(context), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}

record! {
    /// A secret of a build, long form.
    BuildSecret is "a secret of a build" {
        /// Its name at the top of the manifest.
        source: At<String>,
        /// Its name in the Dockerfile; the same where it is not given.
        target: String,
        /// Nothing here: the Dockerfile says it.
        uid: String,
        /// Likewise.
        gid: String,
        /// Likewise.
        mode: Any,
    }
}

impl Brief for BuildSecret {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|source| Self { source: Some(source), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}

record! {
    /// A secret.
    Secret is "a secret" {
        /// The file with it.
        file: At<String>,
        /// The variable of the shell with it.
        environment: String,
        /// Its name where it is kept.
        [later] name: String,
        /// Somebody else keeps it.
        [later] external: Any,
    }
}

record! {
    /// A folder or volume of a container, long form.
    Volume is "a volume" {
        /// `bind`, `volume` or `tmpfs`.
        r#type: VolumeWord,
        /// A path of this machine, or the name of a volume.
        source: At<String>,
        /// The path in the container.
        target: At<String>,
        /// It can only be read.
        read_only: bool,
        /// Options of a bind; what is not there is made, as always.
        bind: Any,
        /// Options of a volume.
        volume: Any,
        /// Options of memory.
        tmpfs: Tmpfs,
        /// Nothing on Linux.
        consistency: String,
    }
}

record! {
    /// Options of a folder in memory.
    Tmpfs is "tmpfs" {
        /// How much may be in it.
        size: Size,
        /// Its mode, in octal.
        mode: String,
    }
}

/// What a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeWord {
    Bind,
    Volume,
    Tmpfs,
}

const VOLUMES: [(&str, VolumeWord); 3] =
    [("bind", VolumeWord::Bind), ("volume", VolumeWord::Volume), ("tmpfs", VolumeWord::Tmpfs)];

impl Read for VolumeWord {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        read_word(node, &VOLUMES, problems)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "enum": VOLUMES.map(|(word, _)| word) })
    }
}

/// `SOURCE:TARGET[:MODE]`, or a target alone. A source that begins with `.`, `/` or `~` is a path of this machine.
impl Brief for Volume {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a volume such as `./data:/data`", problems)?;
        let at = |text: &str| At { value: text.to_owned(), span: node.span };
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, mode) = match parts.as_slice() {
            [target] => (None, *target, ""),
            [source, target] => (Some(*source), *target, ""),
            [source, target, mode] => (Some(*source), *target, *mode),
            _ => {
                problems.push(
                    Problem::error("bad_volume", format!("`{text}` is no volume"))
                        .at(node.span)
                        .hint("write `SOURCE:TARGET`, with `:ro` behind for one that can only be read"),
                );
                return None;
            }
        };
        // `z` and `Z` are of SELinux, the others say how a bind is cached elsewhere: nothing follows from them here.
        let known = ["", "rw", "ro", "z", "Z", "cached", "delegated", "consistent", "nocopy"];
        if let Some(strange) = mode.split(',').find(|word| !known.contains(word)) {
            let problem = Problem::error("bad_volume", format!("`{strange}` is no mode of a volume")).at(node.span);
            problems.push(problem.hint("`ro` and `rw` are"));
        }
        let is_path = source.is_some_and(|source| source.starts_with(['.', '/', '~']));
        Some(Self {
            r#type: Some(if is_path { VolumeWord::Bind } else { VolumeWord::Volume }),
            source: source.map(at),
            target: Some(at(target)),
            read_only: Some(mode.split(',').any(|word| word == "ro")),
            ..Self::default()
        })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}

record! {
    /// A volume of the workspace.
    NamedVolume is "a volume" {
        /// Its name in the engine, which other workspaces can have too.
        name: String,
        /// It is there already, and is never removed.
        external: bool,
        /// Who keeps it.
        [later] driver: String,
        /// What that is told.
        [later] driver_opts: Any,
        /// Its labels.
        [later] labels: Any,
    }
}

record! {
    /// Compose's health check.
    HealthCheck is "a health check" {
        /// `CMD` and words, `CMD-SHELL` and a line, a line, or `NONE`.
        test: At<CommandSpec>,
        /// Between two tries; 30s.
        interval: Duration,
        /// For one try; 30s.
        timeout: Duration,
        /// Failures in a row that make it unhealthy; 3.
        retries: u32,
        /// Failures do not count before.
        start_period: Duration,
        /// Between two tries in that time.
        start_interval: Duration,
        /// There is none, whatever the image says.
        disable: bool,
    }
}

record! {
    /// Compose's deployment, as far as it is about one machine.
    Deploy is "deploy" {
        /// Instances at once.
        replicas: At<u32>,
        /// What it may take.
        resources: Resources,
        /// For clusters.
        mode: String,
        /// For clusters.
        labels: Any,
        /// For clusters.
        placement: Any,
        /// For clusters.
        update_config: Any,
        /// For clusters.
        rollback_config: Any,
        /// For clusters; `restart` is what counts here.
        restart_policy: Any,
        /// For clusters.
        endpoint_mode: String,
    }
}

record! {
    /// What a container may take.
    Resources is "resources" {
        /// At most.
        limits: Limits,
        /// At least; nothing is kept back on one machine.
        reservations: Any,
    }
}

record! {
    /// Limits of a container.
    Limits is "limits" {
        /// Processors: `0.5`.
        cpus: f64,
        /// Memory.
        memory: Size,
        /// Processes.
        pids: u32,
    }
}

record! {
    /// A limit of processes.
    Ulimit is "a ulimit" {
        /// What holds.
        soft: At<i64>,
        /// Up to which it may be raised.
        hard: At<i64>,
    }
}

impl Brief for Ulimit {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        let both = At::<i64>::read(node, problems)?;
        Some(Self { soft: Some(both.clone()), hard: Some(both) })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        i64::schema(definitions)
    }
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy)]
pub struct PullWord(pub Pull);

const PULLS: [(&str, Pull); 5] = [
    ("always", Pull::Always),
    ("missing", Pull::Missing),
    ("if_not_present", Pull::Missing),
    ("never", Pull::Never),
    ("build", Pull::Build),
];

impl Read for PullWord {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        read_word(node, &PULLS, problems).map(Self)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "enum": PULLS.map(|(word, _)| word) })
    }
}

/// Keys with values: a mapping, or a list of `KEY=VALUE` (of hosts `NAME:ADDRESS` too).
#[derive(Debug, Clone, Default)]
pub struct Pairs(pub Vec<(String, Option<String>, Span)>);

impl Read for Pairs {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::default()),
            Value::Map(entries) => {
                let pairs = entries.iter().filter_map(|(key, node)| {
                    let value = match &node.value {
                        Value::Null => None,
                        _ => Some(text_of(node, "a text", problems)?.to_owned()),
                    };
                    Some((key.text.clone(), value, key.span))
                });
                Some(Self(pairs.collect()))
            }
            Value::Seq(items) => {
                let pairs = items.iter().filter_map(|item| {
                    let text = text_of(item, "`KEY=VALUE`", problems)?;
                    let (key, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
                        Some((key, value)) => (key, Some(value.to_owned())),
                        None => (text, None),
                    };
                    Some((key.to_owned(), value, item.span))
                });
                Some(Self(pairs.collect()))
            }
            Value::Scalar(_) => {
                wrong_type("a mapping or a list of `KEY=VALUE`", node, problems);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "anyOf": [
            { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } },
            { "type": "array", "items": { "type": "string" } },
        ] })
    }
}

/// The volumes of the workspace, by name.
pub type NamedVolumes = Dict<NamedVolume>;
/// The secrets of the workspace, by name.
pub type Secrets = Dict<Secret>;
/// Compose's volumes of a service.
pub type Volumes = OneOrMany<At<OrBrief<Volume>>>;
