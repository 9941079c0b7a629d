//! Rules: entries of the routes that are for some requests alone, by method, path, header or query.
//!
//! Whatever was written comes to the same form, an entry and which requests it is for: an entry of a dtab is for all of
//! them, and what other meshes have (Gateway API's `HTTPRoute`, Istio's `VirtualService`) is a list of these. The rules
//! that a request meets are written behind the dtab for it alone, so there is one way from a name to whom it leads to,
//! and where nobody is there the next entry counts, as everywhere.

use std::borrow::Cow;
use std::fmt;

use regex::Regex;

use crate::dtab::{Dtab, Path, Request, Ruled, Table};

/// An entry, and which requests it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub when: Match,
    pub entry: Ruled,
}

/// What a request must have, all of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    pub method: Option<String>,
    pub path: Option<PathMatch>,
    /// By their names in lower case.
    pub headers: Vec<(String, TextMatch)>,
    pub query: Vec<(String, TextMatch)>,
}

/// Which paths, without their query, as they are written in requests.
#[derive(Debug, Clone, PartialEq)]
pub enum PathMatch {
    Exact(String),
    /// All below this one, by whole segments, and itself. Without a slash at its end.
    Prefix(String),
    Regex(Pattern),
}

/// Which values of a header, or of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum TextMatch {
    Exact(String),
    Regex(Pattern),
}

/// A regular expression for a whole text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// What a request lacks of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss<'m> {
    Method(&'m str),
    Path(&'m str),
    NoHeader(&'m str),
    Header(&'m str, Cow<'m, str>),
    NoParameter(&'m str),
    Parameter(&'m str, Cow<'m, str>),
}

/// The rules of a workspace, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Whoever comes first stands last, as in a dtab.
    list: Vec<Rule>,
    /// Their entries, by which those for a name are found.
    table: Table,
}

impl Pattern {
    /// Reads one; the error says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        // First by itself, lest it be good only for what is put around it.
        let compiled = Regex::new(text).and_then(|_| Regex::new(&format!(r"\A(?:{text})\z")));
        match compiled {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(error) => {
                let reason = error.to_string();
                Err(reason.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned())
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PathMatch {
    fn is(&self, path: &str) -> bool {
        match self {
            Self::Exact(wanted) => path == wanted,
            Self::Prefix(prefix) => {
                path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Regex(pattern) => pattern.regex.is_match(path),
        }
    }

    /// Its place among others, and how long it is.
    fn precision(&self) -> (u8, usize) {
        match self {
            Self::Prefix(prefix) => (0, prefix.len()),
            Self::Regex(pattern) => (1, pattern.text.len()),
            Self::Exact(path) => (2, path.len()),
        }
    }
}

impl TextMatch {
    fn is(&self, value: &str) -> bool {
        match self {
            Self::Exact(wanted) => value == wanted,
            Self::Regex(pattern) => pattern.regex.is_match(value),
        }
    }
}

impl Match {
    /// What a request lacks first; nothing where it has all.
    pub fn misses<'m>(&'m self, request: &Request<'m>) -> Option<Miss<'m>> {
        let (path, query) = request.uri.split_once('?').unwrap_or((request.uri, ""));
        if self.method.as_deref().is_some_and(|method| method != request.method) {
            return Some(Miss::Method(request.method));
        }
        if self.path.as_ref().is_some_and(|wanted| !wanted.is(path)) {
            return Some(Miss::Path(path));
        }
        let header = |(name, wanted): &'m (String, TextMatch)| match header(request, name) {
            None => Some(Miss::NoHeader(name)),
            Some(value) if !wanted.is(&value) => Some(Miss::Header(name, value)),
            Some(_) => None,
        };
        // Of several parameters of one name the first counts, as Gateway API recommends.
        let parameter = |(name, wanted): &'m (String, TextMatch)| match form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
        {
            None => Some(Miss::NoParameter(name)),
            Some((_, value)) if !wanted.is(&value) => Some(Miss::Parameter(name, value)),
            Some(_) => None,
        };
        self.headers.iter().find_map(header).or_else(|| self.query.iter().find_map(parameter))
    }

    /// The more exactly a match says which requests it is for, the greater this is: Gateway API's order, in which its own
    /// word of paths comes first. Where a regular expression stands there is left open, and here that is before prefixes.
    fn precision(&self) -> impl Ord + use<> {
        let path = self.path.as_ref().map_or((0, 0), PathMatch::precision);
        (path, self.method.is_some(), self.headers.len(), self.query.len())
    }
}

/// The lines of a header, joined as one may join them (RFC 9110 section 5.3).
fn header<'r>(request: &Request<'r>, name: &str) -> Option<Cow<'r, str>> {
    let mut lines =
        request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let first = Cow::Borrowed(lines.next()?);
    Some(lines.fold(first, |joined, line| Cow::Owned(format!("{joined},{line}"))))
}

impl Rules {
    /// Rules in the order in which they were written. Of those that are for a request, whichever says more exactly which
    /// requests it is for comes first, and of equal ones the first.
    pub fn new(written: Vec<Rule>) -> Self {
        let mut list: Vec<Rule> = written.into_iter().rev().collect();
        list.sort_by_cached_key(|rule| rule.when.precision());
        let entries: Dtab = list.iter().map(|rule| rule.entry.dentry.clone()).collect();
        Self { list, table: Table::new(entries) }
    }

    /// Whether there are none, as mostly.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, whoever comes first first.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.list.iter().rev()
    }

    /// A rule by its number.
    pub fn get(&self, number: usize) -> Option<&Rule> {
        self.list.get(number)
    }

    /// The rules for requests of this name, with their numbers, whoever comes first first.
    pub fn of_name(&self, name: &Path) -> impl Iterator<Item = (usize, &Rule)> {
        self.table.places(name).filter_map(|number| Some((number, self.list.get(number)?)))
    }

    /// The numbers of the rules that are for a request, whoever comes first last: as entries stand.
    pub fn holding(&self, name: &Path, request: &Request<'_>) -> Vec<usize> {
        let holding = self.of_name(name).filter(|(_, rule)| rule.when.misses(request).is_none());
        let mut numbers: Vec<usize> = holding.map(|(number, _)| number).collect();
        numbers.reverse();
        numbers
    }

    /// The entries of some rules.
    pub fn entries(&self, numbers: &[usize]) -> Vec<Ruled> {
        numbers.iter().filter_map(|number| Some(self.list.get(*number)?.entry.clone())).collect()
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

/// In few words: `POST /admin/* x-tenant: acme ?debug=1`.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.iter().map(ToString::to_string);
        let path = self.path.iter().map(|path| match path {
            PathMatch::Exact(path) => path.clone(),
            PathMatch::Prefix(prefix) => format!("{prefix}/*"),
            PathMatch::Regex(pattern) => format!("~{}", pattern.text),
        });
        let value = |wanted: &TextMatch| match wanted {
            TextMatch::Exact(value) => value.clone(),
            TextMatch::Regex(pattern) => format!("~{}", pattern.text),
        };
        let headers = self.headers.iter().map(|(name, wanted)| format!("{name}: {}", value(wanted)));
        let query = self.query.iter().map(|(name, wanted)| format!("?{name}={}", value(wanted)));
        let all: Vec<String> = method.chain(path).chain(headers).chain(query).collect();
        f.write_str(if all.is_empty() { "any request" } else { "" })?;
        f.write_str(&all.join(" "))
    }
}

impl fmt::Display for Miss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => write!(f, "its method is {method}"),
            Self::Path(path) => write!(f, "its path is {path}"),
            Self::NoHeader(name) => write!(f, "it has no header {name}"),
            Self::Header(name, value) => write!(f, "its {name} is `{value}`"),
            Self::NoParameter(name) => write!(f, "its query has no {name}"),
            Self::Parameter(name, value) => write!(f, "{name} is `{value}` in its query"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap()
    }

    fn exact(name: &str, value: &str) -> (String, TextMatch) {
        (name.to_owned(), TextMatch::Exact(value.to_owned()))
    }

    fn of_path(path: PathMatch) -> Match {
        Match { path: Some(path), ..Match::default() }
    }

    fn prefix(path: &str) -> Match {
        of_path(PathMatch::Prefix(path.to_owned()))
    }

    fn holds(when: &Match, method: &str, uri: &str, headers: &[(&str, &str)]) -> bool {
        when.misses(&Request { method, is_http_1_0: false, uri, headers }).is_none()
    }

    #[test]
    fn paths_are_matched_by_whole_segments_whole_texts_or_whole_patterns() {
        let cases = [
            (prefix("/foo"), "/foo /foo/ /foo/bar /foo?a=b", "/foobar /Foo /fo /a/foo /foo%2Fbar *"),
            (prefix(""), "/ /foo /foo/bar?x /?x", "*"),
            (of_path(PathMatch::Exact("/foo".to_owned())), "/foo /foo?x=/y", "/foo/ /foo/bar /fooo"),
            (of_path(PathMatch::Regex(pattern("/u/[0-9]+|/me"))), "/u/1 /me /me?x", "/u/ /u/1/x /me/x /a/me"),
            (of_path(PathMatch::Regex(pattern("/a|/ab"))), "/a /ab", "/abc /b/a"),
        ];
        for (when, matched, others) in cases {
            assert!(matched.split(' ').all(|uri| holds(&when, "GET", uri, &[])), "{when}: {matched}");
            assert!(!others.split(' ').any(|uri| holds(&when, "GET", uri, &[])), "{when}: {others}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        assert_eq!(Pattern::new("a)(b").unwrap_err(), "unopened group");
        assert!(Pattern::new("(").is_err() && Pattern::new("").is_ok());
    }

    #[test]
    fn all_of_a_match_must_be_there() {
        let when = Match {
            method: Some("POST".to_owned()),
            path: Some(PathMatch::Prefix("/a".to_owned())),
            headers: vec![exact("x-a", "1,2"), ("x-b".to_owned(), TextMatch::Regex(pattern("y.*")))],
            query: vec![exact("q", "a b")],
        };
        assert_eq!(when.to_string(), "POST /a/* x-a: 1,2 x-b: ~y.* ?q=a b");
        assert_eq!(Match::default().to_string(), "any request");
        let good = [("X-A", "1"), ("x-a", "2"), ("x-b", "yes")];
        assert!(holds(&when, "POST", "/a/b?c&q=a+b&q=d", &good) && holds(&when, "POST", "/a?q=a%20b", &good));
        let miss = |method, uri, headers: &[(&str, &str)]| {
            let request = Request { method, is_http_1_0: false, uri, headers };
            when.misses(&request).unwrap().to_string()
        };
        assert_eq!(miss("post", "/a?q=a+b", &good), "its method is post");
        assert_eq!(miss("POST", "/b?q=a+b", &good), "its path is /b");
        assert_eq!(miss("POST", "/a?q=a+b", &good[..2]), "it has no header x-b");
        assert_eq!(miss("POST", "/a?q=a+b", &good[1..]), "its x-a is `2`");
        assert_eq!(miss("POST", "/a", &good), "its query has no q");
        assert_eq!(miss("POST", "/a?q=b&q=a+b", &good), "q is `b` in its query");
    }

    fn rule(label: &str, when: Match, prefix: &str) -> Rule {
        let entry = format!("{prefix}=>/{label}").parse().unwrap();
        Rule { when, entry: Ruled { label: label.into(), dentry: entry } }
    }

    #[test]
    fn what_says_more_exactly_which_requests_it_is_for_comes_first() {
        let with = |when: Match, method: bool, headers: usize, query: usize| Match {
            method: method.then(|| "GET".to_owned()),
            headers: (0..headers).map(|number| exact(&format!("h{number}"), "")).collect(),
            query: (0..query).map(|number| exact(&format!("q{number}"), "")).collect(),
            ..when
        };
        // From the first to the last.
        let order = [
            of_path(PathMatch::Exact("/a".to_owned())),
            of_path(PathMatch::Regex(pattern("/a.*"))),
            of_path(PathMatch::Regex(pattern(".*"))),
            with(prefix("/a/b"), false, 0, 0),
            with(prefix("/a"), true, 2, 0),
            with(prefix("/a"), true, 1, 2),
            with(prefix("/a"), true, 1, 1),
            with(prefix("/a"), true, 0, 9),
            with(prefix("/a"), false, 3, 0),
            with(prefix("/a"), false, 0, 1),
            with(Match::default(), true, 0, 0),
            prefix(""),
            Match::default(),
        ];
        let rules = |places: &[usize]| {
            let named = places.iter().map(|place| rule(&place.to_string(), order[*place].clone(), "/svc/a"));
            let rules = Rules::new(named.collect());
            rules.iter().map(|rule| rule.entry.label.parse().unwrap()).collect::<Vec<usize>>()
        };
        let straight: Vec<usize> = (0..order.len()).collect();
        assert_eq!(rules(&straight), straight);
        // The last two are the same, and then the first one that was written counts.
        let reversed: Vec<usize> = straight.iter().copied().rev().collect();
        let last = order.len() - 1;
        assert_eq!(rules(&reversed), [&straight[..last - 1], &[last, last - 1]].concat());
    }

    #[test]
    fn the_rules_of_a_name_that_hold_are_told_as_entries_stand() {
        let get = Match { method: Some("GET".to_owned()), ..Match::default() };
        let rules = Rules::new(vec![
            rule("any", Match::default(), "/svc/a"),
            rule("get", get, "/svc/*"),
            rule("other", Match::default(), "/svc/b"),
            rule("deep", prefix("/x"), "/svc/a"),
        ]);
        let held = |method, uri, name: &str| -> Vec<String> {
            let request = Request { method, is_http_1_0: false, uri, headers: &[] };
            let numbers = rules.holding(&name.parse().unwrap(), &request);
            rules.entries(&numbers).iter().map(|entry| entry.label.to_string()).collect()
        };
        assert_eq!(held("GET", "/x/y", "/svc/a"), ["any", "get", "deep"]);
        assert_eq!(held("POST", "/", "/svc/a"), ["any"]);
        assert_eq!(held("POST", "/x", "/svc/a/rest"), ["any", "deep"]);
        assert_eq!(held("POST", "/x", "/svc/c"), [""; 0]);
        assert_eq!(rules, rules.clone());
    }
}
