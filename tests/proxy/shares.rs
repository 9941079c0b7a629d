//! Requests are shared out as the routes say, and as requests say themselves.

use std::sync::{Arc, OnceLock};

use super::city::{City, Client};
use super::routes::{calling, two};
use crate::support::sandbox::full;

#[test]
fn shares_are_as_they_are_written() {
    let city = City::of(&two(), "");
    let port = city.edge("web", "users");
    let count = if full() { 100_000 } else { 4_000 };
    for (version, share) in [(1, 0.01), (2, 0.25), (3, 0.001)] {
        city.route(
            version,
            &format!("/svc/users => {share} * /#/local/users-v2 & {} * /#/local/users-v1", 1.0 - share),
        );
        let mut client = Client::at(port);
        let second = (0..count).filter(|_| client.who(&[]) == "users-v2").count();
        let (expected, sigma) = (f64::from(count) * share, (f64::from(count) * share * (1.0 - share)).sqrt());
        #[allow(clippy::cast_precision_loss, reason = "a count")]
        let off = (second as f64 - expected).abs();
        // Five of them, so that a run in a million fails.
        assert!(off <= 5.0 * sigma, "{share}: {second} of {count}, and {expected} are due");
        if full() {
            println!("{share}: {second} of {count}, off by {:.2} sigma", off / sigma);
        }
    }
}

/// What is in the fields is as exact after every hop as it was in the first, and is drawn anew where it counts.
#[test]
fn shares_that_a_request_brings_are_the_same_after_hops() {
    let edges = [(); 2].map(|()| Arc::new(OnceLock::new()));
    let mut houses = two();
    houses.push(calling("orders", edges[0].clone(), &["l5d-ctx-dtab"]));
    houses.push(calling("web", edges[1].clone(), &["l5d-ctx-dtab"]));
    let city = City::of(&houses, "");
    edges[0].set(city.edge("orders", "users")).unwrap();
    edges[1].set(city.edge("web", "orders")).unwrap();
    let mut client = Client::at(city.edge("door", "web"));
    let count = if full() { 5_000 } else { 1_000 };
    for share in [0.01, 0.25, 0.001] {
        let rest = 1.0 - share;
        let fields = [&*format!("l5d-dtab: /svc/users => {share} * /#/local/users-v2 & {rest} * /#/local/users")];
        let second = (0..count).filter(|_| client.who(&fields) == "users-v2").count();
        let (expected, sigma) = (f64::from(count) * share, (f64::from(count) * share * rest).sqrt());
        #[allow(clippy::cast_precision_loss, reason = "a count")]
        let off = (second as f64 - expected).abs();
        // As above; and at few requests chance is not as even as its formula.
        assert!(off <= 5.0 * sigma + 3.0, "{share}: {second} of {count}, and {expected} are due");
        println!("{share} after two hops: {second} of {count}, off by {:.2} sigma", off / sigma);
    }
    let inner = city.records(3).into_iter().rev().find(|it| it.from.as_deref() == Some("orders")).unwrap();
    assert_eq!(inner.routed_by.as_deref(), Some("override /svc/users=>0.001*/#/local/users-v2 & 0.999*/#/local/users"));
}
