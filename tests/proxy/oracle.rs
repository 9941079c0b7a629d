//! Our HTTP/1.1 beside hyper's: both pass the same calls to the same callee, and both sides must see the same.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use nagaya::model::Protocol;
use nagaya::proxy::http::{Caller, Context, Spoken, Target, serve_by_hyper};
use nagaya::route::{Availability, Endpoint, Location, Upstream};
use nagaya::telemetry::requests::Requests;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

use super::lab::{Lab, callee, connect, head, read_all, text};

/// How many calls are made up; each goes both ways.
const CALLS: u64 = 300;

/// The same proxy with hyper on both sides.
fn by_hyper(callee: u16) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async move {
            let (_keep, availability) = watch::channel(Availability::Ready);
            let location = Location::Loopback(callee);
            let endpoint = Endpoint { name: "port".to_owned(), number: 80, protocol: Protocol::Http, location };
            let upstream = std::sync::Arc::new(Upstream {
                name: "web".into(),
                version: None,
                remote: None,
                called: std::net::Ipv4Addr::LOCALHOST,
                own: std::net::Ipv4Addr::LOCALHOST,
                egress: nagaya::model::Egress::Allow,
                ports: vec![endpoint],
                availability,
                replicas: nagaya::route::Replicas::Fixed,
            });
            let (asks, _asked) = tokio::sync::mpsc::unbounded_channel();
            let context = Context::new(Requests::default(), asks);
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (context, target) = (context.clone(), Target { upstream: upstream.clone(), port: 0 });
                let caller = Caller::Service("shell".into());
                let way = move || target.clone();
                tokio::task::spawn_local(serve_by_hyper(stream, Spoken::Http1, caller, way, context));
            }
        });
    });
    port
}

/// A message as it is understood: its first line, its fields that matter, and its body without frames.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    first: String,
    fields: Vec<String>,
    body: Digest,
}

/// A body's length and sum; there is no use in reading it.
type Digest = (usize, u64);

fn digest(body: &[u8]) -> Digest {
    (body.len(), body.iter().fold(0, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte)))
}

fn message(stream: &mut TcpStream, is_answer_to_head: bool) -> Message {
    let head = head(stream);
    let mut lines = head.trim_end().split("\r\n");
    let first = lines.next().unwrap_or("").to_owned();
    let fields: Vec<String> = lines
        .map(|line| {
            line.split_once(':')
                .map_or(line.to_owned(), |(name, value)| format!("{}:{}", name.to_lowercase(), value.trim()))
        })
        .collect();
    let find = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name).map(str::to_owned));
    let status = first.split(' ').nth(1).unwrap_or("").to_owned();
    let body = if is_answer_to_head || ["204", "304"].contains(&status.as_str()) {
        Vec::new()
    } else if find("transfer-encoding:").is_some() {
        chunks(stream)
    } else if let Some(length) = find("content-length:") {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        body
    } else if first.starts_with("HTTP/") {
        read_all(stream)
    } else {
        Vec::new()
    };
    // What says how a body is delimited, and what is made up anew, may differ.
    let own = ["content-length:", "transfer-encoding:", "connection:", "te:", "date:", "x-request-id:", "traceparent:"];
    let mut fields: Vec<String> =
        fields.into_iter().filter(|field| !own.iter().any(|name| field.starts_with(name))).collect();
    fields.sort();
    // A phrase is for people; hyper has its own.
    let first = if first.starts_with("HTTP/") { first[..12].to_owned() } else { first };
    Message { first, fields, body: digest(&body) }
}

fn chunks(stream: &mut TcpStream) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(text(&line).trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return body;
        }
    }
}

/// A message of random parts, with the body in the given framing.
fn framed(random: &mut fastrand::Rng, head: &mut String, body: &[u8]) -> Vec<u8> {
    if random.bool() {
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        return [head.as_bytes(), body].concat();
    }
    head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    let mut bytes = head.clone().into_bytes();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at(random.usize(1..=rest.len()));
        write!(bytes, "{:x}\r\n", chunk.len()).unwrap();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        rest = others;
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn fields(random: &mut fastrand::Rng) -> String {
    let known = [
        "Accept: text/html",
        "X-A: b",
        "x-a: c",
        "Cookie: a=b; c=d",
        "Connection: own",
        "Own: x",
        "Keep-Alive: 5",
        "Cache-Control: no-store",
        "X-Empty:",
        "Upgrade: h2c",
        "TE: trailers",
        "X-Long: 0123456789012345678901234567890123456789",
    ];
    let count = random.usize(0..6);
    (0..count).map(|_| format!("{}\r\n", random.choice(known).unwrap())).collect()
}

#[test]
fn hyper_agrees() {
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..CALLS {
        let method = random.choice(["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS"]).unwrap();
        let mut request = format!("{method} /{number}?x HTTP/1.1\r\nHost: a:80\r\n{}", fields(&mut random));
        let has_body = ["POST", "PUT"].contains(&method);
        let length = random.usize(0..40_000);
        let request = match has_body {
            true => framed(&mut random, &mut request, &vec![b'x'; length]),
            false => format!("{request}\r\n").into_bytes(),
        };
        let status =
            random.choice(["200 OK", "201 Made", "404 Not here", "500 Broken", "204 None", "304 Same"]).unwrap();
        let mut answer = format!("HTTP/1.1 {status}\r\n{}", fields(&mut random));
        let bodiless = method == "HEAD" || status.starts_with("204") || status.starts_with("304");
        let answer = match (bodiless, random.u8(0..3)) {
            (true, _) => format!("{answer}\r\n").into_bytes(),
            (false, 0) => format!("{answer}Connection: close\r\n\r\nuntil the end").into_bytes(),
            (false, _) => {
                let body = vec![b'y'; random.usize(0..40_000)];
                framed(&mut random, &mut answer, &body)
            }
        };
        let step = random.usize(1..20_000);
        let (seen, saw) = mpsc::channel();
        let shown = answer.clone();
        let port = callee(move |mut stream, _| {
            seen.send(message(&mut stream, false)).unwrap();
            for piece in shown.chunks(step) {
                stream.write_all(piece).unwrap();
            }
        });
        let lab = Lab::http(port);
        let both = [lab.port, by_hyper(port)].map(|port| {
            let mut stream = connect(port);
            let mut writer = stream.try_clone().unwrap();
            for piece in request.chunks(step) {
                writer.write_all(piece).unwrap();
            }
            let answered = message(&mut stream, method == "HEAD");
            (super::lab::told(&saw), answered)
        });
        let shown = format!("{}\n{}", text(&request[..request.len().min(400)]), text(&answer[..answer.len().min(400)]));
        assert_eq!(both[0].0, both[1].0, "for the callee: ours, hyper's\n{shown}");
        assert_eq!(both[0].1, both[1].1, "for the caller: ours, hyper's\n{shown}");
    }
}
