//! An engine of containers that answers, how long that may take, and what its errors say.

use std::fmt;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{InspectContainerOptions, WaitContainerOptions};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt;

use super::found::{self, Absent, Place, forbidden};
use super::states::understood;

/// How long an engine may take to say which version it is. One that hangs says nothing, and is waited for no longer.
const GREETING: u64 = 5;
/// How long it may take to begin any other answer: a machine that is busy takes seconds to make a container.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same where it has much to do first: to read what a build sees, to ask a registry.
pub const MUCH: Duration = Duration::from_secs(300);
/// How long it may take to say that it is there.
const THERE: Duration = Duration::from_secs(3);
/// Whoever waits for longer than this is told for what.
const LATE: Duration = Duration::from_millis(1500);
/// Between two questions to an engine that does not answer.
pub const AGAIN: Duration = Duration::from_millis(500);

/// An engine that answered once.
#[derive(Debug, Clone)]
pub struct Engine {
    pub docker: Docker,
    pub place: Place,
}

/// Which engine it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Else it is Docker, or what passes for it.
    pub is_podman: bool,
    pub number: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.is_podman { "Podman" } else { "Docker" }, self.number)
    }
}

/// The engine that services would get, for people: `Docker 20.10.24 at /var/run/docker.sock`.
pub async fn describe() -> Result<String, Absent> {
    let engine = Engine::find().await?;
    let version = engine.version().await;
    let version = version.map_err(|error| Absent(format!("the engine at {} says: {}", engine.place, said(&error))))?;
    Ok(format!("{version} at {}", engine.place))
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
                Docker::connect_with_unix(&path.to_string_lossy(), GREETING, API_DEFAULT_VERSION)
            }
            Place::Tcp(address) => {
                Docker::connect_with_http(&format!("tcp://{address}"), GREETING, API_DEFAULT_VERSION)
            }
        };
        let silent = |error: Error| {
            let hint = "start it (`sudo systemctl start docker`), or set `DOCKER_HOST` to another one";
            Absent(format!("the engine of containers at {place} does not answer: {}; {hint}", said(&error)))
        };
        let docker = docker.map_err(silent)?.negotiate_version().await.map_err(silent)?;
        Ok(Self { docker: docker.with_timeout(PATIENCE), place })
    }

    /// The same for what it has much to do for before it answers.
    pub fn patient(&self) -> Docker {
        self.docker.clone().with_timeout(MUCH)
    }

    /// Whether it answers now.
    pub async fn answers(&self) -> bool {
        matches!(tokio::time::timeout(THERE, self.docker.ping()).await, Ok(Ok(_)))
    }

    /// Which one it is.
    pub async fn version(&self) -> Result<Version, Error> {
        let said = self.docker.version().await?;
        let parts = said.components.unwrap_or_default();
        let is_podman = parts.iter().any(|part| part.name.contains("Podman"));
        Ok(Version { is_podman, number: said.version.unwrap_or_default() })
    }

    /// What it knows of a container.
    pub async fn inspect(&self, container: &str) -> Result<ContainerInspectResponse, Error> {
        understood(self.docker.inspect_container(container, None::<InspectContainerOptions>).await)
    }

    /// Until a container has ended.
    pub async fn ended(&self, container: &str) -> Ended {
        let (docker, options) = (self.patient(), WaitContainerOptions { condition: "not-running".to_owned() });
        loop {
            let mut waiting = Box::pin(docker.wait_container(container, Some(options.clone())));
            match waiting.next().await {
                Some(Ok(answer)) => return Ended::With(answer.status_code),
                Some(Err(Error::DockerContainerWaitError { code, .. })) => return Ended::With(code),
                _ => {}
            }
            // Not every engine answers for as long as it takes.
            match self.inspect(container).await {
                Ok(found) if found.state.as_ref().and_then(|state| state.running) != Some(true) => {
                    return found.state.and_then(|state| state.exit_code).map_or(Ended::Removed, Ended::With);
                }
                Err(error) if status(&error) == Some(404) => return Ended::Removed,
                Ok(_) | Err(Error::RequestTimeoutError) => tokio::time::sleep(AGAIN).await,
                Err(_) => return Ended::Unknown,
            }
        }
    }
}

/// What became of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    With(i64),
    /// It is not there any more.
    Removed,
    /// The engine cannot be asked.
    Unknown,
}

/// Has somebody told when something takes long.
pub async fn told<T>(work: impl Future<Output = T>, tell: impl Future<Output = ()>) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(LATE) => {}
    }
    tell.await;
    work.await
}

/// What an engine says is wrong.
pub fn said(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::SocketNotFoundError(path) => format!("there is no socket {path}"),
        Error::RequestTimeoutError => "the engine of containers took too long to answer".to_owned(),
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
