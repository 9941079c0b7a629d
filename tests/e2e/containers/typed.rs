//! Containers with terminals, or inputs that stay open.

use super::Docker;
use super::services::{boxed, down};
use crate::e2e::terminal::Terminal;
use crate::support::sandbox::{Account, binary, finish, until};

const TYPED: &str = "
name: typed
services:
  shell: { image: IMAGE, USR, command: [/usr/bin/bash, shell.sh], tty: true }
  reader: { image: IMAGE, USR, command: [/usr/bin/bash, reader.sh], stdin_open: true }
";

const SHELL: &str = r#"
while read -r line; do
  case $line in
    size) echo "it has $(stty size)" ;;
    quit) exit 3 ;;
    *) printf '\033[32myou said\033[0m %s\n' "$line" ;;
  esac
done
"#;

const READER: &str = r#"
while read -r line; do
  [ "$line" = quit ] && exit 5
  echo "read <$line>"
done
echo "its input has ended"
"#;

#[test]
fn a_containers_terminal_is_seen_and_typed_at() {
    let docker = Docker::shared();
    for account in Account::all() {
        let sandbox = boxed(&docker, account, TYPED);
        sandbox.write("shell.sh", SHELL);
        sandbox.write("reader.sh", READER);
        sandbox.up();
        let large = Terminal::open(&sandbox, (90, 30), "attach shell");
        // Its engine may give it a size only when it runs.
        until("it is as large as the one here", || {
            large.press(&["size", "Enter"]);
            large.has(&format!("it has {}", large.size()))
        });
        large.press(&["hello", "Enter"]);
        large.shows("you said hello");
        let small = Terminal::open(&sandbox, (60, 20), "attach shell");
        small.shows("you said hello");
        small.press(&["from", "Space", "here", "Enter"]);
        large.shows("you said from here");
        until("the smaller one decides", || {
            large.press(&["size", "Enter"]);
            large.has(&format!("it has {}", small.size()))
        });
        small.press(&["C-p", "C-q"]);
        small.shows("detached from shell, which runs on");
        let logs = sandbox.nagaya(&["logs", "shell"]).good().out;
        assert!(logs.contains("you said hello") && !logs.contains('\u{1b}'), "{logs:?}");
        large.press(&["quit", "Enter"]);
        large.shows("ended with 3");
        drop((large, small));
        let attach = |words: &str| {
            let words = format!("{{ {words}; }} | {} attach reader", binary().display());
            finish(sandbox.command("sh").args(["-c", &words]))
        };
        for words in ["one", "two words"] {
            attach(&format!("echo {words}")).good().says(&["detached from reader, which runs on"]);
            until("it has read", || sandbox.nagaya(&["logs", "reader"]).out.contains(&format!("read <{words}>")));
        }
        assert_eq!(sandbox.row("reader")["state"], "running");
        attach("echo quit").good();
        until("it has ended", || sandbox.row("reader")["exit_code"] == 5);
        sandbox.nagaya(&["attach", "reader"]).ended(2).says(&["reader does not run"]);
        down(&docker, &sandbox);
    }
}
