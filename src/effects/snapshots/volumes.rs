//! The parts of a snapshot that are volumes of containers: an archive of each.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::tree::NotCopied;
use super::{Live, Part, Trouble, sync};
use crate::effects::containers::{Vault, VaultFailed, note_volumes, used_volumes};
use crate::model::Size;

/// Writes an archive of each volume that is there into a folder; how much that is.
pub fn save(vault: &Vault, live: &Live, to: &Path, call_off: &AtomicBool) -> Result<u64, Trouble> {
    fs::create_dir(to).map_err(|error| Trouble::Failed(to.to_owned(), error))?;
    let there = vault.there(&live.volumes).map_err(|failed| trouble(failed, to.to_owned()))?;
    let mut bytes = 0;
    for volume in there {
        let path = archive(to, volume);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| Trouble::Failed(path.clone(), error))?;
        bytes += vault.pack(volume, file, call_off).map_err(|failed| trouble(failed, path))?;
    }
    Ok(bytes)
}

/// Makes a volume of each archive, and has the folder aside tell of them.
pub fn bring(
    vault: &Vault,
    live: &Live,
    (part, from): (&Part, &Path),
    aside: &Path,
    call_off: &AtomicBool,
) -> Result<(), Trouble> {
    check_whole(from, part.bytes)?;
    let failed = |error| Trouble::Failed(aside.to_owned(), error);
    // Of what the snapshot does not have that stays in use which is; another service may have been brought already.
    let known = if aside.exists() { aside } else { live.folder.as_path() };
    let mut names = used_volumes(known).map_err(|error| Trouble::Failed(known.to_owned(), error))?;
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
    note_volumes(aside, &names).and_then(|()| sync(aside)).map_err(failed)
}

/// Fails where the archives are not what was written: the engine may take the first half of one for a whole.
fn check_whole(folder: &Path, bytes: u64) -> Result<(), Trouble> {
    let failed = |error| Trouble::Failed(folder.to_owned(), error);
    let mut there = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        there += entry.and_then(|entry| entry.metadata()).map_err(failed)?.len();
    }
    if there == bytes {
        return Ok(());
    }
    let message = format!("the archives there have {there} bytes, and had {bytes} when they were saved");
    Err(failed(io::Error::new(io::ErrorKind::InvalidData, message)))
}

fn archive(folder: &Path, volume: &str) -> PathBuf {
    folder.join(format!("{volume}.tar"))
}

/// What went wrong with an archive, or with the volumes.
pub fn trouble(failed: VaultFailed, path: PathBuf) -> Trouble {
    match failed {
        VaultFailed::Unknown(folder, error) => Trouble::Failed(folder, error),
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
