//! One connection, one request: that is how its first line can be read before anything else reads it.
//!
//! linkerd takes requests such as `GET /api/1/delegate?dtab=/foo=>/bar&path=/foo`, and its documentation has them, though
//! `>` may not stand there (RFC 3986, section 3.4). Such characters are escaped here.

use std::convert::Infallible;
use std::io::{Cursor, ErrorKind};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, join};
use tokio::net::{TcpListener, TcpStream};

/// How long a request may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest first line: `dtab=` may be a whole table.
const LONGEST_LINE: u64 = 64 << 10;
/// Where connections cannot be accepted for now, as when all descriptors are in use.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves each connection in a task of its own.
pub async fn serve<F>(listener: TcpListener, answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = Response> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(one(stream, answer.clone()))),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn one<F>(stream: TcpStream, answer: impl Fn(Request) -> F)
where
    F: Future<Output = Response>,
{
    let (read, write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    let first = (&mut read).take(LONGEST_LINE);
    let has_line = tokio::time::timeout(PATIENCE, { first }.read_until(b'\n', &mut line)).await;
    if !matches!(has_line, Ok(Ok(1..))) {
        return;
    }
    let io = join(Cursor::new(escaped(&line)).chain(read), write);
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let answered = answer(request.map(Body::new));
        async { Ok::<_, Infallible>(answered.await) }
    });
    let mut server = http1::Builder::new();
    server.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // Whoever breaks off has no use for an answer.
    let _ = server.serve_connection(TokioIo::new(io), service).await;
}

/// A request's first line whose target has no character that none may have. What is between the first and the last
/// space is the target.
fn escaped(line: &[u8]) -> Vec<u8> {
    let (first, last) = (memchr::memchr(b' ', line), memchr::memrchr(b' ', line));
    let inside = |at: usize| first.is_some_and(|first| at > first) && last.is_some_and(|last| at < last);
    let mut escaped = Vec::with_capacity(line.len());
    for (at, &byte) in line.iter().enumerate() {
        let is_fine = byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte);
        match is_fine || !inside(at) {
            true => escaped.push(byte),
            false => escaped.extend(format!("%{byte:02X}").bytes()),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn only_what_may_not_stand_in_a_target_is_escaped() {
        let cases = [
            ("GET /api?dtab=/a=>/b|/c&x=%20#y HTTP/1.1\r\n", "GET /api?dtab=/a=%3E/b%7C/c&x=%20#y HTTP/1.1\r\n"),
            ("GET /a b\"c HTTP/1.1\r\n", "GET /a%20b%22c HTTP/1.1\r\n"),
            ("GET /ü HTTP/1.1\r\n", "GET /%C3%BC HTTP/1.1\r\n"),
            ("GET / HTTP/1.1\n", "GET / HTTP/1.1\n"),
            ("<>", "<>"),
            ("", ""),
        ];
        for (line, expected) in cases {
            assert_eq!(String::from_utf8(escaped(line.as_bytes())).unwrap(), expected);
        }
    }
}
