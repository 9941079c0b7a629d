//! What a path looked like, to see whether it still does.
//!
//! A time says nothing of a change that comes within its own grain after us, so what had just changed when it was looked at
//! is not to be believed; nor are file systems whose times others make.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, RawMode, Stat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Longer than the grain of any file system's times: two seconds with FAT.
const GRAIN: Duration = Duration::from_secs(3);

/// File systems whose times the kernel makes when something changes, by their magic numbers (statfs(2)).
const HONEST: [u64; 9] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x2fc1_2fc1, // zfs
    0xf2f5_2010, // f2fs
    0x794c_7630, // overlayfs
    0xca45_1a4e, // bcachefs
    0x3153_464a, // jfs
];

/// What a path looked like, behind symbolic links: why nothing can be seen, or only what kind of thing it is, or all that
/// tells whether what is in it is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Look {
    /// Kind and permissions; of an error its number, negative. Without a file's number, the kind alone.
    mode: i64,
    pub device: u64,
    /// The file's number; 0 where only its kind was asked for, or nothing is there.
    pub number: u64,
    pub size: u64,
    /// The times of its content and of anything of it, in nanoseconds.
    pub times: [i64; 2],
}

/// A [`Look`] as it is written down.
type Row = (i64, u64, u64, u64, i64, i64);

impl From<Row> for Look {
    fn from((mode, device, number, size, modified, changed): Row) -> Self {
        Self { mode, device, number, size, times: [modified, changed] }
    }
}

impl From<Look> for Row {
    fn from(look: Look) -> Self {
        (look.mode, look.device, look.number, look.size, look.times[0], look.times[1])
    }
}

impl From<&fs::Metadata> for Look {
    fn from(told: &fs::Metadata) -> Self {
        Self {
            mode: told.mode().into(),
            device: told.dev(),
            number: told.ino(),
            size: told.size(),
            times: [nanos(told.mtime(), told.mtime_nsec()), nanos(told.ctime(), told.ctime_nsec())],
        }
    }
}

impl From<io::Result<fs::Metadata>> for Look {
    fn from(told: io::Result<fs::Metadata>) -> Self {
        match told {
            Ok(told) => Self::from(&told),
            Err(error) => Self::failed(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }
}

impl From<&Stat> for Look {
    fn from(told: &Stat) -> Self {
        let part = |nanos| i64::try_from(nanos).unwrap_or_default();
        Self {
            mode: told.st_mode.into(),
            device: told.st_dev,
            number: told.st_ino,
            size: u64::try_from(told.st_size).unwrap_or_default(),
            times: [nanos(told.st_mtime, part(told.st_mtime_nsec)), nanos(told.st_ctime, part(told.st_ctime_nsec))],
        }
    }
}

impl Look {
    /// What is seen of a path from a folder now, as closely as before.
    pub fn again(&self, folder: BorrowedFd<'_>, path: &Path) -> Self {
        let look = match statat(folder, path, AtFlags::empty()) {
            Ok(told) => Self::from(&told),
            Err(error) => Self::failed(error.raw_os_error()),
        };
        if self.number == 0 { look.kind_alone() } else { look }
    }

    fn failed(error: i32) -> Self {
        Self { mode: -i64::from(error), device: 0, number: 0, size: 0, times: [0, 0] }
    }

    /// The same of its kind alone.
    pub fn kind_alone(self) -> Self {
        let mode = if self.mode < 0 { self.mode } else { self.file_type().as_raw_mode().into() };
        Self { mode, device: 0, number: 0, size: 0, times: [0, 0] }
    }

    fn file_type(&self) -> FileType {
        RawMode::try_from(self.mode).map_or(FileType::Unknown, FileType::from_raw_mode)
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type() == FileType::RegularFile
    }

    /// Whether the path leads to anything.
    pub fn is_there(&self) -> bool {
        self.mode >= 0
    }

    /// Whether a file may be executed by somebody.
    pub fn is_executable(&self) -> bool {
        self.is_file() && self.mode & 0o111 != 0
    }

    /// Why there is nothing to be seen.
    pub fn error(&self) -> Option<io::Error> {
        let number = i32::try_from(self.mode.checked_neg()?).ok().filter(|number| *number > 0)?;
        Some(Errno::from_raw_os_error(number).into())
    }

    /// Whether its times will tell of any change: it is long ago that they were made, by the kernel.
    pub fn is_settled(&self, settled: i64) -> bool {
        self.number == 0 || self.times[0].max(self.times[1]) < settled
    }
}

fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// What changed before this time, in nanoseconds since 1970, has a time that will not be given again.
pub fn settled() -> Option<i64> {
    let since = SystemTime::now().checked_sub(GRAIN)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

/// Whether the times of what is at a path can be believed.
pub fn has_honest_times(path: &Path) -> bool {
    let magic = rustix::fs::statfs(path).ok().and_then(|told| u64::try_from(told.f_type).ok());
    magic.is_some_and(|magic| HONEST.contains(&(magic & 0xffff_ffff)))
}
