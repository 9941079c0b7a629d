//! Which files of a tree are whose, by their paths alone.
//!
//! A pattern is the end of a path: `Makefile`, `.vscode/tasks.json`. In its last part one `*` stands for any text; a
//! part `**` stands for any number of folders; `~` before the whole takes capitals and small letters as the same. The
//! project is the folder that the pattern begins in.

use std::collections::HashMap;
use std::path::{Component, Path};

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

/// Finds whose a file is.
#[derive(Debug)]
pub struct Finder {
    /// Patterns by the last part of a path.
    exact: HashMap<&'static str, Vec<Pattern>>,
    /// The same in small letters, for those who do not care.
    lower: HashMap<String, Vec<Pattern>>,
    /// Patterns with a star in their last part, by the text after it.
    starred: Vec<Pattern>,
}

/// A file that one runner reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The place in [`RUNNERS`].
    pub runner: usize,
    /// The place among those of which only the first is read; none where all are.
    pub rank: Option<usize>,
    /// How many parts of the path are above the project's folder, which is what comes before them.
    pub depth: usize,
}

#[derive(Debug, Clone, Copy)]
struct Pattern {
    runner: usize,
    rank: Option<usize>,
    /// Without the `~`.
    text: &'static str,
}

impl Default for Finder {
    fn default() -> Self {
        let mut finder = Self { exact: HashMap::new(), lower: HashMap::new(), starred: Vec::new() };
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
}

impl Finder {
    fn add(&mut self, pattern: Pattern) {
        let last = pattern.text.rsplit('/').next().unwrap_or(pattern.text);
        if let Some(text) = pattern.text.strip_prefix('~') {
            self.lower
                .entry(last.trim_start_matches('~').to_lowercase())
                .or_default()
                .push(Pattern { text, ..pattern });
        } else if last.contains('*') {
            self.starred.push(pattern);
        } else {
            self.exact.entry(last).or_default().push(pattern);
        }
    }

    /// Whether any runner reads a file, by its path from the root.
    pub fn is_wanted(&self, path: &Path) -> bool {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
        let fits = |pattern: &Pattern| depth(pattern.text, path).is_some();
        self.exact.get(name).is_some_and(|it| it.iter().any(fits))
            || self.lower.contains_key(&name.to_lowercase())
            || self.starred.iter().any(|pattern| fits_star(last(pattern.text), name) && fits(pattern))
    }

    /// Who reads a file, by its path from the root.
    pub fn claims(&self, path: &Path) -> Vec<Claim> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
        let starred = self.starred.iter().filter(|pattern| fits_star(last(pattern.text), name));
        let lowered = name.to_lowercase();
        let all = self.exact.get(name).into_iter().flatten().chain(starred);
        let exact = all.filter_map(|it| Some(it.claim(depth(it.text, path)?)));
        let lower = self.lower.get(&lowered).into_iter().flatten().map(|it| it.claim(1));
        let mut claims: Vec<Claim> = Vec::new();
        for claim in exact.chain(lower) {
            // `fastlane/Fastfile` is meant where it fits, and not `Fastfile` as well.
            match claims.iter_mut().find(|it| it.runner == claim.runner) {
                Some(known) if known.depth < claim.depth => *known = claim,
                Some(_) => {}
                None => claims.push(claim),
            }
        }
        claims
    }
}

impl Pattern {
    fn claim(&self, depth: usize) -> Claim {
        Claim { runner: self.runner, rank: self.rank, depth }
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
        let finder = Finder::default();
        for (place, runner) in RUNNERS.iter().enumerate() {
            for pattern in runner.first.iter().chain(runner.every) {
                let path = format!("p/{}", pattern.trim_start_matches('~').replace("**/", "x/").replace('*', "x"));
                let path = Path::new(&path);
                assert!(finder.is_wanted(path), "{}", path.display());
                assert!(finder.claims(path).iter().any(|claim| claim.runner == place), "{}", path.display());
            }
        }
        assert!(!finder.is_wanted(Path::new("src/main.rs")));
    }
}
