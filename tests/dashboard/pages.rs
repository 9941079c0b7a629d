//! Every page, at the usual sizes and in the states that matter.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nagaya::runtime::Changes;
use nagaya::tui::{App, Ask, Msg, Page};
use serde_json::{Value, json};

use super::fixture::{
    end, explanation, flow, full_app, key, lines, newest, output, ran, request, row, screen, type_text,
};

/// Compares both usual sizes of what is shown now.
fn check(name: &str, app: &mut App) {
    for (width, height) in [(80, 24), (160, 50)] {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(app, width, height));
    }
}

fn go(app: &mut App, keys: &str) {
    type_text(app, keys);
}

fn with_rows(rows: Vec<nagaya::view::Service>) -> App {
    let mut app = full_app();
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: rows, notices: Vec::new() }));
    app
}

#[test]
fn services_while_they_start_and_when_all_is_well() {
    let starting = ["web", "users", "db"].map(|name| {
        let reason = if name == "web" { json!({ "reason": "waits for users" }) } else { Value::Null };
        row(name, if name == "web" { "waiting" } else { "starting" }, Some(8080), &reason)
    });
    insta::assert_snapshot!("starting", screen(&mut with_rows(starting.into()), 80, 24));
    let well = ["web", "users", "db"].map(|name| row(name, "ready", Some(8080), &Value::Null));
    insta::assert_snapshot!("all_well", screen(&mut with_rows(well.into()), 80, 24));
    insta::assert_snapshot!("empty", screen(&mut with_rows(Vec::new()), 80, 24));
}

#[test]
fn several_instances_are_one_row() {
    let failing = json!({ "instance": 2, "reason": "exited with 1", "settled": false, "cpu_percent": null });
    let mut app = with_rows(vec![
        row("web", "ready", Some(8080), &json!({ "cpu_percent": 2.0 })),
        row("web", "backoff", Some(8080), &failing),
        row("web", "ready", Some(8080), &json!({ "instance": 3, "cpu_percent": 3.5 })),
    ]);
    let shown = screen(&mut app, 160, 24);
    assert!(shown.contains("2/3") && shown.contains("5.5%"), "{shown}");
    assert!(shown.contains("#2 waits to be started again: exited with 1"), "{shown}");
}

#[test]
fn why_leads_to_the_culprit_and_back() {
    let mut app = full_app();
    go(&mut app, "jjjjje");
    assert_eq!(app.wants().why.as_deref(), Some("mailer"));
    app.update(Msg::Why("mailer".to_owned(), Box::new(Ok(explanation()))));
    check("why", &mut app);
    go(&mut app, "j");
    assert_eq!(key(&mut app, KeyCode::Char('r')), Some(Ask::Restart("orders".to_owned())));
    key(&mut app, KeyCode::Enter);
    assert_eq!(app.wants().logs, ["orders"]);
    key(&mut app, KeyCode::Esc);
    assert_eq!(app.wants().why.as_deref(), Some("mailer"));
    key(&mut app, KeyCode::Esc);
    assert_eq!(app.wants().why, None);
}

#[test]
fn the_topology_is_drawn_or_listed() {
    let mut app = full_app();
    go(&mut app, "3");
    assert!(app.wants().graph.is_some());
    check("topology", &mut app);
    go(&mut app, "lv");
    insta::assert_snapshot!("topology_list", screen(&mut app, 80, 40));
    key(&mut app, KeyCode::Enter);
    assert_eq!(app.wants().logs, ["users"], "the first whom web calls");
}

#[test]
fn requests_are_filtered_and_lead_to_their_trace() {
    let mut app = full_app();
    go(&mut app, "4");
    assert!(app.wants().requests);
    check("requests", &mut app);
    go(&mut app, "/cart");
    key(&mut app, KeyCode::Enter);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("1 of 6") && !shown.contains("orders"), "{shown}");
    key(&mut app, KeyCode::Enter);
    check("trace", &mut app);
    go(&mut app, "jj");
    assert!(screen(&mut app, 80, 24).contains("users → db"));
    assert_eq!(key(&mut app, KeyCode::Char('y')), Some(Ask::Copy("4bf92f3577b34da6a3ce929d0e0e4736".to_owned())));
    key(&mut app, KeyCode::Esc);
    key(&mut app, KeyCode::Esc);
    assert!(screen(&mut app, 80, 24).contains("503"), "the filter is gone");
}

#[test]
fn a_selected_request_stays_while_others_come() {
    let mut app = full_app();
    go(&mut app, "4kkk");
    assert_eq!(key(&mut app, KeyCode::Char('y')), Some(Ask::Copy("r-1005".to_owned())));
    let more = (0..20).map(|n| request("web", "users", "/more", 5000 + n, 1.0, &Value::Null)).collect();
    app.update(Msg::Requests { first: false, requests: more });
    assert_eq!(key(&mut app, KeyCode::Char('y')), Some(Ask::Copy("r-1005".to_owned())));
    go(&mut app, "G");
    assert_eq!(key(&mut app, KeyCode::Char('y')), Some(Ask::Copy("r-5019".to_owned())));
}

#[test]
fn a_canary_moves_by_keys() {
    let mut app = full_app();
    go(&mut app, "5");
    check("routes", &mut app);
    let words = |text: &str| Some(text.to_owned());
    go(&mut app, "j");
    assert_eq!(ran(key(&mut app, KeyCode::Char('+'))), words("shift users users-v2=30"));
    // Keys add up while one is under way, and the last counts.
    assert_eq!(key(&mut app, KeyCode::Char('+')), None);
    assert_eq!(key(&mut app, KeyCode::Char('+')), None);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("40 %") && shown.contains("60 %"), "{shown}");
    assert_eq!(ran(end(&mut app, Some(0))), words("shift users users-v2=40"));
    assert_eq!(end(&mut app, Some(0)), None);
    assert_eq!(ran(key(&mut app, KeyCode::Char('-'))), words("shift users users-v2=35"));
    assert_eq!(end(&mut app, Some(0)), None);
    key(&mut app, KeyCode::Enter);
    go(&mut app, "25");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)), words("shift users users-v2=25"));
}

#[test]
fn a_typed_path_is_explained() {
    let mut app = full_app();
    go(&mut app, "5/users");
    assert_eq!(key(&mut app, KeyCode::Enter), Some(Ask::Explain("/svc/users".to_owned())));
    app.update(Msg::Explained("/svc/users".to_owned(), Ok("/svc/users\n  by entry 2".to_owned())));
    assert!(screen(&mut app, 80, 24).contains("by entry 2"));
    key(&mut app, KeyCode::Esc);
    assert!(!screen(&mut app, 80, 24).contains("by entry 2"));
}

#[test]
fn a_path_that_is_typed_whole_is_taken_whole() {
    for typed in ["/svc/users", "/#/local/users"] {
        let mut app = full_app();
        go(&mut app, "5/");
        go(&mut app, typed);
        assert_eq!(key(&mut app, KeyCode::Enter), Some(Ask::Explain(typed.to_owned())));
    }
    // What was typed into is a path that goes on.
    let mut app = full_app();
    go(&mut app, "5/users/v2");
    assert_eq!(key(&mut app, KeyCode::Enter), Some(Ask::Explain("/svc/users/v2".to_owned())));
}

#[test]
fn a_crash_is_explained_once() {
    let mut app = full_app();
    let told = json!({ "service": "orders", "state": "backoff", "ready": false, "blockers": [], "last_probe": null,
        "reason": "exited with 1, 13 times in a row; it is started again", "refused": [], "last_lines": [],
        "next": "it is started again in 12s", "lost_lines": 0 });
    app.show(Page::named("why:orders").unwrap());
    app.update(Msg::Why("orders".to_owned(), Box::new(Ok(serde_json::from_value(told).unwrap()))));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("│exited with 1, 13 times in a row; it is started again in 12s "), "{shown}");
    assert_eq!(shown.matches("it is started again").count(), 1, "{shown}");
}

#[test]
fn a_call_without_a_status_has_its_protocol_once() {
    let mut app = full_app();
    let call = json!({ "protocol": "tcp", "status": null, "method": null });
    app.update(Msg::Requests { first: true, requests: vec![request("worker", "store", "/", 1000, 4.0, &call)] });
    go(&mut app, "4");
    key(&mut app, KeyCode::Enter);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("worker → store, tcp ") && !shown.contains("tcp, tcp"), "{shown}");
}

#[test]
fn what_a_command_writes_is_broken_between_words() {
    let mut app = full_app();
    go(&mut app, ":ps");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("ps"));
    let words = (0..30).map(|number| format!("word-{number}")).collect::<Vec<_>>();
    output(&mut app, &[&words.join(" ")]);
    let shown = screen(&mut app, 50, 24);
    for word in words {
        assert!(shown.split([' ', '│']).any(|it| it == word), "{word} is whole in {shown}");
    }
}

#[test]
fn tasks_are_found_by_letters_and_run() {
    let mut app = full_app();
    go(&mut app, "6");
    assert!(app.wants().tasks);
    check("tasks", &mut app);
    go(&mut app, "/tst");
    key(&mut app, KeyCode::Enter);
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("run npm:test"));
    output(&mut app, &["npm:test | 12 passed", "\x1b[32mnpm:test\x1b[0m cached"]);
    assert_eq!(key(&mut app, KeyCode::Char(':')), None);
    key(&mut app, KeyCode::Esc);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.update(Msg::Key(control_c)), Some(Ask::EndRun(newest(&app))));
    end(&mut app, Some(1));
    insta::assert_snapshot!("output", screen(&mut app, 80, 24));
}

#[test]
fn the_palette_suggests_and_runs() {
    let mut app = full_app();
    go(&mut app, "j:rest");
    insta::assert_snapshot!("palette", screen(&mut app, 80, 24));
    key(&mut app, KeyCode::Enter);
    // The selected service comes first.
    key(&mut app, KeyCode::Char('u'));
    key(&mut app, KeyCode::Enter);
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("restart users"));
}

#[test]
fn the_palette_suggests_what_the_command_line_takes() {
    let mut app = full_app();
    go(&mut app, ":dtab hi");
    assert_eq!(key(&mut app, KeyCode::Enter), None);
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("dtab history"));
    end(&mut app, Some(0));
    key(&mut app, KeyCode::Esc);
    go(&mut app, ":help dtab g");
    assert!(screen(&mut app, 80, 24).contains("Print the routes"));
    key(&mut app, KeyCode::Esc);
    // A number is typed right behind the service.
    go(&mut app, ":scale us");
    assert_eq!(key(&mut app, KeyCode::Enter), None);
    go(&mut app, "3");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("scale users=3"));
}

#[test]
fn help_is_asked_for_in_the_palette() {
    let mut app = full_app();
    go(&mut app, ":help rest");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("Start new instances") && !shown.contains("Run tasks"), "{shown}");
    key(&mut app, KeyCode::Enter);
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("help restart"));
    assert_eq!(end(&mut app, Some(0)), None);
    key(&mut app, KeyCode::Esc);
    go(&mut app, ":help");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("help"));
}

#[test]
fn lines_are_filtered_by_words_and_level() {
    let mut app = full_app();
    go(&mut app, "2L");
    assert_eq!(app.wants().logs.len(), 8);
    app.update(Msg::Lines(app.wants().logs, lines().into_iter().map(|line| ("web".to_owned(), line)).collect()));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("WARN cart") && !shown.contains("GET /orders"), "{shown}");
    go(&mut app, "LL&GET");
    key(&mut app, KeyCode::Enter);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("GET /orders") && !shown.contains("WARN cart"), "{shown}");
    assert_eq!(key(&mut app, KeyCode::Char('y')), Some(Ask::Copy("INFO GET /orders 200 in 9 ms".to_owned())));
    go(&mut app, "L");
    assert!(screen(&mut app, 80, 24).contains("no such lines; Esc shows all"));
    key(&mut app, KeyCode::Esc);
    assert!(screen(&mut app, 80, 24).contains("WARN cart"));
    // The name of a service counts where there are several.
    go(&mut app, "&^web$");
    key(&mut app, KeyCode::Enter);
    assert!(screen(&mut app, 80, 24).contains("WARN cart"));
}

#[test]
fn json_is_laid_out_on_request() {
    let mut app = full_app();
    go(&mut app, "2p");
    let mut line = lines().remove(0);
    line.text = r#"{"level":"info","msg":"長屋 up","port":8080}"#.to_owned();
    app.update(Msg::Lines(app.wants().logs, vec![("web".to_owned(), line)]));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(r#"  "port": 8080"#), "{shown}");
}

#[test]
fn every_page_bears_every_size() {
    for page in "123456".chars() {
        let mut app = full_app();
        app.update(Msg::Flow(flow()));
        key(&mut app, KeyCode::Char(page));
        for (width, height) in [(30, 8), (31, 9), (45, 12), (59, 20), (76, 24), (100, 30), (119, 10), (300, 100)] {
            screen(&mut app, width, height);
        }
    }
}

#[test]
fn pages_have_names() {
    let mut app = full_app();
    app.show(Page::named("why:mailer").unwrap());
    assert_eq!(app.wants().why.as_deref(), Some("mailer"));
    app.show(Page::named("logs:web,users").unwrap());
    assert_eq!(app.wants().logs, ["web", "users"]);
    app.show(Page::named("tasks").unwrap());
    assert!(app.wants().tasks && app.wants().why.is_none());
    for wrong in ["", "why", "why:", "tasks:x", "servicez"] {
        assert_eq!(Page::named(wrong), None);
    }
}
