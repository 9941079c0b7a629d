//! Processes of tasks, each with its whole family.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot, watch};

use super::Job;
use crate::effects::environment;
use crate::launcher::{Client, Entering, Input, Launch, Process, Report, TOKEN};
use crate::model::Signal;
use crate::supervise::{Exit, Incarnation};

/// Starts processes and is told of their ends.
#[derive(Debug, Clone)]
pub struct Processes {
    launcher: Client,
    token: Arc<str>,
    program: Arc<Path>,
    waiting: Arc<Mutex<Waiting>>,
    /// Closed when the launcher is gone.
    over: watch::Receiver<()>,
}

/// A launcher whose processes the kernel holds is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    ends: HashMap<Incarnation, Ends>,
}

/// Who waits for the end of a process, and for that of all that it left behind.
#[derive(Debug)]
struct Ends {
    end: Option<oneshot::Sender<Result<Ended, NotRun>>>,
    gone: Option<oneshot::Sender<()>>,
}

/// How a main process ended.
#[derive(Debug)]
pub struct Ended {
    pub exit: Exit,
    /// Some of its processes are still there.
    pub left: bool,
}

/// What a command that was asked said.
#[derive(Debug)]
pub struct Said {
    pub exit: Exit,
    pub output: Vec<u8>,
}

/// No answer is longer.
const LONGEST: usize = 16 << 20;

/// Why a process never ran.
#[derive(Debug)]
pub enum NotRun {
    Refused(io::Error),
    /// The launcher is gone.
    Lost,
}

/// What a process is given.
#[derive(Debug)]
pub struct Channel {
    pub input: Option<Input>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// A process under way. Dropping it kills what is left of it.
#[derive(Debug)]
pub struct Running {
    key: Incarnation,
    launcher: Client,
    pub end: oneshot::Receiver<Result<Ended, NotRun>>,
    pub gone: oneshot::Receiver<()>,
}

impl Processes {
    /// Processes of a launcher, on the present runtime.
    pub fn new(process: Process) -> io::Result<Self> {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let launcher = Client::new(process, sender)?;
        let token = format!("run:{}:{:016x}", std::process::id(), fastrand::u64(..));
        let (alive, over) = watch::channel(());
        let program = environment::program()?.into();
        let processes = Self { launcher, token: token.into(), program, waiting: Arc::default(), over };
        let own = processes.clone();
        tokio::spawn(async move {
            while let Some(report) = reports.recv().await {
                own.take(report);
            }
            drop(alive);
        });
        Ok(processes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, report: Report) {
        let mut waiting = self.lock();
        match report {
            Report::Launched(..) | Report::Dialled(..) => {}
            Report::NotLaunched(key, failure) => {
                let ends = waiting.ends.remove(&key);
                tell(ends.and_then(|ends| ends.end), Err(NotRun::Refused(failure.error())));
            }
            Report::Exited(key, exit, left) => {
                let left = !left.is_empty();
                match waiting.ends.get_mut(&key) {
                    Some(ends) if left => tell(ends.end.take(), Ok(Ended { exit, left })),
                    _ => tell(waiting.ends.remove(&key).and_then(|ends| ends.end), Ok(Ended { exit, left })),
                }
            }
            Report::Gone(key) => tell(waiting.ends.remove(&key).and_then(|ends| ends.gone), ()),
            Report::Lost => {
                for (_, ends) in waiting.ends.drain() {
                    tell(ends.end, Err(NotRun::Lost));
                }
            }
        }
    }

    /// Starts the command of a task.
    pub fn start(&self, job: &Job, argv: &[String], channel: Channel) -> Running {
        let (end, ended) = oneshot::channel();
        let (gone, is_gone) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.next += 1;
        let key = Incarnation(waiting.next);
        waiting.ends.insert(key, Ends { end: Some(end), gone: Some(gone) });
        drop(waiting);
        let Channel { input, stdout, stderr } = channel;
        let mark = format!("{}:{:x}", self.token, key.0);
        let folder = job.folder.to_string_lossy();
        let own = [("PWD", folder.as_ref()), (TOKEN, mark.as_str())];
        let is_own = |name: &str| own.iter().any(|(known, _)| *known == name);
        let given = job.variables.iter().filter(|(name, _)| !is_own(name));
        let variables = given.map(|(name, value)| (name.as_str(), value.as_str())).chain(own);
        let launch = Launch {
            incarnation: key,
            argv: block(self.entering(job).iter().chain(argv).map(String::as_bytes)),
            environment: block(variables.map(|(name, value)| format!("{name}={value}").into_bytes())),
            folder: block([job.folder.as_os_str().as_encoded_bytes()]),
            account: None,
            pod: None,
            input,
            stdout,
            stderr,
        };
        if !self.launcher.launch(launch) {
            tell(self.lock().ends.remove(&key).and_then(|ends| ends.end), Err(NotRun::Lost));
        }
        Running { key, launcher: self.launcher.clone(), end: ended, gone: is_gone }
    }

    /// Starts the command of a task with our own input and outputs.
    pub fn start_ours(&self, job: &Job) -> io::Result<Running> {
        let (channel, _) = super::process::channel(job.channels)?;
        Ok(self.start(job, &job.argv, channel))
    }

    /// What a command prints on both its outputs, until it has ended and all that it started. It reads nothing.
    pub async fn ask(&self, job: &Job, argv: &[String], limit: Duration) -> io::Result<Said> {
        let (output, end) = pipe_with(PipeFlags::CLOEXEC)?;
        let copy = end.try_clone()?;
        let mut running = self.start(job, argv, Channel { input: None, stdout: end, stderr: copy });
        let all = async {
            let reading = read_some(output);
            let ending = async {
                let ended = (&mut running.end).await;
                running.signal(Signal::KILL);
                ended
            };
            tokio::join!(ending, reading)
        };
        match tokio::time::timeout(limit, all).await {
            Err(_) => Err(io::Error::other(format!("no answer after {limit:?}"))),
            Ok((Ok(Ok(Ended { exit, .. })), output)) => Ok(Said { exit, output: output? }),
            Ok((Ok(Err(NotRun::Refused(error))), _)) => Err(error),
            Ok((Ok(Err(NotRun::Lost)) | Err(_), _)) => Err(io::Error::other("the launcher is gone")),
        }
    }

    /// This program's words that go into the job's pod, where it has one.
    fn entering(&self, job: &Job) -> Vec<String> {
        let enter = |init| Entering { init, account: None }.command(&self.program);
        job.pod.map(enter).unwrap_or_default()
    }

    /// Ends the launcher and all that it started. It is gone by then: whoever waits for this program alone, as another run
    /// does, would find it left behind.
    pub async fn end(self) {
        self.launcher.end();
        let mut over = self.over.clone();
        let _ = tokio::time::timeout(PATIENCE, over.changed()).await;
    }
}

/// Reads to the end, and keeps what a sensible answer can have.
async fn read_some(output: OwnedFd) -> io::Result<Vec<u8>> {
    let mut pipe = pipe::Receiver::from_owned_fd(output)?;
    let mut kept = Vec::new();
    let mut piece = vec![0; 16 << 10];
    loop {
        match pipe.read(&mut piece).await? {
            0 => return Ok(kept),
            _ if kept.len() >= LONGEST => {}
            count => kept.extend_from_slice(&piece[..count]),
        }
    }
}

/// Whoever waited may have gone.
fn tell<T>(whom: Option<oneshot::Sender<T>>, what: T) {
    let _ = whom.map(|whom| whom.send(what));
}

/// Texts as `execve` wants them, each with a zero at its end; one within would end it early.
fn block<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.extend(text.as_ref().iter().filter(|byte| **byte != 0));
        out.push(0);
    }
    out
}

impl Running {
    /// Signals all of its processes.
    pub fn signal(&self, signal: Signal) {
        self.launcher.signal(self.key, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
