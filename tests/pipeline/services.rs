//! Tasks that need services, and services that need tasks.

use std::fs;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, binary, finish, signal, until};

pub const SERVER: &str = "import http.server, os, sys
open('started-' + sys.argv[1], 'a').write('x')
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[1].encode())
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(('0.0.0.0', int(os.environ['PORT'])), Server).serve_forever()
";

/// Calls a service by its name and by the address in a variable.
pub const CALL: &str = "import os, sys, urllib.request
name = sys.argv[1]
url = os.environ['STORE'] if name == 'variable' else f'http://{name}:8080'
print(urllib.request.urlopen(url, timeout=20).read().decode(), *sys.argv[2:])
";

const MANIFEST: &str = "name: shop
services:
  db: { command: [python3, server.py, db], ports: { http: 8080 } }
  users: { command: [python3, server.py, users], ports: { http: 8080 }, depends_on: [db] }
  web: { command: [python3, server.py, web], ports: { http: 8080 }, depends_on: { 'db:migrate': completed } }
tasks:
  call: { command: [python3, call.py, db], depends_on: [db] }
  variable: { command: [python3, call.py, variable], depends_on: [db], environment: { STORE: '${db.url}' } }
  fails: { command: 'exit 7', depends_on: [db] }
  slow: { command: 'sleep 0.2; echo x >> slow', depends_on: [db] }
  waits: { command: 'touch waiting; sleep 1000', depends_on: [db] }
  kept: { command: 'python3 call.py db; echo x >> runs', depends_on: [db], inputs: [call.py], outputs: [] }
  build: { command: 'touch built' }
  'db:migrate': { command: 'test -e built && python3 call.py db > migrated', depends_on: [db, build] }
  ready: { command: 'cat migrated', depends_on: [web] }
";

fn sandbox(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, MANIFEST);
    sandbox.write("server.py", SERVER);
    sandbox.write("call.py", CALL);
    sandbox
}

fn started(sandbox: &Sandbox, service: &str) -> bool {
    sandbox.path(&format!("started-{service}")).exists()
}

fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(row, "service"), text(row, "state"))).collect()
}

#[test]
fn what_a_task_needs_is_started_and_stopped_again() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let plan = sandbox.nagaya(&["run", "ready", "--dry-run"]).good().out;
        assert!(plan.ends_with("; with db, build, db-migrate, web\n") && !started(&sandbox, "db"), "{plan}");
        let run = sandbox.nagaya(&["run", "call", "--", "more", "a b"]).good();
        assert_eq!(run.out, "db more a b\n");
        assert!(started(&sandbox, "db") && !started(&sandbox, "users") && !started(&sandbox, "web"));
        sandbox.empties();
        assert_eq!(sandbox.nagaya(&["run", "variable"]).good().out, "db\n");
        sandbox.nagaya(&["run", "fails"]).ended(7);
        sandbox.empties();
    }
}

#[test]
fn without_pods_addresses_come_in_variables() {
    let sandbox = sandbox(Account::Own);
    sandbox.write("nagaya.yaml", MANIFEST.replace("name: shop", "name: shop\nnetwork: env"));
    assert_eq!(sandbox.nagaya(&["run", "variable"]).good().out, "db\n");
    sandbox.empties();
}

#[test]
fn what_runs_already_is_used_and_stays() {
    let sandbox = sandbox(Account::Own);
    sandbox.nagaya(&["up", "-d", "--wait", "db"]).good();
    assert_eq!(sandbox.nagaya(&["run", "call"]).good().out, "db\n");
    let pid = sandbox.pid("db");
    assert_eq!(sandbox.nagaya(&["run", "call", "fails", "--keep-going"]).ended(7).out, "call  | db\n");
    assert_eq!(sandbox.pid("db"), pid);
    // What is started for a run on a workspace that is up goes with it.
    sandbox.nagaya(&["stop", "db"]).good();
    sandbox.nagaya(&["run", "call"]).good();
    let of = |states: Vec<(String, String)>| states.into_iter().find(|(name, _)| name == "db").unwrap().1;
    assert_eq!(of(states(&sandbox)), "stopped");
    // Unless somebody asked for it meanwhile.
    let waiting = sandbox.start(&["run", "waits"]);
    until("it waits", || sandbox.path("waiting").exists());
    sandbox.nagaya(&["up", "-d", "db"]).good();
    waiting.signal("INT");
    waiting.end().ended(130);
    assert_eq!(of(states(&sandbox)), "ready");
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn two_runs_share_what_they_need() {
    let sandbox = sandbox(Account::Own);
    let waiting = sandbox.start(&["run", "waits"]);
    until("it waits", || sandbox.path("waiting").exists());
    assert_eq!(sandbox.nagaya(&["run", "call"]).good().out, "db\n");
    waiting.signal("INT");
    waiting.end().ended(130);
    sandbox.empties();
    assert_eq!(fs::read_to_string(sandbox.path("started-db")).unwrap(), "x");
}

/// However close they come: none ends with the place of another.
#[test]
fn runs_of_a_task_at_the_same_time_take_turns() {
    let sandbox = sandbox(Account::Own);
    let runs: Vec<_> = (0..4).map(|_| sandbox.start(&["run", "slow"])).collect();
    for run in runs {
        run.end().good();
    }
    assert_eq!(fs::read_to_string(sandbox.path("slow")).unwrap(), "x\n".repeat(4));
    sandbox.empties();
}

/// As a task without services is.
#[test]
fn another_run_of_a_task_is_waited_for() {
    let sandbox = sandbox(Account::Own);
    let first = sandbox.start(&["run", "waits"]);
    until("it runs", || sandbox.path("waiting").exists());
    let second = sandbox.start(&["run", "waits"]);
    until("the second waits", || second.err().contains("waits waits for another run of it"));
    fs::remove_file(sandbox.path("waiting")).unwrap();
    first.signal("INT");
    first.end().ended(130);
    until("the second runs", || sandbox.path("waiting").exists());
    second.signal("INT");
    second.end().ended(130);
    sandbox.empties();
}

#[test]
fn a_run_that_is_killed_takes_its_services_with_it() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let waiting = sandbox.start(&["run", "waits"]);
        until("it waits", || sandbox.path("waiting").exists());
        signal("KILL", waiting.child.id());
        waiting.end().ended(137);
        sandbox.empties();
    }
}

#[test]
fn a_result_that_is_kept_does_not_depend_on_ports() {
    let sandbox = sandbox(Account::Own);
    for _ in 0..2 {
        assert_eq!(sandbox.nagaya(&["run", "kept"]).good().out, "db\n");
    }
    assert_eq!(fs::read_to_string(sandbox.path("runs")).unwrap(), "x\n");
}

#[test]
fn a_service_waits_for_its_task() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        sandbox.nagaya(&["up", "-d", "--wait", "web"]).good();
        assert_eq!(fs::read_to_string(sandbox.path("migrated")).unwrap(), "db\n");
        let all = states(&sandbox);
        let state = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, state)| state.as_str());
        assert_eq!(
            (state("db-migrate"), state("web"), state("users")),
            (Some("completed"), Some("ready"), Some("stopped"))
        );
        // Tasks that no service needs are no services.
        assert_eq!(state("call"), None);
        assert_eq!(sandbox.nagaya(&["run", "ready"]).good().out, "db\n");
        sandbox.nagaya(&["run", "db:migrate"]).good();
        let all = states(&sandbox);
        assert!(all.contains(&("db-migrate".into(), "completed".into())), "{all:?}");
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn a_task_that_fails_keeps_its_service_from_starting() {
    let sandbox = sandbox(Account::Own);
    sandbox.write("nagaya.yaml", MANIFEST.replace("test -e built &&", "exit 4;"));
    sandbox.nagaya(&["up", "-d", "--wait", "web"]).ended(1).says(&["db-migrate", "exited with 4"]);
    assert!(!started(&sandbox, "web"));
}

#[test]
fn conditions_and_names_are_checked() {
    let sandbox = Sandbox::new(
        "services:
  a-b: { command: x }
  web: { command: x, depends_on: { seed: ready } }
tasks:
  'a:b': { command: x, depends_on: [web] }
  seed: x
  call: { command: 'echo ${web.url}', depends_on: [web] }
",
    );
    sandbox.nagaya(&["check"]).ended(3).says(&[
        "`seed` is a task, and can only be waited for as `completed`",
        "`a:b` runs among the services, where `a-b` is another's name",
        "an address of `web` cannot be used in a task",
    ]);
}

/// Whoever runs them: `run` by itself, or the engine for a service.
#[test]
fn a_lock_is_for_tasks_of_engines_too() {
    let sandbox = Sandbox::new(
        "services: { web: { command: sleep 1000, depends_on: { migrate: completed } } }
tasks:
  deploy: { command: 'touch deploying; until test -e go; do sleep 0.02; done', lock: production }
  migrate: { command: 'touch migrating; until test -e on; do sleep 0.02; done', lock: production }
",
    );
    let deploy = sandbox.start(&["run", "deploy"]);
    until("it has the lock", || sandbox.path("deploying").exists());
    sandbox.nagaya(&["up", "-d"]).good();
    let said = || sandbox.nagaya(&["logs", "migrate"]).good().out;
    until("it is waited for", || said().contains("waits for the lock `production`, which process "));
    assert!(said().contains(", deploy in ") && !sandbox.path("migrating").exists());
    sandbox.write("go", "");
    deploy.end().good();
    until("it is its turn", || sandbox.path("migrating").exists());
    let deploy = sandbox.start(&["run", "deploy"]);
    until("it waits in turn", || deploy.err().contains("waits for the lock `production`, which workspace "));
    assert!(deploy.err().contains(", migrate in "), "{}", deploy.err());
    sandbox.write("on", "");
    deploy.end().good();
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    sandbox.nagaya(&["down"]).good();
}

/// A lock is let go of when its task is stopped, and waited for in vain by nobody.
#[test]
fn a_task_of_an_engine_that_waits_for_its_lock_can_be_stopped() {
    let sandbox = Sandbox::new(
        "services: { web: { command: sleep 1000, depends_on: { migrate: completed } } }
tasks:
  deploy: { command: 'touch deploying; until test -e go; do sleep 0.02; done', lock: production }
  migrate: { command: sleep 1000, lock: production }
",
    );
    let deploy = sandbox.start(&["run", "deploy"]);
    until("it has the lock", || sandbox.path("deploying").exists());
    sandbox.nagaya(&["up", "-d"]).good();
    until("it is waited for", || sandbox.nagaya(&["logs", "migrate"]).good().out.contains("waits for the lock"));
    sandbox.nagaya(&["down"]).good();
    sandbox.write("go", "");
    deploy.end().good();
    sandbox.nagaya(&["up", "-d"]).good();
    until("it runs", || states(&sandbox).contains(&("migrate".to_owned(), "running".to_owned())));
    sandbox.nagaya(&["down"]).good();
    sandbox.nagaya(&["run", "deploy"]).good();
}

/// An engine may outlive an upgrade: what it starts of itself is what came in the place of its file.
#[test]
fn a_lock_is_had_by_a_task_of_an_engine_whose_file_was_replaced() {
    let sandbox = Sandbox::new(
        "services:
  idle: { command: sleep 1000 }
  web: { command: sleep 1000, depends_on: { migrate: completed } }
tasks: { migrate: { command: touch migrated, lock: production } }
",
    );
    let (own, fresh) = (sandbox.path("own-nagaya"), sandbox.path("fresh"));
    fs::copy(binary(), &own).unwrap();
    finish(sandbox.command(&own).args(["up", "-d", "idle"])).good();
    fs::copy(binary(), &fresh).unwrap();
    fs::rename(&fresh, &own).unwrap();
    sandbox.nagaya(&["start", "web"]).good();
    assert!(sandbox.path("migrated").exists());
    sandbox.nagaya(&["down"]).good();
}

/// Each task waits for its own services alone, and what cannot be had fails that one.
#[test]
fn services_come_with_the_turn_of_a_task() {
    let sandbox = Sandbox::of(
        Account::Own,
        "services:
  db: { command: [python3, server.py, db], ports: { http: 8080 }, depends_on: { check: completed } }
  broken: { command: 'exit 9', restart: 'no' }
tasks:
  check: { command: 'test -e made' }
  make: { command: 'touch made' }
  call: { command: [python3, call.py, db], depends_on: [make, db] }
  lost: { command: 'touch lost', depends_on: [broken] }
  free: { command: 'echo free' }
",
    );
    sandbox.write("server.py", SERVER);
    sandbox.write("call.py", CALL);
    // `db` could not start before `make` has run.
    assert_eq!(sandbox.nagaya(&["run", "call", "--output", "prefixed"]).good().out, "call | db\n");
    let run = sandbox.nagaya(&["run", "-k", "lost", "free", "call"]).ended(125);
    assert!(["| free\n", "| db\n"].iter().all(|line| run.out.contains(line)), "{}", run.out);
    run.says(&["lost: broken: exited with 9", "1 failed"]);
    assert!(!sandbox.path("lost").exists());
    sandbox.empties();
}

/// Nothing is to be called for a result that is there.
#[test]
fn a_kept_result_starts_no_service() {
    let sandbox = sandbox(Account::Own);
    sandbox.nagaya(&["run", "kept"]).good();
    fs::remove_file(sandbox.path("started-db")).unwrap();
    assert_eq!(sandbox.nagaya(&["run", "kept"]).good().out, "db\n");
    assert!(!started(&sandbox, "db"));
    sandbox.empties();
    assert_eq!(fs::read_to_string(sandbox.path("runs")).unwrap(), "x\n");
}
