//! Accepting connections for as long as there is a listener, and descriptors for them.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};

use crate::effects::{clock, descriptors};

/// With no descriptor left, asking again at once would only burn the processor.
const BREATH: Duration = Duration::from_millis(20);
/// What is broken for longer is not asked often.
const LONG_BREATH: Duration = Duration::from_secs(1);
/// How often the engine's log has a line of what goes on.
const TELLING: Duration = Duration::from_secs(60);

/// A listener that refuses whom it has no descriptor for.
pub struct Listener {
    socket: TcpListener,
    /// What is called there.
    what: String,
    told: Cell<Option<Instant>>,
}

impl Listener {
    /// Registers a socket that listens; `what` is for the engine's log.
    pub fn new(socket: StdListener, what: String) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::from_std(socket)?, what, told: Cell::new(None) })
    }

    /// The next connection. An error is one of the listener itself.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.socket.accept().await {
                Ok((stream, from)) if descriptors::is_kept_back(&stream) => self.refuse(stream, from),
                Ok(arrived) => return Ok(arrived),
                // In a place of its own: thousands wait here for their first connection.
                Err(error) if is_passing(&error) => Box::pin(breathe()).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// At once, by a reset: whoever calls learns it now, and not after a time limit of its own.
    fn refuse(&self, stream: TcpStream, from: SocketAddr) {
        let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        drop(stream);
        self.tell(&format!(
            "{from} was refused: connections take all {} descriptors that the engine may have; `nagaya doctor` tells how to \
             raise the limit",
            descriptors::limit()
        ));
    }

    #[allow(clippy::print_stderr, reason = "standard error is the engine's log")]
    fn tell(&self, text: &str) {
        let now = clock::instant();
        if self.told.get().is_none_or(|told| now.duration_since(told) > TELLING) {
            self.told.set(Some(now));
            eprintln!("{} {}: {text}", clock::utc(), self.what);
        }
    }
}

/// Serves each connection to a listener, until its task is ended. No error ends it: whoever calls is to find somebody
/// here again once it is over.
pub async fn each_connection(socket: StdListener, what: String, mut serve: impl FnMut(TcpStream, SocketAddr)) {
    let Ok(listener) = Listener::new(socket, what) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, from)) => serve(stream, from),
            Err(error) => {
                listener.tell(&format!("nobody can call: {error}"));
                Box::pin(tokio::time::sleep(LONG_BREATH)).await;
            }
        }
    }
}

/// Errors of one connection, or of a shortage that passes; the listener itself is sound.
fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::INTR];
    error.kind() == io::ErrorKind::ConnectionAborted
        || error.kind() == io::ErrorKind::ConnectionReset
        || passing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Waits a moment for a shortage to pass.
async fn breathe() {
    tokio::time::sleep(BREATH).await;
}
