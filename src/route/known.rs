//! What was asked about services while a name was bound.

use std::sync::{Arc, Mutex, PoisonError};

use super::services::{Callable, Standing, presence};
use super::{Table, Upstream};
use crate::dtab::namers::{Kind, Presence, Services};

/// The services of one table, and what was asked about them.
#[derive(Debug)]
pub struct Known {
    services: Callable,
    asked: Mutex<Vec<Asking>>,
}

/// A name that somebody asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    pub kind: Kind,
    pub name: String,
    /// The service of the name, and how it was found.
    pub found: Option<(Arc<Upstream>, Standing)>,
    /// Why a file of this name, which is there, means nothing.
    pub flaw: Option<Arc<str>>,
}

impl Known {
    /// The services of a table.
    pub fn new(table: Arc<Table>) -> Self {
        Self { services: Callable(table), asked: Mutex::default() }
    }

    fn note(&self, asking: Asking) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asking);
    }

    /// What was asked since this was called last, in order.
    pub fn take_asked(&self) -> Vec<Asking> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Services<Arc<Upstream>> for Known {
    fn find(&self, kind: Kind, name: &str) -> Presence<Arc<Upstream>> {
        if kind == Kind::File {
            let file = self.services.find(kind, name);
            if matches!(file, Presence::Absent) {
                let flaw = self.services.0.disco.flaw(name).map(Arc::from);
                self.note(Asking { kind, name: name.to_owned(), found: None, flaw });
            }
            return file;
        }
        let upstream = self.services.service(kind, name);
        let found = upstream.map(|upstream| (upstream.clone(), Standing::of(upstream)));
        self.note(Asking { kind, name: name.to_owned(), found, flaw: None });
        upstream.map_or(Presence::Absent, presence)
    }
}
