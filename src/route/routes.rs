//! The routes in force: what the names of requests mean now. They change at run time, apart from the table.

use crate::dtab::namers::Kind;
use crate::dtab::{Dentry, Dtab, Element, NameTree, Path, Prefix, Table};

/// One version of a workspace's routes.
#[derive(Debug, Default)]
pub struct Routes {
    /// Counts the changes that were made to them.
    pub version: u64,
    /// Built-in entries, then those of users.
    pub table: Table,
    /// How many entries are built in.
    pub built_in: usize,
}

impl Routes {
    /// The routes that users wrote, behind the built-in ones.
    pub fn new<'a>(version: u64, external: impl IntoIterator<Item = &'a str>, own: Dtab) -> Self {
        let mut all = built_in(external);
        let built_in = all.entries().len();
        all.extend(own);
        Self { version, table: Table::new(all), built_in }
    }

    /// The same with entries behind all others.
    pub fn with(&self, own: &Dtab) -> Self {
        let mut all = self.table.dtab().clone();
        all.extend(own.clone());
        Self { version: self.version, table: Table::new(all), built_in: self.built_in }
    }

    /// Whether users wrote none: then every name leads to the service of that name.
    pub fn are_built_in(&self) -> bool {
        self.table.dtab().entries().len() == self.built_in
    }
}

/// Names lead to services of the workspace, and of these to the `external` ones elsewhere.
fn built_in<'a>(external: impl IntoIterator<Item = &'a str>) -> Dtab {
    let elsewhere = external.into_iter().map(|name| entry(&["svc", name], &["#", Kind::External.word(), name]));
    std::iter::once(entry(&["svc"], &["#", Kind::Local.word()])).chain(elsewhere).flatten().collect()
}

/// `None` for what is no name; services have none such.
pub(super) fn entry(prefix: &[&str], leaf: &[&str]) -> Option<Dentry> {
    let path = |labels: &[&str]| Path::of(labels.iter().copied());
    let prefix = path(prefix)?.labels().iter().cloned().map(Element::Label).collect();
    Some(Dentry { prefix: Prefix::new(prefix), tree: NameTree::Leaf(path(leaf)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_comes_behind_what_is_built_in() {
        let own = "/svc/users => /#/local/users-v2".parse().unwrap();
        let routes = Routes::new(7, ["stripe"], own);
        let built_in = "/svc=>/#/local;/svc/stripe=>/#/external/stripe";
        assert_eq!(routes.table.dtab().to_string(), format!("{built_in};/svc/users=>/#/local/users-v2"));
        assert!(!routes.are_built_in() && Routes::new(1, ["stripe"], Dtab::default()).are_built_in());
        assert_eq!(Routes::default().version, 0);
    }
}
