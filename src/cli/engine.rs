//! `nagaya engine` and `nagaya launcher`: the two processes behind a workspace, started by `up` and by the engine.
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "this is where processes are put together")]

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use super::locate::{places, shell};
use crate::api::{self, Identity};
use crate::effects::places::{Home, LONGEST_SOCKET, Places};
use crate::effects::registry::{self, Registration};
use crate::effects::{fs, start_time};
use crate::manifest::Request;
use crate::proxy;
use crate::runtime::{Ask, Engine, Handle, Problem, Setup, UpRequest};

/// What `up` tells the engine that it starts, as one line on the engine's standard input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub id: String,
    pub name: String,
    pub load: Request,
    pub up: UpRequest,
}

/// What the engine answers, as one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Running {
        socket: PathBuf,
        notices: Vec<String>,
    },
    /// Another engine has this workspace.
    Taken,
    Refused(Problem),
    Failed {
        message: String,
        hint: Option<String>,
    },
}

/// The word by which an `up` gives up its ownership; without it, the end of the `up` ends the engine.
pub const RELEASE: &[u8] = b"release\n";

/// The launcher's process: its standard input is the socket to the engine.
pub fn launcher() -> ExitCode {
    let Some(engine) = standard_socket() else { return ExitCode::from(2) };
    // `ps` shows a name of its own.
    let _ = rustix::thread::set_name(c"nagaya-launch");
    match crate::launcher::serve(engine) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launcher: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Standard input as the socket that it is, when a process of ours was started as it should be.
fn standard_socket() -> Option<UnixStream> {
    let input: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    rustix::net::sockopt::socket_type(&input).ok()?;
    Some(UnixStream::from(input))
}

/// The engine's process: its standard input is a socket to the `up` that started it.
pub fn run() -> ExitCode {
    let Some(owner) = standard_socket() else {
        eprintln!("`nagaya engine` is started by `nagaya up`");
        return ExitCode::from(2);
    };
    match serve(owner) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} engine: {error}", Timestamp::now());
            ExitCode::FAILURE
        }
    }
}

fn serve(owner: UnixStream) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(&owner).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    // Out of the terminal's reach: Ctrl-C there is the `up`'s business.
    let _ = rustix::process::setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(run_engine(order, &owner));
    match result {
        Ok(()) => Ok(()),
        Err(reply) => {
            answer(&owner, &reply)?;
            Ok(())
        }
    }
}

fn answer(mut owner: &UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    owner.write_all(&line)
}

/// From the order to the end of the workspace. An error is the answer to the `up`.
async fn run_engine(order: Order, owner: &UnixStream) -> Result<(), Reply> {
    let places = places().map_err(|error| Reply::Failed { message: error.message, hint: None })?;
    let home = places.home(&order.id);
    make_folders(&places, &home)?;
    let Some(lock) =
        registry::lock(&home.lock()).map_err(|error| failed("the state cannot be locked", &home, &error))?
    else {
        return Err(Reply::Taken);
    };
    let listener = listen(&home)?;
    let host_label = registry::host_label(&places, &order.id, &order.name);
    let program = std::env::current_exe().map_err(|error| failed("this program cannot be found", &home, &error))?;
    let setup = Setup { home: home.clone(), load: order.load.clone(), shell: shell(), host_label, program };
    let (engine, handle) = Engine::new(setup).map_err(Reply::Refused)?;
    // After the launcher was started, which keeps the shell's own limit for the services.
    raise_descriptor_limit();
    proxy::start(handle.clone()).map_err(|error| failed("the proxy could not be started", &home, &error))?;
    let registration =
        register(&home, &order, &engine).map_err(|error| failed("the engine cannot be registered", &home, &error))?;
    tokio::spawn(api::serve(listener, handle.clone(), identity(&registration, &home)));
    tokio::spawn(end_on_signal(handle.clone()));
    let notices = engine.notices().to_vec();
    let running = Reply::Running { socket: home.socket.clone(), notices };
    // An `up` that is gone already is an owner that is gone.
    let _ = answer(owner, &running);
    tokio::spawn(end_with_owner(owner.try_clone().ok(), handle));
    let result = engine.run(order.up).await;
    registry::remove(&home);
    drop(lock);
    result.map_err(Reply::Refused)
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

/// Two descriptors a proxied connection, two a service: the usual 1024 are soon gone.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

fn register(home: &Home, order: &Order, engine: &Engine) -> std::io::Result<Registration> {
    let plan = engine.plan();
    let pid = std::process::id();
    let registration = Registration {
        id: home.id.clone(),
        name: order.name.clone(),
        explicit: order.load.project.is_some(),
        manifest: order.load.files.first().cloned().unwrap_or_default(),
        pid,
        process_started: start_time(pid).unwrap_or(0),
        socket: home.socket.clone(),
        state: home.state.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host_label: plan.host_label.clone(),
        front_door: plan.front_door,
        started: format!("{:.9}", Timestamp::now()),
    };
    registry::write(home, &registration)?;
    Ok(registration)
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
async fn end_with_owner(owner: Option<UnixStream>, handle: Handle) {
    let Some(owner) = owner else { return };
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
