//! The stores of certificates on this machine, and this user's authority in them.
//!
//! Nothing here asks for more rights than this process has: what needs root is handed back as a command.

mod java;
mod nss;
mod system;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::authority::Authority;

/// What is to become of our certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Install,
    Remove,
}

/// The kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What most programs and command-line tools use.
    System,
    /// The databases of Firefox and Chromium.
    Nss,
    /// The Java runtime's own.
    Java,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::System, Self::Nss, Self::Java];

    /// The word in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Nss => "nss",
            Self::Java => "java",
        }
    }
}

/// What became of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub kind: Kind,
    /// The store; none where there is none of the kind.
    pub place: Option<PathBuf>,
    pub outcome: Outcome,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It was so before.
    Already,
    /// There is no such store here.
    Absent,
    /// This process cannot do it, for a reason; these commands would.
    ByHand {
        why: String,
        commands: Vec<String>,
    },
}

/// Does it in all stores of these kinds. Reads and writes files and runs the stores' own programs, for seconds.
pub fn apply(authority: &Authority, action: Action, kinds: &[Kind]) -> Vec<Report> {
    let of = |kind: &Kind| match kind {
        Kind::System => system::apply(authority, action),
        Kind::Nss => nss::apply(authority, action),
        Kind::Java => java::apply(authority, action),
    };
    // Debian puts into Java's store what comes into the system's, and leaves it there.
    let follows = action == Action::Remove && kinds.contains(&Kind::System) && !kinds.contains(&Kind::Java);
    kinds.iter().chain(follows.then_some(&Kind::Java)).flat_map(of).collect()
}

/// Whether the stores that are here have the authority's certificate; changes nothing. Takes up to seconds, as Java's
/// own program is asked.
pub fn status(authority: &Authority) -> Vec<(Kind, PathBuf, bool)> {
    let of = |kind: Kind, found: Vec<(PathBuf, bool)>| found.into_iter().map(move |(place, has)| (kind, place, has));
    let all = [
        (Kind::System, system::status(authority)),
        (Kind::Nss, nss::status(authority)),
        (Kind::Java, java::status(authority)),
    ];
    all.into_iter().flat_map(|(kind, found)| of(kind, found)).collect()
}

fn absent(kind: Kind) -> Vec<Report> {
    vec![Report { kind, place: None, outcome: Outcome::Absent }]
}

/// Runs a program to its end without a terminal; its output, or its last words.
fn run(words: &[&str]) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(String::new()) };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stderr) + &text(&output.stdout);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed without a word");
    Err(format!("{program}: {}", last.trim()))
}

/// A program by its name; those for administrators are not on everybody's path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    which::which_in(name, std::env::join_paths(folders).ok(), "/").ok()
}

/// Whether this process may write there.
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// A command as a shell would take it, with `sudo` where this process is not root already.
fn command(as_root: bool, words: &[&str]) -> String {
    let sudo = as_root && !rustix::process::geteuid().is_root();
    let words = sudo.then_some("sudo").into_iter().chain(words.iter().copied());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Whether a text holds a certificate, however its lines are broken.
fn holds(text: &str, pem: &str) -> bool {
    let dense = |text: &str| text.split_ascii_whitespace().collect::<String>();
    let body: String = dense(pem);
    let body = body.trim_start_matches("-----BEGINCERTIFICATE-----").trim_end_matches("-----ENDCERTIFICATE-----");
    !body.is_empty() && dense(text).contains(body)
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(["a/b.c", "", "a b", "it's"].map(quoted), ["a/b.c", "''", "'a b'", "'it'\\''s'"]);
    }

    #[test]
    fn a_certificate_is_found_however_it_is_wrapped() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n";
        assert!(holds("x\r\n-----BEGIN CERTIFICATE-----\r\nAAAABB\r\nBB\r\n-----END CERTIFICATE-----\r\n", pem));
        assert!(!holds("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", pem) && !holds("x", ""));
    }
}
