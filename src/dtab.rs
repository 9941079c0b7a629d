//! Dtabs: the language in which routes are written, as finagle and linkerd 1 have it.
//!
//! A request has a name, `/svc/users`. A **dtab** (delegation table) says what names mean:
//!
//! ```text
//! /svc       => /#/local ;                         # every service is one of this workspace
//! /svc/users => 1*/svc/users-v2 & 99*/svc/users-v1 # but one call of users in a hundred goes to its new version
//! ```
//!
//! A name is looked up, last entry first, and its matching start is replaced; what comes out is looked up again, until
//! a **namer** binds it to endpoints (`/#/local/users-v2`) or nobody knows it.
//!
//! | symbol | is | as an alternative, `a \| b` | in a union, `3*a & b` |
//! | --- | --- | --- | --- |
//! | `/path` | a name | is looked up | is looked up |
//! | `~` | nothing | the next one is tried | its branch goes, its share with it |
//! | `!` | a failure | all fail | its branch goes, its share with it |
//! | `$` | something without anybody | is what was looked for | keeps its share, whose requests fail |
//!
//! Texts become values in `parse` and texts again in `print`, without loss. [`Interpreter`] binds: `walk` is the one
//! code that does, whether somebody watches ([`Trace`]) or not. Nothing here waits, and nothing runs for ever
//! ([`Limits`]).

mod bind;
mod chain;
mod cursor;
mod delegate;
mod dentry;
mod draw;
mod hint;
mod identify;
mod index;
mod label;
pub mod namers;
pub mod overrides;
mod parse;
mod path;
mod prefix;
mod print;
mod syntax_error;
mod tree;
mod unbound;
mod walk;
mod weight;

pub use bind::{Bound, Interpreter, Limits, Outcome};
pub use chain::{Cycle, Unended};
pub use delegate::{Fate, Step, Trace};
pub use dentry::{Dentry, Origin, Ruled};
pub use draw::Share;
pub use identify::{BadName, Identified, Identifier, Request, Said, Unidentified, identified, naming_fields, sayings};
pub use index::{Match, Table};
pub use label::Label;
pub use namers::{Address, Answer, Namer, Namers, Place};
pub use path::Path;
pub use prefix::{Element, Prefix};
pub use syntax_error::{Expected, SyntaxError};
pub use tree::{Evaluated, NameTree, Weighted};
pub use unbound::Unbound;
pub use weight::Weight;

/// A delegation table: entries in the order in which they were written. Later ones come first when names are looked up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dtab(Vec<Dentry>);

impl Dtab {
    /// The table of these entries.
    pub fn new(entries: Vec<Dentry>) -> Self {
        Self(entries)
    }

    /// The entries as they were written.
    pub fn entries(&self) -> &[Dentry] {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes another table behind this one, whose entries then go before these.
    pub fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// What one look-up makes of a path: every matching entry's tree, later entries first, each leaf followed by what
    /// the entry's prefix left of the path (finagle: `DtabBase.lookup`).
    pub fn lookup(&self, path: &Path) -> NameTree<Path> {
        let matching = self.0.iter().rev().filter_map(|dentry| dentry.delegate(path));
        NameTree::alternatives(matching.collect())
    }
}

impl FromIterator<Dentry> for Dtab {
    fn from_iter<I: IntoIterator<Item = Dentry>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
