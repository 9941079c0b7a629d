//! What is remembered is never old: every way in which a tree can change is tried on one that is known well.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::super::observed::Observed;
use super::super::{Walked, walk, walk_with};
use super::{Kept, Memory, Text};
use crate::effects::cache::{read_checked, write_checked};
use crate::effects::look::Look;
use crate::tasks::Finder;

struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        fs::write(lab.0.path().join("probe"), "").unwrap();
        for file in ["Makefile", "a/package.json", "a/src/x.ts", "b/deep/justfile", "b/notes"] {
            lab.write(file, "");
        }
        lab
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn memories(&self) -> PathBuf {
        self.0.path().join("memories")
    }

    fn file(&self) -> PathBuf {
        self.memories().join(blake3::hash(super::shown(&self.root()).as_bytes()).to_hex().as_str())
    }

    /// Walks with the memory, and sees the same as without.
    fn walk(&self) -> Vec<String> {
        let shown = |walked: Walked| walked.files.iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
        let plain = walk(&self.root(), None);
        let known = walk(&self.root(), Some(&self.memories()));
        assert_eq!(known.problems, plain.problems);
        let (plain, known) = (shown(plain), shown(known));
        assert_eq!(known, plain);
        known
    }

    /// Has everything remembered as if nothing had changed for long: the time of the last change of anything cannot be
    /// set, so the clock is.
    fn settle(&self) {
        let mut kept = Kept::load(&self.root(), &self.memories()).expect("a file system whose times are honest");
        kept.settled = i64::MAX;
        walk_with(&self.root(), &Finder::new(), Memory(Some(kept)), Observed::default());
        let text: Text = read_checked(&self.file()).unwrap();
        let newest = text.folders.values().map(|(stamp, _)| stamp.1.max(stamp.2)).max().unwrap();
        // The kernel's clock of files goes on in steps.
        let probe = self.0.path().join("probe");
        while Look::from(&fs::metadata(&probe).unwrap()).times[1] <= newest {
            fs::write(&probe, "").unwrap();
        }
    }
}

#[test]
fn every_change_is_seen() {
    let lab = Lab::new();
    lab.settle();
    assert_eq!(lab.walk(), ["Makefile", "a/package.json", "b/deep/justfile"]);
    let changes: [(&str, &dyn Fn()); 13] = [
        ("a file that came", &|| lab.write("a/src/Makefile", "")),
        ("one that went", &|| fs::remove_file(lab.path("Makefile")).unwrap()),
        ("one that was renamed", &|| fs::rename(lab.path("b/notes"), lab.path("b/Makefile")).unwrap()),
        ("one that another was renamed over", &|| {
            lab.write("other", "");
            fs::rename(lab.path("other"), lab.path("a/package.json")).unwrap();
        }),
        ("a folder that came", &|| lab.write("c/d/Justfile", "")),
        ("a folder that moved", &|| fs::rename(lab.path("b"), lab.path("e")).unwrap()),
        ("a folder in place of another, with its time", &|| {
            let time = fs::metadata(lab.path("a")).unwrap().modified().unwrap();
            fs::rename(lab.path("a"), lab.path("old")).unwrap();
            lab.write("a/Taskfile.yml", "");
            fs::File::open(lab.path("a")).unwrap().set_modified(time).unwrap();
        }),
        ("a time that was set back", &|| {
            let time = fs::metadata(lab.path("e")).unwrap().modified().unwrap();
            lab.write("e/package.json", "");
            fs::File::open(lab.path("e")).unwrap().set_modified(time).unwrap();
        }),
        ("rules that came", &|| lab.write(".gitignore", "/c\n")),
        ("rules that changed", &|| lab.write(".gitignore", "/e\n")),
        ("rules of a folder further down", &|| lab.write("a/.gitignore", "Taskfile.yml\n")),
        ("a link in place of a folder", &|| {
            fs::rename(lab.path("c"), lab.0.path().join("c")).unwrap();
            symlink("../c", lab.path("c")).unwrap();
        }),
        ("a repository that came", &|| lab.write("old/.git/info/exclude", "package.json\n")),
    ];
    for (what, change) in changes {
        lab.settle();
        let before = lab.walk();
        change();
        assert!(lab.walk() != before || what == "one that another was renamed over", "{what}");
    }
}

#[test]
fn a_tree_that_stays_is_not_read_again() {
    let lab = Lab::new();
    lab.settle();
    // A folder that is known is not opened: names in the memory are believed, true or not.
    let mut text: Text = read_checked(&lab.file()).unwrap();
    text.folders.get_mut("a").unwrap().1.files.push("Rakefile".into());
    write_checked(&lab.file(), &text).unwrap();
    let found = walk(&lab.root(), Some(&lab.memories())).files;
    assert!(found.contains(&PathBuf::from("a/Rakefile")), "{found:?}");
    let written = fs::metadata(lab.file()).unwrap().ino();
    walk(&lab.root(), Some(&lab.memories()));
    assert_eq!(fs::metadata(lab.file()).unwrap().ino(), written, "what is the same is not written again");
}

#[test]
fn what_has_just_changed_is_not_remembered() {
    let lab = Lab::new();
    let soon = SystemTime::now() + Duration::from_secs(3600);
    fs::File::open(lab.path("b")).unwrap().set_modified(soon).unwrap();
    lab.walk();
    lab.walk();
    let text: Text = read_checked(&lab.file()).unwrap();
    assert!(text.folders.is_empty(), "{:?}", text.folders);
}

#[test]
fn a_memory_that_is_not_whole_is_none() {
    let lab = Lab::new();
    lab.settle();
    let whole = fs::read(lab.file()).unwrap();
    let good = lab.walk();
    for damage in [&whole[..whole.len() / 2], b"", b"{}", &whole.repeat(2)] {
        fs::write(lab.file(), damage).unwrap();
        assert_eq!(lab.walk(), good);
    }
    fs::remove_file(lab.file()).unwrap();
    fs::create_dir(lab.memories().join("folder")).unwrap();
    assert_eq!(lab.walk(), good);
    // Another tree's.
    let mut text: Text = read_checked(&lab.file()).unwrap_or_else(|| panic!("{:?}", lab.file()));
    text.root = "/elsewhere".into();
    write_checked(&lab.file(), &text).unwrap();
    assert_eq!(lab.walk(), good);
}

#[test]
fn where_nothing_can_be_remembered_all_is_read() {
    let lab = Lab::new();
    fs::write(lab.memories(), "in the way").unwrap();
    assert_eq!(lab.walk(), ["Makefile", "a/package.json", "b/deep/justfile"]);
}

#[test]
fn old_memories_are_taken_away() {
    let lab = Lab::new();
    lab.walk();
    for place in 0..super::FILES + 5 {
        fs::write(lab.memories().join(place.to_string()), "").unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(place as u64);
        fs::File::options()
            .write(true)
            .open(lab.memories().join(place.to_string()))
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    fs::remove_file(lab.file()).unwrap();
    lab.walk();
    assert_eq!(fs::read_dir(lab.memories()).unwrap().count(), super::FILES);
    let large = lab.memories().join("large");
    fs::File::create(&large).unwrap().set_len(super::BYTES).unwrap();
    fs::remove_file(lab.file()).unwrap();
    lab.walk();
    assert!(!large.exists());
    assert!(lab.file().exists());
}
