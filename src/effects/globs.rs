//! The files that globs match below and beside a folder.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Globs, ready to match paths that are written from their folder. One that names a folder means all below it.
#[derive(Debug, Clone)]
pub struct Globs {
    wanted: GlobSet,
    unwanted: GlobSet,
    /// Where to look: the part of each glob before its first wildcard.
    bases: Vec<PathBuf>,
    /// Folders that are not entered.
    skipped: Vec<&'static str>,
}

/// The glob that means one path and nothing else.
pub fn exactly(path: &Path) -> String {
    globset::escape(&path.to_string_lossy())
}

/// What was found, by its path from the folder.
pub type Found = BTreeMap<PathBuf, fs::Metadata>;

impl Globs {
    /// Reads globs; those with `!` before them take away.
    pub fn new<T: AsRef<str>>(globs: &[T]) -> Result<Self, globset::Error> {
        let (mut wanted, mut unwanted) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut bases = Vec::new();
        for glob in globs.iter().map(AsRef::as_ref) {
            let (set, bare) = match glob.strip_prefix('!') {
                Some(bare) => (&mut unwanted, bare),
                None => (&mut wanted, glob),
            };
            let bare = clean(bare);
            let build = |glob: &str| GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
            set.add(build(&bare)?);
            set.add(build(&format!("{}/**", bare.trim_end_matches('/')))?);
            if !glob.starts_with('!') {
                bases.push(base(&bare));
            }
        }
        let names = |name: &str| globs.iter().any(|glob| glob.as_ref().contains(name));
        let skipped = [".git", "node_modules"].into_iter().filter(|name| !names(name)).collect();
        Ok(Self { wanted: wanted.build()?, unwanted: unwanted.build()?, bases: outermost(bases), skipped })
    }

    /// Whether a path from the folder is meant.
    pub fn matches(&self, path: &Path) -> bool {
        self.wanted.is_match(path) && !self.unwanted.is_match(path)
    }

    /// All that is meant and there: files, links, and empty folders. Links to folders are followed where `follow` says so.
    pub fn find(&self, folder: &Path, follow: bool) -> io::Result<Found> {
        let mut found = Found::new();
        self.visit(folder, follow, |below| {
            let path = folder.join(&below);
            match fs::symlink_metadata(&path) {
                Ok(told) => drop(found.insert(below, told)),
                // It went while it was looked at.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(named(&path, &error)),
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The paths of the same, without following links.
    pub fn paths(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        self.visit(folder, false, |below| {
            found.push(below);
            Ok(())
        })?;
        Ok(found)
    }

    fn visit(&self, folder: &Path, follow: bool, mut each: impl FnMut(PathBuf) -> io::Result<()>) -> io::Result<()> {
        for base in &self.bases {
            let path = folder.join(base);
            let told = match fs::symlink_metadata(&path) {
                Ok(told) => told,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(named(&path, &error)),
            };
            if told.is_dir() || leads_to_folder(&path, &told, follow) {
                self.enter(folder, base, follow, &mut each)?;
            } else if self.matches(base) {
                each(base.clone())?;
            }
        }
        Ok(())
    }

    fn enter(
        &self,
        folder: &Path,
        base: &Path,
        follow: bool,
        each: &mut impl FnMut(PathBuf) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut todo = vec![base.to_owned()];
        // A folder to which links lead is entered by one of them, so that none leads in a circle.
        let mut entered = HashSet::new();
        while let Some(at) = todo.pop() {
            let path = folder.join(&at);
            let mut is_empty = true;
            for entry in fs::read_dir(&path).map_err(|error| named(&path, &error))? {
                let entry = entry.map_err(|error| named(&path, &error))?;
                is_empty = false;
                let name = entry.file_name();
                let below = if at.as_os_str().is_empty() { PathBuf::from(&name) } else { at.join(&name) };
                let kind = entry.file_type().map_err(|error| named(&path, &error))?;
                let linked = (follow && kind.is_symlink()).then(|| fs::metadata(entry.path()).ok()).flatten();
                let linked = linked.filter(fs::Metadata::is_dir);
                if kind.is_dir() || linked.is_some() {
                    let is_new = linked.is_none_or(|it| entered.insert((it.dev(), it.ino())));
                    if is_new && !self.skipped.iter().any(|skipped| name == *skipped) {
                        todo.push(below);
                    }
                } else if self.matches(&below) {
                    each(below)?;
                }
            }
            if is_empty && self.matches(&at) {
                each(at)?;
            }
        }
        Ok(())
    }
}

fn leads_to_folder(path: &Path, told: &fs::Metadata, follow: bool) -> bool {
    follow && told.is_symlink() && fs::metadata(path).is_ok_and(|it| it.is_dir())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The same error with the path that it is about.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// `./src//a/` as `src/a`.
fn clean(glob: &str) -> String {
    let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let root = if glob.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// What comes before the first part that stands for several names.
fn base(glob: &str) -> PathBuf {
    let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    let root = if glob.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty()).take_while(is_plain).collect();
    PathBuf::from(format!("{root}{}", parts.join("/")))
}

/// Without the folders that are below another.
fn outermost(mut bases: Vec<PathBuf>) -> Vec<PathBuf> {
    bases.sort();
    bases.dedup();
    let climbs = |base: &Path| base.components().any(|part| part == Component::ParentDir);
    let all = bases.clone();
    bases.retain(|base| {
        let above = |other: &&PathBuf| *other != base && base.starts_with(other) && !climbs(base) && !base.has_root();
        !all.iter().any(|other| above(&other))
    });
    bases
}

/// A path as text. What is not UTF-8, and `%` itself, becomes `%` and two digits.
pub fn shown(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace('%', "%25"));
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
    }
    out
}

/// The path of such a text.
pub fn unshown(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = || std::str::from_utf8(after.get(..2)?).ok();
        match digits().filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(globs: &[&str], folder: &Path) -> Vec<String> {
        Globs::new(globs).unwrap().find(folder, true).unwrap().keys().map(|path| shown(path)).collect()
    }

    #[test]
    fn globs_reach_below_and_beside() {
        let dir = tempfile::tempdir().unwrap();
        let app = dir.path().join("app");
        for file in
            ["app/src/a.rs", "app/src/deep/b.rs", "app/c.txt", "app/.git/x", "app/node_modules/m/i.js", "proto/p"]
        {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::create_dir(app.join("empty")).unwrap();
        let cases: [(&[&str], &[&str]); 8] = [
            (&["src"], &["src/a.rs", "src/deep/b.rs"]),
            (&["src/**", "!src/deep"], &["src/a.rs"]),
            (&["./*.txt", "src/*.rs"], &["c.txt", "src/a.rs"]),
            (&["../proto/*"], &["../proto/p"]),
            (&["**"], &["c.txt", "empty", "src/a.rs", "src/deep/b.rs"]),
            (&["node_modules/*/*.js"], &["node_modules/m/i.js"]),
            (&["nothing/**", "none"], &[]),
            (&["{c,d}.txt", "empty"], &["c.txt", "empty"]),
        ];
        for (globs, wanted) in cases {
            assert_eq!(found(globs, &app), wanted, "{globs:?}");
        }
    }

    #[test]
    fn links_are_followed_where_asked_and_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        fs::write(dir.path().join("real/a"), "").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(".", dir.path().join("real/round")).unwrap();
        let globs = Globs::new(&["link/a", "link/?"]).unwrap();
        assert_eq!(globs.find(dir.path(), true).unwrap().len(), 1);
        let globs = Globs::new(&["**/a"]).unwrap();
        assert_eq!(globs.find(dir.path(), false).unwrap().len(), 1);
    }

    #[test]
    fn any_name_is_written_and_read() {
        for bytes in [&b"a b"[..], b"100%", b"%41", b"\xff\xfe/x", "長".as_bytes()] {
            let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
            assert_eq!(unshown(&shown(path)), path);
        }
    }
}
