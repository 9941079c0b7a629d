//! The last requests and connections, with caller and callee, in a ring.
//!
//! The proxy adds to it with every request, so adding is cheap: one short lock that nobody holds for longer than it
//! takes to swap two lists, and nobody is woken who did not ask for it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::collections::vec_deque::Iter;
use std::iter::Skip;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// How many are kept.
const KEPT: usize = 10_000;
/// The most of a path that is kept.
const MOST_PATH: usize = 2048;
/// So many are added before they are put to the others.
const BATCH: usize = 1024;

/// One request or connection that passed the proxy. `from` and `to` are places in the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    words: Words,
    pub trace_id: u128,
    pub time: Timestamp,
    /// `None` is the front door: a caller from outside.
    pub from: Option<Arc<str>>,
    pub to: Arc<str>,
    /// The name by which the caller looked up a callee that is no service.
    pub to_name: Option<Arc<str>>,
    /// Which of the versions of `to`.
    pub version: Option<Arc<str>>,
    /// The entry of a dtab that led there, where it was not a built-in one.
    pub routed_by: Option<Arc<str>>,
    pub link: Link,
    /// The service that made it, or made a call on its way, and was serving several requests then: entries that may have
    /// been for that call were withheld.
    pub withheld: Option<Arc<str>>,
    /// It is a copy of another one, of which its caller knows nothing.
    pub is_copy: bool,
    /// Instances that it was tried with: where one cannot be connected to, another is.
    pub attempts: u8,
    pub protocol: &'static str,
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
    pub duration: Duration,
    /// An answer that the proxy made itself, or that never came whole: why.
    pub error: Option<Cow<'static, str>>,
}

/// How it is known from which request a caller made this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Link {
    /// It says so itself: it has its id, or is of its trace.
    Exact,
    /// The caller was serving that request and no other.
    Certain,
    /// The caller was serving several requests: it may be any of them.
    Inferred,
    /// The caller was serving none, or is nobody of the workspace.
    #[default]
    None,
}

impl Link {
    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Certain => "certain",
            Self::Inferred => "inferred",
            Self::None => "none",
        }
    }
}

/// The request's id, method and path, in one piece of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    text: Box<str>,
    id: u8,
    /// None for a connection of bytes.
    method: u8,
}

impl Words {
    /// For a request. An id has at most 128 characters; of a method 32 are kept, of a path 2048 bytes.
    pub fn new(id: &str, method: &str, path: &str) -> Self {
        let cut = |text: &str, most: usize| text.floor_char_boundary(most.min(text.len()));
        let (id, method) = (&id[..cut(id, 128)], &method[..cut(method, 32)]);
        let path = &path[..cut(path, MOST_PATH)];
        let mut text = String::with_capacity(id.len() + method.len() + path.len());
        text.extend([id, method, path]);
        let short = |text: &str| u8::try_from(text.len()).unwrap_or(u8::MAX);
        Self { id: short(id), method: short(method), text: text.into() }
    }
}

impl Record {
    /// A record of what begins now.
    pub fn new(words: Words, trace_id: u128, time: Timestamp, from: Option<Arc<str>>, to: Arc<str>) -> Self {
        Self {
            words,
            trace_id,
            time,
            from,
            to,
            to_name: None,
            version: None,
            routed_by: None,
            link: Link::None,
            withheld: None,
            attempts: 1,
            is_copy: false,
            protocol: "tcp",
            status: None,
            grpc_status: None,
            duration: Duration::ZERO,
            error: None,
        }
    }

    pub fn id(&self) -> &str {
        &self.words.text[..usize::from(self.words.id)]
    }

    pub fn method(&self) -> Option<&str> {
        let id = usize::from(self.words.id);
        Some(&self.words.text[id..id + usize::from(self.words.method)]).filter(|method| !method.is_empty())
    }

    /// The path with its query; of a TLS connection the name that it is for.
    pub fn path(&self) -> Option<&str> {
        let words = &self.words;
        Some(&words.text[usize::from(words.id) + usize::from(words.method)..]).filter(|path| !path.is_empty())
    }
}

/// The ring; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Changes when there are new ones and somebody waited for them.
    arrivals: watch::Sender<()>,
    /// What was added last.
    fresh: Mutex<Vec<Record>>,
    ring: Mutex<Ring>,
    /// Somebody waits for the next one.
    awaited: AtomicBool,
}

#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Record>,
    /// The number of the next record, counted from the first of all.
    next: u64,
}

impl Ring {
    fn extend(&mut self, fresh: &mut Vec<Record>) {
        self.next += fresh.len() as u64;
        let excess = (self.records.len() + fresh.len()).saturating_sub(KEPT);
        self.records.drain(..excess.min(self.records.len()));
        let skip = fresh.len().saturating_sub(KEPT);
        self.records.extend(fresh.drain(..).skip(skip));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Requests {
    /// Adds one; the oldest makes room. Never waits for somebody who reads.
    pub fn add(&self, record: Record) {
        let mut fresh = lock(&self.shared.fresh);
        fresh.push(record);
        if fresh.len() >= BATCH
            && let Ok(mut ring) = self.shared.ring.try_lock()
        {
            ring.extend(&mut fresh);
        }
        drop(fresh);
        if self.shared.awaited.load(Ordering::SeqCst) && self.shared.awaited.swap(false, Ordering::SeqCst) {
            self.shared.arrivals.send_replace(());
        }
    }

    /// The records from number `from` on that are still there, and the number that follows them.
    pub fn since(&self, from: u64) -> (Vec<Record>, u64) {
        self.read(from, |records| records.cloned().collect())
    }

    /// As [`Requests::since`] for who needs no copy: nobody else reads meanwhile.
    pub fn read<T>(&self, from: u64, read: impl FnOnce(Skip<Iter<'_, Record>>) -> T) -> (T, u64) {
        let mut ring = lock(&self.shared.ring);
        let mut fresh = std::mem::take(&mut *lock(&self.shared.fresh));
        ring.extend(&mut fresh);
        let oldest = ring.next - ring.records.len() as u64;
        let skip = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        (read(ring.records.iter().skip(skip)), ring.next)
    }

    /// Waits for records from number `from` on; as [`Requests::since`], but never none.
    pub async fn next(&self, from: u64) -> (Vec<Record>, u64) {
        self.arrival(from).await;
        self.since(from)
    }

    /// Waits until there are records from number `from` on.
    pub async fn arrival(&self, from: u64) {
        let mut arrivals = self.shared.arrivals.subscribe();
        loop {
            self.shared.awaited.store(true, Ordering::SeqCst);
            let (is_there, _) = self.read(from, |mut records| records.next().is_some());
            if is_there {
                return;
            }
            // The sender is here: it cannot go.
            let _ = arrivals.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str) -> Record {
        Record::new(Words::new("id", "GET", path), 1, Timestamp::UNIX_EPOCH, None, "web".into())
    }

    #[test]
    fn words_are_told_apart_and_bounded() {
        let one = record("/a?b");
        assert_eq!((one.id(), one.method(), one.path()), ("id", Some("GET"), Some("/a?b")));
        let none = Record { words: Words::new("id", "", ""), ..one };
        assert_eq!((none.id(), none.method(), none.path()), ("id", None, None));
        let long = record(&"ä".repeat(5000));
        assert_eq!(long.path().map(str::len), Some(MOST_PATH));
    }

    #[test]
    fn the_last_are_kept_and_numbered() {
        let requests = Requests::default();
        for number in 0..KEPT + BATCH + 7 {
            requests.add(record(&format!("/{number}")));
        }
        let (all, next) = requests.since(0);
        assert_eq!((all.len(), next), (KEPT, (KEPT + BATCH + 7) as u64));
        assert_eq!(all[0].path(), Some(&*format!("/{}", BATCH + 7)));
        let (last, _) = requests.since(next - 1);
        assert_eq!(last.len(), 1);
        assert_eq!(requests.since(next), (Vec::new(), next));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let requests = Requests::default();
        let waiting = { requests.clone() };
        let waiting = tokio::spawn(async move { waiting.next(0).await });
        tokio::task::yield_now().await;
        requests.add(record("/"));
        assert_eq!(waiting.await.unwrap().1, 1);
    }
}
