//! Finding the engine of a workspace, or starting one.

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::WaitOptions;

use super::{Order, Refusal, Reply, Running, aftermath, owner, process};
use crate::effects::places::{Home, Places};
use crate::effects::registry::{self, Registration};
use crate::launcher::{Forked, fork, leave};

/// An engine that was just started, and belongs to whoever holds this.
#[derive(Debug)]
pub struct Owned(UnixStream);

impl Owned {
    /// Lets go of the engine: it runs on when this process ends.
    pub fn release(self) {
        owner::release(self.0);
    }

    /// Gives the engine to whoever has the other end of a socket. An error where nobody is there; the engine ends then.
    pub fn give(self, to: impl AsFd) -> std::io::Result<()> {
        owner::give(&self.0, to.as_fd())
    }

    /// Takes an engine as soon as it is given; none where the other end closes without.
    pub async fn given(from: &UnixStream) -> Option<Self> {
        owner::given(from).await.map(Self)
    }

    /// Takes an engine that was given; none where none was.
    pub fn take(from: &UnixStream) -> Option<Self> {
        owner::take(from).map(Self)
    }
}

/// The engine of an `up`.
#[derive(Debug)]
pub enum Found {
    Running(Box<Registration>),
    Started(Box<Running>, Owned),
}

/// Finds the running engine or starts one, which is a fork of this process: it must have one thread still. `tell`
/// takes a word to the user about a wait.
pub fn find_or_start(places: &Places, order: &Order, tell: &dyn Fn(&str)) -> Result<Found, Refusal> {
    let mut taken: Option<Home> = None;
    loop {
        let found = match (&order.matrix, &taken) {
            (None, None) => registry::find(places, order.load.files.first(), order.load.project.as_deref()),
            // It was given by `-p` the name that the manifest has, which is known only when that has been read.
            (None, Some(home)) => registry::read(home).filter(|engine| engine.is_alive() && !engine.ending),
            // What it is called is known only when its manifest has been read.
            (Some(_), Some(home)) => registry::read(home).filter(Registration::is_alive),
            (Some(_), None) => None,
        };
        if let Some(engine) = found {
            return Ok(Found::Running(Box::new(engine)));
        }
        let id = match start(order, tell)? {
            Started::Now(running, owned) => return Ok(Found::Started(running, owned)),
            Started::Taken(id) => id,
        };
        let home = taken.insert(places.home(&id));
        aftermath::wait(home, tell)?;
    }
}

enum Started {
    Now(Box<Running>, Owned),
    /// Somebody else has the workspace of this id.
    Taken(String),
}

/// Starts an engine and waits until it has a plan and listens, or says why not.
fn start(order: &Order, tell: &dyn Fn(&str)) -> Result<Started, Refusal> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|error| Refusal::surroundings(format!("no socket can be made: {error}")))?;
    let forked = fork().map_err(|error| Refusal::surroundings(format!("the engine could not be started: {error}")))?;
    let engine = match forked {
        Forked::Parent(engine) => engine,
        Forked::Child => {
            drop(ours);
            leave(process::run(order.clone(), theirs))
        }
    };
    drop(theirs);
    let late = Timespec { tv_sec: 2, tv_nsec: 0 };
    if poll(&mut [PollFd::new(&ours, PollFlags::IN)], Some(&late)) == Ok(0) {
        tell("waiting for the engine, which has to clear up after an earlier one, or reads much");
    }
    let reply = read_reply(&ours).map_err(|error| {
        Refusal::surroundings(format!("the engine ended before it was ready: {error}"))
            .hint("its own words are in `engine.log` in the workspace's state")
    })?;
    match reply {
        Reply::Running(running) => Ok(Started::Now(running, Owned(ours))),
        Reply::Taken { id } => Ok(Started::Taken(id)),
        Reply::Refused(refusal) => {
            // It has nothing left to do but to end.
            let _ = rustix::process::waitpid(Some(engine), WaitOptions::empty());
            Err(refusal)
        }
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
