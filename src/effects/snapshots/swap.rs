//! Two folders change places, all of several or none, whatever ends the process that has them do so.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Trouble;
use crate::effects::fs::{read_own, replace};

/// The folder that is in use, the one beside it, and which of them is to be in use: folders are known by their numbers,
/// so that what was done already is not done twice, and no folder is moved that is neither.
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

    /// Whether the wanted folder is in use, and beside it is the other or none.
    pub fn is_done(&self) -> bool {
        let beside = number(&self.staged);
        number(&self.live).is_ok_and(|live| live == self.wanted)
            && beside.is_ok_and(|beside| beside.is_none() || beside == self.before)
    }

    fn carry_out(&self) -> io::Result<()> {
        let between = between(&self.staged);
        let (live, staged, aside) = (number(&self.live)?, number(&self.staged)?, number(&between)?);
        // An exchange in three steps was ended after the first or the second.
        if live.is_none() && aside.is_some() && aside == self.wanted {
            return fs::rename(&between, &self.live);
        }
        if live.is_none() && staged.is_some() && staged == self.wanted && aside == self.before {
            fs::rename(&self.staged, &self.live)?;
            return settle_between(aside, &between, &self.staged);
        }
        if live.is_some() && live == self.before && staged.is_none() && aside.is_some() && aside == self.wanted {
            fs::rename(&self.live, &self.staged)?;
            return fs::rename(&between, &self.live);
        }
        if live == self.wanted {
            return match staged.is_none() && aside == self.before {
                true => settle_between(aside, &between, &self.staged),
                false => Ok(()),
            };
        }
        let is_whole = live == self.before && staged == self.wanted && aside.is_none();
        match (live, staged) {
            (Some(_), Some(_)) if is_whole => exchange(&self.staged, &self.live),
            (Some(_), None) if is_whole => fs::rename(&self.live, &self.staged),
            _ => Err(io::Error::other(format!(
                "neither it nor {} is the folder that it was; both are left as they are",
                self.staged.display()
            ))),
        }
    }
}

/// The last step of an exchange in three.
fn settle_between(aside: Option<u64>, between: &Path, staged: &Path) -> io::Result<()> {
    match aside {
        Some(_) => fs::rename(between, staged),
        None => Ok(()),
    }
}

fn number(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(told) => Ok(Some(told.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How far a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The folders are to change places.
    Due,
    /// They have, and nobody has seen yet that the services can use what they have now.
    Unproven,
    /// They are to have what they had before.
    Back,
}

/// What is written down of a restore, from before its first swap until what is not in use may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub stage: Stage,
    /// Those that bring the restored data into use, at every stage.
    pub swaps: Vec<Swap>,
}

impl Note {
    /// What is written down, if anything is.
    pub fn read(path: &Path) -> Result<Option<Self>, Trouble> {
        let failed = |error| Trouble::Failed(path.to_owned(), error);
        let Some(text) = read_own(path).map_err(failed)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| failed(error.into()))
    }

    fn write(&self, path: &Path) -> Result<(), Trouble> {
        let failed = |error| Trouble::Failed(path.to_owned(), error);
        let bytes = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        replace(path, &bytes).map_err(failed)
    }

    /// Does what is due. Called again, it goes on where it was ended.
    pub fn settle(self, path: &Path) -> Result<(), Trouble> {
        match self.stage {
            Stage::Due => {
                each(&self.swaps)?;
                Self { stage: Stage::Unproven, ..self }.write(path)
            }
            Stage::Unproven => Ok(()),
            Stage::Back => {
                each(&self.swaps.iter().map(Swap::back).collect::<Vec<_>>())?;
                erase(path)
            }
        }
    }
}

/// Brings what is staged into use, of all or of none. What is written down then is removed by `erase`.
pub fn forth(swaps: &[Swap], path: &Path) -> Result<(), Trouble> {
    let note = Note { stage: Stage::Due, swaps: swaps.to_vec() };
    note.write(path)?;
    let Err(trouble) = note.settle(path) else { return Ok(()) };
    match back(swaps, path) {
        Ok(()) => Err(trouble),
        Err(other) => Err(Trouble::Torn(Box::new(trouble), Box::new(other))),
    }
}

/// Brings what was before into use.
pub fn back(swaps: &[Swap], path: &Path) -> Result<(), Trouble> {
    let note = Note { stage: Stage::Back, swaps: swaps.to_vec() };
    note.write(path)?;
    note.settle(path)
}

fn each(swaps: &[Swap]) -> Result<(), Trouble> {
    swaps.iter().try_for_each(|swap| swap.carry_out().map_err(|error| Trouble::Failed(swap.live.clone(), error)))
}

/// Removes the note.
pub fn erase(path: &Path) -> Result<(), Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Trouble::Failed(path.to_owned(), error)),
        _ => Ok(()),
    }
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

/// Where one of two folders is for as long as an exchange in three steps takes.
pub fn between(one: &Path) -> PathBuf {
    let mut between = one.as_os_str().to_owned();
    between.push(".between");
    PathBuf::from(between)
}

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
    let between = between(one);
    fs::rename(other, &between)?;
    if let Err(error) = fs::rename(one, other) {
        fs::rename(&between, other)?;
        return Err(error);
    }
    fs::rename(&between, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lab {
        base: tempfile::TempDir,
        swaps: Vec<Swap>,
    }

    impl Lab {
        /// `a` has data before and `b` has none.
        fn new() -> Self {
            let mut lab = Self { base: tempfile::tempdir().unwrap(), swaps: Vec::new() };
            lab.make("a", "old a");
            lab.make(".restored-a", "new a");
            lab.make(".restored-b", "new b");
            lab.swaps = ["a", "b"].map(|name| Swap::of(&lab.path(name), &aside(&lab.path(name))).unwrap()).to_vec();
            lab
        }

        fn path(&self, name: &str) -> PathBuf {
            self.base.path().join(name)
        }

        fn make(&self, name: &str, text: &str) {
            fs::create_dir(self.path(name)).unwrap();
            fs::write(self.path(name).join("file"), text).unwrap();
        }

        fn at(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.path(name).join("file")).ok()
        }

        fn note(&self) -> PathBuf {
            self.path("note")
        }

        fn is(&self, a: Option<&str>, b: Option<&str>) -> bool {
            self.at("a").as_deref() == a && self.at("b").as_deref() == b
        }

        fn stage(&self) -> Option<Stage> {
            Note::read(&self.note()).unwrap().map(|note| note.stage)
        }
    }

    #[test]
    fn all_change_places_also_after_an_end_midway() {
        let lab = Lab::new();
        Note { stage: Stage::Due, swaps: lab.swaps.clone() }.write(&lab.note()).unwrap();
        // Ended after the first, and called again.
        lab.swaps[0].carry_out().unwrap();
        let settle = || Note::read(&lab.note()).unwrap().unwrap().settle(&lab.note());
        settle().unwrap();
        settle().unwrap();
        assert!(lab.is(Some("new a"), Some("new b")) && lab.swaps.iter().all(Swap::is_done));
        assert_eq!((lab.at(".restored-a").as_deref(), lab.stage()), (Some("old a"), Some(Stage::Unproven)));
        Note { stage: Stage::Back, swaps: lab.swaps.clone() }.write(&lab.note()).unwrap();
        lab.swaps[1].back().carry_out().unwrap();
        settle().unwrap();
        assert!(lab.is(Some("old a"), None) && lab.swaps.iter().all(|swap| swap.back().is_done()));
        assert_eq!((lab.at(".restored-b").as_deref(), lab.stage()), (Some("new b"), None));
    }

    #[test]
    fn a_swap_that_fails_is_undone_as_far_as_it_came() {
        let lab = Lab::new();
        // What was staged of the second is not there.
        fs::rename(lab.path(".restored-b"), lab.path("elsewhere")).unwrap();
        assert!(matches!(forth(&lab.swaps, &lab.note()), Err(Trouble::Failed(at, _)) if at == lab.path("b")));
        assert!(lab.is(Some("old a"), None) && lab.at(".restored-a").as_deref() == Some("new a"));
        assert_eq!(lab.stage(), None);
    }

    #[test]
    fn what_is_neither_the_one_nor_the_other_is_not_moved() {
        let lab = Lab::new();
        Note { stage: Stage::Due, swaps: lab.swaps.clone() }.write(&lab.note()).unwrap();
        // The copy is gone, and so is what was to take its place: the data in use stays where it is.
        fs::remove_dir_all(lab.path(".restored-a")).unwrap();
        assert!(Note::read(&lab.note()).unwrap().unwrap().settle(&lab.note()).is_err());
        assert_eq!((lab.at("a").as_deref(), lab.stage()), (Some("old a"), Some(Stage::Due)));
        let lab = Lab::new();
        lab.make("b", "made meanwhile");
        assert!(forth(&lab.swaps, &lab.note()).is_err());
        assert!(lab.is(Some("old a"), Some("made meanwhile")) && lab.at(".restored-b").is_some());
        assert_eq!(lab.stage(), Some(Stage::Back), "in doubt both are kept");
    }

    #[test]
    fn an_exchange_in_three_steps_goes_on_or_back_wherever_it_was_ended() {
        for steps in 1..=2 {
            for on in [true, false] {
                let lab = Lab::new();
                fs::rename(lab.path("a"), between(&lab.path(".restored-a"))).unwrap();
                if steps == 2 {
                    fs::rename(lab.path(".restored-a"), lab.path("a")).unwrap();
                }
                let swap = if on { lab.swaps[0].clone() } else { lab.swaps[0].back() };
                swap.carry_out().unwrap();
                swap.carry_out().unwrap();
                let (live, aside) = if on { ("new a", "old a") } else { ("old a", "new a") };
                assert_eq!((lab.at("a").as_deref(), lab.at(".restored-a").as_deref()), (Some(live), Some(aside)));
                assert!(swap.is_done() && !between(&lab.path(".restored-a")).exists(), "{steps} {on}");
            }
        }
    }
}
