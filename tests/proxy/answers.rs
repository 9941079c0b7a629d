//! What a callee gets and what its caller gets back, byte by byte.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nagaya::route::Availability;
use nagaya::supervise::State;

use super::lab::{Lab, answering, answering_once, callee, exactly, head, stable, text, told};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn every_form_of_an_answer_passes() {
    let cases = [
        // What the caller sends, what the callee answers before it closes, what the caller gets.
        (
            GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nSum: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nSum: 2\r\n\r\n",
        ),
        (
            GET,
            "HTTP/1.0 200 OK\r\n\r\nold",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nold\r\n0\r\n\r\n",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nold", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nold"),
        (
            "GET / HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnew\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nnew",
        ),
        (
            "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n",
        ),
        (GET, "HTTP/1.1 204 None\r\n\r\n", "HTTP/1.1 204 None\r\nConnection: close\r\n\r\n"),
        (
            GET,
            "HTTP/1.1 304 Same\r\nETag: \"x\"\r\n\r\n",
            "HTTP/1.1 304 Same\r\nETag: \"x\"\r\nConnection: close\r\n\r\n",
        ),
        (
            GET,
            "HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            "GET / HTTP/1.0\r\n\r\n",
            "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\nKeep-Alive: 5\r\nConnection: own\r\nOwn: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
    ];
    for (request, answer, expected) in cases {
        let lab = Lab::http(answering_once(answer));
        assert_eq!(stable(&lab.ask(request)), expected, "{answer}");
        let record = &lab.records(1)[0];
        assert_eq!((record.error.as_deref(), record.protocol), (None, "http"), "{answer}");
    }
}

#[test]
fn what_a_callee_gets_was_written_anew() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        let read = head(&mut stream);
        let body = read.find("Content-Length: ").map_or(0, |_| 3);
        let body = exactly(&mut stream, body);
        seen.send(read + &body).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    }));
    let cases = [
        (
            "GET /a%20b?c HTTP/1.1\r\nhOST: x:80\r\nAccept: */*\r\nConnection: close, own\r\nOwn: y\r\nKeep-Alive: 5\r\nX-Y: z\r\n\r\n",
            "GET /a%20b?c HTTP/1.1\r\nHost: x:80\r\nAccept: */*\r\nX-Y: z\r\n\r\n",
        ),
        ("GET http://x/y HTTP/1.1\r\nHost: z\r\nConnection: close\r\n\r\n", "GET /y HTTP/1.1\r\nHost: x\r\n\r\n"),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    ];
    for (request, expected) in cases {
        assert!(lab.ask(request).starts_with("HTTP/1.1 200 OK"));
        let got = told(&saw);
        assert_eq!(stable(&got), expected);
        assert!(got.contains("\r\nx-request-id: ") && got.contains("\r\ntraceparent: 00-"), "{got}");
    }
}

#[test]
fn requests_that_come_at_once_are_answered_in_turn() {
    let lab = Lab::http(callee(|mut stream, _| {
        loop {
            let read = head(&mut stream);
            let Some(path) = read.split(' ').nth(1) else { return };
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).unwrap();
        }
    }));
    let mut stream = lab.connect();
    let requests: String = (0..50).map(|number| format!("GET /{number:02} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    stream.write_all(requests.as_bytes()).unwrap();
    for number in 0..50 {
        assert!(head(&mut stream).starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(exactly(&mut stream, 3), format!("/{number:02}"));
    }
}

#[test]
fn a_callees_connection_is_used_again() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, number| {
        while !head(&mut stream).is_empty() {
            seen.send(number).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    }));
    for _ in 0..5 {
        assert!(lab.ask(GET).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(saw.try_iter().collect::<Vec<_>>(), [0; 5]);
}

#[test]
fn a_kept_connection_that_was_closed_costs_nobody_an_answer() {
    // It says nothing of closing, and closes after each answer: at once, or when the next request has been sent.
    for late in [false, true] {
        let lab = Lab::http(callee(move |mut stream, _| {
            head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            if late {
                exactly_or_end(&mut stream);
            }
        }));
        let mut stream = lab.connect();
        for _ in 0..50 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let answer = head(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
}

/// Waits for one byte and ends without an answer.
fn exactly_or_end(stream: &mut std::net::TcpStream) {
    let _ = std::io::Read::read(stream, &mut [0]);
}

#[test]
fn what_may_have_been_done_is_not_done_twice() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        loop {
            let read = head(&mut stream);
            if read.starts_with("POST") {
                seen.send(()).unwrap();
                return;
            }
            if read.is_empty() {
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    }));
    assert!(lab.ask(GET).starts_with("HTTP/1.1 200"));
    let answer = lab.ask("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(saw.try_iter().count(), 1);
}

#[test]
fn a_client_of_http_1_0_may_keep_its_connection() {
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let mut stream = lab.connect();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").unwrap();
        assert!(head(&mut stream).contains("\r\nConnection: keep-alive\r\n"));
        assert_eq!(exactly(&mut stream, 2), "ok");
    }
}

#[test]
fn a_call_waits_for_a_callee_that_is_on_its_way() {
    let lab = Lab::http(answering_once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    lab.availability.send_replace(Availability::Coming(State::Starting));
    let mut stream = lab.connect();
    stream.write_all(GET.as_bytes()).unwrap();
    lab.availability.send_replace(Availability::Ready);
    assert!(text(&super::lab::read_all(&mut stream)).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_later_http_1_is_answered_as_1_1() {
    let (seen, saw) = std::sync::mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        for _ in 0..2 {
            seen.send(head(&mut stream)).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        }
    }));
    let answers = lab.ask("GET /a HTTP/1.2\r\nHost: a\r\n\r\nGET /b HTTP/1.9\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    for path in ["/a", "/b"] {
        let got = told(&saw);
        assert!(got.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{got}");
    }
}

#[test]
fn ids_are_kept_or_made_and_come_back() {
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n"));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let answer = lab.ask(format!(
        "GET /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: mine\r\nTraceParent: 00-{trace}-b7ad6b7169203331-01\r\n\r\n"
    ));
    assert!(answer.contains("x-request-id: mine\r\n") && !answer.contains("theirs"), "{answer}");
    let record = &lab.records(1)[0];
    assert_eq!((record.id(), record.method(), record.path()), ("mine", Some("GET"), Some("/p")));
    assert_eq!(format!("{:032x}", record.trace_id), trace);
}

#[test]
fn a_callee_that_writes_head_and_body_apart_is_not_kept_waiting() {
    let port = callee(|mut stream, _| {
        // As most servers that do so: the kernel holds a second small piece back until the first is acknowledged.
        stream.set_nodelay(false).unwrap();
        while !head(&mut stream).is_empty() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
            stream.write_all(b"ok").unwrap();
        }
    });
    let lab = Lab::http(port);
    let mut stream = lab.connect();
    let mut took: Vec<Duration> = (0..41)
        .map(|_| {
            let begun = Instant::now();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
            assert_eq!(exactly(&mut stream, 2), "ok");
            begun.elapsed()
        })
        .collect();
    took.sort();
    // TCP_DELACK_MIN of Linux is 40 ms.
    assert!(took[20] < Duration::from_millis(30), "{took:?}");
}
