//! One service as it is written.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::manifest::node::{Node, Value};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::read::{Any, At, Brief, Definitions, Dict, OneOrMany, OrBrief, Read, record, text_of, wrong_type};
use crate::manifest::source::Span;
use crate::model::{HostName, RestartPolicy, Size, Template, User};

use super::container::{Build, Deploy, HealthCheck, Pairs, PullWord, Ulimit, Volumes};
use super::replicas::Replicas;
use super::words::{BalanceWord, StrategyWord};
use super::{
    Backoff, ConditionWord, EgressWord, Env, ExternalUrl, Listen, NetworkWord, Policy, Ports, Probe, PublishSpec,
    ScheduleRecord, SignalWord, TemplateUse, Watch,
};

record! {
    /// A thing that runs.
    RawService is "a service" {
        /// What to run: a string goes through the shell, a list is the program and its arguments.
        command: At<CommandSpec>,
        /// The folder to run in, relative to the manifest.
        working_dir: At<String>,
        /// Commands that prepare the folder, run again only when their inputs changed.
        setup: OneOrMany<At<OrBrief<SetupRecord>>>,
        /// Production's ports by name; the protocol is told from the name.
        ports: Ports,
        /// The port on which the program insists, where it does not take `PORT`.
        listen: At<Listen>,
        /// What must be there first: names, or {NAME: {condition}}.
        depends_on: At<DependsOn>,
        /// Its variables; `${users.url}` and friends are addresses of services.
        environment: At<Env>,
        /// Files with variables.
        env_file: OneOrMany<At<OrBrief<EnvFile>>>,
        /// When it counts as ready.
        readiness: At<OrBrief<Probe>>,
        /// When it has started: it is not asked for the other two before, and is ended where it takes too long.
        startup: At<OrBrief<Probe>>,
        /// Whether it lives: one that does not is ended, and `restart` says what follows.
        liveness: At<OrBrief<Probe>>,
        /// What happens when it ends: `no`, `on-failure`, `always`, or {policy, max, backoff}.
        restart: At<OrBrief<RestartRecord>>,
        /// The signal that stops it.
        stop_signal: At<SignalWord>,
        /// How long it may take to stop.
        stop_grace_period: At<Duration>,
        /// A command that stops it.
        [later] stop_command: CommandSpec,
        /// Started only with one of these profiles, or by name.
        profiles: OneOrMany<String>,
        /// Started by its first request.
        lazy: At<bool>,
        /// How much of its output is kept.
        logs: At<Logs>,
        /// Files whose change restarts it: paths and globs, or {paths, action, ignore}.
        watch: OneOrMany<At<OrBrief<Watch>>>,
        /// Several variants of it, by name.
        versions: Dict<RawService>,
        /// Instances at once.
        replicas: At<OrBrief<Replicas>>,
        /// How an instance is replaced: `rolling`, with a new one beside the old until it is ready, or `recreate`.
        strategy: At<StrategyWord>,
        /// What the proxy does for calls to it.
        [later] policy: Policy,
        /// How an endpoint is chosen.
        [later] balance: BalanceWord,
        /// A backing service from a template.
        template: At<OrBrief<TemplateUse>>,
        /// Owns data: there are never two of it.
        stateful: At<bool>,
        /// Part of snapshots; what is `stateful` is unless this says no.
        snapshot: At<bool>,
        /// Stopped when nobody asked it for this long.
        idle_timeout: At<Duration>,
        /// Replaced at this age, unless it is stateful.
        max_age: At<Duration>,
        /// Where it lives, if that is elsewhere: `https://api.example.com`, `tcp://HOST:PORT`.
        external: At<ExternalUrl>,
        /// Other names in the workspace.
        aliases: OneOrMany<At<String>>,
        /// Production's full host names of it; `*.` before one stands for all names below.
        hostnames: OneOrMany<At<HostName>>,
        /// Ports of the host's loopback that lead to it: `9229`, or HOST:PORT.
        publish: OneOrMany<At<PublishSpec>>,
        /// Whether it may call the outside.
        egress: At<EgressWord>,
        /// How it sees the network, where that differs from the workspace.
        network: At<NetworkWord>,
        /// When it runs, to its end, as cron writes it: `*/5 * * * *`, or {cron, timezone}.
        schedule: At<OrBrief<ScheduleRecord>>,
        /// The account that runs it: a name or a number, and after a `:` a group.
        user: At<User>,
        /// Words for selecting it.
        labels: At<Pairs>,
        /// Where its own metrics are.
        [later] metrics: Any,
        /// Whether it gets a terminal of its own, for `nagaya attach`.
        tty: At<bool>,
        /// A container image.
        image: At<String>,
        /// How its image is built.
        build: At<OrBrief<Build>>,
        /// Folders and volumes of the container.
        volumes: Volumes,
        /// The container's entry point.
        entrypoint: At<CommandSpec>,
        /// Compose's probe.
        healthcheck: At<HealthCheck>,
        /// The container's name.
        container_name: At<String>,
        /// The container's host name.
        hostname: String,
        /// Compose's networks.
        [later] networks: Any,
        /// Compose's network mode.
        [later] network_mode: String,
        /// Ports that only other containers see.
        [later] expose: Any,
        /// Replicas and resources, as Compose writes them.
        deploy: At<Deploy>,
        /// Linux capabilities to add.
        cap_add: OneOrMany<String>,
        /// Linux capabilities to drop.
        cap_drop: OneOrMany<String>,
        /// All capabilities.
        privileged: bool,
        /// Files in memory.
        tmpfs: OneOrMany<At<String>>,
        /// A read-only root.
        read_only: bool,
        /// Hosts file entries.
        extra_hosts: At<Pairs>,
        /// A small init in the container.
        init: bool,
        /// Limits of the process.
        ulimits: Dict<OrBrief<Ulimit>>,
        /// Kernel settings of the container.
        sysctls: At<Pairs>,
        /// Security options of the container.
        security_opt: OneOrMany<String>,
        /// Secrets of the container.
        [later] secrets: Any,
        /// Configuration files of the container.
        [later] configs: Any,
        /// The platform of the image.
        platform: String,
        /// When the image is pulled.
        pull_policy: PullWord,
        /// Compose's log driver.
        [later] logging: Any,
        /// Whether its standard input stays open, for `nagaya attach`.
        stdin_open: At<bool>,
        /// A memory limit.
        mem_limit: Size,
        /// Processors, in parts too: `0.5`.
        cpus: f64,
        /// How many processes there may be.
        pids_limit: u32,
        /// Shared memory of the container.
        shm_size: Size,
        /// DNS servers of the container.
        dns: OneOrMany<String>,
        /// Compose's file watching.
        [later] develop: Any,
    }
}

/// A command: a string for the shell or a list of words.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandSpec {
    Shell(Template),
    Argv(Vec<Template>),
}

impl Read for CommandSpec {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let command = match &node.value {
            Value::Scalar(_) => Self::Shell(Template::read(node, problems)?),
            Value::Seq(_) => Self::Argv(Vec::read(node, problems)?),
            _ => {
                wrong_type("a command (a string or a list of words)", node, problems);
                return None;
            }
        };
        let blank = match &command {
            Self::Shell(line) => line.as_text().is_some_and(|text| text.trim().is_empty()),
            Self::Argv(words) => words.first().is_none_or(|word| word.as_text() == Some("")),
        };
        if blank {
            problems.push(Problem::error("empty_command", "the command is empty").at(node.span));
            return None;
        }
        Some(command)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": ["string", "number"] }, "minItems": 1 }] })
    }
}

record! {
    /// A setup step.
    SetupRecord is "a setup step" {
        /// What to run.
        command: CommandSpec,
        /// Globs; the step runs again when what they match changed. The usual lock files where not given.
        inputs: OneOrMany<String>,
    }
}

impl Brief for SetupRecord {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        CommandSpec::read(node, problems).map(|command| Self { command: Some(command), inputs: None })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        CommandSpec::schema(definitions)
    }
}

/// `depends_on`: names, or a mapping from name to condition.
#[derive(Debug, Clone, Default)]
pub struct DependsOn(pub Vec<DependsOnEntry>);

/// One dependency.
#[derive(Debug, Clone)]
pub struct DependsOnEntry {
    pub name: String,
    pub span: Span,
    pub condition: Option<ConditionWord>,
    pub restart: bool,
}

record! {
    /// A dependency, long form.
    DependencyRecord is "a dependency" {
        /// What to wait for.
        condition: ConditionWord,
        /// Whether it may be missing.
        [later] required: bool,
        /// Whether a restart of it that was asked for restarts the dependent too, once it is there again.
        restart: bool,
    }
}

impl Read for DependsOn {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let names = OneOrMany::<At<String>>::read(node, problems)?;
            let entry = |name: At<String>| DependsOnEntry {
                name: name.value,
                span: name.span,
                condition: None,
                restart: false,
            };
            return Some(Self(names.0.into_iter().map(entry).collect()));
        };
        let entries = entries.iter().filter_map(|(key, node)| {
            let (condition, restart) = match &node.value {
                Value::Scalar(_) => (Some(ConditionWord::read(node, problems)?), false),
                _ => {
                    let record = DependencyRecord::read(node, problems)?;
                    (record.condition, record.restart.unwrap_or(false))
                }
            };
            Some(DependsOnEntry { name: key.text.clone(), span: key.span, condition, restart })
        });
        Some(Self(entries.collect()))
    }

    fn schema(definitions: &mut Definitions) -> Json {
        let one = json!({ "anyOf": [ConditionWord::schema(definitions), DependencyRecord::schema(definitions)] });
        json!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } },
            { "type": "object", "additionalProperties": one },
        ] })
    }
}

record! {
    /// A file with variables.
    EnvFile is "an env_file" {
        /// The file.
        path: String,
        /// Whether its absence is an error; it is.
        required: bool,
    }
}

impl Brief for EnvFile {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        String::read(node, problems).map(|path| Self { path: Some(path), required: None })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}

record! {
    /// A restart policy.
    RestartRecord is "a restart policy" {
        /// `no`, `on-failure`, `always` or `unless-stopped`.
        policy: RestartWord,
        /// Restarts in a row before it is given up.
        max: u32,
        /// The delay before a restart.
        backoff: Backoff,
        /// Having been up this long ends a row; 10s.
        reset: Duration,
    }
}

impl Brief for RestartRecord {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        RestartWord::read(node, problems).map(|policy| Self { policy: Some(policy), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        RestartWord::schema(definitions)
    }
}

/// A policy's word, with Compose's count: `on-failure:5`.
#[derive(Debug, Clone, Copy)]
pub struct RestartWord {
    pub policy: RestartPolicy,
    pub max: Option<u32>,
}

const POLICIES: [(&str, RestartPolicy); 5] = [
    ("no", RestartPolicy::No),
    ("false", RestartPolicy::No),
    ("on-failure", RestartPolicy::OnFailure),
    ("always", RestartPolicy::Always),
    ("unless-stopped", RestartPolicy::Always),
];

impl Read for RestartWord {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let expected = "`no`, `on-failure`, `always` or `unless-stopped`";
        let text = text_of(node, expected, problems)?;
        let (word, count) = match text.split_once(':') {
            Some((word, count)) => (word, Some(count.parse::<u32>())),
            None => (text, None),
        };
        let policy = POLICIES.iter().find_map(|(known, policy)| (*known == word).then_some(*policy));
        match (policy, count.transpose()) {
            (Some(policy), Ok(max)) => Some(Self { policy, max }),
            _ => {
                wrong_type(expected, node, problems);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "boolean"], "examples": ["no", "on-failure", "always"] })
    }
}

record! {
    /// How much of a service's output is kept.
    Logs is "logs" {
        /// A new segment is begun at this size; 10MiB.
        max_size: At<Size>,
        /// Full segments that stay; 5.
        max_files: u32,
    }
}
