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
    pub fn read(text: &str) -> Self {
        let rule = |line: &str| {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (keeps, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build().ok()?;
            Some(Rule { keeps, glob: glob.compile_matcher() })
        };
        Self { rules: text.lines().filter_map(rule).collect() }
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
            Ignored::read("# built\nnode_modules\n/dist/\n**/*.log\n*.md\n!README.md\nsrc/*/tmp\n!dist/keep\n");
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
        assert!(ignored.has_exceptions() && !Ignored::read("a\n").has_exceptions());
        assert!(Ignored::read("*\n!src\n").leaves_out(Path::new("x")));
        assert!(!Ignored::read("*\n!src\n").leaves_out(Path::new("src/x")));
    }
}
