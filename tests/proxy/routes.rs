//! Requests go where the routes and their own entries say.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::header::HeaderValue;
use hyper::{Request, Version};
use nagaya::model::{Egress, Protocol};
use nagaya::route::Availability;
use nagaya::supervise::State;
use nagaya::telemetry::requests::Link;

use super::city::{City, Client, House, telling};
use super::http2::{caller, empty, h2_callee, in_time, shouting};
use super::lab::{callee, connect, head, read_all, text};

const STOPPED: Availability = Availability::Absent(State::Stopped);

/// `users` in two versions.
pub fn two() -> Vec<House> {
    vec![House::named("users").version("users", "v1"), House::named("users-v2").version("users", "v2")]
}

#[test]
fn the_routes_lead_and_every_change_counts_for_the_next_request_of_a_kept_connection() {
    let city = City::of(&two(), "");
    let mut client = Client::at(city.edge("web", "users"));
    assert_eq!(client.who(&[]), "users");
    city.route(2, "/svc/users => /#/local/users-v2");
    assert_eq!(client.who(&[]), "users-v2");
    city.route(3, "/svc/users => /#/local/users-v1");
    assert_eq!(client.who(&[]), "users");
    city.route(4, "");
    assert_eq!(client.who(&[]), "users");
    let told: Vec<_> = city
        .records(4)
        .into_iter()
        .map(|it| (it.to.to_string(), it.version.unwrap().to_string(), it.routed_by.map(|by| by.to_string())))
        .collect();
    let record = |version: &str, by: Option<&str>| ("users".to_owned(), version.to_owned(), by.map(str::to_owned));
    let by = ["/svc/users=>/#/local/users-v2", "/svc/users=>/#/local/users-v1"];
    assert_eq!(told, [record("v1", None), record("v2", Some(by[0])), record("v1", Some(by[1])), record("v1", None)]);
}

#[test]
fn alternatives_are_taken_in_turn_by_who_is_there() {
    let city = City::of(&two(), "/svc/users => /#/local/users-v3 | /#/local/users-v2 | /#/local/users-v1");
    let mut client = Client::at(city.edge("web", "users"));
    assert_eq!(client.who(&[]), "users-v2");
    city.set("users-v2", STOPPED);
    assert_eq!(client.who(&[]), "users");
    city.set("users", STOPPED);
    let (head, body) = Client::at(city.edge("web", "users")).ask("/", &[]);
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("users is stopped"), "{head}{body}");
    city.set("users-v2", Availability::Ready);
    assert_eq!(Client::at(city.edge("web", "users")).who(&[]), "users-v2");
}

#[test]
fn what_an_entry_says_to_lead_nowhere_is_told_by_it_and_with_what_helps() {
    let city = City::of(&two(), "/svc/users => /svc/shut ; /svc/shut => ! ; /svc/orders => $");
    let mut client = Client::at(city.edge("web", "users"));
    let explain = "to see more: nagaya dtab explain /svc/users";
    let correct = "what helps: correct it where the request is made";
    let with_entries = "to see more: nagaya dtab explain /svc/users --dtab '/svc/users=>/svc/orders'";
    let cases: [(&[&str], &str, &str); 6] = [
        (&[], "/svc/users leads nowhere: `/svc/shut=>!` says that it is to fail (`!`)", explain),
        (&["l5d-dtab: /svc/users => /svc/orders"], "`/svc/orders=>$` says that nobody is there (`$`)", with_entries),
        (
            &["l5d-dtab: /svc/users => /svc/a;/svc/a => /svc/users"],
            "there is no end",
            "--dtab '/svc/users=>/svc/a;/svc/a=>",
        ),
        (&["l5d-dtab: /svc/users => !"], "the override `/svc/users=>!` says that it is to fail (`!`)", correct),
        (&["l5d-dtab: /svc/users => /$/nil"], "the override `/svc/users=>/$/nil` says that nobody is there", correct),
        (&["l5d-dtab: /svc/users => /no/where"], "no entry and no namer knows more", correct),
    ];
    for (fields, why, helps) in cases {
        let (head, body) = client.ask("/", fields);
        assert!(head.starts_with("HTTP/1.1 502") && body.contains(why) && body.contains(helps), "{head}{body}");
    }
}

#[test]
fn who_was_waited_for_and_does_not_come_is_replaced() {
    let city = City::of(&two(), "/svc/users => /#/local/users-v2 | /#/local/users-v1");
    city.set("users-v2", Availability::Coming(State::Starting));
    let port = city.edge("web", "users");
    let asking = std::thread::spawn(move || Client::at(port).who(&[]));
    // Another request that is led elsewhere shows that this one is held meanwhile.
    assert_eq!(Client::at(port).who(&["l5d-dtab: /svc/users=>/#/local/users-v1"]), "users");
    city.set("users-v2", Availability::Absent(State::Failed));
    assert_eq!(asking.join().unwrap(), "users");
}

#[test]
fn a_version_that_is_on_its_way_leaves_the_union_to_the_others() {
    let city = City::of(&two(), "/svc/users => 1 * /#/local/users-v2 & 1 * /#/local/users-v1");
    city.set("users-v2", Availability::Coming(State::Backoff));
    let mut client = Client::at(city.edge("web", "users"));
    assert!((0..50).all(|_| client.who(&[]) == "users"));
    city.set("users-v2", Availability::Ready);
    assert!((0..200).any(|_| client.who(&[]) == "users-v2"));
}

#[test]
fn a_thousand_changes_fail_nobody() {
    let city = City::of(&two(), "");
    let port = city.edge("web", "users");
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (over, asked) = (over.clone(), asked.clone());
            std::thread::spawn(move || {
                let (mut client, mut seen) = (Client::at(port), [0, 0]);
                while !over.load(Ordering::SeqCst) {
                    seen[usize::from(client.who(&[]) == "users-v2")] += 1;
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                seen
            })
        })
        .collect();
    let tables = ["/svc/users => /#/local/users-v2", "", "/svc => /x ; /x/users => /#/local/users-v2 | !"];
    for (version, table) in (2..1002).zip(tables.into_iter().cycle()) {
        let before = asked.load(Ordering::SeqCst);
        city.route(version, table);
        while asked.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
    }
    over.store(true, Ordering::SeqCst);
    let seen = callers
        .into_iter()
        .map(|caller| caller.join().unwrap())
        .fold([0, 0], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
    // On a fast machine more were asked than are kept.
    let kept = (seen[0] + seen[1]).min(5000);
    assert!(city.records(kept).iter().all(|record| record.error.is_none() && record.status == Some(200)));
}

#[test]
fn a_request_brings_its_own_entries_and_hands_them_on() {
    let city = City::of(&two(), "");
    let mut client = Client::at(city.edge("web", "users"));
    let told = |client: &mut Client, fields: &[&str]| client.ask("/", fields).1;
    let expected = "users-v2|/svc/users=>/#/local/users-v2|GET / HTTP/1.1|";
    assert_eq!(told(&mut client, &["L5d-Dtab: /svc/users => /#/local/users-v2"]), expected);
    // What was handed on comes first, so that what is asked for goes before it.
    let both = ["l5d-ctx-dtab: /svc/users => /#/local/users-v9", "l5d-dtab: /svc/users => /svc/users-v2"];
    let expected = "users-v2|/svc/users=>/#/local/users-v9;/svc/users=>/svc/users-v2|GET / HTTP/1.1|";
    assert_eq!(told(&mut client, &both), expected);
    let others = "users|/svc/orders=>/#/local/orders-v2|GET / HTTP/1.1|";
    assert_eq!(told(&mut client, &["l5d-ctx-dtab: /svc/orders => /#/local/orders-v2"]), others);
    assert_eq!(told(&mut client, &["l5d-dtab:"]), "users||GET / HTTP/1.1|");
    let by: Vec<_> = city.records(4).into_iter().map(|it| it.routed_by.map(|by| by.to_string())).collect();
    let own = |entry: &str| Some(format!("override {entry}"));
    assert_eq!(by, [own("/svc/users=>/#/local/users-v2"), own("/svc/users=>/svc/users-v2"), None, None]);
}

#[test]
fn entries_that_cannot_be_read_refuse_the_request_and_show_where() {
    let city = City::of(&two(), "");
    let mut client = Client::at(city.edge("web", "users"));
    let (head, body) = client.ask("/", &["l5d-dtab: /svc/users -> /svc/users-v2"]);
    assert!(head.starts_with("HTTP/1.1 400") && head.contains("l5d-err: l5d-dtab%3A+line+1%2C+column+12"), "{head}");
    assert!(body.contains("    /svc/users -> /svc/users-v2\n               ^\n"), "{body}");
    let many = format!("l5d-dtab: {}", "/a=>/b;".repeat(101));
    let (head, body) = client.ask("/", &[&many]);
    assert!(head.starts_with("HTTP/1.1 400") && body.contains("at most 100"), "{head}{body}");
    let large = format!("l5d-ctx-dtab: {}", "/a=>/b;".repeat(1200));
    let (head, _) = client.ask("/", &[&large]);
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
    // The connection is as good as before.
    assert_eq!(client.who(&[]), "users");
    assert!(city.records(4)[..3].iter().all(|record| record.error.is_some() && record.version.is_none()));
}

#[test]
fn an_override_that_leads_nowhere_is_no_call_of_the_usual_service() {
    let city = City::of(&two(), "");
    let mut client = Client::at(city.edge("web", "users"));
    let refused = |client: &mut Client, entry: &str| {
        let (head, body) = client.ask("/", &[&format!("l5d-dtab: {entry}")]);
        assert!(head.starts_with("HTTP/1.1 502"), "{entry}: {head}{body}");
        body.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        refused(&mut client, "/svc/users => /svc/users-v3"),
        "nagaya: the override `/svc/users=>/svc/users-v3` leads nowhere: there is no service `users-v3`"
    );
    assert!(refused(&mut client, "/svc/users => !").contains("is to fail"));
    assert!(refused(&mut client, "/svc/users => $").contains("nobody is there"));
    assert!(refused(&mut client, "/svc/users => /svc/users").contains("leads back to itself"));
    assert!(refused(&mut client, "/svc => /s ; /s => /s/a & /s/b").contains("leads back to itself"));
    city.set("users-v2", STOPPED);
    assert!(refused(&mut client, "/svc/users => /#/local/users-v2").ends_with("users-v2 is stopped"));
    // Who wants the usual one then says so.
    assert_eq!(client.who(&["l5d-dtab: /svc/users => /#/local/users-v2 | ~"]), "users");
    assert_eq!(client.who(&["l5d-dtab: /svc/orders => /#/local/orders-v9"]), "users");
}

#[test]
fn addresses_outside_are_called_and_loops_are_ended() {
    let debugged = telling("debugged");
    let mut houses = two();
    houses.push(House { egress: Egress::Deny, ..House::named("confined") });
    let city = City::of(&houses, "");
    let mut client = Client::at(city.edge("web", "users"));
    let entry = format!("l5d-dtab: /svc/users => /$/inet/127.0.0.1/{debugged}");
    assert_eq!(client.who(&[&entry]), "debugged");
    let record = &city.records(1)[0];
    assert_eq!((&*record.to, record.to_name.as_deref()), (&*format!("127.0.0.1:{debugged}"), Some("users")));
    let (head, body) = Client::at(city.edge("confined", "users")).ask("/", &[&entry]);
    assert!(head.starts_with("HTTP/1.1 502") && body.contains("egress: deny"), "{head}{body}");
    // The edge itself: what is led there comes back.
    let edge = city.edge("web", "users");
    city.route(2, &format!("/svc/users => /$/inet/127.0.0.1/{edge}"));
    let (head, body) = Client::at(edge).ask("/", &[]);
    assert!(head.starts_with("HTTP/1.1 508") && body.contains("round in circles"), "{head}{body}");
}

#[test]
fn requests_by_http2_and_grpc_are_led_alike() {
    let mut houses = two();
    houses.push(House { protocol: Protocol::Grpc, port: h2_callee(shouting), ..House::named("calls") });
    houses.push(
        House { protocol: Protocol::Grpc, port: h2_callee(shouting), ..House::named("calls-v2") }
            .version("calls", "v2"),
    );
    let city = City::of(&houses, "/svc/users => /#/local/users-v2");
    let (plain, grpc) = (city.edge("web", "users"), city.edge("web", "calls"));
    in_time(async {
        let (mut sender, _connection) = caller(plain).await;
        let ask = |entry: Option<&str>| {
            let mut request = Request::get("http://users/a").version(Version::HTTP_2).body(empty()).unwrap();
            if let Some(entry) = entry {
                request.headers_mut().insert("l5d-dtab", HeaderValue::from_str(entry).unwrap());
            }
            request
        };
        for (entry, told) in [
            (None, "users-v2||GET /a HTTP/1.1|"),
            (Some("/svc/users=>/#/local/users"), "users|/svc/users=>/#/local/users|GET /a HTTP/1.1|"),
        ] {
            let answer = sender.send_request(ask(entry)).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), told);
        }
        let answer = sender.send_request(ask(Some("/svc/users=>"))).await.unwrap();
        assert_eq!(answer.status(), 400);
        let (mut sender, _connection) = caller(grpc).await;
        let call = |entry: &str| {
            let request = Request::post("http://calls/pkg.Service/Get").version(Version::HTTP_2);
            let request = request.header("content-type", "application/grpc").header("l5d-dtab", entry);
            request.body(empty()).unwrap()
        };
        let answer = sender.send_request(call("/svc/calls => /#/local/calls-v2")).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        for (entry, code) in [("/svc/calls => /#/local/calls-v3", "14"), ("/svc", "3")] {
            let answer = sender.send_request(call(entry)).await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), answer.headers()["grpc-status"].as_bytes()),
                (200, code.as_bytes()),
                "{entry}"
            );
        }
    });
    let records = city.records(6);
    assert_eq!(records[3].version.as_deref(), Some("v2"));
    assert_eq!([records[4].grpc_status, records[5].grpc_status], [Some(14), Some(3)]);
}

#[test]
fn connections_of_bytes_follow_the_table() {
    let greeting = |word: &'static str| {
        let port = callee(move |mut stream, _| stream.write_all(word.as_bytes()).unwrap());
        move |name| House { protocol: Protocol::Tcp, port, ..House::named(name) }
    };
    let houses = [greeting("first")("db"), greeting("second")("db-copy")];
    let city = City::of(&houses, "");
    let port = city.edge("web", "db");
    let greeted = || text(&read_all(&mut connect(port)));
    assert_eq!(greeted(), "first");
    city.route(2, "/svc/db => /#/local/db-copy");
    assert_eq!(greeted(), "second");
    city.set("db-copy", STOPPED);
    assert_eq!(greeted(), "first", "the entry leads nowhere, so the one before it counts");
    let by: Vec<_> = city.records(3).into_iter().map(|it| (it.to.to_string(), it.routed_by.is_some())).collect();
    assert_eq!(by, [("db".to_owned(), false), ("db-copy".to_owned(), true), ("db".to_owned(), false)]);
}

/// A house that calls another for each request that it gets, and forwards these fields of it.
pub fn calling(name: &'static str, edge: Arc<std::sync::OnceLock<u16>>, forwarded: &'static [&'static str]) -> House {
    let port = callee(move |mut stream, _| {
        loop {
            let read = head(&mut stream);
            if read.is_empty() {
                return;
            }
            let fields: Vec<&str> = read
                .split("\r\n")
                .filter(|line| line.split_once(':').is_some_and(|(name, _)| forwarded.contains(&name)))
                .collect();
            let (_, body) = Client::at(*edge.wait()).ask("/", &fields);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    House { port, ..House::named(name) }
}

#[test]
fn entries_follow_a_request_through_services_that_forward_nothing() {
    let forwarding: [(&[&str], Link); 5] = [
        (&["l5d-ctx-dtab"], Link::Certain),
        (&["traceparent"], Link::Exact),
        (&["x-request-id"], Link::Exact),
        (&["b3"], Link::Certain),
        (&[], Link::Certain),
    ];
    for (forwarded, link) in forwarding {
        let edge = Arc::new(std::sync::OnceLock::new());
        let mut houses = two();
        houses.push(calling("orders", edge.clone(), forwarded));
        let city = City::of(&houses, "");
        edge.set(city.edge("orders", "users")).unwrap();
        let mut client = Client::at(city.edge("web", "orders"));
        assert_eq!(client.who(&["l5d-dtab: /svc/users => /#/local/users-v2"]), "users-v2", "{forwarded:?}");
        assert_eq!(client.who(&[]), "users", "{forwarded:?}");
        let records = city.records(4);
        let (inner, outer) = (&records[0], &records[1]);
        assert_eq!((inner.link, outer.link), (link, Link::None), "{forwarded:?}");
        assert_eq!((inner.id(), inner.trace_id), (outer.id(), outer.trace_id), "{forwarded:?}");
    }
}

#[test]
fn what_is_ambiguous_carries_no_entries_and_says_so() {
    // `orders` gets two requests and calls for each only when it has both.
    let edge = Arc::new(std::sync::OnceLock::<u16>::new());
    let both = Arc::new(std::sync::Barrier::new(2));
    let (called, meeting) = (edge.clone(), both.clone());
    let port = callee(move |mut stream, _| {
        head(&mut stream);
        meeting.wait();
        let (_, body) = Client::at(*called.wait()).ask("/", &[]);
        // Neither is answered before both have called.
        meeting.wait();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let mut houses = two();
    houses.push(House { port, ..House::named("orders") });
    let city = City::of(&houses, "");
    edge.set(city.edge("orders", "users")).unwrap();
    let door = city.edge("web", "orders");
    let other = std::thread::spawn(move || Client::at(door).ask("/", &[]));
    let (head, body) = Client::at(door).ask("/", &["l5d-dtab: /svc/users => /#/local/users-v2"]);
    assert!(body.starts_with("users|"), "{body}");
    let told = "\r\nl5d-ctx-dtab-withheld: orders was serving several requests and did not say for which it called\r\n";
    assert!(head.contains(told), "whoever asked for the other version is told: {head}");
    let (head, body) = other.join().unwrap();
    assert!(body.starts_with("users|") && !head.contains("withheld"), "{head}{body}");
    let (inner, outer): (Vec<_>, Vec<_>) =
        city.records(4).into_iter().partition(|it| it.from.as_deref() == Some("orders"));
    // In the record of the request that brought entries, and not in the other's.
    assert_eq!(outer.iter().filter(|it| it.withheld.as_deref() == Some("orders")).count(), 1, "{outer:?}");
    assert!(inner.iter().all(|it| it.link == Link::Inferred && it.withheld.as_deref() == Some("orders")), "{inner:?}");
    assert_eq!(inner.len(), 2);
}
