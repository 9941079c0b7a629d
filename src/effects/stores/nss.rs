//! NSS databases: each profile of Firefox has one, and Chromium has one for each user.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Action, Authority, Kind, Outcome, Report, absent, command, holds, program, run, text_of};

/// Below the home folder: single databases.
const SINGLE: [&str; 2] = [".pki/nssdb", "snap/chromium/current/.pki/nssdb"];
/// Below the home folder: folders with one database a profile.
const PROFILES: [&str; 5] = [
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    "Library/Application Support/Firefox/Profiles",
];
/// Programs that make [`SINGLE`]'s first when they are first started.
const CHROMIUM: [&str; 6] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "brave-browser"];

pub fn apply(authority: &Authority, action: Action) -> Vec<Report> {
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return absent(Kind::Nss) };
    let certutil = program("certutil").map(|path| text_of(&path));
    let mut databases = databases(&home);
    let chromium = home.join(SINGLE[0]);
    let to_be = action == Action::Install && !is_database(&chromium) && CHROMIUM.iter().any(|it| program(it).is_some());
    if to_be {
        databases.insert(0, chromium);
    }
    if databases.is_empty() {
        return absent(Kind::Nss);
    }
    let report = |place: PathBuf| {
        let database = Database { certutil: certutil.as_deref(), name: authority.name(), authority, place };
        let outcome = match action {
            Action::Install => database.install(),
            Action::Remove => database.remove(),
        };
        Report { kind: Kind::Nss, place: Some(database.place), outcome }
    };
    databases.into_iter().map(report).collect()
}

/// The databases that are there, and whether they have it; none where nothing can look into them.
pub fn status(authority: &Authority) -> Vec<(PathBuf, bool)> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let (Some(home), Some(certutil)) = (home, program("certutil").map(|path| text_of(&path))) else {
        return Vec::new();
    };
    let look = |place: PathBuf| {
        let database = Database { certutil: Some(&certutil), name: authority.name(), authority, place };
        let has = database.has_ours(&certutil);
        (database.place, has)
    };
    databases(&home).into_iter().map(look).collect()
}

/// All that are there.
fn databases(home: &Path) -> Vec<PathBuf> {
    let singles = SINGLE.iter().map(|folder| home.join(folder));
    let entries = PROFILES.iter().filter_map(|folder| fs::read_dir(home.join(folder)).ok());
    let mut profiles: Vec<PathBuf> = entries.flatten().flatten().map(|entry| entry.path()).collect();
    profiles.sort();
    singles.chain(profiles).filter(|folder| is_database(folder)).collect()
}

fn is_database(folder: &Path) -> bool {
    folder.join("cert9.db").is_file()
}

struct Database<'a> {
    certutil: Option<&'a str>,
    name: String,
    authority: &'a Authority,
    place: PathBuf,
}

impl Database<'_> {
    fn folder(&self) -> String {
        format!("sql:{}", self.place.display())
    }

    fn install(&self) -> Outcome {
        let (folder, file) = (self.folder(), text_of(&self.authority.file));
        // "C": trusted to certify servers.
        let add = ["-A", "-d", &folder, "-t", "C,,", "-n", &self.name, "-i", &file];
        let Some(certutil) = self.certutil else { return missing(&add) };
        if self.has_ours(certutil) {
            return Outcome::Already;
        }
        let made = if is_database(&self.place) { Ok(()) } else { self.make(certutil, &folder) };
        done(made.and_then(|()| certutil_run(certutil, &add)), certutil, &add)
    }

    fn remove(&self) -> Outcome {
        let folder = self.folder();
        let delete = ["-D", "-d", &folder, "-n", &self.name];
        let Some(certutil) = self.certutil else { return missing(&delete) };
        if !self.has_ours(certutil) {
            return Outcome::Already;
        }
        done(certutil_run(certutil, &delete), certutil, &delete)
    }

    /// As Chromium itself makes it, without a password.
    fn make(&self, certutil: &str, folder: &str) -> Result<(), String> {
        crate::effects::fs::make_private_folder(&self.place).map_err(|error| error.to_string())?;
        certutil_run(certutil, &["-N", "-d", folder, "--empty-password"])
    }

    fn has_ours(&self, certutil: &str) -> bool {
        let listed = run(&[certutil, "-L", "-d", &self.folder(), "-n", &self.name, "-a"]);
        let ours = fs::read_to_string(&self.authority.file).unwrap_or_default();
        listed.is_ok_and(|there| holds(&there, &ours))
    }
}

fn certutil_run(certutil: &str, arguments: &[&str]) -> Result<(), String> {
    let words: Vec<&str> = std::iter::once(certutil).chain(arguments.iter().copied()).collect();
    run(&words).map(|_| ())
}

fn by_hand(why: String, certutil: &str, arguments: &[&str]) -> Outcome {
    let words: Vec<&str> = std::iter::once(certutil).chain(arguments.iter().copied()).collect();
    Outcome::ByHand { why, commands: vec![command(false, &words)] }
}

fn missing(arguments: &[&str]) -> Outcome {
    let why = "there is no certutil: it is in libnss3-tools (Debian), nss-tools (Fedora), nss (Arch)";
    by_hand(why.to_owned(), "certutil", arguments)
}

fn done(result: Result<(), String>, certutil: &str, arguments: &[&str]) -> Outcome {
    result.map_or_else(|why| by_hand(why, certutil, arguments), |()| Outcome::Done)
}
