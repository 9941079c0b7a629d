//! What was seen in the folders of a tree the last time, so that those that are still the same need not be read.
//!
//! Only names are remembered, and only those that matter; what is in files is read every time. A folder is the same if
//! its number, its device and both of its times are. A time says nothing of a change that comes within its own grain
//! after us, so what had just changed when it was read is not remembered; nor is anything on file systems whose times
//! others make, or on others than the root's own.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::effects::cache::{read_checked, write_checked};
use crate::effects::globs::{shown, unshown};

/// Longer than the grain of any file system's times: two seconds with FAT.
const GRAIN: Duration = Duration::from_secs(3);

/// So many trees are remembered.
const TREES: usize = 50;

/// File systems whose times the kernel makes when something changes, by their magic numbers (statfs(2)).
const HONEST: [u64; 9] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x2fc1_2fc1, // zfs
    0xf2f5_2010, // f2fs
    0x794c_7630, // overlayfs
    0xca45_1a4e, // bcachefs
    0x3153_464a, // jfs
];

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

    /// The names of a folder, which is told by its path from the root and its own: those that are remembered, if it is
    /// still the same.
    pub fn names(&mut self, folder: &Path, path: &Path, read: impl FnOnce() -> io::Result<Names>) -> io::Result<Names> {
        let Some(kept) = &mut self.0 else { return read() };
        // Before it is read: what changes meanwhile makes it another one.
        let told = fs::symlink_metadata(path)?;
        if told.dev() != kept.old.device {
            return read();
        }
        let key = shown(folder);
        let stamp = Stamp::of(&told);
        if let Some((known, names)) = kept.old.folders.remove(&key)
            && known == stamp
        {
            kept.new.insert(key, (stamp, names.clone()));
            return Ok(names);
        }
        kept.has_changed = true;
        let names = read()?;
        if stamp.1.max(stamp.2) < kept.settled {
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
        let folder = file.parent().unwrap_or(&file);
        if write_checked(&file, &old).is_ok() && is_first {
            forget_most(folder);
        }
    }
}

impl Kept {
    fn load(root: &Path, memories: &Path) -> Option<Self> {
        let device = honest(root)?;
        let now = SystemTime::now().checked_sub(GRAIN)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let settled = i64::try_from(now.as_nanos()).ok()?;
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
    let magic = u64::try_from(rustix::fs::statfs(root).ok()?.f_type).ok()? & 0xffff_ffff;
    HONEST.contains(&magic).then(|| fs::metadata(root).ok().map(|told| told.dev())).flatten()
}

impl Stamp {
    fn of(told: &fs::Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self(told.ino(), nanos(told.mtime(), told.mtime_nsec()), nanos(told.ctime(), told.ctime_nsec()))
    }
}

/// Takes away what was written longest ago.
fn forget_most(memories: &Path) {
    let Ok(entries) = fs::read_dir(memories) else { return };
    let written = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut files: Vec<(SystemTime, PathBuf)> = entries.flatten().filter_map(written).collect();
    files.sort();
    let old = files.len().saturating_sub(TREES);
    for (_, path) in &files[..old] {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests;
