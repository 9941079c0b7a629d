//! Which files of a context a build does not see: `.dockerignore`.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// The rules of a file, of which the last that matches counts.
#[derive(Debug, Default)]
pub struct Ignored {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// `!`: what matches is seen after all.
    keeps: bool,
    glob: GlobMatcher,
}

impl Ignored {
    /// Reads the lines of a file. A pattern is relative to the context, with or without a slash before it.
    /// One that cannot be read is an error: what it was to keep out would come into the image.
    pub fn read(text: &str) -> Result<Self, String> {
        let rule = |(number, line): (usize, &str)| {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (keeps, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            if pattern.is_empty() || pattern == "." {
                return None;
            }
            let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
            let failed = |error: globset::Error| format!(".dockerignore, line {}: {}", number + 1, error.kind());
            Some(glob.map(|glob| Rule { keeps, glob: glob.compile_matcher() }).map_err(failed))
        };
        Ok(Self { rules: text.lines().enumerate().filter_map(rule).collect::<Result<_, _>>()? })
    }

    /// Whether a path, relative to the context, is left out. A pattern that matches a folder is about all in it.
    pub fn leaves_out(&self, path: &Path) -> bool {
        let matches = |rule: &&Rule| path.ancestors().any(|part| rule.glob.is_match(part));
        self.rules.iter().rev().find(matches).is_some_and(|rule| !rule.keeps)
    }

    /// Whether there may be something to see in a folder that is left out.
    pub fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.keeps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_counts() {
        let ignored =
            Ignored::read("# built\nnode_modules\n/dist/\n**/*.log\n*.md\n!README.md\nsrc/*/tmp\n!dist/keep\n")
                .unwrap();
        let cases = [
            ("node_modules", true),
            ("node_modules/a/b.js", true),
            ("web/node_modules", false),
            ("dist/x", true),
            ("dist/keep", false),
            ("a.log", true),
            ("deep/er/a.log", true),
            ("CHANGES.md", true),
            ("docs/CHANGES.md", false),
            ("README.md", false),
            ("src/a/tmp/x", true),
            ("src/tmp", false),
            ("main.go", false),
        ];
        for (path, expected) in cases {
            assert_eq!(ignored.leaves_out(Path::new(path)), expected, "{path}");
        }
        assert!(ignored.has_exceptions() && !Ignored::read("a\n").unwrap().has_exceptions());
        assert!(Ignored::read("*\n!src\n").unwrap().leaves_out(Path::new("x")));
        assert!(!Ignored::read("*\n!src\n").unwrap().leaves_out(Path::new("src/x")));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_what_names_nothing_is_nothing() {
        assert!(Ignored::read("a\n[b\n").is_err_and(|error| error.starts_with(".dockerignore, line 2: ")));
        assert!(!Ignored::read("/\n./\n.\n").unwrap().leaves_out(Path::new("x")));
    }
}
