//! HTTP/2 on either side or on both, gRPC in all its forms, and WebSockets over it.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nagaya::model::Protocol;
use nagaya::route::Availability;
use nagaya::supervise::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::lab::{Lab, Options, PATIENCE, answering, callee, exactly, head, told};

pub type Body = BoxBody<Bytes, std::io::Error>;
pub type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body of frames as they come through a channel.
pub fn frames(receiver: mpsc::Receiver<std::io::Result<Frame<Bytes>>>) -> Body {
    let frames = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    BodyExt::boxed(StreamBody::new(frames))
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A callee that speaks HTTP/2 with prior knowledge, on a thread of its own.
pub fn h2_callee(answer: fn(Request<Incoming>) -> Answering) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service =
                    hyper::service::service_fn(
                        move |request| async move { Ok::<_, Infallible>(answer(request).await) },
                    );
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    port
}

/// A caller's connection by HTTP/2.
pub async fn caller(port: u16) -> (SendRequest<Body>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

pub fn request(path: &str, body: Body) -> Request<Body> {
    Request::post(format!("http://web{path}")).version(Version::HTTP_2).body(body).unwrap()
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://web{path}")).version(Version::HTTP_2).body(empty()).unwrap()
}

/// Runs a test's callers, in time.
#[track_caller]
pub fn in_time(test: impl Future<Output = ()>) {
    runtime().block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it ends in time") });
}

/// Turns what it gets into capitals, message by message; the trailers say how many there were.
pub fn shouting(request: Request<Incoming>) -> Answering {
    Box::pin(async move {
        assert_eq!(request.version(), Version::HTTP_2);
        let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let total = count.clone();
        let data = request.into_body().into_data_stream().map(move |data| {
            let is_message = data.as_ref().is_ok_and(|data| !data.is_empty());
            count.fetch_add(usize::from(is_message), std::sync::atomic::Ordering::SeqCst);
            data.map(|data| Frame::data(data.to_ascii_uppercase().into())).map_err(std::io::Error::other)
        });
        let trailers = stream::once(async move {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("7"));
            trailers.insert("x-messages", HeaderValue::from(total.load(std::sync::atomic::Ordering::SeqCst)));
            Ok(Frame::trailers(trailers))
        });
        let mut response = Response::new(BodyExt::boxed(StreamBody::new(data.chain(trailers))));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response
    })
}

#[test]
fn grpc_streams_both_ways_at_once_and_ends_with_trailers() {
    let lab = Lab::new(Options::before(Protocol::Grpc, h2_callee(shouting)));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let (messages, receiver) = mpsc::channel(1);
        let mut request = request("/pkg.Service/Chat", frames(receiver));
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        let response = sender.send_request(request).await.unwrap();
        let mut body = response.into_body();
        for word in ["one", "two", "three"] {
            // The next message is sent when the answer to the one before has come.
            messages.send(Ok(Frame::data(word.into()))).await.unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.data_ref().unwrap(), word.to_uppercase().as_bytes());
        }
        drop(messages);
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!((&trailers["grpc-status"], &trailers["x-messages"]), (&"7".parse().unwrap(), &"3".parse().unwrap()));
        assert!(body.frame().await.is_none());
    });
    let record = &lab.records(1)[0];
    assert_eq!((record.protocol, record.grpc_status, record.error.as_deref()), ("grpc", Some(7), None));
    assert_eq!(record.path(), Some("/pkg.Service/Chat"));
}

#[test]
fn grpc_at_a_port_of_http_or_nowhere_is_told_in_its_own_language() {
    let lab = Lab::new(Options::before(Protocol::Http, answering("HTTP/1.1 200 OK\r\n\r\n")));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let mut request = request("/pkg.Service/Call", full("x"));
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc+proto"));
        let response = sender.send_request(request).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
        assert!(response.headers()["grpc-message"].to_str().unwrap().contains("declared as HTTP"));
    });
}

#[test]
fn http2_from_the_caller_becomes_http1_for_the_callee() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close, own\r\nOwn: x\r\nA: b\r\n\r\n\
                  5\r\nhello\r\n0\r\nSum: 5\r\n\r\n";
    let (seen, saw) = std::sync::mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        seen.send(head(&mut stream)).unwrap();
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
    }));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let mut request = get("/p?q");
        for cookie in ["a=b", "c=d"] {
            request.headers_mut().append("cookie", HeaderValue::from_static(cookie));
        }
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.headers()["a"], "b");
        assert!(response.headers().get("own").is_none() && response.headers().contains_key("x-request-id"));
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["sum"], "5");
        assert_eq!(collected.to_bytes(), "hello");
    });
    let got = told(&saw);
    assert!(got.starts_with("GET /p?q HTTP/1.1\r\nHost: web\r\n") && !got.contains("ontent-"), "{got}");
    assert!(got.contains("\r\nCookie: a=b; c=d\r\n"), "{got}");
    assert_eq!((lab.records(1)[0].protocol, lab.records(1)[0].status), ("h2", Some(200)));
}

#[test]
fn an_answer_without_a_body_has_no_length_for_callers_of_http2() {
    let lab = Lab::http(answering("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n"));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let answer = sender.send_request(get("/")).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("content-length")), (204, None));
        assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    });
}

#[test]
fn a_name_with_a_user_is_malformed_in_both_versions() {
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    assert!(lab.ask("GET / HTTP/1.1\r\nHost: me@web\r\n\r\n").starts_with("HTTP/1.1 400 "));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        for (url, status) in [("http://me@web/", 400), ("http://web/", 200)] {
            let request = Request::get(url).version(Version::HTTP_2).body(empty()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), status);
        }
    });
}

#[test]
fn bodies_pass_between_the_versions() {
    let lab = Lab::http(callee(|mut stream, _| {
        let read = head(&mut stream);
        assert!(read.to_lowercase().contains("transfer-encoding: chunked"), "{read}");
        assert_eq!(super::lab::exactly(&mut stream, 13), "3\r\nabc\r\n0\r\n\r\n");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    }));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let (messages, receiver) = mpsc::channel(1);
        messages.send(Ok(Frame::data("abc".into()))).await.unwrap();
        drop(messages);
        let response = sender.send_request(request("/", frames(receiver))).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    });
}

#[test]
fn an_answer_with_trailers_is_recorded_as_whole() {
    const REST: &str = "2\r\nok\r\n0\r\nSum: 2\r\n\r\n";
    let lab = Lab::http(answering(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{REST}")));
    let mut stream = lab.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut stream, REST.len()), REST);
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        for body in [empty(), full("x")] {
            let answer = sender.send_request(request("/", body)).await.unwrap();
            let whole = answer.into_body().collect().await.unwrap();
            assert_eq!(whole.trailers().unwrap()["sum"], "2");
        }
    });
    let errors: Vec<_> = lab.records(3).into_iter().map(|record| record.error).collect();
    assert_eq!(errors, [None, None, None]);
}

#[test]
fn http1_from_the_caller_becomes_http2_for_the_callee() {
    let lab = Lab::new(Options::before(Protocol::H2, h2_callee(shouting)));
    let answer = lab.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nABC\r\n"), "{answer}");
    // What is malformed is refused here, too.
    let answer =
        lab.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn an_answer_that_breaks_off_is_a_reset_stream() {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let (go, goes) = std::sync::mpsc::channel();
        let goes = std::sync::Mutex::new(goes);
        let lab = Lab::http(callee(move |mut stream, _| {
            head(&mut stream);
            let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhello\r\n");
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
            let () = told(&goes.lock().unwrap());
        }));
        in_time(breaks_off(&lab, || go.send(()).unwrap()));
        let record = &lab.records(1)[0];
        assert!(record.error.as_deref().unwrap().starts_with("the answer broke off"), "{record:?}");
    }
}

/// Asks; once some of the answer has come the callee breaks off, and the caller must notice.
async fn breaks_off(lab: &Lab, break_off: impl FnOnce()) {
    let (mut sender, _connection) = caller(lab.port).await;
    let response = sender.send_request(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    break_off();
    assert!(body.collect().await.is_err());
}

#[test]
fn a_stream_that_the_callee_resets_is_reset_for_the_caller() {
    fn broken(request: Request<Incoming>) -> Answering {
        Box::pin(async {
            let beginning = stream::once(async { Ok(Frame::data("some".into())) });
            // It breaks off when the request's body has ended.
            let rest = stream::once(async {
                let _ = request.into_body().collect().await;
                Err(std::io::Error::other("broken"))
            });
            Response::new(BodyExt::boxed(StreamBody::new(beginning.chain(rest))))
        })
    }
    let lab = Lab::new(Options::before(Protocol::H2, h2_callee(broken)));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let (go, receiver) = mpsc::channel(1);
        let mut body = sender.send_request(request("/", frames(receiver))).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        drop(go);
        assert!(body.collect().await.is_err());
    });
}

#[test]
fn a_caller_that_gives_up_ends_the_call() {
    let (seen, mut saw) = mpsc::unbounded_channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        seen.send(()).unwrap();
        super::lab::read_all(&mut stream);
        seen.send(()).unwrap();
    }));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        let call = tokio::spawn(sender.send_request(get("/")));
        saw.recv().await.unwrap();
        call.abort();
        saw.recv().await.unwrap();
    });
    assert_eq!(lab.records(1)[0].error.as_deref(), Some("the caller broke off"));
}

#[test]
fn when_a_callee_goes_callers_are_told_to_go_away_and_what_is_asked_is_answered() {
    let (seen, mut saw) = mpsc::unbounded_channel();
    let (go, goes) = std::sync::mpsc::channel();
    let goes = std::sync::Mutex::new(goes);
    let lab = Lab::http(callee(move |mut stream, _| {
        head(&mut stream);
        seen.send(()).unwrap();
        let () = told(&goes.lock().unwrap());
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    }));
    in_time(async {
        let (mut sender, connection) = caller(lab.port).await;
        let call = tokio::spawn(sender.send_request(get("/")));
        // It is on its way before the callee goes.
        saw.recv().await.unwrap();
        lab.availability.send_replace(Availability::Absent(State::Stopped));
        go.send(()).unwrap();
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
        // The caller did not close it.
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn many_calls_share_a_connection() {
    let lab = Lab::http(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    in_time(async {
        let (sender, _connection) = caller(lab.port).await;
        let calls = (0..300).map(|number| {
            let mut sender = sender.clone();
            async move {
                let response = sender.send_request(get(&format!("/{number}"))).await.unwrap();
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
            }
        });
        futures_util::future::join_all(calls).await;
    });
    assert_eq!(lab.records(300).len(), 300);
}

#[test]
fn a_websocket_over_http2_begins_as_one_over_http1() {
    let (seen, saw) = std::sync::mpsc::channel();
    let lab = Lab::http(callee(move |mut stream, _| {
        seen.send(head(&mut stream)).unwrap();
        let answer = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        std::io::Write::write_all(&mut stream, answer).unwrap();
        let word = super::lab::exactly(&mut stream, 5);
        std::io::Write::write_all(&mut stream, word.to_uppercase().as_bytes()).unwrap();
    }));
    in_time(async {
        let (mut sender, _connection) = caller(lab.port).await;
        // The server's settings, which allow it, come first.
        sender.send_request(get("/settings")).await.map(drop).unwrap();
        told(&saw);
        let mut request = get("/chat");
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
        request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HELLO");
    });
    let got = told(&saw).to_lowercase();
    for line in ["get /chat http/1.1\r\n", "upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-key: "] {
        assert!(got.contains(line), "{line} in {got}");
    }
}
