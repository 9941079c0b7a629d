//! An archive on its way: its entries get the name that they are to have where they arrive.

use std::io::{self, Read, Write};
use std::path::Path;

use tar::EntryType;

use super::landing::{Naming, renamed};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub files: u64,
    pub bytes: u64,
    /// Devices, pipes and sockets, of which there are no copies.
    pub left_out: u64,
}

/// Passes an archive on with the names that its entries are to have. Who owns them is kept or is root.
pub fn rename(mut from: impl Read, into: impl Write, naming: &Naming, keeps_owners: bool) -> io::Result<Copied> {
    let (mut archive, mut builder) = (tar::Archive::new(&mut from), tar::Builder::new(into));
    let mut copied = Copied::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let Some(path) = renamed(&entry.path()?, naming) else { continue };
        let mut header = entry.header().clone();
        if !keeps_owners {
            header.set_uid(0);
            header.set_gid(0);
            // Headers of the oldest kind have no names.
            let _ = header.set_username("").and_then(|()| header.set_groupname(""));
        }
        match header.entry_type() {
            EntryType::Directory => builder.append_data(&mut header, path.join(""), io::empty())?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(entry.size());
                (copied.files, copied.bytes) = (copied.files + 1, copied.bytes + entry.size());
                let mut whole = Whole { left: entry.size(), inner: &mut entry };
                builder.append_data(&mut header, &path, &mut whole)?;
            }
            kind @ (EntryType::Symlink | EntryType::Link) => {
                let target = entry.link_name()?.unwrap_or_default().into_owned();
                // A hard link names another entry.
                let target = if kind == EntryType::Link { renamed(&target, naming) } else { Some(target) };
                copied.files += 1;
                builder.append_link(&mut header, &path, target.as_deref().unwrap_or(Path::new("")))?;
            }
            _ => copied.left_out += 1,
        }
    }
    builder.into_inner()?.flush()?;
    // Whoever writes is not to find the pipe closed before it has written what fills the last block.
    io::copy(&mut from, &mut io::sink())?;
    Ok(copied)
}

/// What has to have so many bytes: an archive that is cut off is no shorter file.
struct Whole<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_renamed_with_its_links() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |kind: EntryType, path: &str, link: &str, text: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(text.len() as u64);
            header.set_mode(0o640);
            header.set_uid(1234);
            match link {
                "" => builder.append_data(&mut header, path, text.as_bytes()).unwrap(),
                link => builder.append_link(&mut header, path, link).unwrap(),
            }
        };
        let long = format!("src/{}", "deep/".repeat(40));
        add(EntryType::Directory, "src/", "", "");
        add(EntryType::Regular, &format!("{long}file"), "", "text");
        add(EntryType::Symlink, "src/soft", "../elsewhere", "");
        add(EntryType::Link, "src/hard", "src/soft", "");
        add(EntryType::Fifo, "src/pipe", "", "");
        let archive = builder.into_inner().unwrap();
        let mut out = Vec::new();
        let copied = rename(archive.as_slice(), &mut out, &Naming::Under("new".into()), false).unwrap();
        assert_eq!(copied, Copied { files: 3, bytes: 4, left_out: 1 });
        let mut found = Vec::new();
        for entry in tar::Archive::new(out.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name().unwrap().map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
            found.push((entry.path().unwrap().to_string_lossy().into_owned(), link, text));
            assert_eq!((entry.header().uid().unwrap(), entry.header().mode().unwrap()), (0, 0o640));
        }
        let text = |text: &str| text.to_owned();
        let expected = [
            (text("new/"), text(""), text("")),
            (long.replacen("src", "new", 1) + "file", text(""), text("text")),
            (text("new/soft"), text("../elsewhere"), text("")),
            (text("new/hard"), text("new/soft"), text("")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_archive_that_ends_too_soon_is_no_archive() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2000);
        builder.append_data(&mut header, "src", [b'x'; 2000].as_slice()).unwrap();
        let archive = builder.into_inner().unwrap();
        let new = Naming::Under("new".into());
        for end in [600, 1000] {
            let cut = rename(&archive[..end], io::sink(), &new, true).map(|_| ()).unwrap_err();
            assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof, "{end}: {cut}");
        }
        assert!(rename(&archive[..1000], io::sink(), &Naming::Contents, true).is_err());
    }
}
