//! The data in volumes, for snapshots: packed and unpacked by the engine, through a container that never runs.
//!
//! A volume cannot be renamed, so each that is restored is a new one, and a file beside the services' data tells which
//! are in use, whoever uses them. Its folder changes places as that of a service's data does.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerCreateBody, HostConfig, Mount as EngineMount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, RemoveVolumeOptions, UploadToContainerOptions,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::runtime::Runtime;

use super::clear::{Note, labels, remove};
use super::engine::{Engine, said, status};
use super::found::Absent;
use super::network::{IMAGE, TAG, have_image};
use super::volumes;
use crate::effects::fs::{read_own, replace};
use crate::effects::places::Home;

/// Among the folders of services' data; no service is called so.
const FOLDER: &str = ".volumes";
/// The file in it.
const USED: &str = "volumes.json";
/// Where the volume is in the container.
const PLACE: &str = "/volume";
const PROGRAM: &str = "/nagaya";
/// Between a volume's name and what tells it from the one before; no volume of a manifest is called so.
const LATER: &str = "..";
const PIECE: usize = 256 << 10;
/// Between two looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// The folder that tells which volumes are in use, by that of all services' data.
pub fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// What the volumes of a workspace are called by the engine, by their names in the manifest; those that were never
/// restored are not among them. A note that cannot be read is no sign of that: the data would be looked for in others.
pub fn used(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    match read_own(&folder.join(USED))? {
        Some(text) => Ok(serde_json::from_str(&text)?),
        None => Ok(BTreeMap::new()),
    }
}

/// Notes which volumes are in use, in a folder that is to tell of them.
pub fn note(folder: &Path, names: &BTreeMap<String, String>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    replace(&folder.join(USED), &serde_json::to_vec(names)?)
}

/// What a volume that was never restored is called.
pub fn first(workspace: &str, volume: &str) -> String {
    format!("nagaya-{workspace}-{volume}")
}

/// Why there is no archive, or no volume made of one.
#[derive(Debug)]
pub enum Failed {
    CalledOff,
    /// The archive's file.
    Here(io::Error),
    /// Which volumes are in use is not known, as this folder does not tell.
    Unknown(PathBuf, io::Error),
    There(String),
}

/// The volumes of a workspace. Its functions wait, so they are for threads that may.
pub struct Vault {
    engine: Engine,
    workspace: String,
    /// Tells which are in use.
    folder: PathBuf,
    runtime: Runtime,
}

impl Vault {
    /// Those of a workspace; none where it has no volumes yet.
    pub fn open(home: &Home) -> Result<Option<Self>, String> {
        let Some(note) = Note::read(&home.volumes()) else { return Ok(None) };
        Self::at(home, note.workspace, Engine::at(note.engine)).map(Some)
    }

    /// The same of one that may have none yet, at the engine that is meant.
    pub fn begin(home: &Home) -> Result<Self, String> {
        if let Some(vault) = Self::open(home)? {
            return Ok(vault);
        }
        let vault = Self::at(home, home.id.clone(), Engine::find())?;
        volumes::note(home, &vault.engine)?;
        Ok(vault)
    }

    fn at(
        home: &Home,
        workspace: String,
        engine: impl Future<Output = Result<Engine, Absent>>,
    ) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let engine = runtime.block_on(engine).map_err(|absent| absent.to_string())?;
        Ok(Self { engine, workspace, folder: folder(&home.data()), runtime })
    }

    fn used(&self) -> Result<BTreeMap<String, String>, Failed> {
        used(&self.folder).map_err(|error| Failed::Unknown(self.folder.clone(), error))
    }

    /// Those of these volumes that are there.
    pub fn there<'a>(&self, volumes: &'a [String]) -> Result<Vec<&'a String>, Failed> {
        let (all, used) = (self.all()?, self.used()?);
        let name = |volume: &str| used.get(volume).cloned().unwrap_or_else(|| first(&self.workspace, volume));
        Ok(volumes.iter().filter(|volume| all.contains(&name(volume))).collect())
    }

    fn all(&self) -> Result<Vec<String>, Failed> {
        self.runtime.block_on(volumes::found(&self.engine, &self.workspace)).map_err(Failed::There)
    }

    /// Writes an archive of what is in a volume; how long it is.
    pub fn pack(&self, volume: &str, mut into: File, call_off: &AtomicBool) -> Result<u64, Failed> {
        let name = self.used()?.remove(volume).unwrap_or_else(|| first(&self.workspace, volume));
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
        let length = from.metadata().map_err(Failed::Here)?.len();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}{LATER}{:x}", first(&self.workspace, volume), now.as_micros());
        self.runtime.block_on(async {
            let failed = |error: bollard::errors::Error| Failed::There(said(&error));
            volumes::make_one(&self.engine, &name, labels(&self.workspace)).await.map_err(failed)?;
            let filled = self.fill(&name, from, length, call_off).await;
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
        let (tell, told) = mpsc::channel();
        let archive = bollard::body_try_stream(stream::iter(pieces(from, length, tell)));
        let docker = self.engine.patient();
        let upload = docker.upload_to_container(container, Some(options), archive);
        tokio::pin!(upload);
        loop {
            tokio::select! {
                sent = &mut upload => return match told.try_recv() {
                    Ok(error) => Err(Failed::Here(error)),
                    Err(_) => sent.map_err(|error| Failed::There(said(&error))),
                },
                // What is sent ends with the upload, which is dropped.
                () = tokio::time::sleep(LOOK) => if call_off.load(Ordering::Relaxed) {
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

    /// False where a container has it, so that it stays.
    async fn drop_volume(&self, name: &str) -> bool {
        let removed = self.engine.docker.remove_volume(name, None::<RemoveVolumeOptions>).await;
        !matches!(removed, Err(error) if status(&error) == Some(409))
    }

    /// Removes what was restored or replaced and is in use no more, of these volumes; what stays of it, as a container
    /// has it.
    pub fn sweep(&self, volumes: &[String]) -> Result<Vec<String>, Failed> {
        let (all, used) = (self.all()?, self.used()?);
        let mut left = Vec::new();
        for volume in volumes {
            let first = first(&self.workspace, volume);
            let now = used.get(volume).unwrap_or(&first);
            let is_later = |name: &str| name.strip_prefix(&first).is_some_and(|rest| rest.starts_with(LATER));
            for name in all.iter().filter(|name| *name != now && (**name == first || is_later(name))) {
                if !self.runtime.block_on(self.drop_volume(name)) {
                    left.push(name.clone());
                }
            }
        }
        Ok(left)
    }
}

/// An archive as it is sent. The engine may take the first half of one for a whole, so one that cannot be read to its
/// end breaks off, and why is told.
fn pieces(mut from: File, length: u64, tell: Sender<io::Error>) -> impl Iterator<Item = io::Result<Bytes>> + Send {
    let mut left = length;
    std::iter::from_fn(move || {
        let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        if count == 0 {
            return None;
        }
        let mut piece = vec![0; count];
        if let Err(error) = from.read_exact(&mut piece) {
            left = 0;
            let _ = tell.send(error);
            return Some(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        left -= count as u64;
        Some(Ok(piece.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_that_was_restored_is_another_one() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder(base.path());
        assert_eq!(used(&folder).unwrap(), BTreeMap::new());
        let names = BTreeMap::from([("db-data".to_owned(), "nagaya-shop-db-data..1".to_owned())]);
        note(&folder, &names).unwrap();
        assert_eq!(used(&folder).unwrap(), names);
        // Whatever stands there, it is not that nothing was ever restored.
        fs::write(folder.join(USED), "half").unwrap();
        assert_eq!(used(&folder).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::remove_file(folder.join(USED)).unwrap();
        fs::create_dir(folder.join(USED)).unwrap();
        assert!(used(&folder).is_err());
    }

    #[test]
    fn an_archive_that_ends_early_breaks_off() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("archive");
        let whole: Vec<u8> = (0..=255).cycle().take(PIECE + 1000).collect();
        fs::write(&path, &whole).unwrap();
        let sent = |length: usize| {
            let (tell, told) = mpsc::channel();
            let pieces: Vec<_> = pieces(File::open(&path).unwrap(), length as u64, tell).collect();
            (pieces, told.try_recv().ok().map(|error| error.kind()))
        };
        let (pieces, told) = sent(whole.len());
        let read: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
        assert!(read == whole && told.is_none());
        let (pieces, told) = sent(whole.len() + 1);
        assert_eq!(pieces.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
        assert_eq!(told, Some(io::ErrorKind::UnexpectedEof));
    }
}
