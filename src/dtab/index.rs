//! A table ready for look-ups.
//!
//! The prefixes of all entries form one tree, an element a level, so that a look-up costs about as much as the path is
//! long and as entries match, however many others there are. It follows at each level what is written there and `*`.
//! What a large table then costs is memory that is not in a cache: the tree is three flat pieces of it, for that reason.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;

use super::Dtab;
use super::dentry::{Dentry, Origin, Ruled};
use super::label::Label;
use super::path::Path;
use super::prefix::Element;

/// A table and the index of its prefixes.
#[derive(Debug, Clone)]
pub struct Table {
    dtab: Dtab,
    /// The nodes of the tree, the root first.
    nodes: Vec<Node>,
    /// The node below another for this element.
    below: HashMap<(Place, Label), Place>,
    /// The numbers of all entries, node by node.
    numbers: Vec<Place>,
}

/// A place in a list: half as long as a pointer, so that twice as many fit into a cache.
type Place = u32;

/// What all prefixes that begin alike have in common.
#[derive(Debug, Clone, Default)]
struct Node {
    /// The entries whose prefix ends here: the place of the first in the numbers, and how many they are.
    first: Place,
    count: u32,
    /// The node below for `*`; that is never the root.
    any: Option<NonZero<Place>>,
    /// Whether there are nodes below for labels.
    has_labels: bool,
}

/// An entry that is for a path.
#[derive(Debug, Clone, Copy)]
pub struct Match<'a> {
    /// Its place, from 0, in the order of writing: the table, the rules behind it, overrides behind those.
    pub number: usize,
    pub origin: Origin<&'a Arc<str>>,
    pub dentry: &'a Dentry,
}

impl Table {
    /// Indexes a table.
    pub fn new(dtab: Dtab) -> Self {
        let mut table =
            Self { dtab: Dtab::default(), nodes: vec![Node::default()], below: HashMap::new(), numbers: vec![] };
        let mut ends: Vec<(usize, Place)> = Vec::with_capacity(dtab.entries().len());
        for (number, dentry) in dtab.entries().iter().enumerate() {
            let end = dentry.prefix.elements().iter().fold(0, |node, element| table.child(node, element));
            ends.push((end as usize, place(number)));
        }
        ends.sort_unstable();
        for entries in ends.chunk_by(|(one, _), (other, _)| one == other) {
            let node = &mut table.nodes[entries[0].0];
            (node.first, node.count) = (place(table.numbers.len()), place(entries.len()));
            table.numbers.extend(entries.iter().map(|(_, number)| number));
        }
        Self { dtab, ..table }
    }

    /// The node below another; a new one where there is none yet.
    fn child(&mut self, node: Place, element: &Element) -> Place {
        let next = place(self.nodes.len());
        let parent = &mut self.nodes[node as usize];
        let below = match element {
            Element::Any => {
                parent.any = parent.any.or(NonZero::new(next));
                parent.any.map_or(next, NonZero::get)
            }
            Element::Label(label) => {
                parent.has_labels = true;
                *self.below.entry((node, label.clone())).or_insert(next)
            }
        };
        if below == next {
            self.nodes.push(Node::default());
        }
        below
    }

    /// The table.
    pub fn dtab(&self) -> &Dtab {
        &self.dtab
    }

    /// The entries that are for a path, last first: those of an override, those of the rules that hold, then the table's.
    pub fn matches<'a>(&'a self, rules: &'a [Ruled], local: &'a Dtab, path: &Path) -> Vec<Match<'a>> {
        let before = self.dtab.entries().len();
        let is_for = |dentry: &Dentry| dentry.prefix.strip(path).is_some();
        let overrides = local.entries().iter().enumerate().rev().filter(|(_, dentry)| is_for(dentry));
        let rules_for = rules.iter().enumerate().rev().filter(|(_, rule)| is_for(&rule.dentry));
        let own = self.places(path).filter_map(|number| Some((number, self.dtab.entries().get(number)?)));
        overrides
            .map(|(place, dentry)| (before + rules.len() + place, Origin::Override, dentry))
            .chain(rules_for.map(|(place, rule)| (before + place, Origin::Rule(&rule.label), &rule.dentry)))
            .chain(own.map(|(number, dentry)| (number, Origin::Table, dentry)))
            .map(|(number, origin, dentry)| Match { number, origin, dentry })
            .collect()
    }

    /// The places of the entries that are for a path, last first.
    pub fn places(&self, path: &Path) -> impl Iterator<Item = usize> + use<> {
        self.numbers(path).into_iter().map(|number| number as usize)
    }

    fn numbers(&self, path: &Path) -> Vec<Place> {
        let mut found = Vec::new();
        self.visit(0, path.labels(), &mut found);
        found.sort_unstable_by(|one, other| other.cmp(one));
        found
    }

    /// Collects from a node downwards. Answers how many nodes it has seen.
    fn visit(&self, node: Place, labels: &[Label], found: &mut Vec<Place>) -> usize {
        let Node { first, count, any, has_labels } = &self.nodes[node as usize];
        found.extend(self.numbers.iter().skip(*first as usize).take(*count as usize));
        let Some((label, rest)) = labels.split_first() else { return 1 };
        let written = has_labels.then(|| self.below.get(&(node, label.clone())).copied()).flatten();
        let below = [written, any.map(NonZero::get)];
        1 + below.into_iter().flatten().map(|below| self.visit(below, rest, found)).sum::<usize>()
    }
}

/// A table with more entries than this can count fits into no memory.
fn place(place: usize) -> Place {
    Place::try_from(place).unwrap_or(Place::MAX)
}

impl Default for Table {
    fn default() -> Self {
        Self::new(Dtab::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(services: usize) -> Table {
        let entries = (0..services).map(|n| format!("/svc/s{n}/*/x=>/a;/svc/*/GET=>/b;/s{n}=>/c"));
        Table::new(entries.collect::<Vec<_>>().join(";").parse().unwrap())
    }

    #[test]
    fn the_way_to_the_matches_does_not_grow_with_the_table() {
        let seen = |services| table(services).visit(0, "/svc/s0/GET/x".parse::<Path>().unwrap().labels(), &mut vec![]);
        assert_eq!(seen(1), seen(10_000));
    }

    #[test]
    fn later_entries_come_first_then_rules_and_overrides_before_all() {
        let table = Table::new("/a=>/1;/*=>/2;/=>/3;/a/b=>/4;/a=>/5".parse().unwrap());
        let rule = |text: &str| Ruled { label: text.into(), dentry: text.parse().unwrap() };
        let rules = ["/a=>/6", "/b=>/7", "/*=>/8"].map(rule);
        let local: Dtab = "/=>/6;/b=>/7;/a=>/8".parse().unwrap();
        let path = "/a".parse().unwrap();
        let found: Vec<(usize, Origin<&str>)> = table
            .matches(&rules, &local, &path)
            .into_iter()
            .map(|it| match it.origin {
                Origin::Table => (it.number, Origin::Table),
                Origin::Rule(label) => (it.number, Origin::Rule(&**label)),
                Origin::Override => (it.number, Origin::Override),
            })
            .collect();
        let own = [4, 2, 1, 0].map(|number| (number, Origin::Table));
        let (first, second) = (Origin::Rule("/*=>/8"), Origin::Rule("/a=>/6"));
        assert_eq!(found[..4], [(10, Origin::Override), (8, Origin::Override), (7, first), (5, second)]);
        assert_eq!(found[4..], own);
    }
}
