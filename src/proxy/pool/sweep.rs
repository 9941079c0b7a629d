//! Closes connections that are of no more use where they are: those that grew old, and those that stand in others' way.

use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::task::spawn_local;

use super::place::{PATIENCE, Place, Seat};
use super::{FRESH, Pool, is_old};
use crate::effects::clock;
use crate::proxy::http::Caller;
use crate::route::Location;

/// How long a connection is kept to a callee that may serve one at a time. Whoever else comes to it, a probe or somebody
/// who goes round the proxy, waits no longer; a new one costs next to nothing that seldom.
const BRIEF: Duration = Duration::from_millis(200);
/// The longest between two looks after a connection from which nothing has come.
const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// What is left after a look: any connection, and any that is kept for `BRIEF` only.
#[derive(Default)]
pub(super) struct Left {
    pub any: bool,
    brief: bool,
}

impl Pool {
    /// A connection to a place was kept just now.
    pub(super) fn kept_at(&self, place: &Arc<Place>) {
        self.sweep_later();
        if place.serves_several() {
            return;
        }
        if !self.is_swept_soon.replace(true) {
            spawn_local(self.clone().sweep_soon());
        }
        if place.is_waited_for() && place.begin_clearing() {
            spawn_local(self.clone().clear(place.clone()));
        }
    }

    /// Closes what was kept while others wait, shortly after: each of a crowd would have to wait for the next look else.
    async fn clear(self, place: Arc<Place>) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            if !place.is_waited_for() || !self.close_idle_at(&place, clock::instant()) {
                return place.end_clearing();
            }
        }
    }

    /// Closes what has been idle at a place for as long as patience lasts; whether anything is left.
    pub(super) fn close_idle_at(&self, place: &Arc<Place>, now: Instant) -> bool {
        let mut is_left = false;
        for shelf in self.shelves.borrow().values() {
            let kept = &mut *shelf.0.borrow_mut();
            if Arc::ptr_eq(&kept.place, place) {
                kept.close_idle(now, PATIENCE);
                is_left |= !kept.wires.is_empty() || !kept.http1.is_empty();
            }
        }
        is_left
    }

    pub(super) fn sweep_later(&self) {
        if !self.is_swept.replace(true) {
            spawn_local(self.clone().sweep());
        }
    }

    /// Closes what has grown old, and forgets places where nothing is kept, until that is all of them.
    async fn sweep(self) {
        loop {
            tokio::time::sleep(FRESH).await;
            if !self.close_old(clock::instant()).any {
                return self.is_swept.set(false);
            }
        }
    }

    async fn sweep_soon(self) {
        loop {
            tokio::time::sleep(BRIEF).await;
            if !self.close_old(clock::instant()).brief {
                return self.is_swept_soon.set(false);
            }
        }
    }

    pub(super) fn close_old(&self, now: Instant) -> Left {
        let mut left = Left::default();
        self.shelves.borrow_mut().retain(|_, shelf| {
            let kept = &mut *shelf.0.borrow_mut();
            let is_brief = !kept.place.serves_several();
            kept.close_idle(now, if is_brief { BRIEF } else { FRESH });
            kept.http2.close_old(now);
            let is_empty = kept.wires.is_empty() && kept.http1.is_empty();
            left.brief |= !is_empty && is_brief;
            left.any |= !is_empty || kept.http2.is_open();
            // Whoever has it in hand may be about to keep something.
            !(is_empty && kept.http2.is_unused() && Rc::strong_count(&shelf.0) == 1)
        });
        left
    }

    /// A seat for a new connection to a callee of ours. Where there are others, they make way for it if need be.
    pub(super) fn seat(&self, location: &Location, caller: &Caller) -> Option<Seat> {
        if matches!(location, Location::Elsewhere { .. }) {
            return None;
        }
        let place = self.shelf(location, caller).place();
        let (seat, silent) = Seat::at(place.clone());
        if place.is_shared() {
            spawn_local(self.clone().make_way(place, silent));
        }
        Some(seat)
    }

    /// Closes idle connections to a place as long as nothing comes from one there: a callee that serves one connection
    /// until its end would not look at it before.
    async fn make_way(self, place: Arc<Place>, silent: Weak<()>) {
        let mut patience = place.patience();
        tokio::time::sleep(patience).await;
        let _waiting = place.wait();
        while silent.strong_count() > 0 {
            self.close_idle_at(&place, clock::instant());
            tokio::time::sleep(patience).await;
            patience = (patience * 2).min(MOST_PATIENCE);
        }
    }
}

impl super::Kept {
    /// Closes connections of HTTP/1.1 that have been idle for so long.
    fn close_idle(&mut self, now: Instant, limit: Duration) {
        self.wires.drain(..self.wires.partition_point(|(_, since)| is_old(*since, now, limit)));
        self.http1.drain(..self.http1.partition_point(|(_, since)| is_old(*since, now, limit)));
    }
}

#[cfg(test)]
mod tests {
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;

    use super::super::tests::{CALLER, PLACE, connected, local};
    use super::*;
    use crate::proxy::together::{Spawner, Together};

    #[test]
    fn connections_of_hyper_that_grow_old_are_closed_too() {
        local(async {
            let pool = Pool::default();
            let shelf = pool.shelf(&PLACE, &CALLER);
            let begun = clock::instant();
            let mut callees = Vec::new();
            for since in [begun, begun + FRESH] {
                let (own, callee) = tokio::io::duplex(1);
                let (sender, connection) = http1::handshake(TokioIo::new(own)).await.unwrap();
                spawn_local(async move { drop(connection.await) });
                shelf.0.borrow_mut().http1.push_back((sender, since));
                callees.push(callee);
            }
            assert!(pool.close_old(begun + FRESH).any, "the younger one stays");
            assert_eq!(tokio::io::AsyncReadExt::read(&mut callees[0], &mut [0]).await.unwrap(), 0);
            assert!(!pool.close_old(begun + 2 * FRESH).any, "none is left");
        });
    }

    #[test]
    fn a_connection_by_http2_that_grows_old_is_closed() {
        local(async {
            let pool = Pool::default();
            let shelf = pool.shelf(&PLACE, &CALLER);
            let begun = clock::instant();
            let (own, mut callee) = tokio::io::duplex(1 << 10);
            let spawner = Spawner::default();
            let builder = hyper::client::conn::http2::Builder::new(spawner.clone());
            let (sender, connection) = builder.handshake(TokioIo::new(own)).await.unwrap();
            spawn_local(Together::new(connection, spawner).whole());
            shelf.0.borrow_mut().http2.set(sender, begun);
            assert!(pool.close_old(begun + FRESH / 2).any, "it stays");
            assert!(!pool.close_old(begun + FRESH).any, "it goes");
            let mut read = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut callee, &mut read).await.unwrap();
        });
    }

    #[test]
    fn what_is_kept_while_another_waits_is_closed_shortly_after() {
        /// Longer than anything takes that works.
        const PATIENT: Duration = Duration::from_secs(30);
        local(async {
            let pool = Pool::default();
            // Nobody else closes it.
            pool.is_swept_soon.set(true);
            let shelf = pool.shelf(&PLACE, &CALLER);
            let place = shelf.place();
            let waiting = place.wait();
            let (wire, mut callee) = connected().await;
            pool.keep(&shelf, wire, clock::instant());
            let mut end = [0];
            let closed = tokio::time::timeout(PATIENT, tokio::io::AsyncReadExt::read(&mut callee, &mut end));
            assert_eq!(closed.await.unwrap().unwrap(), 0);
            drop(waiting);
            let over = async {
                while !place.begin_clearing() {
                    tokio::time::sleep(PATIENCE / 4).await;
                }
            };
            tokio::time::timeout(PATIENT, over).await.expect("nobody goes on looking");
        });
    }

    #[test]
    fn places_where_nothing_is_kept_are_forgotten() {
        local(async {
            let pool = Pool::default();
            let now = clock::instant();
            let (in_hand, used) = (pool.shelf(&PLACE, &CALLER), pool.shelf(&Location::Loopback(2), &CALLER));
            (3..100).for_each(|port| drop(pool.shelf(&Location::Loopback(port), &CALLER)));
            let (wire, _other) = connected().await;
            pool.keep(&used, wire, now);
            drop(used);
            assert!(pool.close_old(now).any);
            assert_eq!(pool.shelves.borrow().len(), 2);
            drop(in_hand);
            assert!(!pool.close_old(now + FRESH).any);
            assert!(pool.shelves.borrow().is_empty());
        });
    }
}
