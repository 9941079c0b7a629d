//! What work on containers has to say, on its way to whoever listens: the log of a service, or a person who waits.

use std::os::fd::OwnedFd;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedWriteHalf, pipe};
use tokio::sync::mpsc;

/// Words for somebody.
#[derive(Debug, Default)]
pub struct Words(Ear);

#[derive(Debug, Default)]
enum Ear {
    #[default]
    Nobody,
    Log(pipe::Sender),
    Screen(OwnedWriteHalf),
    Waiting(mpsc::UnboundedSender<String>),
}

impl Words {
    /// Into a pipe that the log reads.
    pub fn into_pipe(end: OwnedFd) -> Self {
        Self(pipe::Sender::from_owned_fd(end).map_or(Ear::Nobody, Ear::Log))
    }

    /// To a terminal, as it is drawn there.
    pub fn to_screen(screen: OwnedWriteHalf) -> Self {
        Self(Ear::Screen(screen))
    }

    /// Line by line to somebody who waits.
    pub fn to_waiting(lines: mpsc::UnboundedSender<String>) -> Self {
        Self(Ear::Waiting(lines))
    }

    /// Writes a line. A log that cannot be written is no reason to stop.
    pub async fn line(&mut self, text: &str) {
        self.bytes(format!("{}\n", text.trim_end()).as_bytes()).await;
    }

    /// Writes bytes as they are.
    pub async fn bytes(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Ear::Nobody => {}
            Ear::Log(pipe) => drop(pipe.write_all(bytes).await),
            Ear::Screen(screen) => drop(screen.write_all(bytes).await),
            Ear::Waiting(lines) => {
                let text = String::from_utf8_lossy(bytes);
                text.lines().for_each(|line| drop(lines.send(line.to_owned())));
            }
        }
    }
}
