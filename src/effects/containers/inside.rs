//! Commands in a container that runs: probes, and what follows from changes of files.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt;

use super::engine::{Engine, said};
use super::image::Words;

/// So much of what a command says is kept for a message.
const MOST: usize = 500;

/// Runs a command to its end; an error has its last words.
pub async fn run(
    engine: &Engine,
    container: &str,
    argv: Vec<String>,
    mut words: Option<&mut Words>,
) -> Result<(), String> {
    let shown = shown(&argv);
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(argv),
        ..CreateExecOptions::default()
    };
    let created = engine.docker.create_exec(container, options).await.map_err(|error| said(&error))?;
    let started = engine.docker.start_exec(&created.id, None::<StartExecOptions>).await;
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
    let ended = engine.docker.inspect_exec(&created.id).await.map_err(|error| said(&error))?;
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

/// One try of a probe.
pub async fn probe(engine: &Engine, container: &str, argv: Vec<String>, timeout: Duration) -> Result<(), String> {
    let shown = shown(&argv);
    match tokio::time::timeout(timeout, run(engine, container, argv, None)).await {
        Ok(result) => result,
        Err(_) => Err(format!("`{shown}` did not end within {timeout:?}")),
    }
}

/// A command as it was written: of one for the shell, what the shell is given.
fn shown(argv: &[String]) -> String {
    match argv {
        [_, flag, line] if flag == "-c" => line.strip_prefix("exec ").unwrap_or(line).to_owned(),
        words => words.join(" "),
    }
}
