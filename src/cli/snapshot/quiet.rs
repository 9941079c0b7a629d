//! Services stop while their data is copied or exchanged, and are started again whatever came of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::words::{and_not_started, trouble};
use crate::api::Client;
use crate::cli::error::{Code, Error};
use crate::cli::output::Output;
use crate::cli::up::Stop;
use crate::cli::wait::{Goal, settle};
use crate::effects::registry::Registration;
use crate::effects::snapshots::{Staged, Trouble};
use crate::supervise::State;
use crate::view::Service;

/// The engine that runs the workspace.
pub struct Running {
    client: Client,
    state: PathBuf,
}

/// Which data services have after a restore.
pub enum Ended {
    /// The restored one, with which they are ready. An error is of one that only depends on them.
    Kept(Option<Error>),
    /// What they had before.
    TakenBack(Error),
    /// It is not known, or nothing could be done: neither may go.
    Stuck(Error),
}

/// Services that are to be at rest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Halt {
    /// They were wanted, and are started again.
    wanted: Vec<String>,
    /// Those and the others that are not at rest yet.
    awaited: Vec<String>,
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
            Some(row) => Err(Error::failed(format!("{} {}: its data may be half made", row.name, row.state.said()))
                .hint(format!("`nagaya wait {}`, then call it again", row.name))),
            None => Ok(()),
        }
    }

    /// Stops those of the services that run, in order, and returns those that were wanted.
    pub async fn stop(&self, services: &[String], stop: &mut Stop, output: &Output) -> Result<Vec<String>, Error> {
        let rows = self.client.services().await?;
        let runs = |row: &&Service| services.contains(&row.name) && row.wanted && !is_at_rest(row.state);
        let wanted: BTreeSet<String> = rows.iter().filter(runs).map(|row| row.name.clone()).collect();
        let halt = Halt::of(&rows, services, wanted.into_iter().collect());
        self.halt(&halt, stop, output).await?;
        Ok(halt.wanted)
    }

    async fn halt(&self, halt: &Halt, stop: &mut Stop, output: &Output) -> Result<(), Error> {
        let stopped = tokio::select! {
            stopped = self.halt_wholly(halt, output) => stopped,
            () = stop.asked() => Err(called_off()),
        };
        if let (Err(error), false) = (&stopped, halt.wanted.is_empty()) {
            // Whatever is in the way of the stop, they were wanted.
            let restarted = self.client.control("start", &halt.wanted).await.map_err(Error::from);
            return Err(and_not_started(error.clone(), restarted));
        }
        stopped
    }

    /// The same, and nothing calls it off.
    async fn halt_wholly(&self, halt: &Halt, output: &Output) -> Result<(), Error> {
        if !halt.wanted.is_empty() {
            self.client.control("stop", &halt.wanted).await?;
        }
        if halt.awaited.is_empty() {
            return Ok(());
        }
        settle(&self.client, &self.state, &halt.awaited, Goal::Stopped, None, &output.silent()).await
    }

    /// Starts services, in order, and waits until they are ready.
    pub async fn start(&self, services: &[String], stop: &mut Stop, output: &Output) -> Result<(), Error> {
        if services.is_empty() {
            return Ok(());
        }
        self.client.control("start", services).await?;
        let quiet = output.silent();
        tokio::select! {
            ready = settle(&self.client, &self.state, services, Goal::Ready, None, &quiet) => ready,
            () = stop.asked() => Err(called_off()),
        }
    }

    /// Has the engine make the next restore of a snapshot a quick one; without that it is as good.
    pub async fn make_ready(&self, snapshot: &str) {
        let _ = self.client.make_ready(snapshot).await;
    }

    /// Has data change places with that of services. They are stopped for it, as are those that depend on them, which may
    /// hold something of the old data; all are started again. Data with which a service does not become ready is taken
    /// back. An error is of what came before anything was done.
    pub async fn exchange(
        &self,
        services: &[String],
        staged: &Staged,
        stop: &mut Stop,
        output: &Output,
    ) -> Result<Ended, Error> {
        let rows = self.client.services().await?;
        let affected = affected(&rows, services);
        let (own, others): (Vec<String>, Vec<String>) = affected.into_iter().partition(|name| services.contains(name));
        let all: Vec<String> = own.iter().chain(&others).cloned().collect();
        self.halt(&Halt::of(&rows, services, all.clone()), stop, output).await?;
        if let Err(error) = staged.swap() {
            return Ok(self.after_failed_swap(trouble(error), &all, staged, stop, output).await);
        }
        match self.start(&own, stop, output).await {
            Ok(()) => Ok(Ended::Kept(self.start(&others, stop, output).await.err())),
            Err(error) => Ok(self.take_back(error, &own, &all, staged, stop, output).await),
        }
    }

    async fn after_failed_swap(
        &self,
        error: Error,
        all: &[String],
        staged: &Staged,
        stop: &mut Stop,
        output: &Output,
    ) -> Ended {
        if !staged.is_as_before() {
            return Ended::Stuck(error);
        }
        let restarted = self.start(all, stop, output).await;
        Ended::TakenBack(and_not_started(error.hint(AS_BEFORE), restarted))
    }

    /// Whatever asks this process to end meanwhile: data that is neither proven nor taken back is of no use.
    async fn take_back(
        &self,
        error: Error,
        own: &[String],
        all: &[String],
        staged: &Staged,
        stop: &mut Stop,
        output: &Output,
    ) -> Ended {
        let halt = Halt { wanted: own.to_vec(), awaited: own.to_vec() };
        let back = match self.halt_wholly(&halt, output).await {
            Ok(()) => staged.swap_back().map_err(trouble),
            Err(error) => Err(error),
        };
        if let Err(other) = back {
            return Ended::Stuck(
                error.hint(format!("what was there before could not be taken back: {}", other.message)),
            );
        }
        if !staged.is_as_before() {
            return Ended::Stuck(error);
        }
        let restarted = self.start(all, stop, output).await;
        Ended::TakenBack(and_not_started(error.hint(AS_BEFORE), restarted))
    }
}

const AS_BEFORE: &str = "the data is as it was before: the snapshot's was taken back";

impl Halt {
    /// Of those that are wanted, and of the services, which may be about to stop.
    fn of(rows: &[Service], services: &[String], wanted: Vec<String>) -> Self {
        let restless = rows.iter().filter(|row| !is_at_rest(row.state) && !row.is_external());
        let restless = restless.filter(|row| services.contains(&row.name)).map(|row| row.name.clone());
        let awaited: BTreeSet<String> = restless.chain(wanted.iter().cloned()).collect();
        Self { wanted, awaited: awaited.into_iter().collect() }
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

fn called_off() -> Error {
    Error::new(Code::Interrupted, "it was called off")
}

/// Runs what reads and writes for long; Ctrl-C calls it off.
pub async fn off_the_loop<T: Send + 'static>(
    stop: &mut Stop,
    work: impl FnOnce(&AtomicBool) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Error> {
    let call_off = Arc::new(AtomicBool::new(false));
    let flag = call_off.clone();
    let mut done = tokio::task::spawn_blocking(move || work(&flag));
    let ended = tokio::select! {
        ended = &mut done => ended,
        () = stop.asked() => {
            call_off.store(true, Ordering::Relaxed);
            done.await
        }
    };
    ended.map_err(|error| Error::new(Code::Bug, error.to_string()))?.map_err(trouble)
}
