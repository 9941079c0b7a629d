//! The engine's word to those who show what it said: with each change, and with nothing else.

use std::fs;
use std::process::{Child, Stdio};

use crate::support::sandbox::{Sandbox, until};

/// A stream of the engine, as far as it has come.
pub struct Following<'a> {
    sandbox: &'a Sandbox,
    name: &'static str,
    child: Child,
}

impl<'a> Following<'a> {
    pub fn begin(sandbox: &'a Sandbox, name: &'static str, path: &str) -> Self {
        let socket = sandbox.engine()["socket"].as_str().unwrap().to_owned();
        let file = fs::File::create(sandbox.path(name)).unwrap();
        let url = format!("http://nagaya{path}");
        let mut curl = sandbox.command("curl");
        let child =
            curl.args(["-sN", "--unix-socket", &socket, &url]).stdout(file).stderr(Stdio::null()).spawn().unwrap();
        Self { sandbox, name, child }
    }

    /// All of it, whole messages or not.
    pub fn text(&self) -> String {
        fs::read_to_string(self.sandbox.path(self.name)).unwrap()
    }

    fn messages(&self) -> usize {
        self.text().lines().filter(|line| line.starts_with("data:")).count()
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn there_is_a_word_for_each_change_and_none_for_cpu_and_memory() {
    let sandbox = Sandbox::new(
        "name: stirs\nservices:\n  web: { command: 'until test -e go; do sleep 0.05; done; echo going; exec sleep infinity' }\n  \
         other: { command: sleep infinity }\n",
    );
    sandbox.up();
    let words = Following::begin(&sandbox, "words", "/v1/stirs?log=web");
    let usage = Following::begin(&sandbox, "usage", "/v1/services/stream?usage=true");
    until("the first word", || words.messages() == 1);
    until("CPU was told of several times", || usage.messages() >= 4);
    assert_eq!(words.messages(), 1, "what it takes is no change");
    let mut seen = 1;
    let mut comes = |what: &str| {
        until(&format!("a word of {what}"), || words.messages() > seen);
        seen = words.messages();
    };
    sandbox.nagaya(&["stop", "other"]).good();
    comes("a service");
    until("it is quiet", || sandbox.row("other")["state"] == "stopped");
    sandbox.nagaya(&["dtab", "set", "/svc/old => /svc/web"]).good();
    comes("the routes");
    sandbox.write("go", "");
    comes("what it writes");
}
