//! Entries that lead back to themselves, found before a request is: names are followed as for one, each once, by the
//! entries alone and with all services taken as present.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Finding, LOGICAL, Named, Spot};
use crate::dtab::{
    Cycle, Dentry, Dtab, Element, Interpreter, Label, Limits, NameTree, Namers, Path, Ruled, Table, Unbound, Unended,
};
use crate::route::Routes;

/// What stands for any label.
const ANY: &[u8] = b"*";
/// Ways that are told; who has more has one reason for them.
const TOLD: usize = 20;
/// Names and branches that are followed, for each entry of a table.
const WORK: usize = 50;
/// The same, for whatever no entry is for.
const ASIDE: usize = 500;

/// A table of users with what is known of the workspace, made ready for searches.
pub struct Ground<'a> {
    routes: Routes,
    namers: Namers<()>,
    named: &'a Named,
}

impl<'a> Ground<'a> {
    /// Puts the table behind the built-in one.
    pub fn new(routes: &Dtab, named: &'a Named) -> Self {
        let routes = Routes::new(0, named.external.iter().map(String::as_str), routes.clone());
        Self { routes, namers: Namers::of_workspace(Arc::new(named.clone())), named }
    }
}

/// What goes round in it, or is never at its end; `rules` are behind it.
pub fn rounds(ground: &Ground<'_>, rules: &[Ruled]) -> Vec<Finding> {
    let Ground { routes, namers, named } = ground;
    let entries = routes.table.dtab().entries();
    let mut search = Search {
        table: &routes.table,
        rules,
        namers,
        known: HashMap::new(),
        way: Vec::new(),
        found: Vec::new(),
        work: WORK * (entries.len() + rules.len() + named.local.len()),
    };
    // Where there is a rule, the table was looked through without.
    let prefixes = match rules {
        [] => entries,
        _ => &[],
    };
    let written = prefixes.iter().chain(rules.iter().map(|rule| &rule.dentry)).map(path);
    let services = named.local.iter().filter(|_| rules.is_empty()).filter_map(|name| Path::of([LOGICAL, name]));
    for name in services.chain(written) {
        search.name(&name);
    }
    search.found.iter().map(finding).collect()
}

/// A name that an entry is for.
fn path(entry: &Dentry) -> Path {
    let label = |element: &Element| element.label().cloned().or_else(|| Label::new(ANY));
    Path::new(entry.prefix.elements().iter().filter_map(label).collect())
}

struct Search<'a> {
    table: &'a Table,
    rules: &'a [Ruled],
    namers: &'a Namers<()>,
    /// Names that were met; whether there is something.
    known: HashMap<Path, Known>,
    /// The names that led to the present one, each with the entry that led on.
    way: Vec<(Path, Dentry)>,
    found: Vec<Unended>,
    work: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It is on the way.
    Open,
    Nothing,
    Something,
}

impl Search<'_> {
    /// Whether there is something by a name, so that whatever comes next is not tried. What goes round is something.
    fn name(&mut self, name: &Path) -> bool {
        match self.known.get(name) {
            Some(Known::Open) => return self.closes(name),
            Some(known) => return *known == Known::Something,
            None => {}
        }
        if self.work == 0 || self.found.len() >= TOLD {
            return true;
        }
        if self.way.len() >= Limits::default().depth {
            return self.ends_nowhere();
        }
        self.known.insert(name.clone(), Known::Open);
        let (table, rules) = (self.table, self.rules);
        let none = Dtab::default();
        let entries = table.matches(rules, &none, name);
        let mut is_there = false;
        for entry in &entries {
            let rest = name.labels().get(entry.dentry.prefix.len()..).unwrap_or_default();
            self.way.push((name.clone(), entry.dentry.clone()));
            is_there = self.tree(&entry.dentry.tree, rest);
            self.way.pop();
            if is_there {
                break;
            }
        }
        if entries.is_empty() {
            is_there = self.ask(name);
        }
        self.known.insert(name.clone(), if is_there { Known::Something } else { Known::Nothing });
        is_there
    }

    fn tree(&mut self, tree: &NameTree<Path>, rest: &[Label]) -> bool {
        self.work = self.work.saturating_sub(1);
        match tree {
            NameTree::Leaf(path) => self.name(&path.join(rest)),
            NameTree::Alt(trees) => trees.iter().any(|tree| self.tree(tree, rest)),
            // All branches are tried.
            NameTree::Union(branches) => {
                let there = branches.iter().filter(|branch| self.tree(&branch.tree, rest)).count();
                there > 0
            }
            NameTree::Neg => false,
            NameTree::Fail | NameTree::Empty => true,
        }
    }

    /// What namers say of a name that no entry is for.
    fn ask(&mut self, name: &Path) -> bool {
        match self.bound(name, Limits { work: ASIDE, ..Limits::default() }) {
            Ok(tree) => tree,
            Err(end) => self.note(end),
        }
    }

    fn bound(&self, name: &Path, limits: Limits) -> Result<bool, Option<Unended>> {
        let local = Dtab::default();
        let interpreter =
            Interpreter { table: self.table, rules: self.rules, local: &local, namers: self.namers, limits };
        match interpreter.bind(name) {
            Ok(tree) => Ok(tree != NameTree::Neg),
            Err(Unbound::TooDeep { end, .. } | Unbound::TooMuch { end, .. }) => Err(Some(*end)),
            Err(_) => Err(None),
        }
    }

    /// A name was met again on its own way.
    fn closes(&mut self, name: &Path) -> bool {
        let first = self.way.iter().position(|(before, _)| before == name).unwrap_or_default();
        let entries = self.way[first..].iter().map(|(_, entry)| entry.clone()).collect();
        self.note(Some(Unended::Round(Cycle { path: name.clone(), entries })))
    }

    /// Names grow, or are too many: binding says which.
    fn ends_nowhere(&mut self) -> bool {
        let Some((first, _)) = self.way.first().cloned() else { return true };
        let end = self.bound(&first, Limits { work: 10 * ASIDE, ..Limits::default() }).err().flatten();
        self.note(end)
    }

    fn note(&mut self, end: Option<Unended>) -> bool {
        let is_new = |end: &Unended| !self.found.iter().any(|known| are_alike(known, end));
        self.found.extend(end.filter(is_new));
        true
    }
}

/// Whether the same entries go round; of what is only long, one is enough.
fn are_alike(one: &Unended, other: &Unended) -> bool {
    match (one, other) {
        (Unended::Round(one), Unended::Round(other)) => {
            one.entries.len() == other.entries.len() && one.entries.iter().all(|entry| other.entries.contains(entry))
        }
        (Unended::At(_), Unended::At(_)) => true,
        _ => false,
    }
}

fn finding(end: &Unended) -> Finding {
    match end {
        Unended::Round(cycle) => Finding {
            needle: cycle.entries.first().map(|entry| entry.prefix.to_string()).unwrap_or_default(),
            spot: Spot::First,
            code: "endless_route",
            message: format!("{cycle}; requests that come there fail"),
            hint: Some("a name has to come to `/#/local/SERVICE`, an address or `!` in the end".to_owned()),
        },
        Unended::At(path) => Finding {
            needle: path.to_string(),
            spot: Spot::First,
            code: "endless_route",
            message: format!("{} names lead to each other, and {end}: requests fail", Limits::default().depth),
            hint: Some("lead to the last name of them at once".to_owned()),
        },
    }
}
