//! `nagaya ci`: boot, run a command among the services, leave nothing but what was asked for.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox};

const SHOP: &str = r#"
name: shop
network: NETWORK
services:
  web: { command: exec python3 -u -m http.server --bind 0.0.0.0 $PORT, ports: { http: 8080 } }
  migrate: { command: echo done }
  lazy: { command: exec python3 -u -m http.server --bind 0.0.0.0 $PORT, ports: { http: 8081 }, lazy: true }
"#;

fn shop(account: Account, network: &str) -> Sandbox {
    Sandbox::of(account, &SHOP.replace("NETWORK", network))
}

#[test]
fn the_command_runs_among_the_services_and_nothing_is_left() {
    for account in Account::all() {
        for (network, url) in [("pod", "http://web:8080/"), ("names", "http://web:8080/"), ("env", "$WEB_URL/")] {
            let sandbox = shop(account, network);
            sandbox.write("hello", "hi from web\n");
            let script = format!("pwd; curl -sS {url}hello; exit 7");
            let run = sandbox.nagaya(&["ci", "--", "sh", "-c", &script]).ended(7);
            let folder = sandbox.path("").canonicalize().unwrap();
            assert_eq!(run.out, format!("{}\nhi from web\n", folder.display()), "{network}: {}", run.err);
            sandbox.empties();
        }
    }
}

#[test]
fn the_commands_own_code_is_passed_through_and_ours_is_125() {
    let sandbox = shop(Account::Own, "pod");
    sandbox.nagaya(&["ci", "web", "--", "true"]).good();
    sandbox.nagaya(&["ci", "--", "sh", "-c", "kill -TERM $$"]).ended(143);
    sandbox.nagaya(&["ci", "--", "no-such-program"]).ended(127);
    sandbox.nagaya(&["ci", "--", "/"]).ended(126);
    sandbox.nagaya(&["ci", "nobody", "--", "true"]).ended(125).says(&["nobody"]);
    sandbox.nagaya(&["ci"]).ended(2);
    sandbox.empties();
    sandbox.up();
    sandbox.nagaya(&["ci", "--", "true"]).ended(125).says(&["shop is running already", "nagaya exec"]);
    sandbox.nagaya(&["-p", "beside", "ci", "web", "--", "true"]).good();
    assert_eq!(sandbox.row("web")["state"], "ready", "what ran before runs on");
}

#[test]
fn what_failed_is_kept_and_told() {
    let sandbox = Sandbox::new(
        "name: bad\nservices:\n  web: { command: 'echo no disk; exit 3' }\n  api: { command: sleep 60, depends_on: [web] }\n  \
         fine: { command: sleep 60 }\n",
    );
    let words = ["ci", "--artifacts", "out/logs", "--junit", "out/junit.xml", "--", "touch", "ran"];
    sandbox.nagaya(&words).ended(125).says(&["exited with 3", "no disk"]);
    assert!(!sandbox.path("ran").exists());
    let log = fs::read_to_string(sandbox.path("out/logs/web.log")).unwrap();
    assert!(log.ends_with("Z stdout no disk\n"), "{log}");
    assert!(!sandbox.path("out/logs/fine.log").exists() && !sandbox.path("out/logs/api.log").exists());
    let events = fs::read_to_string(sandbox.path("out/logs/events.jsonl")).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["service"] == "web" && event["state"] == "failed"), "{events:?}");
    let junit = fs::read_to_string(sandbox.path("out/junit.xml")).unwrap();
    for text in ["tests=\"4\" failures=\"1\" errors=\"0\"", "<failure message=\"exited with 3\">", "no disk"] {
        assert!(junit.contains(text), "no {text} in\n{junit}");
    }
    sandbox.empties();
}

#[test]
fn the_folder_of_artifacts_has_one_runs_files_and_whatever_is_not_ours() {
    let sandbox = Sandbox::new(
        "name: twice\nservices:\n  web: { command: 'exit 3' }\n  db: { command: 'echo no disk; exit 3' }\n",
    );
    let ci = || sandbox.nagaya(&["ci", "--artifacts", "out", "--", "true"]);
    let there = |name: &str| sandbox.path("out").join(name).exists();
    ci().ended(125);
    assert!(there("web.log") && there("events.jsonl"));
    // Somebody else's files, one of them where ours was.
    sandbox.write("out/own.log", "own");
    sandbox.write("out/db.log", "edited");
    sandbox.write("nagaya.yaml", "name: twice\nservices:\n  ok: { command: 'true' }\n");
    ci().good();
    assert!(!there("web.log"), "it is an earlier run's");
    assert!(there("events.jsonl") && there("own.log") && there("db.log"));
    // Where there is no run, there is nothing of one.
    sandbox.write("nagaya.yaml", "name: twice\nservices: 5\n");
    ci().ended(125);
    assert!(!there("events.jsonl") && there("own.log") && there("db.log"));
}

#[test]
fn where_only_the_command_fails_all_logs_are_kept() {
    let sandbox = shop(Account::Own, "pod");
    let words =
        ["ci", "--artifacts", "out", "--junit", "junit.xml", "--", "sh", "-c", "curl -sS http://web:8080/nope; exit 1"];
    sandbox.nagaya(&words).ended(1);
    let log = fs::read_to_string(sandbox.path("out/web.log")).unwrap();
    assert!(log.contains("GET /nope"), "{log}");
    assert!(fs::read_to_string(sandbox.path("out/migrate.log")).unwrap().contains("done"));
    let junit = fs::read_to_string(sandbox.path("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{junit}");
}

#[test]
fn what_still_runs_has_no_outcome_and_times_are_from_start_to_outcome() {
    let sandbox = Sandbox::new(
        r#"
name: outcomes
services:
  migrate: { command: "echo begun; sleep 60", replicas: 2 }
  worker: { command: sleep 60, restart: always }
  quick: { command: sleep 0.3 }
"#,
    );
    let words =
        ["ci", "--junit", "junit.xml", "--artifacts", "out", "migrate", "worker", "quick", "--", "sleep", "0.5"];
    let run = sandbox.nagaya(&words).good();
    assert!(run.err.contains("without an outcome: migrate, migrate#2 (still running at the end"), "{run:?}");
    let junit = fs::read_to_string(sandbox.path("junit.xml")).unwrap();
    let document = roxmltree::Document::parse(&junit).unwrap();
    let case = |name: &str| {
        let case =
            document.descendants().find(|node| node.attribute("name") == Some(name) && node.has_tag_name("testcase"));
        let case = case.unwrap_or_else(|| panic!("no case {name} in {junit}"));
        let time: f64 = case.attribute("time").unwrap().parse().unwrap();
        (time, case.first_element_child().map(|child| child.tag_name().name().to_owned()))
    };
    for name in ["migrate", "migrate#2"] {
        let (time, outcome) = case(name);
        assert_eq!(outcome.as_deref(), Some("skipped"), "{junit}");
        assert!(time >= 0.5, "it ran for as long as the command: {junit}");
    }
    assert_eq!((case("worker").1, case("quick").1), (None, None), "{junit}");
    assert!(case("quick").0 >= 0.3, "{junit}");
    assert!(junit.contains("skipped=\"2\""), "{junit}");
    assert!(!sandbox.path("out/migrate.log").exists(), "nothing failed");
}

#[test]
fn the_last_words_of_what_failed_have_their_instance_in_front() {
    let sandbox = Sandbox::new(
        "name: bad\nservices:\n  web: { command: 'echo no disk; exit 3' }\n  \
         users: { command: 'echo mine; sleep 0.2; exit 4', replicas: 2, restart: 'no' }\n",
    );
    let run = sandbox.nagaya(&["ci", "--artifacts", "out", "web", "--", "true"]).ended(125);
    assert!(run.err.contains("the last lines of web:\nweb | no disk\n"), "{run:?}");
    assert!(run.err.contains("the log of web is in out"), "{run:?}");
    let run = sandbox.nagaya(&["ci", "--artifacts", "both", "users", "--", "true"]).ended(125);
    // One of them may have been stopped before it could say anything.
    let alone = "the last lines of users:\nusers | mine\n";
    assert!([alone, "users   | mine\n", "users#2 | mine\n"].iter().any(|it| run.err.contains(it)), "{run:?}");
}

#[test]
fn a_wait_has_an_end_and_json_is_a_line_each() {
    let sandbox = Sandbox::new(
        "name: slow\nservices:\n  web: { command: sleep 60, readiness: { exec: 'exit 1', period: 50ms } }\n",
    );
    sandbox.nagaya(&["ci", "--timeout", "1s", "--", "true"]).ended(125).says(&["not there after 1.0s: web"]);
    let sandbox = shop(Account::Own, "pod");
    let run = sandbox.nagaya(&["ci", "--json", "--", "true"]).good();
    let events: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["service"] == "web" && event["state"] == "ready"), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"ci".into(), &0.into()));
}

#[test]
fn an_interrupt_takes_everything_down() {
    let sandbox = shop(Account::Own, "pod");
    let running = sandbox.start(&["ci", "--", "sh", "-c", "touch begun; sleep 1000"]);
    crate::support::sandbox::until("the command runs", || sandbox.path("begun").exists());
    // As CI systems end a job.
    running.signal("TERM");
    running.end().ended(143);
    sandbox.empties();
}
