//! How the requests to a service are shared among its versions: one entry of a dtab, in percent.

use crate::dtab::{Dentry, Dtab, Label, NameTree, Path, Prefix, Weight, Weighted};

/// The share of each version that has one, in percent, by the version's own name as a service.
pub type Shares = Vec<(String, f64)>;

/// Why shares cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadShares {
    #[error("the shares add up to {0} %")]
    TooMuch(f64),
    #[error("the shares add up to {0} %, and nobody is left who could have the rest")]
    TooLittle(f64),
}

/// Below a thousandth of a percent, sums of decimals differ.
const NOTHING: f64 = 1e-3;

/// New shares: those that are `named`, and the rest for the others in the proportion that they have `now`, or for the
/// `first` version where they have none.
pub fn settle(now: &[(String, f64)], named: &[(String, f64)], first: &str) -> Result<Shares, BadShares> {
    let is_named = |name: &str| named.iter().any(|(known, _)| known == name);
    let sum: f64 = named.iter().map(|(_, share)| share).sum();
    if sum > 100.0 + NOTHING {
        return Err(BadShares::TooMuch(sum));
    }
    let rest = 100.0 - sum;
    let mut shares: Shares = named.to_vec();
    if rest > NOTHING {
        let others: Shares = now.iter().filter(|(name, share)| !is_named(name) && *share > 0.0).cloned().collect();
        let total: f64 = others.iter().map(|(_, share)| share).sum();
        match others.is_empty() {
            false => shares.extend(others.into_iter().map(|(name, share)| (name, share * rest / total))),
            true if is_named(first) => return Err(BadShares::TooLittle(sum)),
            true => shares.push((first.to_owned(), rest)),
        }
    }
    shares.retain(|(_, share)| *share > 0.0);
    Ok(shares)
}

/// The tree of an entry that shares out.
pub fn tree(shares: &[(String, f64)]) -> NameTree<Path> {
    let branch = |(name, share): &(String, f64)| {
        let tree = NameTree::Leaf(Path::of(["#", "local", name])?);
        // Decimals of a division say nothing.
        Some(Weighted { weight: Weight::new((share * 1e6).round() / 1e6)?, tree })
    };
    NameTree::union(shares.iter().filter_map(branch).collect())
}

/// The shares of an entry that does nothing else.
fn shares(tree: &NameTree<Path>) -> Option<Shares> {
    let branches = match tree {
        NameTree::Leaf(path) => return Some(vec![(name(path)?, 100.0)]),
        NameTree::Union(branches) => branches,
        _ => return None,
    };
    let weighted = |branch: &Weighted<Path>| match &branch.tree {
        NameTree::Leaf(path) => Some((name(path)?, branch.weight.get())),
        _ => None,
    };
    let weighted = branches.iter().map(weighted).collect::<Option<Shares>>()?;
    let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let share = |(name, weight): (String, f64)| (name, weight * 100.0 / total);
    (total > 0.0).then(|| weighted.into_iter().map(share).collect())
}

/// The service behind `/#/local`.
fn name(path: &Path) -> Option<String> {
    let labels: Vec<&str> = path.labels().iter().filter_map(Label::as_str).collect();
    match labels.as_slice() {
        ["#", "local", name] => Some((*name).to_owned()),
        _ => None,
    }
}

fn prefix(service: &str) -> Option<Prefix> {
    Path::of(["svc", service]).map(Prefix::from)
}

/// The last entry that is for a service alone, which is the first that counts.
fn place(dtab: &Dtab, service: &str) -> Option<usize> {
    let prefix = prefix(service)?;
    dtab.entries().iter().rposition(|entry| entry.prefix == prefix)
}

/// The tree of that entry.
pub fn entry<'a>(dtab: &'a Dtab, service: &str) -> Option<&'a NameTree<Path>> {
    place(dtab, service).map(|place| &dtab.entries()[place].tree)
}

/// How the requests to a service are shared now: by its entry, where that does nothing else, else all to its first
/// version. That one bears the service's name; `first` is what it is called as a version.
pub fn current(dtab: &Dtab, service: &str, first: Option<&str>) -> Shares {
    let Some(written) = entry(dtab, service).and_then(shares) else { return vec![(service.to_owned(), 100.0)] };
    let own = first.map(|first| format!("{service}-{first}"));
    let mut all = Shares::new();
    for (name, share) in written {
        let name = if own.as_ref() == Some(&name) { service.to_owned() } else { name };
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += share,
            None => all.push((name, share)),
        }
    }
    all
}

/// The only version to which an entry leads all requests to a service, where it does nothing else; the first where there
/// is no entry.
pub fn all_to(dtab: &Dtab, service: &str, first: Option<&str>) -> Option<String> {
    if entry(dtab, service).is_some_and(|tree| shares(tree).is_none()) {
        return None;
    }
    let mut having = current(dtab, service, first).into_iter().filter(|(_, share)| *share > 0.0);
    match (having.next(), having.next()) {
        (Some((only, _)), None) => Some(only),
        _ => None,
    }
}

/// The table with another tree for a service; `None` takes its entry out. An entry that only shares out is replaced,
/// any other stays behind the new one.
pub fn with(dtab: &Dtab, service: &str, tree: Option<NameTree<Path>>) -> Dtab {
    let mut entries = dtab.entries().to_vec();
    let known = place(dtab, service).filter(|place| shares(&entries[*place].tree).is_some());
    match (known, tree, prefix(service)) {
        (Some(place), Some(tree), _) => entries[place].tree = tree,
        (Some(place), None, _) => drop(entries.remove(place)),
        (None, Some(tree), Some(prefix)) => entries.push(Dentry { prefix, tree }),
        (None, ..) => {}
    }
    Dtab::new(entries)
}

/// The table without a version that is no more: what led there is taken out, and with it entries that did nothing else.
/// Who shared with it has its share.
pub fn without(dtab: &Dtab, version: &str) -> Dtab {
    let mut left: Vec<Dentry> = Vec::new();
    for entry in dtab.entries() {
        let Some(tree) = pruned(&entry.tree, version) else { continue };
        let is_usual = tree != entry.tree && is_usual(&entry.prefix, &tree, &left);
        if !is_usual {
            left.push(Dentry { prefix: entry.prefix.clone(), tree });
        }
    }
    Dtab::new(left)
}

fn pruned(tree: &NameTree<Path>, version: &str) -> Option<NameTree<Path>> {
    match tree {
        NameTree::Leaf(path) => {
            let gone = Path::of(["#", "local", version])?;
            path.strip_prefix(&gone).is_none().then(|| tree.clone())
        }
        NameTree::Alt(trees) => {
            let trees: Vec<_> = trees.iter().filter_map(|tree| pruned(tree, version)).collect();
            (!trees.is_empty()).then(|| NameTree::alternatives(trees))
        }
        NameTree::Union(branches) => {
            let pruned = |it: &Weighted<Path>| Some(Weighted { weight: it.weight, tree: pruned(&it.tree, version)? });
            let branches: Vec<_> = branches.iter().filter_map(pruned).collect();
            (!branches.is_empty()).then(|| NameTree::union(branches))
        }
        NameTree::Neg | NameTree::Fail | NameTree::Empty => Some(tree.clone()),
    }
}

/// Whether a service's requests go to itself, as they do without an entry where none before says otherwise.
fn is_usual(prefix: &Prefix, tree: &NameTree<Path>, before: &[Dentry]) -> bool {
    let labels: Option<Vec<&str>> =
        prefix.elements().iter().map(|element| element.label().and_then(Label::as_str)).collect();
    let Some(["svc", service]) = labels.as_deref() else { return false };
    let Some(path) = Path::of(["svc", service]) else { return false };
    let leads_home = matches!(tree, NameTree::Leaf(leaf) if name(leaf).as_deref() == Some(service));
    leads_home && before.iter().all(|entry| entry.prefix.strip(&path).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Shares {
        let pairs = text.split(' ').filter(|word| !word.is_empty()).filter_map(|word| word.split_once('='));
        pairs.map(|(name, share)| (name.to_owned(), share.parse().unwrap())).collect()
    }

    fn text(shares: &[(String, f64)]) -> String {
        shares.iter().map(|(name, share)| format!("{name}={share}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_rest_goes_to_the_others() {
        let cases = [
            ("a=100", "b=10", Ok("b=10 a=90")),
            ("a=100", "b=10 a=90", Ok("b=10 a=90")),
            ("a=100", "b=100", Ok("b=100")),
            ("a=60 b=20 c=20", "b=50", Ok("b=50 a=37.5 c=12.5")),
            ("b=100", "b=40", Ok("b=40 a=60")),
            ("b=100", "a=100", Ok("a=100")),
            ("a=100", "b=0", Ok("a=100")),
            ("a=100", "b=0.1", Ok("b=0.1 a=99.9")),
            ("a=100", "b=60 c=50", Err(BadShares::TooMuch(110.0))),
            ("a=100", "a=60 b=30", Err(BadShares::TooLittle(90.0))),
        ];
        for (now, named, expected) in cases {
            let settled = settle(&list(now), &list(named), "a").map(|shares| text(&shares));
            assert_eq!(settled, expected.map(str::to_owned), "{now} and {named}");
        }
    }

    #[test]
    fn a_version_that_is_gone_leaves_nothing_behind() {
        let cases = [
            ("/svc/a=>10*/#/local/a-fix & 90*/#/local/a", ""),
            ("/svc/a=>/#/local/a-fix", ""),
            ("/svc/a=>10*/#/local/a-fix & 30*/#/local/b & 60*/#/local/a", "/svc/a=>30*/#/local/b & 60*/#/local/a"),
            ("/svc/a=>/x;/svc/a=>1*/#/local/a-fix & 9*/#/local/a", "/svc/a=>/x;/svc/a=>/#/local/a"),
            ("/svc=>/x;/svc/a=>/#/local/a-fix | /#/local/a", "/svc=>/x;/svc/a=>/#/local/a"),
            ("/svc/b=>/#/local/a-fix | /#/local/b-v2 | !", "/svc/b=>/#/local/b-v2 | !"),
            // Nothing that was not touched is, and names that only begin alike are others'.
            ("/svc/a=>/#/local/a;/svc/b=>/#/local/a-fix-2", "/svc/a=>/#/local/a;/svc/b=>/#/local/a-fix-2"),
        ];
        for (before, after) in cases {
            assert_eq!(without(&before.parse().unwrap(), "a-fix").to_string(), after, "{before}");
        }
    }

    #[test]
    fn an_entry_is_read_and_replaced() {
        let cases = [
            ("", "a=100", "/svc/a=>25*/#/local/b & 75*/#/local/a"),
            ("/svc/x=>/y", "a=100", "/svc/x=>/y;/svc/a=>25*/#/local/b & 75*/#/local/a"),
            ("/svc/a=>/#/local/b;/svc/x=>/y", "b=100", "/svc/a=>25*/#/local/b & 75*/#/local/a;/svc/x=>/y"),
            ("/svc/a=>1*/#/local/a & 3*/#/local/b", "a=25 b=75", "/svc/a=>25*/#/local/b & 75*/#/local/a"),
            // What does more is not ours to replace.
            ("/svc/a=>/#/local/b | /y", "a=100", "/svc/a=>/#/local/b | /y;/svc/a=>25*/#/local/b & 75*/#/local/a"),
            (
                "/svc/a=>0*/#/local/a & 0*/#/local/b",
                "a=100",
                "/svc/a=>0*/#/local/a & 0*/#/local/b;/svc/a=>25*/#/local/b & 75*/#/local/a",
            ),
            // The first version has two names.
            (
                "/svc/a=>1*/#/local/a-v1 & 1*/#/local/a & 2*/#/local/b",
                "a=50 b=50",
                "/svc/a=>25*/#/local/b & 75*/#/local/a",
            ),
            ("/svc/*=>/x", "a=100", "/svc/*=>/x;/svc/a=>25*/#/local/b & 75*/#/local/a"),
        ];
        for (before, shares, after) in cases {
            let dtab: Dtab = before.parse().unwrap();
            assert_eq!(text(&current(&dtab, "a", Some("v1"))), shares, "{before}");
            let new = with(&dtab, "a", Some(tree(&list("b=25 a=75"))));
            assert_eq!(new.to_string(), after, "{before}");
            let taken = with(&new, "a", None);
            assert!(taken.entries().len() <= dtab.entries().len().max(1), "{before}");
        }
        assert_eq!(
            tree(&list("a=33.33333333 b=66.66666667")).to_string(),
            "33.333333*/#/local/a & 66.666667*/#/local/b"
        );
        assert_eq!(tree(&list("b=100")).to_string(), "/#/local/b");
    }
}
