//! Deadlines of all services, in order.

use std::collections::BTreeSet;

use super::input::Moment;

/// At most one deadline for each service.
#[derive(Debug, Clone, Default)]
pub struct Deadlines {
    order: BTreeSet<(Moment, usize)>,
    of: Vec<Option<Moment>>,
}

impl Deadlines {
    /// Sets or clears the deadline of a service.
    pub fn set(&mut self, service: usize, deadline: Option<Moment>) {
        if self.of.len() <= service {
            self.of.resize(service + 1, None);
        }
        let old = std::mem::replace(&mut self.of[service], deadline);
        if old == deadline {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, service));
        }
        if let Some(new) = deadline {
            self.order.insert((new, service));
        }
    }

    /// The earliest deadline.
    pub fn earliest(&self) -> Option<Moment> {
        self.order.first().map(|(moment, _)| *moment)
    }

    /// Takes one service whose deadline has come.
    pub fn pop(&mut self, now: Moment) -> Option<usize> {
        let &(moment, service) = self.order.first()?;
        if moment > now {
            return None;
        }
        self.order.pop_first();
        self.of[service] = None;
        Some(service)
    }
}
