//! Turns that processes take, by files that the kernel unlocks when their holder is gone.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::FdFlags;

use super::environment;
use super::fs::make_private_folder;

/// A turn; it lasts until this is dropped.
#[derive(Debug)]
pub struct Turn {
    /// Locked as long as it is open.
    file: File,
}

impl Drop for Turn {
    /// Nobody is to be taken for the holder who is not any more.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// Looks that are had, and the time between two, for who has a turn to write who it is.
const LOOKS: (usize, Duration) = (100, Duration::from_millis(5));

/// More of what a holder says of itself is not read, in bytes.
const MOST: u64 = 1024;

/// The file of a lock in a folder: names may have characters that files cannot.
pub fn file_of(folder: &Path, name: &str) -> PathBuf {
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let plain: String = plain.chars().take(60).collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    folder.join(format!("{plain}-{}.lock", &hash.as_str()[..8]))
}

/// The folder of the locks that tasks name, which all accounts of this machine share; [`LOCKS`] names another. A machine
/// that has none gets that of the account.
pub fn of_machine(own: PathBuf) -> PathBuf {
    let named = environment::variable(LOCKS).map(PathBuf::from).filter(|path| path.is_absolute());
    let shared = || ["/run/lock", "/tmp"].map(PathBuf::from).into_iter().find(|folder| is_common(folder));
    named.or_else(shared).unwrap_or(own)
}

/// Where the locks are that tasks name.
pub const LOCKS: &str = "NAGAYA_LOCKS";

/// The file of a lock that tasks name, where other programs may have files too.
pub fn file_of_task(folder: &Path, name: &str) -> PathBuf {
    let file = file_of(folder, name);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("nagaya-{name}"))
}

/// Takes a turn, or tells in the holder's own words who has it.
pub fn try_take(path: &Path, who: &str) -> io::Result<Result<Turn, String>> {
    let mut file = open(path)?;
    let mut holder = String::new();
    for _ in 0..LOOKS.0 {
        match file.try_lock() {
            Ok(()) if !is_at(path, &file) => file = open(path)?,
            Ok(()) => return Ok(Ok(note(file, who))),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        file.rewind()?;
        let _ = (&file).take(MOST).read_to_string(&mut holder);
        if !holder.is_empty() {
            // Another account may have written it.
            return Ok(Err(holder.chars().filter(|c| !c.is_control()).collect()));
        }
        // It has only just been taken.
        std::thread::park_timeout(LOOKS.1);
    }
    Ok(Err("another process".to_owned()))
}

/// Takes a turn for the program that this process becomes: it is over when that and all that it began are gone. Who has it
/// is told to `waits` where it has to be waited for.
pub fn take_along(path: &Path, who: &str, waits: impl FnOnce(&str)) -> io::Result<()> {
    let turn = match try_take(path, who)? {
        Ok(turn) => turn,
        Err(holder) => {
            waits(&holder);
            take(path, who)?
        }
    };
    let turn = ManuallyDrop::new(turn);
    Ok(rustix::io::fcntl_setfd(&turn.file, FdFlags::empty())?)
}

/// Waits for a turn, however long that takes.
pub fn take(path: &Path, who: &str) -> io::Result<Turn> {
    loop {
        let file = open(path)?;
        file.lock()?;
        if is_at(path, &file) {
            return Ok(note(file, who));
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    match path.parent() {
        Some(folder) if is_common(folder) => return open_common(path),
        Some(folder) => make_private_folder(folder)?,
        None => {}
    }
    fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
}

/// Whether all accounts may make files in a folder, and take away only their own.
fn is_common(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|told| told.is_dir() && told.mode() & 0o1002 == 0o1002)
}

/// Opens a file that another account may have made, or makes one that others may open. A link or a pipe that somebody laid
/// there is no lock. It is not made in the same breath, as the kernel lets nobody do that with the file of another
/// (`fs.protected_regular`, proc_sys_fs(5)).
fn open_common(path: &Path) -> io::Result<File> {
    let open = |new: bool, write: bool| {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = fs::OpenOptions::new();
        options.create_new(new).read(true).write(write).mode(0o644).custom_flags(flags).open(path)
    };
    // One that may only be read is locked as well; who has it is not told then.
    let find = || match open(false, true) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open(false, false),
        found => found,
    };
    for _ in 0..LOOKS.0 {
        match find() {
            Ok(file) if file.metadata()?.is_file() => return Ok(file),
            Ok(_) => return Err(io::Error::other("it is no file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if fs::symlink_metadata(path).is_ok_and(|told| !told.is_file()) => {
                return Err(io::Error::other("it is no file"));
            }
            // Whoever has only just made it has not let others in yet.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                std::thread::park_timeout(LOOKS.1);
                continue;
            }
            Err(error) => return Err(error),
        }
        match open(true, true) {
            Ok(file) => {
                file.set_permissions(fs::Permissions::from_mode(0o666))?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "another account has it to itself"))
}

/// Whether a file is still where it was opened: a lock on one that was taken away keeps nobody out.
fn is_at(path: &Path, file: &File) -> bool {
    let place = |told: fs::Metadata| (told.dev(), told.ino());
    let there = fs::symlink_metadata(path).map(place);
    there.is_ok_and(|there| file.metadata().map(place).is_ok_and(|own| own == there))
}

/// A place that many may share, and the last of them has to themselves.
#[derive(Debug)]
pub struct Shared(File);

/// Shares a place.
pub fn share(path: &Path) -> io::Result<Shared> {
    let file = open(path)?;
    file.lock_shared()?;
    Ok(Shared(file))
}

impl Shared {
    /// Whether nobody else shares it; until this is dropped, nobody will.
    pub fn is_last(&self) -> bool {
        self.0.try_lock().is_ok()
    }
}

/// Who has the turn is for people alone: without it, the lock is as good.
fn note(mut file: File, who: &str) -> Turn {
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(who.as_bytes()));
    Turn { file }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn one_at_a_time_and_the_holder_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_of(&dir.path().join("deep"), "deploy/eu");
        let turn = try_take(&path, "process 7").unwrap().unwrap();
        assert_eq!(try_take(&path, "process 8").unwrap().unwrap_err(), "process 7");
        drop(turn);
        assert_eq!(fs::read_to_string(&path).unwrap(), "", "nobody has it");
        assert!(try_take(&path, "process 8").unwrap().is_ok());
        assert_ne!(path, file_of(&dir.path().join("deep"), "deploy_eu"));
    }

    #[test]
    fn all_accounts_share_what_is_in_a_common_folder_and_nothing_else_is_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let common = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        common(0o1777);
        let path = file_of_task(dir.path(), "deploy");
        let turn = try_take(&path, "process 7").unwrap().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666);
        assert_eq!(try_take(&path, "process 8").unwrap().unwrap_err(), "process 7");
        // Taken away while somebody has it: who comes later has another, and this one's end is nobody's business.
        fs::remove_file(&path).unwrap();
        assert!(try_take(&path, "process 8").unwrap().is_ok());
        drop(turn);
        for (name, lay) in [("link", true), ("pipe", false)] {
            let path = file_of_task(dir.path(), name);
            match lay {
                true => std::os::unix::fs::symlink(dir.path().join("target"), &path).unwrap(),
                false => mknodat(CWD, &path, FileType::Fifo, 0o666.into(), 0).unwrap(),
            }
            assert!(try_take(&path, "process 9").is_err(), "{name}");
        }
        assert!(!dir.path().join("target").exists());
        common(0o755);
        let path = file_of_task(dir.path(), "own");
        drop(try_take(&path, "process 7").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn who_has_it_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = open(&path).unwrap();
        file.lock().unwrap();
        let asks = std::thread::spawn({
            let path = path.clone();
            move || try_take(&path, "process 8").unwrap().unwrap_err()
        });
        fs::write(&path, "process 7").unwrap();
        assert_eq!(asks.join().unwrap(), "process 7");
    }
}
