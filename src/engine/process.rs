//! From the fork to the end of the workspace.
#![allow(clippy::print_stderr, reason = "standard error is the engine's log")]

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::WaitOptions;
use tokio::net::TcpListener;

use super::opening::{Opening, broken, listen};
use super::{Order, Refusal, Reply};
use crate::api;
use crate::effects::places::{Home, Places, workspace_id};
use crate::effects::registry::{self, Registration};
use crate::effects::standard_ports::{self, Claim, STANDARD};
use crate::effects::{bundle, clock, containers, environment, fs, ports, snapshots, start_time, survivors, tries};
use crate::launcher::{Process, close_others};
use crate::plan::Site;
use crate::proxy::Entrance;
use crate::runtime::{Draft, Engine, Laid, lay};

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
            eprintln!("{} engine: {error}", clock::utc());
            ExitCode::FAILURE
        }
    }
}

/// Writes the answer to the `up`.
pub fn answer(mut owner: &UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    owner.write_all(&line)
}

fn serve(order: Order, owner: &UnixStream) -> std::io::Result<()> {
    // Out of the terminal's reach: Ctrl-C there is the `up`'s business, and so are its screen and keys.
    close_others(owner.as_fd());
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"nagaya-engine");
    let null = fs::open_null()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    let launcher = Process::fork()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Err(reply) = runtime.block_on(run_engine(order, launcher, owner)) {
        drop(runtime);
        reap_all();
        answer(owner, &reply)?;
    }
    Ok(())
}

/// Waits for the launcher, which ends when nobody holds the other end of its socket: who is told that nothing was
/// started must find nothing running.
fn reap_all() {
    while let Ok(_) | Err(Errno::INTR) = rustix::process::wait(WaitOptions::empty()) {}
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// From the order to the end of the workspace. An error is the answer to the `up`.
async fn run_engine(order: Order, launcher: Process, owner: &UnixStream) -> Result<(), Reply> {
    let program = environment::program()
        .map_err(|error| Refusal::surroundings(format!("this program cannot be found: {error}")))?;
    let draft = Draft::new(launcher, order.load.clone(), environment::shell_of_services(), program, order.up.color)
        .await
        .map_err(Refusal::Asked)?;
    let places = Places::find().map_err(|error| Refusal::surroundings(error.to_string()))?;
    let manifest = order.load.files.first().map_or(Path::new(""), |path| path);
    let name = order.name(draft.workspace.name.as_str());
    // Who looks for the workspace's own engine is not to find another one.
    let explicit = !draft.workspace.has_own_name || order.matrix.is_some();
    let id = workspace_id(&name, manifest);
    let home = places.home(&id);
    make_folders(&places, &home)?;
    let lock = registry::lock(&home.lock()).map_err(|error| broken("the state cannot be locked", &home, &error))?;
    let Some(lock) = lock else { return Err(Reply::Taken { id }) };
    write_own_log(&home).map_err(|error| broken("the engine's log cannot be written", &home, &error))?;
    let left = end_survivors(&home);
    let uncleared = clear_containers(&home).await;
    snapshots::settle(&home).map_err(|trouble| {
        Refusal::surroundings(format!("a restored snapshot could not be put into its place: {trouble}")).hint(format!(
            "the data is there, and beside it as `.restored-SERVICE`: put what you want into its place, and remove {}",
            snapshots::note(&home).display()
        ))
    })?;
    let listener = listen(&home)?;
    let own_use =
        draft.workspace.services.values().any(|it| it.listen.iter().flatten().any(|it| STANDARD.contains(it)));
    let (standard, refused) = claim_standard_ports(&places, order.standard_ports, own_use);
    let (namerd, unserved) = listen_for_namerd(order.namerd);
    let site = Site {
        id: id.clone(),
        host_label: registry::host_label(&places, &id, &name),
        standard_ports: matches!(standard, Some(Claim::Held(_))),
        trust: bundle::variables(&places),
    };
    let began = clock::utc();
    let laid = lay_matrix(&draft, &order, &home).await?;
    let matrix = laid.as_ref().map(|laid| laid.shown.clone());
    let worktrees = laid.as_ref().map(|laid| laid.worktrees.clone()).unwrap_or_default();
    let draft = match laid {
        Some(laid) => draft.comparing(laid),
        None => draft,
    };
    let made = Engine::new(draft, home.clone(), lock, site)
        .and_then(|(engine, handle)| Ok((engine.selected(&order.up)?, engine, handle)));
    let (services, engine, handle) = match made {
        Ok(made) => made,
        Err(problem) => {
            tries::clear_made(&home, worktrees).await;
            return Err(Refusal::Asked(problem).into());
        }
    };
    let registration = registration(&home, &order, (name, explicit), &engine, began);
    let notices =
        left.into_iter().chain(uncleared).chain(refused).chain(unserved).chain(engine.notices().iter().cloned());
    let notices = notices.chain(engine.rest_notice(&order.up)).collect();
    let entrance = Entrance { places, logs: home.logs(), began, standard };
    let opening = Opening { home: home.clone(), registration, services, notices, matrix, handle, entrance, namerd };
    let owner = owner.try_clone().map_err(|error| Refusal::surroundings(error.to_string()))?;
    // After the first launches, which need none of it: connections to the proxy wait in its listeners meanwhile.
    let (published, ready) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let _ = ready.await;
        opening.open(listener, owner);
    });
    let result = engine.run(order.up, published).await;
    result.map_err(|problem| Refusal::Asked(problem).into())
}

/// The versions that are to be compared. Nothing that an earlier matrix wrote may be taken for what comes of them.
async fn lay_matrix(draft: &Draft, order: &Order, home: &Home) -> Result<Option<Laid>, Refusal> {
    let Some(request) = &order.matrix else { return Ok(None) };
    let data = home.data_dirs();
    for folder in [data.own, data.of_accounts] {
        let is_there = fs::exists(&folder);
        let removed = if is_there { fs::remove_folder(&folder) } else { Ok(()) };
        removed.map_err(|error| broken("the data of an earlier matrix cannot be removed", home, &error))?;
    }
    let volumes = containers::remove_volumes(&home.volumes()).await.map_err(std::io::Error::other);
    volumes.map_err(|error| broken("the volumes of an earlier matrix cannot be removed", home, &error))?;
    fs::remove(&home.routes())
        .map_err(|error| broken("the routes of an earlier matrix cannot be removed", home, &error))?;
    fs::make_private_folder(&home.data()).map_err(|error| broken("there is no place for data", home, &error))?;
    lay(&draft.workspace, request, draft.network, home).await.map(Some).map_err(Refusal::Asked)
}

/// Ports 80 and 443, where they were asked for, and a word to the user where they are not ours now.
fn claim_standard_ports(places: &Places, wanted: bool, own_use: bool) -> (Option<Claim>, Option<String>) {
    if !wanted {
        return (None, None);
    }
    if own_use {
        let word = "the front door is not at ports 80 and 443: a service of this workspace listens there";
        return (None, Some(word.to_owned()));
    }
    match standard_ports::claim(places) {
        Ok(held @ Claim::Held(_)) => (Some(held), None),
        Ok(later @ Claim::Later(_)) => {
            let word = "another workspace holds ports 80 and 443, and passes on what is for this one";
            (Some(later), Some(word.to_owned()))
        }
        Err(why) => (None, Some(format!("the front door is not at ports 80 and 443: {why}"))),
    }
}

/// namerd's API, where it was asked for, and a word to the user where it cannot be served.
fn listen_for_namerd(at: Option<SocketAddr>) -> (Option<TcpListener>, Option<String>) {
    let Some(at) = at else { return (None, None) };
    match api::namerd::listen(at) {
        Ok(listener) => (Some(listener), None),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            (None, Some(format!("namerd's API is not served at {at}: {}", ports::taken_message(at.port()))))
        }
        Err(error) => (None, Some(format!("namerd's API is not served at {at}: {error}"))),
    }
}

/// A note of an engine that is gone tells that it was killed: it may have left processes.
fn end_survivors(home: &Home) -> Option<String> {
    registry::read(home)?;
    let count = survivors::end(&home.id);
    (count > 0).then(|| format!("an engine of this workspace was killed; {count} processes that it left were ended"))
}

/// Containers that an engine left which was killed, with its launcher.
async fn clear_containers(home: &Home) -> Option<String> {
    let cleared = containers::clear(&home.containers()).await;
    cleared.err().map(|reason| format!("containers of an engine that was killed could not be removed: {reason}"))
}

/// From here on whatever the engine has to say goes into a file: the terminal is the `up`'s.
fn write_own_log(home: &Home) -> std::io::Result<()> {
    let log = fs::open_log(&home.engine_log())?;
    rustix::stdio::dup2_stderr(&log)?;
    Ok(())
}

fn make_folders(places: &Places, home: &Home) -> Result<(), Refusal> {
    for folder in [&home.state, &home.logs(), &home.data()] {
        fs::make_private_folder(folder).map_err(|error| {
            Refusal::surroundings(format!("{} cannot be made: {error}", folder.display()))
                .hint("logs and data are kept there; XDG_STATE_HOME names another place")
        })?;
    }
    places.make_runtime().map_err(|error| {
        Refusal::surroundings(format!("the folder for the engine's socket cannot be used: {error}"))
            .hint("XDG_RUNTIME_DIR names another place")
    })
}

fn registration(
    home: &Home,
    order: &Order,
    (name, explicit): (String, bool),
    engine: &Engine,
    began: Timestamp,
) -> Registration {
    let plan = engine.plan();
    let pid = std::process::id();
    Registration {
        id: home.id.clone(),
        name,
        explicit,
        manifest: order.load.files.first().cloned().unwrap_or_default(),
        pid,
        process_started: start_time(pid).unwrap_or(0),
        socket: home.socket.clone(),
        state: home.state.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host_label: plan.host_label.clone(),
        front_door: plan.front_door,
        standard_ports: order.standard_ports,
        namerd: order.namerd,
        started: format!("{began:.9}"),
        ending: false,
    }
}
