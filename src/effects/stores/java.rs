//! The Java runtime's store, by its own keytool.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Action, Authority, Kind, Outcome, Report, absent, command, holds, is_writable, program, run, text_of};

/// Every Java runtime comes with this password, which keeps nobody out.
const PASSWORD: &str = "changeit";
/// Below Java's home, newer ones first.
const STORES: [&str; 2] = ["lib/security/cacerts", "jre/lib/security/cacerts"];

pub fn apply(authority: &Authority, action: Action) -> Vec<Report> {
    let Some((store, keytool)) = found() else { return absent(Kind::Java) };
    let outcome = change(authority, action, &store, &keytool);
    vec![Report { kind: Kind::Java, place: Some(store), outcome }]
}

/// The store that is here, and whether it has it.
pub fn status(authority: &Authority) -> Vec<(PathBuf, bool)> {
    let Some((store, keytool)) = found() else { return Vec::new() };
    let ours = fs::read_to_string(&authority.file).unwrap_or_default();
    let listed = listed(&keytool, &text_of(&store));
    vec![(store, !aliases(&listed, &ours).is_empty())]
}

/// The store and the program for it.
fn found() -> Option<(PathBuf, String)> {
    let home = home()?;
    let store = STORES.iter().find_map(|place| home.join(place).canonicalize().ok())?;
    let own = home.join("bin/keytool");
    let keytool = if own.is_file() { own } else { program("keytool")? };
    Some((store, text_of(&keytool)))
}

/// All that a store has, as text; nothing where that fails.
fn listed(keytool: &str, store: &str) -> String {
    run(&[keytool, "-J-Duser.language=en", "-list", "-rfc", "-keystore", store, "-storepass", PASSWORD])
        .unwrap_or_default()
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
    let ours = fs::read_to_string(&authority.file).unwrap_or_default();
    let keystore = ["-keystore", place.as_str(), "-storepass", PASSWORD];
    let with = |words: &[&str], rest: &[&str]| -> Vec<String> {
        let all = std::iter::once(keytool).chain(words.iter().copied()).chain(keystore);
        all.chain(rest.iter().copied()).map(str::to_owned).collect()
    };
    let listed = listed(keytool, &place);
    let there = aliases(&listed, &ours);
    let changes: Vec<Vec<String>> = match action {
        Action::Install if there.is_empty() => {
            let alias = format!("nagaya-{}", authority.id);
            vec![with(&["-importcert", "-noprompt"], &["-alias", &alias, "-file", &file])]
        }
        Action::Install => Vec::new(),
        Action::Remove => there.iter().map(|alias| with(&["-delete"], &["-alias", alias])).collect(),
    };
    if changes.is_empty() {
        return Outcome::Already;
    }
    let by_hand = |why: String| {
        let command =
            |words: &Vec<String>| command(!is_writable(store), &words.iter().map(String::as_str).collect::<Vec<_>>());
        Outcome::ByHand { why, commands: changes.iter().map(command).collect() }
    };
    if !is_writable(store) {
        return by_hand("it needs root".to_owned());
    }
    let result = changes.iter().try_for_each(|words| run_all(words).map(|_| ()));
    result.map_or_else(by_hand, |()| Outcome::Done)
}

/// The names under which a store has our certificate: Debian gives it one of its own when the system's store gets it.
fn aliases<'a>(listed: &'a str, ours: &str) -> Vec<&'a str> {
    let entries = listed.split("Alias name: ").skip(1);
    entries.filter(|entry| holds(entry, ours)).filter_map(|entry| entry.lines().next()).map(str::trim).collect()
}

fn run_all(words: &[String]) -> Result<String, String> {
    run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_certificate_is_found_under_every_name() {
        let pem = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let entry = |name: &str, body: &str| format!("Alias name: {name}\nEntry type: x\n\n{}\n***\n", pem(body));
        let listed =
            format!("Your keystore\n{}{}{}", entry("a", "AAAA"), entry("debian:b.pem", "BBBB"), entry("b", "BBBB"));
        assert_eq!(aliases(&listed, &pem("BBBB")), ["debian:b.pem", "b"]);
        assert!(aliases(&listed, &pem("CCCC")).is_empty() && aliases("", &pem("A")).is_empty());
    }
}
