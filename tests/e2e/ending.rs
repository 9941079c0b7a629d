//! The dashboard of a workspace that is stopped from elsewhere, or whose engine is killed, in a real terminal.

use std::fs;

use super::terminal::Terminal;
use crate::support::sandbox::{Account, Sandbox, signal};

const MANIFEST: &str = r#"
name: term
services:
  web: { command: "echo hello from web; exec sleep infinity" }
  users: { command: "echo hello from users; exec sleep infinity" }
"#;

/// `docker compose up` ends when all that it ran has been stopped; the `up` that owns an engine does too.
#[test]
fn an_up_whose_workspace_is_stopped_from_elsewhere_ends_well() {
    let sandbox = Sandbox::new(MANIFEST);
    for palette in [false, true] {
        let terminal = Terminal::open(&sandbox, (80, 24), "up");
        terminal.shows("2/2 ready");
        match palette {
            true => terminal.press(&[":", "dow", "n", "Enter"]),
            false => drop(sandbox.nagaya(&["down"]).good()),
        }
        terminal.shows("term was stopped, and is down");
        terminal.shows("ended with 0");
        assert!(!terminal.has("unexpectedly"));
    }
}

#[test]
fn an_engine_that_was_killed_is_started_again_from_the_dashboard() {
    // `up` alone would be an arrow key for tmux.
    for keys in [&["U"][..], &[":", "u", "p", "Enter"]] {
        let sandbox = Sandbox::new(MANIFEST);
        let terminal = Terminal::open(&sandbox, (80, 24), "up");
        terminal.shows("2/2 ready");
        terminal.shows("hello from web");
        signal("KILL", u32::try_from(sandbox.engine()["pid"].as_u64().unwrap()).unwrap());
        terminal.shows("the engine was killed, with all that it ran  U starts it again");
        assert!(!terminal.has("● running"));
        terminal.press(keys);
        terminal.shows("2/2 ready");
        // It is the workspace's own, found from its folder, and all is told by it.
        sandbox.nagaya(&["ps"]).good();
        // How wide the dashboard is is no business of services.
        let has = fs::read(format!("/proc/{}/environ", sandbox.row("web")["pid"])).unwrap();
        assert!(!String::from_utf8_lossy(&has).contains("COLUMNS="));
        terminal.press(&["1"]);
        terminal.shows("● running");
        terminal.press(&["x"]);
        terminal.shows("· stopped");
        terminal.press(&["q"]);
        if keys == ["U"] {
            terminal.shows("Stop the workspace, or leave it running?");
            terminal.press(&["l"]);
        }
        // One that was typed is nobody's: who leaves is not asked.
        terminal.shows("ended with 0");
        assert_eq!(sandbox.row("users")["state"], "running");
        sandbox.nagaya(&["down"]).good();
    }
}

/// As the first one was: of the same manifest, with the same profiles, and ended by the same key.
#[test]
fn an_engine_that_is_started_again_is_its_ups_own_as_the_first_one_was() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "");
        let more = "  more: { command: sleep infinity, profiles: [extra] }\n";
        sandbox.write("sub/other.yaml", &(MANIFEST.to_owned() + more));
        let terminal = Terminal::open(&sandbox, (80, 24), "-C sub -f other.yaml up --profile extra");
        terminal.shows("3/3 ready");
        let engine = || sandbox.engine()["pid"].as_u64();
        signal("KILL", u32::try_from(engine().unwrap()).unwrap());
        terminal.shows("U starts it again");
        terminal.press(&["U"]);
        terminal.shows("3/3 ready");
        // It counts as ours from the first word of it on.
        terminal.press(&["C-c"]);
        terminal.shows("term is down");
        terminal.shows("ended with 0");
        // Nor does it outlive a terminal that closes.
        drop(terminal);
        let terminal = Terminal::open(&sandbox, (80, 24), "-C sub -f other.yaml up --profile extra");
        terminal.shows("3/3 ready");
        signal("KILL", u32::try_from(engine().unwrap()).unwrap());
        terminal.shows("U starts it again");
        terminal.press(&["U"]);
        terminal.shows("3/3 ready");
        drop(terminal);
        sandbox.empties();
    }
}
