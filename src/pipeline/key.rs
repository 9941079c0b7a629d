//! What a result depends on, part by part: so that two results can be told apart, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Changes whenever what is recorded, or how, does.
const FORMAT: u32 = 2;

/// One thing that a result depends on, as people call it: `command`, `input src/a.rs`, `variable MODE`.
pub type Part = String;

/// The parts with the hash of each.
pub type Parts = BTreeMap<Part, String>;

/// The name of a result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(pub String);

/// A result that was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub key: Key,
    pub parts: Parts,
    /// The hash of what was written.
    pub log: String,
    pub outputs: Vec<Output>,
    /// The permissions of all folders that its outputs are in, by their paths.
    pub folders: BTreeMap<String, u32>,
    pub duration_ms: u64,
}

impl Record {
    /// What stands for the result in the keys of those that need it: what it was made of, and what was made.
    pub fn stand_in(&self) -> Key {
        let outputs = serde_json::to_vec(&self.outputs).unwrap_or_default();
        Key(hash_of([self.key.0.as_bytes(), outputs.as_slice()]))
    }
}

/// A file that a task made. Paths are from its folder; what is not UTF-8 in them is written as `%` and two digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Output {
    pub path: String,
    pub kind: OutputKind,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    File {
        hash: String,
        size: u64,
        /// Its permissions.
        mode: u32,
    },
    Link {
        to: String,
    },
    /// One with nothing in it.
    Folder {
        mode: u32,
    },
}

/// How a part differs between two results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub part: Part,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
}

impl Key {
    /// The key of these parts. Lengths go first, so that no two lists read alike.
    pub fn of(parts: &Parts) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&FORMAT.to_le_bytes());
        for text in parts.iter().flat_map(|(name, hash)| [name, hash]) {
            feed(&mut hasher, text.as_bytes());
        }
        Self(hasher.finalize().to_hex().to_string())
    }

    /// The key of a task whose result is not kept, after others: what it is, as what it does cannot be known.
    pub fn of_command(argv: &[String], before: &[Self]) -> Self {
        let before = before.iter().map(|key| key.0.as_str());
        Self(hash_of([hash_of(argv).as_str()].into_iter().chain(before)))
    }
}

/// The hash of a list of texts.
pub fn hash_of<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut hasher = blake3::Hasher::new();
    texts.into_iter().for_each(|text| feed(&mut hasher, text.as_ref()));
    hasher.finalize().to_hex().to_string()
}

fn feed(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// What is different now, in the order of names.
pub fn changes(before: &Parts, now: &Parts) -> Vec<Change> {
    let change = |part: &Part, change| Change { part: part.clone(), change };
    let lost = before.keys().filter(|part| !now.contains_key(*part)).map(|part| change(part, "removed"));
    let rest = now.iter().filter_map(|(part, hash)| match before.get(part) {
        None => Some(change(part, "added")),
        Some(known) if known != hash => Some(change(part, "changed")),
        Some(_) => None,
    });
    let mut all: Vec<Change> = lost.chain(rest).collect();
    all.sort_by(|a, b| a.part.cmp(&b.part));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(list: &[(&str, &str)]) -> Parts {
        list.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect()
    }

    #[test]
    fn no_two_lists_read_alike() {
        let lists = [parts(&[]), parts(&[("a", "bc")]), parts(&[("ab", "c")]), parts(&[("a", "b"), ("c", "")])];
        let keys: std::collections::BTreeSet<Key> = lists.iter().map(Key::of).collect();
        assert_eq!(keys.len(), lists.len());
        assert_ne!(hash_of(["ab", "c"]), hash_of(["a", "bc"]));
    }

    #[test]
    fn what_changed_is_named() {
        let before = parts(&[("command", "1"), ("input a", "1"), ("input b", "1")]);
        let now = parts(&[("command", "1"), ("input b", "2"), ("input c", "1")]);
        let shown: Vec<(String, &str)> = changes(&before, &now).into_iter().map(|it| (it.part, it.change)).collect();
        let wanted = [("input a", "removed"), ("input b", "changed"), ("input c", "added")];
        assert_eq!(shown, wanted.map(|(part, change)| (part.to_owned(), change)));
    }
}
