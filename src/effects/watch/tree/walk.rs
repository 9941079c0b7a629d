//! Finding what is to be watched.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::super::burst::Bursts;
use super::super::rule::Kind;
use super::{Spot, Tree};

/// Links can lead in circles that are none by their folders.
const DEEPEST: usize = 64;

/// A walk through a place: what it found is told as changes, or not.
struct Walk<'a> {
    spot: Spot,
    /// Where git's rules begin to count.
    floor: Option<PathBuf>,
    /// Files that changed after this time are told of.
    tell: Option<(&'a mut Bursts, Option<SystemTime>)>,
}

impl Tree {
    /// Walks through all places, and lets go of what none of them needs any more.
    pub(super) fn settle(&mut self, mut tell: Option<(&mut Bursts, Option<SystemTime>)>) {
        self.stale = false;
        self.floors.clear();
        self.round += 1;
        self.links.clear();
        for spot in self.spots() {
            let tell = tell.as_mut().map(|(bursts, since)| (&mut **bursts, *since));
            self.walk(spot, tell);
        }
        let old = self.folders.iter().filter(|(_, watched)| watched.round != self.round);
        let old: Vec<PathBuf> = old.map(|(path, _)| path.clone()).collect();
        old.iter().for_each(|path| self.unwatch(path));
    }

    /// Watches a place: the folder in which its base is or will be, and all that can matter below it.
    pub(super) fn walk(&mut self, spot: Spot, tell: Option<(&mut Bursts, Option<SystemTime>)>) {
        let place = self.place(spot).clone();
        for above in place.base.ancestors().skip(1) {
            // What is there after it was watched is seen, one way or the other.
            if self.watch(above) {
                break;
            }
        }
        let Ok(found) = place.base.symlink_metadata() else { return };
        let floor = self.floor(spot);
        let mut walk = Walk { spot, floor, tell };
        if found.is_symlink() && place.base.is_file() {
            self.add_link(&place.base);
        }
        match place.base.is_dir() {
            true if !matches!(place.kind, Kind::Exact) => self.descend(&mut walk, &place.base, &mut Vec::new()),
            _ => self.found(&mut walk, &place.base),
        }
    }

    /// The same for a folder that has just come; all that is in it is new.
    pub(super) fn walk_from(&mut self, spot: Spot, folder: &Path, bursts: &mut Bursts) {
        let floor = self.floor(spot);
        let mut walk = Walk { spot, floor, tell: Some((bursts, None)) };
        self.descend(&mut walk, folder, &mut Vec::new());
    }

    /// Watches a folder and those in it. `way` are the folders above it, by which a circle is known.
    fn descend(&mut self, walk: &mut Walk<'_>, folder: &Path, way: &mut Vec<(u64, u64)>) {
        let Ok(found) = folder.metadata() else { return };
        let id = (found.dev(), found.ino());
        if way.contains(&id) || way.len() > DEEPEST || !self.watch(folder) {
            return;
        }
        // Read after it is watched: what comes meanwhile is seen twice, and never not at all.
        let Ok(entries) = fs::read_dir(folder) else { return };
        if let Some((bursts, Some(since))) = &mut walk.tell
            && changed_at(&found) >= *since
        {
            // Something in it may have gone.
            bursts.add(&self.rules[walk.spot.rule].key, folder, Instant::now());
        }
        way.push(id);
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
            if kind.is_symlink() && !is_folder {
                self.add_link(&path);
            }
            if !is_folder {
                self.found(walk, &path);
            } else if self.place(walk.spot).reaches(&path)
                && !self.rules[walk.spot.rule].leaves_out(&path, true)
                && self.lets_in(&path, true, walk.floor.as_deref())
                && !crate::effects::tree::is_output(&path, Path::exists)
            {
                self.descend(walk, &path, way);
            }
        }
        way.pop();
    }

    /// A file was found; it is told of where that is the walk's business.
    fn found(&mut self, walk: &mut Walk<'_>, path: &Path) {
        let Some((bursts, since)) = &mut walk.tell else { return };
        let is_new = since.is_none_or(|since| path.metadata().is_ok_and(|found| changed_at(&found) >= since));
        if is_new && self.place(walk.spot).fits(path) && self.passes(walk.spot, path, false) {
            bursts.add(&self.rules[walk.spot.rule].key, path, Instant::now());
        }
    }

    /// A link to a file changes with that, which may be in a folder that nobody watches.
    pub(super) fn add_link(&mut self, link: &Path) {
        let Ok(file) = link.canonicalize() else { return };
        if let Some(folder) = file.parent() {
            self.watch(folder);
        }
        self.links.entry(file).or_default().insert(link.to_owned());
    }
}

/// When a file or folder changed last, in whatever way.
fn changed_at(found: &fs::Metadata) -> SystemTime {
    let (seconds, nanos) = (found.ctime().try_into().unwrap_or(0), found.ctime_nsec().try_into().unwrap_or(0));
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
}
