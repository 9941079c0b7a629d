//! Named volumes: what containers leave, known by the workspace's label. They outlive `down`, and so does the note that
//! tells at which engine they are.

use std::collections::HashMap;
use std::path::Path;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::body::Wanted;
use super::clear::{Note, filters};
use super::engine::{Engine, said, status};
use crate::effects::fs;
use crate::effects::places::Home;
use crate::model::{Mount, MountSource};
use crate::plan::{Planned, PlannedContainer};

/// Whether a service may have a volume that is the workspace's own.
pub fn has_own(planned: &Planned) -> bool {
    let Some(container) = planned.container() else { return false };
    let is_own = |mount: &Mount| mount.own_volume(planned.name.as_str(), container.stateful).is_some();
    // Which volumes the image of a stateful one declares is known later.
    container.stateful || container.settings.mounts.iter().any(is_own)
}

/// Writes down at which engine a workspace has volumes, which outlive all else there.
pub fn note(home: &Home, engine: &Engine) -> Result<(), String> {
    let note = Note { workspace: home.id.clone(), engine: engine.place.clone() };
    let file = home.volumes();
    note.write(&file).map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

/// A container with all its mounts: what a stateful one has in volumes without a name, its image's too, is the workspace's.
pub async fn complete(
    engine: &Engine,
    wanted: &Wanted,
    container: &PlannedContainer,
) -> Result<PlannedContainer, String> {
    let mut container = container.clone();
    if !container.stateful {
        return Ok(container);
    }
    let service = wanted.planned.name.as_str();
    for target in declared(engine, &wanted.image()).await? {
        let is_same = |mount: &Mount| mount.target.trim_end_matches('/') == target.trim_end_matches('/');
        if !container.settings.mounts.iter().any(is_same) {
            container.settings.mounts.push(Mount { source: MountSource::Anonymous, target, read_only: false });
        }
    }
    for mount in &mut container.settings.mounts {
        if let Some(name) = mount.own_volume(service, true) {
            mount.source = MountSource::Volume { name, shared: false };
        }
    }
    Ok(container)
}

/// The paths that an image declares as volumes. One that cannot be asked is none without: what would be written there
/// would go with the container.
async fn declared(engine: &Engine, image: &str) -> Result<Vec<String>, String> {
    match engine.docker.inspect_image(image).await {
        Ok(image) => Ok(image.config.and_then(|config| config.volumes).unwrap_or_default()),
        // The making of the container says so.
        Err(error) if status(&error) == Some(404) => Ok(Vec::new()),
        Err(error) => Err(format!("the image {image} cannot be looked at: {}", said(&error))),
    }
}

/// Makes those of a container that are the workspace's own; what is there stays as it is. What a mount has an engine make
/// gets no labels at Podman, and would never be found again.
pub async fn make(engine: &Engine, body: &ContainerCreateBody) -> Result<(), String> {
    let mounts = body.host_config.as_ref().and_then(|host| host.mounts.as_deref()).unwrap_or_default();
    for mount in mounts {
        let labels = mount.volume_options.as_ref().and_then(|options| options.labels.clone());
        let (Some(name), Some(labels)) = (mount.source.clone(), labels) else { continue };
        let made = make_one(engine, &name, labels).await;
        made.map_err(|error| format!("the volume {name} cannot be made: {}", said(&error)))?;
    }
    Ok(())
}

/// Makes a volume; one that is there stays as it is.
pub async fn make_one(engine: &Engine, name: &str, labels: HashMap<String, String>) -> Result<(), Error> {
    let name = Some(name.to_owned());
    let request = VolumeCreateRequest { name, labels: Some(labels), ..VolumeCreateRequest::default() };
    engine.docker.create_volume(request).await.map(drop)
}

/// The volumes of the workspace whose note this is.
pub async fn volumes(file: &Path) -> Result<Vec<String>, String> {
    match Note::read(file) {
        Some(note) => found(&engine(&note).await?, &note.workspace).await,
        None => Ok(Vec::new()),
    }
}

/// Removes them, and the note.
pub async fn remove_volumes(file: &Path) -> Result<(), String> {
    let Some(note) = Note::read(file) else { return Ok(()) };
    let engine = engine(&note).await?;
    for volume in found(&engine, &note.workspace).await? {
        match engine.docker.remove_volume(&volume, None::<RemoveVolumeOptions>).await {
            Err(error) if status(&error) != Some(404) => return Err(format!("the volume {volume}: {}", said(&error))),
            _ => {}
        }
    }
    fs::remove(file).map_err(|error| format!("{}: {error}", file.display()))
}

async fn engine(note: &Note) -> Result<Engine, String> {
    Engine::at(note.engine.clone()).await.map_err(|absent| absent.to_string())
}

/// The names of all that a workspace has.
pub async fn found(engine: &Engine, workspace: &str) -> Result<Vec<String>, String> {
    let options = ListVolumesOptions { filters: filters(workspace) };
    let found = engine.docker.list_volumes(Some(options)).await.map_err(|error| said(&error))?;
    let mut names: Vec<String> = found.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect();
    names.sort();
    Ok(names)
}
