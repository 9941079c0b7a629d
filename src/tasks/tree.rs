//! What readers need of a file system, so that tests can make one up.

use std::path::Path;

/// Larger files are not read: the largest that people write by hand are a tenth of it.
pub const LARGEST: u64 = 4 << 20;

/// A file system that is only read. Paths are absolute.
pub trait Tree {
    /// The bytes of a regular file of at most [`LARGEST`] bytes.
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread>;
    /// Whether there is a regular file, also behind a symbolic link.
    fn is_file(&self, path: &Path) -> bool;
    /// Whether a file may be executed.
    fn is_executable(&self, path: &Path) -> bool;
    /// The names in a folder, sorted; none where there is no folder.
    fn names(&self, folder: &Path) -> Vec<String>;
    /// Those of them that have a say in which package manager is meant, see [`marks`](super::marks).
    fn marks(&self, folder: &Path) -> Vec<String> {
        let mut names = self.names(folder);
        names.retain(|name| super::package_manager::is_mark(name));
        names
    }
}

/// Why a file's bytes are not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("there is no such file")]
    Missing,
    #[error("it has {} MiB, and at most {} MiB are read", .0 >> 20, LARGEST >> 20)]
    TooLarge(u64),
    #[error("it is no regular file")]
    NotAFile,
    #[error("{0}")]
    Other(String),
}
