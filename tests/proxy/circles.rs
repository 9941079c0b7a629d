//! Services that call each other without an end: each request comes to one all the same.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};

use http_body_util::BodyExt;
use nagaya::model::{Egress, Protocol};
use nagaya::telemetry::requests::Record;

use super::city::{City, Client, House};
use super::http2::{caller, full, get, request, runtime};
use super::lab::{callee, connect, exactly, head};

/// The numbers at which services call the next one, once they are known.
type Onward = Arc<OnceLock<Vec<u16>>>;

/// A callee that answers with what the next one answered to the same request, of whose fields it passes on those that it
/// is told. A path `/3` goes on three times more; any other path without an end.
fn passing_on(place: usize, onward: Onward, forwards: fn(&str) -> Vec<String>, asked: mpsc::Sender<()>) -> u16 {
    callee(move |mut stream, _| {
        loop {
            let read = head(&mut stream);
            let Some(path) = read.split(' ').nth(1) else { return };
            let _ = asked.send(());
            let left = path[1..].parse::<u32>();
            let (status, body) = match left {
                Ok(0) => ("200 OK".to_owned(), "the end".to_owned()),
                _ => {
                    let path = left.map_or(path.to_owned(), |left| format!("/{}", left - 1));
                    let fields = forwards(&read);
                    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                    let (head, body) = Client::at(onward.wait()[place]).ask(&path, &fields);
                    (head["HTTP/1.1 ".len()..].split("\r\n").next().unwrap().to_owned(), body)
                }
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn nothing(_: &str) -> Vec<String> {
    Vec::new()
}

fn lines(read: &str, wanted: &str) -> Vec<String> {
    read.split("\r\n").filter(|line| line.starts_with(wanted)).map(str::to_owned).collect()
}

fn its_id(read: &str) -> Vec<String> {
    lines(read, "x-request-id: ")
}

fn its_parent(read: &str) -> Vec<String> {
    lines(read, "traceparent: ")
}

/// As programs do that have spans of their own.
fn its_trace(read: &str) -> Vec<String> {
    let own = |line: &String| format!("{}-{:016x}-01", &line[.."traceparent: 00-".len() + 32], fastrand::u64(1..));
    its_parent(read).iter().map(own).collect()
}

const NAMES: [&str; 3] = ["web", "users", "db"];

/// Services in a ring, each of which passes on to the next.
struct Ring {
    city: City,
    /// The number at which the first is called from outside it.
    first: u16,
    /// Each request is told here.
    asked: mpsc::Receiver<()>,
}

fn ring(count: usize, forwards: Forwards) -> Ring {
    let (onward, (told, asked)) = (Onward::default(), mpsc::channel());
    let house = |place: usize| House {
        name: NAMES[place],
        version: None,
        protocol: Protocol::Http,
        port: passing_on(place, onward.clone(), forwards, told.clone()),
        egress: Egress::Allow,
    };
    let houses: Vec<House> = (0..count).map(house).collect();
    let city = City::of(&houses, "");
    let numbers = (0..count).map(|place| city.edge(NAMES[place], NAMES[(place + 1) % count])).collect();
    onward.set(numbers).unwrap();
    let first = city.edge("shell", "web");
    Ring { city, first, asked }
}

/// A ring in words, as who begins there would tell it.
fn told(names: &[&str], first: usize) -> String {
    let name = |place: usize| names[(first + place) % names.len()];
    let further: String = (2..=names.len()).map(|place| format!(", which calls {}", name(place))).collect();
    format!("{} calls {}{further}, and so on", name(0), name(1))
}

/// What a service passes on of the head of a request that it serves.
type Forwards = fn(&str) -> Vec<String>;

/// How many of the records have this status.
fn count(records: &[Record], status: u16) -> usize {
    records.iter().filter(|record| record.status == Some(status)).count()
}

#[test]
fn a_ring_of_calls_ends_with_a_word_whatever_its_services_forward() {
    let ways: [(Forwards, usize); 4] = [(nothing, 258), (its_id, 258), (its_trace, 258), (its_parent, 130)];
    for names in (1..=NAMES.len()).map(|length| &NAMES[..length]) {
        for (forwards, calls) in ways {
            let Ring { city, first, .. } = ring(names.len(), forwards);
            let (head, body) = Client::at(first).ask("/", &[]);
            assert!(head.starts_with("HTTP/1.1 508 "), "{head}{body}");
            // Whoever made the last call is where it begins.
            let said = (0..names.len()).map(|first| told(names, first)).any(|said| body.contains(&said));
            assert!(said && body.contains("goes round in circles: "), "{body}");
            let records = city.records(calls);
            assert_eq!((records.len(), count(&records, 508)), (calls, calls));
            let last = records.iter().find(|record| record.error.is_some()).expect("one was refused");
            assert!(last.error.as_deref().unwrap().contains("goes round in circles: "), "{last:?}");
        }
    }
}

#[test]
fn calls_that_come_to_an_end_are_let_through_however_they_come_back() {
    for forwards in [nothing, its_id, its_parent, its_trace] {
        let Ring { city, first, .. } = ring(2, forwards);
        let (head, body) = Client::at(first).ask("/128", &[]);
        assert!(head.starts_with("HTTP/1.1 200 ") && body == "the end", "{head}{body}");
        assert_eq!(count(&city.records(129), 200), 129);
    }
}

/// The callers in the ring wait for their answers, whether anybody still waits for theirs or not.
#[test]
fn a_ring_ends_although_its_caller_has_gone() {
    let Ring { city, first, asked } = ring(2, nothing);
    let mut stream = connect(first);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n").unwrap();
    super::lab::told(&asked);
    drop(stream);
    let records = city.records(257);
    assert!(records.iter().any(|record| record.status == Some(508)), "nothing was refused");
}

/// Many calls at once that none of them caused: by a service that forwards nothing, of which it cannot be told, and by
/// one whose requests are all of one trace.
#[test]
fn many_calls_at_once_are_no_ring() {
    const MANY: usize = 200;
    for forwards in [nothing, its_parent] {
        let (leaves, all) = (Arc::new(Mutex::new(Vec::new())), Onward::default());
        let (waiting, onward) = (leaves.clone(), all.clone());
        // Asked for `/`, it asks itself for as many leaves, and answers none before it has been asked for all.
        let port = callee(move |mut stream, _| {
            let read = head(&mut stream);
            if read.starts_with("GET /leaf") {
                let mut waiting: MutexGuard<'_, Vec<TcpStream>> = waiting.lock().unwrap();
                waiting.push(stream);
                if waiting.len() == MANY {
                    for mut leaf in waiting.drain(..) {
                        leaf.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nleaf").unwrap();
                    }
                }
                return;
            }
            let fields: String = forwards(&read).iter().map(|line| format!("{line}\r\n")).collect();
            let mut asked: Vec<TcpStream> = (0..MANY).map(|_| connect(onward.wait()[0])).collect();
            for stream in &mut asked {
                stream.write_all(format!("GET /leaf HTTP/1.1\r\nHost: web\r\n{fields}\r\n").as_bytes()).unwrap();
            }
            for stream in &mut asked {
                let answer = head(stream);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                exactly(stream, 4);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall").unwrap();
        });
        let house = House { name: "web", version: None, protocol: Protocol::Http, port, egress: Egress::Allow };
        let city = City::of(&[house], "");
        all.set(vec![city.edge("web", "web")]).unwrap();
        let (head, body) = Client::at(city.edge("shell", "web")).ask("/", &[]);
        assert!(head.starts_with("HTTP/1.1 200 ") && body == "all", "{head}{body}");
        assert_eq!(count(&city.records(MANY + 1), 200), MANY + 1);
    }
}

/// A service that calls itself by HTTP/2, with and without a body.
#[test]
fn a_ring_by_http2_ends_too() {
    for by_http2 in [|| get("/"), || request("/", full("x"))] {
        let onward = Onward::default();
        let next = onward.clone();
        let port = callee(move |mut stream, _| {
            if head(&mut stream).is_empty() {
                return;
            }
            let number = next.wait()[0];
            let (status, text) = runtime().block_on(async {
                let (mut sender, _connection) = caller(number).await;
                let answer = sender.send_request(by_http2()).await.unwrap();
                (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
            });
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", text.len());
            let _ = stream.write_all(&[answer.as_bytes(), &text].concat());
        });
        let house = House { name: "web", version: None, protocol: Protocol::Http, port, egress: Egress::Allow };
        let city = City::of(&[house], "");
        onward.set(vec![city.edge("web", "web")]).unwrap();
        let (head, text) = Client::at(city.edge("shell", "web")).ask("/", &[]);
        assert!(head.starts_with("HTTP/1.1 508 ") && text.contains("web calls web, and so on"), "{head}{text}");
    }
}
