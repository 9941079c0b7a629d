//! Full host names, as production's DNS has them.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::name::LONGEST;

/// The longest host name (RFC 1123 section 2.1, RFC 1035 section 2.3.4: 255 octets on the wire).
const LONGEST_NAME: usize = 253;
/// Stands for one label or more before a name (RFC 4592).
const WILDCARD: &str = "*.";

/// A host name of two labels or more (RFC 1123 section 2.1), in lower case. `*.` before it stands for any names below.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

/// Why a text is no full host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHostName {
    #[error("a host name cannot be empty")]
    Empty,
    #[error("it has no dot, so it is no full host name")]
    OneLabel,
    #[error("`{0}` cannot stand in a host name")]
    Character(char),
    #[error("between two dots there are 1 to {LONGEST} characters, the first and the last a letter or digit")]
    Label,
    #[error("a host name has at most {LONGEST_NAME} characters, this one has {0}")]
    TooLong(usize),
    #[error("`*` stands at the beginning alone, as `*.`")]
    Star,
    #[error("it is an address and no name")]
    Address,
}

impl HostName {
    /// Reads a name; capitals and a dot at the end are as good as none. See [`BadHostName`] for what is refused.
    pub fn new(text: &str) -> Result<Self, BadHostName> {
        let lowered = text.to_ascii_lowercase();
        let name = lowered.strip_suffix('.').unwrap_or(&lowered);
        check(name.strip_prefix(WILDCARD).unwrap_or(name))?;
        Ok(Self(name.into()))
    }

    /// The name as text, `*.` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a host's name is this one, or one of those that it stands for.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        match self.wildcard() {
            Some(below) => host.strip_suffix(below).is_some_and(|label| label.len() > 1 && label.ends_with('.')),
            None => *self.0 == *host,
        }
    }

    /// What stands behind `*.`, where the name begins so.
    pub fn wildcard(&self) -> Option<&str> {
        self.0.strip_prefix(WILDCARD)
    }
}

fn check(name: &str) -> Result<(), BadHostName> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let good = |label: &str| (1..=LONGEST).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    match name {
        "" => Err(BadHostName::Empty),
        _ if name.contains('*') => Err(BadHostName::Star),
        _ if name.parse::<Ipv4Addr>().is_ok() => Err(BadHostName::Address),
        _ if name.len() > LONGEST_NAME => Err(BadHostName::TooLong(name.len())),
        _ => match name.chars().find(|&c| !allowed(c)) {
            Some(c) => Err(BadHostName::Character(c)),
            None if !name.split('.').all(good) => Err(BadHostName::Label),
            None if !name.contains('.') => Err(BadHostName::OneLabel),
            None => Ok(()),
        },
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl serde::Serialize for HostName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_full_names_and_wildcards() {
        let name = |text: &str| HostName::new(text).unwrap().as_str().to_owned();
        assert_eq!(name("api.example.com"), "api.example.com");
        assert_eq!(name("API.Example.COM."), "api.example.com");
        assert_eq!(name("*.example.com"), "*.example.com");
        assert_eq!(name("1.2.3.4.example"), "1.2.3.4.example");
        assert_eq!(HostName::new("*.example.com").unwrap().wildcard(), Some("example.com"));
        assert_eq!(HostName::new("api.example.com").unwrap().wildcard(), None);
    }

    #[test]
    fn a_wildcard_stands_for_all_names_below() {
        let covers = |name: &str, host: &str| HostName::new(name).unwrap().covers(host);
        assert!(covers("api.example.com", "API.example.com") && !covers("api.example.com", "v1.api.example.com"));
        assert!(covers("*.example.com", "a.example.com") && covers("*.example.com", "b.a.example.com"));
        for other in ["example.com", ".example.com", "anexample.com", "a.example.org"] {
            assert!(!covers("*.example.com", other), "{other}");
        }
    }

    #[test]
    fn refuses_the_rest_with_its_reason() {
        let long = format!("{}com", "a.".repeat(130));
        let cases = [
            ("", BadHostName::Empty),
            ("api", BadHostName::OneLabel),
            ("api_v1.example.com", BadHostName::Character('_')),
            ("api.example.com:80", BadHostName::Character(':')),
            ("api..com", BadHostName::Label),
            ("-api.com", BadHostName::Label),
            (long.as_str(), BadHostName::TooLong(263)),
            ("a*.example.com", BadHostName::Star),
            ("*", BadHostName::Star),
            ("10.0.0.1", BadHostName::Address),
        ];
        for (text, reason) in cases {
            assert_eq!(HostName::new(text), Err(reason), "{text}");
        }
    }
}
