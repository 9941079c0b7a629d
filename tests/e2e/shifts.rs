//! Requests that are shared among the versions of a service: at once, over time, and back again.

use crate::support::sandbox::{Sandbox, finish, signal, until};

const SHOP: &str = r#"
name: shop
services:
  users:
    command: exec python3 -m http.server $PORT
    ports: { http: 8080 }
    versions:
      v1:
      v2:
      v3:
  alone: { command: exec sleep infinity }
"#;

#[track_caller]
fn routes(sandbox: &Sandbox) -> String {
    sandbox.nagaya(&["dtab", "get", "--json"]).good().json()["dtab"].as_str().unwrap().to_owned()
}

#[track_caller]
fn state(sandbox: &Sandbox) -> String {
    let shift = sandbox.nagaya(&["shift", "users", "--status", "--json"]).good().json();
    shift["state"].as_str().unwrap_or("-").to_owned()
}

#[test]
fn shares_are_written_as_one_entry_and_others_stay() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    sandbox.nagaya(&["dtab", "set", "/svc/other => /svc/users"]).good();
    let cases: [(&[&str], &str, &str); 5] = [
        (&["v2=10"], "10 % to users-v2, 90 % to users", "10*/#/local/users-v2 & 90*/#/local/users"),
        (&["v2=0.5", "v3=9.5"], "90 % to users", "0.5*/#/local/users-v2 & 9.5*/#/local/users-v3 & 90*/#/local/users"),
        (
            &["users-v3=19"],
            "19 % to users-v3",
            "19*/#/local/users-v3 & 0.447514*/#/local/users-v2 & 80.552486*/#/local/users",
        ),
        (&["v2=100", "v1=0"], "100 % to users-v2", "/#/local/users-v2"),
        (&["v1=100%"], "100 % to users", "/#/local/users"),
    ];
    for (words, told, tree) in cases {
        let run = sandbox.nagaya(&[&["shift", "users"], words].concat()).good();
        assert!(run.out.contains(told), "{}", run.out);
        assert_eq!(routes(&sandbox), format!("/svc/other=>/svc/users;/svc/users=>{tree}"), "{words:?}");
    }
    // The manifest's own way to write it.
    sandbox.nagaya(&["dtab", "set", "/svc/users => 1 * /#/local/users-v2 & 99 * /#/local/users-v1"]).good();
    let status = sandbox.nagaya(&["shift", "users", "--status"]).good().out;
    assert!(status.contains("1 % to users-v2, 99 % to users\n"), "{status}");
    sandbox.nagaya(&["shift", "users", "v2=2"]).good();
    assert_eq!(routes(&sandbox), "/svc/users=>2*/#/local/users-v2 & 98*/#/local/users");
    let history = sandbox.nagaya(&["dtab", "history", "--json"]).good().json();
    assert_eq!(history.as_array().unwrap().len(), 8);
    assert!(history.to_string().contains("(shift users)"));

    let before = routes(&sandbox);
    let all = sandbox.nagaya(&["shift", "--status"]).good().out;
    assert_eq!(all, "requests to users: 2 % to users-v2, 98 % to users\n");
    let wrong: [(&[&str], &[&str]); 13] = [
        (&[], &["SERVICE"]),
        (&["--abort"], &["SERVICE"]),
        (&["users", "v2=10", "users-v2=20"], &["users-v2 is given two shares"]),
        (&["alone", "v2=10"], &["alone has no versions", "`versions:` in the manifest", "nagaya try"]),
        (&["users", "v2=60", "v3=50"], &["add up to 110 %"]),
        (&["users", "v1=60", "v2=30"], &["add up to 90 %", "nobody is left"]),
        (&["users", "v9=10"], &["no version `v9`", "v1, v2, v3"]),
        (&["users", "v2=ten"], &["a share is a number"]),
        (&["users"], &["which version"]),
        (&["user", "v2=1"], &["there is no service `user`"]),
        (&["users", "v2=1", "--step", "5"], &["--over"]),
        (&["users", "v2=1", "--over", "1m", "--step", "0"], &["more than 0"]),
        (&["users", "v2=1", "--over", "1m", "--abort-p99", "0.5x"], &["from 1 on"]),
    ];
    for (words, texts) in wrong {
        sandbox.nagaya(&[&["shift"], words].concat()).ended(2).says(texts);
    }
    assert_eq!(routes(&sandbox), before);
}

#[test]
fn over_time_it_goes_step_by_step_to_the_end() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    let run = sandbox.nagaya(&["shift", "users", "v2=100", "--over", "3s", "--step", "50"]).good();
    run.says(&["50 % of the requests to users go to users-v2 (step 1 of 2)", "100 %", "done"]);
    assert_eq!(routes(&sandbox), "/svc/users=>/#/local/users-v2");
    assert_eq!(state(&sandbox), "done");
    let history = sandbox.nagaya(&["dtab", "history", "--json"]).good().json();
    let whose = |it: &serde_json::Value| it["who"].as_str().unwrap().ends_with(" (shift users to users-v2)");
    assert_eq!(history.as_array().unwrap().iter().filter(|it| whose(it)).count(), 2, "{history}");
}

#[test]
fn a_version_that_dies_midway_gets_nothing_any_more() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    sandbox.nagaya(&["dtab", "set", "/svc/other => /svc/users"]).good();
    let shift = sandbox.start(&["shift", "users", "v2=100", "--over", "10m", "--step", "10"]);
    until("it has begun", || routes(&sandbox).contains("10*/#/local/users-v2 & 90*/#/local/users"));
    sandbox.nagaya(&["shift", "users", "v3=5", "--over", "1m"]).ended(1).says(&["users is being shifted already"]);
    signal("KILL", sandbox.pid("users-v2"));
    let said = shift.end().ended(1).err;
    assert!(said.contains("all requests to users go to its other versions again: users-v2 has failed"), "{said}");
    assert_eq!(routes(&sandbox), "/svc/other=>/svc/users");
    assert_eq!(state(&sandbox), "aborted");
    let dead = sandbox.nagaya(&["shift", "users", "v2=100", "--over", "1m"]).ended(1);
    dead.says(&["users-v2 cannot take requests: it has failed"]);
}

#[test]
fn a_shift_is_broken_off_by_hand_and_gives_way_to_others_hands() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    let begin = ["shift", "users", "v2=100", "--over", "10m", "--step", "20", "--detach"];
    sandbox.nagaya(&begin).good().says(&["20 % of the requests", "step 1 of 5"]);
    until("it has begun", || routes(&sandbox).contains("20*/#/local/users-v2"));
    sandbox.nagaya(&["shift", "users", "--abort"]).good().says(&["go to its other versions again: it was asked for"]);
    assert_eq!((routes(&sandbox), state(&sandbox)), (String::new(), "aborted".to_owned()));
    sandbox.nagaya(&["shift", "users", "--abort"]).ended(1).says(&["users is not being shifted"]);

    let begin = ["shift", "users", "v2=100", "--over", "4s", "--step", "50", "--detach"];
    sandbox.nagaya(&begin).good();
    until("it has begun", || routes(&sandbox).contains("50*/#/local/users-v2"));
    sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v3"]).good();
    until("it has stopped", || state(&sandbox) == "stopped");
    assert_eq!(routes(&sandbox), "/svc/users=>/#/local/users-v3");
}

/// Answers with a status, after so many seconds.
const SERVER: &str = r#"
import http.server, os, sys, time

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(float(sys.argv[2]))
        self.send_response(int(sys.argv[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass

class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128

Listener(("", int(os.environ["PORT"])), Server).serve_forever()
"#;

#[test]
fn a_version_that_fails_more_than_the_others_gets_nothing_any_more() {
    let sandbox = Sandbox::new(
        "name: shop\nservices:\n  users:\n    command: [python3, server.py, '200', '0']\n    ports: { http: 8080 }\n    \
         versions: { v1: {}, v2: { command: [python3, server.py, '503', '0'] } }\n",
    );
    sandbox.write("server.py", SERVER);
    sandbox.up();
    let words = ["shift", "users", "v2=100", "--over", "10m", "--step", "50", "--abort-errors", "1%"];
    let shift = sandbox.start(&words);
    until("it has begun", || routes(&sandbox).contains("50*/#/local/users-v2"));
    // Half of two hundred is more than the twenty that say something, as good as always.
    let url = format!("{}/?[1-200]", sandbox.nagaya(&["url", "users"]).good().out.trim());
    finish(sandbox.command("curl").args(["-sS", "-o", "/dev/null", &url])).good();
    let said = shift.end().ended(1).err;
    assert!(said.contains("100.0 % of its requests failed, of the others' 0.0 %"), "{said}");
    assert_eq!(routes(&sandbox), "");
}

const SLOW: &str = "
name: shop
services:
  users:
    command: [python3, server.py, '200', '0']
    ports: { http: 8080 }
    versions: { v1: {}, v2: { command: [python3, server.py, '200', '0.8'] }, v3: {} }
";

/// Asks `users` so many times, some at once.
fn crowd(sandbox: &Sandbox, count: usize) -> Vec<String> {
    let url = format!("{}/?[1-{count}]", sandbox.nagaya(&["url", "users"]).good().out.trim());
    let words = ["-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "--parallel", "--parallel-max", "40", &url];
    finish(sandbox.command("curl").args(words)).good().out.lines().map(str::to_owned).collect()
}

#[test]
fn a_version_that_is_slower_than_the_others_gets_nothing_any_more() {
    let sandbox = Sandbox::new(SLOW);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    let begin = |to: &str, over: &str| {
        let words = ["shift", "users", to, "--over", over, "--step", "50", "--abort-errors", "1%", "--abort-p99", "2x"];
        sandbox.start(&words)
    };
    let shift = begin("v2=100", "10m");
    until("it has begun", || routes(&sandbox).contains("50*/#/local/users-v2"));
    // Half of four hundred is more than the hundred of which one is the slowest hundredth, as good as always.
    let answers = crowd(&sandbox, 400);
    assert!(answers.len() == 400 && answers.iter().all(|status| status == "200"), "{answers:?}");
    let said = shift.end().ended(1).err;
    assert!(said.contains("all requests to users go to its other versions again: its p99 was "), "{said}");
    assert!(said.contains("; 2 times that is allowed"), "{said}");
    assert_eq!((routes(&sandbox), state(&sandbox)), (String::new(), "aborted".to_owned()));
    let shift = sandbox.nagaya(&["shift", "users", "--status", "--json"]).good().json();
    assert!(shift["reason"].as_str().unwrap().starts_with("its p99 was "), "{shift}");
    // All are answered at once again.
    let last = sandbox.requests().len();
    crowd(&sandbox, 40);
    assert!(sandbox.requests()[last..].iter().all(|it| it["version"] == "v1"));
}

#[test]
fn a_version_that_does_as_well_as_the_others_gets_all() {
    let sandbox = Sandbox::new(SLOW);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    let words =
        ["shift", "users", "v3=100", "--over", "6s", "--step", "50", "--abort-errors", "1%", "--abort-p99", "50x"];
    let shift = sandbox.start(&words);
    until("it has begun", || routes(&sandbox).contains("50*/#/local/users-v3"));
    crowd(&sandbox, 400);
    // The last step is judged too: by requests that come.
    until("all go there", || routes(&sandbox) == "/svc/users=>/#/local/users-v3");
    crowd(&sandbox, 110);
    shift.end().good().says(&["100 %", "done"]);
    assert_eq!((routes(&sandbox), state(&sandbox)), ("/svc/users=>/#/local/users-v3".to_owned(), "done".to_owned()));
}

#[test]
fn what_cannot_be_judged_is_held_and_never_said_to_be_done() {
    let sandbox = Sandbox::new(SLOW);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    let words = ["shift", "users", "v3=100", "--over", "2s", "--step", "50", "--abort-p99", "2x"];
    let run = sandbox.nagaya(&words).ended(1);
    let lack = "it takes 100 requests to judge it by, and it served 0, the others 0";
    run.says(&[
        &format!("step 1 of 2, held: {lack}"),
        "inconclusive: the shift to users-v3 has stopped at 50 %: it takes",
    ]);
    assert_eq!(routes(&sandbox), "/svc/users=>50*/#/local/users-v3 & 50*/#/local/users");
    sandbox.nagaya(&["shift", "users", "--status"]).good();
    assert_eq!(state(&sandbox), "inconclusive");
    sandbox.nagaya(&["shift", "users", "--abort"]).good().says(&["go to its other versions again: it was asked for"]);
    assert_eq!((routes(&sandbox), state(&sandbox)), (String::new(), "aborted".to_owned()));
}

#[test]
fn what_a_shift_left_behind_is_said() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    sandbox.nagaya(&["shift", "users", "v2=100", "--over", "10m", "--step", "50", "--detach"]).good();
    until("it has begun", || !routes(&sandbox).is_empty());
    sandbox.nagaya(&["dtab", "set", &format!("{} ; /svc/other => /svc/users", routes(&sandbox))]).good();
    let left = "as a shift to users-v2 left it, of which this engine knows no more";
    let status = || sandbox.nagaya(&["shift", "users", "--status"]).good().out;
    assert!(!status().contains(left), "{}", status());
    signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap());
    sandbox.up();
    assert!(status().starts_with("requests to users: 50 % to users-v2, 50 % to users\n"), "{}", status());
    assert!(status().contains(left) && status().contains("`nagaya shift users users-v2=0`"), "{}", status());
    // Shares that somebody chose are nobody's rest.
    sandbox.nagaya(&["shift", "users", "v2=10"]).good();
    assert!(!status().contains(left), "{}", status());
}

#[test]
fn a_shift_that_was_overtaken_says_so() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    sandbox.nagaya(&["shift", "users", "v2=100", "--over", "1s", "--step", "100"]).good();
    sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v3"]).good();
    let status = sandbox.nagaya(&["shift", "users", "--status"]).good().out;
    assert!(status.contains("100 % to users-v3"), "{status}");
    assert!(status.contains("before: 100 % of the requests to users went to users-v2; since then "), "{status}");
    assert!(status.contains("(dtab set) has changed the routes (version 2)"), "{status}");
    // One that is under way is told at once, and not when its next step is due.
    sandbox.nagaya(&["shift", "users", "v2=100", "--over", "10m", "--step", "50", "--detach"]).good();
    until("it has begun", || routes(&sandbox).contains("50*/#/local/users-v2"));
    sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v3"]).good();
    until("it has stopped", || state(&sandbox) == "stopped");
}

#[test]
fn a_version_that_is_not_ready_gets_no_share() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.up();
    sandbox.nagaya(&["stop", "users-v3"]).good();
    sandbox.nagaya(&["shift", "users", "v2=10"]).good();
    let before = routes(&sandbox);
    let refused = sandbox.nagaya(&["shift", "users", "v3=100"]).ended(1);
    refused.says(&[
        "users-v3 cannot take requests: it is stopped",
        "shared as before",
        "nagaya start users-v3",
        "--force",
    ]);
    assert_eq!(routes(&sandbox), before);
    sandbox.nagaya(&["shift", "users", "v3=100", "--force"]).good();
    assert_eq!(routes(&sandbox), "/svc/users=>/#/local/users-v3");
    // Less can be given to whoever it is.
    sandbox.nagaya(&["shift", "users", "v3=10", "v2=90"]).good();
    sandbox.nagaya(&["stop", "users-v2"]).good();
    sandbox.nagaya(&["shift", "users", "v2=0", "v1=90"]).good();
}

#[test]
fn a_version_that_dies_while_it_is_called_takes_no_more_with_it_than_it_served() {
    let sandbox = Sandbox::new(SLOW);
    sandbox.write("server.py", SERVER);
    sandbox.up();
    let shift = sandbox.start(&["shift", "users", "v3=100", "--over", "10m", "--step", "50", "--abort-errors", "1%"]);
    until("it has begun", || routes(&sandbox).contains("50*/#/local/users-v3"));
    crowd(&sandbox, 40);
    signal("KILL", sandbox.pid("users-v3"));
    until("all is back", || routes(&sandbox).is_empty());
    let answers = crowd(&sandbox, 100);
    assert!(answers.iter().all(|status| status == "200"), "{answers:?}");
    let said = shift.end().ended(1).err;
    assert!(said.contains("go to its other versions again: users-v3 has failed"), "{said}");
}
