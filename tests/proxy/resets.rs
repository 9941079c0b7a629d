//! Streams of HTTP/2 that a callee resets, and calls by gRPC whose time is over: who ended them, and how it is told.

use std::io::{Read, Write};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nagaya::model::Protocol;
use tokio::sync::mpsc;

use super::http2::{caller, frames, full, in_time, request, runtime};
use super::lab::{Lab, Options, callee, closed, encoded};

/// A callee that resets each call with the code that the path names, `/8`: at once, or with `/8/late` amid its answer.
fn resetting() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = hyper::service::service_fn(reset);
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    port
}

async fn reset(request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, h2::Error>>, h2::Error> {
    let path = request.uri().path().to_owned();
    let mut words = path[1..].split('/');
    let error = h2::Error::from(h2::Reason::from(words.next().unwrap().parse::<u32>().unwrap()));
    if words.next().is_none() {
        return Err(error);
    }
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"piece")))]);
    // A reset throws away what was not sent yet: a caller that wants to see it ends its own body then.
    let last = stream::once(async {
        let _ = request.into_body().collect().await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Err(error)
    });
    let mut answer = Response::new(BodyExt::boxed(StreamBody::new(first.chain(last))));
    answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    Ok(answer)
}

#[test]
fn a_call_that_was_reset_is_told_with_its_code_and_by_whom() {
    let lab = Lab::new(Options::before(Protocol::H2, resetting()));
    let cases = [
        (2, "502", "web reset the call: INTERNAL_ERROR"),
        (7, "503", "web reset the call: REFUSED_STREAM"),
        (8, "502", "web reset the call: CANCEL"),
        (11, "502", "web reset the call: ENHANCE_YOUR_CALM"),
    ];
    for (place, (code, status, said)) in cases.into_iter().enumerate() {
        let answer = lab.ask(format!("GET /{code} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(
            answer.contains(&format!("l5d-err: {}", encoded(said))) && answer.contains(&format!("nagaya: {said}")),
            "{answer}"
        );
        let record = lab.records(place + 1).pop().unwrap();
        assert!(record.error.as_deref().unwrap().starts_with(said), "{record:?}");
    }
}

#[test]
fn an_answer_that_was_reset_is_told_with_its_code() {
    let lab = Lab::new(Options::before(Protocol::H2, resetting()));
    lab.ask("GET /8/late HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
    assert_eq!(lab.records(1)[0].error.as_deref(), Some("the answer broke off: web reset the call: CANCEL"));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let (asking, asked) = mpsc::channel(1);
        let mut body = sender.send_request(request("/11/late", frames(asked))).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "piece");
        drop(asking);
        let error = body.frame().await.unwrap().unwrap_err();
        let source = std::error::Error::source(&error).unwrap().downcast_ref::<h2::Error>().unwrap();
        assert_eq!(source.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM), "it is handed on");
    });
    let said = "the answer broke off: web reset the call: ENHANCE_YOUR_CALM";
    assert_eq!(lab.records(2)[1].error.as_deref(), Some(said));
}

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes()[..], payload].concat()
}

/// A callee that answers the first frames that it gets with these.
fn sending(frames: Vec<u8>) -> u16 {
    const SETTINGS: u8 = 4;
    callee(move |mut stream, _| {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            stream.read_exact(&mut vec![0; length]).unwrap();
            // The request's head.
            if head[3] == 1 {
                break;
            }
        }
        stream.write_all(&frames).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

#[test]
fn a_connection_that_was_ended_is_told_with_its_code_and_by_whom() {
    const DATA: u8 = 0;
    const GOAWAY: u8 = 7;
    let calm = [0_u32.to_be_bytes(), 11_u32.to_be_bytes()].concat();
    let cases = [
        (frame(GOAWAY, 0, 0, &calm), "web ended the connection: ENHANCE_YOUR_CALM"),
        // An answer begins with a head.
        (frame(DATA, 0, 1, b"x"), "web broke the rules of HTTP/2 in its answer: PROTOCOL_ERROR"),
    ];
    for (frames, said) in cases {
        let lab = Lab::new(Options::before(Protocol::H2, sending(frames)));
        let answer = lab.ask("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains(&format!("nagaya: {said}")), "{answer}");
        assert_eq!(lab.records(1)[0].error.as_deref(), Some(said));
    }
}

/// Calls by gRPC, and gives the status of each, wherever it came.
fn statuses(lab: &Lab, calls: &[(&str, Option<&str>)]) -> Vec<String> {
    let mut told = Vec::new();
    in_time(async {
        let (sender, _connection) = caller(lab.port).await;
        for (path, timeout) in calls {
            let mut request = request(path, full("x"));
            request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            if let Some(timeout) = timeout {
                request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
            }
            let answer = match sender.clone().send_request(request).await {
                Ok(answer) => answer,
                Err(error) => {
                    let reset = std::error::Error::source(&error).and_then(|it| it.downcast_ref::<h2::Error>());
                    told.push(format!("{:?}", reset.and_then(h2::Error::reason)));
                    continue;
                }
            };
            let status = |headers: &hyper::HeaderMap| Some(headers.get("grpc-status")?.to_str().unwrap().to_owned());
            let head = status(answer.headers());
            let whole = answer.into_body().collect().await;
            let trailers = || whole.as_ref().ok().and_then(|whole| status(whole.trailers()?));
            told.push(head.or_else(trailers).unwrap_or_else(|| format!("{:?}", whole.err().map(|it| it.to_string()))));
        }
    });
    told
}

/// In a nanosecond nothing is answered: whatever is told comes after it.
#[test]
fn a_call_whose_time_was_over_is_told_so_whatever_ended_it() {
    const OVER: Option<&str> = Some("1n");
    let lab = Lab::new(Options::before(Protocol::Grpc, resetting()));
    let calls =
        [("/8", OVER), ("/7", OVER), ("/2", OVER), ("/8/late", OVER), ("/8", None), ("/8", Some("1H")), ("/7", None)];
    let told = statuses(&lab, &calls);
    assert_eq!(told, ["4", "4", "4", "4", "14", "14", "Some(REFUSED_STREAM)"]);
    let recorded: Vec<_> = lab.records(calls.len()).iter().map(|record| record.grpc_status).collect();
    assert_eq!(recorded, [4, 4, 4, 4, 14, 14, 14].map(Some));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let (asking, asked) = mpsc::channel(1);
        let mut request = request("/8/late", frames(asked));
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        request.headers_mut().insert("grpc-timeout", "1n".parse().unwrap());
        let mut body = sender.send_request(request).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "piece");
        drop(asking);
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!((&trailers["grpc-status"], body.is_end_stream()), (&"4".parse().unwrap(), true));
    });
    let record = lab.records(calls.len() + 1).pop().unwrap();
    let said = "the answer broke off: web reset the call: CANCEL";
    assert_eq!((record.grpc_status, record.error.as_deref()), (Some(4), Some(said)));
    let nobody = Lab::new(Options::before(Protocol::Grpc, closed()));
    assert_eq!(statuses(&nobody, &[("/", OVER), ("/", None), ("/", Some("soon"))]), ["4", "14", "14"]);
    let declared = Lab::new(Options::before(Protocol::Http, closed()));
    assert_eq!(statuses(&declared, &[("/", OVER)]), ["4"]);
}
