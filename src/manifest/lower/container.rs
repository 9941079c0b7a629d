//! A service that is a container.

use std::path::{Path, PathBuf};

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{Build, HealthCheck, Pairs, RawService, Volume, VolumeWord};
use crate::manifest::read::{At, OneOrMany, OrBrief};
use crate::manifest::source::Span;
use crate::model::{
    Check, Command, Container, Egress, HEALTH_INTERVAL, Image, Limits, Mount, MountSource, Probe, Pull, Readiness,
    Rhythm, ServiceName, Settings, Template, Ulimit,
};

use super::secrets::secrets;
use super::service::{Context, lower_command};

/// Whether a service is a container; keys that are for the other kind are problems.
pub fn is_one(name: &ServiceName, raw: &mut RawService, key: Span, problems: &mut Problems) -> bool {
    check_keys(name, raw, key, problems);
    take_replicas(raw);
    has_image(raw)
}

fn has_image(raw: &RawService) -> bool {
    raw.image.is_some() || raw.build.is_some()
}

/// Compose's `deploy.replicas` is another spelling of `replicas`.
fn take_replicas(raw: &mut RawService) {
    let Some(count) = raw.deploy.as_ref().and_then(|deploy| deploy.value.replicas.clone()) else { return };
    let replicas = crate::manifest::raw::Replicas { min: Some(count.value), ..Default::default() };
    raw.replicas.get_or_insert(At { value: OrBrief(replicas), span: count.span });
}

/// Keys that mean nothing for a process, or nothing for a container.
fn check_keys(name: &ServiceName, raw: &RawService, key: Span, problems: &mut Problems) {
    if raw.external.is_some() {
        return;
    }
    let mut refuse = |key: Span, message: String, hint: &str| {
        problems.push(Problem::error("container_key", message).at(key).hint(hint));
    };
    if has_image(raw) {
        let network = raw.network.as_ref().map(|word| ("network", word.span, "it has a network of its own"));
        let setup = raw.setup.as_ref().and_then(|steps| steps.0.first());
        let setup = setup.map(|step| ("setup", step.span, "what prepares it belongs into its Dockerfile"));
        let egress = raw.egress.as_ref().filter(|word| word.value.0 == Egress::Deny);
        let egress =
            egress.map(|word| ("egress: deny", word.span, "only processes in pods can be kept from the outside"));
        for (what, span, hint) in [network, setup, egress].into_iter().flatten() {
            refuse(span, format!("`{what}` is not for containers, and {name} is one"), hint);
        }
        return;
    }
    for what in keys_of_containers(raw) {
        refuse(key, format!("`{what}` is for containers, and {name} is none"), "add `image` or `build`");
    }
}

/// The keys of a service that only containers have.
fn keys_of_containers(raw: &RawService) -> Vec<&'static str> {
    let all = [
        ("volumes", raw.volumes.is_some()),
        ("entrypoint", raw.entrypoint.is_some()),
        ("healthcheck", raw.healthcheck.is_some()),
        ("container_name", raw.container_name.is_some()),
        ("hostname", raw.hostname.is_some()),
        ("cap_add", raw.cap_add.is_some()),
        ("cap_drop", raw.cap_drop.is_some()),
        ("privileged", raw.privileged.is_some()),
        ("tmpfs", raw.tmpfs.is_some()),
        ("read_only", raw.read_only.is_some()),
        ("extra_hosts", raw.extra_hosts.is_some()),
        ("init", raw.init.is_some()),
        ("ulimits", raw.ulimits.is_some()),
        ("sysctls", raw.sysctls.is_some()),
        ("security_opt", raw.security_opt.is_some()),
        ("platform", raw.platform.is_some()),
        ("pull_policy", raw.pull_policy.is_some()),
        ("mem_limit", raw.mem_limit.is_some()),
        ("cpus", raw.cpus.is_some()),
        ("pids_limit", raw.pids_limit.is_some()),
        ("shm_size", raw.shm_size.is_some()),
        ("dns", raw.dns.is_some()),
        ("labels", raw.labels.is_some()),
        ("deploy: resources", raw.deploy.as_ref().is_some_and(|deploy| deploy.value.resources.is_some())),
    ];
    all.into_iter().filter_map(|(key, is_set)| is_set.then_some(key)).collect()
}

/// The container that is meant.
pub fn lower(raw: &RawService, context: &Context<'_>, problems: &mut Problems) -> Option<Container> {
    let image = image(raw, context, problems)?;
    let command = |spec: Option<&At<crate::manifest::raw::CommandSpec>>, problems: &mut Problems| {
        let written = spec?;
        let command = lower_command(&written.value);
        if command.words(|template| template.written()).is_none() {
            let problem = Problem::error("bad_command", "a quote in this command is not closed").at(written.span);
            problems.push(problem.hint("no shell runs it; a list of words needs no quotes"));
        }
        Some(command)
    };
    let (entrypoint, command) = (command(raw.entrypoint.as_ref(), problems), command(raw.command.as_ref(), problems));
    Some(Container { image, entrypoint, command, settings: settings(raw, context, problems) })
}

fn image(raw: &RawService, context: &Context<'_>, problems: &mut Problems) -> Option<Image> {
    let name = raw.image.as_ref();
    if let Some(empty) = name.filter(|name| name.value.trim().is_empty() || name.value.contains(char::is_whitespace)) {
        problems.push(Problem::error("bad_image", format!("`{}` is no image", empty.value)).at(empty.span));
        return None;
    }
    let build = match &raw.build {
        Some(At { value: OrBrief(written), span }) => Some(build(written, *span, context, problems)?),
        None => None,
    };
    Some(Image {
        name: name.map(|name| name.value.trim().to_owned()),
        build,
        pull: raw.pull_policy.map_or(Pull::Missing, |word| word.0),
        platform: raw.platform.clone(),
    })
}

fn build(written: &Build, span: Span, context: &Context<'_>, problems: &mut Problems) -> Option<crate::model::Build> {
    let (text, at) = written.context.as_ref().map_or((".", span), |it| (it.value.as_str(), it.span));
    if text.contains("://") || text.starts_with("git@") {
        let problem = Problem::error("remote_context", format!("`{text}` is no folder of this machine")).at(at);
        problems.push(problem.hint("clone it, and give the folder as `context`"));
        return None;
    }
    let folder = context.unit.dir.join(text);
    if !context.files.is_dir(&folder) {
        let problem = Problem::error("missing_folder", format!("the folder `{text}` does not exist")).at(at);
        let base = context.unit.dir.display();
        problems.push(problem.hint(format!("the `context` of a build is relative to {base}")));
        return None;
    }
    if written.dockerfile.is_some() && written.dockerfile_inline.is_some() {
        let message = "a build has `dockerfile` or `dockerfile_inline`, this one has both";
        problems.push(Problem::error("two_dockerfiles", message).at(span));
    }
    let folder = context.files.canonical(&folder).unwrap_or(folder);
    let pairs = |pairs: Option<&At<Pairs>>| -> Vec<(String, Option<String>)> {
        pairs.into_iter().flat_map(|it| &it.value.0).map(|(key, value, _)| (key.clone(), value.clone())).collect()
    };
    Some(crate::model::Build {
        context: folder,
        dockerfile: written.dockerfile.as_ref().map(PathBuf::from),
        inline: written.dockerfile_inline.clone(),
        args: pairs(written.args.as_ref()),
        target: written.target.clone(),
        labels: valued(written.labels.as_ref()),
        no_cache: written.no_cache.unwrap_or(false),
        pull: written.pull.unwrap_or(false),
        secrets: secrets(written, context, problems),
        cache_from: words(written.cache_from.as_ref()),
        network: written.network.clone(),
        tags: words(written.tags.as_ref()),
    })
}

fn words(list: Option<&OneOrMany<String>>) -> Vec<String> {
    list.map(|list| list.0.clone()).unwrap_or_default()
}

/// Keys with values, where none means an empty one.
fn valued(pairs: Option<&At<Pairs>>) -> Vec<(String, String)> {
    let all = pairs.into_iter().flat_map(|it| &it.value.0);
    all.map(|(key, value, _)| (key.clone(), value.clone().unwrap_or_default())).collect()
}

fn settings(raw: &RawService, context: &Context<'_>, problems: &mut Problems) -> Settings {
    let tmpfs = raw.tmpfs.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
    let volumes = raw.volumes.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
    let mut mounts: Vec<Mount> = volumes.iter().filter_map(|volume| mount(volume, context, problems)).collect();
    mounts.extend(tmpfs.iter().filter_map(|written| memory(written, problems)));
    Settings {
        working_dir: raw.working_dir.as_ref().map(|dir| dir.value.clone()),
        mounts,
        name: raw.container_name.as_ref().and_then(|name| container_name(name, problems)),
        host_name: raw.hostname.clone(),
        labels: valued(raw.labels.as_ref()),
        extra_hosts: extra_hosts(raw.extra_hosts.as_ref(), problems),
        dns: words(raw.dns.as_ref()),
        cap_add: words(raw.cap_add.as_ref()),
        cap_drop: words(raw.cap_drop.as_ref()),
        security_opt: words(raw.security_opt.as_ref()),
        privileged: raw.privileged.unwrap_or(false),
        read_only: raw.read_only.unwrap_or(false),
        init: raw.init.unwrap_or(false),
        ulimits: ulimits(raw, problems),
        sysctls: valued(raw.sysctls.as_ref()),
        limits: limits(raw),
        // Whatever the manifest says of it, the image's own is not meant.
        no_health_check: raw.healthcheck.is_some(),
    }
}

fn container_name(name: &At<String>, problems: &mut Problems) -> Option<String> {
    // The engine's own rule.
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_good = name.value.len() > 1
        && name.value.chars().all(good)
        && name.value.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !is_good {
        let problem = Problem::error("bad_name", format!("`{}` is no name for a container", name.value)).at(name.span);
        problems.push(problem.hint("it has letters, digits, `_`, `.` and `-`, and begins with a letter or digit"));
    }
    is_good.then(|| name.value.clone())
}

fn extra_hosts(pairs: Option<&At<Pairs>>, problems: &mut Problems) -> Vec<String> {
    let mut out = Vec::new();
    for (name, address, span) in pairs.into_iter().flat_map(|it| &it.value.0) {
        match address {
            Some(address) => out.push(format!("{name}:{address}")),
            None => {
                let problem = Problem::error("bad_host", format!("`{name}` has no address")).at(*span);
                problems.push(problem.hint("write `NAME:ADDRESS`"));
            }
        }
    }
    out
}

fn ulimits(raw: &RawService, problems: &mut Problems) -> Vec<Ulimit> {
    let mut out = Vec::new();
    for (name, entry) in raw.ulimits.iter().flat_map(|dict| &dict.0) {
        let OrBrief(limit) = &entry.value;
        let value = |it: &Option<At<i64>>| it.as_ref().map(|it| it.value);
        let Some(hard) = value(&limit.hard).or(value(&limit.soft)) else {
            problems.push(Problem::error("missing_key", "a ulimit needs `soft` and `hard`").at(entry.key));
            continue;
        };
        out.push(Ulimit { name: name.clone(), soft: value(&limit.soft).unwrap_or(hard), hard });
    }
    out
}

fn limits(raw: &RawService) -> Limits {
    let deployed = raw.deploy.as_ref().and_then(|deploy| deploy.value.resources.as_ref()?.limits.as_ref());
    let cpus = raw.cpus.or(deployed.and_then(|limits| limits.cpus));
    #[allow(clippy::cast_possible_truncation, reason = "a number of processors is far from the limits of either")]
    let nano = |cpus: f64| (cpus * 1e9) as i64;
    Limits {
        memory: raw.mem_limit.or(deployed.and_then(|limits| limits.memory)),
        nano_cpus: cpus.map(nano),
        processes: raw.pids_limit.or(deployed.and_then(|limits| limits.pids)),
        shared_memory: raw.shm_size,
    }
}

fn memory(written: &At<String>, problems: &mut Problems) -> Option<Mount> {
    let (target, options) = written.value.split_once(':').unwrap_or((&written.value, ""));
    let target = absolute(target, written.span, problems)?;
    Some(Mount { source: MountSource::Memory { options: options.to_owned() }, target, read_only: false })
}

fn absolute(path: &str, span: Span, problems: &mut Problems) -> Option<String> {
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let problem = Problem::error("bad_volume", format!("`{path}` is no absolute path in a container")).at(span);
    problems.push(problem.hint("write `SOURCE:/TARGET`"));
    None
}

fn mount(volume: &At<OrBrief<Volume>>, context: &Context<'_>, problems: &mut Problems) -> Option<Mount> {
    let At { value: OrBrief(volume), span } = volume;
    let Some(target) = &volume.target else {
        problems.push(Problem::error("missing_key", "a volume needs its `target`").at(*span));
        return None;
    };
    let target = absolute(&target.value, target.span, problems)?;
    let read_only = volume.read_only.unwrap_or(false);
    let source = match (volume.r#type.unwrap_or(VolumeWord::Volume), &volume.source) {
        (VolumeWord::Tmpfs, _) => MountSource::Memory { options: tmpfs_options(volume) },
        (VolumeWord::Volume, None) => MountSource::Anonymous,
        (VolumeWord::Volume, Some(name)) => named(name, context, problems)?,
        (VolumeWord::Bind, Some(path)) => MountSource::Host(host_path(&path.value, context)),
        (VolumeWord::Bind, None) => {
            problems.push(Problem::error("missing_key", "a bind needs its `source`").at(*span));
            return None;
        }
    };
    Some(Mount { source, target, read_only })
}

fn tmpfs_options(volume: &Volume) -> String {
    let Some(options) = &volume.tmpfs else { return String::new() };
    let size = options.size.map(|size| format!("size={}", size.0));
    let mode = options.mode.as_ref().map(|mode| format!("mode={mode}"));
    size.into_iter().chain(mode).collect::<Vec<_>>().join(",")
}

/// A volume that the manifest declares.
fn named(name: &At<String>, context: &Context<'_>, problems: &mut Problems) -> Option<MountSource> {
    let declared = context.unit.raw.volumes.as_ref().and_then(|volumes| volumes.0.get(&name.value));
    let Some(declared) = declared else {
        let message = format!("there is no volume `{}`", name.value);
        let hint = format!("declare it at the top: `volumes: {{ {}: {{}} }}`; a path begins with `./`", name.value);
        problems.push(Problem::error("unknown_volume", message).at(name.span).hint(hint));
        return None;
    };
    let volume = &declared.value;
    let shared = volume.external.unwrap_or(false) || volume.name.is_some();
    Some(MountSource::Volume { name: volume.name.clone().unwrap_or_else(|| name.value.clone()), shared })
}

fn host_path(text: &str, context: &Context<'_>) -> PathBuf {
    let home = || context.shell.get("HOME").map(String::as_str).unwrap_or("/");
    let path = match text.strip_prefix('~') {
        Some(rest) => Path::new(home()).join(rest.trim_start_matches('/')),
        None => context.unit.dir.join(text),
    };
    // `./data` without the dot: what is not there yet has no other name.
    path.components().collect()
}

/// What Compose's health check means: whether it is ready.
pub fn health(raw: &RawService, problems: &mut Problems) -> Option<Readiness> {
    let At { value: check, span } = raw.healthcheck.as_ref()?;
    if check.disable == Some(true) {
        return None;
    }
    let Some(test) = &check.test else {
        problems.push(Problem::error("missing_key", "a health check needs its `test`").at(*span));
        return None;
    };
    let command = match lower_command(&test.value) {
        Command::Shell(line) => Command::Shell(line),
        Command::Argv(words) => match words.split_first().map(|(first, rest)| (first.as_text(), rest)) {
            Some((Some("NONE"), _)) => return None,
            Some((Some("CMD"), rest)) if !rest.is_empty() => Command::Argv(rest.to_vec()),
            Some((Some("CMD-SHELL"), [line])) => Command::Shell(Template::clone(line)),
            _ => {
                let message = "the test of a health check begins with `CMD`, `CMD-SHELL` or `NONE`";
                problems.push(Problem::error("bad_test", message).at(test.span));
                return None;
            }
        },
    };
    Some(Readiness::Probe(Probe { check: Check::Exec(command), rhythm: rhythm(check) }))
}

/// Whoever waits for it does not want to wait for a whole interval: until it succeeds it is tried more often.
fn rhythm(check: &HealthCheck) -> Rhythm {
    let usual = Rhythm::OF_READINESS;
    let interval = check.interval.unwrap_or(HEALTH_INTERVAL);
    Rhythm {
        period: check.start_interval.unwrap_or(usual.period).min(interval),
        quiet_period: interval,
        timeout: check.timeout.unwrap_or(HEALTH_INTERVAL),
        failure_threshold: check.retries.unwrap_or(usual.failure_threshold).max(1),
        ..usual
    }
}
