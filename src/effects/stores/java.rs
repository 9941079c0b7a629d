//! The Java runtime's store, by its own keytool.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Action, Authority, Kind, Outcome, Report, absent, command, holds, is_writable, program, run, text_of};

/// Every Java runtime comes with this password, which keeps nobody out.
const PASSWORD: &str = "changeit";
/// Below Java's home, newer ones first.
const STORES: [&str; 2] = ["lib/security/cacerts", "jre/lib/security/cacerts"];

pub fn apply(authority: &Authority, action: Action) -> Vec<Report> {
    let Some(home) = home() else { return absent(Kind::Java) };
    let store = STORES.iter().find_map(|place| home.join(place).canonicalize().ok());
    let own = home.join("bin/keytool");
    let keytool = if own.is_file() { Some(own) } else { program("keytool") };
    let (Some(store), Some(keytool)) = (store, keytool) else { return absent(Kind::Java) };
    let outcome = change(authority, action, &store, &text_of(&keytool));
    vec![Report { kind: Kind::Java, place: Some(store), outcome }]
}

fn home() -> Option<PathBuf> {
    let told = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    told.or_else(|| {
        let java = program("java")?.canonicalize().ok()?;
        Some(java.parent()?.parent()?.to_owned())
    })
}

fn change(authority: &Authority, action: Action, store: &Path, keytool: &str) -> Outcome {
    let (place, file) = (text_of(store), text_of(&authority.file));
    let alias = format!("nagaya-{}", authority.id);
    let keystore = ["-keystore", place.as_str(), "-storepass", PASSWORD];
    let with = |words: &[&'static str], rest: &[&str]| -> Vec<String> {
        let all = std::iter::once(keytool).chain(words.iter().copied()).chain(keystore);
        all.chain(rest.iter().copied()).map(str::to_owned).collect()
    };
    let words = match action {
        Action::Install => {
            let listed = run_all(&with(&["-list", "-rfc"], &[]));
            let ours = fs::read_to_string(&authority.file).unwrap_or_default();
            if listed.is_ok_and(|all| holds(&all, &ours)) {
                return Outcome::Already;
            }
            with(&["-importcert", "-noprompt"], &["-alias", &alias, "-file", &file])
        }
        Action::Remove => {
            if run_all(&with(&["-list"], &["-alias", &alias])).is_err() {
                return Outcome::Already;
            }
            with(&["-delete"], &["-alias", &alias])
        }
    };
    let by_hand = |why: String| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Outcome::ByHand { why, commands: vec![command(!is_writable(store), &words)] }
    };
    if !is_writable(store) {
        return by_hand("it needs root".to_owned());
    }
    run_all(&words).map_or_else(by_hand, |_| Outcome::Done)
}

fn run_all(words: &[String]) -> Result<String, String> {
    run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}
