//! What a large tree costs, counted: every file is read once, and folders are looked into once however many projects
//! are below them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::memory::Memory;

#[test]
fn a_thousand_projects_are_read_once_each() {
    let root = Path::new("/w");
    let package = r#"{"scripts": {"build": "tsc", "test": "npm run build"}}"#;
    let mut files: BTreeMap<PathBuf, Vec<u8>> =
        (0..1000).map(|it| (root.join(format!("group{}/project{it}/package.json", it / 50)), package.into())).collect();
    files.insert(root.join("package.json"), r#"{"packageManager": "pnpm@9.0.0", "workspaces": ["group*/*"]}"#.into());
    files.insert(root.join("turbo.json"), r#"{"tasks": {"build": {}, "test": {}}}"#.into());
    let tree = Memory::new(files);
    let listing = tree.list(root);
    assert_eq!(listing.tasks.len(), 4000);
    assert_eq!(tree.reads.get(), 1002);
    // One look into each project's folder, and two for a turbo.json of its own; each group and the folders above once.
    assert!(tree.looks.get() <= 3 * 1000 + 100, "{} looks", tree.looks.get());
}
