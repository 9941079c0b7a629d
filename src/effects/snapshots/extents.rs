//! The bytes of one file into another.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much is copied between two looks at whether it is still wanted.
#[cfg(target_os = "linux")]
const PIECE: u64 = 64 << 20;

/// Clones or copies all of `size` bytes into an empty file; [`io::ErrorKind::Interrupted`] when it was called off. `wrote`
/// is told of each piece that was copied how many bytes it has.
#[cfg(target_os = "linux")]
pub fn copy(from: &File, to: &File, size: u64, wrote: &dyn Fn(u64), call_off: &AtomicBool) -> io::Result<()> {
    if size == 0 || rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    to.set_len(size)?;
    let mut at = 0;
    while let Some((start, end)) = data(from, at, size)? {
        let mut offset = start;
        while offset < end {
            if call_off.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = piece(from, to, offset, (end - offset).min(PIECE))?;
            if count == 0 {
                // It became shorter, which is a change that is seen afterwards.
                return Ok(());
            }
            wrote(count);
            offset += count;
        }
        at = end;
    }
    Ok(())
}

/// Whether files in a folder can be cloned.
#[cfg(target_os = "linux")]
pub fn can_clone(folder: &std::path::Path) -> bool {
    let tried = || {
        let names = ["one", "other"].map(|name| folder.join(format!(".clone-{name}")));
        std::fs::write(&names[0], [1; 4096]).ok()?;
        let (one, other) = (File::open(&names[0]).ok()?, File::create(&names[1]).ok()?);
        let cloned = rustix::fs::ioctl_ficlone(&other, &one).is_ok();
        names.iter().for_each(|name| drop(std::fs::remove_file(name)));
        Some(cloned)
    };
    tried().unwrap_or(false)
}

/// Whether files in a folder can be cloned: the system does so by itself where it can.
#[cfg(not(target_os = "linux"))]
pub fn can_clone(_: &std::path::Path) -> bool {
    true
}

/// The next run of bytes that are no hole (lseek(2)).
#[cfg(target_os = "linux")]
fn data(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;
    if at >= size {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // A filesystem that knows nothing of holes has none.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some((at, size))),
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, SeekFrom::Hole(start)).unwrap_or(size);
    Ok((start < size).then_some((start, end.min(size))))
}

/// Copies a piece in the kernel, or through here where it cannot (copy_file_range(2)).
#[cfg(target_os = "linux")]
fn piece(from: &File, to: &File, offset: u64, length: u64) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;

    use rustix::io::Errno;
    let (mut source, mut target) = (offset, offset);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match rustix::fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), length) {
        Ok(count) => Ok(count as u64),
        Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let mut buffer = vec![0; length.min(1 << 20)];
            let count = from.read_at(&mut buffer, offset)?;
            to.write_all_at(&buffer[..count], offset)?;
            Ok(count as u64)
        }
        Err(error) => Err(error.into()),
    }
}

/// Copies all bytes; the library takes the system's best way.
#[cfg(not(target_os = "linux"))]
pub fn copy(mut from: &File, mut to: &File, _: u64, wrote: &dyn Fn(u64), call_off: &AtomicBool) -> io::Result<()> {
    if call_off.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    io::copy(&mut from, &mut to).map(wrote)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn holes_stay_holes() {
        let (mut from, mut to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.set_len(8 << 20).unwrap();
        from.seek(SeekFrom::Start(4 << 20)).unwrap();
        from.write_all(b"in the middle").unwrap();
        from.sync_all().unwrap();
        copy(&from, &to, 8 << 20, &|_| {}, &AtomicBool::new(false)).unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        from.rewind().unwrap();
        from.read_to_end(&mut one).unwrap();
        to.rewind().unwrap();
        to.read_to_end(&mut other).unwrap();
        assert!(one == other);
        to.sync_all().unwrap();
        assert!(to.metadata().unwrap().blocks() <= from.metadata().unwrap().blocks() + 8);
    }

    #[test]
    fn a_file_of_which_nothing_is_a_hole_is_copied_whole() {
        let (mut from, mut to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        from.write_all(&bytes).unwrap();
        let told = std::cell::Cell::new(0);
        copy(&from, &to, bytes.len() as u64, &|count| told.set(told.get() + count), &AtomicBool::new(false)).unwrap();
        let mut copied = Vec::new();
        to.rewind().unwrap();
        to.read_to_end(&mut copied).unwrap();
        assert!(copied == bytes);
        // Where files are cloned nothing is written.
        assert!([0, bytes.len() as u64].contains(&told.get()));
    }
}
