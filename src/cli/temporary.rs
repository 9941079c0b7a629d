//! An engine that is there for one command and ends with it.

use tokio::signal::unix::{SignalKind, signal};

use super::error::Error;
use super::output::{Output, dim};
use crate::api::Client;
use crate::effects;
use crate::engine::{Owned, Running};

/// The engine and whoever owns it: this process.
pub struct Temporary {
    pub client: Client,
    pub running: Running,
    /// With this process the engine ends.
    _owned: Owned,
}

impl Temporary {
    pub fn new(running: Running, owned: Owned) -> Self {
        Self { client: Client::new(&running.socket), running, _owned: owned }
    }

    /// Stops everything in order; Ctrl-C meanwhile kills it.
    pub async fn end(&self, output: &Output) {
        let pid = self.running.identity.pid;
        let Some(started) = effects::start_time(pid) else { return };
        output.say(&dim("taking everything down"));
        if self.client.down(false).await.is_err() {
            return effects::kill(pid, started);
        }
        let gone = tokio::task::spawn_blocking(move || effects::wait(pid, started));
        tokio::pin!(gone);
        let Ok(mut stop) = Stop::new() else { return drop(gone.await) };
        tokio::select! {
            _ = &mut gone => return,
            () = stop.asked() => {}
        }
        let _ = self.client.down(true).await;
        let _ = gone.await;
    }
}

/// Ctrl-C or a request to end.
pub struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    pub fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::failed(format!("no signals: {error}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
