//! Callers of one combination of versions meet nobody of another.

use nagaya::model::Protocol;
use nagaya::route::Availability;
use nagaya::supervise::State;

use super::city::{City, Client, House};
use super::lab::{callee, connect, read_all, text};

/// `users` is a name alone; each combination has its own, called by its own web.
fn houses() -> Vec<House> {
    let copy = |name, version| House::named(name).version("users", version);
    vec![House::named("users"), copy("users-c1", "c1"), copy("users-c2", "c2"), House::named("db")]
}

const CALLERS: [(&str, &[(&str, &str)]); 2] =
    [("web-c1", &[("users", "users-c1")]), ("web-c2", &[("users", "users-c2")])];

fn city(routes: &str) -> City {
    let city = City::apart(&houses(), routes, &CALLERS);
    city.set("users", Availability::Absent(State::Stopped));
    city
}

#[test]
fn each_caller_is_led_to_its_own_whatever_the_routes_say() {
    for routes in ["", "/svc/users => 1 * /#/local/users-v2 & 99 * /#/local/users", "/svc/www => /svc/users"] {
        let city = city(routes);
        let mut clients = ["web-c1", "web-c2"].map(|caller| Client::at(city.edge(caller, "users")));
        for _ in 0..3 {
            assert_eq!(clients.each_mut().map(|client| client.who(&[])), ["users-c1", "users-c2"], "{routes}");
        }
        city.route(2, "/svc/users => /#/local/db");
        assert_eq!(clients.each_mut().map(|client| client.who(&[])), ["users-c1", "users-c2"]);
        // A request's own entries go before, and what nobody is led from stays as it is.
        assert_eq!(clients[0].who(&["l5d-dtab: /svc/users => /#/local/users-c2"]), "users-c2");
        assert_eq!(Client::at(city.edge("web-c1", "db")).who(&[]), "db");
        let by: Vec<_> = city.records(2).iter().filter_map(|it| it.routed_by.clone()).collect();
        let own = ["/svc/users=>/#/local/users-c1 | !", "/svc/users=>/#/local/users-c2 | !"];
        assert_eq!([&*by[0], &*by[1]], own);
    }
}

#[test]
fn whoever_is_of_no_combination_meets_none() {
    let city = city("");
    let (head, body) = Client::at(city.edge("db", "users")).ask("/", &[]);
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("users is stopped"), "{head}{body}");
}

#[test]
fn a_copy_that_is_gone_is_nobodys_instead() {
    let city = city("/svc/users => /#/local/users-c2 | /#/local/db");
    city.set("users-c1", Availability::Absent(State::Failed));
    let (head, body) = Client::at(city.edge("web-c1", "users")).ask("/", &[]);
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("users-c1 has failed"), "{head}{body}");
    assert_eq!(Client::at(city.edge("web-c2", "users")).who(&[]), "users-c2");
}

#[test]
fn bytes_are_led_as_requests_are() {
    let saying = |name: &'static str| {
        let port = callee(move |mut stream, _| {
            let _ = std::io::Write::write_all(&mut stream, name.as_bytes());
        });
        House { protocol: Protocol::Tcp, port, ..House::named(name) }
    };
    let city = City::apart(&[saying("users"), saying("users-c1"), saying("users-c2")], "", &CALLERS);
    for (caller, own) in [("web-c1", "users-c1"), ("web-c2", "users-c2"), ("db", "users")] {
        assert_eq!(text(&read_all(&mut connect(city.edge(caller, "users")))), own);
    }
}
