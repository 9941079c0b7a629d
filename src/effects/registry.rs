//! Which engines run: each leaves a note in its workspace's state, and holds a lock there as long as it lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fs;
use super::places::{self, Home, Places};
use super::process;

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub id: String,
    pub name: String,
    /// The name was given by `-p`, and the manifest has another.
    pub explicit: bool,
    /// The real path of the first manifest.
    pub manifest: PathBuf,
    pub pid: u32,
    /// The kernel's start time of that process, since numbers are used again.
    pub process_started: u64,
    pub socket: PathBuf,
    pub state: PathBuf,
    /// nagaya's own version.
    pub version: String,
    pub host_label: String,
    pub front_door: u16,
    /// Ports 80 and 443 were asked for when it started.
    #[serde(default)]
    pub standard_ports: bool,
    /// Where namerd's API was asked for.
    #[serde(default)]
    pub namerd: Option<SocketAddr>,
    /// RFC 3339, UTC.
    pub started: String,
    /// It stops all that it runs, and starts nothing any more.
    #[serde(default)]
    pub ending: bool,
}

impl Registration {
    /// Whether the engine that wrote it is still there.
    pub fn is_alive(&self) -> bool {
        process::alive(self.pid, self.process_started) && !process::is_ending(self.pid)
    }
}

/// All engines of this user that are alive.
pub fn engines(places: &Places) -> Vec<Registration> {
    let ids = fs::names(&places.state).unwrap_or_default();
    let read = |id: String| read(&places.home(&id));
    let mut found: Vec<Registration> = ids.into_iter().filter_map(read).filter(Registration::is_alive).collect();
    found.sort_by(|a, b| a.started.cmp(&b.started));
    found
}

/// What engines left that were killed: their notes, which a proper end takes away.
pub fn killed(places: &Places) -> Vec<Registration> {
    let ids = fs::names(&places.state).unwrap_or_default();
    ids.into_iter().filter_map(|id| read(&places.home(&id))).filter(|engine| !engine.is_alive()).collect()
}

/// The running engine of a manifest, by its real path, under the name that is asked for; none that is about to end.
pub fn find(places: &Places, manifest: Option<&PathBuf>, project: Option<&str>) -> Option<Registration> {
    let same = |engine: &Registration| {
        let name = match project {
            // One that bears the name by itself is the same workspace.
            Some(name) => engine.name == name,
            None => !engine.explicit,
        };
        name && Some(&engine.manifest) == manifest && !engine.ending
    };
    engines(places).into_iter().find(same)
}

/// The note in a workspace's state, whether its engine lives or not.
pub fn read(home: &Home) -> Option<Registration> {
    note(&home.state)
}

/// The same, by the folder of that state.
pub fn note(state: &Path) -> Option<Registration> {
    let text = fs::read_own(&state.join(places::NOTE)).ok()??;
    serde_json::from_str(&text).ok()
}

/// When the engine of a note was started, by the folder of its workspace's state.
pub fn began(state: &Path) -> Option<Timestamp> {
    note(state)?.started.parse().ok()
}

/// Whether an engine that is gone was killed: its note is there, and does not say that it was about to end.
pub fn was_killed(engine: &Registration) -> bool {
    note(&engine.state).is_some_and(|note| !note.ending && note.pid == engine.pid && !note.is_alive())
}

/// Leaves a note.
pub fn write(home: &Home, registration: &Registration) -> io::Result<()> {
    fs::replace(&home.registration(), serde_json::to_string_pretty(registration)?.as_bytes())
}

/// Adds to the note that its engine ends.
pub fn note_end(home: &Home) {
    if let Some(note) = read(home).filter(|note| !note.ending) {
        // Without it, whoever asks the engine for something is told.
        let _ = write(home, &Registration { ending: true, ..note });
    }
}

/// Takes the note away.
pub fn remove(home: &Home) {
    let _ = std::fs::remove_file(home.registration());
    let _ = std::fs::remove_file(&home.socket);
}

/// The workspace is ours as long as this or a share of it lives; the kernel lets go of it after any death.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// For another process that is to keep the workspace locked as well.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }
}

/// Takes the lock of a workspace; `None` where another engine has it.
pub fn lock(path: &Path) -> io::Result<Option<Lock>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The label in host names for a workspace: its name, with a number where another engine uses that already.
pub fn host_label(places: &Places, id: &str, name: &str) -> String {
    let others: Vec<String> =
        engines(places).into_iter().filter(|engine| engine.id != id).map(|engine| engine.host_label).collect();
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|label| !others.contains(label))
        .unwrap_or_else(|| name.to_owned())
}
