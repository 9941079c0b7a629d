//! Services with terminals of their own, seen and typed at from real ones (tmux).

use super::terminal::Terminal;
use crate::support::sandbox::{Account, Sandbox, until};

/// Answers each line; `size` tells that of its terminal, `quit` ends it.
const SHELL: &str = r#"
stty size
while read -r line; do
  case $line in
    size) echo "it has $(stty size)" ;;
    quit) exit 3 ;;
    windows) printf '\033[?1049h\033[Hfull of windows' ;;
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

const MANIFEST: &str = "
name: typed
services:
  shell: { command: [sh, shell.sh], tty: true }
  plain: { command: [sleep, infinity] }
";

#[test]
fn several_see_one_terminal_and_type_there_and_each_leaves_it_as_it_was() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.write("shell.sh", SHELL);
        sandbox.up();
        let large = Terminal::open(&sandbox, (90, 30), "attach shell; stty -a | grep icanon");
        large.shows("24 80");
        large.press(&["hello", "Enter"]);
        large.shows("you said hello");
        // Whoever comes later sees what is there.
        let small =
            Terminal::open(&sandbox, (60, 20), "attach shell --detach-keys ctrl-a,d; echo left with $?; stty -a");
        small.shows("you said hello");
        small.press(&["from", "Space", "here", "Enter"]);
        large.shows("you said from here");
        large.press(&["size", "Enter"]);
        large.shows(&format!("it has {}", small.size()));
        small.press(&["C-a", "d"]);
        small.shows("detached from shell, which runs on");
        small.shows("left with 0");
        small.shows(" icanon");
        until("the larger one decides", || {
            large.press(&["size", "Enter"]);
            large.has(&format!("it has {}", large.size()))
        });
        // A program that takes the whole screen, and leaves it so.
        large.press(&["windows", "Enter"]);
        large.shows("full of windows");
        large.press(&["C-p", "C-q"]);
        large.shows("detached from shell");
        large.shows(" icanon");
        assert!(!large.has("full of windows"), "its screen is gone with it");
        assert_eq!(sandbox.row("shell")["state"], "running");

        let logs = sandbox.nagaya(&["logs", "shell"]).good().out;
        assert!(logs.contains("you said hello") && logs.contains("you said from here"), "{logs}");
        assert!(!logs.contains('\u{1b}') && !logs.contains("full of windows"), "{logs:?}");

        // It ends, and so does whoever looks.
        let third = Terminal::open(&sandbox, (80, 24), "attach shell");
        third.shows("full of windows");
        third.press(&["quit", "Enter"]);
        third.shows("ended with 3");
    }
}

/// In the dashboard the terminal has a page, and the dashboard stays around it.
#[test]
fn a_terminal_is_a_page_of_the_dashboard() {
    let sandbox = Sandbox::of(Account::all()[0], MANIFEST);
    sandbox.write("shell.sh", SHELL);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "ui");
    terminal.shows("a its terminal");
    terminal.press(&["a"]);
    terminal.shows("Ctrl-q detaches; all other keys are for shell");
    terminal.press(&["quiet", "Enter"]);
    terminal.shows("you said quiet");
    assert!(terminal.colours().contains("\u{1b}[38;5;2m"), "{:?}", terminal.colours());
    terminal.press(&["size", "Enter"]);
    terminal.shows("it has 20 78");
    terminal.resize((100, 40));
    until("it is told of the size", || {
        terminal.press(&["size", "Enter"]);
        terminal.has("it has 36 98")
    });
    terminal.press(&["windows", "Enter"]);
    terminal.shows("full of windows");
    assert!(!terminal.has("you said quiet"));
    assert!(terminal.has("1 services 2 logs"), "the dashboard is around it");
    terminal.press(&["C-q"]);
    terminal.shows("? help");
    assert_eq!(sandbox.row("shell")["state"], "running");
    // Whoever comes back sees what is there, and when it has ended the next run.
    terminal.press(&["a"]);
    terminal.shows("full of windows");
    terminal.press(&["quit", "Enter"]);
    terminal.shows("it has ended");
    terminal.press(&["r"]);
    terminal.shows("Ctrl-q detaches; all other keys are for shell");
    terminal.press(&["size", "Enter"]);
    terminal.shows("it has 36 98");
    terminal.press(&["C-q", "j", "a"]);
    terminal.shows("plain has no terminal, and reads nothing");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}

#[test]
fn what_has_no_terminal_says_so() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.write("shell.sh", SHELL);
    sandbox.up();
    sandbox.nagaya(&["attach", "plain"]).ended(2).says(&[
        "plain has no terminal",
        "`tty: true` gives it one",
        "`stdin_open: true`",
    ]);
    sandbox.nagaya(&["attach", "nobody"]).ended(2).says(&["there is no service `nobody`"]);
    sandbox.nagaya(&["attach", "shell", "--detach-keys", "ctrl-1"]).ended(2).says(&["is no key"]);
    sandbox.nagaya(&["attach", "shell", "--index", "2"]).ended(2).says(&["shell#2 does not run"]);
    sandbox.nagaya(&["stop", "shell"]).good();
    sandbox.nagaya(&["attach", "shell"]).ended(2).says(&["shell does not run", "nagaya start shell"]);
}

/// Compose's `stdin_open`: the input stays open while nobody types, and whoever does may come and go.
#[test]
fn an_input_without_a_terminal_stays_open_and_is_typed_to() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "services: { reader: { command: [sh, reader.sh], stdin_open: true } }");
        sandbox.write("reader.sh", READER);
        sandbox.up();
        let nagaya = crate::support::sandbox::binary().display().to_string();
        let attach = |words: &str| {
            let words = format!("{{ {words}; }} | {nagaya} attach reader");
            crate::support::sandbox::finish(sandbox.command("sh").args(["-c", &words]))
        };
        for words in ["one", "two words"] {
            let run = attach(&format!("echo {words}"));
            run.good().says(&["reader has no terminal", "detached from reader, which runs on"]);
            until("it has read", || sandbox.nagaya(&["logs", "reader"]).out.contains(&format!("read <{words}>")));
        }
        assert_eq!(sandbox.row("reader")["state"], "running");
        // It ends while somebody could still type.
        attach(&format!("echo quit; {nagaya} -q wait --for completed reader")).ended(5).says(&["reader ended with 5"]);
        sandbox.nagaya(&["attach", "reader"]).ended(2).says(&["reader does not run"]);
    }
}

#[test]
fn a_pipe_types_too() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.write("shell.sh", SHELL);
    sandbox.up();
    let words = format!("printf 'piped\\nquit\\n' | {} attach shell", crate::support::sandbox::binary().display());
    let run = crate::support::sandbox::finish(sandbox.command("sh").args(["-c", &words])).ended(3);
    assert!(run.out.contains("you said piped"), "{run:?}");
    assert!(!run.out.contains('\u{1b}'), "a pipe is no terminal: {run:?}");
}

/// What comes out of a pipe has an end, of which a program is told; one that goes on is left to itself.
#[test]
fn the_end_of_a_pipe_is_handed_on_and_nobody_waits_for_who_ignores_it() {
    for account in Account::all() {
        let sandbox = Sandbox::of(
            account,
            "services:\n  cat: { command: 'cat; exit 4', tty: true }\n  \
             deaf: { command: [sh, deaf.sh], tty: true }\n",
        );
        sandbox.write("deaf.sh", "while :; do while read -r line; do echo \"heard $line\"; done; echo ignored; done");
        sandbox.up();
        let nagaya = crate::support::sandbox::binary().display().to_string();
        let attach = |words: &str, service: &str| {
            let words = format!("{words} | timeout 60 {nagaya} attach {service}");
            crate::support::sandbox::finish(sandbox.command("sh").args(["-c", &words]))
        };
        // Who only looks ends nothing.
        attach("true", "cat").good().says(&["detached from cat, which runs on"]);
        let run = attach("printf 'one\\nbegun'", "cat").ended(4);
        assert!(run.out.contains("one\r\n") && run.out.contains("begun"), "{run:?}");
        let run = attach("echo word", "deaf").good().says(&["detached from deaf, which runs on"]);
        assert!(run.out.contains("heard word") && run.out.contains("ignored"), "{run:?}");
        assert_eq!(sandbox.row("deaf")["state"], "running");
    }
}

#[test]
fn a_command_has_the_terminal_that_exec_has() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.write("shell.sh", SHELL);
    sandbox.up();
    let terminal = Terminal::open(&sandbox, (80, 24), "exec -it plain -- sh -c 'stty size; exit 6'");
    terminal.shows(&terminal.size());
    terminal.shows("ended with 6");
}
