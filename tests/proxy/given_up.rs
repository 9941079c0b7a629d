//! Calls by HTTP/2 that their callers give up, however many: they end no other.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use nagaya::model::Protocol;

use super::http2::{Answering, caller, get, h2_callee, in_time, shouting};
use super::lab::{Lab, Options, connect};

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes()[..], payload].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
/// `POST http://web/` and `GET http://web/` as HPACK has them (RFC 7541 appendix A).
const POST: &[u8] = b"\x83\x86\x84\x41\x03web";
const GET: &[u8] = b"\x82\x86\x84\x41\x03web";

/// Reads frames until the stream of this id has these data.
fn comes(stream: &mut TcpStream, id: u32, wanted: &[u8]) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).unwrap();
        assert_ne!(head[3], GOAWAY, "{}", String::from_utf8_lossy(&payload));
        let of = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        assert!(of != id || head[3] != RST_STREAM, "{payload:?}");
        if head[3] == DATA && of == id && payload == wanted {
            return;
        }
    }
}

#[test]
fn calls_that_are_given_up_as_they_are_made_do_not_end_their_connection() {
    let lab = Lab::new(Options::before(Protocol::H2, h2_callee(shouting)));
    let mut stream = connect(lab.port);
    let mut begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    begin.extend([frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 4, 1, POST), frame(DATA, 0, 1, b"one")].concat());
    stream.write_all(&begin).unwrap();
    comes(&mut stream, 1, b"ONE");
    let many = (0..200)
        .map(|place| 2 * place + 3)
        .flat_map(|id| [frame(HEADERS, 5, id, GET), frame(RST_STREAM, 0, id, &CANCEL)].concat());
    stream.write_all(&many.collect::<Vec<u8>>()).unwrap();
    stream.write_all(&frame(DATA, 0, 1, b"two")).unwrap();
    comes(&mut stream, 1, b"TWO");
}

/// Sends for ever as much as is taken.
fn flooding(_: Request<Incoming>) -> Answering {
    Box::pin(async {
        let pieces = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[0; 16 << 10]))));
        Response::new(BodyExt::boxed(StreamBody::new(pieces)))
    })
}

/// More of them than the library takes for errors of the callee's over the life of a connection.
#[test]
fn answers_that_are_given_up_amid_a_flood_do_not_end_the_calls_of_others() {
    let lab = Lab::new(Options::before(Protocol::H2, h2_callee(flooding)));
    in_time(async {
        let (mut quiet, _connection) = caller(lab.port).await;
        let mut slow = quiet.send_request(get("/")).await.unwrap().into_body();
        for _ in 0..40 {
            let (sender, _connection) = caller(lab.port).await;
            let calls = (0..50).map(|_| {
                let mut sender = sender.clone();
                async move { sender.send_request(get("/")).await.map(|answer| answer.status().as_u16()) }
            });
            for status in futures_util::future::join_all(calls).await {
                assert_eq!(status.unwrap(), 200);
            }
        }
        // Far more than was on its way before.
        for _ in 0..1000 {
            slow.frame().await.unwrap().unwrap();
        }
    });
}
