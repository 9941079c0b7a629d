//! What is kept of the versions that are tried: enough to go on with them, and to take away what they left.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fs;
use super::places::Home;
use super::worktree::Worktree;

/// One version that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    pub service: String,
    pub version: String,
    /// `users-fix`.
    pub name: String,
    /// A folder with files of the service, and what is that for the version.
    pub stands_for: PathBuf,
    pub folder: PathBuf,
    /// Made here, and to be removed.
    pub worktree: Option<Worktree>,
    /// The worktree is being made: nothing of the user's is in it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub making: bool,
    /// Why its worktree is still there, while nothing else of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

impl Try {
    /// Whether its files are all there, and it was not ended.
    pub fn is_whole(&self) -> bool {
        !self.making && self.kept.is_none() && self.folder.is_dir()
    }
}

/// What was written down; nothing where that cannot be read.
pub fn read(file: &Path) -> Vec<Try> {
    let text = fs::read_own(file).ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes it down.
pub fn write(home: &Home, tries: &[&Try]) -> io::Result<()> {
    match tries {
        [] => fs::remove(&home.tries()),
        _ => fs::replace(&home.tries(), serde_json::to_string_pretty(tries)?.as_bytes()),
    }
}

/// Removes the worktrees of versions of which nothing runs any more. Those in which something would be lost are kept,
/// written down with the reason, and returned.
pub async fn clear(home: &Home, tries: Vec<Try>) -> Vec<Try> {
    let mut kept = Vec::new();
    for it in tries {
        let Some(worktree) = &it.worktree else { continue };
        if let Err(why) = worktree.remove(it.making).await {
            kept.push(Try { kept: Some(why.to_string()), ..it });
        }
    }
    // What cannot be written down is found again by its folder, and removing it is tried again.
    let _ = write(home, &kept.iter().collect::<Vec<_>>());
    kept
}

/// The same of those of an engine that came to nothing, where it had made any.
pub async fn clear_made(home: &Home, made: Vec<Try>) {
    if !made.is_empty() {
        clear(home, made).await;
    }
}
