//! Folders whose code this user lets us run unasked, by their real paths.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::fs::{make_private_folder, read_own, replace, turn};
use super::places::Places;

/// The folders that are trusted.
#[derive(Debug, Clone)]
pub struct Trusted {
    file: PathBuf,
}

impl Trusted {
    /// Those of a user.
    pub fn new(places: &Places) -> Self {
        Self { file: places.state.join("trusted.json") }
    }

    /// Whether a folder is trusted, by itself or by one above it.
    pub fn has(&self, folder: &Path) -> bool {
        let all = self.read();
        folder.ancestors().any(|folder| all.contains(folder))
    }

    /// Trusts a folder from now on.
    pub fn add(&self, folder: &Path) -> io::Result<()> {
        let home = self.file.parent().unwrap_or(Path::new("/"));
        make_private_folder(home)?;
        // Two that trust at once would each write what it read before the other's.
        let _turn = turn(&self.file.with_extension("lock"))?;
        let mut all = self.read();
        all.insert(folder.to_owned());
        replace(&self.file, serde_json::to_string_pretty(&all)?.as_bytes())
    }

    fn read(&self) -> BTreeSet<PathBuf> {
        let text = read_own(&self.file).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_for_a_folder_and_all_below() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { state: dir.path().join("state"), runtime: dir.path().join("run") };
        let trusted = Trusted::new(&places);
        assert!(!trusted.has(Path::new("/a/b")));
        trusted.add(Path::new("/a/b")).unwrap();
        trusted.add(Path::new("/c")).unwrap();
        let known = ["/a/b", "/a/b/c", "/a", "/a/bc", "/c"].map(|folder| trusted.has(Path::new(folder)));
        assert_eq!(known, [true, true, false, false, true]);
    }
}
