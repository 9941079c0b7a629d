//! Files into a container and out of it, as archives that the engine makes and takes.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::path::Path;

use bollard::query_parameters::{ContainerArchiveInfoOptions, DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::clear::Note;
use super::engine::{Engine, said, status};
use crate::effects::copies::{Failure, Kind};

/// A container whose files can be reached.
#[derive(Debug)]
pub struct Files {
    engine: Engine,
    container: String,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// Where a link leads, in the container.
    pub link: Option<String>,
}

/// Bits of a file's mode as Go counts them (`io/fs.FileMode`).
const FOLDER: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
/// Links that lead to links.
const MOST_LINKS: usize = 40;
/// Bytes that are passed on at once.
const PIECE: usize = 64 << 10;

impl Files {
    /// Those of a container of the workspace whose note this is.
    pub async fn of(note: &Path, container: &str) -> Result<Self, String> {
        let note = Note::read(note).ok_or("no container of this workspace runs")?;
        let engine = Engine::at(note.engine).await.map_err(|absent| absent.to_string())?;
        Ok(Self { engine, container: container.to_owned() })
    }

    /// What is at a path; none where nothing is.
    pub async fn look(&self, path: &str) -> Result<Option<Found>, String> {
        let options = ContainerArchiveInfoOptions { path: path.to_owned() };
        match self.engine.docker.get_container_archive_info(&self.container, Some(options)).await {
            Ok(found) => Ok(Some(Found {
                kind: if found.file_mode & FOLDER == 0 { Kind::Other } else { Kind::Folder },
                link: (found.file_mode & LINK != 0).then_some(found.link_target),
            })),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(said(&error)),
        }
    }

    /// The same where links are followed: also, the path at which they end.
    pub async fn follow(&self, path: &str) -> Result<(Option<Found>, String), String> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            match self.look(&path).await? {
                Some(Found { link: Some(target), .. }) if !target.is_empty() => path = target,
                found => return Ok((found, path)),
            }
        }
        Err(format!("{path}: too many links lead to one another"))
    }

    /// Writes an archive of what is at a path.
    pub async fn pack(&self, path: &str, into: PipeWriter) -> Result<(), Failure> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let docker = self.engine.patient();
        let mut archive = Box::pin(docker.download_from_container(&self.container, Some(options)));
        let mut into =
            pipe::Sender::from_owned_fd(OwnedFd::from(into)).map_err(|error| Failure::at(Path::new(path), &error))?;
        while let Some(piece) = archive.next().await {
            let piece = piece.map_err(|error| Failure::Here(format!("{path}: {}", said(&error))))?;
            into.write_all(&piece).await.map_err(|error| Failure::at(Path::new(path), &error))?;
        }
        Ok(())
    }

    /// Puts what is in an archive into a folder that is there.
    pub async fn unpack(&self, folder: &str, from: PipeReader) -> Result<(), Failure> {
        let options = UploadToContainerOptions {
            path: folder.to_owned(),
            no_overwrite_dir_non_dir: Some("true".to_owned()),
            copy_uidgid: None,
        };
        let from = pipe::Receiver::from_owned_fd(OwnedFd::from(from))
            .map_err(|error| Failure::at(Path::new(folder), &error))?;
        let pieces = stream::unfold(from, |mut from| async move {
            let mut piece = vec![0; PIECE];
            let count = from.read(&mut piece).await.unwrap_or(0);
            piece.truncate(count);
            (count > 0).then_some((Bytes::from(piece), from))
        });
        let docker = self.engine.patient();
        let sent = docker.upload_to_container(&self.container, Some(options), bollard::body_stream(pieces)).await;
        sent.map_err(|error| Failure::Here(format!("{folder}: {}", said(&error))))
    }
}
