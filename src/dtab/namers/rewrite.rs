//! Names made of parts of names (linkerd: `io.l5d.rewrite`, `PathMatcher`).
//!
//! A pattern is a path whose elements may be `*`, any one element, or have `{names}` in them, each for as much of the
//! element as can be. It matches what starts so; what is behind is dropped.

use regex::Regex;

use super::super::label::Label;
use super::super::path::Path;
use super::super::syntax_error::SyntaxError;
use super::{Answer, Namer};

/// A pattern, and the name that is made of what it matched.
#[derive(Debug, Clone)]
pub struct Rewrite {
    segments: Vec<Segment>,
    /// With the pattern's names in it, in braces.
    name: String,
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadPattern {
    #[error("`{{{0}}}` is in the name, and the pattern has it not")]
    Unknown(String),
    #[error("the name `{name}` is not a path: {error}")]
    NotAPath { name: String, error: SyntaxError },
    #[error("`{0}` is too long for a part of a pattern")]
    TooLong(String),
}

#[derive(Debug, Clone)]
enum Segment {
    Any,
    Text(String),
    /// A search in the element's text, and whose name each of its groups is.
    Captures(Regex, Vec<String>),
}

impl Rewrite {
    /// Reads a pattern and the name that it makes.
    pub fn new(pattern: &str, name: &str) -> Result<Self, BadPattern> {
        let parts = pattern.trim_start_matches('/').trim_end_matches('/').split('/');
        let parts = parts.filter(|_| !pattern.trim_matches('/').is_empty());
        let rewrite = Self { segments: parts.map(segment).collect::<Result<_, _>>()?, name: name.to_owned() };
        rewrite.check()?;
        Ok(rewrite)
    }

    /// The name of a path that the pattern matches.
    pub fn rewrite(&self, labels: &[Label]) -> Result<Option<Path>, SyntaxError> {
        let Some(found) = self.found(labels) else { return Ok(None) };
        substitute(&self.name, &found).parse().map(Some)
    }

    /// What each name of the pattern is in a path; of several of the same name, the last.
    fn found(&self, labels: &[Label]) -> Option<Vec<(&str, String)>> {
        let mut found = Vec::new();
        if labels.len() < self.segments.len() {
            return None;
        }
        for (segment, label) in self.segments.iter().zip(labels) {
            let text = label.to_string();
            match segment {
                Segment::Any => {}
                Segment::Text(wanted) if *wanted == text => {}
                Segment::Text(_) => return None,
                Segment::Captures(regex, names) => {
                    let groups = regex.captures(&text)?;
                    let group = |place: usize| groups.get(place + 1).map_or("", |group| group.as_str()).to_owned();
                    found.extend(names.iter().enumerate().map(|(place, name)| (name.as_str(), group(place))));
                }
            }
        }
        Some(found)
    }

    /// A name that is no path whatever is found would fail for every request.
    fn check(&self) -> Result<(), BadPattern> {
        let names = self.segments.iter().flat_map(|segment| match segment {
            Segment::Captures(_, names) => names.as_slice(),
            Segment::Any | Segment::Text(_) => &[],
        });
        let example: Vec<(&str, String)> = names.map(|name| (name.as_str(), "x".to_owned())).collect();
        let name = substitute(&self.name, &example);
        if let Some((before, _, _)) = next_capture(&name) {
            let rest = &name[before.len() + 1..];
            return Err(BadPattern::Unknown(rest.split('}').next().unwrap_or_default().to_owned()));
        }
        name.parse::<Path>().map(|_| ()).map_err(|error| BadPattern::NotAPath { name: self.name.clone(), error })
    }
}

impl<E> Namer<E> for Rewrite {
    fn lookup(&self, rest: &[Label]) -> Answer<E> {
        Answer::rewritten(self.rewrite(rest).map_err(|error| format!("the name `{}`: {error}", self.name)))
    }
}

fn segment(text: &str) -> Result<Segment, BadPattern> {
    if text == "*" {
        return Ok(Segment::Any);
    }
    let (mut expression, mut names, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, name, behind)) = next_capture(rest) {
        expression = format!("{expression}{}(.*)", regex::escape(before));
        names.push(name.to_owned());
        rest = behind;
    }
    if names.is_empty() {
        return Ok(Segment::Text(text.to_owned()));
    }
    let regex = Regex::new(&format!("{expression}{}", regex::escape(rest)));
    regex.map(|regex| Segment::Captures(regex, names)).map_err(|_| BadPattern::TooLong(text.to_owned()))
}

/// The next `{name}`, with what is before and behind it.
fn next_capture(text: &str) -> Option<(&str, &str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || (':'..='_').contains(&c);
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let inside = &text[open + 1..];
        if let Some((name, behind)) = inside.split_once('}')
            && !name.is_empty()
            && name.chars().all(is_name)
        {
            return Some((&text[..open], name, behind));
        }
        from = open + 1;
    }
    None
}

fn substitute(name: &str, found: &[(&str, String)]) -> String {
    found.iter().rev().fold(name.to_owned(), |name, (key, value)| name.replace(&format!("{{{key}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(pattern: &str, name: &str, path: &str) -> Result<Option<String>, SyntaxError> {
        let path: Path = path.parse().unwrap();
        let found = Rewrite::new(pattern, name).unwrap().rewrite(path.labels());
        found.map(|path| path.map(|path| path.to_string()))
    }

    #[test]
    fn patterns_take_names_apart() {
        let cases = [
            ("/foo/bar", "/x", "/foo/bar/bas", Some("/x")),
            ("/foo/bar", "/x", "/foo", None),
            ("/foo/*/*", "/x", "/foo/hi/there", Some("/x")),
            ("/foo/*", "/x", "/foo", None),
            ("/{a}/*/{b}", "/{b}/and/{a}", "/one/two/three", Some("/three/and/one")),
            ("/{a}:http", "/{a}", "/users:http", Some("/users")),
            ("/{a}:http", "/{a}", "/users:grpc", None),
            ("/{a}.{b}.{c}", "/{c}/{b}/{a}", "/www.foo.com", Some("/com/foo/www")),
            ("/{a}-{a}", "/{a}", "/one-two-three", Some("/three")),
            ("/a.{b}", "/{b}", "/axb", None),
            ("", "/x", "/anything", Some("/x")),
        ];
        for (pattern, name, path, expected) in cases {
            assert_eq!(rewritten(pattern, name, path).unwrap().as_deref(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_found_may_make_no_path() {
        assert!(rewritten("/{a}-x", "/svc/{a}", "/-x").is_err(), "an empty element");
    }

    #[test]
    fn patterns_that_can_never_work_are_refused() {
        assert_eq!(Rewrite::new("/{a}", "/{b}").unwrap_err(), BadPattern::Unknown("b".to_owned()));
        assert!(matches!(Rewrite::new("/{a}", "{a}").unwrap_err(), BadPattern::NotAPath { .. }));
    }
}
