//! Entries that come with a request: `l5d-dtab` of its sender, `l5d-ctx-dtab` of whoever called before (linkerd 1:
//! `LinkerdHeaders`). They are written behind the table's, so they come first.
//!
//! Two things that linkerd has not: lines that something on the way has joined with commas are read as lines, and there
//! are limits to how much a request may bring.

use std::borrow::Cow;

use super::Dtab;
use super::syntax_error::SyntaxError;

/// What was handed on from call to call. Proxies write it; programs forward it.
pub const INHERITED: &str = "l5d-ctx-dtab";
/// What the sender of a request wants.
pub const OWN: &str = "l5d-dtab";
/// What all headers of linkerd begin with; a server that trusts nobody drops them all, unread.
pub const FAMILY: &str = "l5d-";

const MOST_ENTRIES: usize = 100;
const MOST_BYTES: usize = 8192;

/// Why a request's entries are refused. The request is too: ignored, they would send it to where it must not go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOverride {
    #[error("{header}: {error}")]
    Syntax { header: &'static str, error: SyntaxError },
    #[error("{OWN} and {INHERITED} together have {0} entries, and at most {MOST_ENTRIES} are read")]
    Entries(usize),
    #[error("{OWN} and {INHERITED} together have {0} bytes, and at most {MOST_BYTES} are read")]
    Bytes(usize),
}

/// The entries of a request: the inherited ones, then its own, line by line. Other headers may be among these; names
/// are the same in capitals.
pub fn read<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Result<Dtab, BadOverride> {
    let (mut inherited, mut own) = (Vec::new(), Vec::new());
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(INHERITED) {
            inherited.push((INHERITED, value));
        } else if name.eq_ignore_ascii_case(OWN) {
            own.push((OWN, value));
        }
    }
    inherited.extend(own);
    let bytes = inherited.iter().map(|(_, value)| value.len()).sum();
    if bytes > MOST_BYTES {
        return Err(BadOverride::Bytes(bytes));
    }
    let mut dtab = Dtab::default();
    for (header, value) in inherited {
        let parsed = Dtab::parse_joined(&text(value)).map_err(|error| BadOverride::Syntax { header, error })?;
        dtab.extend(parsed);
    }
    match dtab.entries().len() {
        entries if entries > MOST_ENTRIES => Err(BadOverride::Entries(entries)),
        _ => Ok(dtab),
    }
}

/// Whether a header is not forwarded as it came.
pub fn is_read(name: &str) -> bool {
    name.eq_ignore_ascii_case(INHERITED) || name.eq_ignore_ascii_case(OWN)
}

/// Whether a header is one of linkerd's.
pub fn is_of_family(name: &str) -> bool {
    name.get(..FAMILY.len()).is_some_and(|start| start.eq_ignore_ascii_case(FAMILY))
}

/// The header that hands a request's entries on.
pub fn forwarded(local: &Dtab) -> Option<(&'static str, String)> {
    (!local.is_empty()).then(|| (INHERITED, local.to_string()))
}

/// A header's bytes as text: as it was typed, or where that cannot be told a character each. Comments may have any;
/// elsewhere none but ASCII is accepted anyway.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_own(value: &str) -> Result<String, BadOverride> {
        read([(OWN, value.as_bytes())]).map(|dtab| dtab.to_string())
    }

    #[test]
    fn what_a_caller_handed_on_comes_before_what_is_asked_for() {
        let headers = [("L5d-Dtab", b"/a=>/1".as_slice()), ("x", b"!"), ("l5d-ctx-dtab", b"/a=>/2"), (OWN, b"/b=>/3;")];
        assert_eq!(read(headers).unwrap().to_string(), "/a=>/2;/a=>/1;/b=>/3");
    }

    #[test]
    fn joined_lines_are_lines() {
        assert_eq!(read_own("/a=>/1; , /b=>/2,,# c, d").as_deref(), Ok("/a=>/1;/b=>/2"));
        assert!(matches!(read_own("/a=>/1;;/b=>/2"), Err(BadOverride::Syntax { header: OWN, .. })));
        assert!(matches!(
            read([(INHERITED, b"/\xff=>/1".as_slice())]),
            Err(BadOverride::Syntax { header: INHERITED, .. })
        ));
    }

    #[test]
    fn an_error_shows_what_was_typed() {
        let shown = |value: &[u8]| match read([(OWN, value)]) {
            Err(BadOverride::Syntax { error, .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        let typed = shown("/svc/über => /a".as_bytes());
        assert!(typed.contains("column 6") && typed.contains("`ü` is written `\\xc3\\xbc`"), "{typed}");
        assert!(shown(b"/svc/\xfcber => /a").contains("column 6"));
    }

    #[test]
    fn there_are_limits() {
        assert!(read_own(&"/a=>/b;".repeat(100)).is_ok());
        assert_eq!(read_own(&"/a=>/b;".repeat(101)), Err(BadOverride::Entries(101)));
        assert_eq!(read_own(&format!("#{}", "x".repeat(8192))), Err(BadOverride::Bytes(8193)));
    }

    #[test]
    fn nothing_is_handed_on_where_nothing_is() {
        assert_eq!(forwarded(&Dtab::default()), None);
        let local = "/a => 0.001 * /b & /c".parse().unwrap();
        assert_eq!(forwarded(&local), Some((INHERITED, "/a=>0.001*/b & /c".to_owned())));
        assert!(is_of_family("L5D-x") && !is_of_family("l5d") && !is_of_family("é5d-"));
    }
}
