//! What came of tasks, beside each of them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp};
use nagaya::runtime::Changes;
use nagaya::tui::{App, Ask, Kept, Msg, Task, frame, text};
use serde_json::{Value, json};

use super::fixture::{
    app, end, full_app, key, newest, noon, output, ran, row, rows, screen, services, tasks, type_text,
};

fn seconds(count: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(count)
}

/// What the page says at a time of a task.
fn said(app: &mut App, task: &str, now: Timestamp) -> String {
    let shown = text(&frame(app, (80, 24), now));
    let line = shown.lines().find(|line| line.trim_start_matches('│').starts_with(task));
    let line = line.unwrap_or_else(|| panic!("no {task} in\n{shown}"));
    line.chars().skip(1 + 10).take(15).collect::<String>().trim().to_owned()
}

/// Runs the first of the tasks and comes back to them.
fn run(app: &mut App, task: &str) {
    assert_eq!(ran(key(app, KeyCode::Enter)), Some(format!("run {task}")));
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
    end(&mut app, Some(0));
    assert_eq!(said(&mut app, "migrate", noon()), "done 12:00:00");
    assert_eq!(said(&mut app, "migrate", seconds(125)), "done 12:00:00");
    // By the clock of whoever looks.
    app.zone = TimeZone::fixed(offset(9));
    assert_eq!(said(&mut app, "migrate", seconds(125)), "done 21:00:00");
    app.zone = TimeZone::UTC;
    assert_eq!(app.redraw_at, None, "it is the same text for good");
    assert_eq!(said(&mut app, "build", seconds(125)), "not run here");
    run(&mut app, "nagaya:migrate");
    end(&mut app, Some(7));
    assert_eq!(said(&mut app, "migrate", seconds(200)), "failed 12:03:20");
    run(&mut app, "nagaya:migrate");
    // By Ctrl-C.
    end(&mut app, None);
    assert_eq!(said(&mut app, "migrate", seconds(300)), "ended 12:05:00");
    insta::assert_snapshot!("outcomes", screen(&mut app, 80, 24));
}

fn interrupt(app: &mut App) -> Option<Ask> {
    app.update(Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)))
}

/// Whoever presses it means the run, which is over while the finger comes down.
#[test]
fn a_ctrl_c_that_comes_late_for_a_run_is_not_taken_for_all() {
    let at = |millis: i64| noon() + SignedDuration::from_millis(millis);
    for (owned, all, does) in [(true, Ask::Down, "stops everything"), (false, Ask::Leave, "leaves")] {
        let mut app = app(owned, true);
        type_text(&mut app, ":ps");
        key(&mut app, KeyCode::Enter);
        app.now = at(0);
        end(&mut app, Some(0));
        app.now = at(900);
        assert_eq!(interrupt(&mut app), None);
        let told = format!(" `ps` had ended already; a later Ctrl-c {does} ");
        assert!(screen(&mut app, 80, 24).contains(&told), "{told}");
        app.now = at(1100);
        assert_eq!(interrupt(&mut app), Some(all));
    }
    // A clock that is set back keeps nobody from leaving until it has caught up.
    let mut app = app(false, true);
    type_text(&mut app, ":ps");
    key(&mut app, KeyCode::Enter);
    app.now = at(0);
    end(&mut app, Some(0));
    app.now = at(-60_000);
    assert_eq!(interrupt(&mut app), Some(Ask::Leave));
    // One that is pressed twice ends the run and no more; on another page it never was the run's.
    let mut app = super::fixture::app(true, true);
    type_text(&mut app, ":ps");
    key(&mut app, KeyCode::Enter);
    app.now = at(0);
    assert_eq!(interrupt(&mut app), Some(Ask::EndRun(newest(&app))));
    end(&mut app, None);
    app.now = at(200);
    assert_eq!(interrupt(&mut app), None);
    key(&mut app, KeyCode::Esc);
    assert_eq!(interrupt(&mut app), Some(Ask::Down));
}

#[test]
fn a_run_that_was_typed_counts_and_one_that_only_looks_does_not() {
    let typed = |app: &mut App, words: &str, code: i32| {
        type_text(app, ":");
        type_text(app, words);
        assert!(key(app, KeyCode::Enter).is_some(), "{words} runs");
        end(app, Some(code));
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
    assert_eq!([said(&mut app, "build", noon()), said(&mut app, "lint", noon())], ["done 12:00:00", "not run here"]);
    // Which of several failed is not known.
    typed(&mut app, "run npm:test make:lint ", 1);
    assert_eq!([said(&mut app, "test", noon()), said(&mut app, "lint", noon())], ["not run here", "not run here"]);
    typed(&mut app, "run npm:test make:lint ", 0);
    assert_eq!([said(&mut app, "test", noon()), said(&mut app, "lint", noon())], ["done 12:00:00", "done 12:00:00"]);
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
    // Also of one that the engine has run for a service.
    let mut rows = services();
    let of_engine = rows.iter_mut().find(|row| row.name == "migrate").unwrap();
    of_engine.kind = "task".to_owned();
    app.update(Msg::Rows(Changes { version: 2, whole: true, services: rows, notices: Vec::new() }));
    assert_eq!(said(&mut app, "migrate", noon()), "kept");
    app.update(Msg::Kept(vec![("nagaya:migrate".to_owned(), Kept::Changed)]));
    assert_eq!(said(&mut app, "migrate", noon()), "changed since");
    // A run makes results, so they are asked for again.
    run(&mut app, "nagaya:migrate");
    assert_eq!(app.wants().kept, Some((0, names())));
    end(&mut app, Some(0));
    assert_eq!(app.wants().kept, Some((1, names())));
    type_text(&mut app, "1");
    assert_eq!(app.wants().kept, None);
}

#[test]
fn a_result_that_was_put_back_is_kept_and_one_whose_inputs_changed_is_old() {
    let mut app = full_app();
    type_text(&mut app, "6");
    run(&mut app, "nagaya:migrate");
    output(&mut app, &["3 tables", "migrate: from an earlier run, which took 2.1s"]);
    end(&mut app, Some(0));
    assert_eq!(said(&mut app, "migrate", noon()), "kept");
    // What was known before it ended is of the time before.
    run(&mut app, "nagaya:migrate");
    app.update(Msg::Kept(vec![("nagaya:migrate".to_owned(), Kept::Changed)]));
    end(&mut app, Some(0));
    assert_eq!(said(&mut app, "migrate", noon()), "done 12:00:00");
    app.update(Msg::Kept(vec![("nagaya:migrate".to_owned(), Kept::There)]));
    assert_eq!(said(&mut app, "migrate", seconds(2)), "done 12:00:00");
    app.update(Msg::Kept(vec![("nagaya:migrate".to_owned(), Kept::Changed)]));
    assert_eq!(said(&mut app, "migrate", seconds(3)), "changed since");
}

#[test]
fn what_a_run_needs_has_an_outcome_each() {
    let mut app = full_app();
    type_text(&mut app, "6");
    run(&mut app, "nagaya:migrate");
    output(
        &mut app,
        &["build   | compiling", "lint    | from an earlier run, which took 12ms", "build   | done in 1.2s"],
    );
    let now = |app: &mut App| ["migrate", "build", "lint", "test"].map(|task| said(app, task, noon()));
    assert_eq!(now(&mut app), ["running", "done 12:00:00", "kept", "not run here"]);
    output(&mut app, &["test    | failed with 2 after 3s", "migrate | not run: it needs test"]);
    end(&mut app, Some(2));
    assert_eq!(now(&mut app), ["not run", "done 12:00:00", "kept", "failed 12:00:00"]);
}

#[test]
fn tasks_run_beside_each_other_and_each_is_found_again() {
    let mut app = full_app();
    type_text(&mut app, "6");
    run(&mut app, "nagaya:migrate");
    output(&mut app, &["of migrate"]);
    let first = newest(&app);
    type_text(&mut app, "j");
    run(&mut app, "npm:build");
    output(&mut app, &["of build"]);
    assert_eq!([said(&mut app, "migrate", noon()), said(&mut app, "build", noon())], ["running", "running"]);
    assert!(screen(&mut app, 80, 24).contains(" Enter run "), "the keys stand where they stood");
    // What runs already is looked at, and ended, and not the other one.
    type_text(&mut app, "k");
    assert_eq!(key(&mut app, KeyCode::Enter), None);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("of migrate") && !shown.contains("of build"), "{shown}");
    assert_eq!(interrupt(&mut app), Some(Ask::EndRun(first)));
    app.update(Msg::Ended(first, None));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" ended ┐") && !shown.contains("failed"), "{shown}");
    key(&mut app, KeyCode::Esc);
    assert_eq!([said(&mut app, "migrate", noon()), said(&mut app, "build", noon())], ["ended 12:00:00", "running"]);
    end(&mut app, Some(1));
    // What one that has ended wrote is still there.
    type_text(&mut app, "jo");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("of build") && shown.contains(" failed with 1 "), "{shown}");
    type_text(&mut app, "o");
    assert!(screen(&mut app, 80, 24).contains("of migrate"));
    key(&mut app, KeyCode::Esc);
    type_text(&mut app, "jo");
    assert!(screen(&mut app, 80, 24).contains("this task was not run from here"));
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
