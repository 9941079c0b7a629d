//! The life of one container, from its making to its removal, told as that of a process is.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, KillContainerOptions, StartContainerOptions,
};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::body::{Wanted, body};
use super::clear::{WORKSPACE, remove};
use super::engine::{AGAIN, Ended, said, status, told};
use super::found::Place;
use super::network::Site;
use super::typing::{Seat, Typing};
use super::volumes;
use super::words::Words;
use crate::effects::etc;
use crate::launcher::Line;
use crate::model::{MountSource, Signal};
use crate::plan::NAMESERVER;
use crate::supervise::{Exit, Fact, Incarnation, Left};

/// How long after a container's end its last output may come.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is known of a container once it runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// As the engine calls it.
    pub id: String,
    /// Of its main process, as this machine counts; 0 where the engine has it elsewhere.
    pub pid: u32,
    pub line: Arc<Line>,
}

/// What a life is begun with.
#[derive(Debug)]
pub struct Birth {
    pub incarnation: Incarnation,
    pub wanted: Wanted,
    /// For what it writes; of one with a terminal, its seat has that.
    pub stdout: Option<OwnedFd>,
    pub stderr: OwnedFd,
    pub seat: Seat,
    /// Set before the launch is told.
    pub running: Arc<OnceLock<Running>>,
}

/// A signal on its way to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is to end; where the manifest names no signal, by the image's own.
    Stop(Signal),
    /// What follows is the program's business.
    Other(Signal),
}

/// Until somebody wants it to end.
pub async fn stopped(signals: &mut mpsc::UnboundedReceiver<Sent>) -> Signal {
    loop {
        match signals.recv().await {
            Some(Sent::Stop(signal)) => return signal,
            Some(Sent::Other(_)) => {}
            None => std::future::pending().await,
        }
    }
}

/// How a life ended.
#[derive(Debug)]
pub enum End {
    /// It never ran.
    NotLaunched(String),
    Exited(Exit),
}

impl End {
    /// What that means for the world.
    pub fn fact(self, incarnation: Incarnation) -> Fact {
        match self {
            Self::NotLaunched(reason) => Fact::NotLaunched(incarnation, reason),
            Self::Exited(exit) => Fact::Exited(incarnation, exit, Left::Nothing),
        }
    }
}

/// Lives it to the end. `launched` is called when it runs. Also, whether it was asked to end.
pub async fn live(
    site: &Site,
    wanted: &Wanted,
    (running, mut words, typing): (&OnceLock<Running>, [Words; 2], Typing),
    mut signals: mpsc::UnboundedReceiver<Sent>,
    launched: impl FnOnce(&Running),
) -> (End, bool) {
    let name = wanted.name();
    let waits = waits(&site.engine.place);
    let started = tokio::select! {
        started = told(start(site, wanted, typing.is_open()), words[1].line(&waits)) => started,
        why = site.lost() => return (End::NotLaunched(why), false),
    };
    let (AttachContainerResults { output, input }, inspected) = match started {
        Ok(started) => started,
        Err(reason) => return (End::NotLaunched(reason), false),
    };
    let line = Line::to_container(&site.line, wanted.address(site.subnet));
    let pid = inspected.state.as_ref().and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
    let id = inspected.id.clone().unwrap_or_else(|| name.clone());
    let now = running.get_or_init(|| Running { id: id.clone(), pid: pid.unwrap_or(0), line: Arc::new(line) });
    launched(now);
    let stop = inspected.config.and_then(|config| config.stop_signal).and_then(|word| Signal::parse(&word));
    let (pump, ended) = (pump(output, words), ended(site, &id));
    let typing = typing.pass_on(site.engine.clone(), id.clone(), input);
    tokio::pin!(pump, ended, typing);
    let (mut words, mut exit, mut is_asked) = (None, None, false);
    while exit.is_none() {
        tokio::select! {
            done = &mut pump, if words.is_none() => words = Some(done),
            code = &mut ended => exit = Some(code),
            () = &mut typing => {}
            why = site.lost() => return (End::Exited(Exit::Lost(why)), is_asked),
            Some(sent) = signals.recv() => match sent {
                Sent::Stop(signal) => {
                    is_asked = true;
                    kill(site, &id, if signal == Signal::TERM { stop.unwrap_or(signal) } else { signal });
                }
                Sent::Other(signal) => kill(site, &id, signal),
            }
        }
    }
    let over = async {
        let mut words = match words {
            Some(words) => Some(words),
            None => tokio::time::timeout(LAST_WORDS, &mut pump).await.ok(),
        };
        if is_out_of_memory(site, &id).await
            && let Some([_, stderr]) = &mut words
        {
            stderr.line("nagaya: the kernel ended it, as it took more memory than its limit (`mem_limit`)").await;
        }
        let _ = remove(&site.engine, &id).await;
    };
    tokio::select! {
        () = over => {}
        _ = site.lost() => {}
    }
    (End::Exited(exit.unwrap_or(Exit::Vanished)), is_asked)
}

type Output = std::pin::Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;
type Started = (AttachContainerResults, ContainerInspectResponse);

/// Makes and starts it; its output is listened to before there is any.
async fn start(site: &Site, wanted: &Wanted, is_typed: bool) -> Result<Started, String> {
    let planned = &wanted.planned;
    let container = planned.container().ok_or("it is no container")?;
    let (docker, name) = (&site.engine.docker, wanted.name());
    for mount in &container.settings.mounts {
        if let MountSource::Host(path) = &mount.source
            && !path.exists()
        {
            // Made here it is this account's; the engine would make it root's.
            let made = std::fs::create_dir_all(path);
            made.map_err(|error| format!("the folder {} cannot be made: {error}", path.display()))?;
        }
    }
    let (file, asked) = (&site.resolv_conf, site.subnet.outside(NAMESERVER));
    etc::write_resolv_conf(file, asked, &wanted.namespace)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    let platform = container.image.platform.clone().unwrap_or_default();
    let options = CreateContainerOptions { name: Some(name.clone()), platform };
    let body = body(wanted, &volumes::complete(&site.engine, wanted, container).await?, site)?;
    volumes::make(&site.engine, &body).await?;
    let created = match docker.create_container(Some(options.clone()), body.clone()).await {
        Err(error) if status(&error) == Some(409) => {
            make_way(site, &name, &wanted.workspace).await?;
            docker.create_container(Some(options), body).await
        }
        other => other,
    };
    let created = created.map_err(|error| refused(&error, wanted))?;
    let begun = begin(site, &created.id, wanted, is_typed).await;
    if begun.is_err() {
        // It is ours: one that has only the same name was not made here.
        let _ = remove(&site.engine, &created.id).await;
    }
    begun
}

/// Starts a container that was made.
async fn begin(site: &Site, id: &str, wanted: &Wanted, is_typed: bool) -> Result<Started, String> {
    let docker = &site.engine.docker;
    let listen = AttachContainerOptions {
        stream: true,
        stdin: is_typed,
        stdout: true,
        stderr: true,
        ..AttachContainerOptions::default()
    };
    let attached = docker.attach_container(id, Some(listen)).await.map_err(|error| refused(&error, wanted))?;
    let started = docker.start_container(id, None::<StartContainerOptions>).await;
    started.map_err(|error| refused(&error, wanted))?;
    let inspected = site.engine.inspect(id).await;
    Ok((attached, inspected.map_err(|error| said(&error))?))
}

/// Removes what has the name, where that is the workspace's own: left by an engine that was killed, or removed slowly.
async fn make_way(site: &Site, name: &str, workspace: &str) -> Result<(), String> {
    let found = site.engine.inspect(name).await;
    let labels = found.ok().and_then(|it| it.config).and_then(|it| it.labels).unwrap_or_default();
    match labels.get(WORKSPACE) {
        Some(owner) if owner != workspace => {
            Err(format!("a container of the workspace {owner} is called `{name}` already"))
        }
        None => Err(format!(
            "a container is called `{name}` already, and it is not of this workspace: `docker rm {name}` removes it, or give \
             another `container_name`"
        )),
        Some(_) => remove(&site.engine, name).await,
    }
}

/// What is said where an engine is slow.
pub fn waits(place: &Place) -> String {
    format!("nagaya: waiting for the engine of containers at {place}")
}

/// The engine's words, with what helps.
fn refused(error: &Error, wanted: &Wanted) -> String {
    let words = said(error);
    let image = wanted.image();
    match status(error) {
        Some(404) if words.to_lowercase().contains("no such image") => {
            format!("the image {image} is not there any more; `nagaya restart {}` has it fetched", wanted.planned.name)
        }
        _ if words.contains("docker-init") => {
            format!("`init: true` needs docker-init, which the engine has not (Debian's package tini has it): {words}")
        }
        _ if words.contains("executable file not found") || words.contains("no such file or directory") => {
            format!("its command is not in the image {image}: {words}")
        }
        _ => words,
    }
}

/// Passes output on until it ends; the pipes, for whoever has more to say.
async fn pump(mut output: Output, [mut stdout, mut stderr]: [Words; 2]) -> [Words; 2] {
    while let Some(Ok(piece)) = output.next().await {
        match piece {
            LogOutput::StdErr { message } => stderr.bytes(&message).await,
            LogOutput::StdOut { message } | LogOutput::Console { message } => stdout.bytes(&message).await,
            LogOutput::StdIn { .. } => {}
        }
    }
    [stdout, stderr]
}

/// How it ended, when it has. A process that a signal ended has 128 and its number, as with a shell.
async fn ended(site: &Site, id: &str) -> Exit {
    loop {
        match site.engine.ended(id).await {
            Ended::With(number) => return Exit::Code(i32::try_from(number).unwrap_or(i32::MAX)),
            Ended::Removed => return Exit::Vanished,
            // Where it is gone for good, the site is lost.
            Ended::Unknown => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Does not wait for an engine that may hang.
fn kill(site: &Site, id: &str, signal: Signal) {
    let (engine, id) = (site.engine.clone(), id.to_owned());
    let options = KillContainerOptions { signal: signal.number().to_string() };
    tokio::spawn(async move {
        // It may have ended meanwhile.
        let _ = engine.docker.kill_container(&id, Some(options)).await;
    });
}

async fn is_out_of_memory(site: &Site, id: &str) -> bool {
    let found = site.engine.inspect(id).await;
    found.ok().and_then(|it| it.state).and_then(|it| it.oom_killed).unwrap_or(false)
}
