//! Changes that come together are one: it is told of when nothing more has come for a moment.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indexmap::IndexSet;

use super::{Change, Key};

/// So long nothing may come. Editors leave less between the steps of one save; whatever comes later all the same
/// supersedes what was begun.
const QUIET: Duration = Duration::from_millis(8);
/// Whatever comes, and whoever still writes, it is told of after this.
const LONGEST: Duration = Duration::from_secs(1);

/// More paths of one burst are only counted.
const MOST_PATHS: usize = 1000;

/// All bursts under way.
#[derive(Debug, Default)]
pub struct Bursts {
    bursts: HashMap<Key, Burst>,
    /// Files that were made and are still being written: half of one is no good to anybody.
    unfinished: HashSet<PathBuf>,
    /// Files that were made since there was no burst. One that is gone by its end was never of interest.
    born: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Burst {
    paths: IndexSet<PathBuf>,
    /// Changes beyond those paths.
    more: usize,
    begun: Instant,
    last: Instant,
}

impl Burst {
    fn end(&self, quiet: Duration) -> Instant {
        (self.last + quiet).min(self.begun + LONGEST)
    }
}

impl Bursts {
    /// A file changed that a rule is about.
    pub fn add(&mut self, key: &Key, path: &Path, now: Instant) {
        if !self.bursts.contains_key(key) {
            let burst = Burst { paths: IndexSet::new(), more: 0, begun: now, last: now };
            self.bursts.insert(key.clone(), burst);
        }
        let Some(burst) = self.bursts.get_mut(key) else { return };
        burst.last = now;
        if burst.paths.len() < MOST_PATHS {
            burst.paths.insert(path.to_owned());
        } else if !burst.paths.contains(path) {
            burst.more += 1;
        }
    }

    /// A file was made, and will be written and closed.
    pub fn begin(&mut self, path: PathBuf) {
        self.born.insert(path.clone());
        self.unfinished.insert(path);
    }

    /// A file was made that was gone when it was looked at.
    pub fn pass(&mut self, path: PathBuf) {
        self.born.insert(path);
    }

    /// It was closed, or is gone.
    pub fn finish(&mut self, path: &Path) {
        self.unfinished.remove(path);
    }

    /// Forgets the bursts of rules that there are no more.
    pub fn keep(&mut self, stays: impl Fn(&Key) -> bool) {
        self.bursts.retain(|key, _| stays(key));
    }

    /// When to look next.
    pub fn deadline(&self) -> Option<Instant> {
        self.bursts.values().map(|burst| burst.end(self.quiet())).min()
    }

    /// Takes the bursts that have ended. What came and went within one, as temporary files do, is no change.
    pub fn take(&mut self, now: Instant, exists: impl Fn(&Path) -> bool) -> Vec<Change> {
        let quiet = self.quiet();
        let ended: Vec<(Key, Burst)> = self.bursts.extract_if(|_, burst| burst.end(quiet) <= now).collect();
        let changes = ended.iter().filter_map(|(key, burst)| {
            let mut lasting = burst.paths.iter().filter(|path| !self.born.contains(*path) || exists(path));
            let first = lasting.next()?;
            Some(Change { key: key.clone(), first: first.clone(), count: 1 + lasting.count() + burst.more })
        });
        let changes = changes.collect();
        if self.bursts.is_empty() && !ended.is_empty() {
            // One that is written for ever, a log for example, is waited for once.
            self.unfinished.clear();
            self.born.clear();
        }
        changes
    }

    fn quiet(&self) -> Duration {
        if self.unfinished.is_empty() { QUIET } else { LONGEST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clock(Instant);

    impl Clock {
        fn at(&self, millis: u64) -> Instant {
            self.0 + Duration::from_millis(millis)
        }
    }

    fn all(_: &Path) -> bool {
        true
    }

    fn counts(changes: &[Change]) -> Vec<usize> {
        changes.iter().map(|change| change.count).collect()
    }

    #[test]
    fn a_burst_is_told_of_once_after_its_last_change() {
        let (clock, mut bursts) = (Clock(Instant::now()), Bursts::default());
        assert_eq!(bursts.deadline(), None);
        for save in 0..50 {
            bursts.add(&Key::Manifest, Path::new(&format!("/{save}")), clock.at(save * 7));
            assert_eq!(bursts.take(clock.at(save * 7), all), []);
        }
        assert_eq!(bursts.deadline(), Some(clock.at(49 * 7 + 8)));
        assert_eq!(bursts.take(clock.at(49 * 7 + 7), all), []);
        let changes = bursts.take(clock.at(49 * 7 + 8), all);
        assert_eq!((counts(&changes), &changes[0].first), (vec![50], &PathBuf::from("/0")));
        assert_eq!(bursts.deadline(), None);
    }

    #[test]
    fn changes_without_an_end_are_told_of_all_the_same() {
        let (clock, mut bursts) = (Clock(Instant::now()), Bursts::default());
        let told = (0..3000).step_by(5).filter(|&now| {
            bursts.add(&Key::Manifest, Path::new("/a"), clock.at(now));
            !bursts.take(clock.at(now), all).is_empty()
        });
        assert_eq!(told.collect::<Vec<_>>(), [1000, 2005]);
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let (clock, mut bursts) = (Clock(Instant::now()), Bursts::default());
        // As an editor does that keeps the old file as a backup: renamed, made, written, closed.
        bursts.add(&Key::Manifest, Path::new("/a"), clock.at(0));
        bursts.begin("/a".into());
        assert_eq!(bursts.take(clock.at(500), all), []);
        bursts.finish(Path::new("/a"));
        bursts.add(&Key::Manifest, Path::new("/a"), clock.at(500));
        assert_eq!(counts(&bursts.take(clock.at(510), all)), [1]);
        // A log that nobody closes holds up one burst by a second, and no other.
        bursts.begin("/log".into());
        bursts.add(&Key::Manifest, Path::new("/a"), clock.at(2000));
        assert_eq!(bursts.take(clock.at(2999), all), []);
        assert_eq!(counts(&bursts.take(clock.at(3000), all)), [1]);
        bursts.add(&Key::Manifest, Path::new("/a"), clock.at(4000));
        assert_eq!(counts(&bursts.take(clock.at(4010), all)), [1]);
    }

    #[test]
    fn what_came_and_went_is_no_change() {
        let (clock, mut bursts) = (Clock(Instant::now()), Bursts::default());
        let temporary = |bursts: &mut Bursts, now: u64| {
            bursts.begin("/tmp1".into());
            bursts.finish(Path::new("/tmp1"));
            bursts.add(&Key::Manifest, Path::new("/tmp1"), clock.at(now));
        };
        let exists = |path: &Path| path != Path::new("/tmp1");
        temporary(&mut bursts, 0);
        assert_eq!(bursts.take(clock.at(10), exists), []);
        // Renamed over another.
        temporary(&mut bursts, 20);
        bursts.add(&Key::Manifest, Path::new("/a"), clock.at(20));
        let changes = bursts.take(clock.at(30), exists);
        assert_eq!((changes[0].first.as_path(), changes[0].count), (Path::new("/a"), 1));
        // A file that was there before and went is one.
        bursts.add(&Key::Manifest, Path::new("/tmp1"), clock.at(40));
        assert_eq!(bursts.take(clock.at(50), exists).len(), 1);
    }

    #[test]
    fn each_rule_has_its_own() {
        let (clock, mut bursts) = (Clock(Instant::now()), Bursts::default());
        let web = Key::Service(crate::model::ServiceName::new("web").unwrap(), 0);
        bursts.add(&Key::Manifest, Path::new("/a"), clock.at(0));
        bursts.add(&web, Path::new("/b"), clock.at(5));
        assert_eq!(bursts.take(clock.at(10), all).len(), 1);
        bursts.keep(|key| *key != web);
        assert_eq!(bursts.take(clock.at(100), all), []);
    }
}
