//! Entries of a table: prefix and tree.

use super::path::Path;
use super::prefix::Prefix;
use super::tree::NameTree;

/// `prefix => tree`: what the paths that start so mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Dentry {
    pub prefix: Prefix,
    pub tree: NameTree<Path>,
}

impl Dentry {
    /// What a path becomes, if the entry is for it: the tree, each leaf followed by what the prefix left of the path.
    pub fn delegate(&self, path: &Path) -> Option<NameTree<Path>> {
        let rest = self.prefix.strip(path)?;
        Some(self.tree.map(&mut |leaf| leaf.join(rest)))
    }
}
