//! Segments: `users/000001.log`, counted upwards, never renamed, so that a reader never loses its place.

use std::io;
use std::path::{Path, PathBuf};

/// The first line of a segment, with the number of lines that came before it.
pub fn head(first: u64) -> String {
    format!("# nagaya log 1 first={first}\n")
}

/// Reads [`head`].
pub fn parse_head(line: &str) -> Option<u64> {
    line.trim_end().strip_prefix("# nagaya log 1 first=")?.parse().ok()
}

/// The file of a segment.
pub fn path(folder: &Path, service: &str, number: u64) -> PathBuf {
    folder.join(service).join(format!("{number:06}.log"))
}

/// The numbers of a service's segments, ascending.
pub fn numbers(folder: &Path, service: &str) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(folder.join(service)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
