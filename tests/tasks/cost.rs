//! What a large tree costs, counted: every file is read once, and folders are looked into once however many projects
//! are below them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nagaya::tasks::{Finder, Tree, Unread, discover};

/// A tree in memory that counts what is asked of it.
struct Counted {
    files: BTreeMap<PathBuf, String>,
    reads: Cell<usize>,
    looks: Cell<usize>,
}

impl Tree for Counted {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
        self.reads.set(self.reads.get() + 1);
        self.files.get(path).map(|text| text.clone().into_bytes()).ok_or(Unread::Missing)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.looks.set(self.looks.get() + 1);
        self.files.contains_key(path)
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        self.looks.set(self.looks.get() + 1);
        let inside = self.files.range(folder.to_owned()..).map_while(|(path, _)| path.strip_prefix(folder).ok());
        let mut names: Vec<String> =
            inside.map(|path| path.iter().next().unwrap().to_str().unwrap().to_owned()).collect();
        names.dedup();
        names
    }
}

#[test]
fn a_thousand_projects_are_read_once_each() {
    let root = Path::new("/w");
    let package = r#"{"scripts": {"build": "tsc", "test": "npm run build"}}"#;
    let mut files: BTreeMap<PathBuf, String> = (0..1000)
        .map(|it| (root.join(format!("group{}/project{it}/package.json", it / 50)), package.to_owned()))
        .collect();
    files.insert(
        root.join("package.json"),
        r#"{"packageManager": "pnpm@9.0.0", "workspaces": ["group*/*"]}"#.to_owned(),
    );
    files.insert(root.join("turbo.json"), r#"{"tasks": {"build": {}, "test": {}}}"#.to_owned());
    let tree = Counted { files, reads: Cell::new(0), looks: Cell::new(0) };
    let finder = Finder::new();
    let found = tree.files.keys().map(|path| path.strip_prefix(root).unwrap().to_owned());
    let listing = discover(root, found.filter(|path| finder.is_wanted(path)).collect(), &tree, None);
    assert_eq!(listing.tasks.len(), 4000);
    assert_eq!(tree.reads.get(), 1002);
    // One look into each project's folder, and two for a turbo.json of its own; each group and the folders above once.
    assert!(tree.looks.get() <= 3 * 1000 + 100, "{} looks", tree.looks.get());
}
