//! `exec` in a pod: a command beside the service, with its own terminal, signals and exit code.

use super::{pods, workspace};
use crate::e2e::terminal::Terminal;
use crate::support::sandbox::{Account, until};

#[test]
fn a_command_has_its_own_exit_code() {
    for account in Account::all() {
        let sandbox = pods(account);
        for code in [0, 7, 255] {
            sandbox.inside("web", &format!("exit {code}")).ended(code);
        }
        sandbox.inside("web", "kill -9 $$").ended(137);
        sandbox
            .nagaya(&["exec", "web", "--", "no-such-program"])
            .ended(127)
            .says(&["`no-such-program` cannot be found"]);
        let denied = sandbox.path("server.py");
        std::fs::set_permissions(&denied, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        sandbox.nagaya(&["exec", "web", "--", "./server.py"]).ended(126).says(&["may not be executed"]);
    }
}

#[test]
fn a_signal_is_passed_on() {
    for account in Account::all() {
        let sandbox = pods(account);
        for (name, code) in [("TERM", 42), ("HUP", 43), ("INT", 44), ("QUIT", 45)] {
            let script = format!("trap 'exit {code}' {name}; echo waiting; while :; do sleep 0.05; done");
            let run = sandbox.start_apart(&["exec", "web", "--", "sh", "-c", &script]);
            until("it waits", || run.out().contains("waiting"));
            run.signal(name);
            run.end().ended(code);
        }
    }
}

#[test]
fn it_is_in_the_place_of_the_service() {
    let manifest = "
name: place
environment: { LEVEL: debug }
services:
  web: { command: [sleep, infinity], working_dir: below, ports: { http: 8080 }, depends_on: { users: { condition: service_started } } }
  users: { command: [sleep, infinity], ports: { http: 8080 } }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.write("below/file", "");
        sandbox.nagaya(&["up", "-d"]).good();
        until("web runs", || sandbox.row("web")["pid"].is_u64());
        let told = sandbox.told("web", "pwd; echo $PWD $LEVEL $PORT $USERS_URL; ls; hostname; echo said | cat");
        let folder = sandbox.path("below").canonicalize().unwrap();
        let folder = folder.display();
        assert_eq!(told, format!("{folder}\n{folder} debug 8080 http://users:8080\nfile\nweb\nsaid"));
    }
}

#[test]
fn where_nothing_runs_there_is_no_pod() {
    let sandbox = pods(Account::unprivileged());
    sandbox.nagaya(&["stop", "web"]).good();
    sandbox.nagaya(&["exec", "web", "--", "true"]).ended(125).says(&["web does not run", "nagaya start web"]);
    sandbox.nagaya(&["exec", "nobody", "--", "true"]).ended(125).says(&["nobody"]);
}

#[test]
fn a_pod_that_is_about_to_come_is_waited_for() {
    let manifest = "
name: coming
services:
  web: { command: [sleep, infinity], depends_on: { first: { condition: service_completed_successfully } } }
  first: { command: 'while [ ! -e go ]; do sleep 0.02; done' }
  never: { command: [sleep, infinity], depends_on: { failed: { condition: service_completed_successfully } } }
  failed: { command: 'false' }
";
    for account in Account::all() {
        let sandbox = workspace(account, manifest);
        sandbox.nagaya(&["up", "-d"]).good();
        let terminal = Terminal::open(&sandbox, (80, 24), "exec web hostname");
        terminal.shows("web is waiting: the command waits for its pod");
        let run = sandbox.start(&["exec", "web", "--", "hostname"]);
        sandbox.write("go", "");
        let run = run.end().good();
        assert_eq!((run.out.as_str(), run.err.as_str()), ("web\n", ""));
        terminal.shows("ended with 0");
        // What waits for what failed does not come.
        until("it has failed", || sandbox.row("failed")["state"] == "failed");
        sandbox.nagaya(&["exec", "never", "--", "true"]).ended(125).says(&["never does not run"]);
        sandbox.nagaya(&["stop", "web"]).good();
        sandbox.nagaya(&["exec", "web", "--", "true"]).ended(125).says(&["web does not run"]);
    }
}

#[test]
fn nothing_of_it_survives_its_pod() {
    for account in Account::all() {
        let sandbox = pods(account);
        let script = "setsid sh -c 'trap \"\" TERM HUP INT; touch left; while :; do sleep 0.1; done' & wait";
        let run = sandbox.start(&["exec", "web", "--", "sh", "-c", script]);
        until("its child is there", || sandbox.path("left").exists());
        sandbox.nagaya(&["down"]).good();
        assert_ne!(run.end().code, 0);
        sandbox.empties();
    }
}

#[test]
fn a_shell_in_a_terminal_is_interactive() {
    for account in Account::all() {
        let sandbox = pods(account);
        let terminal = Terminal::open(&sandbox, (80, 24), "exec web -- bash --norc -i");
        terminal.shows("bash");
        terminal.press(&["echo at $(hostname) $(tty | tr -d 0-9)", "Enter"]);
        terminal.shows("at web /dev/pts/");
        terminal.press(&["sleep 1000", "Enter"]);
        let sleeps = || sandbox.told("web", "grep -lz '^1000$' /proc/[0-9]*/cmdline | wc -l") != "0";
        until("it sleeps", sleeps);
        terminal.press(&["C-c"]);
        until("Ctrl-C ended the sleep", || !sleeps());
        terminal.press(&["echo still $((40 + 2))", "Enter"]);
        terminal.shows("still 42");
        terminal.press(&["sleep 1000", "Enter"]);
        until("it sleeps again", sleeps);
        terminal.press(&["C-z"]);
        terminal.shows("Stopped");
        let stopped = || sandbox.told("web", "grep -ls '^State:.T' /proc/[0-9]*/status | wc -l") != "0";
        until("it is stopped", stopped);
        terminal.press(&["fg", "Enter"]);
        // Before it goes on, Ctrl-C would reach the shell.
        until("it goes on", || !stopped());
        terminal.press(&["C-c"]);
        until("it ended after all", || !sleeps());
        terminal.press(&["exit 3", "Enter"]);
        terminal.shows("ended with 3");
    }
}
