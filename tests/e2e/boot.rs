//! The main job: boot, look, change, stop, and leave nothing.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::sandbox::{Account, Sandbox, binary, finish, until};

const SHOP: &str = r#"
name: small
environment: { LEVEL: debug }
services:
  web:
    command: [python3, web.py]
    ports: { http: 8080 }
    depends_on: [users, migrate]
    environment: { USERS_URL: "${users.url}" }
    readiness: { http: /healthz, period: 200ms }
  users:
    command: exec python3 -u -m http.server --bind 127.0.0.1 $PORT
    ports: { http: 8080 }
  migrate:
    command: echo migrated > done.txt
  worker:
    command: [sleep, infinity]
    depends_on: { web: { condition: service_started } }
"#;

const WEB: &str = r#"
import http.server, os, urllib.request

class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"fine"
        if self.path != "/healthz":
            body = b"users say: " + urllib.request.urlopen(os.environ["USERS_URL"] + "/done.txt").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Web).serve_forever()
"#;

fn small(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, SHOP);
    sandbox.write("web.py", WEB);
    sandbox
}

#[test]
fn a_workspace_boots_in_order_serves_and_goes_without_a_trace() {
    for account in Account::all() {
        let sandbox = small(account);
        let up = sandbox.up();
        assert!(up.err.contains("small is up: 4 services"), "{}", up.err);
        let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
        let states: Vec<_> = rows.as_array().unwrap().iter().map(|row| (&row["service"], &row["state"])).collect();
        assert_eq!(
            json!(states),
            json!([["web", "ready"], ["users", "ready"], ["migrate", "completed"], ["worker", "running"]])
        );

        let url = sandbox.nagaya(&["url", "web"]).good().out;
        let answer = finish(sandbox.command("curl").args(["-sS", url.trim()])).good();
        assert_eq!(answer.out, "users say: migrated\n");

        assert!(!sandbox.processes().is_empty());
        sandbox.nagaya(&["down"]).good().says(&["small is down"]);
        sandbox.empties();
        sandbox.nagaya(&["ps"]).ended(4).says(&["this workspace is not running", "`nagaya up` starts it"]);
    }
}

#[test]
fn services_see_their_variables_and_exec_is_in_their_place() {
    let sandbox = small(Account::Own);
    sandbox.up();
    let variables = sandbox.nagaya(&["env", "web", "--json"]).good().json();
    assert_eq!(variables["LEVEL"], "debug");
    assert_eq!(json!([variables["PORT"], variables["USERS_URL"]]), json!(["8080", "http://users:8080"]));

    let run = sandbox.nagaya(&["exec", "web", "--", "sh", "-c", "echo $LEVEL in $PWD; exit 7"]).ended(7);
    assert_eq!(run.out, format!("debug in {}\n", sandbox.path("").canonicalize().unwrap().display()));
    sandbox.nagaya(&["exec", "web", "--", "there-is-no-such-program"]).ended(127);
    sandbox.nagaya(&["exec", "nobody", "--", "true"]).ended(125).says(&["nobody"]);
}

#[test]
fn without_pods_addresses_come_in_variables() {
    let sandbox = small(Account::Own);
    sandbox.write("nagaya.yaml", SHOP.replace("name: small", "name: small\nnetwork: env"));
    sandbox.up();
    let variables = sandbox.nagaya(&["env", "web", "--json"]).good().json();
    let port: u16 = variables["PORT"].as_str().unwrap().parse().unwrap();
    assert_eq!(sandbox.row("web")["ports"][0]["published"], port);
    assert!(variables["USERS_URL"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{variables}");
    let url = sandbox.nagaya(&["url", "web"]).good().out;
    assert_eq!(finish(sandbox.command("curl").args(["-sS", url.trim()])).good().out, "users say: migrated\n");
}

#[test]
fn services_are_stopped_started_and_restarted_alone() {
    let sandbox = small(Account::Own);
    sandbox.up();
    let before = sandbox.pid("web");
    let restarted = sandbox.nagaya(&["restart", "web"]).good();
    // Of the old one, which was ready once, nothing is told.
    assert_eq!(restarted.err.matches("web").count(), 1, "{}", restarted.err);
    sandbox.nagaya(&["wait", "web"]).good();
    assert_ne!(sandbox.pid("web"), before);

    sandbox.nagaya(&["stop", "web"]).good();
    assert_eq!(sandbox.row("web")["state"], "stopped");
    assert!(!Path::new(&format!("/proc/{before}")).exists());
    assert_eq!(sandbox.row("users")["state"], "ready", "others run on");

    sandbox.nagaya(&["start", "web"]).good();
    assert_eq!(sandbox.row("web")["state"], "ready");
    sandbox.nagaya(&["stop", "wbe"]).ended(2).says(&["there is no service `wbe`", "did you mean `web`?"]);
}

#[test]
fn some_services_bring_all_that_they_need_or_not() {
    let sandbox = small(Account::Own);
    sandbox.nagaya(&["up", "-d", "--wait", "users"]).good();
    assert_eq!(sandbox.row("users")["state"], "ready");
    assert_eq!(sandbox.row("web")["state"], "stopped");
    // A second `up` starts what is missing.
    sandbox.nagaya(&["up", "-d", "--wait", "web"]).good();
    assert_eq!(sandbox.row("web")["state"], "ready");
    assert_eq!(sandbox.row("migrate")["state"], "completed");
    assert_eq!(sandbox.row("worker")["state"], "stopped");
    sandbox.nagaya(&["down"]).good();

    sandbox.nagaya(&["up", "-d", "--no-deps", "--wait", "web"]).good();
    assert_eq!(sandbox.row("users")["state"], "stopped");
}

#[test]
fn a_dry_run_shows_the_plan_and_starts_nothing() {
    let sandbox = small(Account::Own);
    let run = sandbox.nagaya(&["up", "--dry-run"]).good();
    for name in ["web", "users", "migrate", "worker"] {
        assert!(run.out.contains(name), "{}", run.out);
    }
    assert!(!sandbox.path("done.txt").exists());
    sandbox.empties();
}

#[test]
fn why_tells_the_chain_down_to_its_end() {
    let sandbox = Sandbox::new(
        r#"
name: chain
services:
  web: { command: [sleep, infinity], depends_on: [users] }
  users: { command: [sleep, infinity], depends_on: [db] }
  db: { command: "echo no disk; sleep infinity", readiness: { exec: "echo not yet; exit 1", period: 50ms } }
"#,
    );
    sandbox.nagaya(&["up", "-d"]).good();
    until("db was probed", || sandbox.nagaya(&["why", "db", "--json"]).json()["last_probe"].is_string());
    let why = sandbox.nagaya(&["why", "web", "--json"]).good().json();
    let blockers: Vec<_> =
        why["blockers"].as_array().unwrap().iter().map(|blocker| (&blocker["service"], &blocker["state"])).collect();
    assert_eq!(json!(blockers), json!([["users", "waiting"], ["db", "starting"]]));
    let text = sandbox.nagaya(&["why", "db"]).good().out;
    assert!(text.contains("not yet") && text.contains("no disk"), "{text}");
}

#[test]
fn two_checkouts_of_one_name_run_side_by_side() {
    let manifest = "name: twin\nservices:\n  web: { command: [sleep, infinity] }\n";
    let sandbox = Sandbox::new(manifest);
    sandbox.write("other/nagaya.yaml", manifest);
    sandbox.up();
    let other = sandbox.nagaya(&["-C", "other", "up", "-d", "--wait"]).good();
    assert!(other.err.contains("twin-2.localhost"), "{}", other.err);
    let running = sandbox.nagaya(&["ls", "--json"]).good().json();
    assert_eq!(running.as_array().unwrap().len(), 2);
    sandbox.nagaya(&["-p", "twin", "-C", "/", "down"]).ended(2).says(&["2 workspaces called `twin` are running"]);
    sandbox.nagaya(&["-C", "other", "down"]).good();
    sandbox.nagaya(&["-p", "twin", "-C", "/", "down"]).good();
}

#[test]
fn setup_runs_once_and_again_when_what_it_reads_has_changed() {
    let sandbox = Sandbox::new(
        "name: setup\nservices:\n  web:\n    command: [sleep, infinity]\n    setup: [{ command: echo x >> log, inputs: [lock] }]\n",
    );
    sandbox.write("lock", "1");
    let count = || fs::read_to_string(sandbox.path("log")).unwrap().lines().count();
    for (lock, expected) in [("1", 1), ("1", 1), ("2", 2)] {
        sandbox.write("lock", lock);
        sandbox.up();
        assert_eq!(count(), expected);
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn hundreds_of_services_are_waited_for_from_the_first_moment() {
    let mut manifest = "name: many\nservices:\n".to_owned();
    for number in 0..400 {
        manifest.push_str(&format!(
            "  s{number}: {{ command: [sleep, infinity], ports: {{ http: {} }} }}\n",
            8000 + number
        ));
    }
    let sandbox = Sandbox::new(&manifest.replace(", ports: { http: 8000 }", ""));
    // They never listen, so the wait is for nothing; but it is a wait, and no failure.
    sandbox.nagaya(&["up", "-d", "--wait", "--wait-timeout", "1s"]).ended(5);
    sandbox.nagaya(&["restart", "s0"]).good();
    for verb in ["start", "restart"] {
        sandbox.nagaya(&[verb, "s1", "--wait-timeout", "1s"]).ended(5).says(&["not there after 1", "s1"]);
    }
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();
}

#[test]
fn down_ends_a_setup_and_a_probe_that_are_under_way() {
    let sandbox = Sandbox::new(
        r#"
name: busy
services:
  web:
    command: [sleep, infinity]
    setup: ["touch begun; setsid sh -c 'trap : TERM; sleep 1000; sleep 1000' & sleep 1000"]
  db: { command: [sleep, infinity], readiness: { exec: "touch probed; sleep 1000", timeout: 1000s } }
"#,
    );
    for words in [&["down"][..], &["down", "--force"]] {
        sandbox.nagaya(&["up", "-d"]).good();
        until("both are under way", || sandbox.path("begun").exists() && sandbox.path("probed").exists());
        sandbox.nagaya(words).good();
        sandbox.empties();
        for name in ["begun", "probed"] {
            fs::remove_file(sandbox.path(name)).unwrap();
        }
    }
}

#[test]
fn down_ends_setups_that_wait_for_their_turn() {
    let many = 4 * std::thread::available_parallelism().unwrap().get();
    let services: String = (0..many)
        .map(|n| format!("  s{n}: {{ command: [sleep, infinity], setup: [\"touch begun; sleep 1000\"] }}\n"))
        .collect();
    let sandbox = Sandbox::new(&format!("name: queue\nservices:\n{services}"));
    sandbox.nagaya(&["up", "-d"]).good();
    until("one is under way", || sandbox.path("begun").exists());
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();
}

#[test]
fn a_variable_of_the_shell_that_takes_the_place_of_a_port_is_told() {
    let sandbox = small(Account::Own);
    let mut up = sandbox.command(binary());
    let run = finish(up.args(["up", "-d", "users"]).env("PORT", "3999").env("USERS_URL", "http://x")).good();
    let run = run.says(&["the shell sets `PORT`, and services get that", "`env -u PORT nagaya up`"]);
    assert!(!run.err.contains("USERS_URL"), "the manifest sets that one itself: {}", run.err);
    assert_eq!(sandbox.nagaya(&["env", "users", "--json"]).good().json()["PORT"], "3999");
}

/// With `-p` or without it: what bears this name here is one workspace, and whoever comes second finds it.
#[test]
fn a_workspaces_own_name_by_p_means_itself() {
    let sandbox = Sandbox::new("name: own\nservices:\n  web: { command: sleep infinity }\n");
    for (first, second) in
        [(&["up", "-d"][..], &["-p", "own", "up", "-d"][..]), (&["-p", "own", "up", "-d"], &["up", "-d"])]
    {
        sandbox.nagaya(first).good();
        let pid = sandbox.engine()["pid"].clone();
        // Without it too, however it was started.
        sandbox.nagaya(&["ps"]).good();
        sandbox.nagaya(second).good();
        assert_eq!(sandbox.engine()["pid"], pid);
        sandbox.nagaya(&["-p", "own", "down"]).good();
    }
}
