//! What a rule is about: files, folders and patterns.

use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::Key;
use crate::tasks::is_foreign;

/// Files that mean something to somebody.
#[derive(Debug, Clone)]
pub struct Rule {
    pub key: Key,
    pub places: Vec<Place>,
    /// What is left out, as a `.gitignore` in the folder of the rule would say it.
    left_out: Gitignore,
}

/// One path or pattern of a rule.
#[derive(Debug, Clone)]
pub struct Place {
    /// The path up to the first part with a wildcard; it need not exist.
    pub base: PathBuf,
    pub kind: Kind,
}

/// Which paths a place is about.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Its base, whatever git says of it.
    Exact,
    /// Its base, and all that is in it where that is a folder.
    Below,
    /// Whatever matches below its base; so many folders deep, where that has an end.
    Pattern(GlobMatcher, Option<usize>),
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(String);

impl Rule {
    /// Paths and patterns, relative to a folder, and what of it does not count, in `.gitignore`'s words.
    pub fn new(key: Key, folder: &Path, paths: &[String], left_out: &[String]) -> Result<Self, BadPattern> {
        let mut builder = GitignoreBuilder::new(folder);
        for pattern in left_out {
            builder.add_line(None, pattern).map_err(|error| BadPattern(error.to_string()))?;
        }
        let left_out = builder.build().map_err(|error| BadPattern(error.to_string()))?;
        let places = paths.iter().map(|path| Place::new(folder, path)).collect::<Result<_, _>>()?;
        Ok(Self { key, places, left_out })
    }

    /// These files and no others.
    pub fn of_files(key: Key, files: impl IntoIterator<Item = PathBuf>) -> Self {
        let place = |base: PathBuf| Place { base: plain(&base), kind: Kind::Exact };
        Self { key, places: files.into_iter().map(place).collect(), left_out: Gitignore::empty() }
    }

    /// Whether the rule itself leaves out a path.
    pub fn leaves_out(&self, path: &Path, is_folder: bool) -> bool {
        match path.starts_with(self.left_out.path()) {
            true => self.left_out.matched_path_or_any_parents(path, is_folder).is_ignore(),
            false => self.left_out.matched(path, is_folder).is_ignore(),
        }
    }
}

impl Place {
    fn new(folder: &Path, written: &str) -> Result<Self, BadPattern> {
        let has_wildcard = |part: &&str| part.contains(['*', '?', '[', '{']);
        let parts: Vec<&str> = written.split('/').collect();
        let literal = parts.iter().position(has_wildcard).unwrap_or(parts.len());
        let mut start = parts[..literal].join("/");
        if written.starts_with('/') && start.is_empty() {
            start.push('/');
        }
        let base = plain(&folder.join(start));
        let rest = parts[literal..].join("/");
        if rest.is_empty() {
            return Ok(Self { base, kind: Kind::Below });
        }
        let glob =
            GlobBuilder::new(&rest).literal_separator(true).build().map_err(|error| BadPattern(error.to_string()))?;
        let depth = (!rest.contains("**")).then(|| parts.len() - literal - 1);
        Ok(Self { base, kind: Kind::Pattern(glob.compile_matcher(), depth) })
    }

    /// Whether a file is meant, as far as its path tells.
    pub fn fits(&self, path: &Path) -> bool {
        let Ok(rest) = path.strip_prefix(&self.base) else { return false };
        match &self.kind {
            Kind::Exact => rest.as_os_str().is_empty(),
            Kind::Below => true,
            Kind::Pattern(pattern, _) => pattern.is_match(rest),
        }
    }

    /// Whether files in a folder, which is the base or below it, can be meant.
    pub fn reaches(&self, folder: &Path) -> bool {
        let Ok(rest) = folder.strip_prefix(&self.base) else { return false };
        match &self.kind {
            Kind::Exact => false,
            Kind::Below | Kind::Pattern(_, None) => true,
            Kind::Pattern(_, Some(depth)) => rest.components().count() <= *depth,
        }
    }
}

/// What editors and file managers leave for a moment, and what is no source whoever made it.
pub fn is_scratch(name: &str) -> bool {
    let swap =
        |name: &str| name.starts_with('.') && [".swp", ".swo", ".swx", ".swpx"].iter().any(|end| name.ends_with(end));
    let emacs = |name: &str| name.starts_with(".#") || (name.starts_with('#') && name.ends_with('#'));
    let jetbrains = |name: &str| name.ends_with("___jb_tmp___") || name.ends_with("___jb_old___");
    // Vim asks with a file of this name whether it may write here.
    let vim = |name: &str| name == "4913" || name.ends_with('~');
    swap(name) || emacs(name) || jetbrains(name) || vim(name) || matches!(name, ".DS_Store" | ".gitignore")
}

/// Whether a folder is nobody's source, by its name.
pub fn is_made(name: &str) -> bool {
    is_foreign(name)
}

/// A path without `.` and `..`, by its words alone.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(written: &str) -> Place {
        Place::new(Path::new("/w/web"), written).unwrap()
    }

    #[test]
    fn a_path_means_itself_and_all_below_it_and_a_pattern_what_matches() {
        for (written, path, expected) in [
            ("src", "/w/web/src/a/b.js", true),
            ("src", "/w/web/src", true),
            ("src/", "/w/web/src/a.js", true),
            ("./src", "/w/web/src/a.js", true),
            ("src", "/w/web/src2/a.js", false),
            (".", "/w/web/a", true),
            ("../shared", "/w/shared/a", true),
            ("/etc/app.conf", "/etc/app.conf", true),
            ("*.py", "/w/web/a.py", true),
            ("*.py", "/w/web/a/b.py", false),
            ("**/*.py", "/w/web/a/b.py", true),
            ("**/*.py", "/w/web/b.py", true),
            ("src/*/x.{js,ts}", "/w/web/src/a/x.ts", true),
            ("src/*/x.{js,ts}", "/w/web/src/a/b/x.ts", false),
            ("/*.conf", "/a.conf", true),
        ] {
            assert_eq!(place(written).fits(Path::new(path)), expected, "{written} {path}");
        }
    }

    #[test]
    fn a_pattern_looks_no_deeper_than_it_can_match() {
        let reaches = |written: &str, folder: &str| place(written).reaches(Path::new(folder));
        assert!(reaches("*.py", "/w/web") && !reaches("*.py", "/w/web/a"));
        assert!(reaches("a/*/b/*.py", "/w/web/a/x/b") && !reaches("a/*/b/*.py", "/w/web/a/x/b/c"));
        assert!(reaches("**/a.py", "/w/web/x/y/z") && reaches("src", "/w/web/src/x"));
    }

    #[test]
    fn what_is_left_out_is_written_as_git_has_it() {
        let left_out = ["*.test.js", "/gen", "!gen/keep.js"].map(str::to_owned);
        let rule = Rule::new(Key::Manifest, Path::new("/w"), &["src".to_owned()], &left_out).unwrap();
        let leaves_out = |path: &str| rule.leaves_out(Path::new(path), false);
        assert!(leaves_out("/w/src/a.test.js") && leaves_out("/w/gen/a/b.js"));
        assert!(!leaves_out("/w/src/a.js") && !leaves_out("/x/a.js"));
        assert!(Rule::new(Key::Manifest, Path::new("/w"), &["src/[".to_owned()], &[]).is_err());
    }

    #[test]
    fn files_of_a_moment_are_known_by_name() {
        for name in [".a.js.swp", "a.js~", "4913", ".#a", "#a#", "a.js___jb_tmp___", ".DS_Store"] {
            assert!(is_scratch(name), "{name}");
        }
        for name in ["a.js", ".env", "a.swp", "#a", "~a"] {
            assert!(!is_scratch(name), "{name}");
        }
    }
}
