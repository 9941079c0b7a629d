//! DNS over TCP.

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use nagaya::discovery::Egress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::fixture::{OWN, Server, USERS, Upstreams, addresses, query, reply, run};

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

async fn next(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut message).await.unwrap();
    message
}

async fn next_message(stream: &mut TcpStream) -> Message {
    Message::from_vec(&next(stream).await).unwrap()
}

#[test]
fn a_connection_takes_many_queries_in_whatever_pieces() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let queries: Vec<Message> = (0..200).map(|_| query("users.", RecordType::A)).collect();
        let bytes: Vec<u8> = queries.iter().flat_map(|query| framed(&query.to_vec().unwrap())).collect();
        let (pieces, rest) = bytes.split_at(50);
        for piece in pieces.chunks(1) {
            stream.write_all(piece).await.unwrap();
        }
        stream.write_all(rest).await.unwrap();
        let mut open: Vec<u16> = queries.iter().map(|query| query.id).collect();
        while !open.is_empty() {
            let reply = next_message(&mut stream).await;
            assert_eq!(addresses(&reply), [USERS.to_string()]);
            let place = open.iter().position(|id| *id == reply.id).expect("an answer to a question of ours");
            open.remove(place);
        }
    });
}

#[test]
fn a_later_answer_goes_past_one_that_waits() {
    run(async {
        let server = Server::with(&Upstreams::none(), Egress::Allow, 0).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for name in ["users.", "orders."] {
            stream.write_all(&framed(&query(name, RecordType::A).to_vec().unwrap())).await.unwrap();
        }
        // What is under way is still answered when the client has nothing more to say.
        stream.shutdown().await.unwrap();
        assert_eq!(addresses(&next_message(&mut stream).await), [OWN.to_string()]);
        server.pod.gate.add_permits(1);
        assert_eq!(addresses(&next_message(&mut stream).await), [USERS.to_string()]);
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_truncated_answer_comes_whole_over_tcp() {
    run(async {
        let short = Box::new(|query: &[u8]| {
            let mut short = reply(query, [6, 6, 6, 6]);
            short[2] |= 2;
            vec![short]
        });
        let mut upstreams = Upstreams::new(vec![Some(short)]).await;
        let listener = upstreams.listener.take().unwrap();
        spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let query = next(&mut stream).await;
            stream.write_all(&framed(&[reply(&query, [1, 2, 3, 4]), vec![0; 5000]].concat())).await.unwrap();
        });
        let server = Server::start(&upstreams).await;
        let over_udp = server.ask("large.example.", RecordType::A).await;
        assert!(over_udp.truncation, "the client is told to come again");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let query = query("large.example.", RecordType::A);
        stream.write_all(&framed(&query.to_vec().unwrap())).await.unwrap();
        let whole = next(&mut stream).await;
        assert!(whole.len() > 5000);
        let message = Message::from_vec(&whole).unwrap();
        assert_eq!((addresses(&message), message.id), (vec!["1.2.3.4".to_owned()], query.id));
    });
}

#[test]
fn a_silent_connection_is_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let server = Server::start(&Upstreams::none()).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let begun = tokio::time::Instant::now();
        stream.write_all(&[0]).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(begun.elapsed().as_secs() >= 10);
    });
}
