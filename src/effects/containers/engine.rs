//! An engine of containers that answers, and what its errors say.

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};

use super::found::{self, Absent, Place, forbidden};

/// How long an engine may take to begin an answer.
const PATIENCE: u64 = 300;

/// An engine that answered once.
#[derive(Debug, Clone)]
pub struct Engine {
    pub docker: Docker,
    pub place: Place,
}

impl Engine {
    /// The engine that is meant.
    pub async fn find() -> Result<Self, Absent> {
        let place = tokio::task::spawn_blocking(found::find).await.map_err(|error| Absent(error.to_string()))??;
        Self::at(place).await
    }

    /// The engine at a place.
    pub async fn at(place: Place) -> Result<Self, Absent> {
        let docker = match &place {
            Place::Socket(path) => {
                if let Err(error) = std::os::unix::net::UnixStream::connect(path)
                    && error.kind() == std::io::ErrorKind::PermissionDenied
                {
                    return Err(forbidden(path));
                }
                Docker::connect_with_unix(&path.to_string_lossy(), PATIENCE, API_DEFAULT_VERSION)
            }
            Place::Tcp(address) => {
                Docker::connect_with_http(&format!("tcp://{address}"), PATIENCE, API_DEFAULT_VERSION)
            }
        };
        let silent = |error: Error| {
            let hint = "start it (`sudo systemctl start docker`), or set `DOCKER_HOST` to another one";
            Absent(format!("the engine of containers at {place} does not answer: {}; {hint}", said(&error)))
        };
        let docker = docker.map_err(silent)?.negotiate_version().await.map_err(silent)?;
        Ok(Self { docker, place })
    }

    /// Whether it answers now.
    pub async fn answers(&self) -> bool {
        self.docker.ping().await.is_ok()
    }
}

/// What an engine says is wrong.
pub fn said(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::SocketNotFoundError(path) => format!("there is no socket {path}"),
        other => {
            let mut bottom: &dyn std::error::Error = other;
            while let Some(source) = bottom.source() {
                bottom = source;
            }
            bottom.to_string()
        }
    }
}

/// The status of the engine's answer, where it gave one.
pub fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
