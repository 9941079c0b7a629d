//! The engine's process and the launcher's: the two behind a workspace, put together here.
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "this is where processes are put together")]

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use super::locate::{self, places, shell};
use crate::api::{self, Identity};
use crate::effects::places::{Home, LONGEST_SOCKET, Places};
use crate::effects::registry::{self, Registration};
use crate::effects::{fs, start_time};
use crate::launcher::Process;
use crate::manifest::Request;
use crate::proxy;
use crate::runtime::{Ask, Draft, Engine, Handle, Problem, UpRequest};

/// What `up` tells the engine that it starts.
#[derive(Debug, Clone)]
pub struct Order {
    pub load: Request,
    pub up: UpRequest,
}

/// What the engine answers, as one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Running(Box<Running>),
    /// Another engine has this workspace.
    Taken {
        id: String,
    },
    Refused(Problem),
    Failed {
        message: String,
        hint: Option<String>,
    },
}

/// An engine that has a plan and listens.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    pub socket: PathBuf,
    pub identity: Identity,
    /// The services that the `up` is about.
    pub services: Vec<String>,
    /// Warnings, drawn.
    pub notices: Vec<String>,
}

/// The word by which an `up` gives up its ownership; without it, the end of the `up` ends the engine.
pub const RELEASE: &[u8] = b"release\n";

/// The process of a launcher that takes the place of a lost one: its standard input is the socket to the engine.
pub fn launcher() -> ExitCode {
    let input: Option<OwnedFd> = std::io::stdin().as_fd().try_clone_to_owned().ok();
    let engine = input.filter(|input| rustix::net::sockopt::socket_type(input).is_ok()).map(UnixStream::from);
    match engine.map(crate::launcher::serve) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(_)) => ExitCode::FAILURE,
        None => {
            eprintln!("`nagaya launcher` is started by an engine");
            ExitCode::from(2)
        }
    }
}

/// The engine's process, fresh from the fork: `owner` leads to the `up` that started it.
pub fn run(order: Order, owner: UnixStream) -> ExitCode {
    match serve(order, &owner) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} engine: {error}", Timestamp::now());
            ExitCode::FAILURE
        }
    }
}

fn serve(order: Order, owner: &UnixStream) -> std::io::Result<()> {
    // Out of the terminal's reach: Ctrl-C there is the `up`'s business, and so are its screen and keys.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"nagaya-engine");
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    let launcher = Process::fork()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Err(reply) = runtime.block_on(run_engine(order, launcher, owner)) {
        answer(owner, &reply)?;
    }
    Ok(())
}

fn answer(mut owner: &UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    owner.write_all(&line)
}

/// From the order to the end of the workspace. An error is the answer to the `up`.
async fn run_engine(order: Order, launcher: Process, owner: &UnixStream) -> Result<(), Reply> {
    let broken = |message: String| Reply::Failed { message, hint: None };
    let program = std::env::current_exe().map_err(|error| broken(format!("this program cannot be found: {error}")))?;
    let draft = Draft::new(launcher, order.load.clone(), shell(), program, order.up.color).map_err(Reply::Refused)?;
    let places = places().map_err(|error| broken(error.message))?;
    let id = locate::id(&draft.workspace, &order.load);
    let home = places.home(&id);
    make_folders(&places, &home)?;
    let lock = registry::lock(&home.lock()).map_err(|error| failed("the state cannot be locked", &home, &error))?;
    let Some(lock) = lock else { return Err(Reply::Taken { id }) };
    write_own_log(&home).map_err(|error| failed("the engine's log cannot be written", &home, &error))?;
    let listener = listen(&home)?;
    let name = draft.workspace.name.to_string();
    let host_label = registry::host_label(&places, &id, &name);
    let (engine, handle) = Engine::new(draft, home.clone(), host_label).map_err(Reply::Refused)?;
    let services = engine.selected(&order.up).map_err(Reply::Refused)?;
    let registration = registration(&home, &order.load, name, &engine);
    let opening = Opening { home: home.clone(), registration, services, notices: engine.notices().to_vec(), handle };
    let owner = owner.try_clone().map_err(|error| broken(error.to_string()))?;
    // Beside the first launches, which need none of it.
    tokio::spawn(async move { opening.open(listener, owner) });
    let result = engine.run(order.up).await;
    registry::remove(&home);
    drop(lock);
    result.map_err(Reply::Refused)
}

/// What is left to do when the first services are being launched: serve, be found, and answer the `up`.
struct Opening {
    home: Home,
    registration: Registration,
    services: Vec<String>,
    notices: Vec<String>,
    handle: Handle,
}

impl Opening {
    fn open(self, listener: UnixListener, owner: UnixStream) {
        let handle = self.handle.clone();
        let reply = self.serve(listener).unwrap_or_else(|reply| {
            let _ = handle.asks.send(Ask::Down { force: true });
            reply
        });
        // An `up` that is gone already is an owner that is gone.
        let _ = answer(&owner, &reply);
        tokio::spawn(end_with_owner(owner, handle));
    }

    fn serve(self, listener: UnixListener) -> Result<Reply, Reply> {
        let Self { home, registration, services, notices, handle } = self;
        proxy::start(handle.clone()).map_err(|error| failed("the proxy could not be started", &home, &error))?;
        registry::write(&home, &registration)
            .map_err(|error| failed("the engine cannot be registered", &home, &error))?;
        let identity = identity(&registration, &home);
        tokio::spawn(api::serve(listener, handle.clone(), identity.clone()));
        tokio::spawn(end_on_signal(handle));
        Ok(Reply::Running(Box::new(Running { socket: home.socket, identity, services, notices })))
    }
}

/// From here on whatever the engine has to say goes into a file: the terminal is the `up`'s.
fn write_own_log(home: &Home) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let log = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(home.engine_log())?;
    rustix::stdio::dup2_stderr(&log)?;
    Ok(())
}

fn make_folders(places: &Places, home: &Home) -> Result<(), Reply> {
    for folder in [&home.state, &home.logs(), &home.data()] {
        fs::make_private_folder(folder).map_err(|error| Reply::Failed {
            message: format!("{} cannot be made: {error}", folder.display()),
            hint: Some("logs and data are kept there; XDG_STATE_HOME names another place".to_owned()),
        })?;
    }
    places.make_runtime().map_err(|error| Reply::Failed {
        message: format!("the folder for the engine's socket cannot be used: {error}"),
        hint: Some("XDG_RUNTIME_DIR names another place".to_owned()),
    })
}

fn failed(what: &str, home: &Home, error: &std::io::Error) -> Reply {
    Reply::Failed {
        message: format!("{what}: {error}"),
        hint: Some(format!("the state is in {}", home.state.display())),
    }
}

/// The socket for clients. A file that is left of an engine that was killed is in the way; we hold the lock, so nobody
/// is behind it.
fn listen(home: &Home) -> Result<UnixListener, Reply> {
    let path = &home.socket;
    let length = path.as_os_str().len();
    if length >= LONGEST_SOCKET {
        return Err(Reply::Failed {
            message: format!(
                "the path of the engine's socket has {length} characters, {LONGEST_SOCKET} are too many: {}",
                path.display()
            ),
            hint: Some("set XDG_RUNTIME_DIR to a shorter folder".to_owned()),
        });
    }
    let _ = std::fs::remove_file(path);
    let bound = UnixListener::bind(path).and_then(|listener| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    bound.map_err(|error| Reply::Failed {
        message: format!("the engine's socket {} cannot be made: {error}", path.display()),
        hint: Some("XDG_RUNTIME_DIR names another place".to_owned()),
    })
}

fn registration(home: &Home, load: &Request, name: String, engine: &Engine) -> Registration {
    let plan = engine.plan();
    let pid = std::process::id();
    Registration {
        id: home.id.clone(),
        name,
        explicit: load.project.is_some(),
        manifest: load.files.first().cloned().unwrap_or_default(),
        pid,
        process_started: start_time(pid).unwrap_or(0),
        socket: home.socket.clone(),
        state: home.state.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host_label: plan.host_label.clone(),
        front_door: plan.front_door,
        started: format!("{:.9}", Timestamp::now()),
    }
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

/// SIGTERM stops everything in order; a second one kills.
async fn end_on_signal(handle: Handle) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    let mut force = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = handle.asks.send(Ask::Down { force });
        force = true;
    }
}

/// The engine belongs to the `up` that started it, until that lets go of it.
async fn end_with_owner(owner: UnixStream, handle: Handle) {
    if owner.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(mut owner) = tokio::net::UnixStream::from_std(owner) else { return };
    let mut word = Vec::new();
    let _ = owner.read_to_end(&mut word).await;
    if !word.ends_with(RELEASE) {
        let _ = handle.asks.send(Ask::Down { force: false });
    }
}
