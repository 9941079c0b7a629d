//! Runs `git`, as the user would: with what is set up there, but without a terminal to ask at.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::process::end_groups;

/// Why git did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    #[error("there is no `git` on PATH")]
    Missing,
    #[error("git could not be started: {0}")]
    NotStarted(String),
    /// Its own last words.
    #[error("git: {0}")]
    Refused(String),
}

/// Variables by which whoever called this process pointed its own git somewhere (`git rev-parse --local-env-vars`).
const POINTERS: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];
/// Nothing that stays behind a command: its daemons would outlive us.
const QUIET: [&str; 7] =
    ["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"];

/// Runs it in a folder and returns what it wrote. Whoever drops this ends it, and all that it started.
pub async fn git<S: AsRef<OsStr>>(folder: &Path, words: &[S]) -> Result<String, GitError> {
    let program = which::which("git").map_err(|_| GitError::Missing)?;
    let mut command = Command::new(program);
    command.args(QUIET).args(words).current_dir(folder);
    POINTERS.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| GitError::NotStarted(error.to_string()))?;
    let mut group = Group(child.id());
    let output = child.wait_with_output().await.map_err(|error| GitError::NotStarted(error.to_string()))?;
    // What is left of the group are daemons of hooks, which are the user's own.
    group.0 = None;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(GitError::Refused(said(&text(&output.stderr)))) }
}

/// What matters of what git says: its `fatal:` or `error:` lines, else the last one.
fn said(text: &str) -> String {
    let words = |line: &str| ["fatal: ", "error: "].iter().find_map(|it| line.strip_prefix(it)).map(str::to_owned);
    let mut lines: Vec<String> = text.lines().filter_map(words).collect();
    if lines.is_empty() {
        lines.extend(text.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned()));
    }
    if lines.is_empty() { "it failed without a word".to_owned() } else { lines.join("; ") }
}

/// The processes of a command that is not wanted any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        end_groups(self.0.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_told() {
        let cases = [
            ("Preparing worktree\nfatal: invalid reference: x\n", "invalid reference: x"),
            ("error: a\nhint: b\nerror: c\n", "a; c"),
            ("something\nelse\n\n", "else"),
            ("", "it failed without a word"),
        ];
        for (text, words) in cases {
            assert_eq!(said(text), words, "{text}");
        }
    }
}
