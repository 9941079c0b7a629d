//! Several services behind one proxy, with routes that the test changes.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use nagaya::dtab::{Dtab, Identifier};
use nagaya::model::{Egress, Protocol};
use nagaya::proxy::http::{self, Asked, Caller, Context, Lead, Target, Way};
use nagaya::proxy::routing::Router;
use nagaya::proxy::tcp;
use nagaya::route::{Apart, Availability, Endpoint, Location, Routes, Table, Upstream, Version};
use nagaya::telemetry::requests::{Record, Requests};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use super::lab::{PATIENCE, callee, connect, exactly, head};

/// A service of a city: its name, which version it is of which service, what it speaks and where it listens.
#[derive(Clone)]
pub struct House {
    pub name: &'static str,
    pub version: Option<(&'static str, &'static str)>,
    pub protocol: Protocol,
    pub port: u16,
    pub egress: Egress,
}

impl House {
    /// One that answers by HTTP with its own name.
    pub fn named(name: &'static str) -> Self {
        Self { name, version: None, protocol: Protocol::Http, port: telling(name), egress: Egress::Allow }
    }

    pub fn version(self, of: &'static str, name: &'static str) -> Self {
        Self { version: Some((of, name)), ..self }
    }
}

/// A callee that answers with its name, and with the field `l5d-ctx-dtab` and the first line that it got.
pub fn telling(name: &'static str) -> u16 {
    callee(move |mut stream, _| {
        loop {
            let read = head(&mut stream);
            if read.is_empty() {
                return;
            }
            let field = |wanted: &str| {
                let line = read.split("\r\n").find_map(|line| line.strip_prefix(wanted));
                line.unwrap_or("").trim().to_owned()
            };
            let first = read.split("\r\n").next().unwrap_or("");
            let own = field("l5d-dtab:");
            let body = format!("{name}|{}|{first}|{own}", field("l5d-ctx-dtab:"));
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// A proxy before all houses, one listener for each pair of a caller and a callee that a test asks for.
pub struct City {
    pub routes: watch::Sender<Arc<Routes>>,
    pub availability: Vec<(&'static str, watch::Sender<Availability>)>,
    requests: Requests,
    doors: mpsc::UnboundedSender<(TcpListener, &'static str, &'static str)>,
    _table: watch::Sender<Arc<Table>>,
}

impl City {
    pub fn of(houses: &[House], routes: &str) -> Self {
        Self::with(houses, routes, Vec::new())
    }

    pub fn with(houses: &[House], routes: &str, identifiers: Vec<Identifier>) -> Self {
        Self::made(houses, routes, Table { identifiers, ..Table::default() })
    }

    /// One in which nobody calls but by these pairs of a caller and a callee.
    pub fn strict(houses: &[House], routes: &str, calls: &[(&str, &str)]) -> Self {
        let mut declared: HashMap<Arc<str>, HashSet<Arc<str>>> = HashMap::new();
        for &(from, to) in calls {
            declared.entry(from.into()).or_default().insert(to.into());
        }
        Self::made(houses, routes, Table { strict: true, declared, ..Table::default() })
    }

    /// One in which names mean something else to some callers: each with services, and who takes their places.
    pub fn apart(houses: &[House], routes: &str, callers: &[(&str, &[(&str, &str)])]) -> Self {
        let apart = callers.iter().map(|(name, leads)| ((*name).into(), Arc::new(Apart::new(leads.iter().copied()))));
        Self::made(houses, routes, Table { apart: apart.collect(), ..Table::default() })
    }

    fn made(houses: &[House], routes: &str, table: Table) -> Self {
        let built = houses.iter().map(upstream);
        let (availability, upstreams): (Vec<_>, Vec<Arc<Upstream>>) = built.unzip();
        let first = |(place, house): (usize, &House)| {
            let (of, version) = house.version.filter(|(of, _)| *of == house.name)?;
            Some((format!("{of}-{version}").into(), place))
        };
        let table = Table {
            first_versions: houses.iter().enumerate().filter_map(first).collect(),
            upstreams: upstreams.into_iter().collect(),
            ..table
        };
        let (tables, table) = watch::channel(Arc::new(table));
        let (routes, present) = watch::channel(Arc::new(Routes::new(1, [], routes.parse().unwrap())));
        let (requests, (doors, opened)) = (Requests::default(), mpsc::unbounded_channel());
        let recorded = requests.clone();
        std::thread::spawn(move || serve(opened, table, present, recorded));
        Self { routes, availability, requests, doors, _table: tables }
    }

    /// Other routes from now on.
    pub fn route(&self, version: u64, routes: &str) {
        let dtab: Dtab = routes.parse().unwrap();
        self.routes.send_replace(Arc::new(Routes::new(version, [], dtab)));
    }

    pub fn set(&self, name: &str, now: Availability) {
        let (_, sender) = self.availability.iter().find(|(known, _)| *known == name).unwrap();
        sender.send_replace(now);
    }

    /// The number at which a caller calls a callee.
    pub fn edge(&self, from: &'static str, to: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        self.doors.send((listener, from, to)).unwrap();
        port
    }

    #[track_caller]
    pub fn records(&self, count: usize) -> Vec<Record> {
        let begun = std::time::Instant::now();
        loop {
            let (records, _) = self.requests.since(0);
            if records.len() >= count {
                return records;
            }
            assert!(begun.elapsed() < PATIENCE, "{} records, not {count}", records.len());
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        }
    }
}

fn upstream(house: &House) -> ((&'static str, watch::Sender<Availability>), Arc<Upstream>) {
    let (sender, availability) = watch::channel(Availability::Ready);
    let location = Location::Loopback(house.port);
    let port = Endpoint { name: "port".to_owned(), number: 80, protocol: house.protocol, location };
    let version = house.version.map(|(of, name)| Version { of: of.into(), name: name.into() });
    let (called, own) = (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
    let name = house.name.into();
    let replicas = nagaya::route::Replicas::Fixed;
    let (egress, ports) = (house.egress, vec![port]);
    let upstream = Upstream { name, version, remote: None, called, own, egress, ports, availability, replicas };
    ((house.name, sender), Arc::new(upstream))
}

fn serve(
    mut opened: mpsc::UnboundedReceiver<(TcpListener, &'static str, &'static str)>,
    tables: watch::Receiver<Arc<Table>>,
    routes: watch::Receiver<Arc<Routes>>,
    requests: Requests,
) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async move {
        let (asks, _asked) = mpsc::unbounded_channel();
        let context = Context::new(requests, asks).routed(Router::new(tables.clone(), routes));
        while let Some((listener, from, to)) = opened.recv().await {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let upstream = tables.borrow().upstream(to).expect("a house").clone();
            tokio::task::spawn_local(accept(listener, Caller::Service(from.into()), upstream, context.clone()));
        }
    });
}

async fn accept(listener: tokio::net::TcpListener, caller: Caller, upstream: Arc<Upstream>, context: Context) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (context, caller) = (context.clone(), caller.clone());
        let target = Target { upstream: upstream.clone(), port: 0 };
        if upstream.ports[0].protocol == Protocol::Tcp {
            tokio::task::spawn_local(async move { tcp::serve(stream, &caller, &target, &context, None).await });
        } else {
            tokio::task::spawn_local(http::serve(stream, caller, Addressed(target), context));
        }
    }
}

/// All requests are addressed to one callee, whose connection stays though it is absent: routes may lead elsewhere.
struct Addressed(Target);

impl Way for Addressed {
    fn lead(&self, _: &Asked<'_>) -> Lead {
        Lead::Service(self.0.clone())
    }
}

/// A caller's connection, kept for many requests.
pub struct Client(TcpStream);

impl Client {
    pub fn at(port: u16) -> Self {
        Self(connect(port))
    }

    /// Asks with these lines, and gives the head and the body of the answer.
    #[track_caller]
    pub fn ask(&mut self, path: &str, fields: &[&str]) -> (String, String) {
        self.ask_host("users", path, fields)
    }

    /// Asks for whatever a Host is.
    pub fn ask_host(&mut self, host: &str, path: &str, fields: &[&str]) -> (String, String) {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").as_bytes()).unwrap();
        let head = head(&mut self.0);
        let length = head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
        });
        let body = exactly(&mut self.0, length.unwrap_or_else(|| panic!("an answer with a length: {head}")));
        (head, body)
    }

    /// Who answers.
    #[track_caller]
    pub fn who(&mut self, fields: &[&str]) -> String {
        let (head, body) = self.ask("/", fields);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
        body.split('|').next().unwrap_or_default().to_owned()
    }
}
