//! Copies of folders as they stand.
//!
//! A file is cloned where the filesystem can (reflink: both share their blocks until one is written), and copied in the
//! kernel elsewhere, with its holes. What an earlier copy has of the very same file, untouched since, is linked: copies
//! are never written. Who a file was is its number, its size and both of its times, of which programs cannot set one.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::files::{self, Wanted};
use crate::model::Size;

/// A file as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    device: u64,
    number: u64,
    size: u64,
    /// Seconds and nanoseconds of its times (stat(2)).
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(told: &Metadata) -> Self {
        Self {
            device: told.dev(),
            number: told.ino(),
            size: told.len(),
            modified: (told.mtime(), told.mtime_nsec()),
            changed: (told.ctime(), told.ctime_nsec()),
        }
    }

    /// Whether any write after a time would have changed it: times have the grain of the kernel's clock.
    pub(super) fn is_settled(&self, then: SystemTime) -> bool {
        let seconds = u64::try_from(self.changed.0).unwrap_or(0);
        let nanos = u32::try_from(self.changed.1).unwrap_or(0);
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        then.duration_since(changed).is_ok_and(|age| age > GRAIN)
    }
}

/// Longer than the kernel's clock takes from one tick to the next.
const GRAIN: Duration = Duration::from_millis(20);

/// The files below a folder, by their paths there.
pub type Index = BTreeMap<PathBuf, Seen>;

/// The files of which it shows whether anybody wrote to them after this time, up to which nobody did.
pub fn settled(mut index: Index, then: SystemTime) -> Index {
    index.retain(|_, seen| seen.is_settled(then));
    index
}

/// What a copy came to.
#[derive(Debug, Default)]
pub struct Copied {
    /// Of all files.
    pub bytes: u64,
    /// The originals' files.
    pub originals: Index,
    /// The copies.
    pub copies: Index,
    /// Links that lead out of the folder: what is there is not copied.
    pub outside: Vec<PathBuf>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum NotCopied {
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Failed(PathBuf, io::Error),
    #[error("there is no room for {path}: {free} are free there", path = .0.display(), free = .1)]
    Full(PathBuf, Size),
    #[error("{path} changed while it was copied: something still writes there", path = .0.display())]
    Changed(PathBuf),
    #[error("it was called off")]
    CalledOff,
}

/// An earlier copy, and what its originals were, as far as these show whether they are the same still.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    pub folder: &'a Path,
    pub originals: &'a Index,
}

/// Copies a folder to where nothing is; `call_off` ends it early. The original must not change meanwhile.
pub fn copy(from: &Path, to: &Path, earlier: Option<Earlier<'_>>, call_off: &AtomicBool) -> Result<Copied, NotCopied> {
    let mut work = Work {
        from,
        to,
        earlier,
        call_off,
        linked: HashMap::new(),
        files: Vec::new(),
        names: Vec::new(),
        folders: Vec::new(),
        done: Copied::default(),
    };
    work.folder(Path::new(""))?;
    work.complete()
}

/// Whether the files are as they were; else one that is not.
pub fn changed(folder: &Path, before: &Index) -> Result<Option<PathBuf>, NotCopied> {
    let now = look(folder)?;
    let differs = |path: &&PathBuf| now.get(*path) != before.get(*path);
    Ok(now.keys().chain(before.keys()).find(differs).map(|path| folder.join(path)))
}

/// The files below a folder.
pub fn look(folder: &Path) -> Result<Index, NotCopied> {
    let mut index = Index::new();
    look_below(folder, Path::new(""), &mut index)?;
    Ok(index)
}

fn look_below(base: &Path, below: &Path, index: &mut Index) -> Result<(), NotCopied> {
    let folder = base.join(below);
    let at = |error| NotCopied::Failed(folder.clone(), error);
    for entry in fs::read_dir(&folder).map_err(at)? {
        let entry = entry.map_err(at)?;
        let path = below.join(entry.file_name());
        let told = match entry.metadata() {
            Ok(told) => told,
            // It went while it was looked at, which is a change that is seen.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(NotCopied::Failed(base.join(path), error)),
        };
        if told.is_dir() {
            look_below(base, &path, index)?;
        } else if told.is_file() {
            index.insert(path, Seen::of(&told));
        }
    }
    Ok(())
}

struct Work<'a> {
    from: &'a Path,
    to: &'a Path,
    earlier: Option<Earlier<'a>>,
    call_off: &'a AtomicBool,
    /// The copies of files that have several names.
    linked: HashMap<(u64, u64), PathBuf>,
    /// Those that are to be copied yet.
    files: Vec<Wanted>,
    /// Those that are there under another name, when all are copied.
    names: Vec<(PathBuf, Wanted)>,
    /// The copies of folders and what their originals are, the innermost first.
    folders: Vec<(PathBuf, Metadata)>,
    done: Copied,
}

impl Work<'_> {
    fn folder(&mut self, below: &Path) -> Result<(), NotCopied> {
        let (from, to) = (self.from.join(below), self.to.join(below));
        let told = fs::symlink_metadata(&from).map_err(|error| NotCopied::Failed(from.clone(), error))?;
        DirBuilder::new().mode(0o700).create(&to).map_err(|error| not_written(&to, error))?;
        let unread = |error| NotCopied::Failed(from.clone(), error);
        for entry in fs::read_dir(&from).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            if self.call_off.load(Ordering::Relaxed) {
                return Err(NotCopied::CalledOff);
            }
            let path = below.join(entry.file_name());
            let told = entry.metadata().map_err(|error| NotCopied::Failed(self.from.join(&path), error))?;
            match told.file_type() {
                kind if kind.is_dir() => self.folder(&path)?,
                kind if kind.is_file() => self.file(path, told),
                kind if kind.is_symlink() => self.link(&path, &told)?,
                // Sockets and pipes belong to programs that are gone.
                _ => {}
            }
        }
        self.folders.push((to, told));
        Ok(())
    }

    fn file(&mut self, path: PathBuf, told: Metadata) {
        let (from, to) = (self.from.join(&path), self.to.join(&path));
        let seen = Seen::of(&told);
        self.done.bytes += seen.size;
        let number = (seen.device, seen.number);
        let other = self.linked.get(&number).cloned();
        if told.nlink() > 1 && other.is_none() {
            self.linked.insert(number, to.clone());
        }
        let is_there = || self.unchanged(&path, &seen).is_some_and(|known| fs::hard_link(known, &to).is_ok());
        match other {
            Some(other) => self.names.push((other, Wanted { from, to, told })),
            None if is_there() => {}
            None => self.files.push(Wanted { from, to, told }),
        }
        self.done.originals.insert(path, seen);
    }

    /// All that comes when the folders are there.
    fn complete(mut self) -> Result<Copied, NotCopied> {
        files::copy(self.files, self.call_off)?;
        // Of a file that has as many names as one can have there is another copy.
        let left = self.names.into_iter().filter(|(other, it)| fs::hard_link(other, &it.to).is_err());
        files::copy(left.map(|(_, it)| it).collect(), self.call_off)?;
        // Last: a folder may be shut to its owner, and its times are those of its last file.
        for (to, told) in self.folders {
            File::open(&to).and_then(|folder| like(&folder, &told)).map_err(|error| not_written(&to, error))?;
        }
        for path in self.done.originals.keys() {
            let to = self.to.join(path);
            let copied = fs::symlink_metadata(&to).map_err(|error| not_written(&to, error))?;
            self.done.copies.insert(path.clone(), Seen::of(&copied));
        }
        Ok(self.done)
    }

    /// The earlier copy of a file that nobody touched since.
    fn unchanged(&self, path: &Path, seen: &Seen) -> Option<PathBuf> {
        let earlier = self.earlier?;
        let is_same = earlier.originals.get(path).is_some_and(|before| before == seen);
        is_same.then(|| earlier.folder.join(path))
    }

    fn link(&mut self, path: &Path, told: &Metadata) -> Result<(), NotCopied> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let target = fs::read_link(&from).map_err(|error| NotCopied::Failed(from.clone(), error))?;
        if from.canonicalize().is_ok_and(|real| !self.from.canonicalize().is_ok_and(|base| real.starts_with(base))) {
            self.done.outside.push(from);
        }
        let made = symlink(&target, &to).and_then(|()| match is_root() {
            true => lchown(&to, Some(told.uid()), Some(told.gid())),
            false => Ok(()),
        });
        made.map_err(|error| not_written(&to, error))
    }
}

/// Why a copy could not be made where it was to be.
pub(super) fn not_written(path: &Path, error: io::Error) -> NotCopied {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    match rustix::fs::statvfs(path.parent().unwrap_or(path)) {
        Ok(told) if is_full => NotCopied::Full(path.to_owned(), Size(told.f_bavail * told.f_frsize)),
        _ => NotCopied::Failed(path.to_owned(), error),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives a copy its original's owner, rights and time.
pub(super) fn like(copy: &File, told: &Metadata) -> io::Result<()> {
    if is_root() {
        fchown(copy, Some(told.uid()), Some(told.gid()))?;
    }
    copy.set_permissions(fs::Permissions::from_mode(told.mode() & 0o7777))?;
    copy.set_times(FileTimes::new().set_modified(told.modified()?))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn copied(from: &Path, to: &Path, earlier: Option<Earlier<'_>>) -> Copied {
        copy(from, to, earlier, &AtomicBool::new(false)).unwrap()
    }

    /// A folder of all that there is, and room for copies.
    fn made() -> (tempfile::TempDir, PathBuf) {
        let base = tempfile::tempdir().unwrap();
        let from = base.path().join("from");
        fs::create_dir_all(from.join("a/empty")).unwrap();
        fs::write(from.join("a/one"), "one").unwrap();
        fs::hard_link(from.join("a/one"), from.join("again")).unwrap();
        fs::set_permissions(from.join("a"), fs::Permissions::from_mode(0o2750)).unwrap();
        symlink("a/one", from.join("inside")).unwrap();
        symlink(base.path(), from.join("outside")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        (base, from)
    }

    #[test]
    fn a_copy_has_all_that_its_original_has() {
        let (base, from) = made();
        // Nobody may write there, and what is in it is copied all the same.
        fs::create_dir(from.join("a/shut")).unwrap();
        fs::write(from.join("a/shut/file"), "").unwrap();
        fs::set_permissions(from.join("a/shut"), fs::Permissions::from_mode(0o555)).unwrap();
        let to = base.path().join("to");
        let done = copied(&from, &to, None);
        assert_eq!((done.bytes, done.outside), (6, vec![from.join("outside")]));
        assert_eq!(fs::read_to_string(to.join("inside")).unwrap(), "one");
        let told = |path: &str| fs::metadata(to.join(path)).unwrap();
        assert_eq!(told("again").ino(), told("a/one").ino());
        assert_eq!(told("a").mode() & 0o7777, 0o2750);
        assert_eq!((told("a/shut").mode() & 0o7777, told("a/shut/file").len()), (0o555, 0));
        // The copies are told as they are in the end: a further name is a change.
        assert_eq!(done.copies, look(&to).unwrap());
        fs::set_permissions(from.join("a/shut"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(to.join("a/shut"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(told("a").mtime_nsec(), fs::metadata(from.join("a")).unwrap().mtime_nsec());
        assert!(to.join("a/empty").is_dir() && !to.join("socket").exists());
        // What is there already is not written over.
        assert!(matches!(copy(&from, &to, None, &AtomicBool::new(false)), Err(NotCopied::Failed(at, _)) if at == to));
    }

    #[test]
    fn what_nobody_touched_is_linked_and_what_changed_is_copied() {
        let (base, from) = made();
        fs::write(from.join("a/two"), "two").unwrap();
        let first = base.path().join("first");
        let done = copied(&from, &first, None);
        while !done.originals.values().all(|seen| seen.is_settled(SystemTime::now())) {
            std::thread::park_timeout(GRAIN);
        }
        // Of the same length and time: only the kernel's own time tells.
        let told = fs::metadata(from.join("a/two")).unwrap();
        fs::write(from.join("a/two"), "TWO").unwrap();
        let file = OpenOptions::new().write(true).open(from.join("a/two")).unwrap();
        file.set_times(FileTimes::new().set_modified(told.modified().unwrap())).unwrap();
        assert_eq!(changed(&from, &done.originals).unwrap(), Some(from.join("a/two")));
        let second = base.path().join("second");
        let earlier = Earlier { folder: &first, originals: &done.originals };
        let done = copied(&from, &second, Some(earlier));
        let number = |folder: &Path, path: &str| fs::metadata(folder.join(path)).unwrap().ino();
        assert_eq!(number(&first, "a/one"), number(&second, "a/one"));
        assert_ne!(number(&first, "a/two"), number(&second, "a/two"));
        assert_eq!(fs::read_to_string(first.join("a/two")).unwrap(), "two");
        assert_eq!(fs::read_to_string(second.join("a/two")).unwrap(), "TWO");
        assert_eq!(changed(&from, &done.originals).unwrap(), None);
    }

    #[test]
    fn a_file_that_was_just_written_shows_no_later_write() {
        let (_base, from) = made();
        let index = look(&from).unwrap();
        let seen = index[Path::new("a/one")];
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seen.changed.0.unsigned_abs(), 0);
        let changed = changed + Duration::from_nanos(seen.changed.1.unsigned_abs());
        let known = |then| settled(index.clone(), then).contains_key(Path::new("a/one"));
        // However late anybody looks again: a write of the same length in the same tick has the same time.
        assert!(!known(changed + GRAIN / 2));
        assert!(known(changed + GRAIN * 2));
    }

    #[test]
    fn one_that_is_called_off_says_so() {
        let (base, from) = made();
        let result = copy(&from, &base.path().join("to"), None, &AtomicBool::new(true));
        assert!(matches!(result, Err(NotCopied::CalledOff)));
    }
}
