//! Starting an engine for a workspace that has none.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use super::engine::{self, Order, RELEASE, Reply, Running};
use super::error::Error;
use crate::launcher::{Forked, fork, leave};

/// An engine that was just started, and belongs to whoever holds this.
#[derive(Debug)]
pub struct Owned(UnixStream);

impl Owned {
    /// Lets go of the engine: it runs on when this process ends.
    pub fn release(mut self) {
        let _ = self.0.write_all(RELEASE);
    }
}

/// What became of the attempt.
#[derive(Debug)]
pub enum Started {
    Now(Box<Running>, Owned),
    /// Somebody else was faster; the workspace's id.
    Taken(String),
}

/// Starts an engine and waits until it has a plan and listens, or says why not. This process has one thread still.
pub fn start(order: &Order) -> Result<Started, Error> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| Error::failed(format!("no socket: {error}")))?;
    match fork().map_err(|error| Error::failed(format!("the engine could not be started: {error}")))? {
        Forked::Parent(_) => drop(theirs),
        Forked::Child => {
            drop(ours);
            leave(engine::run(order.clone(), theirs))
        }
    }
    let reply = read_reply(&ours).map_err(|error| {
        Error::failed(format!("the engine ended before it was ready: {error}"))
            .hint("its own words are in `engine.log` in the workspace's state")
    })?;
    match reply {
        Reply::Running(running) => Ok(Started::Now(running, Owned(ours))),
        Reply::Taken { id } => Ok(Started::Taken(id)),
        Reply::Refused(problem) => Err(problem.into()),
        Reply::Failed { message, hint } => Err(hint.into_iter().fold(Error::failed(message), Error::hint)),
    }
}

fn read_reply(line: &UnixStream) -> std::io::Result<Reply> {
    let mut reply = String::new();
    BufReader::new(line).read_line(&mut reply)?;
    if reply.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&reply)?)
}
