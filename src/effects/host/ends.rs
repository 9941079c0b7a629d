//! What a program reads and writes, and our ends of that.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Uid, fchown};
use rustix::pipe::{PipeFlags, pipe_with};

use super::Typed;
use crate::effects::feed::Feed;
use crate::effects::terminal::Terminal;
use crate::launcher::{Account, Input, Seat};
use crate::model::Stdin;
use crate::telemetry::logs::Stream;

/// The ends of a program that is to be launched.
pub struct Ends {
    /// For the log.
    pub read: Vec<(Stream, OwnedFd)>,
    pub input: Option<Input>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Where it is typed.
    pub typed: Option<Typed>,
}

impl Ends {
    /// Two pipes, or a terminal of its own, which belongs to the account that runs it.
    pub fn open(stdin: Stdin, account: Option<&Account>) -> Result<Self, String> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("no pipe for its output: {error}"));
        let (out, stdout) = pipe()?;
        if stdin != Stdin::Terminal {
            let (err, stderr) = pipe()?;
            let read = vec![(Stream::Out, out), (Stream::Err, err)];
            let feed = (stdin == Stdin::Open).then(Feed::open).transpose();
            let (feed, stdin) = feed.map_err(|error| format!("no pipe for its input: {error}"))?.unzip();
            let input = stdin.map(|stdin| Input { stdin, seat: Seat::Own });
            return Ok(Self { read, input, stdout, stderr, typed: feed.map(Typed::Feed) });
        }
        let failed = |error: std::io::Error| format!("no terminal for it: {error}");
        let (terminal, stdin) = Terminal::open(stdout).map_err(failed)?;
        if let Some(account) = account {
            let owner = (Some(Uid::from_raw(account.uid)), None::<Gid>);
            fchown(&stdin, owner.0, owner.1).map_err(|error| failed(error.into()))?;
        }
        let copy = || stdin.as_fd().try_clone_to_owned().map_err(failed);
        let (stdout, stderr) = (copy()?, copy()?);
        let input = Some(Input { stdin, seat: Seat::Terminal });
        Ok(Self { read: vec![(Stream::Out, out)], input, stdout, stderr, typed: Some(Typed::Terminal(terminal)) })
    }
}
