//! The data in volumes, for snapshots: packed and unpacked by the engine, through a container that never runs.
//!
//! A volume cannot be renamed, so each that is restored is a new one, and a file in the service's data folder tells which
//! is in use. That folder changes places as that of any other service does.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount as EngineMount, MountType, MountVolumeOptions, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, RemoveVolumeOptions, UploadToContainerOptions,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::runtime::Runtime;

use super::clear::{Note, labels, remove};
use super::engine::{Engine, said};
use super::network::{IMAGE, TAG, have_image};
use super::volumes;
use crate::effects::fs::{read_own, replace};

/// The file in a service's data folder.
const USED: &str = "volumes.json";
/// Where the volume is in the container.
const PLACE: &str = "/volume";
const PROGRAM: &str = "/nagaya";
/// Between a volume's name and what tells it from the one before; no volume of a manifest is called so.
const LATER: &str = "..";
const PIECE: usize = 256 << 10;

/// What the volumes of a service are called by the engine, by their names in the manifest; those that were never restored
/// are not among them.
pub fn used(folder: &Path) -> BTreeMap<String, String> {
    let text = read_own(&folder.join(USED)).ok().flatten();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// What a volume that was never restored is called.
pub fn first(workspace: &str, volume: &str) -> String {
    format!("nagaya-{workspace}-{volume}")
}

/// Why there is no archive, or no volume made of one.
#[derive(Debug)]
pub enum Failed {
    CalledOff,
    Here(io::Error),
    There(String),
}

/// The volumes of a workspace. Its functions wait, so they are for threads that may.
pub struct Vault {
    engine: Engine,
    workspace: String,
    runtime: Runtime,
}

impl Vault {
    /// Those of the workspace whose note this is; none where it has no volumes yet.
    pub fn open(note: &Path) -> Result<Option<Self>, String> {
        let Some(note) = Note::read(note) else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let engine = runtime.block_on(Engine::at(note.engine)).map_err(|absent| absent.to_string())?;
        Ok(Some(Self { engine, workspace: note.workspace, runtime }))
    }

    /// What the engine calls a volume of a service.
    fn name(&self, folder: &Path, volume: &str) -> String {
        used(folder).remove(volume).unwrap_or_else(|| first(&self.workspace, volume))
    }

    /// Those of these volumes of a service that are there.
    pub fn there<'a>(&self, folder: &Path, volumes: &'a [String]) -> Result<Vec<&'a String>, String> {
        let all: HashSet<String> = self.all()?.into_iter().collect();
        Ok(volumes.iter().filter(|volume| all.contains(&self.name(folder, volume))).collect())
    }

    fn all(&self) -> Result<Vec<String>, String> {
        self.runtime.block_on(volumes::found(&self.engine, &self.workspace))
    }

    /// Writes an archive of what is in a volume; how long it is.
    pub fn pack(&self, folder: &Path, volume: &str, mut into: File, call_off: &AtomicBool) -> Result<u64, Failed> {
        let name = self.name(folder, volume);
        self.runtime.block_on(async {
            let container = self.container(&name).await.map_err(Failed::There)?;
            let packed = self.receive(&container, &mut into, call_off).await;
            let removed = remove(&self.engine, &container).await;
            packed.and_then(|length| removed.map(|()| length).map_err(Failed::There))
        })
    }

    async fn receive(&self, container: &str, into: &mut File, call_off: &AtomicBool) -> Result<u64, Failed> {
        let options = DownloadFromContainerOptions { path: PLACE.to_owned() };
        let docker = self.engine.patient();
        let mut archive = Box::pin(docker.download_from_container(container, Some(options)));
        let mut length = 0;
        while let Some(piece) = archive.next().await {
            if call_off.load(Ordering::Relaxed) {
                return Err(Failed::CalledOff);
            }
            let piece = piece.map_err(|error| Failed::There(said(&error)))?;
            into.write_all(&piece).map_err(Failed::Here)?;
            length += piece.len() as u64;
        }
        Ok(length)
    }

    /// Makes a new volume of an archive; what the engine calls it. Where that fails there is none.
    pub fn unpack(&self, volume: &str, from: File, call_off: &AtomicBool) -> Result<String, Failed> {
        let number = from.metadata().map_err(Failed::Here)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}{LATER}{:x}", first(&self.workspace, volume), now.as_micros());
        self.runtime.block_on(async {
            let failed = |error: bollard::errors::Error| Failed::There(said(&error));
            let request = VolumeCreateRequest {
                name: Some(name.clone()),
                labels: Some(labels(&self.workspace)),
                ..VolumeCreateRequest::default()
            };
            self.engine.docker.create_volume(request).await.map_err(failed)?;
            let filled = self.fill(&name, from, number.len(), call_off).await;
            if filled.is_err() {
                self.drop_volume(&name).await;
            }
            filled.map(|()| name)
        })
    }

    async fn fill(&self, name: &str, from: File, length: u64, call_off: &AtomicBool) -> Result<(), Failed> {
        let container = self.container(name).await.map_err(Failed::There)?;
        let sent = self.send(&container, from, length, call_off).await;
        let removed = remove(&self.engine, &container).await;
        sent.and_then(|()| removed.map_err(Failed::There))
    }

    async fn send(&self, container: &str, from: File, length: u64, call_off: &AtomicBool) -> Result<(), Failed> {
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let flag = std::sync::Arc::new(AtomicBool::new(false));
        let seen = flag.clone();
        let pieces = stream::unfold((from, 0_u64), move |(mut from, done)| {
            let ends = done >= length || seen.load(Ordering::Relaxed);
            async move {
                let mut piece = vec![0; PIECE];
                let count = if ends { 0 } else { from.read(&mut piece).unwrap_or(0) };
                piece.truncate(count);
                (count > 0).then(|| (Bytes::from(piece), (from, done + count as u64)))
            }
        });
        let docker = self.engine.patient();
        let upload = docker.upload_to_container(container, Some(options), bollard::body_stream(pieces));
        tokio::pin!(upload);
        loop {
            tokio::select! {
                sent = &mut upload => return sent.map_err(|error| Failed::There(said(&error))),
                () = tokio::time::sleep(LOOK) => if call_off.load(Ordering::Relaxed) {
                    flag.store(true, Ordering::Relaxed);
                    return Err(Failed::CalledOff);
                }
            }
        }
    }

    /// A container that has a volume and never runs.
    async fn container(&self, volume: &str) -> Result<String, String> {
        have_image(&self.engine).await.map_err(|error| said(&error))?;
        let name = format!("nagaya-{}..snapshot", self.workspace);
        // One of a process that was killed.
        remove(&self.engine, &name).await?;
        let options = MountVolumeOptions { labels: Some(labels(&self.workspace)), ..MountVolumeOptions::default() };
        let mount = EngineMount {
            target: Some(PLACE.to_owned()),
            source: Some(volume.to_owned()),
            typ: Some(MountType::VOLUME),
            volume_options: Some(options),
            ..EngineMount::default()
        };
        let body = ContainerCreateBody {
            image: Some(format!("{IMAGE}:{TAG}")),
            entrypoint: Some(vec![PROGRAM.to_owned()]),
            labels: Some(labels(&self.workspace)),
            host_config: Some(HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
        let made = self.engine.docker.create_container(Some(options), body).await;
        made.map(|_| name).map_err(|error| said(&error))
    }

    async fn drop_volume(&self, name: &str) {
        let _ = self.engine.docker.remove_volume(name, None::<RemoveVolumeOptions>).await;
    }

    /// Removes what was restored or replaced and is in use no more: of these volumes of a service, all but those.
    pub fn sweep(&self, folder: &Path, volumes: &[String]) -> Result<(), String> {
        let all = self.all()?;
        for volume in volumes {
            let (first, now) = (first(&self.workspace, volume), self.name(folder, volume));
            let is_later = |name: &str| name.strip_prefix(&first).is_some_and(|rest| rest.starts_with(LATER));
            for name in all.iter().filter(|name| **name != now && (**name == first || is_later(name))) {
                self.runtime.block_on(self.drop_volume(name));
            }
        }
        Ok(())
    }
}

/// Between two looks whether it is still wanted.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// Notes which volumes are in use, in a folder that is to be a service's.
pub fn note(folder: &Path, names: &BTreeMap<String, String>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    replace(&folder.join(USED), &serde_json::to_vec(names)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_that_was_restored_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("db");
        assert_eq!(used(&data), BTreeMap::new());
        let names = BTreeMap::from([("db-data".to_owned(), "nagaya-shop-db-data..1".to_owned())]);
        note(&data, &names).unwrap();
        assert_eq!(used(&data), names);
        fs::write(data.join(USED), "half").unwrap();
        assert_eq!(used(&data), BTreeMap::new());
    }
}
