//! This machine's side of a copy.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::{Failure, Kind, Landing, Source};

/// What is to be copied from a path of this machine, and where it really is. A link is copied as such unless `follow`, or
/// a slash at its end, says otherwise.
pub fn resolve(path: &Path, written: &str, follow: bool) -> Result<(Source, PathBuf), String> {
    let failed = |error: std::io::Error| format!("{written}: {error}");
    let follow = follow || written.ends_with('/') || written.ends_with("/.");
    let metadata = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) }.map_err(failed)?;
    let kind = if metadata.is_dir() { Kind::Folder } else { Kind::Other };
    if kind == Kind::Other && written.ends_with('/') {
        return Err(format!("{written} is no folder"));
    }
    let real = if follow || kind == Kind::Folder { fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
    // `..` and `.` have no name of their own.
    let name = path.file_name().or(real.file_name()).unwrap_or(OsStr::new("root")).to_owned();
    let contents = written.ends_with("/.") || written == ".";
    Ok((Source { kind, name, contents }, real))
}

/// Where a path of this machine really leads.
pub fn real(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// What is at a path of this machine; links are followed.
pub fn look(path: &Path) -> Option<Kind> {
    let metadata = fs::metadata(path).ok()?;
    Some(if metadata.is_dir() { Kind::Folder } else { Kind::Other })
}

/// Writes an archive of what is at a path, under a name; how many devices, pipes and sockets are left out.
pub fn pack(path: &Path, name: &OsStr, into: impl Write) -> Result<u64, Failure> {
    let mut builder = tar::Builder::new(into);
    builder.follow_symlinks(false);
    let mut left_out = 0;
    let mut waiting: Vec<(PathBuf, PathBuf)> = vec![(path.to_owned(), name.into())];
    while let Some((path, name)) = waiting.pop() {
        let failed = |error: std::io::Error| Failure::at(&path, &error);
        let kind = fs::symlink_metadata(&path).map_err(failed)?.file_type();
        if kind.is_dir() {
            builder.append_dir(&name, &path).map_err(failed)?;
            let entries = fs::read_dir(&path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            let mut names: Vec<OsString> = entries.into_iter().map(|entry| entry.file_name()).collect();
            // The last one is the next.
            names.sort_by(|a, b| b.cmp(a));
            waiting.extend(names.into_iter().map(|entry| (path.join(&entry), name.join(&entry))));
        } else if kind.is_socket() || kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
            left_out += 1;
        } else {
            builder.append_path_with_name(&path, &name).map_err(failed)?;
        }
    }
    let done = builder.into_inner().and_then(|mut into| into.flush());
    done.map(|()| left_out).map_err(|error| Failure::at(path, &error))
}

/// Puts what is in an archive where it arrives. Nothing of it comes to lie outside of that folder, whatever its names and
/// links say.
pub fn unpack(mut from: impl Read, landing: &Landing, keeps_owners: bool) -> Result<(), Failure> {
    let mut archive = tar::Archive::new(&mut from);
    archive.set_preserve_ownerships(keeps_owners);
    archive.set_preserve_permissions(keeps_owners);
    let folder = &landing.folder;
    if !folder.is_dir() {
        return Err(Failure::Here(format!("there is no folder {}", folder.display())));
    }
    let unpacked = archive.unpack(folder).and_then(|()| std::io::copy(&mut from, &mut std::io::sink()).map(drop));
    unpacked.map_err(|error| {
        // It is about a path already, with the reason behind.
        let reason = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        match Failure::at(folder, &error) {
            Failure::Here(_) => Failure::Here(format!("{error}{reason}")),
            elsewhere => elsewhere,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Naming;
    use super::*;

    fn copy(from: &Path, landing: &Landing) -> Result<u64, Failure> {
        let (mut packed, mut renamed) = (Vec::new(), Vec::new());
        let left_out = pack(from, OsStr::new("x"), &mut packed)?;
        super::super::rename(packed.as_slice(), &mut renamed, &landing.name, false).unwrap();
        unpack(renamed.as_slice(), landing, false).map(|()| left_out)
    }

    #[test]
    fn a_tree_is_copied_with_its_links_and_modes() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = |name: &str| from.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/b/run"), "#!").unwrap();
        fs::set_permissions(path("a/b/run"), fs::Permissions::from_mode(0o4750)).unwrap();
        symlink("b/run", path("a/link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("a/socket")).unwrap();
        // One cannot write into it; its content arrives before that is so.
        fs::set_permissions(path("a/b"), fs::Permissions::from_mode(0o555)).unwrap();
        let landing = Landing { folder: to.path().to_owned(), name: Naming::Under("new".into()) };
        assert_eq!(copy(&path("a"), &landing).unwrap(), 1);
        let arrived = |name: &str| to.path().join("new").join(name);
        assert_eq!(fs::read_link(arrived("link")).unwrap(), Path::new("b/run"));
        assert_eq!(fs::read(arrived("link")).unwrap(), b"#!");
        // No file becomes one that runs as somebody else.
        assert_eq!(fs::metadata(arrived("b/run")).unwrap().permissions().mode() & 0o7777, 0o750);
        for folder in [path("a/b"), arrived("b")] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn nothing_arrives_outside() {
        let to = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "way", outside.path()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        builder.append_data(&mut header, "way/file", b"x".as_slice()).unwrap();
        let archive = builder.into_inner().unwrap();
        let landing = Landing { folder: to.path().to_owned(), name: Naming::Contents };
        assert!(matches!(unpack(archive.as_slice(), &landing, false), Err(Failure::Here(_))));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_source_is_known_by_how_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("dir")).unwrap();
        fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink("dir", path("link")).unwrap();
        let kind = |name: &str, follow: bool| {
            resolve(&path(name), &path(name).to_string_lossy(), follow)
                .map(|(source, _)| (source.kind, source.contents))
        };
        assert_eq!(kind("dir", false), Ok((Kind::Folder, false)));
        assert_eq!(kind("dir/.", false), Ok((Kind::Folder, true)));
        assert_eq!(kind("file", false), Ok((Kind::Other, false)));
        assert_eq!(kind("link", false), Ok((Kind::Other, false)));
        assert_eq!(kind("link", true), Ok((Kind::Folder, false)));
        assert_eq!(kind("link/", false), Ok((Kind::Folder, false)));
        assert!(kind("file/", false).is_err() && kind("absent", false).is_err());
        assert_eq!(look(&path("link")), Some(Kind::Folder));
    }
}
