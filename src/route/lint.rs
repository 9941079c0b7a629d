//! What looks wrong in routes: names of nobody, entries that no name ever comes to, and names that lead back to
//! themselves. What it costs grows as the table does, so that one of ten thousand entries is looked through at once.

mod rounds;
#[cfg(test)]
mod tests;
mod trie;

use trie::Trie;

use crate::dtab::namers::{Kind, Presence, Services, flaw};
use crate::dtab::{Dentry, Dtab, Label, NameTree, Path, Prefix, Weighted};
use crate::manifest::did_you_mean;
use crate::model::Rules;
use rounds::{Ground, rounds};

/// Where the names of requests begin.
const LOGICAL: &str = "svc";

/// The names that routes may lead to.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Services, and their versions: `users`, `users-v1`, `users-v2`.
    pub local: Vec<String>,
    /// Those that live elsewhere.
    pub external: Vec<String>,
    /// Those of remotes: `staging/users`.
    pub remote: Vec<String>,
    /// Whether requests are named by what they bring, so that any name may come.
    pub any: bool,
}

/// At which of the places where a text stands something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Wherever an entry leads to this name.
    Name,
    /// Wherever it is an entry's prefix.
    Prefix,
    /// Where it is one's, behind so many others.
    Nth(usize),
    /// It is enough to know the first.
    First,
}

/// Something that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The text of the entry that it is about.
    pub needle: String,
    /// Where that stands.
    pub spot: Spot,
    /// A stable word for scripts.
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Named {
    fn has(&self, name: &str) -> bool {
        self.local.iter().chain(&self.external).any(|known| known == name)
    }

    fn near(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.local.iter().chain(&self.external).map(String::as_str))
    }
}

/// All of them, as if they ran.
impl Services<()> for Named {
    fn find(&self, kind: Kind, name: &str) -> Presence<()> {
        let known = match kind {
            Kind::Local => &self.local,
            Kind::External => &self.external,
            Kind::Remote => &self.remote,
            // Files come and go.
            Kind::File => return Presence::At(()),
        };
        if known.iter().any(|known| known == name) { Presence::At(()) } else { Presence::Absent }
    }
}

/// Looks through the routes that users wrote, which come behind the built-in ones, and what of these is for some requests
/// alone.
pub fn lint(routes: &Dtab, rules: &Rules, named: &Named) -> Vec<Finding> {
    let lint = Lint::new(routes.entries(), named);
    let mut found = Vec::new();
    for (place, entry) in routes.entries().iter().enumerate() {
        found.extend(leaves(&entry.tree).into_iter().filter_map(|leaf| lint.target(leaf)));
        found.extend(lint.unmatched(entry).or_else(|| lint.hidden(place, entry)));
    }
    for rule in rules.iter() {
        found.extend(leaves(&rule.entry.dentry.tree).into_iter().filter_map(|leaf| lint.target(leaf)));
        found.extend(lint.unmatched(&rule.entry.dentry));
    }
    found.dedup();
    let ground = Ground::new(routes, named);
    found.extend(rounds(&ground, &[]));
    for rule in rules.iter() {
        let all = rounds(&ground, std::slice::from_ref(&rule.entry));
        found.extend(all.into_iter().filter(|it| !found.contains(it)).collect::<Vec<_>>());
    }
    found
}

struct Lint<'a> {
    entries: &'a [Dentry],
    named: &'a Named,
    /// The prefixes of entries that are for some names in particular.
    own: Trie,
    /// The names to which entries lead.
    led: Trie,
    /// The prefixes of entries behind which nothing is tried.
    ends: Trie,
    /// Whether the namers of linkerd are used, which make names of any form.
    makes_names: bool,
}

impl<'a> Lint<'a> {
    fn new(entries: &'a [Dentry], named: &'a Named) -> Self {
        let numbered = || entries.iter().enumerate();
        let elements = |(number, entry): (usize, &'a Dentry)| (number, entry.prefix.elements());
        let names = || entries.iter().flat_map(|entry| leaves(&entry.tree));
        let led: Vec<Prefix> = names().cloned().map(Prefix::from).collect();
        Self {
            entries,
            named,
            own: Trie::of(numbered().filter(|(_, entry)| entry.prefix.len() > 1).map(elements)),
            led: Trie::of(led.iter().map(|name| (0, name.elements()))),
            ends: Trie::of(numbered().filter(|(_, entry)| is_final(&entry.tree)).map(elements)),
            makes_names: names().any(makes_names),
        }
    }

    /// A name to which an entry leads, and at which there is nobody.
    fn target(&self, leaf: &Path) -> Option<Finding> {
        let labels: Vec<&str> = leaf.labels().iter().map(Label::as_str).collect::<Option<_>>()?;
        let finding =
            |code, message, hint| Some(Finding { needle: leaf.to_string(), spot: Spot::Name, code, message, hint });
        let kinds = Kind::ALL.map(Kind::word);
        match labels.as_slice() {
            ["#", kind, name, ..] if *kind == Kind::Local.word() || *kind == Kind::External.word() => {
                let (known, others, other) = match *kind == Kind::Local.word() {
                    true => (&self.named.local, &self.named.external, Kind::External),
                    false => (&self.named.external, &self.named.local, Kind::Local),
                };
                let is = |known: &String| known == name;
                if known.iter().any(is) {
                    return None;
                }
                let hint = match others.iter().any(is) {
                    true => Some(format!("`/#/{}/{name}` is what it is called", other.word())),
                    false => did_you_mean(name, known.iter().map(String::as_str)),
                };
                finding("unknown_service", format!("`{leaf}` leads nowhere: no service or version is called so"), hint)
            }
            ["#", kind, at @ ..] if *kind == Kind::Remote.word() => {
                let name = at.get(..2).map(|two| two.join("/")).unwrap_or_default();
                if self.named.remote.contains(&name) {
                    return None;
                }
                let near = did_you_mean(&name, self.named.remote.iter().map(String::as_str));
                let hint =
                    near.unwrap_or_else(|| "it is `/#/remote/REMOTE/SERVICE`, by `remotes` of the manifest".to_owned());
                finding("unknown_remote", format!("`{leaf}` leads nowhere: no remote has such a service"), Some(hint))
            }
            ["#", kind, ..] if !kinds.contains(kind) => {
                let hint =
                    did_you_mean(kind, kinds).unwrap_or_else(|| format!("there are `/#/{}`", kinds.join("`, `/#/")));
                finding("unknown_namer", format!("`{leaf}` leads nowhere: there is no namer `/#/{kind}`"), Some(hint))
            }
            ["$", ..] => {
                let flaw = flaw(leaf)?;
                finding("bad_address", format!("`{leaf}` leads nowhere: {flaw}"), None)
            }
            [LOGICAL, name, ..] if !self.named.has(name) && !self.leads_on(leaf) => {
                let message = format!("`{leaf}` leads nowhere: no service and no other entry is called so");
                finding("unknown_service", message, self.named.near(name))
            }
            _ => None,
        }
    }

    /// Whether an entry is for this name in particular.
    fn leads_on(&self, leaf: &Path) -> bool {
        self.own.wider(Prefix::from(leaf.clone()).elements()).is_some()
    }

    /// An entry whose prefix is that of no name.
    fn unmatched(&self, entry: &Dentry) -> Option<Finding> {
        let mut labels = entry.prefix.elements().iter().map(|element| element.label().and_then(Label::as_str));
        let (first, second) = (labels.next()??, labels.next().flatten());
        let finding = |message, hint| {
            let (needle, spot) = (entry.prefix.to_string(), Spot::Prefix);
            Some(Finding { needle, spot, code: "unmatched_route", message, hint })
        };
        let is_led_to = || self.makes_names || self.led.meets(entry.prefix.elements());
        match (first, second) {
            (LOGICAL, Some(name)) if !self.named.has(name) && !is_led_to() => {
                // A name of one's own choice may come with a request; one that is nearly a service's hardly does.
                let near = self.named.near(name);
                if near.is_none() && self.named.any {
                    return None;
                }
                let hint = near.unwrap_or_else(|| format!("another entry may lead to it, or one that a request brings: `/{LOGICAL}/NAME => /{LOGICAL}/{name}`"));
                finding(format!("no service is called `{name}`, so hardly a request comes to this entry"), Some(hint))
            }
            (LOGICAL | "#" | "$", _) => None,
            (other, _) if !is_led_to() => finding(
                format!("no name begins with `/{other}`, so no request comes to this entry"),
                Some(format!("names of requests are `/{LOGICAL}/NAME`")),
            ),
            _ => None,
        }
    }

    /// An entry behind a later one that is for all its names and never leaves one to it.
    fn hidden(&self, place: usize, entry: &Dentry) -> Option<Finding> {
        let by = self.ends.wider(entry.prefix.elements()).filter(|by| *by > place)?;
        let by = self.entries.get(by)?;
        let alike = self.entries[..place].iter().filter(|other| other.prefix == entry.prefix).count();
        Some(Finding {
            needle: entry.prefix.to_string(),
            spot: Spot::Nth(alike),
            code: "hidden_route",
            message: format!("no name is left to this entry: `{by}` comes first, and ends all of them"),
            hint: Some("later entries come first; swap the two, or take this one out".to_owned()),
        })
    }
}

/// Whether a name is one of a namer of linkerd that makes others of it.
fn makes_names(name: &Path) -> bool {
    let [dollar, kind, ..] = name.labels() else { return false };
    let ends = ["inet", "fixedinet", "nil", "fail", "io.buoyant.rinet"];
    dollar.as_bytes() == b"$" && kind.as_str().is_some_and(|kind| !ends.contains(&kind))
}

/// Whether nothing behind a tree is ever tried, wherever its names lead.
fn is_final(tree: &NameTree<Path>) -> bool {
    match tree {
        NameTree::Fail | NameTree::Empty => true,
        NameTree::Alt(trees) => trees.iter().any(is_final),
        // Branches that fail drop out; an empty one keeps its share.
        NameTree::Union(branches) => branches.iter().any(|branch| branch.tree == NameTree::Empty),
        NameTree::Leaf(_) | NameTree::Neg => false,
    }
}

fn leaves(tree: &NameTree<Path>) -> Vec<&Path> {
    match tree {
        NameTree::Leaf(path) => vec![path],
        NameTree::Alt(trees) => trees.iter().flat_map(leaves).collect(),
        NameTree::Union(branches) => branches.iter().flat_map(|Weighted { tree, .. }| leaves(tree)).collect(),
        NameTree::Neg | NameTree::Fail | NameTree::Empty => Vec::new(),
    }
}
