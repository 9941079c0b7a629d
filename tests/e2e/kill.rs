//! `nagaya kill`.

use crate::support::sandbox::{Account, Sandbox, until};

const MANIFEST: &str = r#"
name: signals
services:
  deaf: { command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 1000; done"], stop_grace_period: 10m, restart: always }
  hears: { command: [sh, -c, "trap 'echo heard' HUP; echo up; while :; do sleep 1000 & wait $!; done"], restart: always }
  far: { external: 'tcp://127.0.0.1:9' }
"#;

#[test]
fn a_kill_stops_for_good_and_any_other_signal_is_only_sent() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.nagaya(&["kill"]).ended(4);
        sandbox.up();
        let log = |service: &str| sandbox.nagaya(&["logs", service]).good().out;
        until("both have set their traps", || log("deaf").contains("up") && log("hears").contains("up"));
        let pid = sandbox.pid("hears");
        sandbox.nagaya(&["kill", "-s", "HUP", "hears"]).good();
        until("it has heard it", || log("hears").contains("heard"));
        assert_eq!((sandbox.pid("hears"), sandbox.row("hears")["restarts"].as_u64()), (pid, Some(0)));
        // It ends by this one, and what follows is what always does.
        sandbox.nagaya(&["kill", "--signal", "USR1", "hears"]).good();
        until("it was restarted", || {
            sandbox.row("hears")["restarts"] == 1 && sandbox.row("hears")["state"] == "running"
        });
        let rows = sandbox.nagaya(&["kill", "deaf", "--json"]).good().json();
        assert_eq!(
            (&rows[0]["name"], &rows[0]["state"], rows.as_array().map(Vec::len)),
            (&"deaf".into(), &"stopped".into(), Some(1)),
            "{rows}"
        );
        sandbox.nagaya(&["kill", "-s", "SIGHUP", "deaf"]).ended(1).says(&["deaf does not run"]);
        sandbox.nagaya(&["kill", "-s", "NOPE", "deaf"]).ended(2).says(&["SIGHUP", "SIGKILL"]);
        sandbox.nagaya(&["kill", "far"]).ended(2).says(&["far lives elsewhere"]);
        sandbox.nagaya(&["kill", "deft"]).ended(2).says(&["no service `deft`"]);
        sandbox.nagaya(&["kill"]).good();
        assert_eq!(sandbox.row("hears")["state"], "stopped");
        sandbox.nagaya(&["start", "hears"]).good();
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}
