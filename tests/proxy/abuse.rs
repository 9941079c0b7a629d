//! Requests that are malformed, hostile, or never come to an end.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nagaya::model::Protocol;
use nagaya::proxy::http::Limits;

use super::lab::{Lab, Options, answering, callee, connect, exactly, head, read_all, text};

/// A callee that no request must reach.
fn unreached() -> u16 {
    callee(|mut stream, _| {
        let read = head(&mut stream);
        if !read.is_empty() {
            let _ = write!(stream, "HTTP/1.1 299 It was reached\r\nContent-Length: 0\r\n\r\n");
        }
    })
}

#[test]
fn what_is_malformed_is_refused_and_the_connection_closed() {
    let lab = Lab::http(unreached());
    let cases: [(&str, &[u8]); 29] = [
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        (
            "400",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("501", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        ("501", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"),
        ("501", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n"),
        ("400", b"GET / HTTP/1.1\nHost: a\n\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        ("400", b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("400", b"GET / HTTP/1.x\r\nHost: a\r\n\r\n"),
        ("505", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        ("505", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
        ("400", b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
        ("400", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ("400", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n"),
        ("400", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        ("400", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"),
        ("400", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nA\r\n0\r\n\r\n"),
        ("400", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
    ];
    for (status, bytes) in cases {
        // What follows would be answered if the connection stayed.
        let told = lab.ask([bytes, b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{}\n{told}", bytes.escape_ascii());
        assert_eq!(told.matches("HTTP/1.1 ").count(), 1, "{}\n{told}", bytes.escape_ascii());
        assert!(told.contains("\r\nl5d-err: ") && told.contains("\r\nConnection: close\r\n"), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_recorded_with_the_reason_and_nothing_of_what_was_sent() {
    let lab = Lab::http(unreached());
    let cases = [
        (
            "GET /secret HTTP/1.1\r\nHost: a\r\nHost: secret\r\n\r\n",
            400,
            "the request is malformed: there are two Host fields",
        ),
        ("GET /secret HTTP/1.1\nHost: a\n\n", 400, "the request is malformed: "),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: secret\r\n\r\n", 501, "the request cannot be read: "),
        ("GET / HTTP/3.0\r\nHost: secret\r\n\r\n", 505, "the request cannot be read: its version"),
    ];
    for (at, (bytes, status, said)) in cases.into_iter().enumerate() {
        lab.ask(bytes);
        let record = lab.records(at + 1).pop().unwrap();
        let error = record.error.clone().unwrap_or_default();
        assert!(record.status == Some(status) && error.starts_with(said), "{record:?}");
        assert_eq!((record.from.as_deref(), &*record.to, record.protocol), (Some("shell"), "web", "http"));
        assert!(!format!("{record:?}").contains("secret"), "{record:?}");
    }
    lab.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "y".repeat(70_000)));
    assert_eq!(lab.records(5)[4].status, Some(431));
}

#[test]
fn a_flood_of_what_cannot_be_read_leaves_room_for_other_records() {
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    for _ in 0..300 {
        lab.ask("?\r\n\r\n");
    }
    assert!(lab.ask("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
    let records = lab.records(2);
    // Ten in each second or part of one.
    assert!(records.len() <= 201, "{}", records.len());
    assert_eq!(records.last().unwrap().path(), Some("/last"));
}

#[test]
fn a_chunk_that_turns_out_malformed_later_is_the_callers_fault() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        seen.send(head(&mut stream)).unwrap();
        // It waits for the rest of the body.
        read_all(&mut stream);
    }));
    let mut stream = lab.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").unwrap();
    super::lab::told(&saw);
    stream.write_all(b"zz\r\n").unwrap();
    let told = text(&read_all(&mut stream));
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    assert_eq!(lab.records(1)[0].status, Some(400));
}

#[test]
fn floods_of_headers_are_refused() {
    let lab = Lab::http(unreached());
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "y".repeat(70_000));
    let endless = format!("GET /{} HTTP/1.1\r\n", "y".repeat(70_000));
    for head in [
        format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{large}\r\n"),
        endless,
    ] {
        let told = lab.ask(&head);
        assert!(told.starts_with("HTTP/1.1 431 "), "{told}");
        assert!(told.contains("l5d-err"), "{told}");
    }
    // What is large and not too large passes.
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Large: {}\r\n\r\n", "y".repeat(60_000));
    assert!(lab.ask(head).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_head_that_drips_is_cut_off_and_an_idle_connection_closed() {
    let mut options = Options::before(Protocol::Http, unreached());
    options.limits = Limits { idle: Duration::from_millis(300), head: Duration::from_millis(600), ..options.limits };
    let lab = Lab::new(options);
    let begun = Instant::now();
    read_all(&mut lab.connect());
    let idle = begun.elapsed();
    assert!(idle >= Duration::from_millis(300), "{idle:?}");

    let begun = Instant::now();
    let mut stream = lab.connect();
    let mut writer = stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        // Each byte comes in time; all together never do.
        while writer.write_all(b"G").is_ok() && begun.elapsed() < super::lab::PATIENCE {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    let told = text(&read_all(&mut stream));
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    assert_eq!(lab.records(1)[0].status, Some(408));
    drip.join().unwrap();
}

#[test]
fn a_connection_by_http2_on_which_nothing_is_asked_is_closed() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let mut options = Options::before(Protocol::Http, unreached());
    options.limits = Limits { idle: Duration::from_millis(300), head: Duration::from_millis(300), ..options.limits };
    let lab = Lab::new(options);
    // Half of the preface, all of it, and what else a client says that asks nothing.
    for bytes in [&PREFACE[..18], PREFACE, &[PREFACE, SETTINGS].concat()] {
        let begun = Instant::now();
        let mut stream = lab.connect();
        stream.write_all(bytes).unwrap();
        read_all(&mut stream);
        assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_head_that_drips_behind_another_is_cut_off_before_a_callee_of_http2_too() {
    let mut options = Options::before(Protocol::H2, super::http2::h2_callee(super::http2::shouting));
    options.limits = Limits { head: Duration::from_millis(600), ..options.limits };
    let lab = Lab::new(options);
    let mut stream = lab.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nX").unwrap();
    let begun = Instant::now();
    let told = text(&read_all(&mut stream));
    assert!(told.starts_with("HTTP/1.1 200 ") && begun.elapsed() < super::lab::PATIENCE / 2, "{told}");
}

#[test]
fn a_slow_head_and_a_pause_between_requests_are_no_abuse() {
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let mut stream = lab.connect();
    for _ in 0..2 {
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
        }
        assert!(head(&mut stream).starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(exactly(&mut stream, 2), "ok");
    }
}

#[test]
fn what_a_service_answers_wrongly_is_a_bad_gateway() {
    let cases: [&[u8]; 6] = [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y",
        b"",
    ];
    for answer in cases {
        let lab = Lab::http(super::lab::answering_once(answer));
        let told = lab.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(told.starts_with("HTTP/1.1 502 "), "{}\n{told}", answer.escape_ascii());
        assert!(told.contains("l5d-err: web%3A+") && told.contains("nagaya logs web"), "{told}");
        let record = &lab.records(1)[0];
        assert_eq!(record.status, Some(502));
        assert!(record.error.is_some());
    }
}

#[test]
fn a_callee_that_never_accepts_is_a_timeout() {
    // A listener with the smallest backlog, which nobody takes from.
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = std::net::TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    // Until the kernel answers no more.
    let waiting: Vec<_> = std::iter::from_fn(|| {
        std::net::TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_millis(200)).ok()
    })
    .take(64)
    .collect();
    assert!(waiting.len() < 64, "the backlog has no end");
    let mut options = Options::before(Protocol::Http, port);
    options.dialer =
        Box::new(|| nagaya::proxy::dial::Dialer::new(rustls::RootCertStore::empty(), Duration::from_millis(300)));
    let lab = Lab::new(options);
    let told = lab.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 504 ") && told.contains("l5d-err: web+did+not+accept"), "{told}");
    assert!(told.contains("nagaya why web"), "{told}");
}

#[test]
fn nobody_listens() {
    let closed = super::lab::closed();
    let lab = Lab::http(closed);
    let browser = "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    let told = lab.ask(browser);
    // Pages are the front door's; who calls from a service reads text.
    assert!(told.starts_with("HTTP/1.1 502 ") && told.contains("text/plain"), "{told}");
    assert!(told.contains("l5d-err: web%3A+nothing+answers") && told.contains("nagaya logs web"), "{told}");
    // The connection is sound: it may be used again.
    let mut stream = connect(lab.port);
    for _ in 0..2 {
        stream.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 502 "));
    }
}
