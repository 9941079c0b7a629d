//! `nagaya ui --words` and `up --words`: what changes is said in lines, and commands are typed as lines. Nothing is ever
//! drawn again.

use std::collections::VecDeque;
use std::process::ExitCode;

use tokio::sync::mpsc;

use super::Left;
use super::command::Own;
use super::feeds::Task;
use crate::api::{Client, Events, Identity};
use crate::cli::error::{Code, Error};
use crate::cli::logs::{Follower, From};
use crate::cli::output::Output;
use crate::cli::up::Stop;
use crate::cli::{down, locate};
use crate::effects::registry::Registration;
use crate::effects::standard_input::StandardInput;
use crate::effects::start_time;
use crate::engine::Owned;
use crate::runtime::Changes;
use crate::telemetry::logs::Start;
use crate::tui::{HELP, Msg, Words, returning, spoken, words};

/// Bytes read at once of what is typed.
const PIECE: usize = 4096;

/// A command, and what it says: nothing of one that was ended is taken for the next one's.
struct Running {
    command: String,
    _task: Task,
    inbox: mpsc::Receiver<Msg>,
}

/// Somebody who listens.
struct Listener {
    client: Client,
    identity: Identity,
    words: Words,
    /// Who is followed.
    follower: Option<Follower>,
    /// What was typed and not done yet.
    lines: VecDeque<String>,
    /// The command that runs.
    running: Option<Running>,
    owner: Owner,
    output: Output,
}

/// How far the owner of an engine is with ending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It is somebody else's.
    No,
    Yes,
    /// Was asked whether to stop everything or to leave it running.
    Asked,
    /// Has said that all is to stop.
    Stopping,
    /// And then that it is to be killed.
    Killing,
}

/// Says what happens and does what is typed, until somebody has heard enough or the engine ends.
pub async fn run(client: Client, engine: &Registration, output: &Output) -> Result<ExitCode, Error> {
    let identity = client.identity().await?;
    match Listener::new(client, &identity, Owner::No, output).attend().await?.0 {
        Left::Running => Ok(ExitCode::SUCCESS),
        Left::Gone => locate::gone(engine, output),
    }
}

/// The same for an `up`; an engine that is `owned` ends with it unless it is left running.
pub async fn show(
    client: &Client,
    identity: &Identity,
    owned: Option<Owned>,
    output: &Output,
) -> Result<ExitCode, Error> {
    let owner = if owned.is_some() { Owner::Yes } else { Owner::No };
    let (left, listener) = Listener::new(client.clone(), identity, owner, output).attend().await?;
    if left == Left::Running {
        owned.into_iter().for_each(Owned::release);
        output
            .say(&format!("{} runs on; `nagaya ui --words` tells of it again, `nagaya down` stops it", identity.name));
        return Ok(ExitCode::SUCCESS);
    }
    match listener.owner {
        Owner::Killing => Err(Error::silent(Code::Interrupted)),
        owner if owner != Owner::Stopping && listener.words.is_alive() => {
            Err(Error::failed("the engine ended unexpectedly")
                .hint("`engine.log` in the workspace's state may tell why; `nagaya up` starts again"))
        }
        _ => {
            output.say(&format!("{} is down", identity.name));
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Listener {
    fn new(client: Client, identity: &Identity, owner: Owner, output: &Output) -> Self {
        Self {
            words: Words::new(&identity.name),
            client,
            identity: identity.clone(),
            follower: None,
            lines: VecDeque::new(),
            running: None,
            owner,
            output: output.clone(),
        }
    }

    /// Says how things stand, then what becomes of them, until it is left or the engine is gone.
    async fn attend(mut self) -> Result<(Left, Self), Error> {
        let mut changes = self.client.events("/v1/services/stream").await?;
        let Some(first) = changes.next().await else { return Ok((Left::Gone, self)) };
        let mut said = self.words.hear(first);
        said.push("help says what can be typed".to_owned());
        self.say(said);
        let left = self.listen(&mut changes).await?;
        Ok((left, self))
    }

    async fn listen(&mut self, changes: &mut Events) -> Result<Left, Error> {
        let (mut typed, mut buffer, mut rest) = (StandardInput::open(), [0; PIECE], Vec::new());
        let (mut stop, mut heard_all) = (Stop::new()?, false);
        loop {
            while self.running.is_none() {
                let Some(line) = self.lines.pop_front() else { break };
                if !self.obey(&line).await? {
                    return Ok(Left::Running);
                }
            }
            if typed.is_over() && self.running.is_none() && !std::mem::replace(&mut heard_all, true) {
                if self.owner == Owner::No {
                    return Ok(Left::Running);
                }
                // What is ours must not end because nobody types.
                if self.owner != Owner::Stopping {
                    self.say(vec!["nothing more can be typed; Ctrl-c stops everything".to_owned()]);
                }
            }
            tokio::select! {
                () = stop.asked() => if !self.interrupt().await {
                    return Ok(if self.owner == Owner::No { Left::Running } else { Left::Gone });
                },
                count = typed.next(&mut buffer) => {
                    rest.extend_from_slice(&buffer[..count.unwrap_or(0)]);
                    self.take_lines(&mut rest, typed.is_over());
                }
                told = changes.next::<Changes>() => {
                    let Some(told) = told else { return Ok(Left::Gone) };
                    let said = self.words.hear(told);
                    self.say(said);
                }
                lines = following(&mut self.follower) => match lines? {
                    Some(lines) => self.say(lines.iter().map(|(service, line)| spoken(service, line)).collect()),
                    None => self.follower = None,
                },
                message = of_command(&mut self.running) => self.hear_command(message),
            }
        }
    }

    /// Ctrl-C, or a terminal that is gone: stops what is ours, then kills it. False where there is nothing more to hear.
    async fn interrupt(&mut self) -> bool {
        match self.owner {
            Owner::No => return false,
            Owner::Yes | Owner::Asked => self.stop(),
            Owner::Stopping | Owner::Killing => {
                self.owner = Owner::Killing;
                let pid = self.identity.pid;
                return !down::force(&self.client, pid, start_time(pid)).await;
            }
        }
        true
    }

    fn stop(&mut self) {
        self.owner = Owner::Stopping;
        self.say(vec!["stopping everything; Ctrl-c kills".to_owned()]);
        // An engine that does not answer must not keep the next word from being heard.
        let client = self.client.clone();
        tokio::spawn(async move { client.down(false).await });
    }

    fn say(&self, lines: Vec<String>) {
        if !lines.is_empty() {
            self.output.lines(&lines);
        }
    }

    /// The whole lines of what was typed; at its end all of it.
    fn take_lines(&mut self, rest: &mut Vec<u8>, is_over: bool) {
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line: Vec<u8> = rest.drain(..=end).collect();
            self.typed(String::from_utf8_lossy(&line).trim().to_owned());
        }
        if is_over && !rest.is_empty() {
            let line = std::mem::take(rest);
            self.typed(String::from_utf8_lossy(&line).trim().to_owned());
        }
    }

    fn typed(&mut self, line: String) {
        match &self.running {
            // Whatever is typed besides waits for its turn.
            Some(running) if line == "cancel" => {
                self.say(vec![format!("`{}` was ended", running.command)]);
                self.running = None;
            }
            _ => self.lines.push_back(line),
        }
    }

    /// Does what a line says; false where that is to leave.
    async fn obey(&mut self, line: &str) -> Result<bool, Error> {
        let words = words(line);
        if self.owner == Owner::Asked {
            self.owner = Owner::Yes;
            match line {
                "stop" | "s" => {
                    self.stop();
                    return Ok(true);
                }
                "leave" | "l" => return Ok(false),
                "" | "stay" => {
                    self.say(vec![format!("staying with {}", self.identity.name)]);
                    return Ok(true);
                }
                _ => {}
            }
        }
        match words.first().map(String::as_str) {
            None => self.say(self.words.summary()),
            Some("quit" | "q" | "exit") if self.owner == Owner::Yes => {
                self.owner = Owner::Asked;
                self.say(vec!["stop everything, or leave it running? type stop, leave or stay".to_owned()]);
            }
            // It is to be heard how that ends.
            Some("quit" | "q" | "exit") if self.owner != Owner::No => {
                self.say(vec![format!("{} is stopping already; Ctrl-c kills", self.identity.name)]);
            }
            Some("quit" | "q" | "exit") => return Ok(false),
            Some("help") => self.say(HELP.map(str::to_owned).into()),
            Some("cancel") => self.say(vec!["nothing runs".to_owned()]),
            Some("quiet") => self.follower = None,
            Some("follow") => self.follow(&words[1..]).await?,
            Some(word @ ("ui" | "attach")) => self.say(vec![format!("{word} needs a terminal of its own")]),
            Some(_) => {
                let (messages, inbox) = mpsc::channel(64);
                let task = Task(tokio::spawn(Own::new(&self.identity).run((0, returning(words)), None, messages)));
                self.running = Some(Running { command: line.to_owned(), _task: task, inbox });
            }
        }
        Ok(true)
    }

    async fn follow(&mut self, names: &[String]) -> Result<(), Error> {
        let all = self.words.services();
        if let Some(missing) = names.iter().find(|name| !all.contains(name)) {
            self.say(vec![format!("there is no service {missing}; there are {}", all.join(", "))]);
            return Ok(());
        }
        let names = if names.is_empty() { all } else { names.to_vec() };
        let from = From { start: Start::End, since: None };
        self.follower = Some(Follower::new(&self.client, &self.identity.logs, &names, from).await?);
        self.say(vec![format!("following {}", names.join(", "))]);
        Ok(())
    }

    fn hear_command(&mut self, message: Msg) {
        match message {
            Msg::Output(_, lines) => self.say(lines),
            Msg::Ended(_, code) => {
                let Some(Running { command, .. }) = self.running.take() else { return };
                match code {
                    Some(0) => self.say(vec![format!("`{command}` is done")]),
                    Some(code) => self.say(vec![format!("`{command}` ended with {code}")]),
                    None => self.say(vec![format!("`{command}` was ended")]),
                }
            }
            _ => {}
        }
    }
}

/// What the command says that runs; never, where none does. One that says nothing more has ended.
async fn of_command(running: &mut Option<Running>) -> Msg {
    match running {
        Some(running) => running.inbox.recv().await.unwrap_or(Msg::Ended(0, None)),
        None => std::future::pending().await,
    }
}

/// The next lines of who is followed; never, where nobody is.
async fn following(follower: &mut Option<Follower>) -> Result<Option<Vec<crate::cli::logs::Owned>>, Error> {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}
