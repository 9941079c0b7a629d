//! What is said of changes, for whoever listens.

use nagaya::runtime::Changes;
use nagaya::tui::{Words, spoken};
use nagaya::view::Service;
use serde_json::{Value, json};

use super::fixture::{lines, row, services};

fn hear(words: &mut Words, whole: bool, rows: Vec<Service>, notices: &[&str]) -> Vec<String> {
    let notices = notices.iter().map(|notice| (*notice).to_owned()).collect();
    words.hear(Changes { version: 1, whole, services: rows, notices })
}

#[test]
fn first_how_things_stand_then_each_change_once() {
    let mut words = Words::new("shop");
    let said = hear(&mut words, true, services(), &[]);
    let known = [
        "shop: 4 of 7 instances are as they should be",
        "cart is unhealthy: GET /healthz answered 500",
        "orders waits to be started again: exited with 1",
        "mailer is waiting: waits for orders",
    ];
    assert_eq!(said, known);
    assert_eq!(words.summary(), known);
    // CPU is no change.
    let busier = row("web", "ready", Some(8080), &json!({ "cpu_percent": 90.0 }));
    assert_eq!(hear(&mut words, false, vec![busier], &[]), [""; 0]);
    // What is on its way is told of once it has arrived.
    let starting = row("orders", "starting", Some(8082), &Value::Null);
    assert_eq!(hear(&mut words, false, vec![starting], &[]), [""; 0]);
    let ready = ["cart", "orders", "mailer"].map(|name| row(name, "ready", None, &Value::Null));
    let said = hear(&mut words, false, ready.into(), &["the manifest has a problem\nnagaya.yaml:4"]);
    let known = [
        "cart is ready",
        "orders is ready",
        "mailer is ready",
        "the manifest has a problem",
        "shop: all 7 instances are as they should be",
    ];
    assert_eq!(said, known);
    let second = row("web", "failed", None, &json!({ "instance": 2, "reason": "a\u{1b}[31mb" }));
    let said = hear(&mut words, true, vec![row("web", "ready", None, &Value::Null), second], &[]);
    assert_eq!(said[..2], ["web#2 has failed: ab", "users is gone"], "{said:?}");
}

#[test]
fn lines_are_said_with_whose_they_are() {
    let mut line = lines().remove(0);
    (line.instance, line.text) = (2, "\u{1b}[1mup\u{85}".to_owned());
    assert_eq!(spoken("web", &line), "web#2: up·");
}
