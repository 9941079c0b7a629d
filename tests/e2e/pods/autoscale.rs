//! Calls decide how many instances a service has.

use serde_json::json;

use super::{SLOW, workspace};
use crate::support::sandbox::{Account, until};

const MANIFEST: &str = "
name: auto
services:
  web: { command: [sleep, infinity] }
  api:
    command: [python3, slow.py, '80', '0.3']
    ports: { http: 80 }
    replicas: { max: 4, in_flight: 2, period: 1s, stabilization_window: 2s }
";

/// Six callers, until the file `over` is there; each line that is printed is a call that failed.
const CALLS: &str = "for i in $(seq 6); do (while ! test -e over; do \
                     curl -sS -o /dev/null -w '%{http_code}\\n' http://api/ 2>&1; done) & done | grep -vx 200; wait; echo done";

#[test]
fn calls_bring_instances_which_go_when_nobody_calls_and_none_is_lost() {
    let sandbox = workspace(Account::unprivileged(), MANIFEST);
    sandbox.write("slow.py", SLOW);
    sandbox.up();
    assert_eq!(sandbox.rows("api").len(), 1);
    let load = sandbox.start(&["exec", "web", "--", "sh", "-c", CALLS]);
    until("there are three", || sandbox.rows("api").iter().filter(|row| row["ready"] == true).count() == 3);
    let why = sandbox.nagaya(&["why", "api"]).good().out;
    assert!(why.contains("scaled by its calls: 3 of 1 to 4") && why.contains("(2 for each)"), "{why}");
    sandbox.write("over", "");
    assert_eq!(load.end().out, "done\n");
    until("there is one again", || sandbox.rows("api").len() == 1);
    let events = sandbox.nagaya(&["events", "--json"]).good().out;
    let scaled = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let scaled: Vec<_> = scaled.filter(|event| event["event"] == "scaled").collect();
    assert!(scaled.len() >= 2 && scaled.iter().all(|event| event["service"] == "api"), "{scaled:?}");
    assert!(scaled[0]["message"].as_str().unwrap().starts_with("from 1 to "), "{scaled:?}");

    // A number set by hand stays, and whoever sets it is told so.
    sandbox.nagaya(&["scale", "api=2"]).good().says(&["with `nagaya scale api=auto` they do"]);
    assert_eq!(sandbox.rows("api").len(), 2);
    let why = sandbox.nagaya(&["why", "api", "--json"]).good().json();
    assert_eq!(why["scaling"], json!(null));
    sandbox.nagaya(&["scale", "api=auto"]).good();
    until("there is one again", || sandbox.rows("api").len() == 1);
    sandbox.nagaya(&["scale", "api=some"]).ended(2).says(&["neither a number of instances nor `auto`"]);
}
