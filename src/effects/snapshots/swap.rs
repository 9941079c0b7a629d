//! Two folders change places, all of several or none, whatever ends the process that has them do so.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Trouble;

/// The folder that is in use, the one beside it, and which of them is to be in use: folders are known by their numbers,
/// so that what was done already is not done twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    pub live: PathBuf,
    pub staged: PathBuf,
    /// `None` for none.
    wanted: Option<u64>,
    before: Option<u64>,
}

impl Swap {
    /// Is to bring what is staged into use.
    pub fn of(live: &Path, staged: &Path) -> Result<Self, Trouble> {
        let number = |path: &Path| number(path).map_err(|error| Trouble::Failed(path.to_owned(), error));
        Ok(Self { live: live.to_owned(), staged: staged.to_owned(), wanted: number(staged)?, before: number(live)? })
    }

    /// Is to bring into use what was before.
    pub fn back(&self) -> Self {
        Self { wanted: self.before, before: self.wanted, ..self.clone() }
    }

    fn carry_out(&self) -> io::Result<()> {
        let (live, staged) = (number(&self.live)?, number(&self.staged)?);
        match (live, staged) {
            (live, _) if live == self.wanted => Ok(()),
            (Some(_), Some(_)) => exchange(&self.staged, &self.live),
            (Some(_), None) => fs::rename(&self.live, &self.staged),
            (None, Some(_)) => fs::rename(&self.staged, &self.live),
            (None, None) => Ok(()),
        }
    }
}

fn number(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(told) => Ok(Some(told.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Carries out all that a note tells of, and removes the note. Called again, it goes on where it was ended.
pub fn all(swaps: &[Swap], note: &Path) -> Result<(), Trouble> {
    for swap in swaps {
        swap.carry_out().map_err(|error| Trouble::Failed(swap.live.clone(), error))?;
    }
    fs::remove_file(note).map_err(|error| Trouble::Failed(note.to_owned(), error))
}

/// Where data is put that is to change places with a folder: beside it, under a name that no service can have.
pub fn aside(live: &Path) -> PathBuf {
    let name = live.file_name().unwrap_or_default().to_string_lossy();
    live.with_file_name(format!("{MARK}{name}"))
}

/// Whether a name is one of these.
pub fn is_aside(name: &str) -> bool {
    name.starts_with(MARK)
}

const MARK: &str = ".restored-";

/// Has two names change what they mean, at once where the filesystem can (renameat2(2)).
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return Ok(done?),
        }
    }
    let mut between = one.as_os_str().to_owned();
    between.push(".between");
    let between = PathBuf::from(between);
    fs::rename(other, &between)?;
    fs::rename(one, other).and_then(|()| fs::rename(&between, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(folder: &Path) -> Option<String> {
        fs::read_to_string(folder.join("file")).ok()
    }

    #[test]
    fn all_change_places_also_after_an_end_midway() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        let note = path("note");
        let make = |name: &str, text: &str| {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("file"), text).unwrap();
        };
        make("a", "old a");
        make(".restored-a", "new a");
        make(".restored-b", "new b");
        let swaps = ["a", "b"].map(|name| Swap::of(&path(name), &aside(&path(name))).unwrap());
        fs::write(&note, "").unwrap();
        // Ended after the first, and called again.
        swaps[0].carry_out().unwrap();
        all(&swaps, &note).unwrap();
        let now = |name: &str| content(&path(name));
        assert_eq!([now("a"), now("b")], [Some("new a".to_owned()), Some("new b".to_owned())]);
        assert_eq!(now(".restored-a").as_deref(), Some("old a"));
        assert!(!note.exists());
        fs::write(&note, "").unwrap();
        let back = swaps.each_ref().map(Swap::back);
        back[1].carry_out().unwrap();
        all(&back, &note).unwrap();
        assert_eq!([now("a"), now("b")], [Some("old a".to_owned()), None]);
        assert_eq!(now(".restored-b").as_deref(), Some("new b"));
    }
}
