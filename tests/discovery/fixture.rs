//! A pod's DNS server, its client, and the host's servers, all in one thread on the loopback.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use nagaya::discovery::{Egress, Forwarder, Host, Pod, serve_tcp, serve_udp};
use nagaya::model::{Port, Protocol};
use nagaya::route::zone::{Asker, Entry, Origin, Zone};
use tempfile::TempDir;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};

pub const USERS: Ipv4Addr = Ipv4Addr::new(10, 66, 128, 1);
pub const ORDERS: Ipv4Addr = Ipv4Addr::new(10, 66, 128, 2);
/// The pod that asks; it is one of `orders`.
pub const OWN: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 2);
/// `six`, which listens by IPv6 alone.
pub const TWIN: Ipv4Addr = Ipv4Addr::new(10, 66, 128, 3);
pub const SIX: Ipv6Addr = Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0x0a42, 0x8003);
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 66, 255, 1);
pub const FRONT_DOOR: Ipv4Addr = Ipv4Addr::new(10, 66, 255, 2);

/// Runs a test in one thread, as the engine serves; it fails when it takes longer than anything that works.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bounded = async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs") };
    LocalSet::new().block_on(&runtime, bounded);
}

/// The workspace `shop`, seen from a pod of `orders`.
pub struct OrdersPod {
    zone: Arc<Zone>,
    egress: Egress,
    /// Who was asked for.
    pub asked: RefCell<Vec<usize>>,
    /// What it was told of names elsewhere.
    pub told: RefCell<Vec<(String, Vec<IpAddr>)>>,
    /// One permit for each ask that may go on.
    pub gate: Semaphore,
}

impl Pod for OrdersPod {
    fn zone(&self) -> Arc<Zone> {
        self.zone.clone()
    }

    fn asker(&self) -> Option<Asker> {
        Some(Asker { service: 1, address: OWN })
    }

    fn egress(&self) -> Egress {
        self.egress
    }

    fn told(&self, name: &str, addresses: &[IpAddr]) {
        self.told.borrow_mut().push((name.to_owned(), addresses.to_vec()));
    }

    fn twin(&self, service: usize) -> Option<Ipv6Addr> {
        (service == 2).then_some(SIX)
    }

    async fn asked(&self, service: usize) {
        self.asked.borrow_mut().push(service);
        self.gate.acquire().await.unwrap().forget();
    }
}

fn zone() -> Zone {
    let entry = |name: &str, address, ports| Entry {
        name: name.to_owned(),
        aliases: Vec::new(),
        hostnames: vec![format!("{name}.internal.example.com")],
        address,
        pods: Vec::new(),
        ports,
    };
    let http = Port { name: "http".to_owned(), number: 8080, protocol: Protocol::Http };
    let [workspace, label, namespace] = ["shop", "shop", "default"].map(str::to_owned);
    let origin = Origin { workspace, label, namespace, host: HOST, front_door: FRONT_DOOR };
    Zone::new(
        origin,
        vec![entry("users", USERS, vec![http]), entry("orders", ORDERS, Vec::new()), entry("six", TWIN, Vec::new())],
    )
}

/// A running server and what belongs to it.
pub struct Server {
    pub address: SocketAddr,
    pub pod: Rc<OrdersPod>,
    pub etc: TempDir,
}

impl Server {
    /// For a pod that may leave, on a host with these servers.
    pub async fn start(upstreams: &Upstreams) -> Self {
        Self::with(upstreams, Egress::Allow, 1 << 20).await
    }

    pub async fn with(upstreams: &Upstreams, egress: Egress, permits: usize) -> Self {
        let etc = tempfile::tempdir().unwrap();
        std::fs::write(etc.path().join("resolv.conf"), &upstreams.resolv_conf).unwrap();
        std::fs::write(etc.path().join("hosts"), "192.168.1.9 nas nas.lan\n127.0.0.1 users\nfd00::9 six.lan\n")
            .unwrap();
        let host = Host::reading(etc.path().join("resolv.conf"), etc.path().join("hosts"), upstreams.port);
        let forwarder = Rc::new(Forwarder::new(host));
        let (asked, gate) = (RefCell::default(), Semaphore::new(permits));
        let pod = OrdersPod { zone: Arc::new(zone()), egress, asked, told: RefCell::default(), gate };
        let pod = Rc::new(pod);
        let (listener, socket) = both(Ipv4Addr::LOCALHOST).await;
        let address = listener.local_addr().unwrap();
        spawn_local(serve_udp(socket.into_std().unwrap(), pod.clone(), forwarder.clone()));
        let accepting = pod.clone();
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                spawn_local(serve_tcp(stream, accepting.clone(), forwarder.clone()));
            }
        });
        Self { address, pod, etc }
    }

    /// Asks over UDP and waits for the reply.
    pub async fn ask(&self, name: &str, kind: RecordType) -> Message {
        let query = query(name, kind);
        let reply = Message::from_vec(&self.exchange(&query.to_vec().unwrap()).await).unwrap();
        assert_eq!(reply.id, query.id);
        assert_eq!(reply.queries, query.queries);
        reply
    }

    /// Sends a datagram and waits for what comes back.
    pub async fn exchange(&self, query: &[u8]) -> Vec<u8> {
        let client = self.send(query).await;
        receive(&client).await
    }

    /// Sends a datagram.
    pub async fn send(&self, query: &[u8]) -> UdpSocket {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(self.address).await.unwrap();
        client.send(query).await.unwrap();
        client
    }
}

/// The next datagram.
pub async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).await.unwrap();
    buffer.truncate(length);
    buffer
}

/// A TCP and a UDP socket on one port.
async fn both(address: Ipv4Addr) -> (TcpListener, UdpSocket) {
    loop {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            return (listener, socket);
        }
    }
}

/// A query as clients make it.
pub fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

/// The addresses in a reply that succeeded.
pub fn addresses(reply: &Message) -> Vec<String> {
    assert_eq!(reply.response_code, ResponseCode::NoError, "{reply:?}");
    reply.answers.iter().map(|record| record.data.to_string()).collect()
}

/// What one of the host's servers sends back for a datagram.
type Behaviour = Box<dyn Fn(&[u8]) -> Vec<Vec<u8>>>;

/// The host's servers: 127.0.0.2 and following, all on one port.
pub struct Upstreams {
    pub port: u16,
    pub resolv_conf: String,
    /// What each was asked over UDP.
    pub heard: Vec<Rc<RefCell<Vec<Vec<u8>>>>>,
    /// The first's, for those who want to answer over TCP.
    pub listener: Option<TcpListener>,
}

impl Upstreams {
    /// A host without servers, and without a file that would name them.
    pub fn none() -> Self {
        Self { port: 53, resolv_conf: String::new(), heard: Vec::new(), listener: None }
    }

    /// Servers that behave so; `None` has no socket at all.
    pub async fn new(behaviours: Vec<Option<Behaviour>>) -> Self {
        let (listener, sockets) = sockets(behaviours.len()).await;
        let port = listener.local_addr().unwrap().port();
        let mut upstreams =
            Self { port, resolv_conf: "# made up\n".to_owned(), heard: Vec::new(), listener: Some(listener) };
        for (socket, behaviour) in sockets.into_iter().zip(behaviours) {
            let server = socket.local_addr().unwrap().ip();
            upstreams.resolv_conf.push_str(&format!("nameserver {server}\n"));
            let heard = Rc::new(RefCell::default());
            upstreams.heard.push(heard.clone());
            if let Some(behaviour) = behaviour {
                spawn_local(upstream(socket, behaviour, heard));
            }
        }
        upstreams
    }
}

async fn sockets(count: usize) -> (TcpListener, Vec<UdpSocket>) {
    loop {
        let (listener, first) = both(Ipv4Addr::new(127, 0, 0, 2)).await;
        let port = listener.local_addr().unwrap().port();
        let mut sockets = vec![first];
        for last in 3..=u8::try_from(count + 1).unwrap() {
            sockets.extend(UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), port)).await);
        }
        if sockets.len() == count {
            return (listener, sockets);
        }
    }
}

async fn upstream(socket: UdpSocket, behaviour: Behaviour, heard: Rc<RefCell<Vec<Vec<u8>>>>) {
    let mut buffer = vec![0; 65_535];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        heard.borrow_mut().push(buffer[..length].to_vec());
        for reply in behaviour(&buffer[..length]) {
            socket.send_to(&reply, client).await.unwrap();
        }
    }
}

/// A server that answers all with one address.
pub fn answers(address: [u8; 4]) -> Option<Behaviour> {
    Some(Box::new(move |query| vec![reply(query, address)]))
}

/// A server that answers all with an error.
pub fn fails(code: ResponseCode) -> Option<Behaviour> {
    Some(Box::new(move |query| {
        let query = Message::from_vec(query).unwrap();
        let mut reply = Message::error_msg(query.id, OpCode::Query, code);
        reply.queries = query.queries;
        vec![reply.to_vec().unwrap()]
    }))
}

/// A server that hears and says nothing.
pub fn is_silent() -> Option<Behaviour> {
    Some(Box::new(|_| Vec::new()))
}

/// An answer with one address.
pub fn reply(query: &[u8], address: [u8; 4]) -> Vec<u8> {
    let query = Message::from_vec(query).unwrap();
    let mut reply = Message::response(query.id, OpCode::Query);
    let name = query.queries[0].name.clone();
    reply.add_answer(Record::from_rdata(name, 300, RData::A(Ipv4Addr::from(address).into())));
    reply.queries = query.queries;
    reply.to_vec().unwrap()
}
