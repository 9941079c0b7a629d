//! Bodies: large, slow, endless, and with somebody who waits for them.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::lab::{Lab, break_off, callee, exactly, head, read_all, text, told};

/// More than all buffers between two programs hold, less than what is sent.
const BUFFERS: usize = 48 << 20;

#[test]
fn large_bodies_pass_both_ways() {
    let length = 20 << 20;
    let lab = Lab::http(callee(move |mut stream, _| {
        let chunked = head(&mut stream).contains("Transfer-Encoding: chunked");
        let mut body = Vec::new();
        if chunked {
            while !body.ends_with(b"0\r\n\r\n") {
                let mut piece = [0; 65536];
                let count = stream.read(&mut piece).unwrap();
                body.extend_from_slice(&piece[..count]);
            }
            assert!(body.len() > length);
        } else {
            body.resize(length, 0);
            stream.read_exact(&mut body).unwrap();
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").unwrap();
        stream.write_all(&vec![b'y'; length]).unwrap();
    }));
    for chunked in [false, true] {
        let mut stream = lab.connect();
        let mut writer = stream.try_clone().unwrap();
        let upload = std::thread::spawn(move || {
            let framing =
                if chunked { "Transfer-Encoding: chunked".into() } else { format!("Content-Length: {length}") };
            write!(writer, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}\r\n\r\n").unwrap();
            let body = vec![b'x'; length];
            if chunked {
                for piece in body.chunks(10_000) {
                    write!(writer, "{:x}\r\n", piece.len()).unwrap();
                    writer.write_all(piece).unwrap();
                    writer.write_all(b"\r\n").unwrap();
                }
                writer.write_all(b"0\r\n\r\n").unwrap();
            } else {
                writer.write_all(&body).unwrap();
            }
        });
        assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
        let body = read_all(&mut stream);
        assert!(body.len() == length && body.iter().all(|byte| *byte == b'y'));
        upload.join().unwrap();
    }
}

#[test]
fn a_slow_reader_slows_its_writer_down() {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
        while let Ok(count) = stream.write(&[b'x'; 65536]) {
            counter.fetch_add(count, Ordering::SeqCst);
        }
    }));
    let mut stream = lab.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    head(&mut stream);
    wait_until_steady(&written);
    assert!(written.load(Ordering::SeqCst) < BUFFERS, "{written:?} bytes are somewhere");
}

#[test]
fn a_slow_callee_slows_its_caller_down() {
    let (done, finished) = mpsc::channel::<()>();
    let finished = std::sync::Mutex::new(finished);
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        // It holds the connection and reads nothing.
        let _ = finished.lock().unwrap().recv();
    }));
    let mut stream = lab.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
    let mut written = 0;
    while let Ok(count) = stream.write(&[b'x'; 65536]) {
        written += count;
    }
    assert!(written < BUFFERS, "{written} bytes are somewhere");
    drop(done);
}

/// Waits until a number no longer grows.
fn wait_until_steady(number: &AtomicUsize) {
    let mut last = usize::MAX;
    while last != number.load(Ordering::SeqCst) || last == 0 {
        last = number.load(Ordering::SeqCst);
        std::thread::park_timeout(Duration::from_millis(900));
    }
}

#[test]
fn events_come_one_by_one() {
    let (next, go) = mpsc::channel::<()>();
    let go = std::sync::Mutex::new(go);
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        let start = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(start.as_bytes()).unwrap();
        for number in 0..3 {
            stream.write_all(format!("9\r\ndata: {number}\n\n\r\n").as_bytes()).unwrap();
            // The next one is written when the one before has arrived.
            go.lock().unwrap().recv_timeout(super::lab::PATIENCE).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    }));
    let mut stream = lab.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n").unwrap();
    head(&mut stream);
    for number in 0..3 {
        assert_eq!(exactly(&mut stream, 14), format!("9\r\ndata: {number}\n\n\r\n"));
        next.send(()).unwrap();
    }
    assert_eq!(text(&read_all(&mut stream)), "0\r\n\r\n");
}

#[test]
fn a_caller_that_asks_first_is_told_to_go_on_by_the_callee() {
    let lab = Lab::http(callee(|mut stream, _| {
        let read = head(&mut stream);
        assert!(read.contains("\r\nExpect: 100-continue\r\n"), "{read}");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let body = exactly(&mut stream, 4);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{body}").unwrap();
    }));
    let mut stream = lab.connect();
    let start = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    stream.write_all(start.as_bytes()).unwrap();
    assert_eq!(head(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").unwrap();
    let answer = text(&read_all(&mut stream));
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nbody"), "{answer}");
}

#[test]
fn a_callee_may_refuse_a_body_before_it_has_come() {
    let lab = Lab::http(callee(|mut stream, _| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 413 Too large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n").unwrap();
        super::lab::half_close(&stream);
        read_all(&mut stream);
    }));
    // Asked first, it is not even sent.
    let start = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    let mut stream = lab.connect();
    stream.write_all(start.as_bytes()).unwrap();
    let answer = head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("Connection: close"), "{answer}");
    assert_eq!(exactly(&mut stream, 3), "no\n");
    // While it is being sent.
    let mut stream = lab.connect();
    write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nsome").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 413"));
    assert_eq!(exactly(&mut stream, 3), "no\n");
    let record = &lab.records(2)[1];
    assert_eq!((record.status, record.error.as_deref()), (Some(413), None));
}

#[test]
fn an_answer_may_begin_before_its_request_has_ended() {
    let lab = Lab::http(callee(|mut stream, _| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..3 {
            let chunk = exactly(&mut stream, 6);
            stream.write_all(chunk.to_uppercase().as_bytes()).unwrap();
        }
        exactly(&mut stream, 5);
        stream.write_all(b"0\r\n\r\n").unwrap();
    }));
    let mut stream = lab.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
    for word in ["a", "b", "c"] {
        write!(stream, "1\r\n{word}\r\n").unwrap();
        assert_eq!(exactly(&mut stream, 6), format!("1\r\n{}\r\n", word.to_uppercase()));
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(exactly(&mut stream, 5), "0\r\n\r\n");
}

#[test]
fn a_caller_that_breaks_off_its_own_upload_is_not_the_callees_failure() {
    let (seen, saw) = mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        seen.send(text(&read_all(&mut stream))).unwrap();
    }));
    for abrupt in [false, true] {
        let mut stream = lab.connect();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
        if abrupt {
            break_off(stream)
        } else {
            drop(stream)
        }
        let got = told(&saw);
        assert!("abc".starts_with(&got), "{got}");
    }
    for record in lab.records(2) {
        assert_eq!(record.status, None);
        let error = record.error.as_deref().unwrap();
        assert!(error.starts_with("the caller broke off: "), "{error}");
        assert_eq!(error.matches("broke off").count(), 1, "{error}");
    }
}
