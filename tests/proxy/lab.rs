//! A proxy on a thread of its own, callees that follow a script, and callers with a socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nagaya::model::{Egress, Protocol};
use nagaya::proxy::dial::Dialer;
use nagaya::proxy::http::{self, Caller, Context, Limits, Target};
use nagaya::proxy::tcp;
use nagaya::route::{Availability, Endpoint, Life, Location, Replicas, Upstream};
use nagaya::supervise::Incarnation;
use nagaya::telemetry::requests::{Record, Requests};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

/// Longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy before one callee.
pub struct Lab {
    pub port: u16,
    pub availability: watch::Sender<Availability>,
    requests: Requests,
}

/// What a lab may differ in.
pub struct Options {
    pub protocol: Protocol,
    pub location: Location,
    /// Ports of further instances.
    pub others: Vec<u16>,
    pub limits: Limits,
    pub dialer: Dialer2,
}

/// How a dialer is made on the proxy's thread.
pub type Dialer2 = Box<dyn FnOnce() -> Dialer + Send>;

impl Options {
    pub fn before(protocol: Protocol, port: u16) -> Self {
        Self {
            protocol,
            location: Location::Loopback(port),
            others: Vec::new(),
            limits: Limits { idle: PATIENCE, head: PATIENCE, linger: Duration::from_secs(1) },
            dialer: Box::new(Dialer::default),
        }
    }
}

impl Lab {
    /// HTTP/1.1 before a callee that follows a script.
    pub fn http(callee: u16) -> Self {
        Self::new(Options::before(Protocol::Http, callee))
    }

    pub fn new(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (availability, receiver) = watch::channel(Availability::Ready);
        let requests = Requests::default();
        let recorded = requests.clone();
        std::thread::spawn(move || serve(listener, options, receiver, recorded));
        Self { port, availability, requests }
    }

    /// The records, once there are so many.
    #[track_caller]
    pub fn records(&self, count: usize) -> Vec<Record> {
        let begun = Instant::now();
        loop {
            let (records, _) = self.requests.since(0);
            if records.len() >= count {
                return records;
            }
            assert!(begun.elapsed() < PATIENCE, "{} records, not {count}", records.len());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// A caller's connection.
    pub fn connect(&self) -> TcpStream {
        connect(self.port)
    }

    /// Sends bytes and reads all that comes until the connection ends.
    #[track_caller]
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        text(&read_all(&mut stream))
    }
}

fn serve(listener: TcpListener, options: Options, availability: watch::Receiver<Availability>, requests: Requests) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    let replicas = match options.others.is_empty() {
        true => Replicas::Fixed,
        false => instances(options.location.clone(), &options.others),
    };
    let endpoint =
        Endpoint { name: "port".to_owned(), number: 80, protocol: options.protocol, location: options.location };
    let upstream = Arc::new(Upstream {
        name: "web".into(),
        version: None,
        remote: None,
        called: Ipv4Addr::LOCALHOST,
        own: Ipv4Addr::LOCALHOST,
        egress: Egress::Allow,
        ports: vec![endpoint],
        availability,
        replicas,
    });
    runtime.block_on(async move {
        let (asks, _asked) = mpsc::unbounded_channel();
        let context = Context::new(requests, asks).with((options.dialer)(), options.limits);
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (context, target) = (context.clone(), Target { upstream: upstream.clone(), port: 0 });
            let caller = Caller::Service("shell".into());
            match options.protocol {
                Protocol::Tcp => tokio::task::spawn_local(async move {
                    tcp::serve(stream, &caller, &target, &context, None).await;
                }),
                _ => tokio::task::spawn_local(http::serve(stream, caller, move || target.clone(), context)),
            };
        }
    });
}

fn instances(first: Location, others: &[u16]) -> Replicas {
    let replicas = Replicas::listed(&Arc::default());
    let locations = [first].into_iter().chain(others.iter().map(|port| Location::Loopback(*port)));
    let life = |(number, location)| Life { incarnation: Incarnation(number), own: None, locations: vec![location] };
    replicas.set((1..).zip(locations).map(life), &mpsc::unbounded_channel().0);
    replicas
}

/// A callee that does with each connection, by its number, what the script says.
pub fn callee(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (stream, script) = (stream.unwrap(), script.clone());
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || script(stream, number));
        }
    });
    port
}

/// A callee that reads one head after the other, and answers each with the same bytes.
pub fn answering(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    callee(move |mut stream, _| {
        while !head(&mut stream).is_empty() {
            stream.write_all(&answer).unwrap();
        }
    })
}

/// The same, then it closes the connection.
pub fn answering_once(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    callee(move |mut stream, _| {
        head(&mut stream);
        stream.write_all(&answer).unwrap();
    })
}

/// A number on which nobody listens, nor will: it stays taken, or a test beside this one might get it.
pub fn closed() -> u16 {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    Box::leak(Box::new(socket)).local_addr().unwrap().port()
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads a head with its empty line, byte by byte so that nothing else is taken; empty at the end.
pub fn head(stream: &mut TcpStream) -> String {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => read.push(byte[0]),
            _ => break,
        }
    }
    text(&read)
}

/// Reads exactly so many bytes.
#[track_caller]
pub fn exactly(stream: &mut TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    text(&bytes)
}

/// Reads until the end, orderly or not; a connection that stays open is an error.
#[track_caller]
pub fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    if let Err(error) = stream.read_to_end(&mut read) {
        let waited = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        assert!(!waited, "the connection stays open after {}", text(&read));
    }
    read
}

/// A text as a form has it, and linkerd's `l5d-err`.
pub fn encoded(said: &str) -> String {
    form_urlencoded::byte_serialize(said.as_bytes()).collect()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A head without the lines that differ from run to run.
pub fn stable(text: &str) -> String {
    let own = |line: &&str| !["x-request-id: ", "traceparent: ", "date: "].iter().any(|name| line.starts_with(name));
    text.split("\r\n").filter(own).collect::<Vec<_>>().join("\r\n")
}

/// What comes through a channel, in time.
#[track_caller]
pub fn told<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(PATIENCE).expect("it is told in time")
}

/// Ends a connection as a program that crashed does.
pub fn break_off(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

pub fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}
