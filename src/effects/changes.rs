//! Waiting until files of a tree have changed.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;

use super::notice::Watch;

/// Editors write in several steps: what changes within this time is one change.
const TOGETHER: Duration = Duration::from_millis(100);

/// Until something changes in a tree, or in folders beside it, from now on. A tree of more folders than are worth it is not
/// watched.
pub fn watch(root: &Path, beside: &[PathBuf]) -> io::Result<Watch> {
    let mut folders = Look::at(root).folders;
    if folders.len() > MOST {
        return Err(io::Error::other("too many folders"));
    }
    folders.extend_from_slice(beside);
    Watch::new(&folders)
}

/// Folders that are watched for no more than a mark on a screen.
const MOST: usize = 10_000;

/// A tree as it is: what git ignores is left out, and what git keeps for itself.
#[derive(Debug, Clone, Default)]
pub struct Look {
    files: BTreeMap<PathBuf, (u64, u64, Option<SystemTime>)>,
    folders: Vec<PathBuf>,
}

impl Look {
    /// Looks at a tree.
    pub fn at(root: &Path) -> Self {
        let mut look = Self::default();
        let walker = WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walker.flatten() {
            match entry.file_type() {
                Some(kind) if kind.is_dir() => look.folders.push(entry.into_path()),
                _ => {
                    let Ok(told) = entry.metadata() else { continue };
                    look.files.insert(entry.into_path(), (told.ino(), told.len(), told.modified().ok()));
                }
            }
        }
        look
    }

    /// Whether a file was there.
    pub fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// The files that are not as they were.
    pub fn changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a Path> {
        let gone = before.files.keys().filter(|path| !self.files.contains_key(*path));
        let other = self.files.iter().filter(|(path, it)| before.files.get(*path) != Some(it)).map(|(path, _)| path);
        gone.chain(other).map(PathBuf::as_path)
    }

    /// Waits until the tree is not as it was here, and returns it as it is then.
    pub async fn until_changed(self, root: &Path) -> io::Result<Self> {
        loop {
            // Watched before it is looked at: nothing is missed between the two.
            let mut watch = Watch::new(&Self::at(root).folders)?;
            let now = Self::at(root);
            if now.changes(&self).next().is_some() {
                return Ok(now);
            }
            watch.next().await?;
            tokio::time::sleep(TOGETHER).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn changes_are_named_and_what_git_ignores_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(dir.path().join(name), name).unwrap();
        [".gitignore", "a", "b"].into_iter().for_each(write);
        fs::write(dir.path().join(".gitignore"), "out\n").unwrap();
        let before = Look::at(dir.path());
        write("out");
        fs::create_dir(dir.path().join(".git")).unwrap();
        write(".git/index");
        assert_eq!(Look::at(dir.path()).changes(&before).count(), 0);
        fs::remove_file(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("b"), "longer").unwrap();
        write("c");
        let now = Look::at(dir.path());
        let mut names: Vec<&str> =
            now.changes(&before).map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
