//! Git's settings of one repository, as far as they say what is left out: `core.excludesFile` (git-config(1)).

use std::path::{Path, PathBuf};

/// The file that a repository's settings name, from its top; nothing where they name none. An empty value names a file that
/// is not there, so that the account's counts no more.
pub fn excludes_file(settings: &str, top: &Path) -> Option<PathBuf> {
    last(settings, "core", "excludesfile").map(|value| path(&value, top))
}

/// Whether worktrees have settings of their own.
pub fn is_by_worktree(settings: &str) -> bool {
    last(settings, "extensions", "worktreeconfig")
        .is_some_and(|value| ["true", "yes", "on", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes)))
}

/// The last value of a key, which is the one that counts. Sections and keys are known in whatever case.
fn last(settings: &str, section: &str, key: &str) -> Option<String> {
    let mut is_inside = false;
    let mut found = None;
    for line in settings.lines().map(str::trim) {
        let mut line = line;
        if let Some((head, rest)) = line.strip_prefix('[').and_then(|it| it.split_once(']')) {
            is_inside = head.trim().eq_ignore_ascii_case(section);
            // A value may stand behind its section's head.
            line = rest.trim_start();
        }
        // A key without a value is true.
        let (name, text) = line.split_once('=').unwrap_or((line, "true"));
        if is_inside && name.trim().eq_ignore_ascii_case(key) {
            found = Some(value(text));
        }
    }
    found
}

/// A value without quotes and the comment behind it.
fn value(text: &str) -> String {
    let mut out = String::new();
    let mut is_quoted = false;
    // What spaces at the end come to is known when something follows.
    let mut spaces = String::new();
    let mut all = text.trim().chars();
    while let Some(c) = all.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            '#' | ';' if !is_quoted => break,
            c if c.is_whitespace() && !is_quoted => spaces.push(c),
            c => {
                out.push_str(&std::mem::take(&mut spaces));
                out.extend(if c == '\\' { all.next() } else { Some(c) });
            }
        }
    }
    out
}

fn path(value: &str, top: &Path) -> PathBuf {
    match (value.strip_prefix("~/"), std::env::home_dir()) {
        (Some(below), Some(home)) => home.join(below),
        _ => top.join(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_right_section_counts() {
        let of = |text: &str| excludes_file(text, Path::new("/w")).map(|path| path.display().to_string());
        for (text, wanted) in [
            ("[core]\n\tbare = false\n\texcludesFile = /a/b\n", Some("/a/b")),
            ("[core] excludesfile=a # ours\n", Some("/w/a")),
            ("[Core]\nEXCLUDESFILE = \"a #b\" ; c\n[alias]\nexcludesFile = x\n", Some("/w/a #b")),
            ("[core]\nexcludesFile = a\n[core]\nexcludesFile = b c \n", Some("/w/b c")),
            ("[core]\nexcludesFile = a\\\\b\\\"\n", Some("/w/a\\b\"")),
            ("[core]\nexcludesFile =\n", Some("/w/")),
            ("[core \"x\"]\nexcludesFile = a\n#[core]\n", None),
            ("[core\nexcludesFile = a\n", None),
        ] {
            assert_eq!(of(text).as_deref(), wanted, "{text}");
        }
        for (text, wanted) in [("worktreeConfig = true", true), ("worktreeconfig", true), ("worktreeConfig = 0", false)]
        {
            assert_eq!(is_by_worktree(&format!("[extensions]\n{text}\n")), wanted, "{text}");
        }
        let home = std::env::home_dir().unwrap();
        assert_eq!(excludes_file("[core]\nexcludesFile = ~/x\n", Path::new("/w")), Some(home.join("x")));
    }
}
