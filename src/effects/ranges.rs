//! A range of loopback addresses for each workspace in network mode `names`.
//!
//! That two engines never share one, of whichever accounts, is the kernel's care: a range is taken by an abstract Unix
//! socket (unix(7)) that is called after it. Such names are unique in a network namespace, as loopback addresses are, and
//! are free again when their engine is gone, however it ended.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use super::places::Home;
use super::ports::{candidates, recall, remember};
use crate::plan::LOOPBACK_RANGES;

/// Under which a workspace's range is remembered, among its ports.
const KEY: &str = "loopback-range";

/// A range that is this engine's for as long as this lives.
#[derive(Debug)]
pub struct Claim {
    /// The second octet of its addresses.
    pub range: u8,
    _held: OwnedFd,
}

/// Takes a range: the one that the workspace had before, else one that is likely the same each time.
pub fn claim(home: &Home) -> io::Result<Claim> {
    let mut taken = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for range in ranges(home) {
        match hold(range) {
            Ok(held) => {
                let given = HashMap::from([(KEY.to_owned(), u16::from(range))]);
                remember(&home.ports(), recall(&home.ports()), &given);
                return Ok(Claim { range, _held: held });
            }
            Err(error) => taken = error,
        }
    }
    Err(taken)
}

/// The range that [`claim`] would try first.
pub fn propose(home: &Home) -> u8 {
    ranges(home).next().unwrap_or(LOOPBACK_RANGES.start)
}

fn ranges(home: &Home) -> impl Iterator<Item = u8> {
    let known = recall(&home.ports()).get(KEY).and_then(|range| u8::try_from(*range).ok());
    let others = candidates(&home.id, KEY, u16::from(LOOPBACK_RANGES.start)..u16::from(LOOPBACK_RANGES.end));
    let others: Vec<u8> = others.filter_map(|range| u8::try_from(range).ok()).collect();
    known.filter(|range| LOOPBACK_RANGES.contains(range)).into_iter().chain(others)
}

#[cfg(target_os = "linux")]
fn hold(range: u8) -> io::Result<OwnedFd> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let name = SocketAddr::from_abstract_name(format!("nagaya/127.{range}"))?;
    UnixListener::bind_addr(&name).map(OwnedFd::from)
}

/// Elsewhere there is no such mode.
#[cfg(not(target_os = "linux"))]
fn hold(_: u8) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::effects::places::Places;

    #[test]
    fn two_engines_never_share_a_range_and_each_finds_its_own_again() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { state: folder.path().join("state"), runtime: folder.path().join("run") };
        let home = places.home("a-1");
        std::fs::create_dir_all(&home.state).unwrap();
        let first = claim(&home).unwrap();
        assert!(LOOPBACK_RANGES.contains(&first.range));
        assert_eq!(propose(&home), first.range);
        // As if another engine wanted the very same.
        let second = claim(&home).unwrap();
        assert_ne!(first.range, second.range);
        let had = second.range;
        drop((first, second));
        assert_eq!(claim(&home).unwrap().range, had);
    }
}
