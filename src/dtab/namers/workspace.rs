//! What nagaya itself binds names to.
//!
//! | name | is |
//! | --- | --- |
//! | `/#/local/NAME` | a service of the workspace |
//! | `/#/local/NAME-VERSION` | one version of it |
//! | `/#/fs/NAME` | the addresses in a file |
//! | `/#/external/NAME` | a service that lives elsewhere |
//! | `/#/remote/REMOTE/NAME` | a service of the workspace, as it runs in another place |

use std::sync::Arc;

use super::super::label::Label;
use super::super::path::Path;
use super::super::tree::NameTree;
use super::{Answer, Namer, Namers, Place};

/// How many folders deep a file of addresses may be.
const DEEPEST: usize = 8;

/// What a name is asked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Local,
    File,
    External,
    /// By two labels: `staging/users`.
    Remote,
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence<E> {
    /// A service that is unknown, was stopped, or has failed and is not started again; a file that is missing.
    /// Fallbacks are used.
    Absent,
    /// A service that is on its way, where waiting is wanted: whoever asks is to start it and ask again. One that is
    /// to have its share of a union while it starts is not `Pending`, which would leave the union, but `At`.
    Pending,
    /// There it is.
    At(E),
    /// A service that has no instance by intention, a file that is empty: no fallback is used.
    Vacant,
    /// It means other names, each followed by whatever is behind the name: the addresses in a file.
    Means(NameTree<Path>),
}

/// Whoever knows the services of a workspace.
pub trait Services<E> {
    /// What is known of a name; see [`readings`] for one with a version.
    fn find(&self, kind: Kind, name: &str) -> Presence<E>;
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Local, Self::File, Self::External, Self::Remote];

    /// The label behind `/#`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::File => "fs",
            Self::External => "external",
            Self::Remote => "remote",
        }
    }

    /// How many labels name one of them.
    fn labels(self) -> usize {
        if self == Self::Remote { 2 } else { 1 }
    }

    /// `/#/local`.
    pub fn prefix(self) -> Path {
        Path::of(["#", self.word()]).unwrap_or_default()
    }
}

impl<E: 'static> Namers<E> {
    /// The namers of a workspace.
    pub fn of_workspace(services: Arc<impl Services<E> + Send + Sync + 'static>) -> Self {
        let namer = |kind| ByName { kind, services: Arc::clone(&services) };
        Kind::ALL.into_iter().fold(Self::default(), |namers, kind| namers.with(kind.prefix(), namer(kind)))
    }
}

struct ByName<S> {
    kind: Kind,
    services: Arc<S>,
}

impl<E, S: Services<E>> Namer<E> for ByName<S> {
    fn lookup(&self, rest: &[Label]) -> Answer<E> {
        if self.kind == Kind::File {
            // Folders nest: the shortest name that is a file is meant.
            let mut answers = (1..=rest.len().min(DEEPEST)).map(|taken| self.named(rest, taken));
            return answers.find(|answer| !matches!(answer, Answer::Neg)).unwrap_or(Answer::Neg);
        }
        self.named(rest, self.kind.labels())
    }
}

impl<S> ByName<S> {
    fn named<E>(&self, rest: &[Label], taken: usize) -> Answer<E>
    where
        S: Services<E>,
    {
        let labels =
            rest.get(..taken).and_then(|labels| labels.iter().map(Label::as_str).collect::<Option<Vec<&str>>>());
        let Some(name) = labels.map(|labels| labels.join("/")) else { return Answer::Neg };
        let place = match self.services.find(self.kind, &name) {
            Presence::Absent => return Answer::Neg,
            Presence::Pending => return Answer::Pending,
            Presence::At(endpoints) => Place::At(endpoints),
            Presence::Vacant => Place::Vacant,
            Presence::Means(tree) => return Answer::Tree(tree.map(&mut |leaf| leaf.join(&rest[taken..]))),
        };
        Answer::Bound { taken, place }
    }
}

/// The ways to read a name, likeliest first: as a service, then as service and version. Names may have hyphens
/// themselves: `user-db-v2` is `user-db-v2`, `user-db` in version `v2`, or `user` in version `db-v2`.
pub fn readings(name: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let versions = name.rmatch_indices('-').map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
    std::iter::once((name, None)).chain(
        versions.filter(|(service, version)| !service.is_empty() && version.is_some_and(|version| !version.is_empty())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_end_with_a_version() {
        let read = |name| readings(name).map(|(service, version)| format!("{service}@{}", version.unwrap_or("")));
        assert_eq!(read("users").collect::<Vec<_>>(), ["users@"]);
        assert_eq!(read("user-db-v2").collect::<Vec<_>>(), ["user-db-v2@", "user-db@v2", "user@db-v2"]);
        assert_eq!(read("-a-").collect::<Vec<_>>(), ["-a-@"]);
    }
}
