//! What is left to do when the first services are being launched: serve, be found, and answer the `up`.

use std::os::unix::net::UnixStream;

use tokio::net::{TcpListener, UnixListener};

use super::owner::{end_on_signal, end_with_owner};
use super::process::answer;
use super::{Refusal, Reply, Running};
use crate::api::{self, Identity};
use crate::effects::fs;
use crate::effects::places::{Home, LONGEST_SOCKET};
use crate::effects::registry::{self, Registration};
use crate::proxy::{self, Entrance};
use crate::runtime::{Ask, Handle};
use crate::view;

/// An engine that runs its first services already, but that nobody can reach yet.
pub struct Opening {
    pub home: Home,
    pub registration: Registration,
    pub services: Vec<String>,
    pub notices: Vec<String>,
    pub matrix: Option<view::matrix::Matrix>,
    pub handle: Handle,
    pub entrance: Entrance,
    /// For namerd's API.
    pub namerd: Option<TcpListener>,
}

impl Opening {
    /// Opens the doors and answers the owner; an engine that cannot be reached ends.
    pub fn open(self, listener: UnixListener, owner: UnixStream) {
        let handle = self.handle.clone();
        let reply = self.serve(listener).unwrap_or_else(|refusal| {
            let _ = handle.asks.send(Ask::Down { force: true });
            Reply::Refused(refusal)
        });
        // An `up` that is gone already is an owner that is gone.
        let _ = answer(&owner, &reply);
        tokio::spawn(end_with_owner(owner, handle));
    }

    fn serve(self, listener: UnixListener) -> Result<Reply, Refusal> {
        let Self { home, registration, services, notices, matrix, handle, entrance, namerd } = self;
        proxy::start(handle.clone(), entrance)
            .map_err(|error| broken("the proxy could not be started", &home, &error))?;
        registry::write(&home, &registration)
            .map_err(|error| broken("the engine cannot be registered", &home, &error))?;
        let identity = identity(&registration, &home);
        tokio::spawn(api::serve(listener, handle.clone(), identity.clone()));
        if let Some(listener) = namerd {
            let (handle, name) = (handle.clone(), registration.name.clone());
            tokio::spawn(async move { api::namerd::serve(listener, handle, &name).await });
        }
        tokio::spawn(end_on_signal(handle));
        Ok(Reply::Running(Box::new(Running { socket: home.socket, identity, services, notices, matrix })))
    }
}

/// Something in the workspace's state does not work.
pub fn broken(what: &str, home: &Home, error: &std::io::Error) -> Refusal {
    Refusal::surroundings(format!("{what}: {error}")).hint(format!("the state is in {}", home.state.display()))
}

/// What ends an engine that has lost the note by which it is found.
fn how_to_end(engine: &UnixStream) -> String {
    #[cfg(target_os = "linux")]
    if let Ok(peer) = rustix::net::sockopt::socket_peercred(engine) {
        return format!("`kill {}` ends it and all that it runs; then `nagaya up`", peer.pid.as_raw_nonzero());
    }
    let _ = engine;
    "end the process called `nagaya-engine`; what it runs ends with it".to_owned()
}

/// The socket for clients. A file that is left of an engine that was killed is in the way; we hold the lock, so nobody
/// is behind it.
pub fn listen(home: &Home) -> Result<UnixListener, Refusal> {
    let path = &home.socket;
    let length = path.as_os_str().len();
    if length >= LONGEST_SOCKET {
        let message = format!(
            "the path of the engine's socket has {length} characters, {LONGEST_SOCKET} are too many: {}",
            path.display()
        );
        return Err(Refusal::surroundings(message).hint("set XDG_RUNTIME_DIR to a shorter folder"));
    }
    if let Ok(stranger) = UnixStream::connect(path) {
        let message = "an engine of this workspace runs already, and its state folder was deleted under it";
        return Err(Refusal::surroundings(message).hint(how_to_end(&stranger)));
    }
    let _ = fs::remove(path);
    let bound = UnixListener::bind(path).and_then(|listener| {
        fs::make_private(path)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        Refusal::surroundings(format!("the engine's socket {} cannot be made: {error}", path.display()))
            .hint("XDG_RUNTIME_DIR names another place")
    })
}

fn identity(registration: &Registration, home: &Home) -> Identity {
    Identity {
        id: registration.id.clone(),
        name: registration.name.clone(),
        version: registration.version.clone(),
        pid: registration.pid,
        manifest: registration.manifest.clone(),
        host_label: registration.host_label.clone(),
        front_door: registration.front_door,
        logs: home.logs(),
        started: registration.started.clone(),
    }
}
