//! How much is called: requests, failures and durations of each edge in the last seconds.
//!
//! The engine folds its records into one [`Flow`] a second, and only while there are any; whoever looks keeps the
//! seconds of a short window. So a look costs the same at ten requests a second and at ten thousand.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Service;
use crate::telemetry::requests::Record;

/// Seconds that are kept, and drawn.
pub const WINDOW: i64 = 30;
/// Seconds of which rates are made: long enough to be read, short enough to follow.
pub const RATE: i64 = 10;
/// Buckets between a duration and twice that: quantiles are right to 5 %.
const STEPS: f64 = 8.0;

/// What happened in one second, or several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub requests: u64,
    /// Those that failed by their status, or that the proxy had to answer itself.
    pub errors: u64,
    /// How many took how long: by eighths of powers of two, in microseconds.
    pub durations: BTreeMap<u16, u64>,
}

/// What happened on one edge in one second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Since 1970.
    pub second: i64,
    pub edge: EdgeId,
    /// Whether the manifest has this caller call this callee; `None` where one of them is no service.
    pub declared: Option<bool>,
    pub tally: Tally,
}

/// Who calls whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EdgeId {
    /// `None` is the front door.
    pub from: Option<String>,
    pub to: String,
    pub version: Option<String>,
}

/// What the engine tells at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The second in which it is told.
    pub now: i64,
    pub pieces: Vec<Piece>,
}

/// Rates of an edge or a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    pub per_second: f64,
    /// The share of requests that failed, from 0 to 1.
    pub errors: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Tally {
    fn count(&mut self, record: &Record) {
        let is_failed = is_failed(record.error.is_some(), record.status, record.grpc_status);
        self.note(is_failed, record.duration.as_secs_f64() * 1e6);
    }

    /// One more, which took so many microseconds.
    pub fn note(&mut self, is_failed: bool, micros: f64) {
        self.requests += 1;
        self.errors += u64::from(is_failed);
        *self.durations.entry(bucket(micros)).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        for (bucket, count) in &other.durations {
            *self.durations.entry(*bucket).or_default() += count;
        }
    }

    /// The duration that this share of all stays within, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a count of requests")]
        let wanted = self.requests as f64 * share;
        let mut seen = 0;
        for (bucket, count) in &self.durations {
            seen += count;
            #[allow(clippy::cast_precision_loss, reason = "a count of requests")]
            if seen as f64 >= wanted {
                return 2f64.powf((f64::from(*bucket) + 0.5) / STEPS) / 1e3;
            }
        }
        0.0
    }

    fn rates(&self, seconds: i64) -> Rates {
        #[allow(clippy::cast_precision_loss, reason = "counts of requests and seconds")]
        let (requests, errors, seconds) = (self.requests as f64, self.errors as f64, seconds.max(1) as f64);
        Rates {
            per_second: requests / seconds,
            errors: if requests > 0.0 { errors / requests } else { 0.0 },
            p50_ms: self.quantile(0.5),
            p99_ms: self.quantile(0.99),
        }
    }
}

/// Whether a request failed: by its status, or as the proxy had to answer itself.
pub fn is_failed(is_own_answer: bool, status: Option<u16>, grpc_status: Option<u16>) -> bool {
    is_own_answer || status.is_some_and(|status| status >= 500) || grpc_status.is_some_and(|status| status != 0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 8 times 64")]
fn bucket(micros: f64) -> u16 {
    (micros.max(1.0).log2() * STEPS).floor().clamp(0.0, 511.0) as u16
}

impl Flow {
    /// What became of records. `declared` tells whether the manifest has an edge.
    pub fn new<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        now: Timestamp,
        declared: impl Fn(&Record) -> Option<bool>,
    ) -> Self {
        let now = now.as_second();
        let mut tallies: BTreeMap<(i64, EdgeId), (Option<bool>, Tally)> = BTreeMap::new();
        for record in records {
            let end = record.time.checked_add(record.duration).unwrap_or(record.time).as_second();
            if end <= now - WINDOW {
                continue;
            }
            let edge = EdgeId {
                from: record.from.as_deref().map(str::to_owned),
                to: record.to.to_string(),
                version: record.version.as_deref().map(str::to_owned),
            };
            let entry = tallies.entry((end, edge)).or_insert_with(|| (declared(record), Tally::default()));
            entry.1.count(record);
        }
        let piece = |((second, edge), (declared, tally))| Piece { second, edge, declared, tally };
        Self { now, pieces: tallies.into_iter().map(piece).collect() }
    }
}

/// One edge as it was called.
#[derive(Debug, Clone, Default)]
struct Called {
    declared: Option<bool>,
    seconds: VecDeque<(i64, Tally)>,
}

/// The window: what whoever looks knows of the last seconds. An edge that was called once stays known.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    now: i64,
    edges: BTreeMap<EdgeId, Called>,
}

impl Traffic {
    /// Takes in what the engine told.
    pub fn add(&mut self, flow: Flow) {
        self.now = self.now.max(flow.now);
        for piece in flow.pieces {
            let called = self.edges.entry(piece.edge).or_default();
            called.declared = piece.declared;
            match called.seconds.iter_mut().find(|(second, _)| *second == piece.second) {
                Some((_, tally)) => tally.add(&piece.tally),
                None => called.seconds.push_back((piece.second, piece.tally)),
            }
        }
        let oldest = self.now - WINDOW;
        self.edges.values_mut().for_each(|called| called.seconds.retain(|(second, _)| *second > oldest));
    }

    /// All edges that were called, and whether the manifest has them.
    pub fn edges(&self) -> impl Iterator<Item = (&EdgeId, Option<bool>)> {
        self.edges.iter().map(|(edge, called)| (edge, called.declared))
    }

    /// The rates of those edges that are meant; `None` where nothing was called lately.
    pub fn rates(&self, is_meant: impl Fn(&EdgeId) -> bool) -> Option<Rates> {
        let mut sum = Tally::default();
        for (second, tally) in self.seconds(&is_meant) {
            // The present second is not over: it would make every rate too low.
            if second > self.now - RATE {
                sum.add(tally);
            }
        }
        (sum.requests > 0).then(|| sum.rates(RATE))
    }

    /// The rates of calls to a row of `ps`.
    pub fn of(&self, row: &Service) -> Option<Rates> {
        self.rates(|edge| is_to(edge, row))
    }

    /// Requests to a row in each second of the window, the oldest first.
    pub fn history(&self, row: &Service) -> Vec<u64> {
        let mut out = vec![0; usize::try_from(WINDOW).unwrap_or(0)];
        for (second, tally) in self.seconds(&|edge| is_to(edge, row)) {
            let place = usize::try_from(second - (self.now - WINDOW) - 1).ok();
            if let Some(count) = place.and_then(|place| out.get_mut(place)) {
                *count += tally.requests;
            }
        }
        out
    }

    fn seconds(&self, is_meant: &impl Fn(&EdgeId) -> bool) -> impl Iterator<Item = (i64, &Tally)> {
        let meant = self.edges.iter().filter(move |(edge, _)| is_meant(edge));
        meant.flat_map(|(_, called)| called.seconds.iter().map(|(second, tally)| (*second, tally)))
    }
}

/// Whether an edge leads to a row. A call that names no version is one of the first.
pub fn is_to(edge: &EdgeId, row: &Service) -> bool {
    let is_first = row.name == row.service;
    let same_version = edge.version == row.version || (edge.version.is_none() && is_first);
    (edge.to == row.service && same_version) || (edge.to == row.name && edge.version.is_none())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::requests::Words;

    fn record(to: &str, second: i64, millis: u64, status: u16) -> Record {
        let time = Timestamp::from_second(second).unwrap();
        let mut record = Record::new(Words::new("id", "GET", "/"), 1, time, Some("web".into()), to.into());
        record.duration = Duration::from_millis(millis);
        record.status = Some(status);
        record
    }

    fn to(name: &str) -> impl Fn(&EdgeId) -> bool {
        move |edge| edge.to == name
    }

    #[test]
    fn rates_are_of_the_last_ten_seconds() {
        let mut records: Vec<Record> = (0..98).map(|n| record("users", 1000 - n % 10, 4, 200)).collect();
        records.push(record("users", 999, 800, 500));
        records.push(record("users", 995, 4, 503));
        records.push(record("users", 985, 4, 500));
        let now = Timestamp::from_second(1000).unwrap();
        let mut traffic = Traffic::default();
        traffic.add(Flow::new(&records, now, |_| Some(true)));
        let rates = traffic.rates(to("users")).unwrap();
        assert!((rates.per_second - 10.0).abs() < 1e-9 && (rates.errors - 0.02).abs() < 1e-9, "{rates:?}");
        assert!((3.7..4.3).contains(&rates.p50_ms) && (3.7..4.3).contains(&rates.p99_ms), "{rates:?}");
        assert_eq!(traffic.rates(to("cart")), None);

        // Time goes on without requests: the rate falls, then nothing is left, but the edge stays known.
        traffic.add(Flow { now: 1005, pieces: Vec::new() });
        assert!(traffic.rates(to("users")).unwrap().per_second < 6.0);
        traffic.add(Flow { now: 1010, pieces: Vec::new() });
        assert_eq!(traffic.rates(to("users")), None);
        assert_eq!(traffic.edges().count(), 1);
    }

    #[test]
    fn a_quantile_finds_the_slow_ones() {
        let records: Vec<Record> = (0..100).map(|n| record("users", 1000, if n < 98 { 4 } else { 900 }, 200)).collect();
        let mut traffic = Traffic::default();
        traffic.add(Flow::new(&records, Timestamp::from_second(1000).unwrap(), |_| None));
        let rates = traffic.rates(to("users")).unwrap();
        assert!((855.0..945.0).contains(&rates.p99_ms) && rates.p50_ms < 5.0, "{rates:?}");
    }

    #[test]
    fn what_is_older_than_the_window_is_not_told() {
        let records = [record("users", 900, 1, 200), record("users", 971, 1, 200)];
        let flow = Flow::new(&records, Timestamp::from_second(1000).unwrap(), |_| None);
        assert_eq!(flow.pieces.iter().map(|piece| piece.second).collect::<Vec<_>>(), [971]);
    }
}
