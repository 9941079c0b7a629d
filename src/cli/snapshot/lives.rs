//! Where the services of snapshots have their data.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::effects::fs::real as real_folder;
use crate::effects::snapshots::Live;
use crate::model::{MountSource, Service, Workspace};
use crate::plan::DataDirs;

/// The data of all that are part of snapshots.
pub fn of(workspace: &Workspace, dirs: &DataDirs) -> Vec<Live> {
    let of_several = volumes_of_several(workspace);
    // Behind a symbolic link is the folder that is to change places.
    let real = |folder: PathBuf| real_folder(&folder).unwrap_or(folder);
    let live = |it: &Service| {
        let volumes = own_volumes(it).filter(|name| !of_several.contains(name)).map(str::to_owned);
        let folder = if it.container().is_some() { dirs.own.join(it.name.as_str()) } else { dirs.of(it) };
        Live { service: it.name.to_string(), folder: real(folder), volumes: volumes.collect() }
    };
    workspace.services.values().filter(|service| service.snapshot).map(live).collect()
}

/// The volumes of its own in which a container may write.
fn own_volumes(service: &Service) -> impl Iterator<Item = &str> {
    let mounts = service.container().map(|it| it.settings.mounts.as_slice()).unwrap_or_default();
    mounts.iter().filter(|mount| !mount.read_only).filter_map(|mount| match &mount.source {
        MountSource::Volume { name, shared: false } => Some(name.as_str()),
        _ => None,
    })
}

/// Volumes that several services use: nobody knows with whose data one would go.
fn volumes_of_several(workspace: &Workspace) -> BTreeSet<&str> {
    let mut met = BTreeSet::new();
    let all = workspace.services.values().flat_map(|it| own_volumes(it).collect::<BTreeSet<_>>());
    all.filter(|name| !met.insert(*name)).collect()
}
