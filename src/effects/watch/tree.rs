//! The folders that are watched, by inotify(7): one watch a folder, as the kernel has none for trees.

mod walk;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::burst::Bursts;
use super::limit::{INSTANCES, WATCHES};
use super::rule::{Kind, Place, Rule, is_made, is_scratch};
use crate::effects::gitignore::{self as git, Git};

/// Of a file that is written only its closing is of interest: in between it is half a file. What a program does to a
/// file that it keeps open, as a log, wakes nobody.
const WANTED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// What the kernel's clock of files may lag behind ours.
const LAG: Duration = Duration::from_millis(50);
/// Taken at once, lest one who writes for ever keep us from telling.
const MOST_EVENTS: usize = 1 << 16;

const CAME: ReadFlags = ReadFlags::CREATE.union(ReadFlags::MOVED_TO);

/// All that is watched for some rules.
#[derive(Debug)]
pub struct Tree {
    inotify: OwnedFd,
    rules: Vec<Rule>,
    git: Git,
    /// Where git's rules begin to count for a place.
    floors: HashMap<Spot, Option<PathBuf>>,
    /// Watched folders by path, each with the kernel's number of its watch and when it was last found to be wanted.
    folders: BTreeMap<PathBuf, Watched>,
    /// The paths of each watch: several, where links lead to one folder.
    paths: HashMap<i32, Vec<PathBuf>>,
    /// Links by the file to which they lead.
    links: HashMap<PathBuf, HashSet<PathBuf>>,
    round: u64,
    /// What is watched may not be what should be.
    stale: bool,
    /// The kernel had to drop events; all before this time were seen.
    lost_since: Option<SystemTime>,
    /// Until when everything was seen.
    sound: SystemTime,
    troubles: Vec<String>,
    /// The limit was told of.
    is_full: bool,
}

#[derive(Debug, Clone, Copy)]
struct Watched {
    number: i32,
    round: u64,
}

/// One place of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Spot {
    rule: usize,
    place: usize,
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl Tree {
    /// One that watches nothing; the error is for the user.
    pub fn new() -> Result<Self, String> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(|error| match error {
            Errno::MFILE => format!(
                "no file is watched: programs of this account have all {} of {}; `sysctl {}=1024` allows more",
                INSTANCES.smaller().0,
                INSTANCES.smaller().1,
                INSTANCES.smaller().1,
            ),
            other => format!("no file is watched: {other}"),
        })?;
        Ok(Self {
            inotify,
            rules: Vec::new(),
            git: Git::default(),
            floors: HashMap::new(),
            folders: BTreeMap::new(),
            paths: HashMap::new(),
            links: HashMap::new(),
            round: 0,
            stale: false,
            lost_since: None,
            sound: SystemTime::now(),
            troubles: Vec::new(),
            is_full: false,
        })
    }

    /// Watches for these rules, and for no others.
    pub fn set(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
        self.git = Git::default();
        self.is_full = false;
        self.settle(None);
    }

    /// What cannot be watched, and why, since this was last asked.
    pub fn take_troubles(&mut self) -> Vec<String> {
        std::mem::take(&mut self.troubles)
    }

    /// Takes what the kernel has to tell.
    pub fn read(&mut self, bursts: &mut Bursts) {
        for (number, flags, name) in self.events() {
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.lost_since.get_or_insert(self.sound);
            } else if flags.contains(ReadFlags::IGNORED) {
                self.ended(number);
            } else if let Some(name) = name {
                for folder in self.paths.get(&number).cloned().unwrap_or_default() {
                    self.happened(&folder.join(&name), flags, bursts);
                }
            }
        }
        match self.lost_since.take() {
            Some(since) => {
                let since = since.checked_sub(LAG).unwrap_or(SystemTime::UNIX_EPOCH);
                self.git = Git::default();
                self.settle(Some((bursts, Some(since))));
            }
            None if self.stale => self.settle(None),
            None => {}
        }
        self.sound = SystemTime::now();
    }

    fn events(&self) -> Vec<(i32, ReadFlags, Option<PathBuf>)> {
        let mut events = Vec::new();
        let mut space = [const { std::mem::MaybeUninit::uninit() }; 16 << 10];
        let mut reader = inotify::Reader::new(&self.inotify, &mut space);
        while events.len() < MOST_EVENTS {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| PathBuf::from(OsStr::from_bytes(name.to_bytes())));
                    events.push((event.wd(), event.events(), name));
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        events
    }

    /// A watch is no more, because its folder is not, or because it was not wanted any longer.
    fn ended(&mut self, number: i32) {
        for folder in self.paths.remove(&number).unwrap_or_default() {
            self.folders.remove(&folder);
            let leads = |place: &Place| place.base.starts_with(&folder);
            self.stale |= self.rules.iter().flat_map(|rule| &rule.places).any(leads);
        }
    }

    fn happened(&mut self, path: &Path, flags: ReadFlags, bursts: &mut Bursts) {
        if path.file_name().is_some_and(|name| name == git::FILE) {
            self.git.forget(path.parent().unwrap_or(path));
            self.floors.clear();
            self.stale = true;
        }
        // A link to a folder is none to the kernel.
        if flags.contains(ReadFlags::ISDIR) || self.folders.contains_key(path) {
            return self.folder_happened(path, flags, bursts);
        }
        if flags.intersects(CAME) {
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() && path.is_dir() => return self.folder_happened(path, flags, bursts),
                Ok(found) if found.is_symlink() => self.add_link(path),
                // One that has another name has its bytes already.
                Ok(found) if found.is_file() && (found.nlink() > 1 || flags.contains(ReadFlags::MOVED_TO)) => {}
                Ok(found) if found.is_file() && self.is_wanted(path) => return bursts.begin(path.to_owned()),
                // Gone already: its end is told too.
                Err(_) => return bursts.pass(path.to_owned()),
                Ok(_) => return,
            }
        }
        bursts.finish(path);
        let links = self.links.get(path).into_iter().flatten().cloned();
        let paths: Vec<PathBuf> = links.chain([path.to_owned()]).collect();
        for path in paths {
            self.changed(&path, bursts);
        }
    }

    /// A folder came or went. One that came may have files already, which were seen by nobody.
    fn folder_happened(&mut self, folder: &Path, flags: ReadFlags, bursts: &mut Bursts) {
        let came = flags.intersects(CAME);
        let went = self.forget(folder) && !came;
        for spot in self.spots() {
            let place = self.place(spot);
            if place.base.starts_with(folder) {
                // On the way to the base, or the base itself.
                self.walk(spot, Some((&mut *bursts, None)));
            } else if came && place.reaches(folder) && self.passes(spot, folder, true) {
                self.walk_from(spot, folder, bursts);
            }
            let place = self.place(spot);
            if went && (place.base.starts_with(folder) || place.reaches(folder)) {
                bursts.add(&self.rules[spot.rule].key, folder, Instant::now());
            }
        }
    }

    /// Watches no longer what is in a folder that is not there any more; false where it was not watched.
    fn forget(&mut self, folder: &Path) -> bool {
        let gone: Vec<PathBuf> = self
            .folders
            .range(folder.to_owned()..)
            .map(|(path, _)| path.clone())
            .take_while(|path| path.starts_with(folder))
            .collect();
        gone.iter().for_each(|path| self.unwatch(path));
        !gone.is_empty()
    }

    fn unwatch(&mut self, folder: &Path) {
        let Some(Watched { number, .. }) = self.folders.remove(folder) else { return };
        let Some(paths) = self.paths.get_mut(&number) else { return };
        paths.retain(|path| path != folder);
        if paths.is_empty() {
            self.paths.remove(&number);
            let _ = inotify::remove_watch(&self.inotify, number);
        }
    }

    fn changed(&mut self, path: &Path, bursts: &mut Bursts) {
        let mut last = None;
        for spot in self.spots() {
            if last != Some(spot.rule) && self.place(spot).fits(path) && self.passes(spot, path, false) {
                bursts.add(&self.rules[spot.rule].key, path, Instant::now());
                last = Some(spot.rule);
            }
        }
    }

    fn is_wanted(&mut self, path: &Path) -> bool {
        let fits = |spot: &Spot| self.place(*spot).fits(path);
        let fitting: Vec<Spot> = self.spots().into_iter().filter(fits).collect();
        fitting.into_iter().any(|spot| self.passes(spot, path, false))
    }

    fn spots(&self) -> Vec<Spot> {
        let places = |(rule, it): (usize, &Rule)| (0..it.places.len()).map(move |place| Spot { rule, place });
        self.rules.iter().enumerate().flat_map(places).collect()
    }

    fn place(&self, spot: Spot) -> &Place {
        &self.rules[spot.rule].places[spot.place]
    }

    /// Whether nothing on the way from its base to a path leaves it out.
    fn passes(&mut self, spot: Spot, path: &Path, is_folder: bool) -> bool {
        let place = self.place(spot);
        if matches!(place.kind, Kind::Exact) {
            return true;
        }
        let base = place.base.clone();
        if self.rules[spot.rule].leaves_out(path, is_folder) {
            return false;
        }
        let floor = self.floor(spot);
        let way = path.ancestors().take_while(|part| *part != base && part.starts_with(&base));
        { way }.enumerate().all(|(up, part)| self.lets_in(part, is_folder || up > 0, floor.as_deref()))
    }

    /// The same for one step.
    fn lets_in(&mut self, path: &Path, is_folder: bool, floor: Option<&Path>) -> bool {
        let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        let by_name = if is_folder { is_made(&name) } else { is_scratch(&name) };
        !by_name && !self.git.ignores(path, is_folder, floor)
    }

    /// Whoever names a folder that git leaves out means it: then only what is in it has a say.
    fn floor(&mut self, spot: Spot) -> Option<PathBuf> {
        if let Some(known) = self.floors.get(&spot) {
            return known.clone();
        }
        let base = self.place(spot).base.clone();
        let is_folder = base.is_dir();
        let ignored =
            { base.ancestors() }.enumerate().any(|(up, part)| self.git.ignores(part, is_folder || up > 0, None));
        let floor = ignored.then_some(base);
        self.floors.insert(spot, floor.clone());
        floor
    }

    /// Watches a folder; false where there is none, or no more can be watched.
    fn watch(&mut self, folder: &Path) -> bool {
        match inotify::add_watch(&self.inotify, folder, WANTED) {
            Ok(number) => {
                let watched = Watched { number, round: self.round };
                // The path may have led to another folder before.
                if let Some(before) = self.folders.get(folder)
                    && before.number != number
                {
                    self.unwatch(folder);
                }
                self.folders.insert(folder.to_owned(), watched);
                let paths = self.paths.entry(number).or_default();
                if paths.iter().all(|known| known != folder) {
                    paths.push(folder.to_owned());
                }
                true
            }
            Err(Errno::NOSPC) => {
                self.full(folder);
                false
            }
            Err(_) => false,
        }
    }

    fn full(&mut self, folder: &Path) {
        if !std::mem::replace(&mut self.is_full, true) {
            let (figure, setting) = WATCHES.smaller();
            self.troubles.push(format!(
                "{} and more are not watched: this account may watch {figure} folders in all ({setting}), of which {} \
                 are watched here; `sysctl {setting}=1048576` allows more, `watch` on fewer folders needs fewer",
                folder.display(),
                self.folders.len()
            ));
        }
    }
}

#[cfg(test)]
mod tests;
