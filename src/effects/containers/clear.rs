//! Cleaning: all that a workspace has in an engine bears its labels, and goes by them.
//!
//! Whoever makes something there writes down first which engine it is. That note is taken away when nothing is left, so
//! that an engine that was killed is known to have left something, by its launcher, by the next `up` and by `down`.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, RemoveContainerOptions};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::engine::{Engine, said, status};
use super::found::Place;
use super::states::understood;
use crate::effects::fs;

/// The workspace to which something belongs.
pub const WORKSPACE: &str = "nagaya.workspace";
/// The account whose workspace it is.
pub const OWNER: &str = "nagaya.owner";

/// How long the removal may take. An engine that takes longer is left to the next who comes.
const CLEARING: Duration = Duration::from_secs(15);

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub workspace: String,
    pub engine: Place,
}

impl Note {
    /// The note in a file; none where nothing was made.
    pub fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// Writes it down.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        fs::replace(file, &serde_json::to_vec(self)?)
    }
}

/// The labels that all has that is made for a workspace.
pub fn labels(workspace: &str) -> HashMap<String, String> {
    let owner = rustix::process::geteuid().as_raw().to_string();
    [(WORKSPACE.to_owned(), workspace.to_owned()), (OWNER.to_owned(), owner)].into()
}

/// What has those of a workspace.
pub fn filters(workspace: &str) -> Option<HashMap<String, Vec<String>>> {
    let wanted = labels(workspace).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    Some(HashMap::from([("label".to_owned(), wanted)]))
}

/// Removes what a note tells of, and the note. Only for whoever holds the workspace's lock.
pub async fn clear(file: &Path) -> Result<(), String> {
    let Some(note) = Note::read(file) else { return Ok(()) };
    let engine = Engine::at(note.engine.clone()).await.map_err(|absent| absent.to_string())?;
    let removed = tokio::time::timeout(CLEARING, remove_all(&engine, &note.workspace)).await;
    removed.map_err(|_| format!("the engine of containers at {} did not remove them in time", engine.place))??;
    let _ = fs::remove(file);
    Ok(())
}

/// The engine where something of a workspace may be left, by its note.
pub fn left(file: &Path) -> Option<Place> {
    Note::read(file).map(|note| note.engine)
}

/// Removes all containers and networks of a workspace. Volumes stay: they are data.
pub async fn remove_all(engine: &Engine, workspace: &str) -> Result<(), String> {
    let docker = &engine.docker;
    let options = ListContainersOptions { all: true, filters: filters(workspace), ..ListContainersOptions::default() };
    let found = understood(docker.list_containers(Some(options)).await).map_err(|error| said(&error))?;
    let removed = join_all(found.iter().filter_map(|it| it.id.as_deref()).map(|id| remove(engine, id))).await;
    removed.into_iter().collect::<Result<Vec<()>, String>>()?;
    let options = ListNetworksOptions { filters: filters(workspace) };
    for network in docker.list_networks(Some(options)).await.map_err(|error| said(&error))? {
        let Some(id) = network.id else { continue };
        match docker.remove_network(&id).await {
            Err(error) if status(&error) != Some(404) => return Err(said(&error)),
            _ => {}
        }
    }
    Ok(())
}

/// Ends and removes a container, and the volumes that are its alone.
pub async fn remove(engine: &Engine, container: &str) -> Result<(), String> {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    match engine.docker.remove_container(container, Some(options)).await {
        // It is gone, or somebody else removes it at this moment.
        Err(error) if !matches!(status(&error), Some(404 | 409)) => Err(said(&error)),
        _ => Ok(()),
    }
}
