//! A service among many: found by its name, and what a table says that has no room for all.

use crossterm::event::KeyCode;
use nagaya::tui::{App, Ask};
use serde_json::{Value, json};

use super::fixture::{app, key, row, rows, screen, type_text};

/// A workspace of so many services, all of which are well.
fn of(count: usize) -> App {
    let mut app = app(false, true);
    let service = |number: usize| row(&format!("service-{number:03}"), "ready", None, &Value::Null);
    app.update(rows((0..count).map(service).collect()));
    key(&mut app, KeyCode::Char('g'));
    app
}

#[test]
fn a_service_is_found_among_many_by_its_name() {
    let mut app = of(200);
    type_text(&mut app, "/-15");
    // As one types.
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" /-15: 10 of 200 ") && !shown.contains("service-000"), "{shown}");
    assert_eq!(app.wants().logs, ["service-150"]);
    type_text(&mut app, "3");
    assert_eq!(app.wants().logs, ["service-153"]);
    key(&mut app, KeyCode::Backspace);
    // Enter keeps it, and keys are those of the table again.
    key(&mut app, KeyCode::Enter);
    type_text(&mut app, "jj");
    assert_eq!(app.wants().logs, ["service-155"]);
    type_text(&mut app, "G");
    assert_eq!(key(&mut app, KeyCode::Char('r')), Some(Ask::Restart("service-159".to_owned())));
    insta::assert_snapshot!("found", screen(&mut app, 80, 24));
    // Esc shows all again, and the selected one stays so.
    key(&mut app, KeyCode::Esc);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" 160 of 200 ") && shown.contains("service-159"), "{shown}");
    assert_eq!(app.wants().logs, ["service-159"]);
}

#[test]
fn capitals_do_not_matter_and_a_name_that_nobody_has_is_said_to_be_none() {
    let mut app = of(20);
    type_text(&mut app, "/ICE-01");
    assert!(screen(&mut app, 80, 24).contains(" /ICE-01: 10 of 20 "));
    type_text(&mut app, "x");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("no service has this in its name; Esc shows all"), "{shown}");
    assert!(shown.contains("20/20 ready"), "the workspace is what it was: {shown}");
    key(&mut app, KeyCode::Enter);
    assert_eq!(key(&mut app, KeyCode::Char('x')), None, "nobody is selected, so nobody is stopped");
    // Esc while one types has all again too.
    type_text(&mut app, "/7");
    key(&mut app, KeyCode::Esc);
    assert!(screen(&mut app, 80, 24).contains(" 8 of 20 "));
}

#[test]
fn what_fails_is_shown_though_it_was_not_looked_for() {
    let mut app = app(false, true);
    type_text(&mut app, "/web");
    key(&mut app, KeyCode::Enter);
    key(&mut app, KeyCode::Char('!'));
    assert_eq!(app.wants().logs, ["cart"]);
    assert!(screen(&mut app, 80, 24).contains("│cart "));
}

#[test]
fn a_table_without_room_says_what_is_below_and_above() {
    let mut app = of(13);
    insta::assert_snapshot!("more_below", screen(&mut app, 80, 24));
    type_text(&mut app, "jjjjjjjjj");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" 10 of 13 ") && shown.contains(" 2 above, 3 below "), "{shown}");
    type_text(&mut app, "G");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" 13 of 13 ") && shown.contains(" 5 more above "), "{shown}");
    // Where all have room there is nothing to say.
    let shown = screen(&mut app, 80, 50);
    assert!(!shown.contains(" of 13 ") && !shown.contains("above"), "{shown}");
}

#[test]
fn services_that_nobody_asked_for_are_not_waited_for() {
    let mut app = app(false, true);
    let off = json!({ "wanted": false });
    let mut all = vec![row("web", "ready", None, &Value::Null), row("users", "starting", None, &Value::Null)];
    all.extend(["mail", "search"].map(|name| row(name, "stopped", None, &off)));
    app.update(rows(all));
    assert!(screen(&mut app, 80, 24).contains(" 1/2 ready "));
    assert!(screen(&mut app, 20, 5).contains("shop 1/2"));
}
