//! What can go wrong with snapshots.

use std::io;
use std::path::PathBuf;

use super::tree::NotCopied;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    NotCopied(#[from] NotCopied),
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Failed(PathBuf, io::Error),
    #[error("{0} is at work on this workspace's snapshots")]
    Busy(String),
    #[error("there is no snapshot `{0}`")]
    Unknown(String),
    #[error("the snapshot has nothing of `{0}`")]
    Lacks(String),
    /// A swap failed, and so did its undoing.
    #[error("{0}; and what was done of it already could not be undone: {1}")]
    Torn(Box<Trouble>, Box<Trouble>),
    /// A restore was ended before its services were ready: the folder has what was there before it.
    #[error("a restore was ended before its services were ready; what was there before it is in {path}", path = .0.display())]
    Unproven(PathBuf),
    /// A restore was ended before it was done, and the note tells what is to be done.
    #[error("a restore was ended before it was done: {path} tells of it", path = .0.display())]
    Midway(PathBuf),
    /// What is in volumes is asked of the engine of containers.
    #[error("the engine of containers: {0}")]
    Engine(String),
    /// The service ran as a process when it was saved, and as a container now, or the other way round.
    #[error("the snapshot has the data of `{0}` as {1} kept it, and it is {2} now")]
    Another(String, &'static str, &'static str),
    #[error("no restore waits for an answer")]
    Nothing,
    /// The folder is not the one that it was, so that nothing beside it may go.
    #[error("{path} is not the folder that was restored or was there before; nothing was removed", path = .0.display())]
    Strange(PathBuf),
}
