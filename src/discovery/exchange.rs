//! One question to one server of the host's, over UDP or TCP, with an answer that is really its own (RFC 5452).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::question;

/// So long an answer is waited for before the same datagram goes out again: it may have been lost.
const AGAIN: Duration = Duration::from_secs(1);

/// Asks over UDP until an answer comes, from a socket of its own: the kernel picks a random port, and drops what others
/// send. The answer still has the random id. It is at most one byte longer than `limit`; a longer one is cut there.
pub async fn udp(server: SocketAddr, query: &[u8], limit: u16) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let query = with_id(query, rand::random());
    loop {
        socket.send(&query).await?;
        if let Ok(reply) = timeout(AGAIN, receive(&socket, &query, limit)).await {
            return reply;
        }
    }
}

async fn receive(socket: &UdpSocket, query: &[u8], limit: u16) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::from(limit) + 1];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Another's answer, or a forged one: ours is still to come.
        if is_answer(&buffer[..length], query) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

/// Asks over TCP.
pub async fn tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let query = with_id(query, rand::random());
    stream.write_all(&framed(&query)).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    match is_answer(&reply, &query) {
        true => Ok(reply),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer to another question")),
    }
}

/// A message with another id, and all else as it was.
pub fn with_id(message: &[u8], id: u16) -> Vec<u8> {
    [&id.to_be_bytes(), message.get(2..).unwrap_or_default()].concat()
}

/// A message behind its length (RFC 1035 section 4.2.2). A longer one than the length can tell is none.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(0);
    [&length.to_be_bytes(), &message[..usize::from(length)]].concat()
}

/// Whether this answers the query: the id, and the question in whatever case.
fn is_answer(reply: &[u8], query: &[u8]) -> bool {
    let is_response = reply.get(2).is_some_and(|flags| flags & 0x80 != 0);
    is_response && reply[..2] == query[..2] && is_same_question(reply, query)
}

/// Servers that refuse to read a query may leave the question out.
fn is_same_question(reply: &[u8], query: &[u8]) -> bool {
    match (question(reply), question(query)) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => reply.len() >= 12 && reply[4..6] == [0, 0] && reply[3] & 0xf != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x01\x00\x01";

    fn changed(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut reply = QUERY.to_vec();
        reply[2] = 0x81;
        changes.iter().for_each(|&(at, byte)| reply[at] = byte);
        reply
    }

    #[test]
    fn an_answer_has_the_id_and_the_question() {
        assert!(is_answer(&changed(&[]), QUERY));
        assert!(is_answer(&changed(&[(13, b'A')]), QUERY), "in any case");
        assert!(is_answer(&[changed(&[]), vec![1, 2, 3]].concat(), QUERY), "with records");
        let forged =
            [changed(&[(0, 0)]), changed(&[(2, 1)]), changed(&[(13, b'x')]), changed(&[(18, 28)]), changed(&[(5, 2)])];
        for reply in forged {
            assert!(!is_answer(&reply, QUERY), "{reply:?}");
        }
        for length in 0..QUERY.len() {
            assert!(!is_answer(&changed(&[])[..length], QUERY), "{length}");
        }
    }

    #[test]
    fn a_refusal_may_be_a_header_alone() {
        assert!(is_answer(&changed(&[(3, 1), (5, 0)])[..12], QUERY));
        assert!(!is_answer(&changed(&[(5, 0)])[..12], QUERY), "but no success");
    }
}
