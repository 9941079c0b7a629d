//! What was seen in the folders of a tree the last time, so that those that are still the same need not be read.
//!
//! Only names are remembered, and only those that matter; of what is in files [`answer`](super::answer) knows. A folder is
//! the same if its number, its device and both of its times are. What had just changed when it was read is not
//! remembered; nor is anything on file systems whose times others make, or on others than the root's own.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::effects::cache::{read_checked, write_checked};
use crate::effects::globs::{shown, unshown};
use crate::effects::look::{Look, has_honest_times, settled};

/// So many files are kept for trees: one for what was seen of each, and one for each question about it.
const FILES: usize = 100;

/// So much they may take.
const BYTES: u64 = 256 << 20;

/// The names in a folder that matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Files that some runner reads.
    pub files: Vec<String>,
    /// As text, see [`shown`].
    folders: Vec<String>,
    /// What tells of package managers, sorted; files that git ignores too.
    pub marks: Vec<String>,
    /// It has rules of git's, or is the top of a repository.
    pub has_rules: bool,
}

impl Names {
    pub fn add_folder(&mut self, name: &OsStr) {
        self.folders.push(shown(Path::new(name)));
    }

    pub fn folders(&self) -> impl Iterator<Item = OsString> {
        self.folders.iter().map(|name| unshown(name).into_os_string())
    }
}

/// What tells whether a folder is still the same: number, and times of content and of anything, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(u64, i64, i64);

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Text {
    /// Which files are wanted, as a hash: another nagaya may want others.
    wanted: String,
    root: String,
    device: u64,
    folders: HashMap<String, (Stamp, Names)>,
}

/// The memory of one tree.
#[derive(Debug)]
pub struct Memory(Option<Kept>);

#[derive(Debug)]
struct Kept {
    file: PathBuf,
    old: Text,
    new: HashMap<String, (Stamp, Names)>,
    has_changed: bool,
    /// What changed before has a time that will not be given again.
    settled: i64,
}

impl Memory {
    /// What is remembered of a tree in a folder of such memories. Whatever is wrong with it, it is made anew.
    pub fn load(root: &Path, memories: Option<&Path>) -> Self {
        Self(memories.and_then(|memories| Kept::load(root, memories)))
    }

    /// The names of a folder, which is told by its path from the root and by what it looked like before: those that are
    /// remembered, if it is still the same.
    pub fn names(&mut self, folder: &Path, look: &Look, read: impl FnOnce() -> io::Result<Names>) -> io::Result<Names> {
        let Some(kept) = &mut self.0 else { return read() };
        if look.device != kept.old.device {
            return read();
        }
        let key = shown(folder);
        let stamp = Stamp::of(look);
        if let Some((known, names)) = kept.old.folders.remove(&key)
            && known == stamp
        {
            kept.new.insert(key, (stamp, names.clone()));
            return Ok(names);
        }
        kept.has_changed = true;
        let names = read()?;
        if look.is_settled(kept.settled) {
            kept.new.insert(key, (stamp, names.clone()));
        }
        Ok(names)
    }

    /// Writes down what is known now. Where that fails, the next walk reads all.
    pub fn save(self) {
        let Some(Kept { file, mut old, new, has_changed, .. }) = self.0 else { return };
        if !has_changed && old.folders.is_empty() {
            return;
        }
        let is_first = !file.exists();
        old.folders = new;
        if write_checked(&file, &old).is_ok() && is_first {
            forget_most(file.parent().unwrap_or(&file));
        }
    }
}

impl Kept {
    fn load(root: &Path, memories: &Path) -> Option<Self> {
        let device = honest(root)?;
        let settled = settled()?;
        let root = shown(root);
        let file = memories.join(blake3::hash(root.as_bytes()).to_hex().as_str());
        let wanted = blake3::hash(crate::tasks::patterns().as_bytes()).to_hex().to_string();
        let old = read_checked(&file)
            .filter(|old: &Text| old.wanted == wanted && old.root == root && old.device == device)
            .unwrap_or(Text { wanted, root, device, folders: HashMap::new() });
        let new = HashMap::with_capacity(old.folders.len());
        Some(Self { file, old, new, has_changed: false, settled })
    }
}

/// The device of a tree whose folders' times can be believed.
fn honest(root: &Path) -> Option<u64> {
    has_honest_times(root).then(|| fs::metadata(root).ok().map(|told| told.dev())).flatten()
}

impl Stamp {
    fn of(look: &Look) -> Self {
        Self(look.number, look.times[0], look.times[1])
    }
}

/// Takes away what was written longest ago.
pub fn forget_most(memories: &Path) {
    let Ok(entries) = fs::read_dir(memories) else { return };
    let written = |entry: fs::DirEntry| {
        let told = entry.metadata().ok()?;
        Some((told.modified().ok()?, entry.path(), told.len()))
    };
    let mut files: Vec<(SystemTime, PathBuf, u64)> = entries.flatten().filter_map(written).collect();
    files.sort_by(|a, b| b.cmp(a));
    let mut total = 0;
    for (place, (_, path, size)) in files.iter().enumerate() {
        if place >= FILES || total + size > BYTES {
            let _ = fs::remove_file(path);
        } else {
            total += size;
        }
    }
}

#[cfg(test)]
mod tests;
