//! The folders that a result is in, and their permissions.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Unusable;
use crate::effects::globs::{Globs, named, shown, unshown};
use crate::pipeline::{Output, OutputKind, Record};

/// What the owner needs to put something into a folder.
const OWN: u32 = 0o700;

/// Who may do what with a file or folder, without what else its mode says.
pub(super) fn mode_of(told: &fs::Metadata) -> u32 {
    told.permissions().mode() & 0o777
}

/// The permissions of all folders that outputs are in.
pub(super) fn modes_above(folder: &Path, outputs: &[Output]) -> io::Result<BTreeMap<String, u32>> {
    let mut modes = BTreeMap::new();
    for output in outputs {
        let path = unshown(&output.path);
        for above in above(&path) {
            let name = shown(above);
            if modes.contains_key(&name) {
                break;
            }
            let at = folder.join(above);
            let told = fs::metadata(&at).map_err(|error| named(&at, &error))?;
            modes.insert(name, mode_of(&told));
        }
    }
    Ok(modes)
}

/// The folders of a path, the innermost first.
fn above(path: &Path) -> impl Iterator<Item = &Path> {
    path.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty())
}

/// Folders that are there and can be written to, until they are closed.
#[derive(Debug)]
pub(super) struct Folders {
    /// What is to become of them, from the top.
    modes: Vec<(PathBuf, u32)>,
}

impl Folders {
    /// Makes the folders of all outputs, none of them by way of a link. One that is there and is no output stays as it is.
    pub fn make(record: &Record, folder: &Path, globs: &Globs) -> Result<Self, Unusable> {
        let mut modes = Vec::new();
        for (path, mode) in wanted(record)? {
            let at = folder.join(&path);
            let before = make_folder(&at, mode).map_err(|error| named(&at, &error))?;
            match before {
                Some(before) if !globs.matches(&path) => {
                    if before & OWN != OWN {
                        modes.push((at, before));
                    }
                }
                _ => modes.push((at, mode)),
            }
        }
        Ok(Self { modes })
    }

    /// Gives each its permissions, the innermost first: into one that is closed nobody may look.
    pub fn close(self) -> io::Result<()> {
        for (path, mode) in self.modes.iter().rev() {
            set_mode(path, *mode).map_err(|error| named(path, &error))?;
        }
        Ok(())
    }
}

/// All folders of a result, those above before those in them.
fn wanted(record: &Record) -> Result<BTreeMap<PathBuf, u32>, Unusable> {
    let mut wanted = BTreeMap::new();
    for output in &record.outputs {
        let path = unshown(&output.path);
        for above in above(&path) {
            if wanted.contains_key(above) {
                break;
            }
            let name = shown(above);
            let Some(mode) = record.folders.get(&name) else { return Err(Unusable::Damaged(name)) };
            wanted.insert(above.to_owned(), *mode & 0o777);
        }
        if let OutputKind::Folder { mode } = output.kind {
            wanted.insert(path, mode & 0o777);
        }
    }
    Ok(wanted)
}

/// Makes a folder that its owner can write to; what its permissions were where there is one.
fn make_folder(path: &Path, mode: u32) -> io::Result<Option<u32>> {
    let make = || fs::DirBuilder::new().mode(mode | OWN).create(path).map(|()| None);
    let made = match fs::symlink_metadata(path) {
        Ok(told) if told.is_dir() => {
            let before = mode_of(&told);
            set_mode(path, before | OWN)?;
            return Ok(Some(before));
        }
        Ok(_) => fs::remove_file(path).and_then(|()| make()),
        Err(_) => make(),
    };
    // Another task may have made it meanwhile.
    made.or_else(|error| match fs::symlink_metadata(path) {
        Ok(told) if told.is_dir() => Ok(Some(mode_of(&told))),
        _ => Err(error),
    })
}

/// Sets who may do what with a folder; whose group its files get stays.
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let now = fs::symlink_metadata(path)?.permissions().mode() & 0o7777;
    let wanted = (now & 0o7000) | mode;
    if now == wanted { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(wanted)) }
}
