//! Routes as users see them: the table, and what becomes of each of its entries now.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::DelegateTree;
use crate::dtab::{
    Bound, Dentry, Dtab, Fate, Interpreter, Label, NameTree, Outcome, Path, Place, Step, Trace, Unbound,
};
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
    /// Whether requests are named by what they bring (`identifier`), so that any name may come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_name: bool,
}

/// How a name leads where it does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained {
    pub story: String,
    /// A [`DelegateTree`] as JSON over several lines, where it was asked for: of a hostile table it is long. It is only
    /// passed on, as no reader of JSON takes trees of any depth.
    pub tree: Option<Box<RawValue>>,
    /// Whether the name leads to somebody: not where the table says that there is nobody, or that it is to fail.
    pub leads: bool,
}

impl Explained {
    /// The story of a name that was walked so, and its tree.
    pub fn new<E>(story: String, tree: Option<&DelegateTree>, trace: &Trace<E>) -> serde_json::Result<Self> {
        let tree = tree.map(serde_json::to_string_pretty).transpose()?.map(RawValue::from_string).transpose()?;
        let leads = trace.vain_override().is_none()
            && match &trace.outcome {
                Ok(tree) => has_anybody(tree),
                // It is on its way, and calls wait for it.
                Err(why) => matches!(why, Unbound::Pending(_)),
            };
        Ok(Self { story, tree, leads })
    }
}

fn has_anybody<E>(tree: &NameTree<Bound<E>>) -> bool {
    let mut has = false;
    tree.map(&mut |bound| has |= !matches!(bound.place, Place::Vacant));
    has
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
    /// The names of requests that come to it; of very many, some.
    pub names: BTreeSet<String>,
    /// What these are bound to because of it; of very many, some.
    pub bound: BTreeSet<String>,
    /// How many names more there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_names: usize,
    /// The last of those: names come one after the other, each perhaps by several ways.
    #[serde(skip)]
    last_more: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Names, and what they are bound to, that are listed of an entry.
const LISTED: usize = 50;

/// What an entry is good for now; of several, the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// The table is so large that it was not looked at.
    Unknown,
    /// No name comes to it.
    Unused,
    /// Names come to it, and it leads nowhere.
    Nowhere,
    /// It was not needed, as others come before it.
    Standby,
    /// Names that come to it are errors.
    Error,
    /// Requests go by it and fail, as it says with `!` or `$`.
    Fails,
    /// Requests go by it, to whom nobody can call: it has no port, or nobody is there.
    Uncallable,
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
            more_names: 0,
            last_more: String::new(),
        }
    }

    /// Notes that a name comes to it.
    fn comes(&mut self, name: &str) {
        if self.names.len() < LISTED {
            self.names.insert(name.to_owned());
        } else if !self.names.contains(name) && self.last_more != name {
            self.more_names += 1;
            name.clone_into(&mut self.last_more);
        }
    }

    /// Notes what it is bound to.
    fn binds(&mut self, ids: impl Iterator<Item = String>) {
        let room = LISTED.saturating_sub(self.bound.len());
        self.bound.extend(ids.take(room));
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
            Self::Unknown => "not looked at",
            Self::Unused => "unused",
            Self::Nowhere => "leads nowhere",
            Self::Standby => "stands by",
            Self::Error => "error",
            Self::Fails => "fails",
            Self::Uncallable => "not callable",
            Self::Waiting => "waits",
            Self::Bound => "bound",
        }
    }
}

/// Each entry of a table of which the first ones are built in. What names requests may have is known of services; others
/// are taken from the prefixes.
/// Behind them come the rules, which are for some requests alone. After `most` steps of names nothing more is looked at.
pub fn entries<E: Clone>(
    interpreter: &Interpreter<'_, E>,
    built_in: usize,
    services: &[&str],
    rules: &Rules,
    (most, is_callable): (usize, &dyn Fn(&E) -> bool),
) -> Vec<Entry> {
    let dtab = interpreter.table.dtab();
    let mut entries: Vec<Entry> = dtab
        .entries()
        .iter()
        .enumerate()
        .map(|(place, it)| Entry { built_in: place < built_in, ..Entry::unused(place, it) })
        .collect();
    let names = names(dtab, services);
    let mut visit = Visit { first: 0, entries: &mut entries, left: most, is_callable };
    for name in &names {
        visit.name(interpreter, name);
    }
    let mut left = visit.ended();
    for (place, rule) in rules.iter().enumerate() {
        let (first, entry) = (dtab.entries().len(), &rule.entry);
        let shown = Entry { rule: Some(entry.label.to_string()), ..Entry::unused(first + place, &entry.dentry) };
        let mut shown = [shown];
        let of_rule = Interpreter { rules: std::slice::from_ref(entry), ..*interpreter };
        let mut visit = Visit { first, entries: &mut shown, left, is_callable };
        for name in names.iter().filter(|name| entry.dentry.prefix.strip(name).is_some()) {
            visit.name(&of_rule, name);
        }
        left = visit.ended();
        entries.extend(shown);
    }
    entries
}

/// The names of services first, as these are what is asked for.
fn names(dtab: &Dtab, services: &[&str]) -> Vec<Path> {
    let of_services: BTreeSet<Path> = services.iter().filter_map(|name| Path::of(["svc", name])).collect();
    let of_prefixes = dtab.entries().iter().filter_map(|entry| {
        let labels = entry.prefix.elements().iter().map(|element| element.label().cloned());
        labels.collect::<Option<Vec<Label>>>().filter(|labels| labels.len() > 1).map(Path::new)
    });
    let others: BTreeSet<Path> = of_prefixes.filter(|name| !of_services.contains(name)).collect();
    of_services.into_iter().chain(others).collect()
}

/// Looks at entries, from the one of this number on, by the ways of names.
struct Visit<'e, E> {
    first: usize,
    entries: &'e mut [Entry],
    /// Steps that may still be looked at.
    left: usize,
    is_callable: &'e dyn Fn(&E) -> bool,
}

impl<E: Clone> Visit<'_, E> {
    fn name(&mut self, interpreter: &Interpreter<'_, E>, name: &Path) {
        if self.left > 0 {
            self.step(&interpreter.delegate(name), &name.to_string(), true);
        }
    }

    /// Notes what became of each entry on the way of a name.
    fn step(&mut self, trace: &Trace<E>, name: &str, is_live: bool) {
        self.left = self.left.saturating_sub(1);
        let is_live = is_live && matches!(trace.fate, Fate::Taken | Fate::Negative | Fate::Shares(_));
        if let Step::Entry { number, .. } = &trace.step
            && let Some(entry) = number.checked_sub(self.first).and_then(|place| self.entries.get_mut(place))
        {
            let state = state(&trace.outcome, is_live, self.is_callable);
            entry.state = entry.state.max(state);
            entry.comes(name);
            if let (Use::Bound | Use::Uncallable, Ok(tree)) = (state, &trace.outcome) {
                entry.binds(tree.shares().iter().filter_map(|share| Some(share.leaf?.id.to_string())));
            }
        }
        trace.parts.iter().for_each(|part| self.step(part, name, is_live));
    }

    /// What may still be looked at; where that is nothing, of what was not met nothing is known.
    fn ended(self) -> usize {
        let unmet = self.entries.iter_mut().filter(|entry| self.left == 0 && entry.state == Use::Unused);
        unmet.for_each(|entry| entry.state = Use::Unknown);
        self.left
    }
}

fn state<E>(outcome: &Outcome<E>, is_live: bool, is_callable: &dyn Fn(&E) -> bool) -> Use {
    let can_be_called = |place: &Place<E>| match place {
        Place::At(endpoints) => is_callable(endpoints),
        Place::Inet(_) => true,
        Place::Vacant => false,
    };
    match outcome {
        Ok(NameTree::Neg) => Use::Nowhere,
        _ if !is_live => Use::Standby,
        Ok(NameTree::Fail | NameTree::Empty) => Use::Fails,
        Ok(tree) if !tree.shares().iter().any(|share| share.leaf.is_some_and(|leaf| can_be_called(&leaf.place))) => {
            Use::Uncallable
        }
        Ok(_) => Use::Bound,
        Err(Unbound::Pending(_)) => Use::Waiting,
        Err(_) => Use::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtab::{Answer, Limits, Namers, Ruled, Table};
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
        let all = |most| entries(&interpreter, 1, &["a", "b", "c"], &rules, (most, &|()| true));
        let entries = all(10_000);
        let states: Vec<Use> = entries.iter().map(|entry| entry.state).collect();
        let expected =
            [Use::Bound, Use::Nowhere, Use::Bound, Use::Bound, Use::Bound, Use::Error, Use::Waiting, Use::Unused];
        assert_eq!(states, [expected.as_slice(), &[Use::Bound, Use::Nowhere]].concat());
        assert_eq!(entries[8].shown(), "/svc/a => /#/local/b (rule POST)");
        assert_eq!((entries[9].number, entries[9].rule.as_deref()), (10, Some("any request")));
        assert!(entries[0].built_in && !entries[1].built_in);
        assert_eq!(entries[2].bound.iter().collect::<Vec<_>>(), ["/#/local/b", "/#/local/c"]);
        assert_eq!(entries[3].names.iter().collect::<Vec<_>>(), ["/svc/b"]);
        // What there was no more time for is told from what nobody comes to.
        let few = all(5);
        assert_eq!((few[2].state, few[6].state, few[8].state), (Use::Bound, Use::Unknown, Use::Unknown));
    }

    #[test]
    fn what_nobody_can_call_is_not_said_to_be_bound() {
        let text = "/svc/a=>! ; /svc/b=>$ ; /svc/c=>/#/local/bytes ; /svc/d=>/#/local/web & /#/local/bytes ; /svc/e=>/#/fs/none";
        let table = Table::new(text.parse().unwrap());
        let (local, files) = (Dtab::default(), |_: &[Label]| Answer::Bound { taken: 1, place: Place::Vacant });
        let services = |rest: &[Label]| {
            let has_port = rest.first().and_then(Label::as_str) == Some("web");
            Answer::Bound { taken: 1, place: Place::At(has_port) }
        };
        let namers = Namers::default().with("/#/local".parse().unwrap(), services);
        let namers = namers.with("/#/fs".parse().unwrap(), files);
        let interpreter =
            Interpreter { table: &table, rules: &[], local: &local, namers: &namers, limits: Limits::default() };
        let entries = entries(&interpreter, 0, &[], &Rules::default(), (1000, &|has_port| *has_port));
        let states: Vec<Use> = entries.iter().map(|entry| entry.state).collect();
        assert_eq!(states, [Use::Fails, Use::Fails, Use::Uncallable, Use::Bound, Use::Uncallable]);
        assert_eq!(entries[2].bound.first().map(String::as_str), Some("/#/local/bytes"));
    }

    #[test]
    fn a_long_chain_is_listed_within_bounds() {
        let chain: Vec<String> = (0..2000).map(|n| format!("/svc/n{n:04}=>/svc/n{:04}", n + 1)).collect();
        let table = Table::new(chain.join(";").parse().unwrap());
        let local = Dtab::default();
        let namers = Namers::<()>::default();
        let interpreter =
            Interpreter { table: &table, rules: &[], local: &local, namers: &namers, limits: Limits::default() };
        let entries = entries(&interpreter, 0, &["n0000"], &Rules::default(), (20_000, &|()| true));
        assert_eq!(entries.len(), 2000);
        assert!(entries.iter().all(|entry| entry.names.len() <= LISTED));
        let listed = |place: usize| entries[place].names.len() + entries[place].more_names;
        assert_eq!((listed(0), listed(60)), (1, 61));
        let unknown = entries.iter().filter(|entry| entry.state == Use::Unknown).count();
        assert!((1000..2000).contains(&unknown), "{unknown}");
    }
}
