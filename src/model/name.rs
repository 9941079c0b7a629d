//! Names that are safe in host names, file names and environment variables alike.

use std::fmt;
use std::sync::Arc;

/// The longest label DNS allows (RFC 1035 section 2.3.4).
pub(super) const LONGEST: usize = 63;

/// The name of a service: a DNS label, `_` allowed since Compose files use it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

/// The name of a workspace; same alphabet as a service's, as it is a label in `NAME.WORKSPACE.localhost`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceName(Arc<str>);

/// A Kubernetes namespace: a DNS label (RFC 1123), without `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("a name cannot be empty")]
    Empty,
    #[error("a name has at most {LONGEST} characters, this one has {0}")]
    TooLong(usize),
    #[error("`{0}` cannot stand in a name")]
    Character(char),
    #[error("a name starts and ends with a letter or digit")]
    Edge,
}

impl BadName {
    /// The nearest text that would be a name, if there is one.
    pub fn suggestion(text: &str) -> Option<String> {
        let lowered: String =
            text.to_lowercase().chars().map(|c| if is_inner(c) { c } else { '-' }).take(LONGEST).collect();
        let trimmed = lowered.trim_matches(|c| !is_edge(c));
        (!trimmed.is_empty() && trimmed != text).then(|| trimmed.to_owned())
    }
}

fn is_edge(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_inner(c: char) -> bool {
    is_edge(c) || c == '-' || c == '_'
}

fn check(text: &str, allowed: impl Fn(char) -> bool) -> Result<(), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if let Some(c) = text.chars().find(|&c| !allowed(c)) {
        return Err(BadName::Character(c));
    }
    if text.len() > LONGEST {
        return Err(BadName::TooLong(text.len()));
    }
    if !text.starts_with(is_edge) || !text.ends_with(is_edge) {
        return Err(BadName::Edge);
    }
    Ok(())
}

macro_rules! name_type {
    ($name:ident, $allowed:expr) => {
        impl $name {
            /// Reads a name; see [`BadName`] for what is refused.
            pub fn new(text: &str) -> Result<Self, BadName> {
                check(text, $allowed).map(|()| Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name_type!(ServiceName, is_inner);
name_type!(WorkspaceName, is_inner);
name_type!(Namespace, |c| is_inner(c) && c != '_');

/// Kubernetes' namespace for what says nothing of one.
impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

impl ServiceName {
    /// The spelling inside an environment variable.
    pub fn in_variable(&self) -> String {
        in_variable(&self.0)
    }
}

/// The spelling of a name inside an environment variable: `user-db` becomes `USER_DB`.
pub fn in_variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_dns_labels_and_underscores() {
        for good in ["a", "web", "user-db", "user_db", "v2", "0a", &"x".repeat(63)] {
            assert!(ServiceName::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_the_rest_with_its_reason() {
        let cases = [
            ("", BadName::Empty),
            ("Web", BadName::Character('W')),
            ("a.b", BadName::Character('.')),
            ("-a", BadName::Edge),
            ("a_", BadName::Edge),
            (&"x".repeat(64), BadName::TooLong(64)),
        ];
        for (text, reason) in cases {
            assert_eq!(ServiceName::new(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn suggests_a_name() {
        assert_eq!(BadName::suggestion("User.DB").as_deref(), Some("user-db"));
        assert_eq!(BadName::suggestion("-x-").as_deref(), Some("x"));
        assert_eq!(BadName::suggestion("..."), None);
    }

    #[test]
    fn a_namespace_has_no_underscore() {
        assert!(Namespace::new("team-a").is_ok());
        assert_eq!(Namespace::new("team_a"), Err(BadName::Character('_')));
    }
}
