//! What a store has to survive.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Made, Store, Unusable, read_checked, write_checked};
use crate::effects::look::Look;
use crate::pipeline::{Key, Parts, Record};

mod modes;
mod strangers;

struct Lab {
    dir: tempfile::TempDir,
    store: Store,
}

impl Lab {
    fn new() -> Self {
        Self::with_limit(1 << 30)
    }

    fn with_limit(limit: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("store"), limit);
        let lab = Self { dir, store };
        lab.write("dist/a", "A");
        lab.write("dist/deep/b", "B");
        lab
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn keep(&self, name: &str) -> Result<Record, String> {
        let parts = Parts::from([("command".to_owned(), name.to_owned())]);
        let made = Made {
            folder: &self.folder(),
            outputs: &["dist".to_owned()],
            parts,
            log: b"said",
            took: Duration::from_millis(7),
        };
        self.store.keep(made, self.store.share().unwrap())
    }

    fn restore(&self, record: &Record) -> Result<(), Unusable> {
        self.store.restore(record, &self.folder(), &["dist".to_owned()], &self.store.share().unwrap())
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn blobs(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.dir.path().join("store/blobs")).unwrap();
        folders.flat_map(|it| fs::read_dir(it.unwrap().path()).unwrap()).map(|it| it.unwrap().path()).collect()
    }
}

#[test]
fn what_was_made_comes_back_as_it_was() {
    let lab = Lab::new();
    fs::set_permissions(lab.path("dist/a"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("deep/b", lab.path("dist/link")).unwrap();
    fs::create_dir(lab.path("dist/empty")).unwrap();
    let record = lab.keep("x").unwrap();
    fs::remove_dir_all(lab.path("dist")).unwrap();
    assert_eq!(lab.store.find(&record.key), Some(record.clone()));
    lab.restore(&record).unwrap();
    assert_eq!((lab.text("dist/a"), lab.text("dist/link")), ("A".into(), "B".into()));
    assert!(fs::metadata(lab.path("dist/a")).unwrap().permissions().mode() & 0o100 != 0);
    assert!(fs::metadata(lab.path("dist/deep/b")).unwrap().permissions().mode() & 0o100 == 0);
    assert!(lab.path("dist/empty").is_dir() && lab.path("dist/link").is_symlink());
    assert_eq!(lab.store.log(&record).unwrap(), b"said");
}

#[test]
fn what_is_there_already_keeps_its_time_and_strangers_go() {
    let lab = Lab::new();
    let record = lab.keep("x").unwrap();
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1000);
    fs::File::options().append(true).open(lab.path("dist/a")).unwrap().set_modified(old).unwrap();
    lab.write("dist/deep/b", "changed");
    lab.write("dist/stale/c", "C");
    lab.write("beside", "mine");
    lab.restore(&record).unwrap();
    assert_eq!(fs::metadata(lab.path("dist/a")).unwrap().modified().unwrap(), old);
    assert_eq!((lab.text("dist/deep/b"), lab.text("beside")), ("B".into(), "mine".into()));
    assert!(!lab.path("dist/stale").exists());
}

#[test]
fn a_link_in_the_way_is_never_written_through() {
    let lab = Lab::new();
    let record = lab.keep("x").unwrap();
    let outside = lab.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a"), "mine").unwrap();
    fs::remove_dir_all(lab.path("dist")).unwrap();
    symlink(&outside, lab.path("dist")).unwrap();
    lab.restore(&record).unwrap();
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "mine");
    assert!(!lab.path("dist").is_symlink());
    fs::remove_file(lab.path("dist/a")).unwrap();
    symlink(outside.join("a"), lab.path("dist/a")).unwrap();
    lab.restore(&record).unwrap();
    assert_eq!((fs::read_to_string(outside.join("a")).unwrap(), lab.text("dist/a")), ("mine".into(), "A".into()));
}

#[test]
fn links_that_lead_out_are_not_kept() {
    for to in ["/etc/passwd", "../../x", "../.."] {
        let lab = Lab::new();
        symlink(to, lab.path("dist/link")).unwrap();
        let error = lab.keep("x").unwrap_err();
        assert!(error.contains("leads out of the task's folder"), "{error}");
    }
    let lab = Lab::new();
    fs::remove_dir_all(lab.path("dist")).unwrap();
    assert!(lab.keep("x").unwrap_err().contains("made nothing that its `outputs` name (dist)"));
}

/// A disk that is full would stay so.
#[test]
fn what_cannot_be_kept_leaves_nothing() {
    let lab = Lab::new();
    lab.keep("x").unwrap();
    let before = lab.blobs();
    lab.write("dist/a", "another");
    lab.write("dist/new", "new");
    std::os::unix::net::UnixListener::bind(lab.path("dist/socket")).unwrap();
    assert!(lab.keep("y").unwrap_err().contains("dist/socket is neither"));
    assert_eq!(lab.blobs().len(), before.len());
    fs::remove_file(lab.path("dist/socket")).unwrap();
    lab.keep("y").unwrap();
    assert_eq!(lab.blobs().len(), before.len() + 2);
}

#[test]
fn damage_is_found_and_healed() {
    for damage in ["", "Z", "longer than before"] {
        let lab = Lab::new();
        let record = lab.keep("x").unwrap();
        let blob = lab.blobs().into_iter().find(|blob| fs::read(blob).unwrap() == b"A").unwrap();
        fs::write(&blob, damage).unwrap();
        assert!(matches!(lab.restore(&record), Err(Unusable::Damaged(what)) if what == "dist/a"), "{damage}");
        assert_eq!(lab.store.find(&record.key), None);
        lab.write("dist/a", "A");
        let again = lab.keep("x").unwrap();
        fs::remove_dir_all(lab.path("dist")).unwrap();
        lab.restore(&again).unwrap();
        assert_eq!(lab.text("dist/a"), "A");
    }
}

#[test]
fn a_record_that_is_not_whole_is_none() {
    let lab = Lab::new();
    let record = lab.keep("x").unwrap();
    let path = lab.dir.path().join("store/results").join(&record.key.0);
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(lab.store.find(&record.key), None, "cut at {end}");
    }
    let text = String::from_utf8(whole).unwrap();
    fs::write(&path, text.replace("dist/a", "../../x")).unwrap();
    assert_eq!(lab.store.find(&record.key), None);
}

/// Whoever writes the store could write a good hash too: what leaves the outputs is refused all the same.
#[test]
fn a_record_cannot_name_other_files() {
    let lab = Lab::new();
    let mut record = lab.keep("x").unwrap();
    for path in ["beside", "../x", "/tmp/x", "dist/../../x"] {
        record.outputs[0].path = path.to_owned();
        assert!(matches!(lab.restore(&record), Err(Unusable::Damaged(_))), "{path}");
    }
    assert!(!lab.path("beside").exists());
}

/// A crash between content and record: what nobody names is no result, and goes when there is too much.
#[test]
fn content_without_a_record_is_nothing() {
    let lab = Lab::with_limit(64);
    let record = lab.keep("x").unwrap();
    fs::remove_file(lab.dir.path().join("store/results").join(&record.key.0)).unwrap();
    assert_eq!(lab.store.find(&record.key), None);
    assert_eq!(lab.blobs().len(), 3);
    fs::write(lab.blobs()[0].with_extension("tmp"), "half").unwrap();
    lab.store.count(1000);
    assert!(lab.store.tidy().unwrap());
    assert_eq!(lab.blobs().len(), 0);
}

#[test]
fn the_store_stays_within_its_limit_and_keeps_what_was_used() {
    let lab = Lab::with_limit(40_000);
    let mut records = Vec::new();
    for name in ["one", "two", "three"] {
        lab.write("dist/a", &name.repeat(5_000));
        records.push(lab.keep(name).unwrap());
    }
    let keys: Vec<&Key> = records.iter().map(|record| &record.key).collect();
    let age = |key: &Key, seconds| {
        let path = lab.dir.path().join("store/results").join(&key.0);
        let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    };
    [(0, 1), (1, 2), (2, 3)].into_iter().for_each(|(at, time)| age(keys[at], time));
    assert!(lab.store.find(keys[0]).is_some());
    assert!(lab.store.tidy().unwrap());
    let there: Vec<bool> = keys.iter().map(|key| lab.store.find(key).is_some()).collect();
    assert_eq!(there, [true, false, false]);
    lab.restore(&records[0]).unwrap();
    let size: u64 = lab.blobs().iter().map(|blob| fs::metadata(blob).unwrap().len()).sum();
    assert!(size <= 40_000, "{size}");
    assert!(!lab.store.tidy().unwrap());
}

#[test]
fn nothing_is_thrown_away_while_somebody_reads() {
    let lab = Lab::with_limit(1);
    let record = lab.keep("x").unwrap();
    let share = lab.store.share().unwrap();
    assert!(!lab.store.tidy().unwrap());
    drop(share);
    assert!(lab.store.tidy().unwrap());
    assert_eq!(lab.store.find(&record.key), None);
}

/// It may have found there what it was about to write.
#[test]
fn what_a_failed_keep_has_written_stays_while_another_run_may_name_it() {
    let lab = Lab::new();
    let _socket = std::os::unix::net::UnixListener::bind(lab.path("dist/socket")).unwrap();
    let other = lab.store.share().unwrap();
    lab.keep("x").unwrap_err();
    assert_eq!(lab.blobs().len(), 2);
    drop(other);
    lab.write("dist/a", "another A");
    lab.keep("x").unwrap_err();
    assert_eq!(lab.blobs().len(), 0);
}

/// Processes that keep the same result at once leave one that is whole.
#[test]
fn many_writers_agree() {
    let lab = Lab::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| drop(lab.keep("x").unwrap())));
        }
    });
    let record = lab.store.find(&Key::of(&Parts::from([("command".to_owned(), "x".to_owned())]))).unwrap();
    fs::remove_dir_all(lab.path("dist")).unwrap();
    lab.restore(&record).unwrap();
    assert_eq!(lab.text("dist/deep/b"), "B");
    assert!(lab.blobs().iter().all(|blob| blob.extension() != Some("tmp".as_ref())));
    assert!(Path::new(&lab.folder()).is_dir());
}

impl Lab {
    /// Has everything of a result known as checked, as if nothing had changed for long.
    fn check(&self, record: &Record) {
        let intact =
            self.store.intact(&record.key).expect("a file system whose times are honest").settled_before(i64::MAX);
        for blob in self.blobs() {
            let hash = blake3::hash(&fs::read(&blob).unwrap()).to_hex().to_string();
            intact.found(&hash, Look::from(&fs::metadata(&blob).unwrap()));
        }
        intact.save();
        // The kernel's clock of files goes on in steps.
        let newest = self.blobs().iter().map(|blob| Look::from(&fs::metadata(blob).unwrap()).times[1]).max().unwrap();
        let probe = self.dir.path().join("probe");
        fs::write(&probe, "").unwrap();
        while Look::from(&fs::metadata(&probe).unwrap()).times[1] <= newest {
            fs::write(&probe, "").unwrap();
        }
    }

    fn blob(&self, content: &str) -> PathBuf {
        self.blobs().into_iter().find(|blob| fs::read(blob).unwrap() == content.as_bytes()).unwrap()
    }
}

#[test]
fn what_was_checked_before_comes_back_as_it_was() {
    let lab = Lab::new();
    fs::set_permissions(lab.path("dist/a"), fs::Permissions::from_mode(0o755)).unwrap();
    let record = lab.keep("x").unwrap();
    lab.check(&record);
    fs::remove_dir_all(lab.path("dist")).unwrap();
    lab.restore(&record).unwrap();
    assert_eq!((lab.text("dist/a"), lab.text("dist/deep/b")), ("A".into(), "B".into()));
    assert!(fs::metadata(lab.path("dist/a")).unwrap().permissions().mode() & 0o100 != 0);
    // What is done to a file that was put back is not done to the store.
    fs::File::options().append(true).open(lab.path("dist/a")).unwrap().set_len(0).unwrap();
    lab.write("dist/deep/b", "b");
    lab.restore(&record).unwrap();
    assert_eq!((lab.text("dist/a"), lab.text("dist/deep/b")), ("A".into(), "B".into()));
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1000);
    fs::File::options().append(true).open(lab.path("dist/a")).unwrap().set_modified(old).unwrap();
    lab.restore(&record).unwrap();
    assert_eq!(fs::metadata(lab.path("dist/a")).unwrap().modified().unwrap(), old);
}

/// Also where somebody takes care that it does not show.
#[test]
fn damage_after_a_check_is_found() {
    for damage in ["", "Z", "longer than before"] {
        let lab = Lab::new();
        let record = lab.keep("x").unwrap();
        lab.check(&record);
        let blob = lab.blob("A");
        let before = fs::metadata(&blob).unwrap().modified().unwrap();
        fs::write(&blob, damage).unwrap();
        fs::File::options().append(true).open(&blob).unwrap().set_modified(before).unwrap();
        fs::remove_dir_all(lab.path("dist")).unwrap();
        assert!(matches!(lab.restore(&record), Err(Unusable::Damaged(what)) if what == "dist/a"), "{damage}");
        assert_eq!(lab.store.find(&record.key), None);
    }
}

/// After a power failure a file may have what was never written to it, with the number and times that it had.
#[test]
fn a_check_is_for_as_long_as_the_machine_is_up() {
    let lab = Lab::new();
    let record = lab.keep("x").unwrap();
    lab.check(&record);
    let hash = blake3::hash(b"A").to_hex().to_string();
    let look = Look::from(&fs::metadata(lab.blob("A")).unwrap());
    let file = lab.store.intact_file(&record.key.0);
    let is_known = || lab.store.intact(&record.key).unwrap().has(&hash, &look);
    assert!(is_known());
    let mut text: serde_json::Value = read_checked(&file).unwrap();
    text["boot"] = "another".into();
    write_checked(&file, &text).unwrap();
    assert!(!is_known());
}

#[test]
fn what_has_just_been_made_is_checked_again() {
    let lab = Lab::new();
    let record = lab.keep("x").unwrap();
    fs::remove_dir_all(lab.path("dist")).unwrap();
    lab.restore(&record).unwrap();
    assert!(!lab.store.intact_file(&record.key.0).exists());
}

#[test]
fn checks_go_with_their_results() {
    let lab = Lab::with_limit(64);
    let record = lab.keep("x").unwrap();
    lab.check(&record);
    assert!(lab.store.intact_file(&record.key.0).exists());
    lab.store.count(1000);
    assert!(lab.store.tidy().unwrap());
    assert_eq!(lab.store.find(&record.key), None);
    assert!(!lab.store.intact_file(&record.key.0).exists());
}
