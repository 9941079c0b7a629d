//! What is spoken on a connection, told by its first bytes.

use std::time::Duration;

use tokio::net::TcpStream;

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
        Protocol::Detect => tokio::time::timeout(PATIENCE, look(stream)).await.unwrap_or(Beginning::Bytes),
    }
}

async fn look(stream: &TcpStream) -> Beginning {
    let mut seen = 0;
    // A greeting of TLS is longer than what decides: its name is read as well.
    let mut bytes = vec![0; hello::MOST];
    loop {
        match stream.peek(&mut bytes).await {
            Ok(0) | Err(_) => return Beginning::Bytes,
            // Nothing new: a beginning that came in two pieces. The timeout bounds this.
            Ok(count) if count == seen => tokio::time::sleep(Duration::from_millis(1)).await,
            Ok(count) => {
                seen = count;
                if let Some(beginning) = decide(&bytes[..count]) {
                    return beginning;
                }
            }
        }
    }
}

/// `None` while the bytes could still become a method or a greeting.
fn decide(bytes: &[u8]) -> Option<Beginning> {
    let starts = |word: &[u8]| bytes.starts_with(word);
    let could = |word: &[u8]| word.starts_with(bytes);
    if METHODS.into_iter().any(starts) || starts(PREFACE) {
        return Some(Beginning::Http);
    }
    if hello::could_be(bytes) {
        return hello::name(bytes).map(Beginning::Tls);
    }
    let undecided = METHODS.into_iter().any(could) || could(PREFACE);
    (!undecided).then_some(Beginning::Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        let cases: [(&[u8], Option<Beginning>); 8] = [
            (b"GET / HTTP/1.1", Some(Beginning::Http)),
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
    }
}
