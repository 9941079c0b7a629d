//! Services whose requests go to another place, as entries of a dtab that a person can read:
//! `/svc/users => /#/remote/staging/users`.

use std::collections::BTreeMap;

use crate::dtab::namers::Kind;
use crate::dtab::{Dentry, Dtab, Element, Label, NameTree, Path, Prefix};

/// Services, each with the remote to which its requests go.
pub type Away = BTreeMap<String, String>;

/// Another state of affairs, by which some or all services are looked for elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// These and no others.
    All(Away),
    /// One, to a remote or back.
    One { service: String, remote: Option<String> },
}

/// The services that a dtab sends to remotes.
pub fn away(dtab: &Dtab) -> Away {
    let mut away = Away::new();
    for entry in dtab.entries() {
        let Some(service) = service(&entry.prefix) else { continue };
        match remote(&entry.tree, service) {
            Some(remote) => away.insert(service.to_owned(), remote.to_owned()),
            None => away.remove(service),
        };
    }
    away
}

/// A dtab by which services are where they should be. Entries that the manifest has are left as they are.
pub fn switched(dtab: &Dtab, manifest: &Dtab, switch: &Switch) -> Dtab {
    let wanted = match switch {
        Switch::All(wanted) => wanted.clone(),
        Switch::One { service, remote } => {
            let mut wanted = away(dtab);
            wanted.remove(service);
            wanted.extend(remote.iter().map(|remote| (service.clone(), remote.clone())));
            wanted
        }
    };
    let stays = |entry: &&Dentry| {
        let is_wanted = |(service, remote): (&str, &str)| wanted.get(service).is_some_and(|known| known == remote);
        switched_by(entry).is_none_or(is_wanted) || manifest.entries().contains(entry)
    };
    let mut kept: Dtab = dtab.entries().iter().filter(stays).cloned().collect();
    let now = away(&kept);
    kept.extend(
        wanted
            .iter()
            .filter(|(service, remote)| now.get(*service) != Some(remote))
            .filter_map(|(service, remote)| entry(service, Path::of(["#", Kind::Remote.word(), remote, service])?))
            .collect(),
    );
    // What the manifest sends away can come back all the same.
    if let Switch::One { service, remote: None } = switch
        && now.contains_key(service)
    {
        let back = Path::of(["#", Kind::Local.word(), service]).and_then(|path| entry(service, path));
        kept.extend(back.into_iter().collect());
    }
    kept
}

/// The entries that were made at run time.
pub fn made(dtab: &Dtab, manifest: &Dtab) -> Dtab {
    let is = |entry: &&Dentry| switched_by(entry).is_some() && !manifest.entries().contains(entry);
    dtab.entries().iter().filter(is).cloned().collect()
}

/// The service that an entry sends to a remote, and that.
fn switched_by(entry: &Dentry) -> Option<(&str, &str)> {
    let service = service(&entry.prefix)?;
    Some((service, remote(&entry.tree, service)?))
}

fn entry(service: &str, leaf: Path) -> Option<Dentry> {
    Some(Dentry { prefix: Prefix::from(Path::of(["svc", service])?), tree: NameTree::Leaf(leaf) })
}

/// The service that an entry is for, where that is one alone.
fn service(prefix: &Prefix) -> Option<&str> {
    let labels: Vec<&str> = prefix
        .elements()
        .iter()
        .map(|element: &Element| element.label().and_then(Label::as_str))
        .collect::<Option<_>>()?;
    match labels.as_slice() {
        ["svc", service] => Some(service),
        _ => None,
    }
}

/// The remote to which a tree leads and nothing else, for this service.
fn remote<'t>(tree: &'t NameTree<Path>, service: &str) -> Option<&'t str> {
    let NameTree::Leaf(path) = tree else { return None };
    let labels: Vec<&str> = path.labels().iter().map(Label::as_str).collect::<Option<_>>()?;
    match labels.as_slice() {
        ["#", kind, remote, name] if *kind == Kind::Remote.word() && *name == service => Some(remote),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "/svc/users=>/#/local/users-v2 & 9*/#/local/users";

    fn dtab(text: &str) -> Dtab {
        text.parse().unwrap()
    }

    fn all(services: &[&str]) -> Switch {
        Switch::All(services.iter().map(|it| ((*it).to_owned(), "staging".to_owned())).collect())
    }

    fn one(service: &str, remote: Option<&str>) -> Switch {
        Switch::One { service: service.to_owned(), remote: remote.map(str::to_owned) }
    }

    #[test]
    fn services_are_switched_by_entries_behind_all_others() {
        let both = format!("{CANARY};/svc/cart=>/#/remote/staging/cart;/svc/users=>/#/remote/staging/users");
        let (canary, none) = (dtab(CANARY), Dtab::default());
        assert_eq!(switched(&canary, &canary, &all(&["users", "cart"])).to_string(), both);
        assert_eq!(away(&dtab(&both)).len(), 2);
        let cases = [
            (all(&["users", "cart"]), both.as_str()),
            (all(&[]), CANARY),
            (one("users", None), &format!("{CANARY};/svc/cart=>/#/remote/staging/cart")),
            (
                one("cart", Some("test")),
                &format!("{CANARY};/svc/users=>/#/remote/staging/users;/svc/cart=>/#/remote/test/cart"),
            ),
            (one("nobody", None), &both),
        ];
        for (switch, expected) in cases {
            assert_eq!(switched(&dtab(&both), &canary, &switch).to_string(), expected, "{switch:?}");
        }
        assert_eq!(made(&dtab(&both), &canary).entries().len(), 2);
        assert_eq!(made(&dtab(&both), &dtab(&both)), none);
    }

    #[test]
    fn what_the_manifest_sends_away_stays_its_own() {
        let own = dtab("/svc/users=>/#/remote/staging/users");
        assert_eq!(switched(&own, &own, &all(&[])), own);
        assert_eq!(switched(&own, &own, &all(&["users"])), own);
        let back = switched(&own, &own, &one("users", None));
        assert_eq!(back.to_string(), "/svc/users=>/#/remote/staging/users;/svc/users=>/#/local/users");
        assert!(away(&back).is_empty());
        let again = switched(&back, &own, &one("users", Some("staging")));
        assert_eq!(away(&again)["users"], "staging");
    }

    #[test]
    fn only_entries_that_do_nothing_else_count() {
        for other in [
            "/svc/users=>/#/remote/staging/cart",
            "/svc/users=>/#/remote/staging/users | /#/local/users",
            "/svc/*=>/#/remote/staging/users",
            "/svc/users/deep=>/#/remote/staging/users",
            "/svc/users=>/#/remote/staging/users ; /svc/users=>/#/local/users",
        ] {
            assert!(away(&dtab(other)).is_empty(), "{other}");
        }
    }
}
