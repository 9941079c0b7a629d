//! What git leaves out, asked for one path at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The rules of all folders that were asked about. They hold also where there is no repository.
#[derive(Debug)]
pub struct Git {
    folders: HashMap<PathBuf, Arc<Folder>>,
    /// The account's own, from its git configuration.
    global: Gitignore,
}

/// The rules that a folder has.
#[derive(Debug)]
struct Folder {
    rules: Gitignore,
    /// Those of the repository whose top it is (`.git/info/exclude`).
    exclude: Option<Gitignore>,
    is_top: bool,
}

/// The file in which a folder keeps its rules.
pub const FILE: &str = ".gitignore";

impl Default for Git {
    fn default() -> Self {
        Self { folders: HashMap::new(), global: Gitignore::global().0 }
    }
}

impl Git {
    /// Whether git leaves out this very path; of a path in a folder that is left out nothing is said. Only rules that are
    /// kept in `floor` or below count, where one is given.
    pub fn ignores(&mut self, path: &Path, is_folder: bool, floor: Option<&Path>) -> bool {
        let counts = |folder: &Path| floor.is_none_or(|floor| folder.starts_with(floor));
        for folder in path.ancestors().skip(1).take_while(|folder| counts(folder)) {
            let known = self.folder(folder);
            match known.rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
            if known.is_top {
                let excluded = |rules: &Gitignore| rules.matched(path, is_folder).is_ignore();
                return known.exclude.as_ref().is_some_and(excluded);
            }
        }
        floor.is_none() && self.global.matched(path, is_folder).is_ignore()
    }

    /// The rules of a folder may have changed.
    pub fn forget(&mut self, folder: &Path) {
        self.folders.remove(folder);
    }

    fn folder(&mut self, folder: &Path) -> Arc<Folder> {
        if let Some(known) = self.folders.get(folder) {
            return known.clone();
        }
        let git = folder.join(".git");
        let exclude = git.is_dir().then(|| rules(folder, &git.join("info/exclude")));
        let read = Arc::new(Folder { rules: rules(folder, &folder.join(FILE)), exclude, is_top: git.exists() });
        self.folders.insert(folder.to_owned(), read.clone());
        read
    }
}

/// The rules of a file about what is in a folder; none where it cannot be read.
fn rules(folder: &Path, file: &Path) -> Gitignore {
    if !file.is_file() {
        return Gitignore::empty();
    }
    let mut builder = GitignoreBuilder::new(folder);
    // A line that is no pattern counts for nothing, as with git.
    let _ = builder.add(file);
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_rule_counts_and_the_repository_ends_the_search() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("repo");
        fs::create_dir_all(top.join("web/dist")).unwrap();
        fs::create_dir_all(top.join(".git/info")).unwrap();
        fs::write(folder.path().join(FILE), "*.rs\n").unwrap();
        fs::write(top.join(FILE), "*.log\ndist/\n").unwrap();
        fs::write(top.join("web").join(FILE), "!keep.log\n/local\n").unwrap();
        fs::write(top.join(".git/info/exclude"), "private\n").unwrap();
        let mut git = Git::default();
        let mut ignores = |path: &str, floor: Option<&str>| {
            let floor = floor.map(|floor| top.join(floor));
            git.ignores(&top.join(path), path.ends_with("dist"), floor.as_deref())
        };
        for (path, expected) in [
            ("a.log", true),
            ("web/a.log", true),
            ("web/keep.log", false),
            ("web/dist", true),
            ("web/local", true),
            ("web/x/local", false),
            ("private", true),
            ("main.rs", false),
        ] {
            assert_eq!(ignores(path, None), expected, "{path}");
        }
        // Whoever names a folder that git leaves out means it.
        assert!(!ignores("web/dist/a.log", Some("web/dist")));
        git.forget(&top);
        fs::write(top.join(FILE), "").unwrap();
        assert!(!git.ignores(&top.join("a.log"), false, None));
    }
}
