//! Starting an engine for a workspace that has none.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the engine is a process")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::engine::{Order, RELEASE, Reply};
use super::error::Error;
use super::locate::places;
use crate::effects::fs::make_private_folder;
use crate::effects::places::Home;

/// An engine that was just started, and belongs to whoever holds this.
#[derive(Debug)]
pub struct Owned {
    pub socket: PathBuf,
    pub notices: Vec<String>,
    line: UnixStream,
}

impl Owned {
    /// Lets go of the engine: it runs on when this process ends.
    pub fn release(mut self) {
        let _ = self.line.write_all(RELEASE);
    }
}

/// What became of the attempt.
#[derive(Debug)]
pub enum Started {
    Now(Owned),
    /// Somebody else was faster.
    Taken,
}

/// Starts an engine and waits until it has a plan and listens, or says why not.
pub fn start(order: &Order) -> Result<Started, Error> {
    let home = places()?.home(&order.id);
    let log = open_log(&home)?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| Error::failed(format!("no socket: {error}")))?;
    let program =
        std::env::current_exe().map_err(|error| Error::failed(format!("this program cannot be found: {error}")))?;
    let copy = log.try_clone().map_err(|error| Error::failed(format!("the engine's log: {error}")))?;
    // Dropped without being waited for: the engine outlives this process, or ends with it.
    let child = Command::new(program)
        .arg0("nagaya")
        .arg("engine")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(log)
        .stderr(copy)
        .spawn()
        .map_err(|error| Error::failed(format!("the engine could not be started: {error}")))?;
    let reply = converse(&ours, order).map_err(|error| {
        let said = std::fs::read_to_string(home.engine_log()).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(10).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Error::failed(format!("the engine ended before it was ready: {error}")).detail(last.join("\n"))
    })?;
    drop(child);
    match reply {
        Reply::Running { socket, notices } => Ok(Started::Now(Owned { socket, notices, line: ours })),
        Reply::Taken => Ok(Started::Taken),
        Reply::Refused(problem) => Err(problem.into()),
        Reply::Failed { message, hint } => Err(hint.into_iter().fold(Error::failed(message), Error::hint)),
    }
}

fn converse(mut line: &UnixStream, order: &Order) -> std::io::Result<Reply> {
    let mut text = serde_json::to_vec(order)?;
    text.push(b'\n');
    line.write_all(&text)?;
    let mut reply = String::new();
    BufReader::new(line).read_line(&mut reply)?;
    if reply.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&reply)?)
}

/// Where the engine itself writes when something goes wrong; the state's folder is made for it.
fn open_log(home: &Home) -> Result<std::fs::File, Error> {
    let told = |error: std::io::Error| {
        Error::failed(format!("{} cannot be written: {error}", home.state.display()))
            .hint("logs and data are kept there; XDG_STATE_HOME names another place")
    };
    make_private_folder(&home.state).map_err(told)?;
    let log = home.engine_log();
    OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(told)
}
