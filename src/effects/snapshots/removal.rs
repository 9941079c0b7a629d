//! Removes folders, also those that their owner may not write to.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Removes a folder with all in it, if it is there.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let removed = fs::remove_dir_all(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => make_removable(path).and_then(|()| fs::remove_dir_all(path)),
        _ => Err(error),
    });
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// What is in a folder can be removed only by who may write there.
fn make_removable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_removable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_that_are_shut_to_their_owner() {
        let base = tempfile::tempdir().unwrap();
        let shut = base.path().join("a/shut");
        fs::create_dir_all(shut.join("inner")).unwrap();
        fs::write(shut.join("inner/file"), "").unwrap();
        for (folder, mode) in [(shut.join("inner"), 0o555), (shut, 0o000)] {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
        remove_tree(&base.path().join("a")).unwrap();
        assert!(!base.path().join("a").exists());
        remove_tree(&base.path().join("a")).unwrap();
    }
}
