//! Where the services of snapshots have their data.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::effects::containers::volumes_folder;
use crate::effects::fs::real as real_folder;
use crate::effects::snapshots::Live;
use crate::model::{Mount, Service, Workspace};
use crate::plan::DataDirs;

/// The data of all that are part of snapshots.
pub fn of(workspace: &Workspace, dirs: &DataDirs) -> Vec<Live> {
    let of_several = volumes_of_several(workspace);
    // Behind a symbolic link is the folder that is to change places.
    let real = |folder: PathBuf| real_folder(&folder).unwrap_or(folder);
    let live = |it: &Service| {
        let written = own_volumes(it, |mount| !mount.read_only);
        let volumes: Vec<String> = written.difference(&of_several).cloned().collect();
        let folder = match it.container() {
            Some(_) if !volumes.is_empty() => volumes_folder(&dirs.own),
            Some(_) => dirs.own.join(it.name.as_str()),
            None => dirs.of(it),
        };
        Live { service: it.name.to_string(), folder: real(folder), volumes }
    };
    workspace.services.values().filter(|service| service.snapshot).map(live).collect()
}

/// The volumes of its workspace that a container mounts in ways that are meant.
fn own_volumes(service: &Service, is_meant: impl Fn(&Mount) -> bool) -> BTreeSet<String> {
    let mounts = service.container().map(|it| it.settings.mounts.as_slice()).unwrap_or_default();
    let meant = mounts.iter().filter(|mount| is_meant(mount));
    meant.filter_map(|mount| mount.own_volume(service.name.as_str(), service.stateful)).collect()
}

/// Volumes that several services use: nobody knows with whose data one would go, and who only reads one would read on in
/// what was replaced.
fn volumes_of_several(workspace: &Workspace) -> BTreeSet<String> {
    let mut met = BTreeSet::new();
    let all = workspace.services.values().flat_map(|it| own_volumes(it, |_| true));
    all.filter(|name| !met.insert(name.clone())).collect()
}
