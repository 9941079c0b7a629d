//! Variables that make programs trust this user's authority, and the file that some of them need.
//!
//! Node adds to its own roots what a variable names. OpenSSL, Go and Python's requests take what theirs names in place
//! of all roots, so that has to be the system's roots and ours in one file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::fs;
use super::places::Places;

/// The system's roots in one file: Debian and its kin, Fedora and its kin, openSUSE, Alpine and macOS.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's roots, as one file of PEM, where there is one.
pub fn system_roots() -> Option<PathBuf> {
    SYSTEM.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// The variables for programs; none before there is an authority.
pub fn variables(places: &Places) -> Vec<(String, String)> {
    let ca = places.authority().join("ca.pem");
    let Some(made) = changed(&ca) else { return Vec::new() };
    // Root's programs may go on as another account, to which a file that it cannot read is worse than none.
    if rustix::process::geteuid().is_root() && !fs::is_open_to_all(&ca) {
        return Vec::new();
    }
    let variable = |name: &str, path: &Path| (name.to_owned(), path.to_string_lossy().into_owned());
    let mut out = vec![variable("NODE_EXTRA_CA_CERTS", &ca)];
    let bundle = places.authority().join("bundle.pem");
    if let Some(roots) = system_roots()
        && refresh(&bundle, &roots, &ca, made).is_ok()
    {
        out.extend(["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"].map(|name| variable(name, &bundle)));
    }
    out
}

/// Writes the bundle where it is missing or older than what it is made of.
fn refresh(bundle: &Path, roots: &Path, ca: &Path, made: SystemTime) -> io::Result<()> {
    let newest = changed(roots).map_or(made, |roots| roots.max(made));
    if changed(bundle).is_some_and(|bundle| bundle > newest) {
        return Ok(());
    }
    let mut all = std::fs::read(roots)?;
    all.push(b'\n');
    all.extend(std::fs::read(ca)?);
    fs::replace_public(bundle, &all)
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|it| it.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::write;

    #[test]
    fn a_bundle_is_made_again_when_one_of_its_parts_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let [bundle, roots, ca] = ["bundle", "roots", "ca"].map(|name| folder.path().join(name));
        write(&roots, "roots").unwrap();
        write(&ca, "ours").unwrap();
        let made = changed(&ca).unwrap();
        refresh(&bundle, &roots, &ca, made).unwrap();
        assert_eq!(std::fs::read_to_string(&bundle).unwrap(), "roots\nours");
        write(&roots, "other roots").unwrap();
        let later = changed(&bundle).unwrap() + std::time::Duration::from_secs(5);
        std::fs::File::open(&roots).unwrap().set_modified(later).unwrap();
        refresh(&bundle, &roots, &ca, made).unwrap();
        assert_eq!(std::fs::read_to_string(&bundle).unwrap(), "other roots\nours");
    }

    #[test]
    fn without_an_authority_nothing_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { state: folder.path().join("state"), runtime: folder.path().join("run") };
        assert!(variables(&places).is_empty());
    }
}
