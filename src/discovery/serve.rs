//! The sockets of a pod: datagrams, and connections with several queries each (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Pod;
use super::answer::{Transport, answer};
use super::exchange::framed;
use super::forward::Forwarder;

/// Queries of one pod under way at once; of more than these, its program has to ask again.
const MOST_DATAGRAMS: usize = 1024;
/// Queries of one connection under way at once; more are read later.
const MOST_PIPELINED: usize = 64;
/// A connection on which nothing happens is closed (RFC 7766 section 6.2.3).
const IDLE: Duration = Duration::from_secs(10);
/// More than any query has, and than our replies say that we take.
const LONGEST_QUERY: usize = 4096;

/// Serves a bound UDP socket until its future is dropped, or the socket fails. Whoever waits for a server of the
/// host's holds up nobody else.
pub async fn serve_udp<P: Pod>(socket: std::net::UdpSocket, pod: Rc<P>, forwarder: Rc<Forwarder>) -> io::Result<()> {
    serve_udp_of(socket, |_| Some(pod.clone()), forwarder).await
}

/// The same for a socket that several share, who are told apart by their addresses. Strangers get no answer.
pub async fn serve_udp_of<P: Pod>(
    socket: std::net::UdpSocket,
    whose: impl Fn(SocketAddr) -> Option<Rc<P>>,
    forwarder: Rc<Forwarder>,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    // There is one of these for each pod, and most of them wait for ever: what only a query needs is made for it.
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            ready = socket.readable() => {
                ready?;
                if let Some((query, client)) = query(&socket)?
                    && answers.len() < MOST_DATAGRAMS
                    && let Some(pod) = whose(client)
                {
                    answers.push(reply(&socket, query, client, pod, &forwarder).boxed_local());
                }
            }
            Some(()) = answers.next() => {}
        }
    }
}

/// A datagram, if there is one.
fn query(socket: &UdpSocket) -> io::Result<Option<(Vec<u8>, SocketAddr)>> {
    let mut buffer = [0; LONGEST_QUERY];
    match socket.try_recv_from(&mut buffer) {
        Ok((length, client)) => Ok(Some((buffer[..length].to_vec(), client))),
        // The latter is of an earlier reply that nobody waited for.
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn reply<P: Pod>(socket: &UdpSocket, query: Vec<u8>, client: SocketAddr, pod: Rc<P>, forwarder: &Forwarder) {
    if let Some(reply) = answer(&query, Transport::Udp, &*pod, forwarder).await {
        let _ = socket.send_to(&reply, client).await;
    }
}

/// Serves a connection until its client closes it, or is silent for 10 s. Answers are sent as they come, in any order.
pub async fn serve_tcp<P: Pod>(mut stream: TcpStream, pod: Rc<P>, forwarder: Rc<Forwarder>) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let mut received = BytesMut::new();
    let mut answers = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !answers.is_empty() {
        let next = async {
            tokio::select! {
                // Nothing is lost when an answer comes first.
                count = reader.read_buf(&mut received), if is_open && answers.len() < MOST_PIPELINED => {
                    count.map(Event::Read)
                }
                Some(reply) = answers.next() => Ok(Event::Answer(reply)),
            }
        };
        let Ok(event) = timeout(IDLE, next).await else { return Ok(()) };
        match event? {
            Event::Read(0) => is_open = false,
            Event::Read(_) => {}
            Event::Answer(None) => {}
            Event::Answer(Some(reply)) => {
                timeout(IDLE, writer.write_all(&framed(&reply))).await??;
            }
        }
        while answers.len() < MOST_PIPELINED
            && let Some(query) = message(&mut received)
        {
            let (pod, forwarder) = (&*pod, &*forwarder);
            answers.push(async move { answer(&query, Transport::Tcp, pod, forwarder).await });
        }
    }
    Ok(())
}

enum Event {
    Read(usize),
    Answer(Option<Vec<u8>>),
}

/// Takes the first message, once it is there as a whole.
fn message(received: &mut BytesMut) -> Option<BytesMut> {
    let length = usize::from(u16::from_be_bytes(*received.first_chunk()?));
    if received.len() < 2 + length {
        return None;
    }
    received.advance(2);
    Some(received.split_to(length))
}
