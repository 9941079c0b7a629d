//! Namers: where names end, at endpoints.

mod hostport;
mod http;
mod rewrite;
pub(super) mod system;
mod workspace;

use std::fmt;

pub use rewrite::{BadPattern, Rewrite};
pub use system::flaw;
pub use workspace::{Kind, Presence, Services, readings};

use super::label::Label;
use super::path::Path;
use super::tree::NameTree;

/// Whoever knows what the names below a prefix are. It answers from what it knows: nothing is waited for.
pub trait Namer<E> {
    /// What a path is, its prefix taken off.
    fn lookup(&self, rest: &[Label]) -> Answer<E>;
}

/// What a namer says of a path. What is `Neg` decides when fallbacks are used: never for what is there and empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<E> {
    /// There is no such thing. The next namer is asked, then the next alternative; a union does without.
    Neg,
    /// There is, and where is not known yet. Alternatives wait for it; a union goes on with its other branches.
    Pending,
    /// There is, by the name of so many labels. What is behind them is left for whom they lead to.
    Bound { taken: usize, place: Place<E> },
    /// It means other names, which are looked up in turn; or a symbol.
    Tree(NameTree<Path>),
    /// Cannot tell. Alternatives end with it; a union goes on with its other branches.
    Error(String),
}

/// Where a bound name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<E> {
    /// To endpoints, in whatever form the caller has them.
    At(E),
    /// To a host and port that are written in the name.
    Inet(Address),
    /// To nobody: the name is bound, so nothing else is tried, and requests fail.
    Vacant,
}

/// `/$/inet/HOST/PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address; `localhost` where none was given.
    pub host: String,
    pub port: u16,
}

/// Namers by their prefixes, in the order in which they are asked.
pub struct Namers<E>(Vec<(Path, Box<dyn Namer<E> + Send + Sync>)>);

impl<E> Namers<E> {
    /// One more, behind the others. Several may have the same prefix: a `Neg` of one asks the next.
    #[must_use]
    pub fn with(mut self, prefix: Path, namer: impl Namer<E> + Send + Sync + 'static) -> Self {
        self.0.push((prefix, Box::new(namer)));
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, &(dyn Namer<E> + Send + Sync))> {
        self.0.iter().map(|(prefix, namer)| (prefix, &**namer))
    }
}

impl<E> Default for Namers<E> {
    /// None but the system's.
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E> fmt::Debug for Namers<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(prefix, _)| prefix)).finish()
    }
}

impl<E, F: Fn(&[Label]) -> Answer<E>> Namer<E> for F {
    fn lookup(&self, rest: &[Label]) -> Answer<E> {
        self(rest)
    }
}

impl<E> Answer<E> {
    /// The same, said of a path with a prefix of this length.
    pub(super) fn behind(self, prefix: usize) -> Self {
        match self {
            Self::Bound { taken, place } => Self::Bound { taken: prefix + taken, place },
            Self::Tree(NameTree::Neg) => Self::Neg,
            other => other,
        }
    }

    /// Other names, or nothing where there are none.
    fn rewritten(path: Result<Option<Path>, String>) -> Self {
        match path {
            Ok(Some(path)) => Self::Tree(NameTree::Leaf(path)),
            Ok(None) => Self::Neg,
            Err(message) => Self::Error(message),
        }
    }
}
