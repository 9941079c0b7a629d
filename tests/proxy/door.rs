//! The front door: several services on one connection, in both versions of HTTP, and what it adds and answers itself.

mod uploads;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use http_body_util::BodyExt;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Version};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use nagaya::effects::places::Places;
use nagaya::model::{Egress, Protocol};
use nagaya::proxy::door::{Door, connection};
use nagaya::proxy::http::{Caller, Context};
use nagaya::route::{Availability, Endpoint, Location, Table, Upstream};
use nagaya::runtime::Board;
use nagaya::supervise::State;
use nagaya::telemetry::requests::{Record, Requests};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use super::http2::{Body, caller, empty, full, h2_callee, in_time, shouting};
use super::lab::{answering, callee, closed, connect, encoded, exactly, half_close, head, read_all, text, told};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The front door of a workspace `shop` on a thread of its own.
struct Front {
    port: u16,
    requests: Requests,
    _availability: Vec<watch::Sender<Availability>>,
}

/// A service: its name, production's number of its port, what is spoken there, and where it listens.
type Service<'s> = (&'s str, u16, Protocol, u16);

impl Front {
    fn before(services: &[Service<'_>]) -> Self {
        Self::with(services, Availability::Ready)
    }

    fn with(services: &[Service<'_>], now: Availability) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (availability, upstreams) =
            services.iter().map(|service| upstream(service, now)).unzip::<_, _, Vec<_>, Vec<_>>();
        let table = Table {
            host_label: "shop".to_owned(),
            front_door: port,
            upstreams: upstreams.into_iter().collect(),
            ..Table::default()
        };
        let requests = Requests::default();
        let recorded = requests.clone();
        std::thread::spawn(move || serve(listener, table, recorded));
        Self { port, requests, _availability: availability }
    }

    /// Sends bytes and reads all that comes until the connection ends.
    #[track_caller]
    fn ask(&self, bytes: &str) -> String {
        let mut stream = connect(self.port);
        stream.write_all(bytes.as_bytes()).unwrap();
        text(&read_all(&mut stream))
    }

    fn records(&self) -> Vec<Record> {
        self.requests.since(0).0
    }
}

fn upstream(service: &Service<'_>, now: Availability) -> (watch::Sender<Availability>, Arc<Upstream>) {
    let &(name, number, protocol, port) = service;
    let (sender, availability) = watch::channel(now);
    let endpoint = Endpoint { name: "port".to_owned(), number, protocol, location: Location::Loopback(port) };
    let upstream = Upstream {
        name: name.into(),
        version: None,
        remote: None,
        called: Ipv4Addr::LOCALHOST,
        own: Ipv4Addr::LOCALHOST,
        egress: Egress::Allow,
        ports: vec![endpoint],
        availability,
        replicas: nagaya::route::Replicas::Fixed,
    };
    (sender, Arc::new(upstream))
}

fn door(table: Table, requests: Requests, folder: &Path) -> Rc<Door> {
    let places = Places { state: folder.join("state"), runtime: folder.join("run") };
    let (asks, _asked) = mpsc::unbounded_channel();
    let (_tables, tables) = watch::channel(Arc::new(table));
    let context = Context::new(requests, asks);
    Rc::new(Door::new(tables, context, Board::default(), places, folder.join("logs"), Timestamp::UNIX_EPOCH))
}

fn serve(listener: TcpListener, table: Table, requests: Requests) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async move {
        let door = door(table, requests, folder.path());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::task::spawn_local(connection(stream, Caller::Outside, peer.ip(), door.clone()));
        }
    });
}

/// A callee that shows what it was asked, head and body until its end, and says that all is well.
fn seeing() -> (u16, Receiver<String>) {
    let (seen, saw) = std::sync::mpsc::channel();
    let port = callee(move |mut stream, _| {
        loop {
            let mut asked = head(&mut stream);
            if asked.is_empty() {
                return;
            }
            while asked.contains("Transfer-Encoding: chunked") && !is_whole(&asked) {
                asked += &exactly(&mut stream, 1);
            }
            seen.send(asked).unwrap();
            stream.write_all(OK.as_bytes()).unwrap();
        }
    });
    (port, saw)
}

/// Whether the last chunk is there, with the empty line behind its trailers.
fn is_whole(asked: &str) -> bool {
    let (_, body) = asked.split_once("\r\n\r\n").unwrap();
    let last = if body.starts_with("0\r\n") { Some(0) } else { body.find("\r\n0\r\n") };
    last.is_some_and(|at| body[at..].ends_with("\r\n\r\n"))
}

fn fields(head: &str, name: &str) -> Vec<String> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
}

fn over_http2(method: Method, host: &str, path: &str, body: Body) -> Request<Body> {
    let uri = format!("http://{host}.shop.localhost{path}");
    Request::builder().method(method).uri(uri).version(Version::HTTP_2).body(body).unwrap()
}

#[test]
fn one_connection_leads_to_many_services() {
    let (web, users) = (answering(OK.replace("ok", "w1")), answering(OK.replace("ok", "u1")));
    let front = Front::before(&[
        ("web", 80, Protocol::Http, web),
        ("users", 80, Protocol::Http, users),
        ("chat", 80, Protocol::H2, h2_callee(shouting)),
    ]);
    let mut stream = connect(front.port);
    let get = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    // All at once: pages, two services, one that speaks HTTP/2, and one of the first again.
    let chat = "POST / HTTP/1.1\r\nHost: chat.shop.localhost\r\nContent-Length: 3\r\n\r\nabc";
    let last = "GET / HTTP/1.1\r\nHost: WEB.shop.localhost:80\r\nConnection: close\r\n\r\n";
    let hosts = ["web.shop.localhost", "example.com", "shop.localhost", "users.shop.localhost:4400"].map(get);
    stream.write_all(format!("{}{chat}{last}", hosts.concat()).as_bytes()).unwrap();
    let answers = text(&read_all(&mut stream));
    let order = ["w1", "HTTP/1.1 421", "<h1>shop</h1>", "u1", "ABC", "w1"];
    let end = order.iter().fold(0, |at, part| {
        at + answers[at..].find(part).unwrap_or_else(|| panic!("no `{part}` after {at} in {answers}")) + part.len()
    });
    assert_eq!(end, answers.len());
}

#[test]
fn trailers_of_requests_are_kept() {
    let (port, saw) = seeing();
    let front = Front::before(&[("web", 80, Protocol::Http, port)]);
    let answer = front.ask(
        "POST / HTTP/1.1\r\nHost: web.shop.localhost\r\nConnection: close\r\nTrailer: X-Sum\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(told(&saw).ends_with("3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"));
}

#[test]
fn a_service_is_told_of_the_outside() {
    let (port, saw) = seeing();
    let front = Front::before(&[("web", 80, Protocol::Http, port)]);
    let judge = |asked: &str, host: &str, by: &str| {
        assert_eq!(fields(asked, "x-forwarded-for").join(", "), by, "{asked}");
        for name in ["host", "x-forwarded-host"] {
            assert_eq!(fields(asked, name), [host], "{asked}");
        }
        assert_eq!(fields(asked, "x-forwarded-proto"), ["http"], "{asked}");
    };
    front.ask("GET / HTTP/1.1\r\nHost: web.shop.localhost:1\r\nConnection: close\r\n\r\n");
    judge(&told(&saw), "web.shop.localhost:1", "127.0.0.1");
    // The whole URL counts, and the service is told no other Host.
    front.ask("GET http://web.shop.localhost/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: a\r\n\r\n");
    judge(&told(&saw), "web.shop.localhost", "a, 127.0.0.1");
    in_time(async {
        let (mut sender, _connection) = caller(front.port).await;
        // Without a body and with one, and with a Host that says something else.
        for (method, body, host) in
            [(Method::GET, empty(), None), (Method::POST, full("abc"), None), (Method::GET, empty(), Some("x"))]
        {
            let mut request = over_http2(method, "web", "/", body);
            request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("a"));
            if let Some(host) = host {
                request.headers_mut().insert("host", HeaderValue::from_static(host));
            }
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
            judge(&told(&saw), "web.shop.localhost", "a, 127.0.0.1");
        }
    });
}

#[test]
fn a_websocket_over_http2_leads_to_its_service() {
    let port = callee(|mut stream, _| {
        assert!(head(&mut stream).to_lowercase().contains("upgrade: websocket\r\n"));
        let answer = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        stream.write_all(answer).unwrap();
        let word = exactly(&mut stream, 5);
        stream.write_all(word.to_uppercase().as_bytes()).unwrap();
    });
    let front = Front::before(&[("web", 80, Protocol::Http, port)]);
    in_time(async {
        let (mut sender, _connection) = caller(front.port).await;
        // The server's settings, which allow it, come first.
        sender.send_request(over_http2(Method::GET, "nobody", "/", empty())).await.map(drop).unwrap();
        let mut request = over_http2(Method::CONNECT, "web", "/chat", empty());
        request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HELLO");
    });
}

/// Says something first, then all that it got in capitals, then that it has ended.
fn shouting_bytes() -> u16 {
    callee(|mut stream: TcpStream, _| {
        stream.write_all(b"hi").unwrap();
        let mut bytes = [0; 100];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            stream.write_all(text(&bytes[..count]).to_uppercase().as_bytes()).unwrap();
        }
        stream.write_all(b"bye").unwrap();
    })
}

#[test]
fn connect_opens_a_tunnel_to_a_port_of_bytes() {
    let front = Front::before(&[("db", 5432, Protocol::Tcp, shouting_bytes())]);
    let mut stream = connect(front.port);
    // Some bytes come with the request, before the answer.
    stream.write_all(b"CONNECT db.shop.localhost:5432 HTTP/1.1\r\nHost: x\r\n\r\nearly").unwrap();
    assert_eq!(head(&mut stream), "HTTP/1.1 200 Connected\r\n\r\n");
    assert_eq!(exactly(&mut stream, 2), "hi");
    assert_eq!(exactly(&mut stream, 5), "EARLY");
    half_close(&stream);
    assert_eq!(text(&read_all(&mut stream)), "bye");
    in_time(async {
        let (mut sender, _connection) = caller(front.port).await;
        let uri = "db.shop.localhost:5432";
        let request = Request::connect(uri).version(Version::HTTP_2).body(empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"late").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hiLATEbye");
    });
    let told: Vec<_> = front.records().iter().map(|it| (it.protocol, it.to.to_string(), it.error.is_some())).collect();
    assert_eq!(told, [("tcp", "db".to_owned(), false), ("tcp", "db".to_owned(), false)]);
}

#[test]
fn connect_to_what_speaks_http_leads_through_the_front_door() {
    let (port, saw) = seeing();
    let front = Front::before(&[("web", 8080, Protocol::Http, port)]);
    for authority in ["web.shop.localhost:8080", "web.shop.localhost:80", "web.shop.localhost"] {
        let answers = front.ask(&format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n\
             GET /in HTTP/1.1\r\nHost: web.shop.localhost\r\nConnection: close\r\n\r\n"
        ));
        assert!(answers.starts_with("HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answers}");
        assert!(answers.ends_with("\r\n\r\nok"), "{answers}");
        assert!(told(&saw).starts_with("GET /in HTTP/1.1\r\nHost: web.shop.localhost\r\n"));
    }
    assert_eq!(front.records().len(), 3, "a request is recorded once");
}

#[test]
fn connect_leads_to_nobody_else() {
    let front = Front::before(&[("db", 5432, Protocol::Tcp, closed()), ("web", 80, Protocol::Http, closed())]);
    let cases = [
        ("db.shop.localhost:22", "502", "db: it has no port 22"),
        ("db.shop.localhost:5432", "502", "nothing answers"),
        ("nobody.shop.localhost:80", "404", "no service is called"),
        ("shop.localhost:80", "404", "nothing here"),
        ("127.0.0.1:22", "404", "nothing here"),
        ("example.com:443", "421", "nothing is served"),
    ];
    for (authority, status, reason) in cases {
        let answer = front.ask(&format!("CONNECT {authority} HTTP/1.1\r\nHost: web.shop.localhost\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(reason), "{authority}: {answer}");
    }
}

#[test]
fn browsers_get_a_page_and_others_a_line() {
    let services = [("web", 80, Protocol::Http, closed()), ("db", 5432, Protocol::Tcp, closed())];
    let front = Front::with(&services, Availability::Absent(State::Failed));
    let ask = |host: &str, accept: &str| {
        front.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: {accept}\r\n\r\n"))
    };
    for (host, start, said) in [
        ("web.shop.localhost", "HTTP/1.1 503", "web has failed"),
        ("db.shop.localhost", "HTTP/1.1 502", "db: it has no port that speaks HTTP"),
        ("nobody.shop.localhost", "HTTP/1.1 404", "no service is called `nobody.shop.localhost`"),
    ] {
        let page = ask(host, "text/html,*/*");
        assert!(page.starts_with(start) && page.contains(&format!("\r\nl5d-err: {}\r\n", encoded(said))), "{page}");
        assert!(page.contains("\r\ncontent-type: text/html") && page.contains("frame-ancestors 'none'"), "{page}");
        assert_eq!(fields(&page, "content-type").len(), 1, "{page}");
        let line = ask(host, "*/*");
        assert!(line.starts_with(start) && line.contains(&format!("\r\n\r\nnagaya: {said}\n")), "{line}");
    }
    assert!(ask("web.shop.localhost", "*/*").contains("\r\nretry-after: 1\r\n"));
    let foreign = ask("example.com", "text/html");
    assert!(foreign.starts_with("HTTP/1.1 421") && !foreign.contains("html"), "{foreign}");
    assert_eq!(fields(&foreign, "content-type"), ["text/plain; charset=utf-8"], "{foreign}");
    let bytes = ask("db.shop.localhost", "*/*");
    let helps =
        "what helps: declare one in the `ports` of db: `port: { port: 5432, protocol: http }`, if that one does";
    assert!(bytes.contains(helps), "{bytes}");
}

#[test]
fn the_page_of_all_services_is_at_the_root_alone() {
    let front = Front::before(&[]);
    let ask = |line: &str| front.ask(&format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    for line in ["GET /", "GET /?a=b", "GET http://shop.localhost"] {
        let page = ask(line);
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("<h1>shop</h1>"), "{page}");
    }
    let head = ask("HEAD /");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask("GET /a").starts_with("HTTP/1.1 404"));
    in_time(async {
        let (mut sender, _connection) = caller(front.port).await;
        let request = |uri: &str| Request::get(uri).version(Version::HTTP_2).body(empty()).unwrap();
        let page = sender.send_request(request("http://shop.localhost/")).await.unwrap();
        assert!(page.into_body().collect().await.unwrap().to_bytes().starts_with(b"<!doctype html>"));
        let missing = sender.send_request(request("http://localhost/a")).await.unwrap();
        assert_eq!(missing.status(), 404);
        let strange = sender.send_request(request("http://me@shop.localhost/")).await.unwrap();
        assert_eq!(strange.status(), 400);
    });
}

#[test]
fn a_connection_that_waits_takes_little_room() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, runtime) =
        (listener.local_addr().unwrap().port(), Builder::new_current_thread().enable_io().build().unwrap());
    let room = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let door = door(Table::default(), Requests::default(), folder.path());
        std::mem::size_of_val(&connection(stream, Caller::Outside, Ipv4Addr::LOCALHOST.into(), door))
    });
    assert!(room <= 7 << 10, "{room} bytes");
}
