//! What has no room: where one is in it, what is left out, and why.

use crossterm::event::KeyCode;
use nagaya::runtime::Changes;
use nagaya::tui::{Ask, Msg};
use serde_json::{Value, json};

use super::fixture::{end, full_app, key, output, screen, type_text as go};

#[test]
fn long_output_tells_where_one_is_and_is_searched() {
    let mut app = full_app();
    go(&mut app, ":ps");
    key(&mut app, KeyCode::Enter);
    let lines: Vec<String> =
        (1..=100).map(|n| if n % 40 == 0 { format!("error {n}") } else { format!("line {n}") }).collect();
    output(&mut app, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    end(&mut app, Some(0));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" line 100 of 100  done ┐") && shown.contains(" 80 more above "), "{shown}");
    go(&mut app, "g");
    let shown = screen(&mut app, 80, 24);
    assert!(
        shown.contains(" line 20 of 100 ") && shown.contains(" 80 more below ") && shown.contains("│line 1 "),
        "{shown}"
    );
    go(&mut app, "G/error");
    key(&mut app, KeyCode::Enter);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("/error: 2 ") && shown.contains("line 80 of 100"), "{shown}");
    go(&mut app, "N");
    assert!(screen(&mut app, 80, 24).contains("line 40 of 100"));
    go(&mut app, "n");
    assert!(screen(&mut app, 80, 24).contains("line 80 of 100"));
    // What only follows is found as well.
    go(&mut app, "g/error 80");
    key(&mut app, KeyCode::Enter);
    assert!(screen(&mut app, 80, 24).contains("line 80 of 100"));
    // Out of the search first, then of the page.
    key(&mut app, KeyCode::Esc);
    let shown = screen(&mut app, 80, 24);
    assert!(!shown.contains("/error") && shown.contains("┌ ps "), "{shown}");
    key(&mut app, KeyCode::Esc);
    assert!(screen(&mut app, 80, 24).contains("┌ services "));
}

#[test]
fn what_is_typed_is_seen_at_its_end() {
    let mut app = full_app();
    let path = format!("/svc/{}/end", "長い/".repeat(40));
    go(&mut app, &format!("5/{path}"));
    for width in [80, 79] {
        let shown = screen(&mut app, width, 24);
        let foot = shown.lines().last().unwrap().trim_start_matches('"');
        let foot = foot.split('"').next().unwrap().trim_end();
        assert!(foot.starts_with(" path: …") && foot.ends_with("/end█"), "{foot}");
    }
    assert_eq!(key(&mut app, KeyCode::Enter), Some(Ask::Explain(path)), "all of it is meant");
}

/// What is read stays, however many are run meanwhile.
#[test]
fn output_that_is_shown_is_kept() {
    let mut app = full_app();
    for _ in 0..20 {
        go(&mut app, ":ps");
        key(&mut app, KeyCode::Enter);
        output(&mut app, &["what it wrote"]);
        end(&mut app, Some(0));
    }
    // Back to the first of them, and something is run behind it.
    go(&mut app, &"o".repeat(19));
    go(&mut app, "U");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("┌ ps ") && shown.contains("what it wrote"), "{shown}");
}

#[test]
fn what_there_is_to_say_is_said_whole() {
    let mut app = full_app();
    go(&mut app, "5");
    let why = "`http://web.shop.localhost:8080/users?id=1` is no path: a path begins with `/`, as in /svc/users; what leads \
               a request from the front door is its host";
    app.update(Msg::Explained("http".to_owned(), Err(why.to_owned())));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("is its host") && shown.contains("`http://web"), "{shown}");
}

#[test]
fn a_long_topology_tells_where_one_is_and_why_it_is_a_list() {
    let mut app = full_app();
    let names: Vec<Value> = (0..50).map(|n| json!({ "name": format!("node-{n:02}"), "kind": "process" })).collect();
    app.update(Msg::Graph(serde_json::from_value(json!({ "nodes": names, "edges": [] })).unwrap()));
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: Vec::new(), notices: Vec::new() }));
    go(&mut app, "3v");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" more below ") && shown.contains("┌ topology ─ 1 of "), "{shown}");
    let narrow = screen(&mut app, 60, 24);
    assert!(narrow.contains("┌ topology ─ 1 of "), "{narrow}");
    go(&mut app, "G");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" more above ") && !shown.contains("below"), "{shown}");
    // A chain is wider than any screen.
    let edges: Vec<Value> = (1..50)
        .map(|n| json!({ "from": format!("node-{:02}", n - 1), "to": format!("node-{n:02}"), "declared": true, "referenced": false, "condition": "ready" }))
        .collect();
    app.update(Msg::Graph(serde_json::from_value(json!({ "nodes": names, "edges": edges })).unwrap()));
    screen(&mut app, 160, 50);
    go(&mut app, "v");
    let shown = screen(&mut app, 160, 50);
    assert!(shown.contains(" it is a list, as the drawing is ") && shown.contains(" there is room for 158"), "{shown}");
}
