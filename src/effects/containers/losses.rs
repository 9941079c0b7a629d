//! Which services an engine that stopped took along: they are started again when it is back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An engine that stops in order ends its containers first, and takes this long at most.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Ends that nobody asked for, the latest ones.
#[derive(Debug, Default)]
pub struct Losses(Mutex<Vec<(Instant, String)>>);

impl Losses {
    /// A container of a service ended, or could not be made.
    pub fn add(&self, service: &str, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((now, service.to_owned()));
    }

    /// Those that count as lost with an engine that was missed first at `lost`. Nothing is known of any from then on.
    pub fn take(&self, lost: Instant) -> Vec<String> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let is_recent = |at: &Instant| lost.saturating_duration_since(*at) <= SHUTDOWN;
        let mut names: Vec<String> = all.into_iter().filter(|(at, _)| is_recent(at)).map(|(_, name)| name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Ends of long ago were none of an engine that stops now.
    pub fn forget(&self, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(at, _)| now.saturating_duration_since(*at) <= SHUTDOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_shortly_before_an_engine_was_ended_by_it() {
        let (losses, begun) = (Losses::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for (service, seconds) in [("old", 0), ("web", 50), ("db", 55), ("web", 61), ("late", 90)] {
            losses.add(service, at(seconds));
        }
        losses.forget(at(15));
        assert_eq!(losses.take(at(60)), ["db", "late", "web"]);
        assert!(losses.take(at(60)).is_empty());
    }
}
