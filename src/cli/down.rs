//! `nagaya down`: stop everything, in reverse order, and end the engine.

use std::process::ExitCode;
use std::time::Duration;

use super::args::{Down, Global};
use super::error::{Code, Error};
use super::locate::{self, connect};
use super::output::Output;
use super::tries::tell_kept;
use crate::api::Client;
use crate::effects::registry::{self, Registration};
use crate::effects::{self, containers, tries, wait};
use crate::engine;
use crate::runtime::Changes;
use crate::supervise::State;

/// Returns when the engine's process is gone.
pub async fn run(global: &Global, args: &Down, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = match connect(global, output) {
        Ok(found) => found,
        Err(error) => return clean_up(global, error, output).await,
    };
    if let Err(error) = client.down(args.force).await {
        return if args.force { kill(&engine, output).await } else { Err(error.into()) };
    }
    if !output.json {
        report(&client, output).await;
    }
    let (pid, started) = (engine.pid, engine.process_started);
    let _ = tokio::task::spawn_blocking(move || wait(pid, started)).await;
    if output.json {
        output.json(&serde_json::json!({ "stopped": engine.name }));
    } else {
        output.say(&format!("{} is down", engine.name));
    }
    tell_kept(&engine.state, output);
    Ok(ExitCode::SUCCESS)
}

/// An engine that cannot be talked to, because it hangs or its socket is gone, is killed; its launcher then kills all
/// that it started.
async fn kill(engine: &Registration, output: &Output) -> Result<ExitCode, Error> {
    effects::kill(engine.pid, engine.process_started);
    sweep_up(engine, output).await
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
    // Unless there is an engine again, whose versions these are.
    if let Ok(Some(_lock)) = registry::lock(&home.lock()) {
        tries::clear(&home, tries::read(&home.tries())).await;
        if let Err(reason) = containers::clear(&home.containers()).await {
            output.say(&format!("its containers could not be removed: {reason}"));
        }
    }
    tell_kept(&killed.state, output);
    if output.json {
        output.json(&serde_json::json!({ "stopped": killed.name }));
    } else {
        let ended = if count > 0 { format!("; {count} processes that it had left were ended") } else { String::new() };
        output.say(&format!("{} is down: its engine had been killed{ended}", killed.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is still stopping when it takes longer than people like to wait without a word.
async fn report(client: &Client, output: &Output) {
    let Ok(mut stream) = client.events("/v1/services/stream").await else { return };
    let mut stopping: Vec<String> = Vec::new();
    let deadline = tokio::time::sleep(Duration::from_secs(1));
    tokio::pin!(deadline);
    let mut late = false;
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
            () = &mut deadline, if !late => {
                late = true;
                let whom = if stopping.is_empty() { "the engine".to_owned() } else { stopping.join(", ") };
                output.say(&format!("waiting for {whom} to stop"));
            }
        }
    }
}
