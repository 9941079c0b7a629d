//! Instances that cannot be connected to, though nobody knows yet: others are called in their place.

use std::io::Write;

use http_body_util::BodyExt;
use nagaya::model::Protocol;

use super::http2::{caller, full, get, h2_callee, in_time, request, shouting};
use super::lab::{Lab, Options, answering, callee, closed, connect, exactly, read_all};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CALLS: usize = 40;

/// Two instances that are gone and one that is there.
fn lab(protocol: Protocol, alive: u16) -> Lab {
    Lab::new(Options { others: vec![closed(), alive], ..Options::before(protocol, closed()) })
}

/// Some went to one that was gone first, and all of them count how often they were tried.
#[track_caller]
fn check(lab: &Lab, calls: usize) {
    let attempts: Vec<u8> = lab.records(calls).iter().map(|record| record.attempts).collect();
    assert!(attempts.iter().all(|count| (1..=3).contains(count)), "{attempts:?}");
    assert!(attempts.iter().any(|count| *count > 1), "{attempts:?}");
}

#[test]
fn requests_go_to_another_instance_whatever_they_ask() {
    let lab = lab(Protocol::Http, answering(OK));
    for _ in 0..CALLS {
        // Nothing may be asked twice of this one; it was asked nothing.
        let answer = lab.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    check(&lab, CALLS);
}

#[test]
fn so_do_those_of_callers_by_http2_with_a_body_and_without() {
    let lab = lab(Protocol::Http, answering(OK));
    in_time(async {
        for _ in 0..CALLS / 2 {
            let (mut sender, _connection) = caller(lab.port).await;
            for request in [get("/"), request("/", full("text"))] {
                let response = sender.send_request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.unwrap();
            }
        }
    });
    check(&lab, CALLS);
}

#[test]
fn so_do_those_to_callees_by_http2() {
    let lab = lab(Protocol::H2, h2_callee(shouting));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        for _ in 0..CALLS {
            let response = sender.send_request(request("/", full("text"))).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
        }
    });
    check(&lab, CALLS);
}

#[test]
fn so_do_connections() {
    let lab = lab(
        Protocol::Tcp,
        callee(|mut stream, _| {
            let said = exactly(&mut stream, 4);
            stream.write_all(said.as_bytes()).unwrap();
        }),
    );
    for _ in 0..CALLS {
        let mut stream = connect(lab.port);
        stream.write_all(b"said").unwrap();
        assert_eq!(read_all(&mut stream), b"said");
    }
    check(&lab, CALLS);
}

#[test]
fn it_is_not_tried_for_ever() {
    let others = vec![closed(), closed(), closed(), closed()];
    let lab = Lab::new(Options { others, ..Options::before(Protocol::Http, closed()) });
    let answer = lab.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("nothing answers on port"), "{answer}");
    assert_eq!(lab.records(1)[0].attempts, 3);
}
