//! Binding: from the name of a request to what it is bound to (finagle: `Namer.bind`; linkerd: `ConfiguredDtabNamer`).

use super::Dtab;
use super::chain::Chain;
use super::dentry::Ruled;
use super::index::Table;
use super::namers::{Namers, Place};
use super::path::Path;
use super::tree::NameTree;
use super::unbound::Unbound;
use super::walk::{Silent, Walk};

/// What names mean at one moment, for one request.
#[derive(Debug)]
pub struct Interpreter<'a, E> {
    pub table: &'a Table,
    /// Entries that are for some requests alone, of which this is one: they are written behind the table's.
    pub rules: &'a [Ruled],
    /// The request's own entries: they are written behind all others.
    pub local: &'a Dtab,
    pub namers: &'a Namers<E>,
    pub limits: Limits,
}

/// When binding is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Look-ups from the request's name to a bound one.
    pub depth: usize,
    /// Names and branches in all. Finagle has no such limit: `/s => /s/a & /s/b` keeps it busy for ever.
    pub work: usize,
}

/// What a name is bound to.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound<E> {
    /// The name that a namer knew.
    pub id: Path,
    /// What was behind it, for whom it leads to.
    pub residual: Path,
    pub place: Place<E>,
}

/// A tree without alternatives, or why there is none.
pub type Outcome<E> = Result<NameTree<Bound<E>>, Unbound>;

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, work: 10_000 }
    }
}

impl<E: Clone> Interpreter<'_, E> {
    /// Binds a name. `Ok(Neg)`: it leads nowhere.
    pub fn bind(&self, path: &Path) -> Outcome<E> {
        Walk::new(self, Silent).name(path, Chain::default())
    }

    /// Binds a tree of names.
    pub fn bind_tree(&self, tree: &NameTree<Path>) -> Outcome<E> {
        Walk::new(self, Silent).tree(tree, &[], Chain::default())
    }
}
