//! A tree in memory that counts what is asked of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nagaya::tasks::{Finder, Listing, Tree, Unread, discover};

/// Files by their absolute path.
pub struct Memory {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub reads: Cell<usize>,
    pub looks: Cell<usize>,
}

impl Memory {
    pub fn new(files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self { files, reads: Cell::new(0), looks: Cell::new(0) }
    }

    /// What is found in a folder.
    pub fn list(&self, root: &Path) -> Listing {
        let finder = Finder::new();
        let found = self.files.keys().map(|path| path.strip_prefix(root).unwrap().to_owned());
        discover(root, found.filter(|path| finder.is_wanted(path)).collect(), self, None)
    }
}

impl Tree for Memory {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
        self.reads.set(self.reads.get() + 1);
        self.files.get(path).cloned().ok_or(Unread::Missing)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.looks.set(self.looks.get() + 1);
        self.files.contains_key(path)
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.files.get(path).is_some_and(|bytes| bytes.starts_with(b"#!"))
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        self.looks.set(self.looks.get() + 1);
        let inside = self.files.range(folder.to_owned()..).map_while(|(path, _)| path.strip_prefix(folder).ok());
        let first = inside.filter_map(|path| Some(path.iter().next()?.to_str()?.to_owned()));
        let mut names: Vec<String> = first.collect();
        names.dedup();
        names
    }
}
