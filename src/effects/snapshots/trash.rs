//! Folders that nobody wants any more: to move them away takes no time, to remove a database does.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::removal::remove_tree;
use crate::effects::fs::make_private_folder;

const TRASH: &str = ".trash";

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

/// Removes what was discarded; whether there was any. Several may do so at once.
pub fn empty(store: &Path) -> bool {
    let trash = store.join(TRASH);
    let is_there = trash.exists();
    let _ = remove_tree(&trash);
    is_there
}
