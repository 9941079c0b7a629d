//! `nagaya down --volumes`.

use crate::support::sandbox::{Account, Sandbox, until};

use super::terminal::Terminal;

const MANIFEST: &str = r#"
name: keeps
services:
  db:
    command: [sh, -c, 'mkdir -p "$NAGAYA_DATA_DIR"; test -e "$NAGAYA_DATA_DIR/kept" && echo old || echo fresh; touch "$NAGAYA_DATA_DIR/kept"; echo done; exec sleep 1000']
    stateful: true
    readiness: { log: done }
  cache:
    command: [sh, -c, 'mkdir -p "$NAGAYA_DATA_DIR"; touch "$NAGAYA_DATA_DIR/kept"; echo done; exec sleep 1000']
    readiness: { log: done }
  plain: { command: [sleep, '1000'] }
"#;

fn last(sandbox: &Sandbox) -> String {
    sandbox.nagaya(&["logs", "-n", "2", "db"]).good().out
}

#[test]
fn data_goes_with_a_word_and_never_without() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.up();
        sandbox.nagaya(&["snapshot", "save", "before"]).good();
        sandbox.nagaya(&["down"]).good();
        sandbox.up();
        assert!(last(&sandbox).contains("old"), "it outlives `down`");
        // Nobody is asked who is no person, and nothing is done.
        for words in
            [&["down", "--volumes"][..], &["down", "--volumes", "--no-input"], &["down", "--volumes", "--json"]]
        {
            let refused = sandbox.nagaya(words).ended(2);
            let said = [refused.out, refused.err].concat();
            assert!(said.contains("the data of cache, db") && said.contains("--yes"), "{said}");
        }
        assert_eq!(sandbox.row("db")["state"], "ready");
        let told = sandbox.nagaya(&["down", "--volumes", "--yes", "--json"]).good().json();
        assert_eq!((&told["stopped"], told["folders"].as_array().map(Vec::len)), (&"keeps".into(), Some(2)), "{told}");
        sandbox.empties();
        sandbox.up();
        assert!(last(&sandbox).contains("fresh"));
        // What was saved is there all the same; and a workspace that is down is asked about too.
        sandbox.nagaya(&["snapshot", "restore", "before"]).good();
        sandbox.nagaya(&["down"]).good();
        sandbox.nagaya(&["down", "--volumes", "-y"]).good().says(&["removed the data of cache, db"]);
        sandbox.nagaya(&["down", "--volumes"]).good().says(&["keeps has no data"]);
        sandbox.up();
        assert!(last(&sandbox).contains("fresh"));
        sandbox.nagaya(&["down", "-y", "--volumes"]).good();
    }
}

#[test]
fn at_a_terminal_it_asks() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (100, 20), "down --volumes");
    terminal.shows("keeps loses the data of cache, db, for good. Remove it? [y/N]");
    terminal.press(&["Enter"]);
    terminal.shows("nothing was stopped or removed");
    terminal.shows("ended with 1");
    assert_eq!(sandbox.row("db")["state"], "ready");
    drop(terminal);
    let terminal = Terminal::open(&sandbox, (100, 20), "down --volumes");
    terminal.shows("[y/N]");
    terminal.press(&["y", "Enter"]);
    terminal.shows("ended with 0");
    drop(terminal);
    sandbox.empties();
    sandbox.up();
    until("it has begun anew", || last(&sandbox).contains("fresh"));
}
