//! `nagaya down`: stop everything, in reverse order, and end the engine.

mod volumes;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::args::{Down, Global};
use super::error::{Code, Error};
use super::locate::{self, connect};
use super::output::Output;
use super::tries::tell_kept;
use crate::api::Client;
use crate::effects::places::CONTAINERS;
use crate::effects::registry::{self, Registration};
use crate::effects::{self, containers, tries, wait};
use crate::engine;
use crate::runtime::Changes;
use crate::supervise::State;

/// A wait that takes longer is told of.
const LATE: Duration = Duration::from_secs(1);

/// An engine that is to kill has so long to say that it does.
const PATIENCE: Duration = Duration::from_secs(3);

/// Stops everything; with `--volumes` the data of services goes too.
pub async fn run(global: &Global, args: &Down, output: &Output) -> Result<ExitCode, Error> {
    if args.volumes { volumes::run(global, args, output).await } else { stop(global, args, output).await }
}

/// Returns when the engine's process is gone.
async fn stop(global: &Global, args: &Down, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = match connect(global, output) {
        Ok(found) => found,
        Err(error) => return clean_up(global, error, output).await,
    };
    match args.force {
        false => client.down(false).await?,
        true if force(&client, engine.pid, Some(engine.process_started)).await => {}
        true => return sweep_up(&engine, output).await,
    }
    let note = engine.state.join(CONTAINERS);
    if !output.json {
        report(&client, &note, output).await;
    }
    let (pid, started) = (engine.pid, engine.process_started);
    let _ = tokio::task::spawn_blocking(move || wait(pid, started)).await;
    if let Some(place) = containers::left(&note) {
        tell_kept(&engine.state, output);
        let message =
            format!("{} is down, but for its containers: their engine at {place} does not answer", engine.name);
        return Err(Error::failed(message).hint("once it does, `nagaya down` or `nagaya up` removes them"));
    }
    if output.json {
        output.json(&serde_json::json!({ "stopped": engine.name }));
    } else {
        output.say(&format!("{} is down", engine.name));
    }
    tell_kept(&engine.state, output);
    Ok(ExitCode::SUCCESS)
}

/// Has an engine kill all that it runs, and end. One that cannot be talked to, because it hangs or its socket is gone, is
/// killed itself, and its launcher then kills all that it started; false, then.
pub async fn force(client: &Client, pid: u32, started: Option<u64>) -> bool {
    let is_told = matches!(tokio::time::timeout(PATIENCE, client.down(true)).await, Ok(Ok(())));
    if let Some(started) = started.filter(|_| !is_told) {
        effects::kill(pid, started);
    }
    is_told
}

/// Without a living engine there may be one that was killed, and what it left.
async fn clean_up(global: &Global, error: Error, output: &Output) -> Result<ExitCode, Error> {
    let Some(killed) = locate::killed(global).filter(|_| error.code == Code::NoEngine) else { return Err(error) };
    sweep_up(&killed, output).await
}

async fn sweep_up(killed: &Registration, output: &Output) -> Result<ExitCode, Error> {
    let places = locate::places()?;
    let count = engine::clear(&places, killed, &|text| output.say(text))?;
    let home = places.home(&killed.id);
    let mut cleared = Ok(());
    let had_containers = containers::left(&home.containers()).is_some();
    // Unless there is an engine again, whose versions these are.
    if let Ok(Some(_lock)) = registry::lock(&home.lock()) {
        tries::clear(&home, tries::read(&home.tries())).await;
        cleared = containers::clear(&home.containers()).await;
        if cleared.is_err() {
            // Whoever comes next is to find them still.
            let _ = registry::write(&home, killed);
        }
    }
    tell_kept(&killed.state, output);
    if let Err(reason) = cleared {
        return Err(Error::failed(format!("{} is down, but for its containers: {reason}", killed.name)));
    }
    if output.json {
        output.json(&serde_json::json!({ "stopped": killed.name }));
    } else {
        let ended = match (count, killed.ending && had_containers) {
            (0, true) => "its containers, which had been left, are removed".to_owned(),
            (0, false) => "its engine had been killed".to_owned(),
            (count, _) => format!("its engine had been killed; {count} processes that it had left were ended"),
        };
        output.say(&format!("{} is down: {ended}", killed.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is waited for when it takes longer than people like to wait without a word.
async fn report(client: &Client, note: &Path, output: &Output) {
    let Ok(mut stream) = client.events("/v1/services/stream").await else { return };
    let mut stopping: Vec<String> = Vec::new();
    let mut late = tokio::time::interval_at(tokio::time::Instant::now() + LATE, LATE);
    let mut told = None;
    loop {
        tokio::select! {
            changes = stream.next::<Changes>() => {
                let Some(changes) = changes else { return };
                for service in changes.services {
                    stopping.retain(|name| *name != service.name);
                    if service.state == State::Stopping {
                        stopping.push(service.name);
                    }
                }
            }
            _ = late.tick() => {
                let (awaited, whom) = match containers::left(note) {
                    _ if !stopping.is_empty() => (Awaited::Services, stopping.join(", ")),
                    Some(place) => {
                        (Awaited::Containers, format!("the containers at {place}"))
                    }
                    None => (Awaited::Engine, "the engine".to_owned()),
                };
                if told.replace(awaited) != Some(awaited) {
                    output.say(&format!("waiting for {whom} to stop"));
                }
            }
        }
    }
}

/// What keeps a workspace from being down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Services,
    Containers,
    Engine,
}
