//! The process of a task: what it reads and writes, what it is asked, and what it leaves behind.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::flow::{Asked, Broken, Flow, OURS, Result};
use super::log::{Log, Stream};
use super::processes::{Channel, Ended, NotRun, Running};
use super::{Channels, Job, News};
use crate::effects::clock::Clock;
use crate::effects::fs;
use crate::launcher::{Input, Seat};
use crate::model::Signal;
use crate::pipeline::Lines;
use crate::supervise::Exit;

/// What processes that a task left behind get to end in.
const AFTERMATH: Duration = Duration::from_secs(2);
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What became of the process of a task.
pub(super) struct Finished {
    pub exit: Exit,
    pub stopped: bool,
    pub log: Log,
    pub took: Duration,
}

impl Finished {
    /// Whether it has done what it was to do.
    pub fn is_well(&self) -> bool {
        self.exit == Exit::Code(0) && !self.stopped
    }
}

impl Flow {
    /// Runs its process to the end of all that belongs to it.
    pub(super) async fn process(
        &self,
        place: usize,
        job: &Job,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<Finished> {
        let clock = Clock::start();
        let broken = |error: io::Error| Broken::ours(format!("no pipe for its output: {error}"));
        let (channel, outputs) = channel(job.channels).map_err(broken)?;
        let mut running = self.processes.start(job, &job.argv, channel);
        let log = Arc::new(Mutex::new(Log::default()));
        let reading = async {
            let [out, err] = outputs;
            tokio::join!(self.read(place, Stream::Out, out, &log), self.read(place, Stream::Err, err, &log));
        };
        let mut reading = std::pin::pin!(reading);
        let mut ending = std::pin::pin!(self.until_end(job, place, &mut running, asked));
        let mut is_read = false;
        let (exit, stopped) = loop {
            tokio::select! {
                ended = &mut ending => break ended?,
                () = &mut reading, if !is_read => is_read = true,
            }
        };
        if !is_read && tokio::time::timeout(AFTERMATH, reading).await.is_err() {
            // Without its mark it cannot be known whose it is; the launcher's end is its end too.
            self.note(place, "a process that it left behind holds its output open".to_owned()).await;
        }
        let log = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Finished { exit, stopped, log, took: clock.now().0 })
    }

    /// Waits for the main process, passing on what is asked, and ends what it leaves behind.
    async fn until_end(
        &self,
        job: &Job,
        place: usize,
        running: &mut Running,
        asked: &mut watch::Receiver<Asked>,
    ) -> Result<(Exit, bool)> {
        let ended = loop {
            tokio::select! {
                ended = &mut running.end => break ended.unwrap_or(Err(NotRun::Lost)),
                Ok(()) = asked.changed() => pass_on(running, *asked.borrow_and_update(), job.channels),
            }
        };
        let stopped = *asked.borrow() != Asked::Nothing;
        match ended {
            Ok(Ended { exit, left: false }) => Ok((exit, stopped)),
            Ok(Ended { exit, left: true }) => {
                if !stopped {
                    self.note(place, "it left processes behind, which are ended".to_owned()).await;
                }
                running.signal(Signal::TERM);
                let is_gone = tokio::select! {
                    gone = tokio::time::timeout(AFTERMATH, &mut running.gone) => gone.is_ok(),
                    () = until_kill(asked) => false,
                };
                if !is_gone {
                    running.signal(Signal::KILL);
                    let _ = (&mut running.gone).await;
                }
                Ok((exit, stopped))
            }
            Err(NotRun::Lost) => Err(Broken { stopped, ..Broken::ours("its launcher was killed") }),
            Err(NotRun::Refused(error)) => Err(Broken { stopped, ..not_run(job, &error) }),
        }
    }

    /// Tells each line until whoever writes is gone.
    async fn read(&self, place: usize, stream: Stream, output: Option<OwnedFd>, log: &Mutex<Log>) {
        let Some(Ok(mut pipe)) = output.map(pipe::Receiver::from_owned_fd) else { return };
        let mut lines = Lines::default();
        let mut piece = vec![0; 16 << 10];
        let mut whole = Vec::new();
        while let Ok(count) = pipe.read(&mut piece).await {
            if count == 0 {
                lines.rest(|line| whole.push(line.to_vec()));
            }
            lines.add(&piece[..count], |line| whole.push(line.to_vec()));
            for line in whole.drain(..) {
                log.lock().unwrap_or_else(PoisonError::into_inner).add(stream, &line);
                self.tell(News::Line(place, stream, line)).await;
            }
            if count == 0 {
                return;
            }
        }
    }
}

fn not_run(job: &Job, error: &io::Error) -> Broken {
    let program = job.argv.first().map_or("", String::as_str);
    let path = job.variables.get("PATH").map(OsStr::new);
    let (code, reason) = match error.kind() {
        _ if !fs::is_folder(&job.folder) => (OURS, format!("the folder {} is not there", job.folder.display())),
        _ if fs::is_missing(OsStr::new(program), path, error) => (NOT_FOUND, format!("`{program}` cannot be found")),
        io::ErrorKind::PermissionDenied => (NOT_EXECUTABLE, format!("`{program}` may not be executed")),
        _ => (OURS, format!("`{program}`: {error}")),
    };
    Broken { code, reason: Some(reason), stopped: false }
}

/// Whoever asks twice waits for nothing.
async fn until_kill(asked: &mut watch::Receiver<Asked>) {
    if asked.wait_for(|asked| *asked == Asked::Kill).await.is_err() {
        std::future::pending().await
    }
}

/// A terminal has told its own group already, and a second Ctrl-C would mean more than the first.
fn pass_on(running: &Running, asked: Asked, channels: Channels) {
    match asked {
        Asked::Nothing => {}
        Asked::Stop(Signal::INT) if channels == (Channels::Ours { terminal: true }) => {}
        Asked::Stop(signal) => running.signal(signal),
        Asked::Kill => running.signal(Signal::KILL),
    }
}

pub(super) fn channel(channels: Channels) -> io::Result<(Channel, [Option<OwnedFd>; 2])> {
    if let Channels::Ours { terminal } = channels {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
        let group = || rustix::process::getpgrp().as_raw_nonzero().get().unsigned_abs();
        let seat = if terminal { Seat::Group(group()) } else { Seat::Own };
        let channel = Channel {
            input: Some(Input { stdin, seat }),
            stdout: std::io::stdout().as_fd().try_clone_to_owned()?,
            stderr: std::io::stderr().as_fd().try_clone_to_owned()?,
        };
        return Ok((channel, [None, None]));
    }
    let (out, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (err, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Channel { input: None, stdout, stderr }, [Some(out), Some(err)]))
}
