//! What the dashboard in a real terminal knows of the world around it: its size, its folder, the time.

use super::terminal::Terminal;
use crate::support::sandbox::{Account, Sandbox, until};

const MANIFEST: &str = r#"
name: place
services:
  web: { command: "echo hello from web; exec sleep infinity" }
tasks:
  width: { command: "echo it has $COLUMNS columns" }
  build: { command: "cat src > out", inputs: [src], outputs: [out] }
"#;

#[test]
fn how_long_a_service_has_been_up_goes_on_while_nothing_happens() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (120, 24), "ui");
    terminal.shows("hello from web");
    let up = || {
        let seconds = |word: &str| word.strip_suffix('s')?.parse::<f64>().ok();
        let screen = terminal.screen();
        screen.lines().find(|line| line.starts_with("│web "))?.split_whitespace().find_map(seconds)
    };
    until("it is shown", || up().is_some());
    let first = up().unwrap();
    until("it is up for six seconds more", || up().is_some_and(|now| now >= first + 6.0));
}

#[test]
fn a_command_has_the_width_of_its_page() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (70, 24), "ui");
    terminal.shows("hello from web");
    terminal.press(&[":", "run width --force", "Enter"]);
    terminal.shows("it has 68 columns");
}

#[test]
fn paths_that_are_typed_are_those_of_the_folder_in_which_it_was_started() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.write("other/Makefile", "found-by-its-path:\n\techo yes\n");
    sandbox.write("sub/below", "");
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (100, 24), "-C sub ui");
    terminal.shows("hello from web");
    terminal.press(&[":", "tasks ../other", "Enter"]);
    terminal.shows("found-by-its-path");
    terminal.shows("done");
    // What is about the workspace is so from there too.
    terminal.press(&["Escape"]);
    terminal.shows("hello from web");
    terminal.press(&[":", "run width", "Enter"]);
    terminal.shows("it has 98 columns");
}

#[test]
fn a_result_of_an_earlier_run_is_told_of_and_no_longer_when_its_inputs_change() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.write("src", "one");
        sandbox.up();
        let terminal = Terminal::open(&sandbox, (100, 24), "ui --view tasks");
        let said = |what: &str| {
            let is_said = |line: &str| line.starts_with("│build ") && line.contains(what);
            until(what, || terminal.screen().lines().any(is_said));
        };
        said("not run here");
        sandbox.nagaya(&["run", "build"]).good();
        terminal.press(&["1", "6"]);
        said(" kept ");
        // Nobody presses a key for that.
        sandbox.write("src", "two");
        said(" changed since ");
        terminal.press(&["/", "build", "Enter", "Enter"]);
        terminal.shows(" done ");
        terminal.press(&["Escape"]);
        said(" done ");
        sandbox.write("src", "three");
        said(" changed since ");
        sandbox.write("src", "two");
        said(" done ");
        let shown = sandbox.nagaya(&["ui", "--render", "text", "--view", "tasks"]).good().out;
        assert!(shown.lines().any(|line| line.starts_with("│build ") && line.contains(" kept ")), "{shown}");
    }
}

/// A family, a flag and a thumb: as wide as each terminal finds.
#[test]
fn nothing_stays_behind_of_what_terminals_find_differently_wide() {
    let sandbox = Sandbox::new("name: place\nservices:\n  sh: { command: cat, tty: true }\n");
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "ui");
    terminal.shows("1/1 ready");
    terminal.press(&["a"]);
    terminal.shows("Ctrl-q detaches");
    terminal.press(&["x 👩\u{200d}👩\u{200d}👧 🇯🇵 👍🏽 ❤\u{fe0f} typed", "Enter"]);
    until("it is written back", || terminal.screen().matches("typed").count() == 2);
    // Of the colour of a thumb this one knows nothing.
    let whole = ["👩\u{200d}👩\u{200d}👧", "🇯🇵", "❤\u{fe0f}"];
    whole.iter().for_each(|whole| terminal.shows(whole));
    terminal.press(&["C-q"]);
    // Over what was there is the log with the same lines, and then an empty page.
    until("one has detached", || !terminal.has("Ctrl-q detaches"));
    terminal.press(&["2"]);
    terminal.shows("f follow");
    whole.iter().for_each(|whole| terminal.shows(whole));
    terminal.press(&["6"]);
    terminal.shows("no task was found");
    let body = terminal.screen().lines().skip(3).take(19).map(str::to_owned).collect::<Vec<_>>();
    let blank = format!("│{}│", " ".repeat(78));
    assert!(body.iter().all(|line| *line == blank), "{body:#?}");
}
