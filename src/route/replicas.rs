//! The instances of a service to which calls can be sent, and what each of them is answering.
//!
//! The engine's loop lists them and the proxy calls them, in two threads. What a replica counts tells both sides the
//! same: a call that has begun is counted, and one that finds the replica closed never begins. So whoever closes it
//! knows whether it is still answering, and is told when the last answer is through.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use super::Location;
use crate::resilience::two_choices;
use crate::supervise::{Demand, Fact, Incarnation};

/// Where calls of a service can be sent; clones are the same ones.
#[derive(Debug, Clone, Default)]
pub enum Replicas {
    /// Where its ports are: nothing of it is launched here.
    #[default]
    Fixed,
    Listed(Listed),
}

/// Instances of a service, as the engine's loop lists them.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    now: watch::Sender<Arc<[Arc<Replica>]>>,
    /// Calls so far to instances that are not listed any more.
    before: Arc<AtomicU64>,
    /// The loop is to be told of the next call.
    alert: Arc<AtomicBool>,
}

/// An instance that can be called.
#[derive(Debug)]
pub struct Replica {
    incarnation: Incarnation,
    /// The address of its pod, where it is in one.
    own: Option<Ipv4Addr>,
    /// By the places of its service's ports.
    locations: Vec<Location>,
    /// Calls under way, and [`CLOSED`].
    calls: AtomicU32,
    /// Calls so far.
    begun: AtomicU64,
    closed: watch::Sender<bool>,
    facts: mpsc::UnboundedSender<Fact>,
}

/// An instance that is to be listed.
#[derive(Debug)]
pub struct Life {
    pub incarnation: Incarnation,
    /// The address of its pod, where it is in one.
    pub own: Option<Ipv4Addr>,
    /// Where it is, by the places of its service's ports.
    pub locations: Vec<Location>,
}

/// Set in the count of calls once no more are to begin.
const CLOSED: u32 = 1 << 31;

/// A call under way to a place; it ends when this is dropped.
#[derive(Debug)]
pub enum Call {
    Fixed(Location),
    Of(Arc<Replica>, usize),
}

/// What becomes of a call that is to begin.
#[derive(Debug)]
pub enum Picked {
    Call(Call),
    /// No instance can be called at the moment.
    Nobody,
    /// The instances know nothing of the port: it is one of an earlier plan.
    NoPort,
}

/// Instances that one call could not be connected to.
#[derive(Debug, Default)]
pub struct Tried(Vec<Incarnation>);

/// So many instances are tried for one call.
const TRIES: usize = 3;

impl Replicas {
    /// A list that is empty yet.
    pub fn listed() -> Self {
        Self::Listed(Listed::default())
    }

    /// Begins a call to a port, by its place.
    pub(super) fn pick(&self, port: usize, fixed: &Location) -> Picked {
        let Self::Listed(list) = self else { return Picked::Call(Call::Fixed(fixed.clone())) };
        let (alert, list) = (&list.alert, list.now.borrow());
        if list.is_empty() {
            return Picked::Nobody;
        }
        if list.iter().any(|replica| port >= replica.locations.len()) {
            return Picked::NoPort;
        }
        let first = two_choices(list.len(), |at| list[at].load(), |below| fastrand::usize(..below));
        let mut in_turn = list[first..].iter().chain(&list[..first]);
        let begun = in_turn.find(|replica| replica.begin());
        let Some(replica) = begun else { return Picked::Nobody };
        if alert.load(Ordering::SeqCst) && alert.swap(false, Ordering::SeqCst) {
            let _ = replica.facts.send(Fact::Called(replica.incarnation));
        }
        Picked::Call(Call::Of(replica.clone(), port))
    }

    /// Begins the same call with an instance that was not tried, the one with least to do, where enough are left to try.
    pub(super) fn another(&self, place: &Call, tried: &mut Tried) -> Option<Call> {
        let (Self::Listed(list), Call::Of(last, port)) = (self, place) else { return None };
        tried.0.push(last.incarnation);
        if tried.0.len() >= TRIES {
            return None;
        }
        let list = list.now.borrow();
        let is_new = |it: &&Arc<Replica>| !tried.0.contains(&it.incarnation) && *port < it.locations.len();
        let mut left: Vec<&Arc<Replica>> = list.iter().filter(is_new).collect();
        left.sort_by_key(|it| it.load());
        let begun = left.into_iter().find(|it| it.begin())?;
        Some(Call::Of(begun.clone(), *port))
    }

    /// Lists these from now on. Those that are not among them any more are closed, and
    /// returned. `facts` is told of each that is closed once it has answered everything.
    pub fn set(&self, lives: impl Iterator<Item = Life>, facts: &mpsc::UnboundedSender<Fact>) -> Vec<Arc<Replica>> {
        let Self::Listed(list) = self else { return Vec::new() };
        let before = list.now.borrow().clone();
        let replica = |life: Life| {
            let known = before.iter().find(|known| known.incarnation == life.incarnation).cloned();
            known.unwrap_or_else(|| Replica::new(life, facts.clone()))
        };
        let now: Arc<[Arc<Replica>]> = lives.map(replica).collect();
        if now.iter().map(|it| it.incarnation).eq(before.iter().map(|it| it.incarnation)) {
            return Vec::new();
        }
        list.now.send_replace(now.clone());
        let is_gone = |known: &&Arc<Replica>| now.iter().all(|it| it.incarnation != known.incarnation);
        let gone: Vec<Arc<Replica>> = before.iter().filter(is_gone).cloned().collect();
        for replica in &gone {
            replica.close();
            list.before.fetch_add(replica.begun.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        gone
    }

    /// Has the loop told of the next call. Where more than so many have begun by now it is for the caller to tell.
    pub fn alert(&self, begun: u64) -> bool {
        let Self::Listed(list) = self else { return false };
        // In this order, as a call is counted before it looks: one of both sees the other.
        list.alert.store(true, Ordering::SeqCst);
        self.demand().begun != begun && list.alert.swap(false, Ordering::SeqCst)
    }

    /// How much the service is called.
    pub fn demand(&self) -> Demand {
        let Self::Listed(list) = self else { return Demand::default() };
        let now = list.now.borrow();
        let begun: u64 = now.iter().map(|replica| replica.begun.load(Ordering::SeqCst)).sum();
        Demand {
            under_way: now.iter().map(|replica| replica.load()).sum(),
            begun: begun + list.before.load(Ordering::Relaxed),
        }
    }
}

impl Replica {
    fn new(life: Life, facts: mpsc::UnboundedSender<Fact>) -> Arc<Self> {
        let Life { incarnation, own, locations } = life;
        let begun = AtomicU64::new(0);
        Arc::new(Self {
            incarnation,
            own,
            locations,
            calls: AtomicU32::new(0),
            begun,
            closed: watch::Sender::new(false),
            facts,
        })
    }

    /// Where it was called.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    fn load(&self) -> u32 {
        self.calls.load(Ordering::Relaxed) & !CLOSED
    }

    /// Counts a call, unless it is closed.
    fn begin(&self) -> bool {
        let one_more = |calls: u32| (calls & CLOSED == 0).then_some(calls + 1);
        let is_open = self.calls.fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more).is_ok();
        if is_open {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        is_open
    }

    fn end(&self) {
        if self.calls.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            self.drained();
        }
    }

    fn close(&self) {
        let before = self.calls.fetch_or(CLOSED, Ordering::AcqRel);
        self.closed.send_replace(true);
        if before == 0 {
            self.drained();
        }
    }

    fn drained(&self) {
        let _ = self.facts.send(Fact::Drained(self.incarnation));
    }
}

impl Call {
    /// The address of the pod that it goes to, where it goes to one.
    pub fn own_address(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Fixed(_) => None,
            Self::Of(replica, _) => replica.own,
        }
    }

    /// Where it goes.
    pub fn location(&self) -> &Location {
        match self {
            Self::Fixed(location) => location,
            Self::Of(replica, port) => &replica.locations[*port],
        }
    }

    /// Ends the call, and becomes ready when nothing more should be sent there. What lives elsewhere never says so.
    pub fn into_closed(self) -> impl Future<Output = ()> + use<> {
        let closed = match &self {
            Self::Fixed(_) => None,
            Self::Of(replica, _) => Some(replica.closed.subscribe()),
        };
        async move {
            match closed {
                Some(mut closed) => drop(closed.wait_for(|closed| *closed).await),
                None => std::future::pending().await,
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Self::Of(replica, _) = self {
            replica.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u16) -> Vec<Location> {
        vec![Location::Loopback(number)]
    }

    fn life(number: u16) -> Life {
        Life { incarnation: Incarnation(number.into()), own: None, locations: at(number) }
    }

    fn begin(replicas: &Replicas) -> Call {
        match replicas.pick(0, &Location::Loopback(9)) {
            Picked::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_that_is_withdrawn_gets_no_more_and_is_drained_when_the_last_answer_is_through() {
        let (facts, mut told) = mpsc::unbounded_channel();
        let replicas = Replicas::listed();
        assert!(matches!(replicas.pick(0, &Location::Loopback(9)), Picked::Nobody));
        assert!(replicas.set([life(1)].into_iter(), &facts).is_empty());
        let (first, second) = (begin(&replicas), begin(&replicas));
        assert_eq!((first.location(), replicas.demand()), (&Location::Loopback(1), Demand { under_way: 2, begun: 2 }));
        let gone = replicas.set([life(2)].into_iter(), &facts);
        assert_eq!(gone.iter().map(|it| it.locations().to_vec()).collect::<Vec<_>>(), [at(1)]);
        assert_eq!(begin(&replicas).location(), &Location::Loopback(2));
        drop(first);
        assert!(told.try_recv().is_err());
        drop(second);
        assert!(matches!(told.try_recv(), Ok(Fact::Drained(Incarnation(1)))));
        // One that had nothing to answer is drained at once, and told once.
        replicas.set(std::iter::empty(), &facts);
        assert!(matches!(told.try_recv(), Ok(Fact::Drained(Incarnation(2)))));
        assert!(told.try_recv().is_err());
        assert_eq!(replicas.demand(), Demand { under_way: 0, begun: 3 });
    }

    #[test]
    fn a_call_goes_to_others_until_enough_were_tried() {
        let (facts, _told) = mpsc::unbounded_channel();
        let replicas = Replicas::listed();
        replicas.set((1..=5).map(life), &facts);
        let mut places = vec![begin(&replicas)];
        let mut tried = Tried::default();
        while let Some(next) = replicas.another(places.last().unwrap(), &mut tried) {
            places.push(next);
        }
        let mut seen: Vec<String> = places.iter().map(|place| place.location().to_string()).collect();
        seen.dedup();
        assert_eq!((seen.len(), replicas.demand().under_way), (TRIES, 3));
        drop(places);
        assert_eq!(replicas.demand().under_way, 0);
        // There is one, and it was tried; what is not run here has no other.
        replicas.set([life(1)].into_iter(), &facts);
        let only = begin(&replicas);
        assert!(replicas.another(&only, &mut Tried::default()).is_none());
        assert!(Replicas::Fixed.another(&Call::Fixed(Location::Loopback(9)), &mut Tried::default()).is_none());
    }

    #[test]
    fn the_first_call_after_an_alert_is_told_and_no_other() {
        let (facts, mut told) = mpsc::unbounded_channel();
        let replicas = Replicas::listed();
        replicas.set([life(1)].into_iter(), &facts);
        drop(begin(&replicas));
        assert!(told.try_recv().is_err());
        // One that has begun since it was counted is told by whoever asks.
        assert!(replicas.alert(0));
        assert!(!replicas.alert(1));
        drop((begin(&replicas), begin(&replicas)));
        assert!(matches!(told.try_recv(), Ok(Fact::Called(Incarnation(1)))));
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn calls_go_to_the_one_with_less_to_do() {
        let (facts, _told) = mpsc::unbounded_channel();
        let replicas = Replicas::listed();
        replicas.set([life(1), life(2)].into_iter(), &facts);
        let held: Vec<Call> = (0..100).map(|_| begin(&replicas)).collect();
        assert_eq!(held.iter().filter(|call| *call.location() == Location::Loopback(1)).count(), 50);
    }

    #[test]
    fn a_port_that_the_instances_do_not_know_is_told_and_holds_nothing() {
        let (facts, _told) = mpsc::unbounded_channel();
        let replicas = Replicas::listed();
        replicas.set([life(1)].into_iter(), &facts);
        assert!(matches!(replicas.pick(1, &Location::Loopback(9)), Picked::NoPort));
        assert_eq!(replicas.demand(), Demand::default());
        assert_eq!(
            *match Replicas::Fixed.pick(1, &Location::Loopback(9)) {
                Picked::Call(call) => call.location().clone(),
                other => panic!("{other:?}"),
            }
            .to_string(),
            *"port 9"
        );
    }

    /// However calls and the withdrawal meet, every call that began has ended before it is said to be drained.
    #[test]
    fn a_withdrawal_in_the_middle_of_calls_loses_none() {
        for _ in 0..200 {
            let (facts, mut told) = mpsc::unbounded_channel();
            let replicas = Replicas::listed();
            replicas.set([life(1)].into_iter(), &facts);
            let under_way = AtomicU32::new(0);
            let call_on = || {
                while let Picked::Call(call) = replicas.pick(0, &Location::Loopback(9)) {
                    under_way.fetch_add(1, Ordering::SeqCst);
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    drop(call);
                }
            };
            std::thread::scope(|threads| {
                threads.spawn(call_on);
                threads.spawn(call_on);
                replicas.set(std::iter::empty(), &facts);
                assert!(matches!(told.blocking_recv(), Some(Fact::Drained(_))));
                assert_eq!(under_way.load(Ordering::SeqCst), 0);
            });
            assert!(told.try_recv().is_err(), "it is told once");
        }
    }
}
