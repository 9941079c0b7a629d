//! A command of a user in a container: `nagaya exec`, with the terminal or the pipes that it has.

use std::io::{IsTerminal, Write};
use std::path::Path;

use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

use super::clear::Note;
use super::engine::{Engine, said};
use crate::effects::standard_input::StandardInput;

/// Runs a command in a container of the workspace whose note this is; its exit code.
pub async fn exec(note: &Path, container: &str, command: Vec<String>) -> Result<i64, String> {
    let note = Note::read(note).ok_or("no container of this workspace runs")?;
    let engine = Engine::at(note.engine).await.map_err(|absent| absent.to_string())?;
    let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(tty),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let made = engine.docker.create_exec(container, options).await.map_err(|error| said(&error))?;
    let start = StartExecOptions { tty, ..StartExecOptions::default() };
    let started = engine.docker.start_exec(&made.id, Some(start)).await.map_err(|error| said(&error))?;
    if let StartExecResults::Attached { mut output, input } = started {
        let _raw = tty.then(Raw::enter);
        let typing = tokio::spawn(type_into(input));
        let resizing = tokio::spawn(follow_size(engine.clone(), made.id.clone(), tty));
        while let Some(Ok(piece)) = output.next().await {
            let written = match &piece {
                bollard::container::LogOutput::StdErr { message } => write(std::io::stderr().lock(), message),
                other => write(std::io::stdout().lock(), other.as_ref()),
            };
            if written.is_err() {
                break;
            }
        }
        typing.abort();
        resizing.abort();
    }
    let ended = engine.docker.inspect_exec(&made.id).await.map_err(|error| said(&error))?;
    // Where it runs on, or nobody knows, it has not gone well.
    Ok(ended.exit_code.unwrap_or(1))
}

fn write(mut out: impl Write, bytes: &[u8]) -> std::io::Result<()> {
    out.write_all(bytes).and_then(|()| out.flush())
}

/// The terminal, as the command in the container wants it, until this is dropped.
struct Raw;

impl Raw {
    fn enter() -> Self {
        let _ = crossterm::terminal::enable_raw_mode();
        Self
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// What is typed here goes there; the end of it too.
async fn type_into(mut input: std::pin::Pin<Box<dyn AsyncWrite + Send>>) {
    let (mut typed, mut bytes) = (StandardInput::open(), [0; 4096]);
    while !typed.is_over() {
        let Some(count) = typed.next(&mut bytes).await else { continue };
        if input.write_all(&bytes[..count]).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
    let _ = input.shutdown().await;
}

/// The command's terminal is as large as this one.
async fn follow_size(engine: Engine, exec: String, tty: bool) {
    let Ok(mut resized) = signal(SignalKind::window_change()) else { return };
    if !tty {
        return;
    }
    loop {
        if let Ok((width, height)) = crossterm::terminal::size() {
            let _ = engine.docker.resize_exec(&exec, ResizeExecOptions { height, width }).await;
        }
        if resized.recv().await.is_none() {
            return;
        }
    }
}
