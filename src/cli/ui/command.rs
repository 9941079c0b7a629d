//! A command of nagaya in the dashboard: this very program once more, with its output on a page.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::api::Identity;
use crate::effects::environment;
use crate::engine::Owned;
use crate::tasks::OWN;
use crate::tui::{Kept, Msg, Task};

/// Lines that are passed on at once.
const PIECE: usize = 500;

/// How this program is called about a workspace.
#[derive(Debug, Clone)]
pub struct Own {
    flags: Vec<String>,
    /// The folder of the workspace.
    pub root: PathBuf,
}

impl Own {
    /// About the workspace of an engine.
    pub fn new(identity: &Identity) -> Self {
        let folder = identity.manifest.parent().unwrap_or(Path::new("/"));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        // Paths that somebody types are theirs, from where they are.
        let mut flags = vec!["--manifest-from".to_owned(), text(folder), "-p".to_owned(), identity.name.clone()];
        // Under another name it is not found by itself.
        let is_usual = identity.manifest.file_name().is_some_and(|name| name == "nagaya.yaml" || name == "nagaya.yml");
        if !is_usual {
            flags.extend(["-f".to_owned(), text(&identity.manifest)]);
        }
        Self { flags, root: folder.to_owned() }
    }

    fn command(&self, words: &[String]) -> io::Result<Command> {
        let mut command = program()?;
        command.args(&self.flags).args(words);
        Ok(command)
    }

    /// Runs a command of a number to its end and tells what it writes, for as many columns as there are. It ends with this future.
    pub async fn run(self, (id, words): (u64, Vec<String>), columns: Option<u16>, messages: mpsc::Sender<Msg>) {
        let ended = to_its_end(self.command(&words), (id, columns), &messages).await;
        let _ = messages.send(Msg::Ended(id, ended)).await;
    }

    /// All tasks: those of the manifest first, then those of every runner.
    pub async fn tasks(self) -> Result<Vec<Task>, String> {
        let mut found: Vec<Task> =
            serde_json::from_value(self.answer(&["tasks"]).await?).map_err(|error| error.to_string())?;
        found.retain(|task| task.runner != OWN || task.project != ".");
        // A manifest that cannot be read has no tasks; what is wrong with it is told elsewhere.
        let manifest = self.answer(&["config"]).await.unwrap_or_default();
        let declared = manifest["tasks"].as_object().into_iter().flatten();
        Ok(declared.map(|(name, task)| declared_task(name, task)).chain(found).collect())
    }

    /// Of which of these tasks there are results. It looks at all that these depend on, so it is asked when somebody looks.
    pub async fn kept(self, names: &[String]) -> Vec<(String, Kept)> {
        let words: Vec<&str> = ["run", "--dry-run"].into_iter().chain(names.iter().map(String::as_str)).collect();
        // What cannot be told now is told by running it.
        let told = self.answer(&words).await.unwrap_or_default();
        let kept = |it: &Value| {
            let is_changed = it["changes"].as_array().is_some_and(|changes| !changes.is_empty());
            match it["action"].as_str()? {
                "cached" => Some(Kept::There),
                _ => is_changed.then_some(Kept::Changed),
            }
        };
        let known = |it: &Value| Some((it["task"].as_str()?.to_owned(), kept(it)?));
        told.as_array().into_iter().flatten().filter_map(known).collect()
    }

    /// What a command prints as JSON.
    async fn answer(&self, words: &[&str]) -> Result<Value, String> {
        let words: Vec<String> = words.iter().chain(&["--json"]).map(|word| (*word).to_owned()).collect();
        let mut command = self.command(&words).map_err(|error| error.to_string())?;
        let output = command.output().await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let said = String::from_utf8_lossy(&output.stderr);
            said.lines().next().map_or_else(|| error.to_string(), str::to_owned)
        })
    }
}

/// The `up` that this process is, once more and with all its words.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// The folder in which they were said, where that is not the current one.
    pub called_in: Option<PathBuf>,
}

impl Again {
    /// Runs it, to show nothing and come back; an engine that it starts is the heir's, where there is one, and else nobody's.
    pub async fn run(self, id: u64, heir: Option<mpsc::UnboundedSender<Owned>>, messages: mpsc::Sender<Msg>) {
        let (ours, command) = match self.command(heir.is_some()) {
            Ok((ours, command)) => (ours, Ok(command)),
            Err(error) => (None, Err(error)),
        };
        let mut end = pin!(to_its_end(command, (id, None), &messages));
        let ended = match heir.zip(ours) {
            Some((heir, ours)) => {
                let hand_on = |owned: Option<Owned>| owned.map(|owned| heir.send(owned));
                // At once, as whoever goes meanwhile goes as its owner.
                let ended = tokio::select! {
                    biased;
                    owned = Owned::given(&ours) => {
                        hand_on(owned);
                        end.await
                    }
                    ended = &mut end => ended,
                };
                hand_on(Owned::take(&ours));
                ended
            }
            None => end.await,
        };
        let _ = messages.send(Msg::Ended(id, ended)).await;
    }

    /// The command, and where it hands its engine over, if it does.
    fn command(&self, hands_over: bool) -> io::Result<(Option<UnixStream>, Command)> {
        let mut command = program()?;
        // Where a flag may stand among these words is their own business, so it is told beside them.
        command.args(environment::arguments().into_iter().skip(1)).env("NAGAYA_DETACH", "1");
        if let Some(folder) = &self.called_in {
            command.current_dir(folder);
        }
        if !hands_over {
            return Ok((None, command));
        }
        let (ours, theirs) = UnixStream::pair()?;
        command.env("NAGAYA_HAND_OVER", "1").stdin(OwnedFd::from(theirs));
        Ok((Some(ours), command))
    }
}

/// This program, to be told from here.
fn program() -> io::Result<Command> {
    let mut command = Command::new(environment::program()?);
    command
        .env("NAGAYA_COLOR", "never")
        .env("NAGAYA_NO_INPUT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// Runs a command to its end and tells what it writes; its code, where it ended by itself.
async fn to_its_end(
    command: io::Result<Command>,
    (id, columns): (u64, Option<u16>),
    messages: &mpsc::Sender<Msg>,
) -> Option<i32> {
    let started = command.and_then(|mut command| {
        if let Some(columns) = columns {
            command.env("COLUMNS", columns.to_string()).env(environment::OWN_COLUMNS, "1");
        }
        command.spawn()
    });
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let _ = messages.send(Msg::Output(id, vec![format!("it cannot be started: {error}")])).await;
            return None;
        }
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    tokio::join!(pass_on(id, out, messages), pass_on(id, err, messages));
    code(&mut child).await
}

fn declared_task(name: &str, task: &Value) -> Task {
    let text = |key: &str| task[key].as_str().map(str::to_owned);
    Task {
        id: name.to_owned(),
        name: name.to_owned(),
        project: ".".to_owned(),
        runner: OWN.to_owned(),
        description: text("description"),
        command: text("command"),
        invoke: Some(Vec::new()),
        private: false,
        keeps: task["inputs"].is_array(),
    }
}

async fn code(child: &mut Child) -> Option<i32> {
    child.wait().await.ok()?.code()
}

async fn pass_on(id: u64, from: Option<impl AsyncRead + Unpin>, messages: &mpsc::Sender<Msg>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match from.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => lines.push(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()),
        }
        // What is there already goes together.
        let is_dry = !from.buffer().contains(&b'\n');
        if (is_dry || lines.len() == PIECE) && messages.send(Msg::Output(id, std::mem::take(&mut lines))).await.is_err()
        {
            return;
        }
    }
    let _ = messages.send(Msg::Output(id, lines)).await;
}
