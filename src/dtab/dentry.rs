//! Entries of a table: prefix and tree.

use std::sync::Arc;

use super::path::Path;
use super::prefix::Prefix;
use super::tree::NameTree;

/// `prefix => tree`: what the paths that start so mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Dentry {
    pub prefix: Prefix,
    pub tree: NameTree<Path>,
}

/// An entry that is for some requests alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruled {
    /// Which requests those are, in few words.
    pub label: Arc<str>,
    pub dentry: Dentry,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<L = Arc<str>> {
    Table,
    /// It is for some requests alone, of which this is one.
    Rule(L),
    /// It came with the request.
    Override,
}

impl Origin<&Arc<str>> {
    pub(super) fn owned(self) -> Origin {
        match self {
            Self::Table => Origin::Table,
            Self::Rule(label) => Origin::Rule(label.clone()),
            Self::Override => Origin::Override,
        }
    }
}

impl Dentry {
    /// What a path becomes, if the entry is for it: the tree, each leaf followed by what the prefix left of the path.
    pub fn delegate(&self, path: &Path) -> Option<NameTree<Path>> {
        let rest = self.prefix.strip(path)?;
        Some(self.tree.map(&mut |leaf| leaf.join(rest)))
    }
}
