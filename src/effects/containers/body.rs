//! What an engine is asked for to make the container of an instance.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount as EngineMount, MountType,
    MountVolumeOptions, ResourcesUlimits,
};

use super::clear::labels;
use super::network::{Site, place};
use super::vault;
use crate::effects::terminal::Size;
use crate::effects::texts::{INSTANCE, resolve};
use crate::model::{Mount, MountSource, Settings, Signal, Stdin};
use crate::plan::{FRONT_DOOR, HOST, Planned, PlannedContainer, Subnet};
use crate::route::zone::Zone;

/// The service and the instance to which a container belongs.
const SERVICE: &str = "nagaya.service";
const NUMBER: &str = "nagaya.instance";

/// What a container is made for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub workspace: String,
    pub planned: Arc<Planned>,
    pub instance: u32,
    pub zone: Arc<Zone>,
    /// The folder of the service's data; beside it is told which volumes are in use.
    pub data: PathBuf,
    /// The Kubernetes namespace of the workspace.
    pub namespace: String,
}

impl Wanted {
    /// What it is called.
    pub fn name(&self) -> String {
        self.planned.container().map(|it| it.name_of(self.instance)).unwrap_or_default()
    }

    /// Its address in the network of the containers.
    pub fn address(&self, subnet: Subnet) -> Ipv4Addr {
        subnet.outside(self.planned.own_address(self.instance))
    }

    /// What the workspace's volumes are called that were restored.
    fn used(&self) -> Result<BTreeMap<String, String>, String> {
        let folder = vault::folder(self.data.parent().unwrap_or(&self.data));
        vault::used(&folder)
            .map_err(|error| format!("which volumes are in use is not known: {}: {error}", folder.display()))
    }

    /// The image by which the engine knows it.
    pub fn image(&self) -> String {
        self.planned.container().map(|it| super::image::reference(&it.image, &self.workspace)).unwrap_or_default()
    }
}

/// The request for a container. Fails where it is not known which volumes are in use: it would get others.
pub fn body(wanted: &Wanted, container: &PlannedContainer, site: &Site) -> Result<ContainerCreateBody, String> {
    let (planned, settings) = (&wanted.planned, &container.settings);
    let own = [(SERVICE.to_owned(), planned.name.to_string()), (NUMBER.to_owned(), wanted.instance.to_string())];
    let labels = settings.labels.iter().cloned().chain(own).chain(labels(&wanted.workspace));
    let signal = planned.stop.signal;
    Ok(ContainerCreateBody {
        image: Some(wanted.image()),
        hostname: Some(settings.host_name.clone().unwrap_or_else(|| planned.name.to_string())),
        user: planned.user.as_ref().map(ToString::to_string),
        env: Some(variables(wanted)),
        entrypoint: container.entrypoint.clone(),
        cmd: container.command.clone(),
        working_dir: settings.working_dir.clone(),
        labels: Some(labels.collect()),
        tty: Some(planned.stdin == Stdin::Terminal),
        open_stdin: Some(planned.stdin != Stdin::Empty),
        stop_signal: (signal != Signal::TERM).then(|| signal.to_string()),
        // Whether it is healthy is found out here.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        host_config: Some(host_config(wanted, settings, site)?),
        networking_config: Some(place(&site.network, wanted.address(site.subnet))),
        ..ContainerCreateBody::default()
    })
}

fn variables(wanted: &Wanted) -> Vec<String> {
    let number = wanted.instance.to_string();
    let mut all = resolve(&wanted.planned, None);
    all.entry(INSTANCE).or_insert(&number);
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn host_config(wanted: &Wanted, settings: &Settings, site: &Site) -> Result<HostConfig, String> {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let bytes = |size: crate::model::Size| i64::try_from(size.0).unwrap_or(i64::MAX);
    let memory = |mount: &Mount| match &mount.source {
        MountSource::Memory { options } => Some((mount.target.clone(), options.clone())),
        _ => None,
    };
    // What a terminal has before anybody looks; older engines leave that at nothing until it runs.
    let size = [Size::USUAL.rows, Size::USUAL.columns].map(usize::from).to_vec();
    let (limits, sysctls) = (settings.limits, &settings.sysctls);
    let tmpfs: HashMap<String, String> = settings.mounts.iter().filter_map(memory).collect();
    let ulimits = settings.ulimits.iter().map(|it| ResourcesUlimits {
        name: Some(it.name.clone()),
        soft: Some(it.soft),
        hard: Some(it.hard),
    });
    Ok(HostConfig {
        network_mode: Some(site.network.clone()),
        // Its output comes here; the engine's own copy is kept small.
        log_config: Some(log_config()),
        mounts: Some(mounts(wanted, settings, site)?),
        tmpfs: (!tmpfs.is_empty()).then_some(tmpfs),
        extra_hosts: Some(hosts(wanted, settings, site.subnet)),
        dns: some(&settings.dns),
        cap_add: some(&settings.cap_add),
        cap_drop: some(&settings.cap_drop),
        security_opt: some(&settings.security_opt),
        privileged: Some(settings.privileged),
        readonly_rootfs: Some(settings.read_only),
        init: settings.init.then_some(true),
        ulimits: Some(ulimits.collect()),
        sysctls: (!sysctls.is_empty()).then(|| sysctls.iter().cloned().collect()),
        memory: limits.memory.map(bytes),
        nano_cpus: limits.nano_cpus,
        pids_limit: limits.processes.map(i64::from),
        console_size: (wanted.planned.stdin == Stdin::Terminal).then_some(size),
        shm_size: limits.shared_memory.map(bytes),
        ..HostConfig::default()
    })
}

/// Where a container looks for servers of names.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Its own, and the file that has it ask the router for names: the engine's server would lead to containers past the
/// proxy, and knows none of a service's other names.
fn mounts(wanted: &Wanted, settings: &Settings, site: &Site) -> Result<Vec<EngineMount>, String> {
    let used = wanted.used()?;
    let own = settings.mounts.iter().filter_map(|it| mount(it, &wanted.workspace, &used));
    let is_taken = settings.mounts.iter().any(|mount| mount.target == RESOLV_CONF);
    let names = (settings.dns.is_empty() && !is_taken).then(|| EngineMount {
        target: Some(RESOLV_CONF.to_owned()),
        source: Some(site.resolv_conf.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..EngineMount::default()
    });
    Ok(own.chain(names).collect())
}

fn log_config() -> HostConfigLogConfig {
    let config = [("max-size".to_owned(), "1m".to_owned()), ("max-file".to_owned(), "1".to_owned())];
    HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(config.into()) }
}

fn mount(mount: &Mount, workspace: &str, used: &BTreeMap<String, String>) -> Option<EngineMount> {
    let (typ, source) = match &mount.source {
        MountSource::Host(path) => (MountType::BIND, Some(path.to_string_lossy().into_owned())),
        MountSource::Volume { name, shared: true } => (MountType::VOLUME, Some(name.clone())),
        MountSource::Volume { name, shared: false } => {
            let now = used.get(name).cloned();
            (MountType::VOLUME, Some(now.unwrap_or_else(|| vault::first(workspace, name))))
        }
        MountSource::Anonymous => (MountType::VOLUME, None),
        MountSource::Memory { .. } => return None,
    };
    let is_own = matches!(mount.source, MountSource::Volume { shared: false, .. });
    let labelled = MountVolumeOptions { labels: Some(labels(workspace)), ..MountVolumeOptions::default() };
    Some(EngineMount {
        target: Some(mount.target.clone()),
        source,
        typ: Some(typ),
        read_only: Some(mount.read_only),
        volume_options: is_own.then_some(labelled),
        ..EngineMount::default()
    })
}

/// All names of the workspace, each with its address here. The first line for a name counts, so the manifest's own go
/// before.
fn hosts(wanted: &Wanted, settings: &Settings, subnet: Subnet) -> Vec<String> {
    let zone = &wanted.zone;
    let own = wanted.planned.name.as_str();
    let mut out = settings.extra_hosts.clone();
    let mut add = |name: &str, address: Ipv4Addr| out.push(format!("{name}:{}", subnet.outside(address)));
    for service in 0..zone.len() {
        let Some(called) = zone.address(service) else { continue };
        let is_own = zone.name(service) == Some(own);
        let address = if is_own { wanted.planned.own_address(wanted.instance) } else { called };
        zone.spellings(service).iter().for_each(|name| add(name, address));
    }
    zone.at_front_door().iter().for_each(|name| add(name, FRONT_DOOR));
    zone.of_host().iter().for_each(|name| add(name, HOST));
    out
}
