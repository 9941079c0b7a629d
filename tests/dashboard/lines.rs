//! Lines of services: from when they are shown, in which colours, and what is said before any has come.

use crossterm::event::KeyCode;
use jiff::{SignedDuration, Timestamp};
use nagaya::telemetry::logs::Line;
use nagaya::tui::{App, Ask, Keymap, Msg, Theme, Workspace};
use ratatui::style::{Color, Modifier};

use super::fixture::{app, full_app, key, lines, screen, terminal, type_text};

fn written(time: Timestamp, text: &str) -> (String, Line) {
    let mut line = lines().remove(0);
    (line.time, line.text) = (time, text.to_owned());
    ("cart".to_owned(), line)
}

/// At the call of cart in the first trace, which failed.
fn at_a_call() -> App {
    let mut app = full_app();
    type_text(&mut app, "4/cart");
    key(&mut app, KeyCode::Enter);
    key(&mut app, KeyCode::Enter);
    type_text(&mut app, "G");
    app
}

#[test]
fn a_request_leads_to_the_lines_of_its_time() {
    let mut app = at_a_call();
    key(&mut app, KeyCode::Enter);
    assert_eq!(app.wants().logs, ["cart"]);
    let began = app.wants().logs_from.expect("its time is asked for");
    let second = |count: i64| began + SignedDuration::from_secs(count);
    let all = (-200..200).map(|count| written(second(count), &format!("at {count} s"))).collect();
    app.update(Msg::LinesFrom(began, app.wants().logs, all));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("at 0 s") && shown.contains("at -5 s") && !shown.contains("at 199 s"), "{shown}");
    assert!(shown.contains(" line 209 of 400 "), "{shown}");
    // Those that were asked for before come too late.
    app.update(Msg::Lines(app.wants().logs, vec![written(second(500), "of another feed")]));
    // What comes later moves nothing, and one goes on from there.
    app.update(Msg::LinesFrom(began, app.wants().logs, vec![written(second(300), "later")]));
    assert!(screen(&mut app, 80, 24).contains("at 0 s"));
    type_text(&mut app, "G");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("later") && !shown.contains("of another feed"), "{shown}");
    // The same one once more is at the same place, with the lines that are there.
    key(&mut app, KeyCode::Esc);
    key(&mut app, KeyCode::Enter);
    assert!(screen(&mut app, 80, 24).contains("at 0 s"));
    // From elsewhere the log is at its end.
    type_text(&mut app, "1");
    assert_eq!((app.wants().logs, app.wants().logs_from), (vec!["web".to_owned()], None));
}

#[test]
fn the_lines_of_the_request_that_one_came_for_are_marked() {
    let mut app = at_a_call();
    key(&mut app, KeyCode::Enter);
    let began = app.wants().logs_from.unwrap();
    let at = |millis: i64, text: &str| written(began + SignedDuration::from_millis(millis), text);
    let marked = |app: &mut App| {
        let shown = screen(app, 80, 24);
        let lines = shown.lines().filter_map(|line| line.split_once("│▶ ")).map(|(_, line)| line.to_owned());
        lines.map(|line| line.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    app.update(Msg::LinesFrom(
        began,
        app.wants().logs,
        vec![at(-40, "long before"), at(9, "asks db"), at(90, "another one")],
    ));
    assert_eq!(marked(&mut app), ["asks db"]);
    assert!(screen(&mut app, 80, 24).contains(" ▶ while it was served "));
    // Where lines have the id, they are the ones.
    app.update(Msg::LinesFrom(began, app.wants().logs, vec![at(95, "empty cart id=r-1015")]));
    assert_eq!(marked(&mut app), ["empty cart"]);
    assert!(screen(&mut app, 80, 24).contains(" ▶ of this request "));
    // Elsewhere nothing is.
    type_text(&mut app, "2");
    app.update(Msg::Lines(app.wants().logs, vec![at(96, "id=r-1015")]));
    assert!(!screen(&mut app, 80, 24).contains('▶'));
}

#[test]
fn lines_that_come_in_pieces_are_sought_through_to_the_end() {
    let mut app = at_a_call();
    key(&mut app, KeyCode::Enter);
    let began = app.wants().logs_from.unwrap();
    let piece = |from: i64| {
        let line = |count: i64| written(began + SignedDuration::from_secs(count), &format!("at {count} s"));
        (from..from + 100).map(line).collect()
    };
    for from in [-200, -100, 0, 100] {
        app.update(Msg::LinesFrom(began, app.wants().logs, piece(from)));
    }
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("at 0 s") && shown.contains(" line 209 of 400 "), "{shown}");
}

#[test]
fn what_one_came_for_stays_however_much_is_written_since() {
    let mut app = at_a_call();
    key(&mut app, KeyCode::Enter);
    let began = app.wants().logs_from.unwrap();
    let line = |count: i64| written(began + SignedDuration::from_millis(count), &format!("at {count} ms"));
    for from in (-1000..20_000).step_by(1000) {
        app.update(Msg::LinesFrom(began, app.wants().logs, (from..from + 1000).map(line).collect()));
    }
    assert!(screen(&mut app, 80, 24).contains("at 0 ms"));
    // The end is not among what has room: it is read anew.
    type_text(&mut app, "G");
    assert_eq!((app.wants().logs, app.wants().logs_from), (vec!["cart".to_owned()], None));
    assert!(screen(&mut app, 80, 24).contains("│reading "));
    app.update(Msg::Lines(app.wants().logs, vec![line(30_000)]));
    assert!(screen(&mut app, 80, 24).contains("at 30000 ms"));
}

#[test]
fn colours_that_a_service_writes_are_shown() {
    const TEXT: &str = "a \x1b[32mgreen\x1b[0m \x1b[38;5;208mone\x1b[m \x1b[1;38;2;1;2;3mtrue\x1b[0m end";
    let shown = |colors: bool, keys: &str| {
        let mut app = app(false, colors);
        type_text(&mut app, keys);
        app.update(Msg::Lines(app.wants().logs, vec![written(super::fixture::noon(), TEXT)]));
        terminal(&mut app, 80, 24).backend().buffer().clone()
    };
    // The colours of a word, wherever it is.
    let of = |buffer: &ratatui::buffer::Buffer, word: &str| {
        let cells = &buffer.content;
        let letters: Vec<String> = word.chars().map(|c| c.to_string()).collect();
        let place =
            cells.windows(letters.len()).position(|cells| cells.iter().zip(&letters).all(|(a, b)| a.symbol() == b));
        let cell = &cells[place.unwrap_or_else(|| panic!("{word} is shown"))];
        (cell.fg, cell.modifier)
    };
    for keys in ["2t", "2tw"] {
        let with = shown(true, keys);
        assert_eq!(of(&with, "green").0, Color::Indexed(2));
        assert_eq!(of(&with, "one").0, Color::Indexed(208));
        assert_eq!(of(&with, "true"), (Color::Rgb(1, 2, 3), Modifier::BOLD));
        assert_eq!(of(&with, " end"), (Color::Reset, Modifier::empty()));
    }
    let without = shown(false, "2t");
    for word in ["green", "one", "true"] {
        assert_eq!(of(&without, word), (Color::Reset, Modifier::empty()));
    }
}

#[test]
fn colours_stay_where_they_are_in_lines_that_are_broken_and_searched() {
    let mut app = app(false, true);
    type_text(&mut app, "2tw");
    let text = format!("{}\x1b[31mred\x1b[0m {}", "x".repeat(60), "y".repeat(60));
    app.update(Msg::Lines(app.wants().logs, vec![written(super::fixture::noon(), &text)]));
    type_text(&mut app, "/dyy");
    key(&mut app, KeyCode::Enter);
    type_text(&mut app, "/ed y");
    key(&mut app, KeyCode::Enter);
    let shown = terminal(&mut app, 60, 24);
    let buffer = shown.backend().buffer();
    let red: String =
        buffer.content.iter().filter(|cell| cell.fg == Color::Indexed(1)).map(|cell| cell.symbol()).collect();
    let found: String =
        buffer.content.iter().filter(|cell| cell.bg == Color::Yellow).map(|cell| cell.symbol()).collect();
    assert_eq!((red.as_str(), found.as_str()), ("r", "ed y"));
}

#[test]
fn before_anything_was_read_nobody_says_that_nothing_was_written() {
    // Nor of services before the first word of the engine.
    let workspace = Workspace { name: "shop".to_owned(), url: String::new(), owned: false, up: None };
    let mut fresh = App::new(workspace, Theme { colors: false }, Keymap::default());
    let shown = screen(&mut fresh, 80, 24);
    assert!(shown.contains("│asking ") && shown.contains("│reading ") && !shown.contains("nothing written"), "{shown}");
    fresh.update(super::fixture::rows(Vec::new()));
    assert!(screen(&mut fresh, 80, 24).contains("│no service has been asked for yet "));

    let mut app = app(false, true);
    type_text(&mut app, "2");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("│reading ") && !shown.contains("nothing written"), "{shown}");
    app.update(Msg::Lines(app.wants().logs, Vec::new()));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("│nothing written yet "), "{shown}");
}

#[test]
fn a_message_of_several_lines_is_copied_whole() {
    let copied = |lines: &[(&str, &str, bool)], keys: &str| {
        let mut app = app(false, true);
        type_text(&mut app, "2");
        let line = |(service, text, continues): &(&str, &str, bool)| {
            let (_, mut line) = written(super::fixture::noon(), text);
            line.continues = *continues;
            ((*service).to_owned(), line)
        };
        app.update(Msg::Lines(app.wants().logs, lines.iter().map(line).collect()));
        type_text(&mut app, keys);
        match key(&mut app, KeyCode::Char('y')) {
            Some(Ask::Copy(text)) => (text, screen(&mut app, 80, 24)),
            other => panic!("{other:?}"),
        }
    };
    // What another service writes meanwhile is no part of it.
    let json = [
        ("cart", "starting", false),
        ("cart", "{", false),
        ("cart", "  \"items\": [", false),
        ("web", "GET / 200", false),
        ("cart", "    1", false),
        ("cart", "  ]", false),
        ("cart", "}", false),
    ];
    let whole = "{\n  \"items\": [\n    1\n  ]\n}";
    for keys in ["G", "Gk", "Gkkkk"] {
        let (text, shown) = copied(&json, keys);
        assert_eq!(text, whole, "{keys}");
        assert!(shown.contains(" copied 5 lines: { "), "{shown}");
    }
    assert_eq!(copied(&json[..4], "G").0, "GET / 200");
    // What is not whole is no object.
    assert_eq!(copied(&json[..3], "G").0, "  \"items\": [");
    assert_eq!(copied(&json[4..], "G").0, "}");
    // A line that is too long for one record.
    let long = [("cart", "one ", true), ("cart", "two ", true), ("web", "x", false), ("cart", "three", false)];
    for keys in ["G", "Gkk"] {
        assert_eq!(copied(&long, keys).0, "one two three");
    }
}
