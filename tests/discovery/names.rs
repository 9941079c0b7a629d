//! Names of the workspace.

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use nagaya::discovery::Egress;

use super::fixture::{
    FRONT_DOOR, HOST, ORDERS, OWN, SIX, Server, TWIN, USERS, Upstreams, addresses, query, receive, run,
};

#[test]
fn addresses_of_ours_are_answered() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let cases: [(&str, Ipv4Addr); 8] = [
            ("users.", USERS),
            ("Users.Default.svc.cluster.local.", USERS),
            ("users.internal.example.com.", USERS),
            ("orders.", OWN),
            ("orders.shop.", OWN),
            ("host.docker.internal.", HOST),
            ("web.shop.localhost.", FRONT_DOOR),
            ("anything.localhost.", Ipv4Addr::LOCALHOST),
        ];
        for (name, address) in cases {
            let reply = server.ask(name, RecordType::A).await;
            assert_eq!(addresses(&reply), [address.to_string()], "{name}");
            assert!(reply.authoritative && reply.recursion_available && reply.recursion_desired);
            assert_eq!((reply.answers[0].ttl, reply.answers[0].name.to_ascii()), (5, name.to_owned()));
        }
        assert!(!server.pod.asked.borrow().contains(&1), "own names wake nobody");
        assert_ne!(ORDERS, OWN);
    });
}

#[test]
fn a_service_that_listens_by_ipv6_alone_has_an_address_of_it() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        assert_eq!(addresses(&server.ask("six.", RecordType::A).await), [TWIN.to_string()]);
        assert_eq!(addresses(&server.ask("six.", RecordType::AAAA).await), [SIX.to_string()]);
        assert_eq!(addresses(&server.ask("six.", RecordType::ANY).await), [TWIN.to_string(), SIX.to_string()]);
        let reverse = "3.0.0.8.2.4.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.6.d.f.ip6.arpa.";
        assert_eq!(addresses(&server.ask(reverse, RecordType::PTR).await), ["six.default.svc.cluster.local."]);
    });
}

/// The kind and owner of the one record that says how long an absence holds.
fn soa(reply: &Message) -> String {
    let [record] = &reply.authorities[..] else { panic!("{reply:?}") };
    assert!(matches!(&record.data, RData::SOA(soa) if soa.minimum == 5 && record.ttl == 5), "{record:?}");
    record.name.to_ascii()
}

#[test]
fn other_records_of_ours_are_none_but_the_name_is_there() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        for kind in [RecordType::AAAA, RecordType::HTTPS, RecordType::TXT, RecordType::SRV, RecordType::Unknown(65280)]
        {
            for name in ["users.", "users.default.svc.cluster.local.", "web.shop.localhost.", "svc.cluster.local."] {
                let reply = server.ask(name, kind).await;
                assert_eq!((reply.response_code, reply.answers.len()), (ResponseCode::NoError, 0), "{name} {kind}");
                assert_eq!(soa(&reply), name);
            }
        }
    });
}

#[test]
fn unknown_names_of_ours_are_not_there() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let cases = [
            ("userz.default.svc.cluster.local.", "cluster.local."),
            ("userz.shop.", "shop."),
            ("_grpc_config.users.", "users."),
            ("9.0.0.127.in-addr.arpa.", "127.in-addr.arpa."),
            ("printer.", "."),
        ];
        for (name, apex) in cases {
            let reply = server.ask(name, RecordType::A).await;
            assert_eq!((reply.response_code, soa(&reply)), (ResponseCode::NXDomain, apex.to_owned()), "{name}");
        }
    });
}

#[test]
fn ports_and_addresses_have_names() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        let cases = [
            (
                "_http._tcp.users.default.svc.cluster.local.",
                RecordType::SRV,
                "0 100 8080 users.default.svc.cluster.local.",
            ),
            ("_http._tcp.users.", RecordType::SRV, "0 100 8080 users.default.svc.cluster.local."),
            ("1.128.66.10.in-addr.arpa.", RecordType::PTR, "users.default.svc.cluster.local."),
            ("1.0.0.127.in-addr.arpa.", RecordType::PTR, "localhost."),
            (
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
                RecordType::PTR,
                "localhost.",
            ),
        ];
        for (name, kind, data) in cases {
            assert_eq!(addresses(&server.ask(name, kind).await), [data], "{name}");
        }
        assert!(addresses(&server.ask("_http._tcp.users.", RecordType::A).await).is_empty());
        assert!(addresses(&server.ask("1.128.66.10.in-addr.arpa.", RecordType::A).await).is_empty());
    });
}

#[test]
fn whoever_asks_for_all_gets_little() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        assert_eq!(addresses(&server.ask("users.", RecordType::ANY).await), [USERS.to_string()]);
        assert_eq!(addresses(&server.ask("cluster.local.", RecordType::ANY).await), ["RFC8482 "]);
    });
}

#[test]
fn a_service_hears_that_it_is_asked_for_before_the_answer_is_sent() {
    run(async {
        let server = Server::with(&Upstreams::none(), Egress::Allow, 0).await;
        let waiting = server.send(&query("users.", RecordType::A).to_vec().unwrap()).await;
        // Another question goes past it meanwhile, and shows that the first was read.
        assert_eq!(addresses(&server.ask("orders.", RecordType::A).await), [OWN.to_string()]);
        assert_eq!(*server.pod.asked.borrow(), [0]);
        assert!(waiting.try_recv(&mut [0; 512]).is_err(), "the answer came too early");
        server.pod.gate.add_permits(1);
        assert_eq!(addresses(&Message::from_vec(&receive(&waiting).await).unwrap()), [USERS.to_string()]);
        assert_eq!(*server.pod.asked.borrow(), [0]);
    });
}

#[test]
fn a_pod_without_egress_knows_the_workspace_only() {
    run(async {
        let server = Server::with(&Upstreams::none(), Egress::Deny, 9).await;
        assert_eq!(addresses(&server.ask("users.", RecordType::A).await), [USERS.to_string()]);
        for name in ["example.com.", "nas.lan.", "printer.", "8.8.8.8.in-addr.arpa."] {
            assert_eq!(server.ask(name, RecordType::A).await.response_code, ResponseCode::Refused, "{name}");
        }
        let mut message = query("example.com.", RecordType::A);
        message.set_edns(Edns::new());
        let bytes = server.exchange(&message.to_vec().unwrap()).await;
        assert!(String::from_utf8_lossy(&bytes).contains("egress: deny"), "the reason is told");
    });
}
