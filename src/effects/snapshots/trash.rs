//! Folders that nobody wants any more: to move them away takes no time, to remove a database does.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::removal::remove_tree;
use crate::effects::fs::make_private_folder;
use crate::effects::locks;

const TRASH: &str = ".trash";
/// Held by whoever removes.
const LOCK: &str = ".trash.lock";
const WHO: &str = "removal";

/// Has a folder be gone from its place. What cannot be moved, as to another filesystem, is removed; what cannot be removed
/// now is swept later.
pub fn discard(store: &Path, path: &Path) {
    if moved(store, path).is_err() {
        let _ = remove_tree(path);
    }
}

fn moved(store: &Path, path: &Path) -> io::Result<()> {
    let number = fs::symlink_metadata(path)?.ino();
    make_private_folder(&store.join(TRASH))?;
    fs::rename(path, store.join(TRASH).join(number.to_string()))
}

/// Removes what was discarded, or waits for whoever does so; whether there was any.
pub fn empty(store: &Path) -> bool {
    let is_there = store.join(TRASH).exists();
    if is_there {
        // On a full disk there may be no lock, and it is to be removed all the more.
        let _turn = locks::take(&store.join(LOCK), WHO);
        remove_all(store);
    }
    is_there
}

/// Removes what was discarded, unless somebody is about it.
pub fn sweep(store: &Path) {
    if store.join(TRASH).exists()
        && let Ok(Ok(_turn)) = locks::try_take(&store.join(LOCK), WHO)
    {
        remove_all(store);
    }
}

/// Also what is discarded meanwhile.
fn remove_all(store: &Path) {
    let trash = store.join(TRASH);
    while fs::read_dir(&trash).is_ok_and(|mut entries| entries.next().is_some()) {
        let removed = remove_tree(&trash);
        if removed.is_err_and(|error| error.kind() != io::ErrorKind::DirectoryNotEmpty) {
            return;
        }
    }
    let _ = fs::remove_dir(trash);
}
