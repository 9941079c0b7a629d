//! A second copy of the snapshot that was used last: restoring it is no more than a change of names.
//!
//! The engine makes it while everything runs. Where the filesystem clones files there is none, as any copy is that quick.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LOCK, NotCopied, Snapshot, Trouble, exchange, extents, read, remove_tree, sync, trash, tree};
use crate::effects::fs::{make_private_folder, read_own, replace};
use crate::effects::locks;
use crate::effects::places::Home;

const READY: &str = ".ready";
const NEW: &str = ".ready.new";
const OWN_LOCK: &str = ".ready.lock";
/// Who has the snapshots' turn while a copy is put into its place, which takes no time.
pub const WHO: &str = "the engine";
const NOTE: &str = "ready.json";
/// From one look at whether a copy is made to the next.
const LOOK: Duration = Duration::from_millis(10);

/// Of which snapshot it is; one of the same name may have taken its place since.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    name: String,
    time: String,
}

impl Note {
    fn of(saved: &Snapshot) -> Self {
        Self { name: saved.name.clone(), time: saved.time.clone() }
    }

    /// What its maker says while it is made.
    fn who(&self) -> String {
        format!("{} {}", self.time, self.name)
    }

    fn is_there(&self, folder: &Path) -> bool {
        let text = read_own(&folder.join(READY).join(NOTE)).ok().flatten();
        text.and_then(|text| serde_json::from_str::<Self>(&text).ok()).is_some_and(|it| it == *self)
    }
}

/// Puts the copy of a service's data where it is wanted; whether there was one.
pub fn take(folder: &Path, saved: &Snapshot, service: &str, aside: &Path) -> bool {
    Note::of(saved).is_there(folder) && fs::rename(folder.join(READY).join(service), aside).is_ok()
}

/// Removes what was left of a copy that was not completed, and what was discarded, unless an engine is about it.
pub fn sweep(folder: &Path) {
    if let Ok(Ok(_turn)) = locks::try_take(&folder.join(OWN_LOCK), "sweep") {
        let _ = remove_tree(&folder.join(NEW));
        trash::sweep(folder);
    }
}

/// Waits for the copy of a snapshot while it is made: another one beside it would make both take longer. Not for who has
/// the snapshots' turn.
pub fn wait_for(home: &Home, saved: &Snapshot, call_off: &AtomicBool) -> Result<(), Trouble> {
    let (lock, who) = (home.snapshots().join(OWN_LOCK), Note::of(saved).who());
    let is_made = || locks::try_take(&lock, "a look").is_ok_and(|turn| turn.is_err_and(|holder| holder == who));
    while is_made() {
        if call_off.load(Ordering::Relaxed) {
            return Err(NotCopied::CalledOff.into());
        }
        std::thread::park_timeout(LOOK);
    }
    Ok(())
}

/// The snapshot of which there is a second copy.
pub fn of_which(home: &Home) -> Option<Snapshot> {
    let folder = home.snapshots();
    let text = read_own(&folder.join(READY).join(NOTE)).ok().flatten()?;
    let note: Note = serde_json::from_str(&text).ok()?;
    read(&folder.join(&note.name)).filter(|saved| Note::of(saved) == note)
}

/// Removes the copy, of whichever snapshot it is; whether there was one.
pub fn drop_all(folder: &Path) -> bool {
    let is_there = folder.join(READY).exists();
    let _ = remove_tree(&folder.join(READY));
    is_there
}

/// The copy is of no use any more where it is of a snapshot that is not there.
pub fn forget(folder: &Path, name: &str) {
    let text = read_own(&folder.join(READY).join(NOTE)).ok().flatten();
    let note = text.and_then(|text| serde_json::from_str::<Note>(&text).ok());
    if note.is_some_and(|note| note.name == name) {
        let _ = remove_tree(&folder.join(READY));
    }
}

/// Makes the copy of a snapshot in place of another's, if the disk has plenty of room, and then removes what was discarded.
/// Takes as long as that takes.
pub fn make(home: &Home, name: &str, call_off: &AtomicBool) -> Result<(), Trouble> {
    let folder = home.snapshots();
    let made = read(&folder.join(name)).map_or(Ok(()), |saved| make_of(&folder, &saved, call_off));
    trash::empty(&folder);
    made
}

fn make_of(folder: &Path, saved: &Snapshot, call_off: &AtomicBool) -> Result<(), Trouble> {
    let failed = |error| Trouble::Failed(folder.to_owned(), error);
    let (lock, who) = (folder.join(OWN_LOCK), Note::of(saved).who());
    let _own = match locks::try_take(&lock, &who).map_err(failed)? {
        Ok(turn) => turn,
        Err(holder) if holder == who => return Ok(()),
        // It is of another one, or somebody only looks.
        Err(_) => locks::take(&lock, &who).map_err(failed)?,
    };
    if !is_of_use(folder, saved) || !has_room(folder, saved.bytes()) {
        return Ok(());
    }
    let new = folder.join(NEW);
    let made = copy(folder, &new, saved, call_off).and_then(|()| {
        let _turn = locks::take(&folder.join(LOCK), WHO).map_err(failed)?;
        let is_there = read(&folder.join(&saved.name)).is_some_and(|now| now == *saved);
        let put = || match folder.join(READY).exists() {
            true => exchange(&new, &folder.join(READY)),
            false => fs::rename(&new, folder.join(READY)),
        };
        if is_there { put().map_err(failed) } else { Ok(()) }
    });
    // What is there now is another snapshot's, or not whole.
    trash::discard(folder, &new);
    made
}

/// Whether a copy of it makes restores quicker, and there is none.
fn is_of_use(folder: &Path, saved: &Snapshot) -> bool {
    let folders = || saved.parts.iter().filter(|part| !part.volumes);
    let is_whole = || folders().all(|part| folder.join(READY).join(&part.service).is_dir());
    folders().next().is_some() && !extents::can_clone(folder) && !(Note::of(saved).is_there(folder) && is_whole())
}

/// Whether there is plenty of room. What was discarded has to go for it only where there is little.
fn has_room(folder: &Path, bytes: u64) -> bool {
    has_plenty(folder, bytes) || (trash::empty(folder) && has_plenty(folder, bytes))
}

/// Whether a disk is not made full by so many bytes: what runs needs room too.
fn has_plenty(folder: &Path, bytes: u64) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|told| told.f_bavail.saturating_mul(told.f_frsize) >= bytes.saturating_mul(2))
}

fn copy(folder: &Path, new: &Path, saved: &Snapshot, call_off: &AtomicBool) -> Result<(), Trouble> {
    let failed = |error| Trouble::Failed(new.to_owned(), error);
    remove_tree(new).and_then(|()| make_private_folder(new)).map_err(failed)?;
    for part in saved.parts.iter().filter(|part| !part.volumes) {
        tree::copy(&folder.join(&saved.name).join(&part.service), &new.join(&part.service), None, call_off)?;
    }
    let note = serde_json::to_vec(&Note::of(saved)).map_err(|error| failed(error.into()))?;
    replace(&new.join(NOTE), &note).and_then(|()| sync(new)).map_err(failed)
}
