//! From the world to those who look: rows, events, and the table of the proxy.

mod again;
mod listeners;
mod looks;
mod names;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, watch};

use again::Again;
use listeners::{Listeners, Taken};
use names::{aliases, apart, first_versions, remotes, zone};

pub use listeners::{Deaf, Missing};

use super::Board;
use super::past::Pasts;
use crate::dtab::Dtab;
use crate::effects::clock::Clock;
use crate::effects::pods::Announcer;
use crate::effects::stats::Sample;
use crate::plan::Plan;
use crate::route::disco::Disco;
use crate::route::zone::Zone;
use crate::route::{
    Availability, Endpoint, Life, Listener, Replicas, Routes, Table, Upstream, Upstreams, Version, on_loopback,
};
use crate::supervise::{Fact, Moment, Note, Status, World};
use crate::view::{Event, Past, Service, Usage, news};

/// Who is told of instances that are called no more.
#[derive(Debug)]
pub struct Calls {
    /// The loop, once all calls are answered.
    pub facts: mpsc::UnboundedSender<Fact>,
    /// The proxy, which closes what it keeps.
    pub announcer: Announcer,
    /// Counts the ends of calls.
    pub order: Arc<AtomicU64>,
}

/// Keeps everything that is published.
#[derive(Debug)]
pub struct Publisher {
    clock: Clock,
    board: Board,
    table: watch::Sender<Arc<Table>>,
    routes: watch::Sender<Arc<Routes>>,
    /// The routes that users wrote.
    own: Dtab,
    availability: HashMap<Arc<str>, watch::Sender<Availability>>,
    replicas: HashMap<Arc<str>, Replicas>,
    calls: Calls,
    /// Published numbers that are not ours.
    taken: Taken,
    /// Addresses that are not ours either.
    deaf: Vec<Deaf>,
    again: Again,
    past: Pasts,
    /// Somebody was told of services beyond the plan: from then on they are called.
    has_begun: bool,
    /// What the rows of each service were made of; `None` where there are none to be.
    shown: Vec<Option<Vec<Status>>>,
    usage: HashMap<u32, Usage>,
    last_sample: Option<(Moment, Sample)>,
}

impl Publisher {
    /// A publisher of nothing yet; later, of these routes of users.
    pub fn new(clock: Clock, board: Board, own: Dtab, calls: Calls) -> Self {
        Self {
            own,
            clock,
            board,
            table: watch::Sender::default(),
            routes: watch::Sender::default(),
            availability: HashMap::new(),
            replicas: HashMap::new(),
            calls,
            taken: Taken::default(),
            deaf: Vec::new(),
            again: Again::default(),
            past: Pasts::default(),
            has_begun: false,
            shown: Vec::new(),
            usage: HashMap::new(),
            last_sample: None,
        }
    }

    /// The table, as it will be.
    pub fn table(&self) -> watch::Receiver<Arc<Table>> {
        self.table.subscribe()
    }

    /// The routes, as they will be.
    pub fn routes(&self) -> watch::Receiver<Arc<Routes>> {
        self.routes.subscribe()
    }

    /// The addresses of files now.
    pub fn disco(&self) -> Arc<Disco> {
        self.table.borrow().disco.clone()
    }

    /// Publishes other addresses of files.
    pub fn set_disco(&self, disco: Disco) {
        let table = Table::clone(&self.table.borrow());
        self.table.send_replace(Arc::new(Table { disco: Arc::new(disco), ..table }));
    }

    /// What names mean now.
    pub fn zone(&self) -> Arc<Zone> {
        self.table.borrow().zone.clone()
    }

    /// Publishes a new plan: the table for the proxy, and all rows. Its listeners are open when this returns, so that
    /// nobody is launched before the addresses that it is given are there. What could not be opened is returned.
    pub fn plan(&mut self, world: &World) -> Vec<String> {
        let plan = world.plan();
        let mut listeners = Listeners::after(self.table.borrow().clone());
        let upstreams: Upstreams =
            (0..plan.services.len()).map(|place| Arc::new(self.upstream(world, plan, place))).collect();
        let mut open: HashMap<SocketAddrV4, Listener> = HashMap::new();
        for edge in &plan.edges {
            let Some(at) = edge.listen else { continue };
            let from = upstreams[edge.from].name.clone();
            let socket = listeners.own(at, Some((from.clone(), upstreams[edge.to].name.clone())));
            open.insert(at, Listener { from: Some(from), to: upstreams[edge.to].clone(), port: edge.port, socket });
        }
        let name = |place: usize| upstreams[place].name.clone();
        let mut declared: HashMap<Arc<str>, HashSet<Arc<str>>> = HashMap::new();
        for edge in &plan.edges {
            declared.entry(name(edge.from)).or_default().insert(name(edge.to));
        }
        for (planned, upstream) in plan.services.iter().zip(upstreams.iter()) {
            for it in planned.published() {
                let Some(socket) = listeners.published(it, &upstream.name) else { continue };
                let listener = Listener { from: None, to: upstream.clone(), port: it.port, socket };
                open.insert(on_loopback(it.host), listener);
            }
        }
        let table = Table {
            host_label: plan.host_label.clone(),
            front_door: plan.front_door,
            front_door_socket: listeners.own(on_loopback(plan.front_door), None),
            listeners: open,
            called: plan.services.iter().enumerate().map(|(place, it)| (it.addresses.called, place)).collect(),
            first_versions: first_versions(plan),
            declared,
            strict: plan.strict,
            standard_ports: plan.standard_ports,
            identifiers: plan.identifiers.clone(),
            rules: plan.rules.clone(),
            zone: Arc::new(zone(world)),
            aliases: aliases(plan),
            apart: apart(plan),
            leaving: (0..plan.services.len()).filter(|place| world.is_leaving(*place)).collect(),
            remotes: remotes(plan, &upstreams),
            disco: listeners.before.disco.clone(),
            upstreams,
        };
        let Listeners { taken, deaf, notices, before } = listeners;
        (self.taken, self.deaf) = (taken, deaf);
        self.again = Again::default();
        self.past.replaced(&before, &table, self.clock.now());
        self.availability.retain(|name, _| table.index(name).is_some());
        self.replicas.retain(|name, _| table.index(name).is_some());
        self.table.send_replace(Arc::new(table));
        self.send_routes(plan);
        self.board.truncate(plan.services.len());
        self.shown = vec![None; plan.services.len()];
        (0..plan.services.len()).for_each(|place| self.callable(world, place));
        self.all_rows(world);
        notices
    }

    /// Publishes other routes of users.
    pub fn reroute(&mut self, plan: &Plan, own: Dtab) {
        self.own = own;
        self.send_routes(plan);
    }

    fn send_routes(&self, plan: &Plan) {
        let external = plan.services.iter().filter(|it| it.external().is_some()).map(|it| it.name.as_str());
        let version = self.routes.borrow().version + 1;
        self.routes.send_replace(Arc::new(Routes::new(version, external, self.own.clone())));
    }

    /// What was in the way of calls to each service of a plan, and ended after `since`.
    pub fn past(&self, plan: &Plan, since: Option<Moment>) -> Vec<Vec<Past>> {
        plan.services.iter().map(|planned| self.past.of(planned.name.as_str(), since)).collect()
    }

    /// Publishes what became of services that may have changed. What happens to one is looked at in all its neighbours, of
    /// which there may be hundreds: rows are made only of those with something to show.
    pub fn changed(&mut self, world: &World, places: impl IntoIterator<Item = usize>) {
        let mut news = Vec::new();
        for place in places {
            self.callable(world, place);
            let statuses = statuses(world, place);
            if self.shown.get(place) != Some(&statuses) {
                news.push((place, statuses));
            }
        }
        self.rows(world, news);
        self.has_begun = true;
    }

    fn upstream(&mut self, world: &World, plan: &Plan, place: usize) -> Upstream {
        let planned = &plan.services[place];
        let name: Arc<str> = planned.name.as_str().into();
        let now = Availability::of(&world.status(place));
        let sender = self.availability.entry(name.clone()).or_insert_with(|| watch::Sender::new(now));
        let ports = planned.all_ports().map(|port| Endpoint {
            name: port.name.clone(),
            number: port.number,
            protocol: port.protocol,
            location: port.location.clone(),
        });
        let version = planned
            .version
            .as_ref()
            .map(|version| Version { of: version.of.as_str().into(), name: version.name.as_str().into() });
        let replicas = match planned.external() {
            Some(_) => Replicas::Fixed,
            None => self.replicas.entry(name.clone()).or_insert_with(|| Replicas::listed(&self.calls.order)).clone(),
        };
        Upstream {
            name,
            version,
            remote: None,
            called: planned.addresses.called,
            own: planned.addresses.own,
            egress: planned.egress,
            ports: ports.collect(),
            availability: sender.subscribe(),
            replicas,
        }
    }

    /// Publishes all services as they are.
    fn all_rows(&mut self, world: &World) {
        self.rows(world, (0..world.plan().services.len()).map(|place| (place, statuses(world, place))));
    }

    /// Publishes these services as they are.
    fn rows(&mut self, world: &World, places: impl IntoIterator<Item = (usize, Option<Vec<Status>>)>) {
        let plan = world.plan();
        let mut rows = Vec::new();
        for (place, statuses) in places {
            let taken = |number: u16| self.taken.get(&number).map(|missing| missing.why.to_string());
            let instances = statuses.iter().flatten().map(|status| {
                let usage = status.pid.and_then(|pid| self.usage.get(&pid)).copied();
                Service::new(plan, place, status, usage, &|at| self.clock.wall(at), &taken)
            });
            rows.push((place, instances.collect()));
            if let Some(shown) = self.shown.get_mut(place) {
                *shown = statuses;
            }
        }
        self.board.put(rows);
    }

    /// Publishes who can be called of a service's instances, and then whether any can: whoever is told so finds it.
    fn callable(&mut self, world: &World, place: usize) {
        let planned = &world.plan().services[place];
        let name = planned.name.as_str();
        if let Some(replicas) = self.replicas.get(name) {
            let lives = world.endpoints(place).map(|(number, incarnation)| {
                let own = planned.in_pod().then(|| planned.own_address(number));
                Life { incarnation, own, locations: planned.locations(number).collect() }
            });
            let gone = replicas.set(lives, &self.calls.facts);
            if !gone.is_empty() {
                self.calls.announcer.withdraw(gone.iter().flat_map(|replica| replica.locations().to_vec()).collect());
            }
        }
        if let Some((name, sender)) = self.availability.get_key_value(name) {
            let availability = Availability::of(&world.status(place));
            let before = *sender.borrow();
            if let (true, true, Availability::Absent(state)) = (self.has_begun, before != availability, before) {
                self.past.was_absent(name, state, self.clock.now());
            }
            sender.send_if_modified(|known| std::mem::replace(known, availability) != availability);
        }
    }

    /// The number that the next event will have.
    pub fn next_event(&self) -> u64 {
        self.board.events_since(u64::MAX).1
    }

    /// Publishes changes of state.
    pub fn events(&self, world: &mut World) {
        let events = world.take_events();
        let plan = world.plan();
        self.board.add_events(events.iter().map(|event| Event::new(event, plan, self.clock.wall(event.at))));
    }

    /// Publishes what the world tells besides states, and returns it in words.
    pub fn note(&self, world: &World, note: &Note) -> String {
        let name = note.service.map(|place| &world.plan().services[place].name);
        let (event, message) = news(&note.what);
        self.board.tell(Event::told(event, name, message.clone(), self.clock.wall(note.at)));
        message
    }

    /// Publishes an event that is no change of state.
    pub fn tell(&self, event: Event) {
        self.board.tell(event);
    }

    /// Publishes what users should know whenever they look.
    pub fn notices(&self, notices: Vec<String>) {
        self.board.post(notices);
    }
}

/// What the rows of a service are made of; `None` where there are none to be.
fn statuses(world: &World, place: usize) -> Option<Vec<Status>> {
    (!world.is_over(place)).then(|| world.statuses(place).collect())
}
