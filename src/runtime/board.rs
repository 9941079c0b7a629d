//! The present rows of all services, with numbers that tell a watcher what changed since it last looked.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::view::{Event, Service};

/// Shared between the loop, which writes, and everybody who looks.
#[derive(Debug, Clone)]
pub struct Board {
    inner: Arc<Mutex<Inner>>,
    version: watch::Sender<u64>,
    /// Counts changes of more than CPU and memory.
    meanings: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The instances of each service, by its place in the plan; none once it has left. Each with its version.
    rows: Vec<Vec<(u64, Service)>>,
    /// The version at which the list itself changed.
    shape: u64,
    /// What users should know whenever they look: the first line says it, what follows explains.
    notices: Vec<String>,
    events: std::collections::VecDeque<Event>,
    /// The number of the next event, counted from the first of all.
    next_event: u64,
}

/// Rows that changed.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Changes {
    /// The version to ask from the next time.
    pub version: u64,
    /// The list is complete and takes the place of the old one; otherwise it is to be laid over it.
    pub whole: bool,
    pub services: Vec<Service>,
    /// All notices that there are.
    #[serde(default)]
    pub notices: Vec<String>,
}

impl Changes {
    /// Lays these over the rows that are known.
    pub fn over(self, rows: &mut Vec<Service>) {
        if self.whole {
            *rows = self.services;
            return;
        }
        for row in self.services {
            match rows.iter_mut().find(|known| known.id() == row.id()) {
                Some(known) => *known = row,
                None => rows.push(row),
            }
        }
    }
}

/// Events that are kept for those who come late.
const KEPT_EVENTS: usize = 10_000;

impl Default for Board {
    fn default() -> Self {
        Self { inner: Arc::default(), version: watch::Sender::new(0), meanings: watch::Sender::new(0) }
    }
}

impl Board {
    /// Replaces the rows of services. One version covers them all.
    pub fn put(&self, rows: Vec<(usize, Vec<Service>)>) {
        if rows.is_empty() {
            return;
        }
        let next = *self.version.borrow() + 1;
        let mut inner = self.lock();
        let (mut changed, mut meant) = (false, false);
        for (place, row) in rows {
            if inner.rows.len() <= place {
                inner.rows.resize(place + 1, Vec::new());
                inner.shape = next;
            }
            let known = std::mem::take(&mut inner.rows[place]);
            if !known.iter().map(|(_, row)| row.id()).eq(row.iter().map(Service::id)) {
                inner.shape = next;
                (changed, meant) = (true, true);
            }
            meant |= row.iter().any(|row| !known.iter().any(|(_, known)| known.is_alike(row)));
            let versioned = |row: Service| match known.iter().find(|(_, known)| *known == row) {
                Some((version, _)) => (*version, row),
                None => (next, row),
            };
            inner.rows[place] = row.into_iter().map(versioned).collect();
            changed |= inner.rows[place].iter().any(|(version, _)| *version == next);
        }
        drop(inner);
        if changed {
            self.version.send_replace(next);
        }
        if meant {
            self.meanings.send_modify(|count| *count += 1);
        }
    }

    /// Forgets all rows beyond a number of places: the plan became shorter.
    pub fn truncate(&self, places: usize) {
        let next = *self.version.borrow() + 1;
        let mut inner = self.lock();
        if inner.rows.len() > places {
            inner.rows.truncate(places);
            inner.shape = next;
            drop(inner);
            self.version.send_replace(next);
            self.meanings.send_modify(|count| *count += 1);
        }
    }

    /// Adds events.
    pub fn add_events(&self, events: impl IntoIterator<Item = Event>) {
        let mut inner = self.lock();
        for event in events {
            if inner.events.len() == KEPT_EVENTS {
                inner.events.pop_front();
            }
            inner.events.push_back(event);
            inner.next_event += 1;
        }
    }

    /// Adds an event that comes with no change of a row, and wakes those who wait for events.
    pub fn tell(&self, event: Event) {
        self.add_events([event]);
        self.version.send_modify(|version| *version += 1);
    }

    /// Takes other notices.
    pub fn post(&self, notices: Vec<String>) {
        let mut inner = self.lock();
        if inner.notices != notices {
            inner.notices = notices;
            drop(inner);
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// All notices.
    pub fn notices(&self) -> Vec<String> {
        self.lock().notices.clone()
    }

    /// All rows.
    pub fn rows(&self) -> Vec<Service> {
        self.lock().rows.iter().flatten().map(|(_, service)| service.clone()).collect()
    }

    /// The rows that changed after a version; all of them where the list itself did.
    pub fn since(&self, version: u64) -> Changes {
        let current = *self.version.borrow();
        let inner = self.lock();
        let whole = version < inner.shape || version == 0;
        let services = inner.rows.iter().flatten().filter(|(at, _)| whole || *at > version);
        let services = services.map(|(_, service)| service.clone()).collect();
        Changes { version: current, whole, services, notices: inner.notices.clone() }
    }

    /// The events from number `from` on that are still there, and the number that follows them.
    pub fn events_since(&self, from: u64) -> (Vec<Event>, u64) {
        let inner = self.lock();
        let oldest = inner.next_event - inner.events.len() as u64;
        let skip = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        (inner.events.iter().skip(skip).cloned().collect(), inner.next_event)
    }

    /// A receiver that changes with every version.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// A receiver that changes when rows come to say something else than before, but for CPU and memory.
    pub fn meanings(&self) -> watch::Receiver<u64> {
        self.meanings.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
