//! Callers for whom names mean something else: the services of one combination of versions, among others.

use std::collections::HashMap;
use std::sync::Arc;

use super::routes::entry;
use super::{Table, Upstream};
use crate::dtab::namers::Kind;
use crate::dtab::{Dentry, Dtab, NameTree};

/// What names mean to the callers of a combination.
#[derive(Debug, Clone, Default)]
pub struct Apart {
    /// As entries, which come behind all routes and before those of a request.
    dtab: Dtab,
    leads: HashMap<Arc<str>, Arc<str>>,
}

impl Apart {
    /// Of services by name, each with the one that takes its place.
    pub fn new<'a>(leads: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let leads: Vec<(&str, &str)> = leads.into_iter().collect();
        // Where the one that is meant is not there, no other entry is to be asked.
        let or_nobody = |leaf| NameTree::Alt(vec![leaf, NameTree::Fail]);
        let entry = |(name, to): &(&str, &str)| {
            let Dentry { prefix, tree } = entry(&["svc", name], &["#", Kind::Local.word(), to])?;
            Some(Dentry { prefix, tree: or_nobody(tree) })
        };
        let entries = leads.iter().filter_map(entry);
        Self { dtab: entries.collect(), leads: leads.iter().map(|(name, to)| ((*name).into(), (*to).into())).collect() }
    }

    /// The entries.
    pub fn dtab(&self) -> &Dtab {
        &self.dtab
    }

    /// Who takes the place of a service.
    pub fn lead(&self, name: &str) -> Option<&Arc<str>> {
        self.leads.get(name)
    }
}

impl Table {
    /// Whom a caller means that calls a service where no routes are asked.
    pub fn led<'a>(&'a self, caller: &str, to: &'a Arc<Upstream>) -> &'a Arc<Upstream> {
        let lead = || self.upstream(self.apart.get(caller)?.lead(&to.name)?);
        lead().unwrap_or(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Routes;

    #[test]
    fn a_caller_has_its_entries_behind_all_routes() {
        let apart = Apart::new([("users", "users-c2"), ("web", "web-c2")]);
        assert_eq!(apart.dtab().to_string(), "/svc/users=>/#/local/users-c2 | !;/svc/web=>/#/local/web-c2 | !");
        assert_eq!((apart.lead("web").map(|it| &**it), apart.lead("db")), (Some("web-c2"), None));
        let routes = Routes::new(3, [], "/svc/users => /#/local/users-v2".parse().unwrap());
        let own = routes.with(apart.dtab());
        let text = own.table.dtab().to_string();
        assert!(text.ends_with(
            "/svc/users=>/#/local/users-v2;/svc/users=>/#/local/users-c2 | !;/svc/web=>/#/local/web-c2 | !"
        ));
        assert_eq!((own.version, own.built_in), (3, routes.built_in));
        let plain = Routes::new(1, [], Dtab::default());
        assert!(plain.are_built_in() && !plain.with(apart.dtab()).are_built_in());
    }
}
