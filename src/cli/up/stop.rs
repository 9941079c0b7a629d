//! How an `up` is asked to end.

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::error::{Code, Error};

/// Ctrl-C, a request to end, or the closing of the terminal.
pub struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Stop {
    pub fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::failed(format!("signals: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// A wait that Ctrl-C ends with its own exit code; the workspace runs on.
pub async fn interruptible<T>(waiting: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut stop = Stop::new()?;
    tokio::select! {
        result = waiting => result,
        () = stop.asked() => Err(Error::new(Code::Interrupted, "interrupted; the workspace runs on").hint("`nagaya down` stops it")),
    }
}
