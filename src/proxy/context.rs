//! What all connections of the proxy share, and how a call begins.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::answer::Refusal;
use super::body::Recording;
use super::copies::Mirrors;
use super::dial::Dialer;
use super::headers::{Given, Identity};
use super::http::{Caller, Target};
use super::link::{InFlight, Linked, Links};
use super::pool::Pool;
use super::routing::{Routed, Router};
use super::unread::Unread;
use crate::discovery::Forwarder;
use crate::effects::clock;
use crate::route::{Availability, Call, Picked, Tried};
use crate::runtime::Ask;
use crate::telemetry::requests::{Record, Requests, Words};

/// How long a call waits for a callee that is on its way.
const HOLD: Duration = Duration::from_secs(30);
/// How long the engine may take to tell why a service is not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the proxy puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A connection on which nothing is asked.
    pub idle: Duration,
    /// A head from its first byte to its last.
    pub head: Duration,
    /// What still comes after the last answer.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(900), head: Duration::from_secs(60), linger: Duration::from_secs(2) }
    }
}

/// What all connections of the proxy share.
#[derive(Clone)]
pub struct Context {
    requests: Requests,
    asks: mpsc::UnboundedSender<Ask>,
    pub pool: Pool,
    pub limits: Limits,
    /// Whom names are asked of that are not ours.
    pub forwarder: Rc<Forwarder>,
    pub router: Router,
    pub links: Links,
    pub mirrors: Mirrors,
    unread: Unread,
    /// How long a call waits for a callee that is on its way.
    hold: Duration,
}

impl Context {
    /// The context of a proxy that records into `requests` and wakes services by `asks`.
    pub fn new(requests: Requests, asks: mpsc::UnboundedSender<Ask>) -> Self {
        Self {
            requests,
            asks,
            pool: Pool::default(),
            limits: Limits::default(),
            forwarder: Rc::default(),
            router: Router::default(),
            links: Links::default(),
            mirrors: Mirrors::default(),
            unread: Unread::default(),
            hold: HOLD,
        }
    }

    /// The same, leading requests as this router says.
    pub fn routed(self, router: Router) -> Self {
        Self { router, ..self }
    }

    /// The same, copying requests as these say.
    pub fn mirrored(self, mirrors: Mirrors) -> Self {
        Self { mirrors, ..self }
    }

    /// The same, where calls wait for so long.
    pub fn holding(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// The same with another dialer and other limits.
    pub fn with(self, dialer: Dialer, limits: Limits) -> Self {
        Self { pool: Pool::new(dialer), limits, ..self }
    }

    /// Begins a call once the callee can be called, to one of its instances.
    pub async fn available(&self, target: &Target) -> Result<Call, Refusal> {
        let Target { upstream, port } = target;
        // Where nothing is listed, it may be absent all the same.
        if *upstream.availability.borrow() == Availability::Ready
            && let Picked::Call(call) = upstream.pick(*port)
        {
            return Ok(call);
        }
        let name = &upstream.name;
        match tokio::time::timeout(self.hold, self.begin(target)).await {
            Ok(settled) => settled,
            Err(_) => Err(Refusal::StillComing(name.clone(), self.hold, self.reason(name).await)),
        }
    }

    /// The same, however long it takes; a callee that is idle is woken.
    async fn begin(&self, target: &Target) -> Result<Call, Refusal> {
        let Target { upstream, port } = target;
        let mut availability = upstream.availability.clone();
        loop {
            let now = *availability.borrow_and_update();
            // Before one looks who is listed, so that no change is missed.
            let listed = upstream.replicas.changed();
            match now {
                Availability::Ready => match upstream.pick(*port) {
                    Picked::Call(call) => return Ok(call),
                    Picked::NoPort => return Err(Refusal::Gone(upstream.name.clone())),
                    // It is about to be said that it is not ready; or it never will be, as its name is another's by now.
                    Picked::Nobody => {}
                },
                Availability::Idle => {
                    let _ = self.asks.send(Ask::Wake(upstream.name.clone()));
                }
                Availability::Coming(_) => {}
                Availability::Absent(state) => return Err(Refusal::Absent(upstream.name.clone(), state)),
            }
            tokio::select! {
                changed = availability.changed() => if changed.is_err() {
                    return Err(Refusal::Gone(upstream.name.clone()));
                },
                () = listed => {}
            }
        }
    }

    /// Begins a call once the callee can be called; where it goes meanwhile, until whoever else it then leads to can.
    pub async fn arrive(&self, routed: &mut Routed, caller: &Caller) -> Result<Call, Refusal> {
        loop {
            let refusal = match self.available(&routed.target).await {
                Err(refusal @ (Refusal::Absent(..) | Refusal::Gone(_))) => refusal,
                settled => return settled,
            };
            *routed = self.router.elsewhere(routed, caller).ok_or(refusal)?;
        }
    }

    /// Puts another instance in the place of one that could not be connected to. Nothing was sent, so nothing is done twice,
    /// whatever was asked.
    pub fn another(&self, target: &Target, place: &mut Call, tried: &mut Tried, recording: &mut Recording) -> bool {
        let is_other = target.upstream.another(place, tried);
        if is_other {
            recording.again();
        }
        is_other
    }

    /// A callee begins to serve a request; what is no service of ours makes none for it that pass here.
    pub fn serving(&self, routed: &Routed, place: &Call, caller: &Caller, identity: &Identity) -> Option<InFlight> {
        let upstream = &routed.target.upstream;
        let links = || self.links.of(&upstream.name, place.own_address());
        let begin = || links().begin(caller.service(), identity, routed.local());
        (!upstream.is_external() && !routed.is_outside()).then(begin)
    }

    /// Why a request is not led on at all.
    pub fn endless(&self, linked: &Linked, caller: &Caller, identity: &Identity) -> Option<Refusal> {
        let caller = caller.service().filter(|_| linked.is_endless)?;
        Some(Refusal::Endless(caller.clone(), self.links.circle(caller, identity)))
    }

    /// What the engine says of a service that is not ready.
    async fn reason(&self, service: &Arc<str>) -> Option<String> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Why(service.to_string(), reply)).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()?.ok()?.in_a_line()
    }

    /// Records a request that was refused because it could not be read. Of what was sent nothing is kept, as nobody knows
    /// what it was.
    pub fn unread(&self, caller: &Caller, to: Arc<str>, refusal: &Refusal, status: u16) {
        let (begun, now) = (clock::instant(), clock::utc());
        let Some(passed_over) = self.unread.admit(begun) else { return };
        let identity = Identity::of(now, &Given::default());
        let words = Words::new(identity.request_id(), "", "");
        let mut recording = self.recording(words, identity.trace_id, (begun, now), caller, to, "http");
        recording.status(status);
        recording.fail(match passed_over {
            0 => refusal.to_string(),
            more => format!("{refusal}; {more} more that could not be read were not recorded"),
        });
    }

    /// A record of a call that begins now; it is kept when it is dropped.
    pub fn recording(
        &self,
        words: Words,
        trace_id: u128,
        (begun, time): (Instant, Timestamp),
        caller: &Caller,
        to: Arc<str>,
        protocol: &'static str,
    ) -> Recording {
        let mut record = Record::new(words, trace_id, time, caller.service().cloned(), to);
        record.protocol = protocol;
        let requests = self.requests.clone();
        Recording { record: Some(record), in_flight: None, copy: None, local: None, begun, requests }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::watch;

    use super::*;
    use crate::model::{Egress, Protocol};
    use crate::route::{Endpoint, Life, Location, Replicas, Upstream};
    use crate::supervise::{Incarnation, State};
    use crate::view::Explanation;

    fn upstream(availability: watch::Receiver<Availability>, ports: Vec<Endpoint>, replicas: Replicas) -> Target {
        let (called, egress, name) = (Ipv4Addr::LOCALHOST, Egress::Allow, "web".into());
        let upstream =
            Upstream { name, version: None, remote: None, called, own: called, egress, ports, availability, replicas };
        Target { upstream: Arc::new(upstream), port: 0 }
    }

    fn endpoint() -> Endpoint {
        Endpoint { name: String::new(), number: 80, protocol: Protocol::Http, location: Location::Loopback(1) }
    }

    /// As one that was held while its callee became something that lives elsewhere.
    #[tokio::test]
    async fn where_nobody_is_listed_a_call_waits_without_a_turn_and_not_for_ever() {
        let context = Context::new(Requests::default(), mpsc::unbounded_channel().0).holding(Duration::from_millis(50));
        let (keep, availability) = watch::channel(Availability::Ready);
        let target = upstream(availability, vec![endpoint()], Replicas::listed(&Arc::default()));
        let mut turns = 0;
        let mut available = std::pin::pin!(context.available(&target));
        let counted = std::future::poll_fn(|task| {
            turns += 1;
            available.as_mut().poll(task)
        });
        let refused = tokio::time::timeout(Duration::from_secs(5), counted).await.expect("it ends").map(drop);
        assert_eq!(refused.unwrap_err(), Refusal::StillComing("web".into(), Duration::from_millis(50), None));
        assert!(turns < 10, "{turns} turns");
        // Whoever is listed, or said to be absent, ends it.
        let context = context.clone().holding(Duration::from_secs(60));
        let life = Life { incarnation: Incarnation(1), own: None, locations: vec![Location::Loopback(1)] };
        let (facts, _told) = mpsc::unbounded_channel();
        let listing = async {
            tokio::task::yield_now().await;
            target.upstream.replicas.set([life].into_iter(), &facts);
        };
        let (call, ()) = tokio::join!(context.available(&target), listing);
        assert_eq!(call.unwrap().location(), &Location::Loopback(1));
        target.upstream.replicas.set(std::iter::empty(), &facts);
        let leaving = async {
            tokio::task::yield_now().await;
            keep.send_replace(Availability::Absent(State::Stopped));
        };
        let (refused, ()) = tokio::join!(context.available(&target), leaving);
        assert_eq!(refused.map(drop).unwrap_err(), Refusal::Absent("web".into(), State::Stopped));
    }

    #[tokio::test]
    async fn who_waited_in_vain_is_told_why() {
        let (asks, mut asked) = mpsc::unbounded_channel();
        let context = Context::new(Requests::default(), asks).holding(Duration::from_millis(10));
        let (_keep, availability) = watch::channel(Availability::Coming(State::Starting));
        let target = upstream(availability, Vec::new(), Replicas::Fixed);
        let engine = async {
            let Some(Ask::Why(name, reply)) = asked.recv().await else { panic!("it is asked why") };
            assert_eq!(name, "web");
            let why = Explanation::of("web", State::Starting, "it listens on 3000 instead of 8080");
            reply.send(Ok(why)).unwrap();
            // Then it is gone.
            drop(asked);
        };
        let (refused, ()) = tokio::join!(context.available(&target), engine);
        let said = refused.map(drop).unwrap_err().to_string();
        assert_eq!(said, "web was not ready within 10ms: it listens on 3000 instead of 8080");
        let said = context.available(&target).await.map(drop).unwrap_err().to_string();
        assert_eq!(said, "web was not ready within 10ms");
    }
}
