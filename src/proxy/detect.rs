//! The protocol of a connection, told by its first bytes.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::model::Protocol;

/// A client of a server-first protocol waits for the server; so long do we for the client.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest beginning that decides: HTTP/2's preface.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Methods of HTTP (RFC 9110 section 9.3, RFC 5789).
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH "];

/// HTTP, or bytes. The bytes stay in the socket.
pub async fn protocol(stream: &TcpStream) -> Protocol {
    tokio::time::timeout(PATIENCE, look(stream)).await.unwrap_or(Protocol::Tcp)
}

async fn look(stream: &TcpStream) -> Protocol {
    let mut seen = 0;
    loop {
        let mut bytes = [0; PREFACE.len()];
        match stream.peek(&mut bytes).await {
            Ok(0) | Err(_) => return Protocol::Tcp,
            // Nothing new: a beginning that came in two pieces. The timeout bounds this.
            Ok(count) if count == seen => tokio::time::sleep(Duration::from_millis(1)).await,
            Ok(count) => {
                seen = count;
                if let Some(protocol) = decide(&bytes[..count]) {
                    return protocol;
                }
            }
        }
    }
}

/// `None` while the bytes could still become a method.
fn decide(bytes: &[u8]) -> Option<Protocol> {
    let starts = |word: &[u8]| bytes.starts_with(word);
    let could = |word: &[u8]| word.starts_with(bytes);
    if METHODS.into_iter().any(starts) || starts(PREFACE) {
        return Some(Protocol::Http);
    }
    let undecided = METHODS.into_iter().any(could) || could(PREFACE);
    (!undecided).then_some(Protocol::Tcp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        let cases: [(&[u8], Option<Protocol>); 7] = [
            (b"GET / HTTP/1.1", Some(Protocol::Http)),
            (b"PRI * HTTP/2.0\r\n", Some(Protocol::Http)),
            (b"P", None),
            (b"PRI * HTTP", None),
            (b"\x16\x03\x01", Some(Protocol::Tcp)),
            (b"*1\r\n$4\r\nPING\r\n", Some(Protocol::Tcp)),
            (b"GETX", Some(Protocol::Tcp)),
        ];
        for (bytes, protocol) in cases {
            assert_eq!(decide(bytes), protocol, "{}", bytes.escape_ascii());
        }
    }
}
