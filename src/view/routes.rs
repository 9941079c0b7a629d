//! Routes as users see them: the table, and what becomes of each of its entries now.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::DelegateTree;
use crate::dtab::{Dtab, Fate, Interpreter, Label, NameTree, Outcome, Path, Step, Trace, Unbound};

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
pub fn entries<E: Clone>(interpreter: &Interpreter<'_, E>, built_in: usize, services: &[&str]) -> Vec<Entry> {
    let dtab = interpreter.table.dtab();
    let mut entries: Vec<Entry> = dtab
        .entries()
        .iter()
        .enumerate()
        .map(|(place, it)| Entry {
            number: place + 1,
            prefix: it.prefix.to_string(),
            dst: it.tree.to_string(),
            built_in: place < built_in,
            state: Use::Unused,
            names: BTreeSet::new(),
            bound: BTreeSet::new(),
        })
        .collect();
    for name in names(dtab, services) {
        visit(&interpreter.delegate(&name), &name, true, &mut entries);
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

/// Notes what became of each entry on the way of a name.
fn visit<E>(trace: &Trace<E>, name: &Path, is_live: bool, entries: &mut [Entry]) {
    let is_live = is_live && matches!(trace.fate, Fate::Taken | Fate::Negative | Fate::Shares(_));
    if let Step::Entry { number, .. } = &trace.step
        && let Some(entry) = entries.get_mut(*number)
    {
        let state = state(&trace.outcome, is_live);
        entry.state = entry.state.max(state);
        entry.names.insert(name.to_string());
        if let (Use::Bound, Ok(tree)) = (state, &trace.outcome) {
            entry.bound.extend(tree.shares().iter().filter_map(|share| Some(share.leaf?.id.to_string())));
        }
    }
    trace.parts.iter().for_each(|part| visit(part, name, is_live, entries));
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
    use crate::dtab::{Answer, Limits, Namers, Place, Table};

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
        let interpreter =
            Interpreter { table: &table, local: &Dtab::default(), namers: &namers, limits: Limits::default() };
        let entries = entries(&interpreter, 1, &["a", "b", "c"]);
        let states: Vec<Use> = entries.iter().map(|entry| entry.state).collect();
        let expected =
            [Use::Bound, Use::Nowhere, Use::Bound, Use::Bound, Use::Bound, Use::Error, Use::Waiting, Use::Unused];
        assert_eq!(states, expected);
        assert!(entries[0].built_in && !entries[1].built_in);
        assert_eq!(entries[2].bound.iter().collect::<Vec<_>>(), ["/#/local/b", "/#/local/c"]);
        assert_eq!(entries[3].names.iter().collect::<Vec<_>>(), ["/svc/b"]);
    }
}
