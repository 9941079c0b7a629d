//! Callees by HTTP/2 that refuse a stream, or are declared as something else.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nagaya::model::Protocol;

use super::http2::{Body, caller, full, get, h2_callee, in_time, request, runtime, shouting};
use super::lab::{Lab, Options};

/// A callee that refuses every stream before it has begun with it.
fn refusing() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let refuse = |_: Request<Incoming>| async {
                    Err::<Response<Body>, _>(h2::Error::from(h2::Reason::REFUSED_STREAM))
                };
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), hyper::service::service_fn(refuse)));
            }
        });
    });
    port
}

#[test]
fn a_stream_that_was_refused_can_be_asked_again_by_whoever_asked() {
    let lab = Lab::new(Options::before(Protocol::H2, refusing()));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        for request in [get("/"), request("/", full("text"))] {
            let error = sender.send_request(request).await.unwrap_err();
            let reset = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<h2::Error>());
            let reason = reset.and_then(h2::Error::reason);
            assert_eq!(reason, Some(h2::Reason::REFUSED_STREAM), "{error:?}");
        }
    });
    let answer = lab.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("web reset the call: REFUSED_STREAM"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    for record in lab.records(3) {
        assert!(record.error.as_deref().unwrap().contains("REFUSED_STREAM, so it has not begun with it"), "{record:?}");
    }
}

#[test]
fn a_callee_that_speaks_http2_alone_is_told_how_to_declare_it() {
    let lab = Lab::http(h2_callee(shouting));
    let helps = "what helps: declare `port: { port: 80, protocol: h2 }` in the `ports` of web";
    let answer = lab.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains(helps), "{answer}");
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let response = sender.send_request(get("/")).await.unwrap();
        assert_eq!(response.status(), 502);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(helps), "{body:?}");
        // With a body it is asked by way of hyper.
        let response = sender.send_request(request("/", full("text"))).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("protocol: h2"), "{body:?}");
    });
}
