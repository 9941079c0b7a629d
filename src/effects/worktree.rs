//! Git worktrees of our own: made for a branch that is tried, and removed when nothing in them would be lost.
//!
//! A worktree has the branch's commit and not the branch, so that the user's own checkout may have it, too, and no
//! branch is changed by what happens here.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fs;
use super::git::{GitError, git};
use crate::manifest::did_you_mean;

/// A worktree that was made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worktree {
    /// The user's checkout, which it belongs to.
    pub repository: PathBuf,
    pub path: PathBuf,
    /// As it was asked for: a branch, or whatever else git knows a commit by.
    pub branch: String,
    pub commit: String,
}

/// Why there is no worktree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWorktree {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("{folder} is in no git repository: {reason}", folder = .0.display(), reason = .1)]
    NoRepository(PathBuf, String),
    #[error("there is no branch `{branch}` in {repository}", repository = .repository.display())]
    NoBranch { branch: String, repository: PathBuf, near: Option<String> },
    #[error("there is something at {path} already", path = .0.display())]
    Taken(PathBuf),
    #[error("{path} cannot be made: {reason}", path = .0.display(), reason = .1)]
    Folder(PathBuf, String),
}

/// Why a worktree is not removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// Changed and new files, as `git status --short` has them.
    #[error("it has changes: {}", shortened(.0))]
    Changes(Vec<String>),
    #[error("it has {} that no branch has", counted(*.count))]
    Commits { count: usize },
    #[error("it is locked{}", reason(.0))]
    Locked(String),
    #[error("whether it has changes cannot be told: {0}")]
    Unknown(String),
    #[error("it cannot be removed: {0}")]
    Stuck(String),
}

/// Changes that are named.
const NAMED: usize = 5;

fn shortened(changes: &[String]) -> String {
    let named = changes.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match changes.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn counted(commits: usize) -> String {
    if commits == 1 { "a commit".to_owned() } else { format!("{commits} commits") }
}

fn reason(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// What a branch is in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub repository: PathBuf,
    pub branch: String,
    pub commit: String,
}

/// Makes a worktree at `path` with what `branch` is in the repository of `folder`.
pub async fn add(folder: &Path, branch: &str, path: &Path) -> Result<Worktree, NoWorktree> {
    find(folder, branch).await?.check_out(path).await
}

/// Looks for what `branch` is in the repository of `folder`.
pub async fn find(folder: &Path, branch: &str) -> Result<Found, NoWorktree> {
    let repository = match git(folder, &["rev-parse", "--show-toplevel"]).await {
        Ok(top) => PathBuf::from(top.trim_end_matches('\n')),
        Err(GitError::Refused(reason)) => return Err(NoWorktree::NoRepository(folder.to_owned(), reason)),
        Err(error) => return Err(error.into()),
    };
    let commit = commit(&repository, branch).await?;
    Ok(Found { repository, branch: branch.to_owned(), commit })
}

impl Found {
    /// Its worktree, which is not there yet.
    pub fn worktree(self, path: &Path) -> Worktree {
        let Self { repository, branch, commit } = self;
        Worktree { repository, path: path.to_owned(), branch, commit }
    }

    /// Makes a worktree of it.
    pub async fn check_out(self, path: &Path) -> Result<Worktree, NoWorktree> {
        if fs::exists(path) {
            return Err(NoWorktree::Taken(path.to_owned()));
        }
        let above = path.parent().unwrap_or(path);
        fs::make_private_folder(above).map_err(|error| NoWorktree::Folder(above.to_owned(), error.to_string()))?;
        let worktree = self.worktree(path);
        let text = path.to_string_lossy();
        let made = git(&worktree.repository, &["worktree", "add", "--detach", &text, &worktree.commit]).await;
        if let Err(error) = made {
            // Whatever of it was there before it failed.
            let _ = worktree.remove(true).await;
            return Err(error.into());
        }
        Ok(worktree)
    }
}

/// The commit of a branch, of the same one of `origin` where there is none here, or of another name that git knows.
async fn commit(repository: &Path, branch: &str) -> Result<String, NoWorktree> {
    let known = |name: String| async move {
        let name = format!("{name}^{{commit}}");
        git(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).await
    };
    // A clone has an `origin/HEAD`, which is where `origin` is and not where the user is.
    let elsewhere = [format!("refs/heads/{branch}"), format!("refs/remotes/origin/{branch}")];
    let elsewhere = elsewhere.into_iter().filter(|_| branch != "HEAD");
    for name in elsewhere.chain([branch.to_owned()]) {
        match known(name).await {
            Ok(commit) => return Ok(commit.trim().to_owned()),
            Err(GitError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let all = git(repository, &["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes"]).await?;
    let near = did_you_mean(branch, all.lines());
    Err(NoWorktree::NoBranch { branch: branch.to_owned(), repository: repository.to_owned(), near })
}

impl Worktree {
    /// What would be lost with it, if anything.
    pub async fn losses(&self) -> Result<(), Kept> {
        if !fs::exists(&self.path) {
            return Ok(());
        }
        if let Some(reason) = self.lock().await? {
            return Err(Kept::Locked(reason));
        }
        let status = ["status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=none"];
        let changes = changes(&git(&self.path, &status).await.map_err(unknown)?);
        if !changes.is_empty() {
            return Err(Kept::Changes(changes));
        }
        let elsewhere = ["--not", "--branches", "--remotes", "--tags", &self.commit];
        let words: Vec<&str> = ["rev-list", "--count", "HEAD"].into_iter().chain(elsewhere).collect();
        let count = git(&self.path, &words).await.map_err(unknown)?;
        match count.trim().parse() {
            Ok(0) => Ok(()),
            Ok(count) => Err(Kept::Commits { count }),
            Err(_) => Err(Kept::Unknown(format!("git counts {} commits", count.trim()))),
        }
    }

    /// Removes it when nothing would be lost, or whatever would be with `force`.
    pub async fn remove(&self, force: bool) -> Result<(), Kept> {
        if !force {
            self.losses().await?;
        }
        let path = self.path.to_string_lossy();
        // What git itself would keep it for was looked at; with two, a lock is none.
        let words: &[&str] = if force { &["--force", "--force"] } else { &["--force"] };
        let words: Vec<&str> = ["worktree", "remove"].iter().chain(words).copied().chain([&*path]).collect();
        let removed = git(&self.repository, &words).await;
        if force && fs::exists(&self.path) {
            return fs::remove_folder(&self.path).map_err(|error| Kept::Stuck(error.to_string()));
        }
        match removed {
            // There is none any more, or never was.
            Err(_) if !fs::exists(&self.path) => Ok(()),
            Err(error) => Err(Kept::Stuck(error.to_string())),
            Ok(_) => Ok(()),
        }
    }

    /// The reason of a lock, where there is one; it may be empty.
    async fn lock(&self) -> Result<Option<String>, Kept> {
        let list = git(&self.path, &["worktree", "list", "--porcelain"]).await.map_err(unknown)?;
        // As git has it.
        let path = fs::real(&self.path).unwrap_or_else(|_| self.path.clone());
        Ok(lock_of(&list, &path))
    }
}

fn unknown(error: GitError) -> Kept {
    Kept::Unknown(error.to_string())
}

/// The files of `git status --porcelain -z`, each with what is the matter with it.
fn changes(text: &str) -> Vec<String> {
    let mut entries = text.split('\0').filter(|entry| !entry.is_empty());
    let mut changes = Vec::new();
    while let Some(entry) = entries.next() {
        let (Some(code), Some(file)) = (entry.get(..2), entry.get(3..)) else { continue };
        if code.contains(['R', 'C']) {
            // Where it was before.
            entries.next();
        }
        let what = match code {
            "??" => "new",
            _ if code.contains('U') => "in conflict",
            _ if code.contains('D') => "deleted",
            _ if code.contains('R') => "renamed",
            _ if code.contains('A') => "added",
            _ => "changed",
        };
        changes.push(format!("{file} ({what})"));
    }
    changes
}

/// The reason of a worktree's lock in `git worktree list --porcelain`.
fn lock_of(list: &str, path: &Path) -> Option<String> {
    let entry = list.split("\n\n").find(|entry| {
        let first = entry.lines().next().and_then(|line| line.strip_prefix("worktree "));
        first.is_some_and(|at| Path::new(at) == path)
    })?;
    let locked = entry.lines().find_map(|line| line.strip_prefix("locked"))?;
    Some(locked.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_by_file() {
        let text = " M a.py\0?? notes/\0R  new name\0old name\0 D gone\0UU both\0A  more\0";
        assert_eq!(
            changes(text),
            [
                "a.py (changed)",
                "notes/ (new)",
                "new name (renamed)",
                "gone (deleted)",
                "both (in conflict)",
                "more (added)"
            ]
        );
        assert_eq!(changes(""), [""; 0]);
        let many: Vec<String> = (0..7).map(|it| it.to_string()).collect();
        assert_eq!(Kept::Changes(many).to_string(), "it has changes: 0, 1, 2, 3, 4 and 2 more");
    }

    #[test]
    fn a_lock_is_found_with_its_reason() {
        let list = "worktree /a\nHEAD 1\nbranch refs/heads/main\n\nworktree /b\nHEAD 2\ndetached\nlocked for a demo\n\n\
                    worktree /c\nHEAD 2\ndetached\nlocked\n";
        let found = |path: &str| lock_of(list, Path::new(path));
        assert_eq!(["/a", "/b", "/c", "/d"].map(found), [None, Some("for a demo".into()), Some(String::new()), None]);
    }
}
