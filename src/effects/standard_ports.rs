//! Ports 80 and 443 of the loopback, which one engine of a user holds for all of them.
//!
//! Whose turn it is tells a lock, which the kernel passes on when its holder is gone: who waits for it sleeps.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use tokio::sync::oneshot;

use super::places::Places;
use super::ports::{listen_unshared, taken_message};

/// http and https.
pub const STANDARD: [u16; 2] = [80, 443];
/// The sockets of an engine that has just been killed may outlive its lock by this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at a port that somebody is letting go of.
const PAUSE: Duration = Duration::from_millis(20);

/// Ours, or going to be.
#[derive(Debug)]
pub enum Claim {
    Held(Ports),
    /// Another engine of this user has them; this comes to pass when that has ended.
    Later(oneshot::Receiver<Turn>),
}

/// The listeners, and the right to them.
#[derive(Debug)]
pub struct Ports {
    pub listeners: Vec<TcpListener>,
    _turn: Turn,
}

/// The right to listen, as long as this lives.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is held, not used")] File);

/// Claims both ports. The error is what a user should read; nothing is held then.
pub fn claim(places: &Places) -> Result<Claim, String> {
    let path = places.standard_ports();
    let open = || OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = open().map_err(|error| format!("{}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => listen(Turn(file)).map(Claim::Held),
        Err(TryLockError::WouldBlock) => wait(file).map(Claim::Later).map_err(|error| error.to_string()),
        Err(TryLockError::Error(error)) => Err(format!("{}: {error}", path.display())),
    }
}

/// A thread that sleeps in the kernel until the lock is ours. It ends with the process at the latest.
fn wait(file: File) -> io::Result<oneshot::Receiver<Turn>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new().name("standard-ports".into()).spawn(move || {
        if file.lock().is_ok() {
            let _ = sender.send(Turn(file));
        }
    })?;
    Ok(receiver)
}

/// Listens when it is our turn, which came while another was ending.
pub async fn listen_soon(turn: Turn) -> Result<Ports, String> {
    let begun = super::clock::instant();
    while STANDARD.into_iter().any(|number| !super::ports::is_free(number)) && begun.elapsed() < PATIENCE {
        tokio::time::sleep(PAUSE).await;
    }
    listen(turn)
}

/// Both ports at `127.0.0.1`, and at `::1` where there is such an address and nobody has it.
fn listen(turn: Turn) -> Result<Ports, String> {
    let mut listeners = Vec::new();
    for number in STANDARD {
        listeners.push(listen_unshared(Ipv4Addr::LOCALHOST.into(), number).map_err(|error| refused(number, &error))?);
    }
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    listeners.extend(STANDARD.into_iter().filter_map(|number| listen_unshared(v6, number).ok()));
    Ok(Ports { listeners, _turn: turn })
}

fn refused(number: u16, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => taken_message(number),
        io::ErrorKind::PermissionDenied => format!(
            "this account may not listen on port {number}; `sudo sysctl net.ipv4.ip_unprivileged_port_start=80` allows it"
        ),
        _ => format!("port {number}: {error}"),
    }
}
