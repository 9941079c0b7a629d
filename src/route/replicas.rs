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
    ends: Ends,
}

/// When the last call ended, as a number that counts the ends of calls of all services.
#[derive(Debug, Clone, Default)]
struct Ends {
    all: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
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
    ends: Ends,
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
    /// A list that is empty yet; `order` counts the ends of all calls.
    pub fn listed(order: &Arc<AtomicU64>) -> Self {
        let ends = Ends { all: order.clone(), last: Arc::default() };
        Self::Listed(Listed { ends, ..Listed::default() })
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

    /// Whether one instance is listed, in the pod of this address.
    pub fn are_only_at(&self, address: Ipv4Addr) -> bool {
        let Self::Listed(list) = self else { return false };
        matches!(&**list.now.borrow(), [only] if only.own == Some(address))
    }

    /// Becomes ready when others are listed than at this moment; where nothing is listed, never.
    pub fn changed(&self) -> impl Future<Output = ()> + use<> {
        let listed = match self {
            Self::Fixed => None,
            Self::Listed(list) => Some(list.now.subscribe()),
        };
        async move {
            match listed {
                Some(mut listed) => drop(listed.changed().await),
                None => std::future::pending().await,
            }
        }
    }

    /// Lists these from now on. Those that are not among them any more are closed, and
    /// returned. `facts` is told of each that is closed once it has answered everything.
    pub fn set(&self, lives: impl Iterator<Item = Life>, facts: &mpsc::UnboundedSender<Fact>) -> Vec<Arc<Replica>> {
        let Self::Listed(list) = self else { return Vec::new() };
        let before = list.now.borrow().clone();
        let replica = |life: Life| {
            let known = before.iter().find(|known| known.incarnation == life.incarnation).cloned();
            known.unwrap_or_else(|| Replica::new(life, facts.clone(), list.ends.clone()))
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
            last: list.ends.last.load(Ordering::Relaxed),
        }
    }
}

impl Replica {
    fn new(life: Life, facts: mpsc::UnboundedSender<Fact>, ends: Ends) -> Arc<Self> {
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
            ends,
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
        self.ends.last.store(self.ends.all.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
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
mod tests;
