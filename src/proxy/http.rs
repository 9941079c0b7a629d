//! Calls by HTTP: who calls whom, what all connections share, and how each of them is served.

use std::cell::Cell;
use std::future::ready;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use super::answer::{Asker, Refusal};
use super::body::Recording;
use super::closing::Closing;
use super::dial::Dialer;
use super::headers::Identity;
use super::link::{InFlight, Links};
use super::pool::Pool;
use super::routing::{Routed, Router};
use super::tunnel::Tunnel;
use super::wire::{Io, Wire};
use super::{bridge, h1};
use crate::discovery::Forwarder;
use crate::route::{Availability, Call, Endpoint, Location, Picked, Tried, Upstream};
use crate::runtime::Ask;
use crate::telemetry::requests::{Record, Requests, Words};

pub use super::answer::Answer;
// What `serve` leaves to hyper, which serves HTTP/1.1 too where somebody compares the two.
pub use super::bridge::serve as serve_by_hyper;
pub use super::h1::Spoken;

/// How long a call waits for a callee that is on its way.
const HOLD: Duration = Duration::from_secs(30);
/// How long the engine may take to tell why a service is not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    Service(Arc<str>),
    /// An instance of a service, by the address of its pod.
    Pod(Arc<str>, Ipv4Addr),
    /// Somebody outside, through the front door.
    Outside,
}

impl Caller {
    /// The service that calls.
    pub fn service(&self) -> Option<&Arc<str>> {
        match self {
            Self::Service(name) | Self::Pod(name, _) => Some(name),
            Self::Outside => None,
        }
    }
}

/// Who is called, at which of its ports.
#[derive(Debug, Clone)]
pub struct Target {
    pub upstream: Arc<Upstream>,
    pub port: usize,
}

impl Target {
    /// The port that is called.
    pub fn endpoint(&self) -> &Endpoint {
        &self.upstream.ports[self.port]
    }
}

/// What a way is chosen by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whom the request is for, with a port or without: of a CONNECT its target.
    pub host: &'a str,
    /// With its query.
    pub path: &'a str,
    pub is_connect: bool,
    pub asker: Asker,
}

/// Where a request leads.
pub enum Lead {
    /// To a port that speaks HTTP; a CONNECT too, of which that service is to make what it likes.
    Service(Target),
    /// The answer to a CONNECT is a tunnel.
    Tunnel(Tunnel),
    /// It is answered here.
    Here(Making),
}

/// An answer in the making: what a page shows may have to be read from files.
pub type Making = Pin<Box<dyn Future<Output = Answer>>>;

/// The outside, as services are told of it.
#[derive(Debug)]
pub struct Origin {
    pub scheme: &'static str,
    /// Who calls.
    pub address: String,
}

/// Where the requests of a connection lead.
pub trait Way: 'static {
    /// Where a request leads, by the present table.
    fn lead(&self, asked: &Asked<'_>) -> Lead;

    /// What tells a refusal to whoever asked.
    fn refuse(&self, refusal: Refusal, asker: Asker) -> Making {
        Box::pin(ready(refusal.response(asker)))
    }

    /// The outside, where requests come from there.
    fn origin(&self) -> Option<&Origin> {
        None
    }

    /// Becomes ready once the connection should end: after the request that is being served, with notice where the
    /// protocol has one.
    fn closing(&self) -> Closing {
        Closing::never()
    }
}

/// All requests lead to one callee, wherever it is by now. The connection ends when the callee goes.
impl<F: Fn() -> Target + 'static> Way for F {
    fn lead(&self, _asked: &Asked<'_>) -> Lead {
        Lead::Service(self())
    }

    fn closing(&self) -> Closing {
        Closing::with(self().upstream, Router::default())
    }
}

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
            hold: HOLD,
        }
    }

    /// The same, leading requests as this router says.
    pub fn routed(self, router: Router) -> Self {
        Self { router, ..self }
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
        loop {
            // Where nothing is listed, it may be absent all the same.
            if *upstream.availability.borrow() == Availability::Ready {
                match upstream.pick(*port) {
                    Picked::Call(call) => return Ok(call),
                    Picked::NoPort => return Err(Refusal::Gone(upstream.name.clone())),
                    // It is about to be said that it is not ready.
                    Picked::Nobody => tokio::task::yield_now().await,
                }
            }
            self.ready(target).await?;
        }
    }

    /// Waits until the callee is ready; wakes it where it is idle.
    async fn ready(&self, target: &Target) -> Result<(), Refusal> {
        let mut availability = target.upstream.availability.clone();
        let refusal = Cell::new(None);
        let name = &target.upstream.name;
        let settled = availability.wait_for(|now| match now {
            Availability::Ready => true,
            Availability::Idle => {
                let _ = self.asks.send(Ask::Wake(name.clone()));
                false
            }
            Availability::Coming(_) => false,
            Availability::Absent(state) => {
                refusal.set(Some(Refusal::Absent(name.clone(), *state)));
                true
            }
        });
        let waited = tokio::time::timeout(self.hold, settled).await.map(|settled| settled.is_ok());
        match (waited, refusal.take()) {
            (Ok(true), None) => Ok(()),
            (_, Some(refusal)) => Err(refusal),
            (Ok(false), None) => Err(Refusal::Gone(name.clone())),
            (Err(_), None) => Err(Refusal::StillComing(name.clone(), self.hold, self.reason(name).await)),
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
    pub fn serving(&self, routed: &Routed, place: &Call, identity: &Identity) -> Option<InFlight> {
        let upstream = &routed.target.upstream;
        let links = || self.links.of(&upstream.name, place.own_address());
        (!upstream.is_external()).then(|| links().begin(identity, routed.local()))
    }

    /// What the engine says of a service that is not ready.
    async fn reason(&self, service: &Arc<str>) -> Option<String> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Why(service.to_string(), reply)).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()?.ok()?.in_a_line()
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
        Recording { record: Some(record), in_flight: None, begun, requests: self.requests.clone() }
    }
}

/// Why a callee could not be connected to.
pub fn not_dialled(name: &Arc<str>, location: &Location, error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::TimedOut => Refusal::Silent(name.clone()),
        _ => {
            let reason = format!("nothing answers on {location}: {error}");
            match location {
                Location::Elsewhere { .. } => Refusal::Outside(name.clone(), reason),
                Location::Loopback(_) | Location::Pod { .. } => Refusal::Failed(name.clone(), reason),
            }
        }
    }
}

/// Serves one connection of one caller, HTTP/1.1 or HTTP/2.
pub async fn serve<S: Io, W: Way>(stream: S, caller: Caller, way: W, context: Context) {
    let wire = Wire::new(stream, context.pool.spare.clone());
    match h1::serve(&wire, &caller, &way, &context).await {
        h1::End::Closed => {}
        h1::End::Other(spoken) => bridge::serve(wire.rewound(), spoken, caller, way, context).await,
    }
}

/// Spawns on the proxy's own thread, so that connections may share what no other thread sees.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::model::Egress;
    use crate::route::Replicas;
    use crate::supervise::State;
    use crate::view::Explanation;

    fn explanation() -> Explanation {
        Explanation {
            service: "web".to_owned(),
            state: State::Starting,
            ready: false,
            reason: Some("it listens on 3000 instead of 8080".to_owned()),
            blockers: Vec::new(),
            last_probe: None,
            refused: Vec::new(),
            last_lines: Vec::new(),
            next: None,
            scaling: None,
            lost_lines: 0,
        }
    }

    #[tokio::test]
    async fn who_waited_in_vain_is_told_why() {
        let (asks, mut asked) = mpsc::unbounded_channel();
        let context = Context::new(Requests::default(), asks).holding(Duration::from_millis(10));
        let (_keep, availability) = watch::channel(Availability::Coming(State::Starting));
        let (called, egress) = (Ipv4Addr::LOCALHOST, Egress::Allow);
        let (name, ports, replicas) = ("web".into(), Vec::new(), Replicas::Fixed);
        let upstream = Upstream { name, version: None, called, own: called, egress, ports, availability, replicas };
        let target = Target { upstream: Arc::new(upstream), port: 0 };
        let engine = async {
            let Some(Ask::Why(name, reply)) = asked.recv().await else { panic!("it is asked why") };
            assert_eq!(name, "web");
            reply.send(Ok(explanation())).unwrap();
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
