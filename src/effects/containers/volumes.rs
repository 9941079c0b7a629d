//! Named volumes: what containers leave, known by the workspace's label. They outlive `down`, and so does the note that
//! tells at which engine they are.

use std::path::Path;

use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::clear::{Note, filters};
use super::engine::{Engine, said, status};
use crate::effects::fs;
use crate::model::MountSource;
use crate::plan::Planned;

/// Whether a service has a volume that is the workspace's own.
pub fn has_own(planned: &Planned) -> bool {
    let mounts = planned.container().map(|container| container.settings.mounts.as_slice()).unwrap_or_default();
    mounts.iter().any(|mount| matches!(mount.source, MountSource::Volume { shared: false, .. }))
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
