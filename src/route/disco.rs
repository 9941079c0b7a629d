//! Addresses that somebody has written into files: `/#/fs/NAME`, linkerd 1's `io.l5d.fs`.
//!
//! A file has a line `HOST PORT` for each address, behind it `* WEIGHT` where that is not 1, and comments behind `#`. A
//! missing file is nothing, so that alternatives are used; an empty one is nobody, so that they are not.

use std::collections::BTreeMap;

use crate::dtab::namers::Presence;
use crate::dtab::{NameTree, Path, Weight, Weighted};

/// The folder of these files, beside the manifest.
pub const FOLDER: &str = "disco";

/// What the files name, by path below the folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disco {
    named: BTreeMap<String, NameTree<Path>>,
    /// Those that mean nothing, as they cannot be read, with the reason.
    bad: BTreeMap<String, String>,
}

/// Why a file cannot be read as addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadFile {
    /// From 1.
    pub line: usize,
    pub reason: String,
}

/// The text of a file, or why there is none.
pub type Text = Result<String, String>;

impl Disco {
    /// What these files name. One that cannot be read means what it did; the words are for the user.
    pub fn read(files: BTreeMap<String, Text>, before: &Self) -> (Self, Vec<String>) {
        let (mut now, mut troubles) = (Self::default(), Vec::new());
        for (name, text) in files {
            let read = text.and_then(|text| addresses(&text).map_err(|error| error.to_string()));
            match (read, before.named.get(&name)) {
                (Ok(tree), _) => drop(now.named.insert(name, tree)),
                (Err(error), Some(tree)) => {
                    troubles.push(format!("{FOLDER}/{name}: {error}; it means what it did before"));
                    now.named.insert(name, tree.clone());
                }
                (Err(error), None) => {
                    troubles.push(format!("{FOLDER}/{name}: {error}"));
                    now.bad.insert(name, error);
                }
            }
        }
        (now, troubles)
    }

    /// Why a file that is there means nothing.
    pub fn flaw(&self, name: &str) -> Option<&str> {
        self.bad.get(name).map(String::as_str)
    }

    /// What a file names.
    pub fn find<E>(&self, name: &str) -> Presence<E> {
        match self.named.get(name) {
            None => Presence::Absent,
            Some(NameTree::Neg) => Presence::Vacant,
            Some(tree) => Presence::Means(tree.clone()),
        }
    }
}

/// The addresses of a file, by weight: `~` where there are none.
pub fn addresses(text: &str) -> Result<NameTree<Path>, BadFile> {
    let mut branches = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let bad = |reason: String| BadFile { line: place + 1, reason };
        if let Some(branch) = address(line).map_err(bad)? {
            branches.push(branch);
        }
    }
    Ok(NameTree::union(branches))
}

fn address(line: &str) -> Result<Option<Weighted<Path>>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (host, port, weight) = match words.as_slice() {
        [] => return Ok(None),
        [host, port] => (host, port, "1"),
        [host, port, "*", weight] => (host, port, *weight),
        _ => return Err(format!("`{}` is no `HOST PORT` or `HOST PORT * WEIGHT`", line.trim())),
    };
    let number = port.parse::<u16>().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| format!("`{port}` is no port"))?;
    let weight = weight.parse().ok().and_then(Weight::new).ok_or_else(|| format!("`{weight}` is no weight"))?;
    let path = Path::of(["$", "inet", host, &number.to_string()]).ok_or_else(|| format!("`{host}` is no host"))?;
    Ok(Some(Weighted { weight, tree: NameTree::Leaf(path) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_addresses() {
        let cases = [
            ("", "~"),
            ("# nobody\n\n", "~"),
            ("10.0.0.1 80", "/$/inet/10.0.0.1/80"),
            (" a.b\t8080 # one\nc 81 * 0.5\r\n", "/$/inet/a.b/8080 & 0.5*/$/inet/c/81"),
        ];
        for (text, tree) in cases {
            assert_eq!(addresses(text).unwrap().to_string(), tree, "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_is_told_by_its_number() {
        let cases = [
            ("a 80\nb", "line 2: `b` is no `HOST PORT` or `HOST PORT * WEIGHT`"),
            ("a:80", "line 1: `a:80` is no `HOST PORT` or `HOST PORT * WEIGHT`"),
            ("a 0", "line 1: `0` is no port"),
            ("a 70000", "line 1: `70000` is no port"),
            ("a 80 * x", "line 1: `x` is no weight"),
            ("a 80 * -1", "line 1: `-1` is no weight"),
        ];
        for (text, error) in cases {
            assert_eq!(addresses(text).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn what_cannot_be_read_means_what_it_did() {
        let files =
            |texts: &[(&str, Text)]| texts.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let (good, troubles) =
            Disco::read(files(&[("a", Ok("x 1".to_owned())), ("b", Ok(String::new()))]), &Disco::default());
        assert_eq!(troubles, [""; 0]);
        let (now, troubles) = Disco::read(files(&[("a", Ok("x".to_owned())), ("c", Err("no".to_owned()))]), &good);
        assert_eq!(troubles.len(), 2);
        assert!(troubles[0].ends_with("`x` is no `HOST PORT` or `HOST PORT * WEIGHT`; it means what it did before"));
        assert_eq!(troubles[1], "disco/c: no");
        assert_eq!([now.find::<()>("b"), now.find("c")], [Presence::Absent, Presence::Absent]);
        assert_eq!([now.flaw("a"), now.flaw("b"), now.flaw("c")], [None, None, Some("no")]);
        assert_eq!((now.find::<()>("a"), good.find::<()>("b")), (good.find("a"), Presence::Vacant));
    }
}
