//! The system's store: a folder of certificates, and a program that puts them together for everybody.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Action, Authority, Kind, Outcome, Report, absent, command, holds, program, run, text_of};
use crate::effects::bundle::system_roots;

/// A folder for certificates, and the commands that take in what came and what went.
struct Flavour {
    folder: &'static str,
    program: &'static str,
    added: &'static [&'static str],
    removed: &'static [&'static str],
}

const FLAVOURS: [Flavour; 4] = [
    // Debian, Ubuntu, Alpine. Links to what is gone stay there unless all are made afresh.
    Flavour {
        folder: "/usr/local/share/ca-certificates",
        program: "update-ca-certificates",
        added: &[],
        removed: &["--fresh"],
    },
    // Fedora, Red Hat
    Flavour {
        folder: "/etc/pki/ca-trust/source/anchors",
        program: "update-ca-trust",
        added: &["extract"],
        removed: &["extract"],
    },
    // Arch
    Flavour {
        folder: "/etc/ca-certificates/trust-source/anchors",
        program: "trust",
        added: &["extract-compat"],
        removed: &["extract-compat"],
    },
    // openSUSE
    Flavour { folder: "/etc/pki/trust/anchors", program: "update-ca-certificates", added: &[], removed: &[] },
];

pub fn apply(authority: &Authority, action: Action) -> Vec<Report> {
    if cfg!(target_os = "macos") {
        return vec![keychain(authority, action)];
    }
    let found = FLAVOURS.iter().find_map(|flavour| {
        let program = program(flavour.program).filter(|_| Path::new(flavour.folder).is_dir())?;
        Some((Path::new(flavour.folder), text_of(&program), flavour))
    });
    let Some((folder, program, flavour)) = found else { return absent(Kind::System) };
    let arguments = if action == Action::Install { flavour.added } else { flavour.removed };
    let update: Vec<&str> = std::iter::once(program.as_str()).chain(arguments.iter().copied()).collect();
    let anchor = folder.join(format!("nagaya-{}.crt", authority.id));
    let outcome = match action {
        Action::Install => install(authority, &anchor, &update),
        Action::Remove => remove(authority, &anchor, &update),
    };
    vec![Report { kind: Kind::System, place: Some(folder.to_owned()), outcome }]
}

/// The roots that everybody reads, and whether they have it.
pub fn status(authority: &Authority) -> Vec<(PathBuf, bool)> {
    let ours = fs::read_to_string(&authority.file).unwrap_or_default();
    system_roots().map(|roots| (roots, is_trusted(&ours))).into_iter().collect()
}

fn install(authority: &Authority, anchor: &Path, update: &[&str]) -> Outcome {
    let Ok(ours) = fs::read_to_string(&authority.file) else {
        let why = format!("{} cannot be read", authority.file.display());
        return Outcome::ByHand { why, commands: Vec::new() };
    };
    let placed = fs::read_to_string(anchor).is_ok_and(|there| there == ours);
    if placed && is_trusted(&ours) {
        return Outcome::Already;
    }
    let (from, to) = (text_of(&authority.file), text_of(anchor));
    let commands = || vec![command(true, &["install", "-m", "644", &from, &to]), command(true, update)];
    let written = crate::effects::fs::replace_public(anchor, ours.as_bytes());
    perform(written, update, commands)
}

fn remove(authority: &Authority, anchor: &Path, update: &[&str]) -> Outcome {
    let ours = fs::read_to_string(&authority.file).unwrap_or_default();
    if !anchor.exists() && !is_trusted(&ours) {
        return Outcome::Already;
    }
    let to = text_of(anchor);
    perform(crate::effects::fs::remove(anchor), update, || {
        vec![command(true, &["rm", "-f", &to]), command(true, update)]
    })
}

/// The roots that everybody reads have it: without the program's run, a file in the folder is nothing.
fn is_trusted(ours: &str) -> bool {
    let roots: Option<PathBuf> = system_roots();
    roots.is_some_and(|roots| fs::read_to_string(roots).is_ok_and(|roots| holds(&roots, ours)))
}

fn perform(changed: std::io::Result<()>, update: &[&str], commands: impl Fn() -> Vec<String>) -> Outcome {
    let by_hand = |why: String| Outcome::ByHand { why, commands: commands() };
    match changed {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => by_hand("it needs root".to_owned()),
        Err(error) => by_hand(error.to_string()),
        Ok(()) => run(update).map_or_else(by_hand, |_| Outcome::Done),
    }
}

/// macOS asks its user in a window of its own.
fn keychain(authority: &Authority, action: Action) -> Report {
    let (keychain, file) = ("/Library/Keychains/System.keychain", text_of(&authority.file));
    let words: &[&str] = match action {
        Action::Install => &["security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", keychain, &file],
        Action::Remove => &["security", "remove-trusted-cert", "-d", &file],
    };
    let outcome = Outcome::ByHand { why: "it needs root".to_owned(), commands: vec![command(true, words)] };
    Report { kind: Kind::System, place: Some(keychain.into()), outcome }
}
