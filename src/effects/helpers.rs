//! Processes that are not instances: what probes and setup steps run.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::texts::{self, Variables};
use crate::launcher::{Account, Client, Launch, TOKEN, pod};
use crate::model::Signal;
use crate::supervise::{Exit, Incarnation};

/// A process that is not an instance: a probe's command, a setup step.
pub struct Task {
    pub argv: Vec<String>,
    pub variables: Variables,
    pub folder: Vec<u8>,
    /// The account that runs it, where that is another.
    pub account: Option<Account>,
    pub place: Place,
}

/// Where a helper runs.
pub enum Place {
    Host,
    /// In a pod of its own, which this orders.
    Pod(Box<dyn FnOnce(Incarnation) -> io::Result<(pod::Pod, OwnedFd)> + Send>),
}

/// Runs helper processes through the launcher, so that they too die with the engine.
#[derive(Debug, Clone)]
pub struct Helpers {
    launcher: Client,
    token: Arc<str>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    ends: HashMap<Incarnation, oneshot::Sender<Result<Exit, String>>>,
}

/// Helpers count from here, instances from 0.
const HELPERS: u64 = 1 << 63;

/// Characters of a line that have room in a message.
const LONGEST: usize = 400;

impl Helpers {
    /// Helpers of a workspace.
    pub fn new(launcher: Client, id: &str) -> Self {
        let token = format!("{id}:{:016x}", fastrand::u64(..));
        Self { launcher, token: token.into(), waiting: Arc::default() }
    }

    /// Through whom everything is started.
    pub fn launcher(&self) -> &Client {
        &self.launcher
    }

    /// A new launcher took the place of a lost one.
    pub fn set_launcher(&mut self, launcher: Client) {
        self.launcher = launcher;
    }

    /// Adds the mark by which a process is recognised wherever it wanders.
    pub fn mark(&self, variables: &mut Variables, key: Incarnation) {
        texts::push(variables, TOKEN, &format!("{}:{:x}", self.token, key.0));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the launcher said about the end of one.
    pub fn ended(&self, key: Incarnation, result: Result<Exit, String>) {
        if let Some(end) = self.lock().ends.remove(&key) {
            let _ = end.send(result);
        }
    }

    /// The launcher is gone, and they with it.
    pub fn lost(&self) {
        self.lock().ends.clear();
    }

    fn start(&self, task: Task, stdout: OwnedFd, stderr: OwnedFd) -> Running {
        let Task { argv, mut variables, folder, account, place } = task;
        let (end, ended) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.next += 1;
        let key = Incarnation(HELPERS | waiting.next);
        waiting.ends.insert(key, end);
        drop(waiting);
        self.mark(&mut variables, key);
        let argv = texts::block(&argv);
        let pod = match place {
            Place::Host => Ok(None),
            Place::Pod(order) => order(key).map(Some),
        };
        let launched = pod.map(|pod| {
            let environment = variables;
            let launch =
                Launch { incarnation: key, argv, environment, folder, account, pod, input: None, stdout, stderr };
            self.launcher.launch(launch)
        });
        match launched {
            Ok(true) => {}
            Ok(false) => self.ended(key, Err("the launcher is gone".to_owned())),
            Err(error) => self.ended(key, Err(format!("no line to its pod: {error}"))),
        }
        Running { key, ended, launcher: self.launcher.clone() }
    }

    /// One try of an exec probe, as which `shown` is known. The last line that it wrote says why it failed.
    pub async fn probe(&self, task: Task, shown: &str, timeout: Duration) -> Result<(), String> {
        let (output, end) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| error.to_string())?;
        let copy = end.try_clone().map_err(|error| error.to_string())?;
        let running = self.start(task, end, copy);
        let finished = async {
            let written = last_line(output).await;
            (running.wait().await, written)
        };
        match tokio::time::timeout(timeout, finished).await {
            Err(_) => Err(format!("`{shown}` took longer than {timeout:?}")),
            Ok((Ok(Exit::Code(0)), _)) => Ok(()),
            Ok((Ok(exit), written)) if written.is_empty() => Err(format!("`{shown}` {exit}")),
            Ok((Ok(exit), written)) => Err(format!("`{shown}` {exit}: {written}")),
            Ok((Err(error), _)) => Err(format!("`{shown}` could not be started: {error}")),
        }
    }

    /// Runs a setup step, which writes to `end`.
    pub async fn run_setup(&self, task: Task, end: OwnedFd, shown: &str) -> Result<(), String> {
        let copy = end.try_clone().map_err(|error| error.to_string())?;
        let running = self.start(task, end, copy);
        match running.wait().await {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(exit) => Err(format!("`{shown}` {exit}")),
            Err(error) => Err(format!("`{shown}` could not be started: {error}")),
        }
    }
}

/// A helper under way; dropping it kills it.
struct Running {
    key: Incarnation,
    ended: oneshot::Receiver<Result<Exit, String>>,
    launcher: Client,
}

impl Running {
    async fn wait(mut self) -> Result<Exit, String> {
        let result = (&mut self.ended).await;
        result.unwrap_or_else(|_| Err("the launcher is gone".into()))
    }
}

impl Drop for Running {
    /// Also after its end: what it left in the background is not wanted.
    fn drop(&mut self) {
        self.launcher.signal(self.key, Signal::KILL);
    }
}

/// The last line that is written before the pipe ends, cut to what fits a message.
async fn last_line(output: OwnedFd) -> String {
    let Ok(mut pipe) = pipe::Receiver::from_owned_fd(output) else { return String::new() };
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count) = pipe.read(&mut piece).await {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&piece[..count]);
        let surplus = kept.len().saturating_sub(4096);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").trim().chars().take(LONGEST).collect()
}
