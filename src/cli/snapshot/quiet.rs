//! Services stop while their data is copied or exchanged, and are started again whatever came of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::trouble;
use crate::api::Client;
use crate::cli::error::{Code, Error};
use crate::cli::output::Output;
use crate::cli::wait::{Goal, settle};
use crate::effects::registry::Registration;
use crate::effects::snapshots::Staged;
use crate::supervise::State;
use crate::view::Service;

/// The engine that runs the workspace.
pub struct Running {
    client: Client,
    state: PathBuf,
}

impl Running {
    pub fn new(engine: &Registration) -> Self {
        Self { client: Client::new(&engine.socket), state: engine.state.clone() }
    }

    /// A service that starts may be making its data.
    pub async fn check_whole(&self, services: &[String]) -> Result<(), Error> {
        let rows = self.client.services().await?;
        let begins =
            |row: &&Service| services.contains(&row.name) && matches!(row.state, State::Setup | State::Starting);
        match rows.iter().find(begins) {
            Some(row) => Err(Error::failed(format!("{} is {}: its data may be half made", row.name, row.state.word()))
                .hint(format!("`nagaya wait {}`, then call it again", row.name))),
            None => Ok(()),
        }
    }

    /// Stops those of the services that run, in order, and returns them.
    pub async fn stop(&self, services: &[String], output: &Output) -> Result<Vec<String>, Error> {
        let rows = self.client.services().await?;
        let runs = |row: &&Service| services.contains(&row.name) && row.wanted && !is_at_rest(row.state);
        let running: BTreeSet<String> = rows.iter().filter(runs).map(|row| row.name.clone()).collect();
        let running: Vec<String> = running.into_iter().collect();
        self.halt(&running, output).await?;
        Ok(running)
    }

    async fn halt(&self, services: &[String], output: &Output) -> Result<(), Error> {
        if services.is_empty() {
            return Ok(());
        }
        self.client.control("stop", services).await?;
        let quiet = output.silent();
        let stopped = settle(&self.client, &self.state, services, Goal::Stopped, None, &quiet);
        let stopped = unless_ended(stopped).await;
        if stopped.is_err() {
            // Whatever is in the way of the stop, they were wanted.
            self.client.control("start", services).await?;
        }
        stopped
    }

    /// Starts services, in order, and waits until they are ready.
    pub async fn start(&self, services: &[String], output: &Output) -> Result<(), Error> {
        if services.is_empty() {
            return Ok(());
        }
        self.client.control("start", services).await?;
        unless_ended(settle(&self.client, &self.state, services, Goal::Ready, None, &output.silent())).await
    }

    /// Has the engine make the next restore of a snapshot a quick one; without that it is as good.
    pub async fn make_ready(&self, snapshot: &str) {
        let _ = self.client.make_ready(snapshot).await;
    }

    /// Has data change places with that of services. They are stopped for it, as are those that depend on them, which may
    /// hold something of the old data; all are started again. Data with which a service does not become ready is taken
    /// back. What is returned is an error of one that only depends on them.
    pub async fn exchange(
        &self,
        services: &[String],
        staged: &Staged,
        output: &Output,
    ) -> Result<Option<Error>, Error> {
        let rows = self.client.services().await?;
        let affected = affected(&rows, services);
        let (own, others): (Vec<String>, Vec<String>) = affected.into_iter().partition(|name| services.contains(name));
        let all: Vec<String> = own.iter().chain(&others).cloned().collect();
        self.halt(&all, output).await?;
        if let Err(error) = staged.swap() {
            self.start(&all, output).await?;
            return Err(trouble(error));
        }
        if let Err(error) = self.start(&own, output).await {
            return Err(self.take_back(error, &own, &all, staged, output).await);
        }
        Ok(self.start(&others, output).await.err())
    }

    async fn take_back(&self, error: Error, own: &[String], all: &[String], staged: &Staged, output: &Output) -> Error {
        let back = match self.halt(own, output).await {
            Ok(()) => staged.swap_back().map_err(trouble),
            Err(error) => Err(error),
        };
        let restarted = match back {
            Ok(()) => self.start(all, output).await,
            Err(error) => Err(error),
        };
        match restarted {
            Ok(()) => error.hint("the data is as it was before: the snapshot's was taken back"),
            Err(other) => error.hint(format!("what was there before could not be started again: {}", other.message)),
        }
    }
}

/// The services and all that depend on them, as far as they are wanted.
fn affected(rows: &[Service], services: &[String]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut next: Vec<String> = services.to_vec();
    while let Some(name) = next.pop() {
        if found.insert(name.clone()) {
            next.extend(rows.iter().filter(|row| row.name == name).flat_map(|row| row.needed_by.clone()));
        }
    }
    let wanted = |row: &&Service| found.contains(&row.name) && (row.wanted || row.state == State::Idle);
    rows.iter().filter(wanted).filter(|row| !row.is_external()).map(|row| row.name.clone()).collect()
}

fn is_at_rest(state: State) -> bool {
    matches!(state, State::Stopped | State::Completed | State::Failed | State::Idle)
}

/// Ends a wait when this process is asked to end.
async fn unless_ended(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::select! {
        done = work => done,
        () = asked_to_end() => Err(Error::new(Code::Interrupted, "it was called off")),
    }
}

/// Until Ctrl-C or SIGTERM.
pub async fn asked_to_end() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        asked = tokio::signal::ctrl_c() => {
            if asked.is_err() {
                std::future::pending::<()>().await;
            }
        }
        () = terminated => {}
    }
}
