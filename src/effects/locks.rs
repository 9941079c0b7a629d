//! Turns that processes take, by files that the kernel unlocks when their holder is gone.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::FdFlags;

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

/// The file of a lock in a folder: names may have characters that files cannot.
pub fn file_of(folder: &Path, name: &str) -> PathBuf {
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let plain: String = plain.chars().take(60).collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    folder.join(format!("{plain}-{}.lock", &hash.as_str()[..8]))
}

/// Takes a turn, or tells in the holder's own words who has it.
pub fn try_take(path: &Path, who: &str) -> io::Result<Result<Turn, String>> {
    let mut file = open(path)?;
    let mut holder = String::new();
    for _ in 0..LOOKS.0 {
        match file.try_lock() {
            Ok(()) => return Ok(Ok(note(file, who))),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        file.rewind()?;
        let _ = file.read_to_string(&mut holder);
        if !holder.is_empty() {
            return Ok(Err(holder));
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
    let file = open(path)?;
    file.lock()?;
    Ok(note(file, who))
}

fn open(path: &Path) -> io::Result<File> {
    path.parent().map_or(Ok(()), make_private_folder)?;
    fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
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
