//! What is known of a callee by how it serves connections: whether several at a time.
//!
//! Simple servers serve a connection until its end before they look at the next one. One that is kept open for a caller
//! who may ask again would keep all others waiting.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::effects::clock;
use crate::route::Location;

/// How long nothing comes from a new connection before idle ones to the same callee are closed.
pub const PATIENCE: Duration = Duration::from_millis(20);
/// The same where several connections were served at a time before: all that the callee serves may be taken.
const PATIENCE_WITH_SEVERAL: Duration = Duration::from_secs(1);

/// How long a connection is used to a callee that may serve one at a time, however often: a probe has no other way in, and
/// is told by nobody that it waits.
const TURN: Duration = Duration::from_millis(300);

/// A callee, for all who call it. It is used by one thread; streams have to be able to move.
#[derive(Debug, Default)]
pub struct Place {
    /// Connections that are open.
    open: AtomicUsize,
    /// Connections from which something has come so far.
    heard: AtomicU64,
    /// Connections from which nothing has come for longer than patience lasts.
    waiting: AtomicUsize,
    serves_several: AtomicBool,
    /// Somebody is about to close what is idle, for those that wait.
    is_being_cleared: AtomicBool,
}

/// One connection to a callee.
#[derive(Debug)]
pub struct Seat {
    place: Arc<Place>,
    since: Instant,
    /// Until something comes.
    silent: Option<Arc<()>>,
    /// Which one it was from which something came.
    number: u64,
    /// How many these were when it was kept last.
    kept: u64,
}

/// A connection from which nothing comes, while this is there.
pub struct Waiting<'a>(&'a Place);

impl Place {
    /// Other people's servers are taken to serve several.
    pub fn at(location: &Location) -> Arc<Self> {
        let serves_several = AtomicBool::new(matches!(location, Location::Elsewhere { .. }));
        Arc::new(Self { serves_several, ..Self::default() })
    }

    /// Whether it is known to serve several connections at a time.
    pub fn serves_several(&self) -> bool {
        self.serves_several.load(Relaxed)
    }

    /// Whether there is more than one connection.
    pub fn is_shared(&self) -> bool {
        self.open.load(Relaxed) > 1
    }

    /// Whether some connection waits, perhaps for the end of another.
    pub fn is_waited_for(&self) -> bool {
        self.waiting.load(Relaxed) > 0 && !self.serves_several()
    }

    /// Has the caller close what is idle: whether nobody else is about to.
    pub fn begin_clearing(&self) -> bool {
        !self.is_being_cleared.swap(true, Relaxed)
    }

    pub fn end_clearing(&self) {
        self.is_being_cleared.store(false, Relaxed);
    }

    pub fn patience(&self) -> Duration {
        if self.serves_several() { PATIENCE_WITH_SEVERAL } else { PATIENCE }
    }

    /// A connection begins to wait.
    pub fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl Seat {
    /// A new connection, and what is there until something comes from it.
    pub fn at(place: Arc<Place>) -> (Self, Weak<()>) {
        place.open.fetch_add(1, Relaxed);
        let silent = Arc::new(());
        let told = Arc::downgrade(&silent);
        (Self { place, since: clock::instant(), silent: Some(silent), number: 0, kept: 0 }, told)
    }

    /// Something has come.
    pub fn heard(&mut self) {
        if self.silent.take().is_some() {
            self.number = self.place.heard.fetch_add(1, Relaxed) + 1;
        }
    }

    /// Whether the connection may be kept, now that an answer on it has ended. Where another one waits it may only once:
    /// if the callee serves several, another is heard of before this one is here again.
    pub fn stays(&mut self, now: Instant) -> bool {
        let heard = self.place.heard.load(Relaxed);
        if self.number < heard && !self.place.serves_several() {
            self.place.serves_several.store(true, Relaxed);
        }
        let before = std::mem::replace(&mut self.kept, heard);
        let has_turn = self.place.serves_several() || now.saturating_duration_since(self.since) < TURN;
        has_turn && (before != heard || !self.place.is_waited_for())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.place.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Arc<Place> {
        Place::at(&Location::Loopback(1))
    }

    #[test]
    fn a_callee_that_answers_on_two_connections_by_turns_serves_several() {
        let place = place();
        let [mut first, mut second] = [(); 2].map(|()| Seat::at(place.clone()).0);
        first.heard();
        assert!(first.stays(clock::instant()));
        second.heard();
        assert!(second.stays(clock::instant()) && !place.serves_several(), "the first may have made way");
        assert!(first.stays(clock::instant()) && place.serves_several());
    }

    #[test]
    fn a_connection_makes_way_for_one_that_waits() {
        let place = place();
        let (mut first, _) = Seat::at(place.clone());
        assert!(!place.is_shared());
        first.heard();
        assert!([(); 3].iter().all(|()| first.stays(clock::instant())));
        let (second, silent) = Seat::at(place.clone());
        assert!(place.is_shared());
        let waiting = place.wait();
        assert!(!first.stays(clock::instant()));
        drop((waiting, second));
        assert!(first.stays(clock::instant()) && !place.is_shared() && silent.upgrade().is_none());
    }

    #[test]
    fn where_several_may_not_be_served_a_turn_has_an_end() {
        let place = place();
        let [mut first, mut second] = [(); 2].map(|()| Seat::at(place.clone()).0);
        first.heard();
        let end = clock::instant() + TURN;
        assert!(first.stays(clock::instant()) && !first.stays(end));
        second.heard();
        assert!(first.stays(end) && place.serves_several());
    }

    #[test]
    fn one_that_was_just_heard_of_is_kept_though_others_wait() {
        let place = place();
        let [mut first, mut second] = [(); 2].map(|()| Seat::at(place.clone()).0);
        let _waiting = place.wait();
        first.heard();
        assert!(first.stays(clock::instant()));
        second.heard();
        assert!(first.stays(clock::instant()) && place.serves_several());
    }
}
