//! The last requests and connections, with caller and callee, in a ring.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// How many are kept.
const KEPT: usize = 10_000;

/// One request or connection that passed the proxy. `from` and `to` are places in the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: Arc<str>,
    pub trace_id: Arc<str>,
    pub time: Timestamp,
    /// `None` is the front door: a caller from outside.
    pub from: Option<Arc<str>>,
    pub to: Arc<str>,
    pub protocol: &'static str,
    pub method: Option<Arc<str>>,
    pub path: Option<Arc<str>>,
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
    pub duration: Duration,
    /// An answer that the proxy made itself: why.
    pub error: Option<Arc<str>>,
}

/// The ring; clones share it.
#[derive(Debug, Clone)]
pub struct Requests {
    ring: Arc<Mutex<Ring>>,
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Record>,
    /// The number of the next record, counted from the first of all.
    next: u64,
}

impl Default for Requests {
    fn default() -> Self {
        Self { ring: Arc::default(), count: watch::Sender::new(0) }
    }
}

impl Requests {
    /// Adds one; the oldest makes room.
    pub fn add(&self, record: Record) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.records.len() == KEPT {
            ring.records.pop_front();
        }
        ring.records.push_back(record);
        ring.next += 1;
        let next = ring.next;
        drop(ring);
        self.count.send_replace(next);
    }

    /// The records from number `from` on that are still there, and the number that follows them.
    pub fn since(&self, from: u64) -> (Vec<Record>, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = ring.next - ring.records.len() as u64;
        let skip = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        (ring.records.iter().skip(skip).cloned().collect(), ring.next)
    }

    /// A receiver that changes with every record.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}
