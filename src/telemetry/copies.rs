//! What became of copies of requests: counts, and the last answers that were different.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::resilience::compare::Difference;

/// Different answers that are kept.
const KEPT: usize = 200;
/// Copies of one mirror that are under way at most.
const MOST: usize = 64;

/// How many requests came to which end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Copies that were answered.
    pub answered: u64,
    /// Of these, as the original.
    pub same: u64,
    pub different: u64,
    /// Copies that were not answered.
    pub failed: u64,
    /// Requests of which there was no copy, by the reason.
    pub skipped: BTreeMap<String, u64>,
    /// Answers that were not compared, or not whole, by the reason.
    pub uncompared: BTreeMap<String, u64>,
}

/// An answer that was not as the original's, or did not come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Counted from 1.
    pub number: u64,
    /// RFC 3339, UTC.
    pub time: String,
    pub id: String,
    pub method: String,
    pub path: String,
    /// Why the copy was not answered.
    pub error: Option<String>,
    pub differences: Vec<Difference>,
    /// So many more.
    pub more: usize,
}

/// What is to be known of a request that was copied.
#[derive(Debug, Clone)]
pub struct Subject {
    pub time: Timestamp,
    pub id: String,
    pub method: String,
    pub path: String,
}

/// The counts of one mirror; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// How many different answers there were.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    latest: VecDeque<Seen>,
    seen: u64,
    under_way: usize,
}

/// A copy is under way as long as this is there.
#[derive(Debug)]
pub struct UnderWay(Tally);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
    }
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a copy, unless too many are under way.
    pub fn begin(&self) -> Option<UnderWay> {
        let mut state = self.state();
        if state.under_way >= MOST {
            *state.counts.skipped.entry(format!("{MOST} copies were under way")).or_default() += 1;
            return None;
        }
        state.under_way += 1;
        drop(state);
        Some(UnderWay(self.clone()))
    }

    /// There is no copy of a request.
    pub fn skip(&self, reason: &str) {
        count(&mut self.state().counts.skipped, reason);
    }

    /// A copy was answered, and nobody wanted more.
    pub fn answered(&self) {
        self.state().counts.answered += 1;
    }

    /// A copy was answered, and that was not compared, or in part.
    pub fn uncompared(&self, reason: &str) {
        count(&mut self.state().counts.uncompared, reason);
    }

    pub fn same(&self) {
        let counts = &mut self.state().counts;
        counts.answered += 1;
        counts.same += 1;
    }

    pub fn different(&self, of: &Subject, differences: Vec<Difference>, more: usize) {
        self.note(of, None, differences, more);
    }

    /// A copy was not answered.
    pub fn failed(&self, of: &Subject, error: String) {
        self.note(of, Some(error), Vec::new(), 0);
    }

    fn note(&self, of: &Subject, error: Option<String>, differences: Vec<Difference>, more: usize) {
        let mut state = self.state();
        match error {
            Some(_) => state.counts.failed += 1,
            None => {
                state.counts.answered += 1;
                state.counts.different += 1;
            }
        }
        state.seen += 1;
        let number = state.seen;
        if state.latest.len() == KEPT {
            state.latest.pop_front();
        }
        let Subject { time, id, method, path } = of.clone();
        state.latest.push_back(Seen { number, time: format!("{time:.3}"), id, method, path, error, differences, more });
        drop(state);
        self.0.news.send_replace(number);
    }

    pub fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// The different answers from number `from` on that are still there.
    pub fn since(&self, from: u64) -> Vec<Seen> {
        self.state().latest.iter().filter(|seen| seen.number >= from).cloned().collect()
    }

    /// The number of the last different answer, as it changes.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }
}

/// Reasons come from a few sentences, but name services.
fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    const MOST_REASONS: usize = 20;
    let reason = if counts.contains_key(reason) || counts.len() < MOST_REASONS { reason } else { "other reasons" };
    *counts.entry(reason.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_and_kept_is_bounded() {
        let tally = Tally::default();
        let all: Vec<UnderWay> = (0..MOST).filter_map(|_| tally.begin()).collect();
        assert!(all.len() == MOST && tally.begin().is_none());
        assert_eq!(tally.counts().skipped.values().sum::<u64>(), 1);
        drop(all);
        assert!(tally.begin().is_some());
        let of = Subject { time: Timestamp::UNIX_EPOCH, id: "a".into(), method: "GET".into(), path: "/".into() };
        let news = tally.news();
        (0..KEPT + 5).for_each(|_| tally.different(&of, Vec::new(), 0));
        tally.failed(&of, "no answer".to_owned());
        let kept = tally.since(0);
        assert_eq!((kept.len(), kept[0].number, *news.borrow()), (KEPT, 7, KEPT as u64 + 6));
        assert_eq!(tally.since(KEPT as u64 + 6)[0].error.as_deref(), Some("no answer"));
        (0..50).for_each(|number| tally.skip(&number.to_string()));
        assert_eq!(tally.counts().skipped.len(), 21);
        assert_eq!((tally.counts().failed, tally.counts().different), (1, KEPT as u64 + 5));
    }
}
