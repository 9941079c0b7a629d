//! What is spoken on a connection, told by its first bytes.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::hello;
use crate::model::Protocol;

/// A client of a server-first protocol waits for the server; so long do we for the client.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest beginning that decides: HTTP/2's preface.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Methods of HTTP (RFC 9110 section 9.3, RFC 5789).
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH "];

/// How a connection begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    Http,
    /// Bytes; nobody here knows what they mean.
    Bytes,
    /// TLS: bytes too, but they say for which name they are. Empty when they do not.
    Tls(String),
}

/// How a connection to a port of this protocol begins. What is declared is not asked; the bytes stay in the socket.
pub async fn beginning(stream: &TcpStream, protocol: Protocol) -> Beginning {
    match protocol {
        Protocol::Http | Protocol::H2 | Protocol::Grpc => Beginning::Http,
        Protocol::Tcp | Protocol::Udp => Beginning::Bytes,
        Protocol::Detect => look(stream).await,
    }
}

async fn look(stream: &TcpStream) -> Beginning {
    // A greeting of TLS is longer than what decides: its name is read as well.
    let (mut seen, mut bytes) = (0, vec![0; hello::MOST]);
    let decided = timeout(PATIENCE, async {
        while let Ok(count @ 1..) = stream.peek(&mut bytes).await {
            if count == seen {
                // Nothing new: a beginning that came in two pieces. The timeout bounds this.
                sleep(Duration::from_millis(1)).await;
                continue;
            }
            seen = count;
            let beginning = decide(&bytes[..count]);
            if beginning.is_some() || count == bytes.len() {
                return beginning;
            }
        }
        None
    });
    let decided = decided.await.ok().flatten();
    // A request line may take its time, or be longer than what is read.
    decided.unwrap_or(if has_method(&bytes[..seen]) { Beginning::Http } else { Beginning::Bytes })
}

fn has_method(bytes: &[u8]) -> bool {
    METHODS.into_iter().any(|method| bytes.starts_with(method))
}

/// `None` while the bytes could still become a request line or a greeting.
fn decide(bytes: &[u8]) -> Option<Beginning> {
    let starts = |word: &[u8]| bytes.starts_with(word);
    let could = |word: &[u8]| word.starts_with(bytes);
    if starts(PREFACE) {
        return Some(Beginning::Http);
    }
    if has_method(bytes) {
        // Others have such words too: `GET key` is Redis's, and RTSP has OPTIONS.
        let line = bytes.split(|byte| *byte == b'\n').next().filter(|line| line.len() < bytes.len())?;
        return Some(if is_request_line(line) { Beginning::Http } else { Beginning::Bytes });
    }
    if hello::could_be(bytes) {
        return hello::name(bytes).map(Beginning::Tls);
    }
    let undecided = METHODS.into_iter().any(could) || could(PREFACE);
    (!undecided).then_some(Beginning::Bytes)
}

/// Whether a line ends with a version of HTTP (RFC 9112 section 3).
fn is_request_line(line: &[u8]) -> bool {
    let last = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    last.starts_with(b"HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        let cases: [(&[u8], Option<Beginning>); 13] = [
            (b"GET / HTTP/1.1\r\n", Some(Beginning::Http)),
            (b"CONNECT users:80 HTTP/1.1\r\nHost: users\r\n", Some(Beginning::Http)),
            (b"GET / HTTP/1.1", None),
            (b"GET key\r\n", Some(Beginning::Bytes)),
            (b"CONNECT {\"verbose\":false}\r\nPING\r\n", Some(Beginning::Bytes)),
            (b"OPTIONS rtsp://x/ RTSP/1.0\r\n", Some(Beginning::Bytes)),
            (b"PRI * HTTP/2.0\r\n", Some(Beginning::Http)),
            (b"P", None),
            (b"PRI * HTTP", None),
            (b"\x16\x03\x01", None),
            (b"\x16\x03\x01\x00\x05\x02\x00\x00\x00\x00", Some(Beginning::Tls(String::new()))),
            (b"*1\r\n$4\r\nPING\r\n", Some(Beginning::Bytes)),
            (b"GETX", Some(Beginning::Bytes)),
        ];
        for (bytes, beginning) in cases {
            assert_eq!(decide(bytes), beginning, "{}", bytes.escape_ascii());
        }
        assert!(has_method(b"GET /very/long") && !has_method(b"PO"));
    }
}
