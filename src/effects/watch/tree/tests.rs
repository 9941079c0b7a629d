//! Real files in a real folder: the kernel has its events ready when a call returns, so nothing is waited for.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;
use crate::effects::watch::Key;

struct Lab {
    tree: Tree,
    bursts: Bursts,
    /// Dropped last.
    folder: tempfile::TempDir,
}

impl Lab {
    /// Files in a folder, of which one rule watches these paths.
    fn new(files: &[&str], paths: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = Self { tree: Tree::new().unwrap(), bursts: Bursts::default(), folder };
        files.iter().for_each(|file| lab.write(file, "old"));
        lab.watch(paths, &[]);
        lab
    }

    fn watch(&mut self, paths: &[&str], left_out: &[&str]) {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let rule = Rule::new(Key::Manifest, self.folder.path(), &owned(paths), &owned(left_out)).unwrap();
        self.tree.set(vec![rule]);
        assert_eq!(self.changes(), 0);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// How many changes there were since this was last asked.
    fn changes(&mut self) -> usize {
        // What is watched anew while it is read may have more to tell.
        self.tree.read(&mut self.bursts);
        self.tree.read(&mut self.bursts);
        let later = Instant::now() + Duration::from_secs(3600);
        self.bursts.take(later, Path::exists).iter().map(|change| change.count).sum()
    }

    #[track_caller]
    fn changed(&mut self) {
        assert!(self.changes() > 0, "nothing was seen");
    }

    #[track_caller]
    fn unchanged(&mut self) {
        assert_eq!(self.changes(), 0, "something was seen");
    }

    fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        let git = git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(words);
        let done = git.current_dir(self.folder.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

#[test]
fn editors_save_in_different_ways() {
    let mut lab = Lab::new(&["src/a.js"], &["src"]);
    let (file, other) = (lab.path("src/a.js"), lab.path("src/.a.js.swp"));
    // In place.
    lab.write("src/a.js", "new");
    assert_eq!(lab.changes(), 1);
    // A new file over the old one, from a file that is of no interest.
    fs::write(&other, "newer").unwrap();
    lab.unchanged();
    fs::rename(&other, &file).unwrap();
    assert_eq!(lab.changes(), 1);
    // The same by a file of which nothing tells that it is for a moment; one that comes and goes is nothing.
    fs::write(lab.path("src/b.tmp"), "newer").unwrap();
    fs::rename(lab.path("src/b.tmp"), &file).unwrap();
    assert_eq!(lab.changes(), 1);
    fs::write(lab.path("src/b.tmp"), "newer").unwrap();
    fs::remove_file(lab.path("src/b.tmp")).unwrap();
    lab.unchanged();
    // The old one away, a new one in its place, and the old one gone.
    fs::rename(&file, lab.path("src/a.js~")).unwrap();
    lab.write("src/a.js", "newest");
    fs::remove_file(lab.path("src/a.js~")).unwrap();
    lab.changed();
    fs::remove_file(&file).unwrap();
    lab.changed();
    // Reading is nothing, nor is what a program writes into a file that it keeps open.
    lab.write("src/a.js", "again");
    lab.changed();
    fs::read(&file).unwrap();
    lab.unchanged();
    let mut log = fs::OpenOptions::new().append(true).open(&file).unwrap();
    std::io::Write::write_all(&mut log, b"line\n").unwrap();
    lab.unchanged();
    drop(log);
    lab.changed();
}

#[test]
fn a_file_that_is_being_written_is_not_told_of() {
    let mut lab = Lab::new(&[], &["bin"]);
    fs::create_dir(lab.path("bin")).unwrap();
    lab.unchanged();
    let mut half = fs::File::create(lab.path("bin/server")).unwrap();
    std::io::Write::write_all(&mut half, b"half").unwrap();
    lab.unchanged();
    drop(half);
    lab.changed();
    fs::hard_link(lab.path("bin/server"), lab.path("bin/copy")).unwrap();
    lab.changed();
}

#[test]
fn folders_come_and_go() {
    let mut lab = Lab::new(&["src/a/b.js"], &["src"]);
    lab.write("src/new/deep/c.js", "x");
    lab.changed();
    lab.write("src/new/deep/c.js", "y");
    lab.changed();
    fs::rename(lab.path("src/new"), lab.path("away")).unwrap();
    lab.changed();
    lab.write("away/deep/c.js", "z");
    lab.unchanged();
    fs::rename(lab.path("away"), lab.path("src/back")).unwrap();
    lab.changed();
    lab.write("src/back/deep/c.js", "z");
    lab.changed();
    // The whole of it, deleted and made again.
    fs::remove_dir_all(lab.path("src")).unwrap();
    lab.changed();
    lab.write("src/a.js", "x");
    lab.changed();
    lab.write("src/a.js", "y");
    lab.changed();
}

#[test]
fn what_is_not_there_yet_is_waited_for_from_above() {
    let mut lab = Lab::new(&["x"], &["deep/er/src", "config.toml"]);
    lab.write("unrelated", "x");
    lab.unchanged();
    lab.write("deep/other", "x");
    lab.unchanged();
    lab.write("deep/er/src/a.js", "x");
    lab.changed();
    lab.write("config.toml", "x");
    lab.changed();
    fs::remove_dir_all(lab.path("deep")).unwrap();
    lab.changed();
    lab.write("deep/er/src/b.js", "x");
    lab.changed();
}

#[test]
fn git_and_the_manifest_say_what_does_not_count() {
    let mut lab = Lab::new(&["src/a.js", "src/log/x", "node_modules/m/i.js", ".git/index"], &["."]);
    lab.write(".gitignore", "*.log\n/src/log\n");
    lab.unchanged();
    for name in ["src/a.log", "src/log/x", "src/log/new", "node_modules/m/i.js", ".git/index", "src/__pycache__/a.pyc"]
    {
        lab.write(name, "new");
        assert_eq!(lab.changes(), 0, "{name}");
    }
    lab.write("src/a.js", "new");
    lab.changed();
    // Rules that change hold at once.
    lab.write(".gitignore", "");
    lab.changes();
    lab.write("src/log/x", "newer");
    lab.changed();
    lab.watch(&["."], &["*.test.js", "src/log"]);
    lab.write("src/log/x", "newest");
    lab.write("src/a.test.js", "new");
    lab.unchanged();
}

#[test]
fn what_is_named_counts_whatever_git_says() {
    let mut lab = Lab::new(&["dist/app.js", ".env"], &["dist", ".env"]);
    lab.write(".gitignore", "dist/\n.env\n");
    lab.write(".git/HEAD", "");
    lab.changes();
    lab.write("dist/app.js", "new");
    lab.changed();
    lab.write(".env", "A=1");
    lab.changed();
}

#[test]
fn patterns_choose_among_files() {
    let mut lab = Lab::new(&["a.py", "sub/b.py", "deep/x/y/c.py"], &["*.py", "deep/**/*.py"]);
    for (name, seen) in
        [("a.py", true), ("a.txt", false), ("sub/b.py", false), ("deep/x/y/c.py", true), ("deep/d.py", true)]
    {
        lab.write(name, "new");
        assert_eq!(lab.changes() > 0, seen, "{name}");
    }
    assert!(!lab.tree.folders.contains_key(&lab.path("sub")), "a folder in which nothing can match costs nothing");
}

#[test]
fn links_are_followed_and_circles_are_no_trap() {
    let mut lab = Lab::new(&["shared/lib/a.js", "elsewhere/conf", "src/b.js"], &["nothing"]);
    symlink(lab.path("shared"), lab.path("src/shared")).unwrap();
    symlink(lab.path("elsewhere/conf"), lab.path("src/conf")).unwrap();
    symlink(lab.path("src"), lab.path("src/circle")).unwrap();
    lab.watch(&["src"], &[]);
    lab.write("shared/lib/a.js", "new");
    lab.changed();
    lab.write("elsewhere/conf", "new");
    lab.changed();
    lab.write("elsewhere/other", "new");
    lab.unchanged();
    // A link that leads elsewhere all at once, as deployments do it.
    lab.write("v2/lib/a.js", "v2");
    symlink(lab.path("v2"), lab.path("src/tmp")).unwrap();
    lab.changes();
    fs::rename(lab.path("src/tmp"), lab.path("src/shared")).unwrap();
    lab.changed();
    lab.write("shared/lib/a.js", "nobody leads here any more");
    lab.unchanged();
    lab.write("v2/lib/a.js", "newer");
    lab.changed();
    fs::remove_file(lab.path("src/shared")).unwrap();
    lab.changed();
}

#[test]
fn another_branch_is_a_change_of_what_differs() {
    let mut lab = Lab::new(&["src/a.js", "docs/x.md"], &["src"]);
    lab.git(&["init", "-q"]);
    lab.git(&["add", "."]);
    lab.git(&["commit", "-qm", "one"]);
    lab.git(&["checkout", "-qb", "two"]);
    lab.write("src/new/b.js", "b");
    lab.write("src/a.js", "two");
    lab.git(&["add", "."]);
    lab.git(&["commit", "-qm", "two"]);
    lab.changed();
    lab.git(&["checkout", "-q", "main"]);
    lab.changed();
    lab.git(&["checkout", "-q", "two"]);
    lab.changed();
    lab.git(&["commit", "-q", "--allow-empty", "-m", "no file differs"]);
    lab.unchanged();
}

#[test]
fn when_the_kernel_loses_count_everything_is_looked_at() {
    let mut lab = Lab::new(&["src/a.js"], &["src", "noise/x"]);
    let most: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    // Nothing that counts, until there is no room for what does.
    fs::create_dir(lab.path("noise")).unwrap();
    lab.changes();
    for number in 0..most {
        fs::write(lab.path(&format!("noise/{number}")), "").unwrap();
    }
    lab.write("src/a.js", "new");
    lab.write("src/new/b.js", "new");
    lab.changed();
    lab.write("src/new/b.js", "newer");
    lab.changed();
    lab.unchanged();
}

#[test]
fn what_no_rule_needs_is_not_watched() {
    let mut lab = Lab::new(&["src/a/b", "lib/c/d"], &["src", "lib"]);
    assert!(lab.tree.folders.contains_key(&lab.path("lib/c")));
    lab.watch(&["src"], &[]);
    assert!(!lab.tree.folders.contains_key(&lab.path("lib/c")));
    lab.write("lib/c/d", "new");
    lab.unchanged();
}
