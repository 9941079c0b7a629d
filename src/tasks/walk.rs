//! Which files of a tree are whose, by their paths alone.
//!
//! A pattern is the end of a path: `Makefile`, `.vscode/tasks.json`. In its last part one `*` stands for any text; a
//! part `**` stands for any number of folders; `~` before the whole takes capitals and small letters as the same. The
//! project is the folder that the pattern begins in.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use memchr::memmem;

use super::package_manager::marks;
use super::propose::is_landmark;
use super::runner::RUNNERS;

/// Folders that hold other people's projects or what tools made: nobody's tasks are there.
const FOREIGN: [&str; 26] = [
    ".bundle",
    ".cache",
    ".devenv",
    ".direnv",
    ".eggs",
    ".git",
    ".gradle",
    ".hg",
    ".jj",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".pnpm-store",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".terraform",
    ".tox",
    ".turbo",
    ".venv",
    "Pods",
    "__pycache__",
    "bower_components",
    "elm-stuff",
    "node_modules",
];

/// Whether a folder holds other people's projects or what tools made, by its name.
pub fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name)
}

/// All that the choice of files depends on, as a text to compare.
pub fn patterns() -> String {
    let patterns = RUNNERS.iter().flat_map(|runner| runner.first.iter().chain(runner.every));
    patterns.chain(&FOREIGN).copied().chain(marks()).flat_map(|text| [text, "\n"]).collect()
}

/// Finds whose a file is. A tree has a hundred times more files than runners read, so those are left quickly.
#[derive(Debug, Default)]
pub struct Finder {
    /// Patterns without a star in their last part, by that part.
    exact: HashMap<&'static str, Vec<Pattern>>,
    /// Those who take capitals and small letters as the same.
    any_case: Vec<Pattern>,
    /// Patterns such as `script/*`, by their last folder.
    in_folder: HashMap<&'static str, Vec<Pattern>>,
    /// Patterns with `**`, which fit only below a folder that is in the path.
    deep: Vec<(memmem::Finder<'static>, Pattern)>,
    /// Patterns such as `*.nimble`.
    starred: Vec<Pattern>,
    /// Names that tell of package managers.
    marks: HashSet<&'static str>,
    /// Files that are no runner's.
    others: Option<fn(&str) -> bool>,
}

/// A file that one runner reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The place in [`RUNNERS`].
    pub runner: usize,
    /// The place among those of which only the first is read; none where all are.
    pub rank: Option<usize>,
    /// How many parts of the path the pattern covers; the project's folder is what comes before them.
    pub depth: usize,
    /// The pattern fits every file of a folder, also such as are no scripts at all.
    pub loose: bool,
}

#[derive(Debug, Clone, Copy)]
struct Pattern {
    runner: usize,
    rank: Option<usize>,
    /// Without the `~`.
    text: &'static str,
}

impl Finder {
    /// One that knows all runners.
    pub fn new() -> Self {
        let mut finder = Self { marks: marks().collect(), ..Self::default() };
        for (runner, it) in RUNNERS.iter().enumerate() {
            for (rank, text) in it.first.iter().enumerate() {
                finder.add(Pattern { runner, rank: Some(rank), text });
            }
            for text in it.every {
                finder.add(Pattern { runner, rank: None, text });
            }
        }
        finder
    }

    /// One that wants also the files by which services are found.
    pub fn of_services() -> Self {
        Self { others: Some(is_landmark), ..Self::new() }
    }

    fn add(&mut self, pattern: Pattern) {
        let last = last(pattern.text);
        if let Some(text) = pattern.text.strip_prefix('~') {
            self.any_case.push(Pattern { text, ..pattern });
        } else if let Some((above, _)) = pattern.text.split_once("**") {
            self.deep.push((memmem::Finder::new(above), pattern));
        } else if !last.contains('*') {
            self.exact.entry(last).or_default().push(pattern);
        } else if let Some((above, _)) = pattern.text.rsplit_once('/') {
            self.in_folder.entry(above.rsplit('/').next().unwrap_or(above)).or_default().push(pattern);
        } else {
            self.starred.push(pattern);
        }
    }

    /// The same for the files of one folder, which is given by its path from the root.
    pub fn within(&self, folder: &Path) -> Within<'_> {
        let text = folder.to_str().unwrap_or("");
        let last = text.rsplit('/').next().unwrap_or(text);
        let inside = format!("{text}/");
        let deep = self.deep.iter().any(|(above, _)| above.find(inside.as_bytes()).is_some());
        Within { finder: self, is_special: deep || self.in_folder.contains_key(last), folder: folder.to_owned() }
    }

    /// Whether any runner reads a file, by its path from the root.
    pub fn is_wanted(&self, path: &Path) -> bool {
        self.fitting(path).next().is_some()
    }

    /// Who reads a file, by its path from the root.
    pub fn claims(&self, path: &Path) -> Vec<Claim> {
        let mut claims: Vec<Claim> = Vec::new();
        for claim in self.fitting(path) {
            // `fastlane/Fastfile` is meant where it fits, and not `Fastfile` as well.
            match claims.iter_mut().find(|it| it.runner == claim.runner) {
                Some(known) if known.depth < claim.depth => *known = claim,
                Some(_) => {}
                None => claims.push(claim),
            }
        }
        claims
    }

    fn fitting<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = Claim> + 'a {
        let text = path.to_str().unwrap_or("");
        let (above, name) = text.rsplit_once('/').unwrap_or(("", text));
        let folder = above.rsplit('/').next().unwrap_or("");
        let deep = self.deep.iter().filter(move |(above, _)| above.find(text.as_bytes()).is_some()).map(|(_, it)| it);
        let starred = self.starred.iter().filter(move |pattern| fits_star(pattern.text, name));
        let any_case = self.any_case.iter().filter(move |pattern| pattern.text.eq_ignore_ascii_case(name));
        let exact = self.exact.get(name).into_iter().flatten();
        let claims = exact.chain(self.in_folder.get(folder).into_iter().flatten()).chain(deep).chain(starred);
        let claims = claims.filter_map(move |pattern| Some(pattern.claim(depth(pattern.text, path)?)));
        claims.chain(any_case.map(|pattern| pattern.claim(1)))
    }
}

/// Finds files of one folder.
#[derive(Debug)]
pub struct Within<'a> {
    finder: &'a Finder,
    folder: PathBuf,
    /// There are patterns that fit in folders such as this one alone.
    is_special: bool,
}

impl Within<'_> {
    /// Whether a name tells of a package manager.
    pub fn is_mark(&self, name: &str) -> bool {
        self.finder.marks.contains(name)
    }

    /// Whether any runner reads a file of this name.
    pub fn is_wanted(&self, name: &str) -> bool {
        let Finder { exact, any_case, starred, .. } = self.finder;
        if self.finder.others.is_some_and(|is_other| is_other(name)) {
            return true;
        }
        let may_be = self.is_special
            || exact.contains_key(name)
            || starred.iter().any(|pattern| fits_star(pattern.text, name))
            || any_case.iter().any(|pattern| pattern.text.eq_ignore_ascii_case(name));
        may_be && self.finder.is_wanted(&self.folder.join(name))
    }
}

impl Pattern {
    fn claim(&self, depth: usize) -> Claim {
        Claim { runner: self.runner, rank: self.rank, depth, loose: last(self.text) == "*" }
    }
}

fn last(pattern: &str) -> &str {
    pattern.rsplit('/').next().unwrap_or(pattern)
}

fn fits_star(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
        None => pattern == name,
    }
}

/// How many parts at the end of a path a pattern covers; none where it does not fit.
fn depth(pattern: &str, path: &Path) -> Option<usize> {
    let mut parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let mut depth = 0;
    let mut wanted = pattern.rsplit('/').peekable();
    while let Some(part) = wanted.next() {
        if part != "**" {
            parts.next().filter(|name| fits_star(part, name))?;
            depth += 1;
            continue;
        }
        // Any number of folders, up to the nearest that fits what comes before.
        let Some(above) = wanted.next() else { return Some(depth) };
        loop {
            depth += 1;
            if fits_star(above, parts.next()?) {
                break;
            }
        }
    }
    Some(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path() {
        let cases = [
            ("Makefile", "a/b/Makefile", Some(1)),
            ("Makefile", "a/GNUmakefile", None),
            (".vscode/tasks.json", "a/.vscode/tasks.json", Some(2)),
            (".vscode/tasks.json", "a/vscode/tasks.json", None),
            (".github/workflows/*.yml", ".github/workflows/ci.yml", Some(3)),
            (".github/workflows/*.yml", ".github/ci.yml", None),
            ("lib/tasks/**/*.rake", "x/lib/tasks/a/b/c.rake", Some(5)),
            ("lib/tasks/**/*.rake", "x/lib/tasks/c.rake", Some(3)),
            ("lib/tasks/**/*.rake", "lib/c.rake", None),
            ("*.build.ps1", "a/x.build.ps1", Some(1)),
        ];
        for (pattern, path, wanted) in cases {
            assert_eq!(depth(pattern, Path::new(path)), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn every_pattern_finds_its_own_file() {
        let finder = Finder::new();
        for (place, runner) in RUNNERS.iter().enumerate() {
            for pattern in runner.first.iter().chain(runner.every) {
                let path = format!("p/{}", pattern.trim_start_matches('~').replace("**/", "x/").replace('*', "x"));
                let path = Path::new(&path);
                assert!(finder.is_wanted(path), "{}", path.display());
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(finder.within(path.parent().unwrap()).is_wanted(name), "{}", path.display());
                assert!(finder.claims(path).iter().any(|claim| claim.runner == place), "{}", path.display());
            }
        }
        assert!(!finder.is_wanted(Path::new("src/main.rs")));
    }
}
