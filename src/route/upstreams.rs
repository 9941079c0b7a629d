//! The services of a table, found by name or place with the same effort however many there are.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::Upstream;

/// Services in the order of the plan. Names are unique.
#[derive(Debug, Clone, Default)]
pub struct Upstreams {
    list: Vec<Arc<Upstream>>,
    places: HashMap<Arc<str>, usize>,
}

impl FromIterator<Arc<Upstream>> for Upstreams {
    fn from_iter<I: IntoIterator<Item = Arc<Upstream>>>(upstreams: I) -> Self {
        let list: Vec<Arc<Upstream>> = upstreams.into_iter().collect();
        let places = list.iter().enumerate().map(|(place, upstream)| (upstream.name.clone(), place)).collect();
        Self { list, places }
    }
}

impl Deref for Upstreams {
    type Target = [Arc<Upstream>];

    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl Upstreams {
    /// The place of the service of a name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}
