//! Files.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::programs;
use crate::manifest::Files;

/// The disk as manifests are read from it.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Devices and pipes may have no end.
        let kind = fs::metadata(path)?.file_type();
        match kind.is_file() || kind.is_dir() {
            true => fs::read(path),
            false => Err(io::Error::other("it is neither a file nor a folder")),
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn programs(&self, name: &str, path: Option<&str>, folders: &[String]) -> (Vec<PathBuf>, Vec<PathBuf>) {
        programs::all(name, path, folders)
    }

    fn version(&self, program: &Path) -> Option<String> {
        programs::version(program)
    }

    fn is_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }
}

/// The disk, and a list of all that was asked about.
#[derive(Debug, Default)]
pub struct Witness(RefCell<BTreeSet<PathBuf>>);

impl Witness {
    /// What was asked about, whether it is there or not.
    pub fn seen(self) -> Vec<PathBuf> {
        self.0.into_inner().into_iter().collect()
    }

    fn see(&self, path: &Path) {
        self.0.borrow_mut().insert(path.to_owned());
    }
}

impl Files for Witness {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.see(path);
        Disk.read(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.see(path);
        Disk.is_dir(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        self.see(path);
        Disk.canonical(path)
    }

    fn programs(&self, name: &str, path: Option<&str>, folders: &[String]) -> (Vec<PathBuf>, Vec<PathBuf>) {
        Disk.programs(name, path, folders)
    }

    fn version(&self, program: &Path) -> Option<String> {
        Disk.version(program)
    }

    fn is_root(&self) -> bool {
        Disk.is_root()
    }
}

/// Whether there is a file, and not a folder.
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether there is a file itself, and no link to one.
pub fn is_plain_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_file())
}

/// Whether there is a folder.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Whether there is anything of this name.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Whether a program could not be executed because there is none: beside that, execvp(3) says EACCES also where a folder
/// of `path` (PATH) may not be looked into.
pub fn is_missing(program: &OsStr, path: Option<&OsStr>, error: &io::Error) -> bool {
    let is_anywhere = || {
        let is_path = program.as_encoded_bytes().contains(&b'/');
        is_path || std::env::split_paths(path.unwrap_or_default()).any(|folder| exists(&folder.join(program)))
    };
    match error.kind() {
        io::ErrorKind::NotFound => true,
        io::ErrorKind::PermissionDenied => !is_anywhere(),
        _ => false,
    }
}

/// The path without symbolic links.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// Takes a file away, if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes a folder away, with all that is in it.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

/// Shuts a file from everybody but this user.
pub fn make_private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// A file that is written at its end, for this user only.
pub fn open_log(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Reads as empty, and takes whatever is written.
pub fn open_null() -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).write(true).open("/dev/null")
}

/// Makes a folder and those above it, for this user only.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a folder that is an account's own, below folders through which every account may pass. One that is there stays as
/// it is.
pub fn make_folder_of(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let above = path.parent().unwrap_or(path);
    fs::DirBuilder::new().recursive(true).mode(0o755).create(above)?;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| std::os::unix::fs::chown(path, Some(uid), Some(gid))),
    }
}

/// Makes a folder and those above it, as the account makes folders.
pub fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Replaces a file as a whole: a reader sees the old or the new one, also after a crash.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The same for a file that others may read.
pub fn replace_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// The same for a file of the user's own: who may read it stays as it is.
pub fn replace_alike(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path).map_or(0o644, |told| told.permissions().mode() & 0o7777);
    replace(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Waits for one's turn among all processes that take turns by this file; it lasts until the file is dropped.
pub fn turn(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Whether every account may read a file: it and all folders above it are open to them.
pub fn is_open_to_all(path: &Path) -> bool {
    let allows = |path: &Path, bits: u32| fs::metadata(path).is_ok_and(|it| it.permissions().mode() & bits == bits);
    allows(path, 0o004) && path.ancestors().skip(1).all(|folder| folder.as_os_str().is_empty() || allows(folder, 0o001))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// The text of a small file of our own; `None` where there is none.
pub fn read_own(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of a file that somebody has named.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(Disk.read(path)?).map_err(io::Error::other)
}

/// The last bytes of a file, as text; of more than `most` those from the next line on.
pub fn read_end(path: &Path, most: u64) -> io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = if from > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(whole.to_owned())
}

/// All of standard input.
pub fn read_stdin() -> io::Result<String> {
    io::read_to_string(io::stdin())
}

/// The text of a small file of the host's, in whatever it is encoded; empty where there is none that can be read.
pub fn read_foreign(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The names in a folder; none where there is no folder.
pub fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
