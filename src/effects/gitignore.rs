//! What git leaves out, asked for one path at a time.

mod config;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, gitconfig_excludes_path};

use super::environment;

/// The rules of all folders that were asked about. They hold also where there is no repository.
#[derive(Debug, Default)]
pub struct Git {
    folders: HashMap<PathBuf, Arc<Folder>>,
}

/// The rules that a folder has.
#[derive(Debug)]
pub struct Folder {
    rules: Gitignore,
    /// Those of the repository whose top it is (`.git/info/exclude`).
    exclude: Gitignore,
    /// Those of the account, which git asks last: at a repository's top, and at that of the file system. The repository may
    /// name others in their place.
    account: Option<Gitignore>,
    is_top: bool,
}

/// Is told of every path before it is looked at.
pub trait Notice {
    /// It matters what kind of thing a path is.
    fn kind(&self, path: &Path);
    /// What is in a file matters.
    fn whole(&self, path: &Path);
}

impl Notice for () {
    fn kind(&self, _: &Path) {}
    fn whole(&self, _: &Path) {}
}

/// The file in which a folder keeps its rules.
pub const FILE: &str = ".gitignore";

/// What the top of a repository has.
pub const TOP: &str = ".git";

impl Folder {
    /// The rules of a folder, as they are now.
    pub fn read(folder: &Path, notice: &dyn Notice) -> Self {
        let top = folder.join(TOP);
        notice.kind(&top);
        let is_top = top.exists();
        let kept = is_top.then(|| kept(&top, notice)).flatten();
        let exclude = kept.as_ref().map(|kept| rules(folder, &kept.shared.join("info/exclude"), notice));
        let own = rules(folder, &folder.join(FILE), notice);
        let account = (is_top || folder.parent().is_none()).then(|| {
            let named = kept.and_then(|kept| of_repository(&kept, folder, notice));
            named.unwrap_or_else(|| of_account(folder, notice))
        });
        Self { rules: own, exclude: exclude.unwrap_or(Gitignore::empty()), account, is_top }
    }

    /// Whether a path below it is left out; nothing where the folders above it have the next word.
    pub fn leaves_out(&self, path: &Path, is_folder: bool) -> Option<bool> {
        match self.rules.matched(path, is_folder) {
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
            Match::None => {
                let account = self.account.as_ref()?;
                let own = self.exclude.matched(path, is_folder);
                Some(own.or(account.matched(path, is_folder)).is_ignore())
            }
        }
    }

    /// Whether rules further up count for nothing below it.
    pub fn is_top(&self) -> bool {
        self.is_top
    }
}

impl Git {
    /// Whether git leaves out this very path; of a path in a folder that is left out nothing is said. Only rules that are
    /// kept in `floor` or below count, where one is given.
    pub fn ignores(&mut self, path: &Path, is_folder: bool, floor: Option<&Path>) -> bool {
        let counts = |folder: &Path| floor.is_none_or(|floor| folder.starts_with(floor));
        for folder in path.ancestors().skip(1).take_while(|folder| counts(folder)) {
            if let Some(verdict) = self.folder(folder).leaves_out(path, is_folder) {
                return verdict;
            }
        }
        false
    }

    /// The rules of a folder may have changed.
    pub fn forget(&mut self, folder: &Path) {
        self.folders.remove(folder);
    }

    fn folder(&mut self, folder: &Path) -> Arc<Folder> {
        if let Some(known) = self.folders.get(folder) {
            return known.clone();
        }
        let read = Arc::new(Folder::read(folder, &()));
        self.folders.insert(folder.to_owned(), read.clone());
        read
    }
}

/// Where a repository keeps what is its own.
struct Kept {
    /// What all its worktrees share.
    shared: PathBuf,
    /// What is this worktree's.
    own: PathBuf,
}

/// Where git keeps what it knows of a worktree. One that was added has a file in the folder's place that says where
/// (gitrepository-layout(5)).
fn kept(git: &Path, notice: &dyn Notice) -> Option<Kept> {
    if git.is_dir() {
        return Some(Kept { shared: git.to_owned(), own: git.to_owned() });
    }
    let line = |file: &Path| {
        notice.whole(file);
        fs::read_to_string(file).ok()?.lines().next().map(str::to_owned)
    };
    let own = git.parent()?.join(line(git)?.strip_prefix("gitdir: ")?);
    let shared = line(&own.join("commondir")).map_or_else(|| own.clone(), |shared| own.join(shared));
    Some(Kept { shared, own })
}

/// The rules that a repository's settings name in place of the account's.
fn of_repository(kept: &Kept, top: &Path, notice: &dyn Notice) -> Option<Gitignore> {
    let read = |file: PathBuf| {
        notice.whole(&file);
        fs::read_to_string(file).ok()
    };
    let shared = read(kept.shared.join("config"))?;
    // A worktree's own settings are read after those of all.
    let own = config::is_by_worktree(&shared).then(|| read(kept.own.join("config.worktree"))).flatten();
    let named = own.and_then(|own| config::excludes_file(&own, top)).or_else(|| config::excludes_file(&shared, top));
    Some(rules(top, &named?, notice))
}

/// The files of git's own settings that may name the account's rules, besides the usual place of those. Git reads
/// `GIT_CONFIG_GLOBAL` in place of the account's two, and the machine's at last (git-config(1), FILES).
pub fn settings() -> Vec<PathBuf> {
    let variable = |name: &str| environment::variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let home = std::env::home_dir();
    let own = variable("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let machine = variable("GIT_CONFIG_SYSTEM").unwrap_or_else(|| PathBuf::from("/etc/gitconfig"));
    let files = [
        variable("GIT_CONFIG_GLOBAL"),
        home.map(|home| home.join(".gitconfig")),
        own.map(|own| own.join("git/config")),
        Some(machine),
    ];
    files.into_iter().flatten().collect()
}

/// The account's own rules, as they hold in a repository with this top. Settings are read as text; git is not run.
fn of_account(top: &Path, notice: &dyn Notice) -> Gitignore {
    settings().iter().for_each(|file| notice.whole(file));
    gitconfig_excludes_path().map_or_else(Gitignore::empty, |file| rules(top, &file, notice))
}

/// The rules of a file about what is in a folder; none where it cannot be read.
fn rules(folder: &Path, file: &Path, notice: &dyn Notice) -> Gitignore {
    notice.whole(file);
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

    #[test]
    fn a_worktree_has_the_rules_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let (main, tree) = (folder.path().join("main"), folder.path().join("tree"));
        fs::create_dir_all(main.join(".git/info")).unwrap();
        fs::create_dir_all(main.join(".git/worktrees/tree")).unwrap();
        fs::create_dir_all(&tree).unwrap();
        fs::write(main.join(".git/info/exclude"), "private\n").unwrap();
        fs::write(main.join(".git/worktrees/tree/commondir"), "../..\n").unwrap();
        fs::write(tree.join(".git"), "gitdir: ../main/.git/worktrees/tree\n").unwrap();
        let read = Folder::read(&tree, &());
        assert_eq!(read.leaves_out(&tree.join("private"), false), Some(true));
        assert_eq!(read.leaves_out(&tree.join("public"), false), Some(false));
        // Of the settings those of the worktree count before those of all, and a path is one from its top.
        let leaves_out = |name: &str| Folder::read(&tree, &()).leaves_out(&tree.join(name), false) == Some(true);
        fs::write(main.join(".git/config"), "[core]\n\texcludesFile = ours\n").unwrap();
        fs::write(tree.join("ours"), "public\n").unwrap();
        assert!(leaves_out("public") && leaves_out("private") && !leaves_out("other"));
        fs::write(main.join(".git/worktrees/tree/config.worktree"), "[core]\nexcludesFile = own\n").unwrap();
        fs::write(tree.join("own"), "other\n").unwrap();
        assert!(leaves_out("public") && !leaves_out("other"));
        fs::write(main.join(".git/config"), "[core]\nexcludesFile = ours\n[extensions]\nworktreeConfig = true\n")
            .unwrap();
        assert!(!leaves_out("public") && leaves_out("private") && leaves_out("other"));
    }
}
