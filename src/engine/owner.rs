//! To whom an engine belongs: the `up` that started it, until that lets go of it.

use std::io::Write;
use std::os::unix::net::UnixStream;

use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use crate::runtime::{Ask, Handle};

/// The word by which an owner gives up its engine; without it, the owner's end is the engine's.
const RELEASE: &[u8] = b"release\n";

/// Lets go of an engine.
pub fn release(mut engine: UnixStream) {
    let _ = engine.write_all(RELEASE);
}

/// Stops everything when the owner is gone without that word.
pub async fn end_with_owner(owner: UnixStream, handle: Handle) {
    if owner.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(mut owner) = tokio::net::UnixStream::from_std(owner) else { return };
    let mut word = Vec::new();
    let _ = owner.read_to_end(&mut word).await;
    if !word.ends_with(RELEASE) {
        let _ = handle.asks.send(Ask::Down { force: false });
    }
}

/// SIGTERM stops everything in order; a second one kills.
pub async fn end_on_signal(handle: Handle) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    let mut force = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = handle.asks.send(Ask::Down { force });
        force = true;
    }
}
