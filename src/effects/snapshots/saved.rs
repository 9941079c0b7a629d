//! What snapshots are, and the data of which they are made.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::volumes::trouble;
use super::{NOTE, Trouble};
use crate::effects::containers::Vault;
use crate::effects::fs::{names, read_own};
use crate::effects::git::git;
use crate::effects::places::Home;

/// What a snapshot is, as it is written down in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub name: String,
    /// RFC 3339, UTC.
    pub time: String,
    pub parts: Vec<Part>,
    /// The branch of git that was checked out.
    pub branch: Option<String>,
}

/// The data of one service in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub service: String,
    pub bytes: u64,
    /// It is in archives of volumes.
    #[serde(default)]
    pub volumes: bool,
}

/// A service's data, where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub service: String,
    /// Where that is in volumes, what tells of them.
    pub folder: PathBuf,
    /// The volumes in which a container keeps it, by their names in the manifest.
    pub volumes: Vec<String>,
}

impl Snapshot {
    /// Of all its data.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Whose data it has.
    pub fn services(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.service.as_str()).collect()
    }
}

/// All that there are, the latest first.
pub fn list(home: &Home) -> Vec<Snapshot> {
    let folder = home.snapshots();
    let names = names(&folder).unwrap_or_default().into_iter().filter(|name| !name.starts_with('.'));
    let mut found: Vec<Snapshot> = names.filter_map(|name| read(&folder.join(name))).collect();
    found.sort_by(|a, b| b.time.cmp(&a.time));
    found
}

/// What the note of a snapshot says.
pub fn read(folder: &Path) -> Option<Snapshot> {
    let text = read_own(&folder.join(NOTE)).ok()??;
    serde_json::from_str(&text).ok()
}

/// The branch of git that is checked out in a folder.
pub async fn branch(folder: &Path) -> Option<String> {
    let said = git(folder, &["symbolic-ref", "--quiet", "--short", "HEAD"]).await.ok()?;
    Some(said.trim().to_owned()).filter(|branch| !branch.is_empty())
}

/// A service's data that was begun and is not whole: templates make it beside its place, and a database that was killed
/// meanwhile has nothing else.
pub fn is_half_made(live: &Live) -> bool {
    live.folder.join("data.new").exists() && !live.folder.join("data").exists()
}

/// Those services that have data, and the others. It waits where there are volumes.
pub fn with_data(home: &Home, lives: Vec<Live>) -> Result<(Vec<Live>, Vec<Live>), Trouble> {
    let is_asked = lives.iter().any(|live| !live.volumes.is_empty());
    let vault = if is_asked { vault(home)? } else { None };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for live in lives {
        let has_data = match &vault {
            _ if live.volumes.is_empty() => fs::read_dir(&live.folder).is_ok_and(|mut it| it.next().is_some()),
            Some(vault) => {
                let there = vault.there(&live.volumes).map_err(|failed| trouble(failed, home.data()))?;
                !there.is_empty()
            }
            None => false,
        };
        if has_data { &mut with } else { &mut without }.push(live);
    }
    Ok((with, without))
}

/// The volumes of a workspace.
pub fn vault(home: &Home) -> Result<Option<Vault>, Trouble> {
    Vault::open(home).map_err(Trouble::Engine)
}
