//! Accepting connections for as long as there is a listener.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};

use crate::effects::clock;

/// With no descriptor left, asking again at once would only burn the processor.
const BREATH: Duration = Duration::from_millis(20);
/// What is broken for longer is not asked often.
const LONG_BREATH: Duration = Duration::from_secs(1);

/// Serves each connection to a listener, until its task is ended. No error ends it: whoever calls is to find somebody
/// here again once it is over. What does not pass by itself is in the engine's log.
pub async fn each_connection(listener: StdListener, what: &str, mut serve: impl FnMut(TcpStream, SocketAddr)) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tell(what, &error),
    };
    let mut is_told = false;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                is_told = false;
                serve(stream, from);
            }
            Err(error) if is_passing(&error) => breathe().await,
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tell(what, &error);
                }
                tokio::time::sleep(LONG_BREATH).await;
            }
        }
    }
}

#[allow(clippy::print_stderr, reason = "standard error is the engine's log")]
fn tell(what: &str, error: &io::Error) {
    eprintln!("{} nobody can call at {what}: {error}", clock::utc());
}

/// Errors of one connection, or of a shortage that passes; the listener itself is sound.
pub fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::INTR];
    error.kind() == io::ErrorKind::ConnectionAborted
        || error.kind() == io::ErrorKind::ConnectionReset
        || passing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Waits a moment for a shortage to pass.
pub async fn breathe() {
    tokio::time::sleep(BREATH).await;
}
