//! README's first command.

use std::process::Command;

use crate::support::sandbox::{Account, Sandbox, finish};

/// The body of a page.
pub(super) fn get(url: &str) -> String {
    finish(Command::new("curl").args(["-sS", "--fail-with-body", "--max-time", "30", url])).good().out
}

#[test]
fn the_demo_needs_nothing_and_answers_with_a_page_that_all_made() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "");
        sandbox.nagaya(&["demo", "-d", "--wait", "--wait-timeout", "60s"]).good();
        let url = sandbox.nagaya(&["-p", "demo", "url", "web"]).good().out;
        let page = get(url.trim());
        for part in ["greeter", "quotes", "store", "clock"] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        let requests = sandbox.nagaya(&["-p", "demo", "requests", "--json"]).good().out;
        for edge in
            [r#""from":"(front door)","to":"web""#, r#""from":"web","to":"greeter""#, r#""from":"web","to":"store""#]
        {
            assert!(requests.contains(edge), "no {edge} in {requests}");
        }
        sandbox.nagaya(&["-p", "demo", "down"]).good();
        sandbox.empties();
    }
}

#[test]
fn the_demo_is_written_out_as_a_start() {
    let sandbox = Sandbox::new("");
    sandbox.nagaya(&["demo", "--write", "mine"]).good();
    sandbox.nagaya(&["-C", "mine", "check"]).good();
    sandbox.nagaya(&["demo", "--write", "mine"]).ended(1).says(&["is there already"]);
    sandbox.nagaya(&["-C", "mine", "up", "-d", "--wait", "greeter"]).good();
}
