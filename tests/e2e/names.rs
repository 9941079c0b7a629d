//! Network mode `names`: production's names and ports on one machine's loopback, and what it cannot give.

use std::collections::BTreeSet;
use std::net::TcpListener;

use super::doctor::limited;
use crate::support::sandbox::{Account, Sandbox, signal, until};

const SERVER: &str = "exec python3 -u -m http.server --bind 127.0.0.1 $PORT";

/// Two services with the same port, and one that calls both by all of their names.
fn shop(network: &str, job: &str) -> String {
    format!(
        "name: shop
namespace: team
{network}
services:
  users: {{ command: {SERVER}, ports: {{ http: 8080 }}, aliases: accounts, hostnames: [users.example.com] }}
  orders: {{ command: {SERVER}, ports: {{ http: 8080 }}, depends_on: [users] }}
  job:
    command: '{job}'
    depends_on: [users, orders]
"
    )
}

const CALL_ALL: &str = "for name in users users.shop users.team users.team.svc users.team.svc.cluster.local accounts \
                        accounts.shop users.example.com orders; do curl -sSf -o /dev/null http://$name:8080/ && echo \
                        reached $name; done; echo at $USERS_URL $ORDERS_HOST:$ORDERS_PORT";

#[test]
fn every_name_leads_to_its_service_and_callers_are_told_apart() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, &shop("network: names", CALL_ALL));
        sandbox.up();
        until("the job has called all", || sandbox.row("job")["state"] == "completed");
        let said = sandbox.nagaya(&["logs", "job"]).good().out;
        assert_eq!(said.matches("reached").count(), 9, "{said}");
        assert!(said.contains("at http://users:8080 orders:8080"), "{said}");
        sandbox.nagaya(&["exec", "orders", "--", "curl", "-sSf", "http://users:8080/"]).good();
        let calls: Vec<String> = sandbox
            .requests()
            .iter()
            .map(|it| format!("{}->{}", it["from"].as_str().unwrap(), it["to"].as_str().unwrap()))
            .collect();
        let count = |call: &str| calls.iter().filter(|it| *it == call).count();
        assert_eq!([count("job->users"), count("job->orders"), count("orders->users")], [8, 1, 1], "{calls:?}");
        for service in ["users", "orders", "job"] {
            assert_eq!(sandbox.row(service)["network"], "names");
        }
        // Nobody else sees the names, and who has no edge to a service has no name for it.
        sandbox.nagaya(&["exec", "users", "--", "getent", "hosts", "orders"]).ended(2);
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}

#[test]
fn what_a_program_left_behind_goes_with_the_engine() {
    for account in Account::all() {
        let sandbox = Sandbox::of(
            account,
            "network: names
services:
  web: { command: 'setsid sh -c \"trap : TERM; while :; do sleep 1; done\" & exec sleep infinity', depends_on: [users] }
  users: { command: [sleep, infinity] }
",
        );
        sandbox.up();
        until("all of it runs", || sandbox.processes().len() > 5);
        let engine = sandbox.engine()["pid"].as_u64().unwrap();
        signal("KILL", u32::try_from(engine).unwrap());
        sandbox.empties();
    }
}

/// The loopback address of a callee, as a caller finds it.
#[track_caller]
fn address(sandbox: &Sandbox, caller: &str, callee: &str) -> String {
    let found = sandbox.nagaya(&["exec", caller, "--", "getent", "hosts", callee]).good().out;
    found.split_whitespace().next().unwrap_or_else(|| panic!("no address in {found}")).to_owned()
}

#[test]
fn each_pair_has_its_address_in_a_range_of_its_workspace() {
    let text = format!(
        "network: names
services:
  a: {{ command: [sleep, infinity], depends_on: [c] }}
  b: {{ command: [sleep, infinity], depends_on: [c] }}
  c: {{ command: {SERVER}, ports: {{ http: 8080 }} }}
"
    );
    let sandboxes = [Sandbox::new(&text), Sandbox::of(Account::unprivileged(), &text)];
    let look = |sandbox: &Sandbox| ["a", "b"].map(|caller| address(sandbox, caller, "c"));
    let all: Vec<String> = sandboxes.iter().inspect(|it| drop(it.up())).flat_map(look).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4, "{all:?}");
    let range = |address: &String| address.split('.').nth(1).unwrap().to_owned();
    assert!(range(&all[0]) == range(&all[1]) && range(&all[0]) != range(&all[2]), "{all:?}");
    // Caches outlive a restart.
    let [first, _] = &sandboxes;
    first.nagaya(&["down"]).good();
    first.up();
    assert_eq!(look(first).as_slice(), &all[..2]);
}

#[test]
fn a_second_checkout_has_the_names_of_the_first() {
    for network in ["pod", "names"] {
        let text = format!(
            "name: shop
network: {network}
services:
  web: {{ command: [sleep, infinity], depends_on: [users] }}
  users: {{ command: '{SERVER}', ports: {{ http: 8080 }} }}
"
        );
        let text = if network == "pod" { text.replace("$PORT", "8080") } else { text };
        let sandbox = Sandbox::new(&text);
        sandbox.write("b/nagaya.yaml", &text);
        sandbox.up();
        let second = |words: &[&str]| sandbox.nagaya(&[&["-f", "b/nagaya.yaml"], words].concat());
        let up = second(&["up", "-d", "--wait"]).good();
        up.says(&["http://shop-2.localhost:"]);
        for name in ["users", "users.shop", "users.shop-2", "users.default.svc"] {
            let url = format!("http://{name}:8080/");
            second(&["exec", "web", "--", "curl", "-sSf", "-o", "/dev/null", &url]).good();
        }
        second(&["down"]).good();
    }
}

#[test]
fn a_manifest_that_changes_brings_new_names() {
    let web = |callees: &str| {
        format!(
            "network: names
services:
  web: {{ command: [sleep, infinity], depends_on: [{callees}] }}
  a: {{ command: '{SERVER}', ports: {{ http: 8080 }} }}
  b: {{ command: '{SERVER}', ports: {{ http: 8080 }} }}
"
        )
    };
    let sandbox = Sandbox::new(&web("a"));
    sandbox.up();
    let call = |name: &str| sandbox.nagaya(&["exec", "web", "--", "curl", "-sSf", &format!("http://{name}:8080/")]);
    call("a").good();
    call("b").ended(6);
    sandbox.write("nagaya.yaml", web("a, b"));
    sandbox.up();
    call("a").good();
    call("b").good();
    sandbox.nagaya(&["stop", "b"]).good();
    call("b").ended(7);
}

#[test]
fn a_program_that_insists_on_a_number_that_is_called_is_refused() {
    let sandbox = Sandbox::new(
        "network: names
services:
  web: { command: [sleep, infinity], depends_on: [db], environment: { DB: 'db:5432' } }
  db: { command: [sleep, infinity], ports: { tcp: 5432 }, listen: 5432 }
",
    );
    let said = ["web calls db at port 5432", "db insists on that port", "`network: pod`"];
    for words in [["check"].as_slice(), &["up", "-d", "--wait"], &["up", "--dry-run"]] {
        sandbox.nagaya(words).ended(3).says(&said).says(&["error[names_clash]", "nagaya.yaml:3"]);
    }
    assert!(sandbox.processes().is_empty());
}

#[test]
fn a_hosts_file_has_no_wildcards_and_whoever_asks_for_them_is_told() {
    let services = "services:
  web: { command: [sleep, infinity], depends_on: [users] }
  users: { command: 'exec python3 -u -m http.server --bind 127.0.0.1 $PORT', ports: { http: 8080 }, hostnames: [users.example.com, '*.users.example.com'] }
";
    for account in Account::all() {
        let sandbox = Sandbox::of(account, &format!("network: names\n{services}"));
        let said = ["web finds no name below `*.users.example.com`", "`network: pod`"];
        sandbox.nagaya(&["up", "-d", "--wait"]).ended(3).says(&said);
        sandbox.nagaya(&["check"]).ended(3).says(&said).says(&["nagaya.yaml:4"]);
        assert!(sandbox.processes().is_empty());
        // `auto` has all other names, and says what it lacks.
        sandbox.write("nagaya.yaml", services);
        let up = limited(&sandbox, "net", account == Account::Own, &["up", "-d", "--wait"]).good();
        let up = up.says(&["mode `names`", "web finds no name below `*.users.example.com`"]);
        assert!(!up.err.contains("mode `env`"), "{}", up.err);
        let call = |name: &str| sandbox.nagaya(&["exec", "web", "--", "curl", "-sSf", "-o", "/dev/null", name]);
        call("http://users.example.com:8080/").good();
        call("http://a.users.example.com:8080/").ended(6);
    }
}

#[test]
fn a_stranger_on_all_addresses_is_named() {
    let stranger = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let sandbox = Sandbox::new(&format!(
        "network: names
services:
  web: {{ command: [sleep, infinity], depends_on: [db] }}
  db: {{ command: {SERVER}, ports: {{ tcp: {port} }} }}
"
    ));
    let taken = format!("port {port} is taken by");
    let holder = format!("(pid {})", std::process::id());
    let up = ["no listener on 127.", "so calls of web to db fail", &taken, &holder];
    sandbox.up().says(&up);
    sandbox.nagaya(&["ps"]).good().says(&up);
    let why = sandbox.nagaya(&["why", "web"]).good().out;
    assert!(
        why.contains(&format!("its call to db:{port} was refused: no listener on")) && why.contains(&taken),
        "{why}"
    );
    drop(stranger);
    // Nobody has to ask for it.
    until("it is listened there", || sandbox.nagaya(&["ps"]).good().err.is_empty());
    let connect = format!("import socket; socket.create_connection(('db', {port}))");
    sandbox.nagaya(&["exec", "web", "--", "python3", "-c", &connect]).good();
    let events = sandbox.nagaya(&["events"]).good().out;
    assert!(events.contains("calls of web to db find a listener on 127."), "{events}");
}

#[test]
fn auto_falls_to_names_where_only_networks_are_missing() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, &shop("", CALL_ALL));
        let up = limited(&sandbox, "net", account == Account::Own, &["up", "-d", "--wait"]).good();
        assert_eq!(up.err.matches("mode `names`").count(), 1, "{}", up.err);
        let up = up.says(&["cannot make namespaces", "`nagaya doctor`"]);
        assert!(!up.err.contains("mode `env`"), "{}", up.err);
        assert_eq!(sandbox.row("job")["network"], "names");
        let said = sandbox.nagaya(&["logs", "job"]).good().out;
        assert_eq!(said.matches("reached").count(), 9, "{said}");
    }
}

#[test]
fn auto_falls_to_env_where_nothing_is_allowed_and_says_so_once() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, &shop("", "curl -sSf -o /dev/null $USERS_URL && echo reached"));
        let up = limited(&sandbox, "user", false, &["up", "-d", "--wait"]).good();
        assert_eq!(up.err.matches("mode `env`").count(), 1, "{}", up.err);
        assert_eq!(sandbox.row("job")["network"], "env");
        assert!(sandbox.nagaya(&["logs", "job"]).good().out.contains("reached"));
        // What was said is not said again.
        assert!(!limited(&sandbox, "user", false, &["up", "-d", "--wait"]).good().err.contains("mode `env`"));
    }
}

#[test]
fn a_mode_that_was_asked_for_and_cannot_be_had_is_an_error() {
    for account in Account::all() {
        for mode in ["pod", "names"] {
            let sandbox = Sandbox::of(account, &shop(&format!("network: {mode}"), "true"));
            let wants = format!("users wants `network: {mode}`");
            limited(&sandbox, "user", false, &["up", "-d", "--wait"]).ended(1).says(&[
                &wants,
                "cannot make namespaces: No space left on device",
                "hint: `nagaya doctor` tells why",
            ]);
            assert!(sandbox.processes().is_empty());
        }
        let sandbox = Sandbox::of(account, &shop("network: pod", "true"));
        let rights = account == Account::Own;
        limited(&sandbox, "net", rights, &["up", "-d", "--wait"]).ended(1).says(&["users wants `network: pod`"]);
    }
}

#[test]
fn a_program_that_does_not_take_its_port_is_told_where_it_has_to_listen() {
    let sandbox = Sandbox::new(
        "network: names
services:
  web: { command: [sleep, infinity], depends_on: [db], environment: { DB: 'db:18474' } }
  db: { command: [python3, -m, http.server, '18474'], ports: { http: 18474 } }
",
    );
    let up = sandbox.nagaya(&["up", "-d", "--wait"]).ended(1);
    let number = sandbox.row("db")["ports"][0]["published"].to_string();
    let said =
        format!("in network mode `names` all share this machine's ports: db has to listen on its `PORT`, {number}");
    up.says(&[&said]);
    assert!(sandbox.nagaya(&["why", "db"]).good().out.contains(&said));
}
