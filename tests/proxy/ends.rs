//! Connections that end: in order, in the middle, by one side or because the callee goes.

use std::io::{Read, Write};
use std::sync::mpsc;

use nagaya::route::Availability;
use nagaya::supervise::State;

use super::lab::{Lab, break_off, callee, exactly, head, read_all, text, told};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn an_answer_that_breaks_off_never_looks_complete() {
    let heads = ["Content-Length: 100", "Transfer-Encoding: chunked"];
    for (framing, abrupt) in heads.into_iter().flat_map(|framing| [(framing, false), (framing, true)]) {
        let (go, goes) = mpsc::channel();
        let goes = std::sync::Mutex::new(goes);
        let lab = Lab::http(callee(move |mut stream, _| {
            head(&mut stream);
            write!(stream, "HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhello\r\n").unwrap();
            let () = told(&goes.lock().unwrap());
            if abrupt {
                break_off(stream);
            }
        }));
        let mut stream = lab.connect();
        stream.write_all(GET).unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
        assert_eq!(exactly(&mut stream, 10), "5\r\nhello\r\n");
        go.send(()).unwrap();
        let rest = text(&read_all(&mut stream));
        assert_eq!(rest, "", "{framing}");
        let record = &lab.records(1)[0];
        assert_eq!(record.status, Some(200));
        assert!(record.error.as_deref().unwrap().starts_with("the answer broke off"), "{record:?}");
    }
}

#[test]
fn where_only_the_end_delimits_a_broken_answer_ends_with_a_reset() {
    let (go, goes) = mpsc::channel();
    let goes = std::sync::Mutex::new(goes);
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").unwrap();
        let () = told(&goes.lock().unwrap());
    }));
    let mut stream = lab.connect();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    head(&mut stream);
    assert_eq!(exactly(&mut stream, 5), "hello");
    go.send(()).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn who_goes_away_is_not_waited_for() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        seen.send(()).unwrap();
        // It never answers; it is told that nobody waits.
        assert_eq!(read_all(&mut stream), b"");
        seen.send(()).unwrap();
    }));
    for abrupt in [false, true] {
        let mut stream = lab.connect();
        stream.write_all(GET).unwrap();
        told(&saw);
        if abrupt {
            break_off(stream)
        } else {
            drop(stream)
        }
        told(&saw);
    }
    for record in lab.records(2) {
        assert!(record.error.as_deref().unwrap().starts_with("the caller broke off"), "{record:?}");
    }
}

#[test]
fn who_goes_away_in_the_middle_of_an_answer_ends_it() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").unwrap();
        read_all(&mut stream);
        seen.send(()).unwrap();
    }));
    let mut stream = lab.connect();
    stream.write_all(GET).unwrap();
    head(&mut stream);
    exactly(&mut stream, 10);
    drop(stream);
    told(&saw);
}

#[test]
fn who_goes_away_while_the_callee_is_on_its_way_is_forgotten() {
    let lab = Lab::http(callee(|_, _| panic!("nobody asks any more")));
    lab.availability.send_replace(Availability::Coming(State::Starting));
    let mut stream = lab.connect();
    stream.write_all(GET).unwrap();
    drop(stream);
    let record = &lab.records(1)[0];
    assert!(record.error.as_deref().unwrap().starts_with("the caller broke off"), "{record:?}");
    lab.availability.send_replace(Availability::Ready);
}

#[test]
fn when_a_callee_goes_what_is_asked_is_answered_and_what_is_idle_closed() {
    let (go, goes) = mpsc::channel();
    let goes = std::sync::Mutex::new(goes);
    let lab = Lab::http(callee(move |mut stream, _| {
        while !head(&mut stream).is_empty() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha").unwrap();
            let () = told(&goes.lock().unwrap());
            stream.write_all(b"lf").unwrap();
        }
    }));
    let (mut asking, mut idle, mut fresh) = (lab.connect(), lab.connect(), lab.connect());
    idle.write_all(GET).unwrap();
    head(&mut idle);
    go.send(()).unwrap();
    assert_eq!(exactly(&mut idle, 4), "half");
    asking.write_all(GET).unwrap();
    head(&mut asking);
    lab.availability.send_replace(Availability::Absent(State::Stopped));
    assert_eq!(text(&read_all(&mut idle)), "");
    assert_eq!(text(&read_all(&mut fresh)), "");
    go.send(()).unwrap();
    assert_eq!(text(&read_all(&mut asking)), "half");
    // A connection that comes all the same, as one that was accepted a moment before, is told.
    let late = lab.ask(GET);
    assert!(late.is_empty() || late.starts_with("HTTP/1.1 503"), "{late}");
}
