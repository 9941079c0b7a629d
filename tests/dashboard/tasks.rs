//! What came of tasks, beside each of them.

use crossterm::event::KeyCode;
use jiff::{SignedDuration, Timestamp};
use nagaya::tui::{App, Ask, Kept, Msg, Task, frame, text};
use serde_json::{Value, json};

use super::fixture::{app, full_app, key, noon, row, rows, screen, tasks, type_text};

fn seconds(count: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(count)
}

/// What the page says at a time of a task.
fn said(app: &mut App, task: &str, now: Timestamp) -> String {
    let shown = text(&frame(app, (80, 24), now));
    let line = shown.lines().find(|line| line.trim_start_matches('│').starts_with(task));
    let line = line.unwrap_or_else(|| panic!("no {task} in\n{shown}"));
    line.chars().skip(1 + 10).take(14).collect::<String>().trim().to_owned()
}

/// Runs the first of the tasks and comes back to them.
fn run(app: &mut App, task: &str) {
    assert_eq!(key(app, KeyCode::Enter), Some(Ask::Run(vec!["run".to_owned(), task.to_owned()])));
    key(app, KeyCode::Esc);
}

#[test]
fn a_run_is_told_beside_its_task_while_it_runs_and_when_it_has_ended() {
    let mut app = full_app();
    type_text(&mut app, "6");
    assert_eq!(said(&mut app, "migrate", noon()), "not run here");
    assert_eq!(app.redraw_at, None, "nothing changes by itself");
    run(&mut app, "nagaya:migrate");
    assert_eq!(said(&mut app, "migrate", noon()), "running");
    assert_eq!(app.redraw_at, None, "it tells when it ends");
    app.update(Msg::Ended(Some(0)));
    assert_eq!(said(&mut app, "migrate", noon()), "done 0s ago");
    assert_eq!(app.redraw_at, Some(seconds(1)));
    assert_eq!(said(&mut app, "migrate", seconds(3)), "done 3s ago");
    assert_eq!(said(&mut app, "migrate", seconds(125)), "done 2m ago");
    assert_eq!(app.redraw_at, Some(seconds(180)), "nobody looks again before it is another text");
    assert_eq!(said(&mut app, "build", seconds(125)), "not run here");
    run(&mut app, "nagaya:migrate");
    app.update(Msg::Ended(Some(7)));
    assert_eq!(said(&mut app, "migrate", seconds(200)), "failed 0s ago");
    run(&mut app, "nagaya:migrate");
    // By Ctrl-C.
    app.update(Msg::Ended(None));
    assert_eq!(said(&mut app, "migrate", seconds(300)), "ended 0s ago");
    insta::assert_snapshot!("outcomes", screen(&mut app, 80, 24));
}

#[test]
fn a_run_that_was_typed_counts_and_one_that_only_looks_does_not() {
    let typed = |app: &mut App, words: &str, code: i32| {
        type_text(app, ":");
        type_text(app, words);
        assert!(key(app, KeyCode::Enter).is_some(), "{words} runs");
        app.update(Msg::Ended(Some(code)));
        key(app, KeyCode::Esc);
    };
    let mut app = full_app();
    type_text(&mut app, "6");
    typed(&mut app, "run npm:test --dry-run", 0);
    typed(&mut app, "run --graph=dot build ", 0);
    typed(&mut app, "ps lint ", 1);
    for task in ["test", "build", "lint"] {
        assert_eq!(said(&mut app, task, noon()), "not run here");
    }
    // By a short name; what is behind `--` is no task.
    typed(&mut app, "run build -- lint ", 0);
    assert_eq!([said(&mut app, "build", noon()), said(&mut app, "lint", noon())], ["done 0s ago", "not run here"]);
    // Which of several failed is not known.
    typed(&mut app, "run npm:test make:lint ", 1);
    assert_eq!([said(&mut app, "test", noon()), said(&mut app, "lint", noon())], ["not run here", "not run here"]);
    typed(&mut app, "run npm:test make:lint ", 0);
    assert_eq!([said(&mut app, "test", noon()), said(&mut app, "lint", noon())], ["done 0s ago", "done 0s ago"]);
}

#[test]
fn results_of_earlier_runs_are_asked_for_while_somebody_looks() {
    let mut app = app(false, true);
    let mut all = tasks();
    (all[0].keeps, all[1].keeps) = (true, true);
    app.update(Msg::Tasks(Ok(all)));
    assert_eq!(app.wants().kept, None, "nobody looks");
    type_text(&mut app, "6");
    let names = || vec!["nagaya:migrate".to_owned(), "npm:build".to_owned()];
    assert_eq!(app.wants().kept, Some((0, names())));
    app.update(Msg::Kept(vec![("nagaya:migrate".to_owned(), Kept::There), ("npm:build".to_owned(), Kept::Changed)]));
    assert_eq!([said(&mut app, "migrate", noon()), said(&mut app, "build", noon())], ["kept", "changed since"]);
    assert_eq!(said(&mut app, "test", noon()), "not run here");
    // A run makes results, so they are asked for again.
    run(&mut app, "nagaya:migrate");
    assert_eq!(app.wants().kept, Some((0, names())));
    app.update(Msg::Ended(Some(0)));
    assert_eq!(app.wants().kept, Some((1, names())));
    type_text(&mut app, "1");
    assert_eq!(app.wants().kept, None);
}

#[test]
fn a_list_without_room_says_what_is_below_and_above() {
    let mut app = full_app();
    let one = tasks().remove(1);
    let named = |number: usize| Task { id: format!("npm:t{number}"), name: format!("t{number}"), ..one.clone() };
    app.update(Msg::Tasks(Ok((0..40).map(named).collect())));
    type_text(&mut app, "6");
    assert!(screen(&mut app, 80, 24).contains(" 21 more below "));
    type_text(&mut app, "G");
    assert!(screen(&mut app, 80, 24).contains(" 21 more above "));
}

#[test]
fn what_the_engine_runs_is_told_too() {
    let mut app = full_app();
    type_text(&mut app, "6");
    for (state, told) in
        [("running", "running"), ("completed", "done"), ("failed", "failed"), ("stopped", "not run here")]
    {
        let task = json!({ "kind": "task", "needed_by": ["web"] });
        app.update(rows(vec![row("web", "ready", None, &Value::Null), row("migrate", state, None, &task)]));
        assert_eq!(said(&mut app, "migrate", noon()), told);
    }
}
