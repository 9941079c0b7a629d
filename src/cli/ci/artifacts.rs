//! The folder of `--artifacts`: of what `ci` writes there it has one run's only, and the rest of it is not ours.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::effects::fs::{self, Disk};
use crate::manifest::Files;

/// Which files a run has left there.
const LIST: &str = ".nagaya-artifacts.json";

/// Names, and the digests of what was written: who finds something else there finds somebody else's file.
type Left = BTreeMap<String, String>;

/// Takes away what an earlier run has left, as far as it is still that.
pub fn clear(folder: &Path) -> io::Result<()> {
    let list = folder.join(LIST);
    let Some(text) = fs::read_own(&list)? else { return Ok(()) };
    let left: Left = serde_json::from_str(&text).unwrap_or_default();
    for (name, digest) in left.iter().filter(|(name, _)| is_name(name)) {
        let path = folder.join(name);
        if fs::is_plain_file(&path) && Disk.read(&path).is_ok_and(|bytes| digest_of(&bytes) == *digest) {
            fs::remove(&path)?;
        }
    }
    fs::remove(&list)
}

/// Writes files, and first that they are ours.
pub fn write(folder: &Path, files: &BTreeMap<String, String>) -> io::Result<()> {
    fs::make_folder(folder)?;
    let left: Left = files.iter().map(|(name, text)| (name.clone(), digest_of(text.as_bytes()))).collect();
    fs::replace_public(&folder.join(LIST), serde_json::to_string_pretty(&left)?.as_bytes())?;
    files.iter().try_for_each(|(name, text)| fs::replace_public(&folder.join(name), text.as_bytes()))
}

/// The list is a file that anybody may have edited: nothing outside of the folder is meant.
fn is_name(name: &str) -> bool {
    !name.contains('/') && name != LIST && ![".", ".."].contains(&name)
}

fn digest_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
