//! Putting a result back.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::folders::{Folders, mode_of};
use super::intact::Intact;
use super::{Share, Store, Unusable, open_file};
use crate::effects::globs::{Globs, named, unshown};
use crate::effects::look::Look;
use crate::pipeline::{Output, OutputKind, Record};

impl Store {
    /// Puts what a task made back into its folder, and takes away what its outputs name and it did not make.
    pub fn restore(&self, record: &Record, folder: &Path, outputs: &[String], _share: &Share) -> Result<(), Unusable> {
        let globs = Globs::new(outputs).map_err(io::Error::other)?;
        let paths: Vec<PathBuf> = record.outputs.iter().map(|output| unshown(&output.path)).collect();
        // A record is as good as what it names: nothing outside the outputs is ever written.
        let is_plain = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        if let Some(stray) = paths.iter().find(|path| !globs.matches(path) || !is_plain(path)) {
            return Err(Unusable::Damaged(stray.display().to_string()));
        }
        let known: HashSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let folders = Folders::make(record, folder, &globs)?;
        let filled = self.fill(record, folder, &globs, &known);
        // Into one that may not be written to nothing could be put after this.
        let closed = folders.close();
        filled?;
        Ok(closed?)
    }

    fn fill(&self, record: &Record, folder: &Path, globs: &Globs, known: &HashSet<&Path>) -> Result<(), Unusable> {
        let intact = self.intact(&record.key);
        self.write_all(record, folder, intact.as_ref())?;
        intact.into_iter().for_each(Intact::save);
        for stale in globs.paths(folder)?.into_iter().filter(|path| !known.contains(path.as_path())) {
            remove(folder, &stale, known)?;
        }
        Ok(())
    }

    /// On all processors, as reading, checking and writing each take their time. One takes what the others have left:
    /// a folder lets in one new file at a time, and whoever waits for that cannot do its share.
    fn write_all(&self, record: &Record, folder: &Path, intact: Option<&Intact>) -> Result<(), Unusable> {
        let outputs = &record.outputs;
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(outputs.len().div_ceil(16));
        let next = AtomicUsize::new(0);
        let work = || {
            let mut buffer = Vec::new();
            while let Some(output) = outputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.write(output, record, folder, intact, &mut buffer).inspect_err(|_| {
                    next.store(outputs.len(), Ordering::Relaxed);
                })?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let own = work();
            let others = others.into_iter().map(|other| match other.join() {
                Ok(done) => done,
                Err(_) => Err(io::Error::other("a file could not be put back").into()),
            });
            others.fold(own, |first, next| first.and(next))
        })
    }

    fn write(
        &self,
        output: &Output,
        record: &Record,
        folder: &Path,
        intact: Option<&Intact>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Unusable> {
        let path = folder.join(unshown(&output.path));
        match &output.kind {
            // It was made with all others.
            OutputKind::Folder { .. } => Ok(()),
            OutputKind::Link { to } => {
                let to = unshown(to);
                if fs::read_link(&path).is_ok_and(|now| now == to) {
                    return Ok(());
                }
                clear(&path)?;
                Ok(symlink(&to, &path).map_err(|error| named(&path, &error))?)
            }
            OutputKind::File { hash, size, mode } => {
                let known = intact.and_then(|intact| {
                    let blob = open_file(&self.blob(hash)).ok()?;
                    let look = Look::from(&blob.metadata().ok()?);
                    Some((intact, blob, look))
                });
                if let Some((intact, blob, look)) = &known
                    && look.size == *size
                    && intact.has(hash, look)
                {
                    return Ok(copy(blob, &path, hash, *size, *mode).map_err(|error| named(&path, &error))?);
                }
                self.content(hash, &output.path, record, buffer)?;
                put(&path, buffer, *mode).map_err(|error| named(&path, &error))?;
                if let Some((intact, _, look)) = known {
                    intact.found(hash, look);
                }
                Ok(())
            }
        }
    }
}

/// A file with the content of one that is known to be good. The kernel copies it, or has both share it where it can.
fn copy(from: &fs::File, path: &Path, hash: &str, size: u64, mode: u32) -> io::Result<()> {
    let Some(file) = make_unless(path, mode, size, |now| blake3::hash(now).to_hex().as_str() == hash)? else {
        return Ok(());
    };
    match fill(from, &file, size)? {
        count if count == size => open_to(&file, mode),
        count => Err(io::Error::other(format!("{count} of {size} bytes came"))),
    }
}

/// Copies so many bytes, or fewer where there are no more; how many came.
fn fill(mut from: &fs::File, mut to: &fs::File, size: u64) -> io::Result<u64> {
    let mut count = 0;
    while count < size {
        let rest = usize::try_from(size - count).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, None, to, None, rest) {
            Ok(0) => break,
            Ok(more) => count += more as u64,
            // Not between all file systems.
            Err(_) if count == 0 => return io::copy(&mut from, &mut to),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

/// A file with this content. One that has it already is left alone, with its time.
fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match make_unless(path, mode, bytes.len() as u64, |now| now == bytes)? {
        Some(mut file) => file.write_all(bytes).and_then(|()| open_to(&file, mode)),
        None => Ok(()),
    }
}

/// A new file in the place of whatever is there, unless that is as it should be already. Nobody else may read it yet.
fn make_unless(path: &Path, mode: u32, size: u64, is_it: impl Fn(&[u8]) -> bool) -> io::Result<Option<fs::File>> {
    let make = || fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    // Mostly there is none: asking before would be one look more for each.
    match make() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let told = fs::symlink_metadata(path)?;
            let same_size = told.is_file() && told.len() == size;
            if same_size && fs::read(path).is_ok_and(|now| is_it(&now)) {
                if mode_of(&told) != mode {
                    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
                }
                return Ok(None);
            }
            clear(path)?;
            make().map(Some)
        }
        made => made.map(Some),
    }
}

/// Gives a file its permissions, now that all of it is there.
fn open_to(file: &fs::File, mode: u32) -> io::Result<()> {
    match file.set_permissions(fs::Permissions::from_mode(mode)) {
        // Some file systems have the same for all files, which may be these.
        Err(_) if file.metadata().is_ok_and(|told| mode_of(&told) == mode) => Ok(()),
        set => set,
    }
}

/// Makes room for something else of this name.
fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(told) if told.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
    .map_err(|error| named(path, &error))
}

/// Takes away a file, and the folders above it that are empty then and should not be.
fn remove(folder: &Path, path: &Path, known: &HashSet<&Path>) -> io::Result<()> {
    let at = folder.join(path);
    let removed = match fs::symlink_metadata(&at) {
        Ok(told) if told.is_dir() => fs::remove_dir(&at),
        Ok(_) => fs::remove_file(&at),
        Err(_) => Ok(()),
    };
    removed.map_err(|error| named(&at, &error))?;
    let above = path.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty() && !known.contains(above));
    for above in above {
        if fs::remove_dir(folder.join(above)).is_err() {
            break;
        }
    }
    Ok(())
}
