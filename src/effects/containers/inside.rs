//! Commands in a container that runs: probes, and what follows from changes of files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt;
use tokio::sync::watch;

use super::engine::{Engine, said};
use super::words::Words;
use crate::effects::survivors;
use crate::model::{show_duration, spoken};

/// So much of what a command says is kept for a message.
const MOST: usize = 500;

/// Between two looks at a command that is to end and has not begun yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a command to its end; an error has its last words.
pub async fn run(engine: &Engine, container: &str, argv: Vec<String>, words: Option<&mut Words>) -> Result<(), String> {
    let (_time, never) = watch::channel(false);
    run_until(engine, container, argv, words, never).await
}

/// The same, where it is ended once its time `is_over`.
async fn run_until(
    engine: &Engine,
    container: &str,
    argv: Vec<String>,
    mut words: Option<&mut Words>,
    mut is_over: watch::Receiver<bool>,
) -> Result<(), String> {
    let shown = spoken(&argv);
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(argv),
        ..CreateExecOptions::default()
    };
    let id = engine.docker.create_exec(container, options).await.map_err(|error| said(&error))?.id;
    if *is_over.borrow() {
        return Err(format!("`{shown}` was not begun in time"));
    }
    let started = engine.docker.start_exec(&id, None::<StartExecOptions>).await;
    let mut said_last: Vec<u8> = Vec::new();
    if let StartExecResults::Attached { mut output, .. } = started.map_err(|error| said(&error))? {
        let heard = async {
            while let Some(Ok(piece)) = output.next().await {
                let bytes = piece.into_bytes();
                if let Some(words) = words.as_deref_mut() {
                    words.bytes(&bytes).await;
                }
                said_last.extend_from_slice(&bytes);
                let surplus = said_last.len().saturating_sub(MOST);
                said_last.drain(..surplus);
            }
        };
        let ended = async {
            if is_over.wait_for(|over| *over).await.is_ok() {
                end(engine, container, &id).await;
            }
            // What it said until then is heard all the same.
            std::future::pending().await
        };
        tokio::select! {
            () = heard => {}
            () = ended => {}
        }
    }
    let ended = engine.docker.inspect_exec(&id).await.map_err(|error| said(&error))?;
    match ended.exit_code {
        Some(0) => Ok(()),
        code => {
            let text = String::from_utf8_lossy(&said_last);
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim()));
            let code = code.map_or_else(|| "did not end".to_owned(), |code| format!("exited with {code}"));
            Err(format!("`{shown}` {code}{}", last.unwrap_or_default()))
        }
    }
}

/// Tries of probes that are under way, by container and command. An engine cannot be asked to end a command that it runs in
/// a container, so one that outlasts its time may go on there: no other is started beside it.
#[derive(Debug, Clone, Default)]
pub struct Tries(Arc<Mutex<HashMap<(String, String), Instant>>>);

impl Tries {
    /// One try of a probe.
    pub async fn probe(
        &self,
        engine: &Engine,
        container: &str,
        argv: Vec<String>,
        timeout: Duration,
    ) -> Result<(), String> {
        let shown = spoken(&argv);
        let turn = self.turn(container, &argv).map_err(|begun| {
            let since = show_duration(Duration::from_secs(begun.elapsed().as_secs()));
            format!("`{shown}` still runs since {since} ago in the container, and none is started beside it")
        })?;
        let (time, is_over) = watch::channel(false);
        let (own, place) = (engine.clone(), container.to_owned());
        let mut running = tokio::spawn(async move {
            let _turn = turn;
            run_until(&own, &place, argv, None, is_over).await
        });
        match tokio::time::timeout(timeout, &mut running).await {
            Ok(result) => result.unwrap_or_else(|error| Err(error.to_string())),
            Err(_) => {
                let _ = time.send(true);
                Err(format!("`{shown}` did not end within {}", show_duration(timeout)))
            }
        }
    }

    /// The turn of a command in a container, or since when it has been another's.
    fn turn(&self, container: &str, argv: &[String]) -> Result<Turn, Instant> {
        let key = (container.to_owned(), argv.join("\0"));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = all.get(&key) {
            return Err(*begun);
        }
        all.insert(key.clone(), Instant::now());
        Ok(Turn { tries: self.clone(), key })
    }
}

/// Held while a try is under way.
struct Turn {
    tries: Tries,
    key: (String, String),
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.tries.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Kills a command in a container, where this account may and the engine counts processes as this machine does: only one
/// that is in the container is. An engine answers before it has begun what it was asked to, so that is waited for.
async fn end(engine: &Engine, container: &str, exec: &str) {
    while let Ok(found) = engine.docker.inspect_exec(exec).await {
        let container = found.container_id.unwrap_or_else(|| container.to_owned());
        match (found.running, found.pid.and_then(|pid| u32::try_from(pid).ok())) {
            (Some(true), Some(pid)) if pid > 0 => {
                let _ = tokio::task::spawn_blocking(move || survivors::kill_within(pid, &container)).await;
                return;
            }
            _ if found.exit_code.is_some() => return,
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_one_turn_in_a_container() {
        let tries = Tries::default();
        let argv = ["check".to_owned()];
        let turn = tries.turn("a", &argv).unwrap_or_else(|_| panic!("it is free"));
        assert!(tries.turn("a", &argv).is_err() && tries.turn("b", &argv).is_ok());
        assert!(tries.turn("a", &["other".to_owned()]).is_ok());
        drop(turn);
        assert!(tries.turn("a", &argv).is_ok());
    }
}
