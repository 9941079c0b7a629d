//! Names that are not ours.

use std::fs;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsOption;
use tokio::time::{Instant, sleep};

use super::fixture::{Server, USERS, Upstreams, addresses, answers, fails, is_silent, query, receive, reply, run};

const ADDRESS: [u8; 4] = [93, 184, 216, 34];

#[test]
fn a_query_passes_whole_but_for_its_id() {
    run(async {
        let upstreams = Upstreams::new(vec![answers(ADDRESS)]).await;
        let server = Server::start(&upstreams).await;
        let mut message = query("Example.COM.", RecordType::Unknown(65280));
        let mut edns = Edns::new();
        edns.set_max_payload(4096).set_dnssec_ok(true);
        edns.options_mut().insert(EdnsOption::Unknown(65001, vec![1, 2, 3]));
        message.set_edns(edns);
        let sent = message.to_vec().unwrap();
        let mut ids = Vec::new();
        for _ in 0..8 {
            let got = server.exchange(&sent).await;
            let heard = upstreams.heard[0].borrow().last().unwrap().clone();
            assert_eq!(heard[2..], sent[2..]);
            assert_eq!(got[..2], sent[..2]);
            assert_eq!(got[2..], reply(&heard, ADDRESS)[2..]);
            ids.push([heard[0], heard[1]]);
        }
        ids.sort_unstable();
        ids.dedup();
        assert!(ids.len() > 4, "the ids are not random: {ids:?}");
    });
}

#[test]
fn a_pod_is_told_which_addresses_a_name_had() {
    run(async {
        let upstreams = Upstreams::new(vec![answers(ADDRESS)]).await;
        let server = Server::start(&upstreams).await;
        for name in ["Example.com.", "users.", "example.com."] {
            server.ask(name, RecordType::A).await;
        }
        server.ask("example.com.", RecordType::TXT).await;
        let told = ("example.com".to_owned(), vec![ADDRESS.into()]);
        assert_eq!(*server.pod.told.borrow(), [told.clone(), told]);
    });
}

#[test]
fn forged_answers_are_passed_over() {
    run(async {
        let forger = Box::new(|query: &[u8]| {
            let mut other_id = reply(query, [6, 6, 6, 6]);
            other_id[0] ^= 1;
            let mut other_name = reply(query, [6, 6, 6, 6]);
            other_name[13] ^= 1;
            let mut no_response = reply(query, [6, 6, 6, 6]);
            no_response[2] &= 0x7f;
            vec![other_id, other_name, no_response, vec![], vec![0; 3], reply(query, ADDRESS)]
        });
        let server = Server::start(&Upstreams::new(vec![Some(forger)]).await).await;
        assert_eq!(addresses(&server.ask("example.com.", RecordType::A).await), ["93.184.216.34"]);
    });
}

#[test]
fn the_next_server_is_asked_where_one_fails() {
    for first in [None, fails(ResponseCode::ServFail), fails(ResponseCode::Refused), is_silent()] {
        run(async {
            let upstreams = Upstreams::new(vec![first, answers(ADDRESS)]).await;
            let server = Server::start(&upstreams).await;
            assert_eq!(addresses(&server.ask("example.com.", RecordType::A).await), ["93.184.216.34"]);
        });
    }
}

#[test]
fn the_first_server_that_answers_is_enough() {
    run(async {
        let upstreams = Upstreams::new(vec![fails(ResponseCode::NXDomain), answers(ADDRESS)]).await;
        let server = Server::start(&upstreams).await;
        assert_eq!(server.ask("nobody.example.", RecordType::A).await.response_code, ResponseCode::NXDomain);
        assert!(upstreams.heard[1].borrow().is_empty());
    });
}

#[test]
fn without_an_answer_it_fails_quickly() {
    run(async {
        let all = [
            Upstreams::none(),
            Upstreams::new(vec![None]).await,
            Upstreams::new(vec![fails(ResponseCode::ServFail), fails(ResponseCode::ServFail)]).await,
        ];
        for upstreams in all {
            let server = Server::start(&upstreams).await;
            let begun = Instant::now();
            assert_eq!(server.ask("example.com.", RecordType::A).await.response_code, ResponseCode::ServFail);
            assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
            let heard = upstreams.heard.iter().map(|heard| heard.borrow().len());
            assert!(heard.into_iter().all(|count| count <= 1), "a server that answered is not asked again");
        }
    });
}

#[test]
fn a_silent_server_is_asked_again_and_holds_up_nobody() {
    run(async {
        let slow =
            Box::new(|query: &[u8]| match Message::from_vec(query).unwrap().queries[0].name.to_ascii().as_str() {
                "slow.example." => Vec::new(),
                _ => vec![reply(query, ADDRESS)],
            });
        let upstreams = Upstreams::new(vec![Some(slow)]).await;
        let server = Server::start(&upstreams).await;
        let waiting = server.send(&query("slow.example.", RecordType::A).to_vec().unwrap()).await;
        assert_eq!(addresses(&server.ask("fast.example.", RecordType::A).await), ["93.184.216.34"]);
        assert_eq!(addresses(&server.ask("users.", RecordType::A).await), [USERS.to_string()]);
        assert!(waiting.try_recv(&mut [0; 512]).is_err());
        let late = Message::from_vec(&receive(&waiting).await).unwrap();
        assert_eq!(late.response_code, ResponseCode::ServFail);
        let heard = upstreams.heard[0].borrow().iter().filter(|query| query.windows(4).any(|it| it == b"slow")).count();
        assert!(heard >= 2, "a datagram may be lost");
    });
}

#[test]
fn a_refusal_without_the_question_gets_one() {
    run(async {
        let old = Box::new(|query: &[u8]| vec![[&query[..2], &[0x81, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]].concat()]);
        let server = Server::start(&Upstreams::new(vec![Some(old)]).await).await;
        assert_eq!(server.ask("example.com.", RecordType::A).await.response_code, ResponseCode::FormErr);
    });
}

#[test]
fn a_longer_answer_than_was_asked_for_is_truncated() {
    run(async {
        let chatty = Box::new(|query: &[u8]| vec![[reply(query, ADDRESS), vec![0; 2000]].concat()]);
        let server = Server::start(&Upstreams::new(vec![Some(chatty)]).await).await;
        let reply = server.ask("example.com.", RecordType::A).await;
        assert!(reply.truncation && reply.answers.is_empty());
    });
}

#[test]
fn the_hosts_file_goes_first() {
    run(async {
        let upstreams = Upstreams::new(vec![answers(ADDRESS)]).await;
        let server = Server::start(&upstreams).await;
        assert_eq!(addresses(&server.ask("NAS.", RecordType::A).await), ["192.168.1.9"]);
        assert_eq!(addresses(&server.ask("six.lan.", RecordType::AAAA).await), ["fd00::9"]);
        assert!(addresses(&server.ask("nas.lan.", RecordType::AAAA).await).is_empty());
        assert_eq!(addresses(&server.ask("users.", RecordType::A).await), [USERS.to_string()], "but ours before it");
        assert!(upstreams.heard[0].borrow().is_empty());
        server.ask("nas.lan.", RecordType::TXT).await;
        assert_eq!(upstreams.heard[0].borrow().len(), 1);
    });
}

#[test]
fn short_names_go_to_servers_that_may_know_them() {
    run(async {
        // A server on the loopback may.
        let server = Server::start(&Upstreams::new(vec![answers(ADDRESS)]).await).await;
        assert_eq!(addresses(&server.ask("printer.", RecordType::A).await), ["93.184.216.34"]);
        // One of the internet does not (TEST-NET-1: nobody would answer).
        let far = Upstreams { resolv_conf: "nameserver 192.0.2.1\n".to_owned(), ..Upstreams::none() };
        let server = Server::start(&far).await;
        assert_eq!(server.ask("printer.", RecordType::AAAA).await.response_code, ResponseCode::NXDomain);
    });
}

#[test]
fn changed_files_are_noticed() {
    run(async {
        let server = Server::start(&Upstreams::none()).await;
        assert_eq!(server.ask("vpn.example.", RecordType::A).await.response_code, ResponseCode::ServFail);
        fs::write(server.etc.path().join("hosts"), "10.8.0.1 vpn.example\n").unwrap();
        loop {
            let reply = server.ask("vpn.example.", RecordType::A).await;
            if reply.response_code == ResponseCode::NoError {
                assert_eq!(addresses(&reply), ["10.8.0.1"]);
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
}
