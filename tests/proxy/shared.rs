//! Connections to callees that calls share or take over from each other, and what is written on them.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use nagaya::model::Protocol;

use super::http2::{Answering, caller, full, get, h2_callee, in_time, request, shouting};
use super::lab::{Lab, Options, break_off, callee, closed, connect, half_close, head};

#[test]
fn first_calls_that_come_at_once_share_a_connection_to_the_callee() {
    let (port, dialled) = counted(h2_callee(shouting));
    let lab = Lab::new(Options::before(Protocol::H2, port));
    in_time(async {
        let (sender, _connection) = caller(lab.port).await;
        let calls =
            (0..50).map(|_| {
                let mut sender = sender.clone();
                async move {
                    sender.send_request(request("/", full("x"))).await.unwrap().into_body().collect().await.unwrap()
                }
            });
        futures_util::future::join_all(calls).await;
    });
    assert_eq!(dialled.load(Ordering::SeqCst), 1);
}

#[test]
fn first_calls_that_come_at_once_are_all_told_that_nobody_answers() {
    let lab = Lab::new(Options::before(Protocol::H2, closed()));
    in_time(async {
        let (sender, _connection) = caller(lab.port).await;
        let calls = (0..20).map(|_| {
            let mut sender = sender.clone();
            async move { sender.send_request(request("/", full("x"))).await.unwrap().status() }
        });
        let told = futures_util::future::join_all(calls).await;
        assert!(told.iter().all(|status| *status == 502), "{told:?}");
    });
    let told = lab.records(20);
    assert!(
        told.iter().all(|it| it.error.as_deref().is_some_and(|error| error.contains("nothing answers"))),
        "{told:?}"
    );
}

/// A callee that passes all connections on to another, and counts them.
fn counted(to: u16) -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let port = callee(move |stream, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        let other = connect(to);
        let (mut from, mut into) = (stream.try_clone().unwrap(), other.try_clone().unwrap());
        let back = std::thread::spawn(move || drop(std::io::copy(&mut &other, &mut &stream)));
        let _ = std::io::copy(&mut from, &mut into);
        half_close(&into);
        back.join().unwrap();
    });
    (port, count)
}

#[test]
fn what_a_caller_names_in_connection_takes_nothing_of_ours_away() {
    fn mirror(request: Request<Incoming>) -> Answering {
        Box::pin(async move {
            let lines = request.headers().iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
            let told = format!("authority: {}\n{}", request.uri().authority().unwrap(), lines.collect::<String>());
            hyper::Response::new(full(told))
        })
    }
    let lab = Lab::new(Options::before(Protocol::H2, h2_callee(mirror)));
    let answer = lab.ask(
        "POST / HTTP/1.1\r\nHost: web\r\nX-Own: 1\r\nContent-Length: 3\r\n\
         Connection: close, x-own, x-request-id, traceparent, host, content-length\r\n\r\nabc",
    );
    for told in ["authority: web\n", "x-request-id: ", "traceparent: ", "content-length: 3\n"] {
        assert!(answer.split_once("\r\n\r\n").unwrap().1.contains(told), "no {told} in {answer}");
    }
    assert!(!answer.contains("x-own"), "{answer}");
}

#[test]
fn a_head_that_broke_off_is_an_answer_that_cannot_be_read_and_not_asked_for_again() {
    let lab = Lab::http(callee(|mut stream, number| {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        while !head(&mut stream).is_empty() {
            stream.write_all(ok.as_bytes()).unwrap();
            if number == 0 {
                head(&mut stream);
                stream.write_all(&ok.as_bytes()[..20]).unwrap();
                return break_off(stream);
            }
        }
    }));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let mut statuses = Vec::new();
        for _ in 0..2 {
            let response = sender.send_request(get("/")).await.unwrap();
            statuses.push(response.status().as_u16());
            response.into_body().collect().await.unwrap();
        }
        assert_eq!(statuses, [200, 502]);
    });
    assert_eq!(lab.records(2)[1].error.as_deref(), Some("web: no answer: its head broke off"));
}
