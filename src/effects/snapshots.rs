//! The data of services as it was, by name, in the workspace's state.
//!
//! A snapshot is a folder: a copy of each service's data, and a note, which is written last. It is made beside its
//! place and put there whole. What is restored is copied, or lies ready (`ready`), beside the data and changes places
//! with it (`swap`), so that the one or the other is there whatever ends this process.

mod extents;
mod files;
mod ready;
mod removal;
mod saved;
mod staged;
mod swap;
mod trash;
mod tree;
mod trouble;
mod volumes;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use super::clock;
use super::containers::Vault;
use super::fs::{make_private_folder, names, replace};
use super::locks::{self, Turn};
use super::places::Home;
pub use ready::{make as make_ready, of_which as ready_of, wait_for as wait_for_ready};
pub use removal::remove_tree;
pub use saved::{Live, Part, Snapshot, branch, is_half_made, list, with_data};
use saved::{read, vault};
pub use staged::Staged;
use staged::drop_aside;
use swap::{Note, Stage, Swap, exchange};
pub use tree::NotCopied;
use tree::{Earlier, Index};
pub use trouble::Trouble;

/// A snapshot that was copied and is not in its place yet.
#[derive(Debug)]
pub struct Copied {
    pub snapshot: Snapshot,
    /// Links that lead out of the data.
    pub outside: Vec<PathBuf>,
}

/// A copy that is not there yet.
const NEW: &str = ".new";
/// What is on its way out.
const GONE: &str = ".gone";
/// Held by whoever is at work on them.
const LOCK: &str = ".lock";
const NOTE: &str = "snapshot.json";
/// Data that is about to change places, or has and may be taken back. No snapshot's name begins with a dot.
const SWAPS: &str = ".swaps.json";

/// Completes what a process that was killed had begun. Only for whoever has the workspace's lock.
pub fn settle(home: &Home) -> Result<(), Trouble> {
    let path = note(home);
    Note::read(&path)?.map_or(Ok(()), |note| note.settle(&path))
}

/// The file that tells of a restore that is not over.
pub fn note(home: &Home) -> PathBuf {
    home.snapshots().join(SWAPS)
}

/// Whether a snapshot can have the name: it is that of a folder beside the others, and of none that is there for other
/// reasons.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// The snapshots of a workspace, for as long as nobody else is at work on them.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Whose volumes are part of them.
    home: Home,
    /// What should be gone and could not be removed.
    pub unswept: Vec<Trouble>,
    _turn: Turn,
}

impl Store {
    /// Takes one's turn, and removes what was left by a process that was killed.
    pub fn open(home: &Home) -> Result<Self, Trouble> {
        let folder = home.snapshots();
        let failed = |error| Trouble::Failed(folder.clone(), error);
        make_private_folder(&folder).map_err(failed)?;
        let who = format!("process {}", std::process::id());
        let lock = folder.join(LOCK);
        let turn = match locks::try_take(&lock, &who).map_err(failed)? {
            Ok(turn) => turn,
            Err(holder) if holder == ready::WHO => locks::take(&lock, &who).map_err(failed)?,
            Err(holder) => return Err(Trouble::Busy(holder)),
        };
        let mut store = Self { folder: folder.clone(), home: home.clone(), unswept: Vec::new(), _turn: turn };
        ready::sweep(&folder);
        store.put_back_replaced().map_err(failed)?;
        let left = store.left(home).map_err(failed)?;
        let removed = left.into_iter().filter_map(|path| remove_tree(&path).err().map(|error| (path, error)));
        store.unswept = removed.map(|(path, error)| Trouble::Failed(path, error)).collect();
        Ok(store)
    }

    /// A snapshot whose name another was to get, where that was ended between the two.
    fn put_back_replaced(&self) -> io::Result<()> {
        let replaced = swap::between(&self.folder.join(NEW));
        match read(&replaced).filter(|saved| is_name(&saved.name)).map(|saved| self.folder.join(saved.name)) {
            Some(place) if !place.try_exists()? => fs::rename(&replaced, &place),
            _ => Ok(()),
        }
    }

    /// What was left by a process that was killed, and nobody wants.
    fn left(&self, home: &Home) -> io::Result<Vec<PathBuf>> {
        let new = self.folder.join(NEW);
        let mut left = vec![swap::between(&new), new, self.folder.join(GONE)];
        if self.note().try_exists()? {
            // What is aside may be wanted yet.
            return Ok(left);
        }
        let dirs = home.data_dirs();
        for folder in [dirs.own, dirs.of_accounts] {
            left.extend(names(&folder)?.iter().filter(|name| swap::is_aside(name)).map(|name| folder.join(name)));
        }
        Ok(left)
    }

    /// One by its name.
    pub fn find(&self, name: &str) -> Option<Snapshot> {
        is_name(name).then(|| read(&self.folder.join(name))).flatten()
    }

    fn note(&self) -> PathBuf {
        self.folder.join(SWAPS)
    }

    /// Fails where an earlier restore is not over.
    pub fn check_settled(&self) -> Result<(), Trouble> {
        match Note::read(&self.note())? {
            None => Ok(()),
            Some(note) if note.stage == Stage::Unproven => {
                let aside = note.swaps.first().map(|swap| swap.staged.clone());
                Err(Trouble::Unproven(aside.unwrap_or_else(|| self.note())))
            }
            Some(_) => Err(Trouble::Midway(self.note())),
        }
    }

    /// Ends a restore that waits for it: what was there before it goes.
    pub fn keep_restored(&self) -> Result<(), Trouble> {
        match Note::read(&self.note())? {
            None => Err(Trouble::Nothing),
            Some(note) if note.stage == Stage::Unproven => drop_aside(&note.swaps, &self.folder),
            Some(_) => Err(Trouble::Midway(self.note())),
        }
    }

    /// Ends a restore that waits for it: what was there before it is in use again. The services must not run.
    pub fn take_back(&self) -> Result<(), Trouble> {
        let note = Note::read(&self.note())?.ok_or(Trouble::Nothing)?;
        swap::back(&note.swaps, &self.note())?;
        let swaps: Vec<Swap> = note.swaps.iter().map(Swap::back).collect();
        drop_aside(&swaps, &self.folder)
    }

    /// Removes what was discarded, for which an engine takes its time beside everything else.
    pub fn empty_trash(&self) {
        trash::empty(&self.folder);
    }

    /// Removes what is there only to be quick; whether there was any.
    fn make_way(&self) -> bool {
        let [trash, ready] = [trash::empty(&self.folder), ready::drop_all(&self.folder)];
        trash || ready
    }

    /// Copies once more where the disk was full of what can be done without; `half` is what the first try left.
    fn with_room<T>(&self, half: &Path, copy: impl Fn() -> Result<T, Trouble>) -> Result<T, Trouble> {
        match copy() {
            Err(Trouble::NotCopied(NotCopied::Full(path, free))) if remove_tree(half).is_ok() => {
                match self.make_way() {
                    true => copy(),
                    false => Err(NotCopied::Full(path, free).into()),
                }
            }
            done => done,
        }
    }

    /// Copies the data of services, which must not run, for a snapshot that is there once it is placed.
    pub fn save(
        &self,
        name: &str,
        branch: Option<String>,
        lives: &[Live],
        call_off: &AtomicBool,
    ) -> Result<Copied, Trouble> {
        let copied = self.with_room(&self.folder.join(NEW), || self.copy(lives, call_off));
        let copied = copied.and_then(|(parts, outside)| {
            let snapshot = Snapshot { name: name.to_owned(), time: format!("{:.3}", clock::utc()), parts, branch };
            self.write_down(&snapshot).map(|()| Copied { snapshot, outside })
        });
        if copied.is_err() {
            let _ = remove_tree(&self.folder.join(NEW));
        }
        copied
    }

    /// Puts a snapshot that was copied into its place; what had the name before is gone then.
    pub fn place(&self, saved: &Snapshot) -> Result<(), Trouble> {
        let (new, place) = (self.folder.join(NEW), self.folder.join(&saved.name));
        let put = sync(&new).and_then(|()| match place.exists() {
            true => exchange(&new, &place),
            false => fs::rename(&new, &place),
        });
        ready::forget(&self.folder, &saved.name);
        // What is there now was the old one, or could not be placed.
        let _ = remove_tree(&new);
        put.map_err(|error| Trouble::Failed(place, error))
    }

    /// The parts of a new snapshot, and links that lead out of the data.
    fn copy(&self, lives: &[Live], call_off: &AtomicBool) -> Result<(Vec<Part>, Vec<PathBuf>), Trouble> {
        let new = self.folder.join(NEW);
        make_private_folder(&new).map_err(|error| Trouble::Failed(new.clone(), error))?;
        let (mut parts, mut outside) = (Vec::new(), Vec::new());
        for live in lives {
            if !live.volumes.is_empty() {
                let bytes = volumes::save(&self.vault()?, live, &new.join(&live.service), call_off)?;
                parts.push(Part { service: live.service.clone(), bytes, volumes: true });
                continue;
            }
            let earlier = self.earlier(&live.service);
            let earlier = earlier.as_ref().map(|(folder, originals)| Earlier { folder, originals });
            let done = tree::copy(&live.folder, &new.join(&live.service), earlier, call_off)?;
            let then = SystemTime::now();
            if let Some(path) = tree::changed(&live.folder, &done.originals)? {
                return Err(NotCopied::Changed(path).into());
            }
            let originals = tree::settled(done.originals, then);
            // Without it the next copy is made without links, and is as good.
            let _ = serde_json::to_vec(&originals).map(|bytes| replace(&new.join(index(&live.service)), &bytes));
            parts.push(Part { service: live.service.clone(), bytes: done.bytes, volumes: false });
            outside.extend(done.outside);
        }
        Ok((parts, outside))
    }

    fn write_down(&self, snapshot: &Snapshot) -> Result<(), Trouble> {
        let new = self.folder.join(NEW);
        let note = serde_json::to_vec_pretty(snapshot).map_err(io::Error::from);
        note.and_then(|note| replace(&new.join(NOTE), &note)).map_err(|error| Trouble::Failed(new, error))
    }

    /// The copy of a service's data that knows its files best: the one that was made of it or became it last.
    fn earlier(&self, service: &str) -> Option<(PathBuf, Index)> {
        let names = names(&self.folder).ok()?.into_iter().filter(|name| !name.starts_with('.'));
        let indices = names.filter_map(|name| {
            let folder = self.folder.join(name);
            let at = fs::metadata(folder.join(index(service))).and_then(|told| told.modified()).ok()?;
            Some((at, folder))
        });
        let (_, folder) = indices.max()?;
        let bytes = fs::read(folder.join(index(service))).ok()?;
        Some((folder.join(service), serde_json::from_slice(&bytes).ok()?))
    }

    /// Has what a snapshot has of services at the side of their data.
    pub fn stage(&self, saved: &Snapshot, lives: &[Live], call_off: &AtomicBool) -> Result<Staged, Trouble> {
        self.check_settled()?;
        let (store, name) = (self.folder.clone(), saved.name.clone());
        let mut staged = Staged { store, name, parts: Vec::new(), swapped: OnceLock::new() };
        let begun = lives.iter().try_for_each(|live| {
            let aside = swap::aside(&live.folder);
            // What tells of volumes is one folder for all services that keep their data in some.
            let is_begun = staged.parts.iter().any(|(_, swap, _)| swap.staged == aside);
            if !is_begun {
                make_room(&aside)?;
            }
            let copies = self.bring(saved, live, &aside, call_off)?;
            if !is_begun {
                staged.parts.push((live.service.clone(), Swap::of(&live.folder, &aside)?, copies));
            }
            Ok(())
        });
        if begun.is_err() {
            lives.iter().for_each(|live| drop(remove_tree(&swap::aside(&live.folder))));
        }
        begun.map(|()| staged)
    }

    fn bring(&self, saved: &Snapshot, live: &Live, aside: &Path, call_off: &AtomicBool) -> Result<Index, Trouble> {
        let from = self.folder.join(&saved.name).join(&live.service);
        let part = saved.parts.iter().find(|part| part.service == live.service).filter(|_| from.is_dir());
        let part = part.ok_or_else(|| Trouble::Lacks(live.service.clone()))?;
        let kinds = [part.volumes, !live.volumes.is_empty()].map(|it| if it { "a container" } else { "a process" });
        if kinds[0] != kinds[1] {
            return Err(Trouble::Another(live.service.clone(), kinds[0], kinds[1]));
        }
        if part.volumes {
            volumes::bring(&self.vault()?, live, (part, &from), aside, call_off)?;
            return Ok(Index::new());
        }
        if ready::take(&self.folder, saved, &live.service, aside) {
            return Ok(tree::look(aside)?);
        }
        let copied = self.with_room(aside, || Ok(tree::copy(&from, aside, None, call_off)?))?;
        sync(aside).map_err(|error| Trouble::Failed(aside.to_owned(), error))?;
        Ok(copied.copies)
    }

    /// Where no note tells of an engine, as after `down --volumes`, it is the one that `up` would take.
    fn vault(&self) -> Result<Vault, Trouble> {
        Vault::begin(&self.home).map_err(Trouble::Engine)
    }

    /// Removes volumes that were replaced, or were not needed after all; none while a restore is not over. Those that
    /// containers have all the same, and so are left.
    pub fn sweep_volumes(&self, lives: &[Live]) -> Result<Vec<String>, Trouble> {
        let volumes: Vec<String> = lives.iter().flat_map(|live| live.volumes.clone()).collect();
        if volumes.is_empty() || self.note().exists() {
            return Ok(Vec::new());
        }
        let Some(vault) = vault(&self.home)? else { return Ok(Vec::new()) };
        vault.sweep(&volumes).map_err(|failed| volumes::trouble(failed, self.note()))
    }

    /// Removes a snapshot.
    pub fn remove(&self, name: &str) -> Result<(), Trouble> {
        if self.find(name).is_none() {
            return Err(Trouble::Unknown(name.to_owned()));
        }
        let (place, gone) = (self.folder.join(name), self.folder.join(GONE));
        ready::forget(&self.folder, name);
        let removed = fs::rename(&place, &gone).and_then(|()| remove_tree(&gone));
        removed.map_err(|error| Trouble::Failed(place, error))
    }
}

/// The folder in which data is put aside is there, and nothing in its place.
fn make_room(aside: &Path) -> Result<(), Trouble> {
    let above = aside.parent().unwrap_or(aside);
    let made = if above.is_dir() { Ok(()) } else { fs::create_dir_all(above) };
    made.and_then(|()| remove_tree(aside)).map_err(|error| Trouble::Failed(aside.to_owned(), error))
}

/// What the originals of a service's copies were.
fn index(service: &str) -> String {
    format!("{service}.index.json")
}

/// Has all that was written where a folder is on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(fs::File::open(folder)?)?;
    #[cfg(not(target_os = "linux"))]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests;
