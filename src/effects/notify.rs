//! Where a service says itself that it is ready: the socket of sd_notify(3), a datagram a message.
//!
//! It has a path, as a name in the abstract space would not lead out of a pod.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::places::Home;
use crate::launcher::Account;
use crate::supervise::{Fact, Incarnation, Said};

/// The variable that leads there.
pub const VARIABLE: &str = "NOTIFY_SOCKET";
/// The variable that tells how often it must be said that the program lives, in microseconds.
pub const WATCHDOG: &str = "WATCHDOG_USEC";
/// systemd reads no more of a message either.
const LONGEST: usize = 4096;
/// A status is shown in one line.
const LONGEST_STATUS: usize = 200;

/// The socket of one life of a service; it goes with this.
#[derive(Debug)]
pub struct Notify {
    path: PathBuf,
    reading: AbortHandle,
}

impl Notify {
    /// Opens it for a service that is run by `account`, where that is not ours. What is said there becomes facts.
    pub fn open(
        home: &Home,
        incarnation: Incarnation,
        account: Option<&Account>,
        facts: mpsc::UnboundedSender<Fact>,
    ) -> Result<Self, String> {
        let folder = home.notify(account.is_some());
        let path = folder.join(incarnation.0.to_string());
        let opened = make_folder(&folder, account.is_some()).and_then(|()| bind(&path, account));
        let socket = opened.map_err(|error| format!("no socket for its notifications, {}: {error}", path.display()))?;
        let reading = tokio::spawn(read(socket, incarnation, facts)).abort_handle();
        Ok(Self { path, reading })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        self.reading.abort();
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes the folders away, where there are any.
pub fn remove(home: &Home) {
    for folder in [home.notify(false), home.notify(true)] {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Makes the folder. Of an account that has no way into ours, the socket lies where everybody may put things, so that
/// somebody else could have made the folder before.
fn make_folder(folder: &Path, passable: bool) -> io::Result<()> {
    let mode = if passable { 0o711 } else { 0o700 };
    match fs::DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = folder.symlink_metadata()?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("the folder belongs to somebody else or is open to others"));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

/// A life's number is used once in an engine; a file of this name is left of one that was killed.
fn bind(path: &Path, account: Option<&Account>) -> io::Result<UnixDatagram> {
    let _ = fs::remove_file(path);
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    if let Some(Account { uid, gid, .. }) = account {
        chown(path, Some(*uid), Some(*gid))?;
    }
    Ok(socket)
}

async fn read(socket: UnixDatagram, incarnation: Incarnation, facts: mpsc::UnboundedSender<Fact>) {
    let mut message = vec![0; LONGEST];
    // Descriptors that come along, as with a barrier, are closed by the kernel, since nobody takes them: that is the
    // answer to a barrier.
    while let Ok(count) = socket.recv(&mut message).await {
        for said in said(&message[..count]) {
            let _ = facts.send(Fact::Said(incarnation, said));
        }
    }
}

/// What a message says of that which is understood here, the status first.
fn said(message: &[u8]) -> Vec<Said> {
    let text = String::from_utf8_lossy(message);
    let status = text.lines().filter_map(|line| line.strip_prefix("STATUS="));
    let status = status.map(|status| status.chars().filter(|c| !c.is_control()).take(LONGEST_STATUS).collect());
    let words = text.lines().filter_map(|line| match line {
        "READY=1" => Some(Said::Ready),
        "WATCHDOG=1" => Some(Said::Alive),
        "WATCHDOG=trigger" => Some(Said::Dead),
        _ => None,
    });
    status.map(Said::Status).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines_of_which_some_are_heard() {
        let status = |text: &str| Said::Status(text.to_owned());
        for (message, expected) in [
            ("READY=1", vec![Said::Ready]),
            ("READY=1\nSTATUS=Serving 3 sites\nMAINPID=7\n", vec![status("Serving 3 sites"), Said::Ready]),
            ("STATUS=a\x1b[31mb", vec![status("a[31mb")]),
            ("WATCHDOG=1", vec![Said::Alive]),
            ("WATCHDOG=trigger\nWATCHDOG_USEC=5", vec![Said::Dead]),
            ("READY=0\nNOTREADY=1\n READY=1", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(said(message.as_bytes()), expected, "{message:?}");
        }
        assert_eq!(said(b"STATUS=\xff\nREADY=1"), [status("\u{fffd}"), Said::Ready]);
    }
}
