//! Why a name was not bound.

use super::chain::Unended;
use super::namers::flaw;
use super::path::Path;

/// What stands in the way of an answer. `~`, `!` and `$` are answers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unbound {
    /// These names are known, and it is not yet known where they lead: ask again when that has changed.
    #[error("not known yet: {}", listed(.0))]
    Pending(Vec<Path>),
    /// A name led to another for too long (finagle: `NamerExceededMaxDepthException`).
    #[error("{limit} names were followed, and {end}")]
    TooDeep { limit: usize, end: Box<Unended> },
    /// Names led to so many others that binding was given up.
    #[error("{limit} names and branches were tried, and {end}")]
    TooMuch { limit: usize, end: Box<Unended> },
    /// `/$/KIND`, and there is no such kind.
    #[error("{path}: {}", unknown(path, kind))]
    UnknownNamer { path: Path, kind: String },
    /// A namer could not answer.
    #[error("{path}: {message}")]
    Namer { path: Path, message: String },
}

impl Unbound {
    /// Nothing else is tried behind this; behind all others, a union goes on with its other branches.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::TooMuch { .. })
    }

    /// What a union without any branch left is, whose branches have these reasons: the first that is an error, else
    /// that all are pending (finagle: `Namer.bindUnion`).
    pub(super) fn of_union(reasons: Vec<Self>) -> Self {
        let mut pending = Vec::new();
        for reason in reasons {
            match reason {
                Self::Pending(paths) => pending.extend(paths),
                error => return error,
            }
        }
        Self::Pending(pending)
    }
}

fn unknown(path: &Path, kind: &str) -> String {
    let none = || format!("there is no namer `/$/{kind}`; there are `inet`, `nil`, `fail` and those of `io.buoyant`");
    flaw(path).unwrap_or_else(none)
}

fn listed(paths: &[Path]) -> String {
    paths.iter().map(Path::to_string).collect::<Vec<_>>().join(", ")
}
