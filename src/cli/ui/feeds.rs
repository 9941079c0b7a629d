//! What the dashboard is told: streams and answers of the engine, as long as they are wanted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::attached::Attached;
use super::command::Own;
use super::kept;
use crate::api::{CallError, Client, Events, Identity};
use crate::cli::logs::{Follower, From, Owned};
use crate::cli::wait::tail_of;
use crate::effects::notice::Watch;
use crate::effects::registry;
use crate::runtime::Changes;
use crate::telemetry::logs::Start;
use crate::tui::{Ending, Msg, Wants};
use crate::view::{Explanation, Flow, Request};

/// Lines of the past that are shown of a service.
pub const PAST: usize = 1000;
/// What was written so long before a request is shown with it.
const BEFORE: Duration = Duration::from_secs(10);
/// The last lines below an explanation.
const LINES: usize = 30;
/// What changes with the time alone is asked for again so often, while it is shown.
const AGAIN: Duration = Duration::from_secs(1);

/// Between the first tries to reach an engine that is there and does not answer; later ones are further apart.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(5);

/// A task that ends with its owner.
#[derive(Debug)]
pub struct Task(pub JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everything that feeds one dashboard.
#[derive(Debug)]
pub struct Feeds {
    source: Source,
    wants: Wants,
    logs: Option<Task>,
    why: Option<Task>,
    graph: Option<Task>,
    requests: Option<Task>,
    routes: Option<Task>,
    tasks: Option<Task>,
    kept: Option<Task>,
    terminal: Option<Attached>,
    rows: Task,
    traffic: Task,
}

/// Where all comes from and goes to.
#[derive(Debug, Clone)]
pub struct Source {
    pub client: Client,
    pub logs: PathBuf,
    state: PathBuf,
    pub own: Own,
    messages: mpsc::Sender<Msg>,
}

impl Feeds {
    /// Begins with what is always wanted.
    pub fn new(source: Source) -> Self {
        let rows = Task(tokio::spawn(source.clone().rows(false)));
        let traffic = Task(tokio::spawn(source.clone().traffic()));
        Self {
            source,
            wants: Wants::default(),
            logs: None,
            why: None,
            graph: None,
            requests: None,
            routes: None,
            tasks: None,
            kept: None,
            terminal: None,
            rows,
            traffic,
        }
    }

    /// Begins with what is wanted from now on, and ends what is wanted no more.
    pub fn serve(&mut self, wants: Wants) {
        if wants.usage != self.wants.usage {
            self.rows = Task(tokio::spawn(self.source.clone().rows(wants.usage)));
        }
        if (&wants.logs, wants.logs_from) != (&self.wants.logs, self.wants.logs_from) {
            let (names, from) = (wants.logs.clone(), wants.logs_from);
            self.logs = (!names.is_empty()).then(|| Task(tokio::spawn(self.source.clone().lines(names, from))));
        }
        if wants.why != self.wants.why {
            let why = wants.why.clone();
            self.why = why.map(|name| Task(tokio::spawn(self.source.clone().why(name))));
        }
        if wants.graph != self.wants.graph {
            self.graph = wants.graph.map(|_| Task(tokio::spawn(self.source.clone().graph())));
        }
        if wants.requests != self.wants.requests {
            self.requests = wants.requests.then(|| Task(tokio::spawn(self.source.clone().requests())));
        }
        if wants.routes != self.wants.routes {
            self.routes = wants.routes.then(|| Task(tokio::spawn(self.source.clone().routes())));
        }
        if wants.tasks && !self.wants.tasks {
            // What was begun is finished, wherever one goes meanwhile.
            self.tasks = Some(Task(tokio::spawn(self.source.clone().tasks())));
        }
        if wants.kept != self.wants.kept {
            let kept = wants.kept.clone();
            self.kept = kept.map(|(_, names)| {
                Task(tokio::spawn(kept::follow(self.source.own.clone(), names, self.source.messages.clone())))
            });
        }
        self.serve_terminal(&wants);
        self.wants = wants;
    }

    /// Begins again with all that another engine has to tell, in the place of one that was killed.
    pub fn begin_again(&mut self) {
        self.traffic = Task(tokio::spawn(self.source.clone().traffic()));
        (self.logs, self.why, self.graph, self.requests, self.routes) = (None, None, None, None, None);
        (self.kept, self.terminal) = (None, None);
        self.wants = Wants { usage: self.wants.usage, ..Wants::default() };
    }

    fn serve_terminal(&mut self, wants: &Wants) {
        let seat = |wants: &Wants| wants.terminal.as_ref().map(|(seat, _)| seat.clone());
        match (&wants.terminal, &self.terminal) {
            (None, _) => self.terminal = None,
            (Some((_, size)), Some(terminal)) if seat(wants) == seat(&self.wants) => {
                if wants.terminal != self.wants.terminal {
                    terminal.resize(*size);
                }
            }
            (Some((seat, size)), _) => {
                let Source { client, messages, .. } = self.source.clone();
                self.terminal = Some(Attached::new(client, messages, seat.clone(), *size));
            }
        }
    }

    /// Types something at the terminal that is shown.
    pub fn write(&self, typed: Vec<u8>) {
        if let Some(terminal) = &self.terminal {
            terminal.write(typed);
        }
    }
}

impl Source {
    /// An engine, and whom to tell.
    pub fn new(client: &Client, identity: &Identity, own: Own, messages: mpsc::Sender<Msg>) -> Self {
        Self { client: client.clone(), logs: identity.logs.clone(), state: identity.state(), own, messages }
    }

    async fn rows(self, with_usage: bool) {
        let mut pause = SOON;
        loop {
            if let Ok(mut stream) = self.client.events(&format!("/v1/services/stream?usage={with_usage}")).await {
                while let Some(changes) = stream.next::<Changes>().await {
                    pause = SOON;
                    if self.messages.send(Msg::Rows(changes)).await.is_err() {
                        return;
                    }
                }
            }
            // How it ended is seen a moment later; and somebody may start it again.
            let mut told = None;
            loop {
                let watch = Watch::new(std::slice::from_ref(&self.state));
                let now = ending(&self.state);
                if let Some(ending) = now.filter(|_| now != told)
                    && self.messages.send(Msg::Gone(ending)).await.is_err()
                {
                    return;
                }
                told = now;
                if now.is_none() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LATER);
                    break;
                }
                match watch {
                    Ok(mut watch) => drop(watch.next().await),
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            }
        }
    }

    async fn traffic(self) {
        let Ok(mut stream) = self.client.events("/v1/traffic/stream").await else { return };
        while let Some(flow) = stream.next::<Flow>().await {
            if self.messages.send(Msg::Flow(flow)).await.is_err() {
                return;
            }
        }
    }

    async fn lines(self, names: Vec<String>, from: Option<Timestamp>) {
        let follow = async |start| Follower::new(&self.client, &self.logs, &names, From { start, since: None }).await;
        let message = |lines| match from {
            Some(time) => Msg::LinesFrom(time, names.clone(), lines),
            None => Msg::Lines(names.clone(), lines),
        };
        let Ok(follower) = follow(Start::Tail(PAST)).await else { return };
        let mut reading = Reading(Some(follower));
        let mut past = Vec::new();
        if let Some(time) = from {
            while let Some(lines) = reading.next().await {
                past.extend(lines);
            }
            if begins_behind(&past, time) {
                past.clear();
                let Ok(older) = follow(Start::Since(time.checked_sub(BEFORE).unwrap_or(Timestamp::MIN))).await else {
                    return;
                };
                reading = Reading(Some(older));
            }
        }
        while let Some(lines) = reading.next().await {
            if self.messages.send(message(lines)).await.is_err() {
                return;
            }
        }
        let Some(mut follower) = reading.0 else { return };
        // That nothing is written yet is word, too.
        let mut told = self.messages.send(message(past)).await;
        while told.is_ok()
            && let Ok(Some(lines)) = follower.next().await
        {
            told = self.messages.send(message(lines)).await;
        }
    }

    /// Why a service is not ready, with the last lines of whoever is to blame.
    pub async fn told_why(&self, name: &str) -> Result<Explanation, String> {
        let mut why = self.client.why(name).await.map_err(|error| error.to_string())?;
        why.last_lines = tail_of(&self.state, &why.culprit(), LINES);
        Ok(why)
    }

    async fn why(self, name: String) {
        let (mut before, mut stirs): (_, Option<Stirs>) = (None, None);
        loop {
            let told = self.told_why(&name).await;
            // What is known already need not be drawn again.
            if before.as_ref() != Some(&told) {
                before = Some(told.clone());
                if self.messages.send(Msg::Why(name.clone(), Box::new(told))).await.is_err() {
                    return;
                }
            }
            // Of what moves by itself nobody sends word.
            let (moves, log) = match &before {
                Some(Ok(why)) => (moves(why), why.culprit().service),
                _ => (false, name.clone()),
            };
            if stirs.as_ref().is_none_or(|it| it.log.as_ref() != Some(&log)) {
                let Ok(new) = Stirs::new(&self.client, Some(log)).await else { return };
                stirs = Some(new);
            }
            if !next(&mut stirs, moves).await {
                return;
            }
        }
    }

    async fn graph(self) {
        if let Ok(graph) = self.client.graph().await {
            let _ = self.messages.send(Msg::Graph(graph)).await;
        }
    }

    async fn requests(self) {
        let Ok(mut stream) = self.client.events("/v1/requests/stream").await else { return };
        let mut first = true;
        while let Some(requests) = stream.next::<Vec<Request>>().await {
            if self.messages.send(Msg::Requests { first, requests }).await.is_err() {
                return;
            }
            first = false;
        }
    }

    async fn routes(self) {
        let Ok(stirs) = Stirs::new(&self.client, None).await else { return };
        let (mut before, mut stirs) = (None, Some(stirs));
        while next(&mut stirs, false).await {
            if let Ok(told) = self.told_of_routes().await
                && before.as_ref() != Some(&told)
            {
                before = Some(told.clone());
                if self.messages.send(Msg::Routes(told)).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn tasks(self) {
        let told = self.own.tasks().await;
        let _ = self.messages.send(Msg::Tasks(told)).await;
    }
}

/// How the engine of a workspace ended, by what it left in the state; none where one is there.
pub fn ending(state: &Path) -> Option<Ending> {
    match registry::note(state) {
        Some(note) if note.ending => Some(Ending::Proper),
        Some(note) if note.is_alive() => None,
        Some(_) => Some(Ending::Killed),
        None => Some(Ending::Proper),
    }
}

/// What is written already, read beside the loop that draws: there may be hundreds of files.
struct Reading(Option<Follower>);

impl Reading {
    /// The next lines; none at the end of what was there.
    async fn next(&mut self) -> Option<Vec<Owned>> {
        let mut follower = self.0.take()?;
        let read = spawn_blocking(move || (follower.past(), follower)).await;
        let (lines, follower) = read.ok()?;
        self.0 = Some(follower);
        lines.ok().flatten()
    }
}

/// Whether the last lines begin so late that those of a time are not among them.
fn begins_behind(last: &[Owned], time: Timestamp) -> bool {
    last.len() >= PAST && last.first().is_some_and(|(_, line)| line.time > time)
}

/// The engine's word that something has changed.
struct Stirs {
    log: Option<String>,
    events: Events,
}

impl Stirs {
    async fn new(client: &Client, log: Option<String>) -> Result<Self, CallError> {
        let events = client.stirs(log.as_deref()).await?;
        Ok(Self { log, events })
    }
}

/// Whether what is said of a service is another with time alone: how long until something happens, what its pod refused,
/// on which ports somebody listens.
fn moves(why: &Explanation) -> bool {
    why.next.is_some() || !why.ready || !why.refused.is_empty() || !why.silent_ports.is_empty()
}

/// Waits until there is a reason to ask again: a word of the engine, or the time where that alone is one. False when the
/// engine is gone.
async fn next(stirs: &mut Option<Stirs>, moves: bool) -> bool {
    let Some(stirs) = stirs else { return false };
    tokio::select! {
        word = stirs.events.next::<()>() => word.is_some(),
        () = tokio::time::sleep(AGAIN), if moves => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logs::{Line, Stream};

    #[test]
    fn the_last_lines_are_enough_where_they_reach_back_or_are_all() {
        let time: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let line = Line { time, stream: Stream::Out, instance: 1, text: String::new(), continues: false };
        let last = |count: usize| vec![("web".to_owned(), line.clone()); count];
        let (before, behind) = (time - Duration::from_secs(1), time + Duration::from_secs(1));
        assert!(begins_behind(&last(PAST), before));
        assert!(!begins_behind(&last(PAST), time) && !begins_behind(&last(PAST), behind));
        assert!(!begins_behind(&last(PAST - 1), before) && !begins_behind(&[], before));
    }
}
