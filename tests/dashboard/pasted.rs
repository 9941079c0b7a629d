//! What is pasted, and what is pressed before there is anything to press it for.

use crossterm::event::KeyCode;
use nagaya::tui::Msg;

use super::fixture::{full_app, key, ran, screen, tasks, type_text};

#[test]
fn what_is_pasted_is_text_and_never_keys() {
    let mut app = full_app();
    // `x` would stop a service, and `q` leave.
    assert!(app.update(Msg::Paste("jx\nq".to_owned())).is_none());
    assert!(screen(&mut app, 80, 24).contains("nothing here takes text"));
    type_text(&mut app, ":");
    assert!(app.update(Msg::Paste("ps\tusers\r\n--all\n".to_owned())).is_none());
    assert!(screen(&mut app, 80, 24).contains(":ps users --all"));
    assert_eq!(ran(key(&mut app, KeyCode::Enter)), Some("ps users --all".to_owned()));
}

#[test]
fn keys_that_come_before_the_list_of_tasks_mean_what_is_there_then() {
    let mut app = full_app();
    app.tasks.told = None;
    type_text(&mut app, "6j");
    assert!(key(&mut app, KeyCode::Enter).is_none());
    assert!(screen(&mut app, 80, 24).contains("the tasks are not listed yet"));
    app.update(Msg::Tasks(Ok(tasks())));
    let second = tasks().into_iter().filter(|task| !task.private && task.invoke.is_some()).nth(1).unwrap();
    assert_eq!(ran(key(&mut app, KeyCode::Enter)), Some(format!("run {}", second.id)));
}
