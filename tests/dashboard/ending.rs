//! An engine that ends: by somebody's wish, or by force; and one that comes in its place.

use crossterm::event::KeyCode;
use nagaya::runtime::Changes;
use nagaya::tui::{Ask, Ending, Msg};

use super::fixture::{end, full_app, key, output, ran, screen, services, type_text as go};

#[test]
fn an_engine_that_is_gone_is_said_to_be() {
    let mut app = full_app();
    assert_eq!(app.update(Msg::Gone(Ending::Killed)), None);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" shop the engine is gone "), "{shown}");
    assert!(shown.contains(" the engine was killed, with all that it ran  U starts it again "), "{shown}");
    // Nothing that was true of it is said any more, on any page.
    for page in "12345".chars() {
        key(&mut app, KeyCode::Char(page));
        let shown = screen(&mut app, 100, 30);
        assert!(!shown.contains("● ") && !shown.contains("/8 ready"), "{shown}");
        assert!(!shown.contains("reading") && !shown.contains("asking"), "{shown}");
    }
    assert!(screen(&mut app, 20, 5).contains("shop no engine"));
    key(&mut app, KeyCode::Char('1'));
    assert_eq!(key(&mut app, KeyCode::Char('r')), None);
    assert!(screen(&mut app, 80, 24).contains(" the engine is gone; U starts it again"));
    // Who steps back once too often stays.
    assert_eq!(key(&mut app, KeyCode::Esc), None);
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Close));
    // It is started from here; what goes wrong with that is shown.
    assert_eq!(ran(key(&mut app, KeyCode::Char('U'))).as_deref(), Some("up -d"));
    output(&mut app, &["error: the manifest has 2 problems"]);
    assert_eq!(end(&mut app, Some(3)), None);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("┌ up -d ") && shown.contains("the manifest has 2 problems"), "{shown}");
    key(&mut app, KeyCode::Esc);
    assert_eq!(ran(key(&mut app, KeyCode::Char('U'))).as_deref(), Some("up -d"));
    app.update(Msg::Rows(Changes { version: 3, whole: true, services: services(), notices: Vec::new() }));
    let shown = screen(&mut app, 80, 24);
    assert!(!shown.contains("the engine is gone") && shown.contains("● ready"), "{shown}");
    // That one is nobody's, so nobody is asked.
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Leave));
}

#[test]
fn after_a_proper_end_there_is_nothing_to_stay_for() {
    let mut app = full_app();
    assert_eq!(app.update(Msg::Gone(Ending::Proper)), Some(Ask::Close));
    // A command goes on to its end first, as `down --volumes` does, which was typed here.
    let mut app = full_app();
    go(&mut app, ":down --volumes");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("down --volumes"));
    assert_eq!(app.update(Msg::Gone(Ending::Proper)), None);
    assert!(screen(&mut app, 80, 24).contains(" everything was stopped "));
    assert_eq!(end(&mut app, Some(0)), Some(Ask::Close));
    // What it says is read first where it failed.
    let mut app = full_app();
    go(&mut app, ":down");
    key(&mut app, KeyCode::Enter);
    assert_eq!(app.update(Msg::Gone(Ending::Proper)), None);
    assert_eq!(end(&mut app, Some(1)), None);
    // However often the end is told.
    assert_eq!(app.update(Msg::Gone(Ending::Proper)), None);
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Close));
}

#[test]
fn an_up_in_the_palette_leaves_the_showing_to_the_dashboard() {
    let mut app = full_app();
    go(&mut app, ":up");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("up -d"));
}
