//! What a list was made of: every path that was looked at, with what it looked like then. Where all of it looks the same
//! now, looking again would lead to the same list.
//!
//! A look is noted before whatever it is about is read, so that a change that comes meanwhile makes another one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::effects::gitignore::Notice;
use crate::effects::look::{Look, has_honest_times, settled};

/// What was looked at.
#[derive(Debug)]
pub struct Observed {
    seen: RefCell<HashMap<PathBuf, Look>>,
    /// Something came differently than it looked.
    unsure: Cell<bool>,
    /// What changed before has a time that will not be given again, in nanoseconds since 1970.
    settled: i64,
}

impl Default for Observed {
    /// Nothing yet. What changed in the last seconds before this will not be believed.
    fn default() -> Self {
        Self::settled_before(settled().unwrap_or(i64::MIN))
    }
}

impl Observed {
    /// Nothing yet. What changed before a time, in nanoseconds since 1970, will be believed.
    pub fn settled_before(settled: i64) -> Self {
        Self { seen: RefCell::default(), unsure: Cell::new(false), settled }
    }

    /// Looks at all that a path is, and notes it.
    pub fn whole(&self, path: &Path) -> io::Result<Look> {
        let told = fs::metadata(path);
        self.note(path, told.into())
    }

    /// The same for a folder that is no symbolic link.
    pub fn folder(&self, path: &Path) -> io::Result<Look> {
        let told = fs::symlink_metadata(path);
        self.note(path, told.into())
    }

    /// Looks at what kind of thing a path is, and notes it. What is in it may change.
    pub fn kind(&self, path: &Path) -> Look {
        if let Some(known) = self.seen.borrow().get(path) {
            return known.kind_alone();
        }
        let look = Look::from(fs::metadata(path)).kind_alone();
        let _ = self.note(path, look);
        look
    }

    /// Whether a path leads to anything.
    pub fn exists(&self, path: &Path) -> bool {
        self.kind(path).is_there()
    }

    /// Something is not as it looked: no list may be made of this later.
    pub fn doubt(&self) {
        self.unsure.set(true);
    }

    fn note(&self, path: &Path, look: Look) -> io::Result<Look> {
        // A number that says nothing would be taken for none.
        if look.number == 0 && look.device != 0 {
            self.doubt();
        }
        match self.seen.borrow_mut().entry(path.to_owned()) {
            Entry::Vacant(entry) => drop(entry.insert(look)),
            Entry::Occupied(mut entry) => {
                let known = *entry.get();
                if known.number == 0 && known == look.kind_alone() {
                    entry.insert(look);
                } else if known != look {
                    self.doubt();
                }
            }
        }
        look.error().map_or(Ok(look), Err)
    }

    /// All that was seen, by path; nothing where that may not tell of a change later.
    pub fn seen(&self) -> Option<Vec<(PathBuf, Look)>> {
        if self.unsure.get() {
            return None;
        }
        let mut devices: HashMap<u64, bool> = HashMap::new();
        let mut honest = |path: &Path, look: &Look| {
            look.number == 0 || *devices.entry(look.device).or_insert_with(|| has_honest_times(path))
        };
        let seen = self.seen.borrow();
        if !seen.iter().all(|(path, look)| look.is_settled(self.settled) && honest(path, look)) {
            return None;
        }
        let mut seen: Vec<(PathBuf, Look)> = seen.iter().map(|(path, look)| (path.clone(), *look)).collect();
        // Neighbours are found faster one after the other.
        seen.sort_by(|(a, _), (b, _)| a.cmp(b));
        Some(seen)
    }
}

impl Notice for Observed {
    fn kind(&self, path: &Path) {
        self.kind(path);
    }

    fn whole(&self, path: &Path) {
        let _ = self.whole(path);
    }
}
