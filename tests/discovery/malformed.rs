//! What no client should send, and what rare ones do.

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::{DNSClass, RecordType};
use nagaya::discovery::{Egress, Forwarder, Host, Transport, answer};

use super::fixture::{Server, Upstreams, addresses, query, run};

const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05users\x00\x00\x01\x00\x01";

fn changed(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut query = QUERY.to_vec();
    changes.iter().for_each(|&(at, byte)| query[at] = byte);
    query
}

#[test]
fn each_fault_has_its_code() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let cases = [
            (changed(&[(2, 0x11)]), 4, "status query"),
            (changed(&[(2, 0x29)]), 4, "update"),
            (changed(&[(5, 0)]), 1, "no question"),
            (changed(&[(5, 2)]), 1, "two questions"),
            (changed(&[(12, 0xc0), (13, 12)]), 1, "a name that is itself"),
            (changed(&[(12, 60)]), 1, "a name that ends beyond"),
            (QUERY[..QUERY.len() - 1].to_vec(), 1, "half a question"),
            (QUERY[..12].to_vec(), 1, "a header alone"),
            (changed(&[(11, 1)]), 1, "a record that is not there"),
            (changed(&[(22, 3)]), 5, "class CH"),
            (changed(&[(20, 252)]), 4, "a transfer"),
        ];
        for (query, code, what) in cases {
            let reply = server.exchange(&query).await;
            assert_eq!((&reply[..2], reply[3] & 0xf, reply[2] & 0x80), (&QUERY[..2], code, 0x80), "{what}: {reply:?}");
        }
    });
}

#[test]
fn what_is_no_query_is_dropped() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let dropped = [changed(&[(2, 0x81)]), QUERY[..11].to_vec(), Vec::new()];
        for bytes in dropped {
            let client = server.send(&bytes).await;
            // Served in order, so that an answer to the first would be there by now.
            assert_eq!(addresses(&server.ask("users.", RecordType::A).await).len(), 1);
            assert!(client.try_recv(&mut [0; 512]).is_err(), "{bytes:?}");
        }
    });
}

#[test]
fn edns_is_answered_in_kind() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        assert!(server.ask("users.", RecordType::A).await.edns.is_none());
        let with = async |version| {
            let mut message = query("users.", RecordType::A);
            let mut edns = Edns::new();
            edns.set_version(version).set_dnssec_ok(true).set_max_payload(4096);
            message.set_edns(edns);
            Message::from_vec(&server.exchange(&message.to_vec().unwrap()).await).unwrap()
        };
        let reply = with(0).await;
        let edns = reply.edns.as_ref().unwrap();
        assert_eq!((edns.version(), edns.max_payload(), edns.flags().dnssec_ok), (0, 1232, true));
        assert_eq!(addresses(&reply).len(), 1);
        let reply = with(1).await;
        let edns = reply.edns.as_ref().unwrap();
        assert_eq!((u16::from(reply.response_code), edns.rcode_high(), edns.version()), (16, 1, 0), "BADVERS");
    });
}

#[test]
fn a_class_of_the_query_is_in_its_refusal() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let mut message = query("version.bind.", RecordType::TXT);
        message.queries[0].query_class = DNSClass::CH;
        let reply = Message::from_vec(&server.exchange(&message.to_vec().unwrap()).await).unwrap();
        assert_eq!((reply.response_code, reply.queries), (ResponseCode::Refused, message.queries));
    });
}

#[test]
fn no_bytes_bring_it_down() {
    run(async {
        let server = Server::with(&Upstreams::none(), Egress::Allow, 1 << 20).await;
        let forwarder = Forwarder::new(Host::reading("/nonexistent".into(), "/nonexistent".into(), 53));
        let mut random = fastrand::Rng::with_seed(53);
        let mut seeds = vec![QUERY.to_vec()];
        for name in ["_http._tcp.users.", "1.0.0.127.in-addr.arpa.", "a.b.ip6.arpa.", "x.shop.localhost.", "."] {
            let mut message = query(name, RecordType::PTR);
            message.set_edns(Edns::new());
            seeds.push(message.to_vec().unwrap());
        }
        for round in 0..20_000 {
            let mut bytes = seeds[round % seeds.len()].clone();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(..bytes.len() * 4));
            let transport = if random.bool() { Transport::Udp } else { Transport::Tcp };
            if let Some(reply) = answer(&bytes, transport, &*server.pod, &forwarder).await {
                assert_eq!((&reply[..2], reply[2] & 0x80), (&bytes[..2], 0x80), "{bytes:?}");
            }
        }
    });
}
