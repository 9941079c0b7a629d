//! What the dashboard is told by signals.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a process is told by signals. Ctrl-C is one only while the terminal is not ours.
pub struct Signals {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
    /// Something went on that was stopped, as a shell has jobs do.
    continued: Signal,
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Interrupt,
    /// The terminal is gone, or somebody wants this process to end.
    End,
    GoOn,
}

impl Signals {
    /// From now on signals end nothing by themselves.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            continued: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// What the next one says.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Interrupt,
            _ = self.hangup.recv() => Told::End,
            _ = self.terminate.recv() => Told::End,
            _ = self.continued.recv() => Told::GoOn,
        }
    }
}
