//! The data of a workspace's services, all of it: where it is, and its removal.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::fs::remove;
use super::places::Home;
use super::snapshots::{note, remove_tree};

/// The folders in which services have left something; those of a restore that is not over are among them.
pub fn folders(home: &Home) -> io::Result<Vec<PathBuf>> {
    let dirs = home.data_dirs();
    let mut all = BTreeSet::new();
    for base in [&dirs.own, &dirs.of_accounts] {
        for entry in entries(base)? {
            // A folder that was made for a service which never used it is no loss.
            if !entry.is_dir() || !entries(&entry)?.is_empty() {
                all.insert(entry);
            }
        }
    }
    Ok(all.into_iter().collect())
}

/// Removes all of them, for good. Only for whoever has the workspace's lock.
pub fn remove_all(home: &Home) -> io::Result<()> {
    for path in folders(home)? {
        let removed = if path.is_dir() && !path.is_symlink() { remove_tree(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| named(&path, &error))?;
    }
    // A restore that waits to be kept or taken back has nothing left to do so with.
    remove(&note(home)).map_err(|error| named(&note(home), &error))
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(named(folder, &error)),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_data_goes_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let home = Home { id: "none".into(), state: state.path().to_owned(), socket: state.path().join("x.sock") };
        assert!(folders(&home).unwrap().is_empty());
        remove_all(&home).unwrap();
        for name in ["data/db/file", "data/.restored-db/file", "snapshots/before/db/file", "logs/db"] {
            let path = state.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        fs::create_dir(state.path().join("data/unused")).unwrap();
        fs::write(note(&home), "{}").unwrap();
        let names = |paths: Vec<PathBuf>| {
            paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(folders(&home).unwrap()), [".restored-db", "db"]);
        remove_all(&home).unwrap();
        assert!(folders(&home).unwrap().is_empty() && !note(&home).exists());
        assert!(state.path().join("snapshots/before/db/file").exists() && state.path().join("logs/db").exists());
    }
}
