//! A list that is given again is never another than the one that would be made: every way in which a tree can change is
//! tried on one that is known well.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::super::memory::Memory;
use super::super::observed::Observed;
use super::super::{list, list_with};
use super::Answer;
use crate::effects::look::Look;
use crate::tasks::Listing;

struct Lab(tempfile::TempDir);

const PACKAGE: &str = r#"{"scripts": {"build": "tsc"}}"#;

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        lab.write("../.git/info/exclude", "");
        lab.write("Makefile", "-include more.mk\nall: ; true\n");
        lab.write("a/package.json", PACKAGE);
        lab.write("b/package.json", PACKAGE);
        lab.write("b/.gitignore", "");
        lab.write("c/target/Makefile", "c: ; true\n");
        lab.write("c/script/lint", "#!/bin/sh\n");
        fs::set_permissions(lab.path("c/script/lint"), fs::Permissions::from_mode(0o755)).unwrap();
        lab.write("d/elsewhere.just", "x:\n");
        lab.write("d/other.just", "y:\n");
        symlink("elsewhere.just", lab.path("d/justfile")).unwrap();
        lab.write("e/build.gradle", "task hello {}\n");
        lab
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("repo/tree")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.root()).unwrap();
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn memories(&self) -> PathBuf {
        self.0.path().join("memories")
    }

    fn known(&self) -> Option<Listing> {
        known(&self.root(), &self.memories())
    }

    /// Lists with what is kept, and finds the same as without.
    fn list(&self) -> Listing {
        let known = list(&self.root(), Some(&self.memories()), None);
        let plain = list(&self.root(), None, None);
        assert_eq!((known.problems, &known.listing), (plain.problems, &plain.listing));
        plain.listing
    }

    /// Has the list kept as if nothing had changed for long.
    fn settle(&self) {
        settle(&self.root(), &self.memories());
        assert!(self.known().is_some());
    }
}

/// The list of all runners.
const LIST: &str = "list ";

fn known(root: &Path, memories: &Path) -> Option<Listing> {
    let ((), text) = Answer::to(root, memories, LIST).unwrap().known()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The time of the last change of anything cannot be set, so the clock is.
fn settle(root: &Path, memories: &Path) {
    let observed = Observed::settled_before(i64::MAX);
    let (listed, seen) = list_with(root, Memory::load(root, None), None, observed);
    assert_eq!(listed.problems, []);
    let text = serde_json::to_string(&listed.listing).unwrap();
    Answer::to(root, memories, LIST).unwrap().keep(&(), &text, &seen.observed);
    let newest = seen.observed.seen().unwrap().iter().map(|(_, look)| look.times[1]).max().unwrap();
    // The kernel's clock of files goes on in steps.
    let probe = memories.join("probe");
    fs::write(&probe, "").unwrap();
    while Look::from(&fs::metadata(&probe).unwrap()).times[1] <= newest {
        fs::write(&probe, "").unwrap();
    }
}

#[test]
fn every_change_makes_another_list() {
    let lab = Lab::new();
    let rename = |from: &str, to: &str| fs::rename(lab.path(from), lab.path(to)).unwrap();
    let changes: [(&str, &dyn Fn()); 22] = [
        ("an edit", &|| lab.write("a/package.json", r#"{"scripts": {"buill": "tsc"}}"#)),
        ("a file that came", &|| lab.write("a/Makefile", "x: ; true\n")),
        ("one that went", &|| fs::remove_file(lab.path("a/Makefile")).unwrap()),
        ("another name", &|| rename("a/package.json", "a/package.json.old")),
        ("the name of before", &|| rename("a/package.json.old", "a/package.json")),
        ("a folder of another name", &|| rename("a", "f")),
        ("a file that is included", &|| lab.write("more.mk", "more: ; true\n")),
        ("an edit of that", &|| lab.write("more.mk", "most: ; true\n")),
        ("what git leaves out", &|| lab.write("b/.gitignore", "package.json\n")),
        ("and no more", &|| lab.write("b/.gitignore", "")),
        ("the same further up", &|| lab.write("../.gitignore", "more.mk\nb\n")),
        ("and gone", &|| fs::remove_file(lab.path("../.gitignore")).unwrap()),
        ("and of one's own", &|| lab.write("../.git/info/exclude", "b\n")),
        ("and not", &|| lab.write("../.git/info/exclude", "")),
        ("a lock file", &|| lab.write("b/yarn.lock", "")),
        ("what an install left", &|| lab.write("f/node_modules/.yarn-integrity", "")),
        ("one further up", &|| lab.write("../pnpm-lock.yaml", "")),
        ("what tools made", &|| lab.write("c/target/CACHEDIR.TAG", "")),
        ("a link to something else", &|| {
            fs::remove_file(lab.path("d/justfile")).unwrap();
            symlink("other.just", lab.path("d/justfile")).unwrap();
        }),
        ("a wrapper further up", &|| lab.write("../gradlew", "#!/bin/sh\n")),
        ("what git leaves out further up", &|| lab.write("../.gitignore", "f\n")),
        ("a repository of its own", &|| fs::create_dir(lab.path(".git")).unwrap()),
    ];
    let mut before = lab.list();
    for (what, change) in changes {
        lab.settle();
        change();
        assert_eq!(lab.known(), None, "{what}");
        let now = lab.list();
        assert_ne!(now, before, "{what} changes nothing here, so it is no test");
        before = now;
    }
}

#[test]
fn what_changes_a_file_and_hides_it_is_seen() {
    let lab = Lab::new();
    lab.settle();
    let (path, told) = (lab.path("a/package.json"), fs::metadata(lab.path("a/package.json")).unwrap());
    lab.write("a/package.json", &PACKAGE.replace("tsc", "esb"));
    fs::File::options().append(true).open(path).unwrap().set_modified(told.modified().unwrap()).unwrap();
    assert_eq!(lab.known(), None);
    assert!(lab.list().tasks.iter().any(|task| task.draft.command == "esb"));
}

#[test]
fn permissions_count() {
    let lab = Lab::new();
    lab.settle();
    fs::set_permissions(lab.path("c/script/lint"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(lab.known(), None);
    lab.list();
}

#[test]
fn what_does_not_matter_keeps_the_list() {
    let lab = Lab::new();
    lab.write("f/src/x.ts", "");
    lab.settle();
    lab.write("f/src/x.ts", "changed");
    lab.write("../.git/index", "");
    lab.write("../beside", "");
    lab.write("../../beside", "");
    assert_eq!(lab.known().as_ref(), Some(&lab.list()));
}

#[test]
fn what_has_just_changed_is_not_kept() {
    let lab = Lab::new();
    lab.list();
    assert_eq!(lab.known(), None);
}

#[test]
fn an_answer_is_for_one_question() {
    let lab = Lab::new();
    lab.settle();
    let only = |runner| list(&lab.root(), Some(&lab.memories()), Some(runner)).listing;
    let runners: BTreeSet<&str> = only("make").tasks.iter().map(|task| task.runner).collect();
    assert_eq!(runners, BTreeSet::from(["make"]));
    let below = list(&lab.path("a"), Some(&lab.memories()), None).listing;
    assert_eq!(below.tasks.len(), 1);
    // Of another nagaya nothing is believed.
    let root = lab.root();
    let answer = Answer::to(&root, &lab.memories(), LIST).unwrap();
    assert!(answer.known::<()>().is_some());
    let mut other = Answer::to(&root, &lab.memories(), LIST).unwrap();
    other.question.program.size += 1;
    assert_eq!(other.known::<()>(), None);
    let mut other = Answer::to(&root, &lab.memories(), LIST).unwrap();
    other.question.user += 1;
    assert_eq!(other.known::<()>(), None);
}

#[test]
fn a_damaged_answer_is_none() {
    let lab = Lab::new();
    lab.settle();
    let file = Answer::to(&lab.root(), &lab.memories(), LIST).unwrap().file;
    let whole = fs::read(&file).unwrap();
    let cut = [&whole[..whole.len() / 2], &whole[..0], b"x"];
    for text in cut {
        fs::write(&file, text).unwrap();
        assert_eq!(lab.known(), None);
        lab.list();
    }
    let mut wrong = whole.clone();
    let at = wrong.len() / 2;
    wrong[at] ^= 1;
    fs::write(&file, wrong).unwrap();
    assert_eq!(lab.known(), None);
    fs::write(&file, whole).unwrap();
    assert!(lab.known().is_some());
}

#[test]
fn names_that_are_no_text_are_looked_at_again() {
    let lab = Lab::new();
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"a%\xff\n");
    let folder = lab.path("a").join(name);
    fs::create_dir(&folder).unwrap();
    lab.settle();
    fs::write(folder.join("Makefile"), "x: ; true\n").unwrap();
    assert_eq!(lab.known(), None);
    lab.list();
}

/// Everything that any runner's files can say is kept and given again as it is.
#[test]
fn lists_of_all_runners_come_back_whole() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tasks/fixtures");
    let memories = tempfile::tempdir().unwrap();
    for project in fs::read_dir(&fixtures).unwrap().map(|it| it.unwrap().path()).chain([fixtures.clone()]) {
        settle(&project, memories.path());
        let known = known(&project, memories.path());
        assert_eq!(known, Some(list(&project, None, None).listing), "{}", project.display());
    }
}
