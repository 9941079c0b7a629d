//! Callees that serve a connection until its end before they look at the next one.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use http_body_util::BodyExt;
use nagaya::model::Protocol;

use super::http2::{caller, full, in_time, request};
use super::lab::{Lab, Options, PATIENCE, connect, exactly, head};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Such a callee. The first call is answered once so many others wait.
fn callee(others: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = |stream: &mut TcpStream| {
        while !head(stream).is_empty() {
            stream.write_all(OK).unwrap();
        }
    };
    thread::spawn(move || {
        let accept = || {
            let stream = listener.accept().unwrap().0;
            stream.set_read_timeout(Some(2 * PATIENCE)).unwrap();
            stream
        };
        let mut first = accept();
        head(&mut first);
        let waiting: Vec<_> = (0..others).map(|_| accept()).collect();
        first.write_all(OK).unwrap();
        [first].into_iter().chain(waiting).for_each(|mut stream| serve(&mut stream));
        loop {
            serve(&mut accept());
        }
    });
    port
}

/// Asks and reads the answer, over a connection that stays.
#[track_caller]
fn ask(stream: &mut TcpStream) {
    stream.write_all(GET).unwrap();
    let answer = head(stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    exactly(stream, 2);
}

#[test]
fn an_idle_connection_makes_way_for_those_that_wait() {
    let lab = Lab::http(callee(3));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = lab.connect();
            thread::spawn(move || ask(&mut stream))
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().expect("it is answered"));
}

#[test]
fn so_do_those_of_callers_by_http2() {
    let lab = Lab::new(Options::before(Protocol::Http, callee(2)));
    in_time(async {
        let (sender, _connection) = caller(lab.port).await;
        let calls = (0..3).map(|_| {
            let mut sender = sender.clone();
            async move {
                let response = sender.send_request(request("/", full("x"))).await.unwrap();
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.unwrap();
            }
        });
        futures_util::future::join_all(calls).await;
    });
}

#[test]
fn a_caller_that_asks_without_a_pause_lets_others_be_answered() {
    let lab = Lab::http(callee(1));
    let is_over = Arc::new(AtomicBool::new(false));
    let (mut stream, seen) = (lab.connect(), is_over.clone());
    let busy = thread::spawn(move || {
        while !seen.load(Ordering::SeqCst) {
            ask(&mut stream);
        }
    });
    ask(&mut lab.connect());
    is_over.store(true, Ordering::SeqCst);
    busy.join().expect("so is the busy one");
}

#[test]
fn who_goes_round_the_proxy_does_not_wait_for_long() {
    let port = callee(0);
    let lab = Lab::http(port);
    let mut stream = lab.connect();
    ask(&mut stream);
    ask(&mut connect(port));
    ask(&mut stream);
}
