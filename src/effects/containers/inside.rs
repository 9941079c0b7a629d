//! Commands in a container that runs: probes, and what follows from changes of files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt;

use super::engine::{Engine, said};
use super::words::Words;
use crate::effects::survivors;
use crate::model::show_duration;

/// So much of what a command says is kept for a message.
const MOST: usize = 500;

/// Runs a command to its end; an error has its last words.
pub async fn run(engine: &Engine, container: &str, argv: Vec<String>, words: Option<&mut Words>) -> Result<(), String> {
    run_known(engine, container, argv, words, &OnceLock::new()).await
}

/// The same, with the engine's name for it told as soon as it has one.
async fn run_known(
    engine: &Engine,
    container: &str,
    argv: Vec<String>,
    mut words: Option<&mut Words>,
    known: &OnceLock<String>,
) -> Result<(), String> {
    let shown = shown(&argv);
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(argv),
        ..CreateExecOptions::default()
    };
    let created = engine.docker.create_exec(container, options).await.map_err(|error| said(&error))?;
    let id = known.get_or_init(|| created.id);
    let started = engine.docker.start_exec(id, None::<StartExecOptions>).await;
    let mut said_last: Vec<u8> = Vec::new();
    if let StartExecResults::Attached { mut output, .. } = started.map_err(|error| said(&error))? {
        while let Some(Ok(piece)) = output.next().await {
            let bytes = piece.into_bytes();
            if let Some(words) = words.as_deref_mut() {
                words.bytes(&bytes).await;
            }
            said_last.extend_from_slice(&bytes);
            let surplus = said_last.len().saturating_sub(MOST);
            said_last.drain(..surplus);
        }
    }
    let ended = engine.docker.inspect_exec(id).await.map_err(|error| said(&error))?;
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
        let shown = shown(&argv);
        let turn = self.turn(container, &argv).map_err(|begun| {
            let since = show_duration(Duration::from_secs(begun.elapsed().as_secs()));
            format!("`{shown}` still runs since {since} ago in the container, and none is started beside it")
        })?;
        let known = Arc::<OnceLock<String>>::default();
        let (own, place, seen) = (engine.clone(), container.to_owned(), Arc::clone(&known));
        let mut running = tokio::spawn(async move {
            let _turn = turn;
            run_known(&own, &place, argv, None, &seen).await
        });
        match tokio::time::timeout(timeout, &mut running).await {
            Ok(result) => result.unwrap_or_else(|error| Err(error.to_string())),
            Err(_) => {
                if let Some(id) = known.get() {
                    end(engine, container, id).await;
                }
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
/// that is in the container is.
async fn end(engine: &Engine, container: &str, exec: &str) {
    let Ok(found) = engine.docker.inspect_exec(exec).await else { return };
    let pid = found.pid.filter(|_| found.running == Some(true)).and_then(|pid| u32::try_from(pid).ok());
    if let Some(pid) = pid.filter(|pid| *pid > 0) {
        let container = found.container_id.unwrap_or_else(|| container.to_owned());
        let _ = tokio::task::spawn_blocking(move || survivors::kill_within(pid, &container)).await;
    }
}

/// A command as it was written: of one for the shell, what the shell is given.
fn shown(argv: &[String]) -> String {
    match argv {
        [_, flag, line] if flag == "-c" => line.strip_prefix("exec ").unwrap_or(line).to_owned(),
        words => words.join(" "),
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
