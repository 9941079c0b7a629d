//! Rules as `explain` tells of them: which are for a request, and why the others are not.

use serde::{Deserialize, Serialize};

use crate::dtab::{Path, Request, Ruled};
use crate::model::Rules;

/// A request, so far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub method: String,
    /// The path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
}

/// The rules for requests of a name.
pub struct OfName {
    /// The entries of those that are for the request.
    pub entries: Vec<Ruled>,
    /// What is told before the story of the name; nothing where there are none.
    pub told: String,
}

impl OfName {
    /// Those for a name, and for one request of it where that is given.
    pub fn new(rules: &Rules, name: &Path, asked: Option<&Asked>) -> Self {
        let all: Vec<_> = rules.of_name(name).map(|(_, rule)| rule).collect();
        if all.is_empty() {
            return Self { entries: Vec::new(), told: String::new() };
        }
        let Some(asked) = asked else {
            let line = |entry: &Ruled| format!("  {}: {}\n", entry.label, tree(entry));
            let lines: String = all.iter().map(|rule| line(&rule.entry)).collect();
            let told = format!("Some requests are led by rules (`--request 'POST /path'` tells of one):\n{lines}\n");
            return Self { entries: Vec::new(), told };
        };
        let headers: Vec<(&str, &str)> = asked.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let request =
            Request { method: &asked.method, is_http_1_0: false, uri: &asked.target, headers: headers.as_slice() };
        let line = |rule: &&crate::model::Rule| {
            let reason = match rule.when.misses(&request) {
                None => "is for it".to_owned(),
                Some(miss) => format!("is not for it: {miss}"),
            };
            format!("  {}: {}  {reason}\n", rule.entry.label, tree(&rule.entry))
        };
        let lines: String = all.iter().map(line).collect();
        let told = format!("Rules, of which those for {} {} come first:\n{lines}\n", asked.method, asked.target);
        Self { entries: rules.entries(&rules.holding(name, &request)), told }
    }
}

fn tree(entry: &Ruled) -> String {
    format!("{} => {}", entry.dentry.prefix, entry.dentry.tree)
}
