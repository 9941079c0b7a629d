//! Data that is to take the place of what is in use, until one of the two may go.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use super::swap::{self, Note, Swap};
use super::tree::{Index, settled};
use super::{SWAPS, Trouble, index, trash};
use crate::effects::fs::replace;

/// Data that is ready to change places with that of services.
#[derive(Debug)]
pub struct Staged {
    pub(super) store: PathBuf,
    pub(super) name: String,
    pub(super) parts: Vec<(String, Swap, Index)>,
    /// Since when services may write to it.
    pub(super) swapped: OnceLock<SystemTime>,
}

impl Staged {
    /// Has them change places; the services must not run.
    pub fn swap(&self) -> Result<(), Trouble> {
        self.swapped.get_or_init(SystemTime::now);
        swap::forth(&self.swaps(), &self.note())
    }

    /// The other way round.
    pub fn swap_back(&self) -> Result<(), Trouble> {
        swap::back(&self.swaps(), &self.note())
    }

    fn swaps(&self) -> Vec<Swap> {
        self.parts.iter().map(|(_, swap, _)| swap.clone()).collect()
    }

    fn note(&self) -> PathBuf {
        self.store.join(SWAPS)
    }

    /// Where the data is that is not in use, of each service.
    pub fn aside(&self) -> Vec<&Path> {
        self.parts.iter().map(|(_, swap, _)| swap.staged.as_path()).collect()
    }

    /// Whether all services have what they had before.
    pub fn is_as_before(&self) -> bool {
        self.parts.iter().all(|(_, swap, _)| swap.back().is_done()) && matches!(Note::read(&self.note()), Ok(None))
    }

    /// What is in use now stays, and what was before goes; the copies of the next snapshot are linked to those of this
    /// one.
    pub fn keep(self) -> Result<(), Trouble> {
        let since = self.swapped.get().copied().unwrap_or(SystemTime::UNIX_EPOCH);
        let aside = self.swaps();
        for (service, _, copies) in self.parts {
            let at = self.store.join(&self.name).join(index(&service));
            let _ = serde_json::to_vec(&settled(copies, since)).map(|bytes| replace(&at, &bytes));
        }
        drop_aside(&aside, &self.store)
    }

    /// Removes the copies, of which none is in use.
    pub fn drop_rest(self) -> Result<(), Trouble> {
        if Note::read(&self.note())?.is_some() {
            return Err(Trouble::Midway(self.note()));
        }
        let swaps: Vec<Swap> = self.swaps().iter().map(Swap::back).collect();
        drop_aside(&swaps, &self.store)
    }
}

/// Discards what is beside the folders, and erases the note, where every folder that is in use is the wanted one.
pub fn drop_aside(swaps: &[Swap], store: &Path) -> Result<(), Trouble> {
    if let Some(strange) = swaps.iter().find(|swap| !swap.is_done()) {
        return Err(Trouble::Strange(strange.live.clone()));
    }
    swap::erase(&store.join(SWAPS))?;
    swaps.iter().for_each(|swap| trash::discard(store, &swap.staged));
    Ok(())
}
