//! The parts of a snapshot that are volumes of containers: an archive of each.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::tree::NotCopied;
use super::{Live, Trouble, remove_tree};
use crate::effects::containers::{Vault, VaultFailed, note_volumes};
use crate::model::Size;

/// Writes an archive of each volume that is there into a folder; how much that is.
pub fn save(vault: &Vault, live: &Live, to: &Path, call_off: &AtomicBool) -> Result<u64, Trouble> {
    fs::create_dir(to).map_err(|error| Trouble::Failed(to.to_owned(), error))?;
    let there = vault.there(&live.folder, &live.volumes).map_err(Trouble::Engine)?;
    let mut bytes = 0;
    for volume in there {
        let path = archive(to, volume);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| Trouble::Failed(path.clone(), error))?;
        bytes += vault.pack(&live.folder, volume, file, call_off).map_err(|failed| trouble(failed, path))?;
    }
    Ok(bytes)
}

/// Makes a volume of each archive, and a folder that tells of them.
pub fn bring(vault: &Vault, live: &Live, from: &Path, aside: &Path, call_off: &AtomicBool) -> Result<(), Trouble> {
    let mut names = BTreeMap::new();
    for volume in &live.volumes {
        let path = archive(from, volume);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Trouble::Failed(path, error)),
        };
        let name = vault.unpack(volume, file, call_off).map_err(|failed| trouble(failed, path))?;
        names.insert(volume.clone(), name);
    }
    let noted = note_volumes(aside, &names);
    noted.map_err(|error| {
        let _ = remove_tree(aside);
        Trouble::Failed(aside.to_owned(), error)
    })
}

fn archive(folder: &Path, volume: &str) -> PathBuf {
    folder.join(format!("{volume}.tar"))
}

fn trouble(failed: VaultFailed, path: PathBuf) -> Trouble {
    match failed {
        VaultFailed::CalledOff => NotCopied::CalledOff.into(),
        VaultFailed::There(reason) => Trouble::Engine(reason),
        VaultFailed::Here(error) => match rustix::fs::statvfs(path.parent().unwrap_or(&path)) {
            Ok(told) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                NotCopied::Full(path, Size(told.f_bavail * told.f_frsize)).into()
            }
            _ => Trouble::Failed(path, error),
        },
    }
}
