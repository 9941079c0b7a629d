//! Routes for some requests alone.

use indexmap::IndexMap;

use super::{syntax, written};
use crate::dtab::namers::Kind;
use crate::dtab::{Dentry, NameTree, Path, Prefix, Ruled};
use crate::manifest::lower::{Unit, unknown_service};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{MatchRecord, PathRecord, RouteRecord, RouteSpec, TextRecord, Texts};
use crate::manifest::read::{At, OrBrief};
use crate::manifest::source::Span;
use crate::model::{Match, PathMatch, Pattern, Rule, Rules, Service, ServiceName, TextMatch};

/// Methods that are known to be written in capitals.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

type Services = IndexMap<ServiceName, Service>;

/// The rules of all manifests. Of equal ones those of the main manifest come first.
pub fn rules(units: &[Unit], services: &Services, problems: &mut Problems) -> Rules {
    let mut all = Vec::new();
    for At { value, span } in units.iter().flat_map(written) {
        let RouteSpec::ForSome(route) = value else { continue };
        all.extend(Reader { services, problems }.route(route, *span));
    }
    Rules::new(all)
}

struct Reader<'a> {
    services: &'a Services,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    /// One rule for each of its services and matches.
    fn route(&mut self, route: &RouteRecord, span: Span) -> Vec<Rule> {
        let prefixes: Vec<Prefix> = match &route.service {
            Some(services) => services.0.iter().filter_map(|service| self.prefix(service)).collect(),
            None => {
                let hint = "name the service that these requests are addressed to";
                self.problems.push(Problem::error("bad_route", "a route needs a `service`").at(span).hint(hint));
                Vec::new()
            }
        };
        let tree = match &route.to {
            Some(to) => self.tree(to),
            None => {
                let hint = "name a service, a version such as `users-v2`, or a tree as in a dtab";
                self.problems
                    .push(Problem::error("bad_route", "a route needs `to`, where it leads").at(span).hint(hint));
                None
            }
        };
        let matches: Vec<Match> = match &route.r#match {
            Some(matches) if !matches.0.is_empty() => matches.0.iter().map(|it| self.one_match(it)).collect(),
            _ => vec![Match::default()],
        };
        let Some(tree) = tree else { return Vec::new() };
        let rule = |prefix: &Prefix, when: &Match| {
            let label = route.name.clone().unwrap_or_else(|| when.to_string()).into();
            let dentry = Dentry { prefix: prefix.clone(), tree: tree.clone() };
            Rule { when: when.clone(), entry: Ruled { label, dentry } }
        };
        prefixes.iter().flat_map(|prefix| matches.iter().map(move |when| rule(prefix, when))).collect()
    }

    /// What the names of requests to a service begin with.
    fn prefix(&mut self, At { value, span }: &At<String>) -> Option<Prefix> {
        if value.starts_with('/') {
            return value.parse().map_err(|error| self.problems.push(syntax(*span, value, &error, self.problems))).ok();
        }
        if !self.is_service(value) {
            self.unknown(value, *span);
            return None;
        }
        Path::of(["svc", value]).map(Prefix::from)
    }

    /// A tree, or a service by its name.
    fn tree(&mut self, At { value, span }: &At<String>) -> Option<NameTree<Path>> {
        if ServiceName::new(value).is_err() {
            return value.parse().map_err(|error| self.problems.push(syntax(*span, value, &error, self.problems))).ok();
        }
        let external = self.services.get(value.as_str()).is_some_and(|service| service.external().is_some());
        if !self.is_service(value) && !self.is_first_version(value) {
            self.unknown(value, *span);
            return None;
        }
        let kind = if external { Kind::External } else { Kind::Local };
        Path::of(["#", kind.word(), value]).map(NameTree::Leaf)
    }

    fn is_service(&self, name: &str) -> bool {
        self.services.get(name).is_some_and(|service| !service.task)
    }

    /// Whether this is the full name of the version that has the service's.
    fn is_first_version(&self, name: &str) -> bool {
        let is = |version: &crate::model::Version| format!("{}-{}", version.of, version.name) == name;
        self.services.values().filter_map(|service| service.version.as_ref()).any(is)
    }

    fn unknown(&mut self, name: &str, span: Span) {
        let known: Vec<String> = self.services.values().filter(|it| !it.task).map(|it| it.name.to_string()).collect();
        self.problems.push(unknown_service(name, span, &known));
    }

    fn one_match(&mut self, record: &MatchRecord) -> Match {
        let method = record.method.as_ref().and_then(|method| self.method(method));
        let path = record.path.as_ref().and_then(|At { value: OrBrief(path), span }| self.path(path, *span));
        let headers = self.texts(record.headers.as_ref(), Self::header_name);
        let query = self.texts(record.query.as_ref(), |_, name, _| Some(name.to_owned()));
        Match { method, path, headers, query }
    }

    fn method(&mut self, At { value, span }: &At<String>) -> Option<String> {
        let complain = |text: String| Problem::error("bad_method", text).at(*span);
        let capitals = value.to_ascii_uppercase();
        if *value != capitals && METHODS.contains(&capitals.as_str()) {
            let problem = complain(format!("no request has the method `{value}`"));
            self.problems.push(problem.hint(format!("methods are written as they are sent: `{capitals}`")));
            return None;
        }
        match http::Method::from_bytes(value.as_bytes()) {
            Ok(_) => Some(value.clone()),
            Err(_) => {
                let problem = complain(format!("`{value}` cannot be a method"));
                self.problems.push(problem.hint("for several methods, write several matches in a list"));
                None
            }
        }
    }

    fn path(&mut self, record: &PathRecord, span: Span) -> Option<PathMatch> {
        let PathRecord { exact, prefix, regex } = record;
        match (exact, prefix, regex) {
            (Some(exact), None, None) => self.plain_path(exact).map(PathMatch::Exact),
            (None, Some(prefix), None) => {
                let prefix = self.plain_path(prefix)?;
                Some(PathMatch::Prefix(prefix.trim_end_matches('/').to_owned()))
            }
            (None, None, Some(regex)) => self.pattern(regex).map(PathMatch::Regex),
            _ => {
                let text = "a path has one of `exact`, `prefix` and `regex`";
                self.problems.push(Problem::error("bad_match", text).at(span));
                None
            }
        }
    }

    fn plain_path(&mut self, At { value, span }: &At<String>) -> Option<String> {
        let complain = |text: String| Problem::error("bad_path", text).at(*span);
        if !value.starts_with('/') {
            let problem = complain(format!("`{value}` is no path, which begins with `/`"));
            self.problems.push(problem.hint(format!("`/{value}`, or `regex` for what is in its middle")));
            return None;
        }
        if value.contains(['?', '#']) || value.contains(char::is_whitespace) {
            let character = value.chars().find(|c| "?#".contains(*c) || c.is_whitespace()).unwrap_or('?');
            let problem = complain(format!("no path has `{character}`"));
            self.problems.push(problem.hint("parameters are matched by `query`, and a `*` by `regex`"));
            return None;
        }
        Some(value.clone())
    }

    fn pattern(&mut self, At { value, span }: &At<String>) -> Option<Pattern> {
        let complain =
            |reason: String| Problem::error("bad_regex", format!("not a regular expression: {reason}")).at(*span);
        Pattern::new(value).map_err(|reason| self.problems.push(complain(reason))).ok()
    }

    fn texts(
        &mut self,
        records: Option<&Texts>,
        mut named: impl FnMut(&mut Self, &str, Span) -> Option<String>,
    ) -> Vec<(String, TextMatch)> {
        let mut all = Vec::new();
        for (name, At { value: OrBrief(record), span }) in records.into_iter().flat_map(|it| &it.0) {
            let (name, text) = (named(self, &name.value, name.span), self.text(record, *span));
            all.extend(name.zip(text));
        }
        all
    }

    fn header_name(&mut self, name: &str, span: Span) -> Option<String> {
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Some(name.as_str().to_owned()),
            Err(_) => {
                let problem = Problem::error("bad_header", format!("`{name}` cannot be the name of a header")).at(span);
                self.problems.push(problem);
                None
            }
        }
    }

    fn text(&mut self, record: &TextRecord, span: Span) -> Option<TextMatch> {
        match (&record.exact, &record.regex) {
            (Some(exact), None) => Some(TextMatch::Exact(exact.value.clone())),
            (None, Some(regex)) => self.pattern(regex).map(TextMatch::Regex),
            _ => {
                let text = "a value is given as it is, or has one of `exact` and `regex`";
                self.problems.push(Problem::error("bad_match", text).at(span));
                None
            }
        }
    }
}
