//! An engine that ends: by somebody's wish, or by force; and one that comes in its place.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nagaya::runtime::Changes;
use nagaya::tui::{App, Ask, Ending, Msg};
use serde_json::json;

use super::fixture::{end, full_app, key, newest, output, ran, row, rows, screen, services, type_text as go};

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

/// Whoever owned it owns the one in its place, and it is started with the same words.
#[test]
fn an_up_starts_its_engine_again_as_its_own() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let again = || Msg::Rows(Changes { version: 3, whole: true, services: services(), notices: Vec::new() });
    for is_heard_of_first in [true, false] {
        let mut app = super::fixture::app(true, true);
        app.workspace.up = Some(words("-f other.yaml up web --profile p"));
        app.update(Msg::Gone(Ending::Killed));
        let asked = key(&mut app, KeyCode::Char('U'));
        assert_eq!(asked, Some(Ask::Again(newest(&app))));
        let told = if is_heard_of_first { [again(), Msg::Owned] } else { [Msg::Owned, again()] };
        told.into_iter().for_each(|it| drop(app.update(it)));
        end(&mut app, Some(0));
        assert_eq!(key(&mut app, KeyCode::Char('q')), None);
        assert!(screen(&mut app, 80, 24).contains("Stop the workspace, or leave it running?"));
        // Another one may be nobody's.
        key(&mut app, KeyCode::Esc);
        app.update(Msg::Gone(Ending::Killed));
        app.update(again());
        assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Leave));
    }
    // What goes wrong is shown, with what was asked for.
    let mut app = super::fixture::app(true, true);
    app.workspace.up = Some(words("up --profile p"));
    app.update(Msg::Gone(Ending::Killed));
    key(&mut app, KeyCode::Char('U'));
    output(&mut app, &["error: the manifest has 2 problems"]);
    end(&mut app, Some(3));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("┌ up --profile p ") && shown.contains("the manifest has 2 problems"), "{shown}");
}

/// An `up` of ours whose engine was killed, and which starts another.
fn starting_again() -> (App, u64) {
    let mut app = super::fixture::app(true, true);
    app.workspace.up = Some(["up", "--build"].map(str::to_owned).into());
    app.update(Msg::Gone(Ending::Killed));
    let asked = key(&mut app, KeyCode::Char('U'));
    let id = newest(&app);
    assert_eq!(asked, Some(Ask::Again(id)));
    (app, id)
}

/// Nobody leaves it, or loses it, unasked between the first word of it and the one that it is ours.
#[test]
fn an_engine_that_is_about_to_be_ours_is_taken_to_be() {
    let heard = || rows(services());
    // It is started once.
    let (mut app, id) = starting_again();
    assert_eq!(key(&mut app, KeyCode::Char('U')), None);
    app.update(heard());
    assert_eq!(app.interrupt(), Some(Ask::Down));
    // Who has it run on waits until it can.
    for told in [Msg::Owned, Msg::Ended(id, Some(0))] {
        let (mut app, _) = starting_again();
        app.update(heard());
        assert_eq!(key(&mut app, KeyCode::Char('q')), None);
        assert_eq!(key(&mut app, KeyCode::Char('l')), None);
        assert!(screen(&mut app, 80, 24).contains(" leaving when it has started "));
        assert_eq!(app.update(told), Some(Ask::Leave));
    }
    // Unless all is stopped meanwhile.
    let (mut app, _) = starting_again();
    app.update(heard());
    key(&mut app, KeyCode::Char('q'));
    key(&mut app, KeyCode::Char('l'));
    assert_eq!(app.interrupt(), Some(Ask::Down));
    assert_eq!(app.update(Msg::Owned), None);
    // Another `up` was faster: that one's it is.
    for is_heard_of_first in [true, false] {
        let (mut app, _) = starting_again();
        let told =
            if is_heard_of_first { [heard(), Msg::Ended(id, Some(0))] } else { [Msg::Ended(id, Some(0)), heard()] };
        told.into_iter().for_each(|it| drop(app.update(it)));
        assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Leave));
    }
}

#[test]
fn what_was_ours_and_is_gone_makes_no_other_ours() {
    let (mut app, id) = starting_again();
    app.update(Msg::Owned);
    app.update(Msg::Ended(id, Some(0)));
    // It was killed before anything else was heard of it, and somebody elsewhere starts one.
    app.update(Msg::Gone(Ending::Killed));
    app.update(rows(services()));
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Leave));
    // Its end is heard of before it is handed over.
    let (mut app, _) = starting_again();
    app.update(rows(services()));
    app.update(Msg::Gone(Ending::Killed));
    app.update(Msg::Owned);
    app.update(rows(services()));
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Leave));
}

#[test]
fn who_has_lost_what_it_owned_to_somebody_else_is_told() {
    let mut app = super::fixture::app(true, true);
    app.update(Msg::Gone(Ending::Killed));
    app.update(rows(services()));
    let told = " somebody else started it again: it runs on when this dashboard ends ";
    assert!(screen(&mut app, 80, 24).contains(told));
    assert_eq!(key(&mut app, KeyCode::Char('q')), Some(Ask::Leave));
}

#[test]
fn nobody_leaves_running_what_is_being_stopped() {
    let interrupt = || Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    let mut app = super::fixture::app(true, true);
    assert_eq!(app.update(interrupt()), Some(Ask::Down));
    assert_eq!(key(&mut app, KeyCode::Char('q')), None);
    assert_eq!(key(&mut app, KeyCode::Char('l')), None);
    assert_eq!(key(&mut app, KeyCode::Char('q')), None);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" stopping everything; Ctrl-c kills ") && !shown.contains("leave it running"), "{shown}");
    assert_eq!(app.update(interrupt()), Some(Ask::Kill));
}

/// Its other words were for when it began: `--build`, `--scale`, the only services to start.
#[test]
fn what_is_missing_is_started_by_a_plain_up() {
    let mut app = super::fixture::app(true, true);
    app.workspace.up = Some(["up", "web", "--build"].map(str::to_owned).into());
    assert_eq!(ran(key(&mut app, KeyCode::Char('U'))).as_deref(), Some("up -d"));
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

/// Of several commands each is read, whichever ends last.
#[test]
fn who_goes_with_the_engine_has_read_what_failed_before() {
    let mut app = full_app();
    for words in [":logs web", ":down"] {
        go(&mut app, words);
        key(&mut app, KeyCode::Enter);
    }
    let last = newest(&app);
    assert_eq!(app.update(Msg::Gone(Ending::Proper)), None);
    assert_eq!(app.update(Msg::Ended(last - 1, Some(1))), None);
    assert_eq!(app.update(Msg::Ended(last, Some(0))), None, "what failed is still to be read");
}

#[test]
fn a_run_that_goes_on_without_an_engine_can_still_be_ended() {
    let mut app = full_app();
    go(&mut app, ":run build ");
    key(&mut app, KeyCode::Enter);
    app.update(Msg::Gone(Ending::Killed));
    let shown = screen(&mut app, 100, 24);
    assert!(
        shown.contains(" the engine was killed, with all that it ran  Ctrl-c end it  U starts it again "),
        "{shown}"
    );
    end(&mut app, Some(0));
    assert!(!screen(&mut app, 100, 24).contains("end it"));
}

/// Those that are still to be stopped are not wanted any more, so none of them is waited for to be ready.
#[test]
fn while_all_is_stopped_it_is_said_how_many_are_left() {
    let gone = json!({ "wanted": false });
    let of = |states: [&str; 3]| {
        let names = ["web", "users", "db"].into_iter().zip(states);
        let rows = names.map(|(name, state)| row(name, state, None, &gone)).collect();
        Msg::Rows(Changes { version: 3, whole: true, services: rows, notices: Vec::new() })
    };
    let mut app = full_app();
    app.update(of(["stopping", "stopping", "ready"]));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" shop stopping, 3 left ") && !shown.contains("0/0"), "{shown}");
    app.update(of(["stopped", "stopped", "stopping"]));
    assert!(screen(&mut app, 80, 24).contains(" shop stopping, 1 left "));
    assert!(screen(&mut app, 20, 5).contains("shop stopping, 1"));
    // What was stopped one by one is no end.
    app.update(of(["stopped", "stopped", "stopped"]));
    assert!(!screen(&mut app, 80, 24).contains("stopping"));
    // One's own is known before the engine says so.
    let mut app = super::fixture::app(true, true);
    key(&mut app, KeyCode::Char('q'));
    assert_eq!(key(&mut app, KeyCode::Char('s')), Some(Ask::Down));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains(" shop stopping, 5 left ") && !shown.contains("/7 ready"), "{shown}");
}

#[test]
fn an_up_in_the_palette_leaves_the_showing_to_the_dashboard() {
    let mut app = full_app();
    go(&mut app, ":up");
    assert_eq!(ran(key(&mut app, KeyCode::Enter)).as_deref(), Some("up -d"));
}
