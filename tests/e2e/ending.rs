//! The dashboard of a workspace that is stopped from elsewhere, or whose engine is killed, in a real terminal.

use super::terminal::Terminal;
use crate::support::sandbox::{Sandbox, signal};

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
        terminal.press(&["1"]);
        terminal.shows("● running");
        terminal.press(&["x"]);
        terminal.shows("· stopped");
        // And nobody's: who leaves is not asked.
        terminal.press(&["q"]);
        terminal.shows("ended with 0");
        assert_eq!(sandbox.row("users")["state"], "running");
        sandbox.nagaya(&["down"]).good();
    }
}
