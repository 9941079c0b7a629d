//! Routes as users see them: the table, and what becomes of each of its entries now.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::DelegateTree;
use crate::dtab::{Dentry, Dtab, Fate, Interpreter, Label, NameTree, Outcome, Path, Step, Trace, Unbound};
use crate::model::Rules;

/// The routes in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Routes {
    /// 0 before the first change.
    pub version: u64,
    /// When they came into force, RFC 3339, UTC; empty before the first change.
    pub time: String,
    pub who: String,
    /// What users wrote.
    pub dtab: String,
    /// The same behind what is built in.
    pub all: String,
}

/// How a name leads where it does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained {
    pub story: String,
    pub tree: DelegateTree,
}

/// An entry of the table, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, in the order of the table.
    pub number: usize,
    pub prefix: String,
    pub dst: String,
    pub built_in: bool,
    /// Which requests it is for, where it is not for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub state: Use,
    /// The names of requests that come to it.
    pub names: BTreeSet<String>,
    /// What these are bound to because of it.
    pub bound: BTreeSet<String>,
}

/// What an entry is good for now; of several, the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// No name comes to it.
    Unused,
    /// Names come to it, and it leads nowhere.
    Nowhere,
    /// It was not needed, as others come before it.
    Standby,
    /// Names that come to it are errors.
    Error,
    /// It leads to what is still starting.
    Waiting,
    /// Requests go by it.
    Bound,
}

impl Entry {
    fn unused(place: usize, dentry: &Dentry) -> Self {
        Self {
            number: place + 1,
            prefix: dentry.prefix.to_string(),
            dst: dentry.tree.to_string(),
            built_in: false,
            rule: None,
            state: Use::Unused,
            names: BTreeSet::new(),
            bound: BTreeSet::new(),
        }
    }

    /// The entry as one reads it: `/svc/users => /#/local/users-v2 (rule POST /admin/*)`.
    pub fn shown(&self) -> String {
        let note = match &self.rule {
            Some(rule) => format!(" (rule {rule})"),
            None if self.built_in => " (built in)".to_owned(),
            None => String::new(),
        };
        format!("{} => {}{note}", self.prefix, self.dst)
    }
}

impl Use {
    /// The word for users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Nowhere => "leads nowhere",
            Self::Standby => "stands by",
            Self::Error => "error",
            Self::Waiting => "waits",
            Self::Bound => "bound",
        }
    }
}

/// Each entry of a table of which the first ones are built in. What names requests may have is known of services; others
/// are taken from the prefixes.
/// Behind them come the rules, which are for some requests alone.
pub fn entries<E: Clone>(
    interpreter: &Interpreter<'_, E>,
    built_in: usize,
    services: &[&str],
    rules: &Rules,
) -> Vec<Entry> {
    let dtab = interpreter.table.dtab();
    let mut entries: Vec<Entry> = dtab
        .entries()
        .iter()
        .enumerate()
        .map(|(place, it)| Entry { built_in: place < built_in, ..Entry::unused(place, it) })
        .collect();
    let names = names(dtab, services);
    for name in &names {
        visit(&interpreter.delegate(name), name, true, 0, &mut entries);
    }
    for (place, rule) in rules.iter().enumerate() {
        let (first, entry) = (dtab.entries().len(), &rule.entry);
        let shown = Entry { rule: Some(entry.label.to_string()), ..Entry::unused(first + place, &entry.dentry) };
        let mut shown = [shown];
        let of_rule = Interpreter { rules: std::slice::from_ref(entry), ..*interpreter };
        for name in names.iter().filter(|name| entry.dentry.prefix.strip(name).is_some()) {
            visit(&of_rule.delegate(name), name, true, first, &mut shown);
        }
        entries.extend(shown);
    }
    entries
}

fn names(dtab: &Dtab, services: &[&str]) -> BTreeSet<Path> {
    let of_services = services.iter().filter_map(|name| Path::of(["svc", name]));
    let of_prefixes = dtab.entries().iter().filter_map(|entry| {
        let labels = entry.prefix.elements().iter().map(|element| element.label().cloned());
        labels.collect::<Option<Vec<Label>>>().filter(|labels| labels.len() > 1).map(Path::new)
    });
    of_services.chain(of_prefixes).collect()
}

/// Notes what became of each entry on the way of a name, from the one of this number on.
fn visit<E>(trace: &Trace<E>, name: &Path, is_live: bool, first: usize, entries: &mut [Entry]) {
    let is_live = is_live && matches!(trace.fate, Fate::Taken | Fate::Negative | Fate::Shares(_));
    if let Step::Entry { number, .. } = &trace.step
        && let Some(entry) = number.checked_sub(first).and_then(|place| entries.get_mut(place))
    {
        let state = state(&trace.outcome, is_live);
        entry.state = entry.state.max(state);
        entry.names.insert(name.to_string());
        if let (Use::Bound, Ok(tree)) = (state, &trace.outcome) {
            entry.bound.extend(tree.shares().iter().filter_map(|share| Some(share.leaf?.id.to_string())));
        }
    }
    trace.parts.iter().for_each(|part| visit(part, name, is_live, first, entries));
}

fn state<E>(outcome: &Outcome<E>, is_live: bool) -> Use {
    match outcome {
        Ok(NameTree::Neg) => Use::Nowhere,
        _ if !is_live => Use::Standby,
        Ok(_) => Use::Bound,
        Err(Unbound::Pending(_)) => Use::Waiting,
        Err(_) => Use::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtab::{Answer, Limits, Namers, Place, Ruled, Table};
    use crate::model::{Match, Rule};

    #[test]
    fn each_entry_has_its_use() {
        let table = Table::new(
            "/svc=>/#/local ; /svc/a=>/#/local/gone ; /svc/a=>/#/local/b & /#/local/c ; /svc/b=>/x | /svc/c ;
             /srv/b=>/#/local/b ; /svc/loop=>/svc/loop ; /svc/late=>/#/local/late ; /other/*=>/x"
                .parse()
                .unwrap(),
        );
        let local = |rest: &[Label]| match rest.first().and_then(Label::as_str) {
            Some("b" | "c") => Answer::Bound { taken: 1, place: Place::At(()) },
            Some("late") => Answer::Pending,
            _ => Answer::Neg,
        };
        let namers = Namers::default().with("/#/local".parse().unwrap(), local);
        let interpreter = Interpreter {
            table: &table,
            rules: &[],
            local: &Dtab::default(),
            namers: &namers,
            limits: Limits::default(),
        };
        let rule = |when: Match, entry: &str| {
            let entry = Ruled { label: when.to_string().into(), dentry: entry.parse().unwrap() };
            Rule { when, entry }
        };
        let post = Match { method: Some("POST".to_owned()), ..Match::default() };
        let rules = Rules::new(vec![rule(Match::default(), "/svc/a=>/#/local/gone"), rule(post, "/svc/a=>/#/local/b")]);
        let entries = entries(&interpreter, 1, &["a", "b", "c"], &rules);
        let states: Vec<Use> = entries.iter().map(|entry| entry.state).collect();
        let expected =
            [Use::Bound, Use::Nowhere, Use::Bound, Use::Bound, Use::Bound, Use::Error, Use::Waiting, Use::Unused];
        assert_eq!(states, [expected.as_slice(), &[Use::Bound, Use::Nowhere]].concat());
        assert_eq!(entries[8].shown(), "/svc/a => /#/local/b (rule POST)");
        assert_eq!((entries[9].number, entries[9].rule.as_deref()), (10, Some("any request")));
        assert!(entries[0].built_in && !entries[1].built_in);
        assert_eq!(entries[2].bound.iter().collect::<Vec<_>>(), ["/#/local/b", "/#/local/c"]);
        assert_eq!(entries[3].names.iter().collect::<Vec<_>>(), ["/svc/b"]);
    }
}
