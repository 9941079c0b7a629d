//! Combinations of versions side by side: real servers of which some do not understand each other.

mod commits;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, binary, finish, until};
use crate::support::server::server;

const SHOP: &str = r#"
name: shop
network: NETWORK
strict: true
services:
  web: { command: [python3, server.py], ports: { http: 8080 }, depends_on: [orders] }
  orders:
    command: [python3, server.py]
    ports: { http: 8080 }
    depends_on: [users, stock]
    versions: { v1: { environment: { WANTS: name } }, v2: { environment: { WANTS: id } } }
  users:
    command: [python3, server.py]
    ports: { http: 8080 }
    readiness: { http: /healthz, period: 100ms }
    versions: { v1: { environment: { GIVES: name } }, v2: { environment: { GIVES: name id } } }
  stock: { command: [python3, server.py], ports: { http: 8080 }, stateful: true }
routes:
  - /svc/users => 1 * /#/local/users-v2 & 1 * /#/local/users-v1
  - { name: all, service: orders, match: { path: / }, to: orders-v2 }
"#;

/// Each answers with the names of all that were called, itself first. users gives fields, and orders needs one of them;
/// stock counts who asks it.
const ANSWER: &str = r#"
import os, urllib.error, urllib.request

own, seen = os.environ["NAGAYA_SERVICE"], []
base = own.split("-")[0]

def ask(name):
    with urllib.request.urlopen(os.environ[name.upper() + "_URL"] + "/", timeout=20) as answer:
        return answer.read().decode()

def told():
    if base == "web":
        return 200, own + " " + ask("orders")
    if base == "orders":
        said = ask("users")
        if os.environ["WANTS"] not in said.split("|")[1].split():
            return 500, "users gives no " + os.environ["WANTS"]
        return 200, own + " " + said.split("|")[0] + " " + ask("stock")
    if base == "stock":
        seen.append(1)
        return 200, own + " " + str(len(seen))
    return 200, own + "|" + os.environ["GIVES"]

def answer(path):
    try:
        code, text = (200, "ok") if path == "/healthz" else told()
    except urllib.error.HTTPError as error:
        code, text = 502, error.read().decode()
    return code, text + "\n"
"#;

/// Asks web, which names everybody who was called; each combination writes down who that was.
const ASK: &str = r#"
set -e
for turn in 1 2 3; do curl -sS --fail-with-body $WEB_URL/ > out.$NAGAYA_COMBINATION || { cat out.$NAGAYA_COMBINATION; exit 3; }; done
cat out.$NAGAYA_COMBINATION
"#;

fn shop(account: Account, network: &str) -> Sandbox {
    let sandbox = Sandbox::of(account, &SHOP.replace("NETWORK", network));
    sandbox.write("server.py", server(ANSWER));
    sandbox
}

fn matrix(sandbox: &Sandbox, words: &[&str]) -> crate::support::sandbox::Run {
    sandbox.nagaya(&[&["matrix"], words].concat())
}

/// Whose names the answers to a combination have, without what is shared.
fn met(sandbox: &Sandbox, combination: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(sandbox.path(&format!("out.{combination}"))).unwrap();
    text.split_whitespace().filter(|word| word.contains("-c")).map(str::to_owned).collect()
}

#[test]
fn versions_that_do_not_understand_each_other_are_found() {
    for account in Account::all() {
        for network in ["pod", "names", "env"] {
            let sandbox = shop(account, network);
            let run = matrix(&sandbox, &["users=v1,v2", "orders=v1,v2", "--jobs", "2", "--", "sh", "-c", ASK]).ended(1);
            let lines: Vec<&str> = run.out.lines().collect();
            assert!(
                lines[0].trim().starts_with("orders v1") && lines[0].ends_with("orders v2"),
                "{network}: {lines:?}"
            );
            assert!(
                lines[1].starts_with("users v1  ✓ passed") && lines[1].ends_with("✗ failed (3)"),
                "{network}: {lines:?}"
            );
            assert_eq!(lines[2].matches("✓ passed").count(), 2, "{network}: {lines:?}\n{}", run.err);
            assert_eq!(
                lines[3..],
                [
                    "",
                    "✓ orders v1 works with users v2: forward compatible",
                    "✗ orders v2 does not work with users v1: not backward compatible (exited with 3)",
                    "release one after the other: users v2, then orders v2",
                ],
                "{network}"
            );
            run.says(&[
                "4 combinations",
                "they share stock",
                "in stock each sees what others wrote",
                "| users gives no id",
            ]);
            // Nobody met anybody of another combination.
            for combination in ["c1", "c3", "c4"] {
                let own = ["orders", "users", "web"].map(|name| format!("{name}-{combination}"));
                assert_eq!(met(&sandbox, combination), BTreeSet::from(own), "{network}");
            }
            sandbox.empties();
        }
    }
}

#[test]
fn the_command_knows_what_it_runs_against_and_json_tells_all() {
    let sandbox = shop(Account::unprivileged(), "pod");
    let script = "test $NAGAYA_MATRIX_USERS = v2 && env | grep ^NAGAYA_MATRIX=; curl -sSf http://users:8080/";
    let run = matrix(&sandbox, &["users=v2,v1", "--json", "--isolate", "--", "sh", "-ec", script]).good();
    let told = run.json();
    assert_eq!(
        (&told["passed"], &told["isolated"], &told["shared"]),
        (&true.into(), &true.into(), &Value::Array(vec![]))
    );
    let cells = told["combinations"].as_array().unwrap();
    let short = |cell: &Value| (cell["name"].clone(), cell["versions"]["users"].clone(), cell["result"].clone());
    assert_eq!(
        cells.iter().map(short).collect::<Vec<_>>(),
        [("c1".into(), "v2".into(), "passed".into()), ("c2".into(), "v1".into(), "passed".into())]
    );
    assert_eq!(cells[0]["last_lines"], serde_json::json!(["NAGAYA_MATRIX=users=v2", "users-c1|name id"]));
    assert_eq!(cells[1]["last_lines"], serde_json::json!(["users-c2|name"]));
    assert!(cells[0]["services"].as_array().unwrap().contains(&"stock-c1".into()), "{told}");
    let verdict = &told["verdicts"][0];
    assert_eq!((&verdict["version"], &verdict["compatible"]), (&"v1".into(), &true.into()));
    assert_eq!(told["order"][0]["version"], "v1");
    sandbox.empties();
}

#[test]
fn each_combination_has_its_own_data_where_it_is_isolated() {
    let sandbox = shop(Account::Own, "pod");
    let count = |words: &[&str]| {
        let words = [&["users=v1,v2", "--json"], words, &["--", "sh", "-c", "curl -sSf $STOCK_URL/"]].concat();
        let told = matrix(&sandbox, &words).good().json();
        let lines = told["combinations"].as_array().unwrap().iter().map(|cell| cell["last_lines"][0].clone());
        lines.map(|line| line.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(count(&[]), ["stock 1".to_owned(), "stock 2".to_owned()].into());
    assert_eq!(count(&["--isolate"]), ["stock-c1 1".to_owned(), "stock-c2 1".to_owned()].into());
}

#[test]
fn everything_that_is_wrong_is_told_before_anything_boots() {
    let sandbox = shop(Account::Own, "env");
    let wrong = |words: &[&str], texts: &[&str]| drop(matrix(&sandbox, words).ended(2).says(texts));
    wrong(&["users", "orders=v1,v1", "--", "true"], &["`users` is no service with versions", "orders has `v1` twice"]);
    wrong(
        &["users=v1,v2", "--limit", "1", "--", "true"],
        &["2 combinations would be booted, and the limit is 1", "--limit N"],
    );
    wrong(&["users=v1,v2"], &["COMMAND"]);
    assert!(!sandbox.path("../state/nagaya").exists(), "nothing was begun");
    let told = [
        "there is no service `user`",
        "did you mean `users`?",
        "there is no service `payments`",
        "the manifest has web, orders, users, stock",
        "users has no version `v3`",
        "orders=git:main: ",
        "is in no git repository",
        "orders-v2 is a version of orders itself",
        "stock=./nowhere: ",
        "does not exist",
    ];
    let words = ["user=v1", "payments=v1", "users=v1,v3", "orders=v1,git:main", "orders-v2=v1", "stock=./nowhere"];
    wrong(&[&words[..], &["--", "true"]].concat(), &told);
    sandbox.write(
        "nagaya.yaml",
        SHOP.replace("NETWORK", "env").replace(
            "[python3, server.py], ports: { http: 8080 }, stateful: true",
            "x, listen: 8123, ports: { http: 8080 }",
        ),
    );
    wrong(&["stock=.,./", "--", "true"], &["stock insists on port 8123 of this machine", "`PORT`"]);
    sandbox.write("nagaya.yaml", SHOP.replace("NETWORK", "env"));
    sandbox.empties();
    matrix(&sandbox, &["users=v1", "--", "no-such-program"]).ended(127).says(&["`no-such-program` cannot be found"]);
    sandbox.empties();
}

#[test]
fn a_combination_that_does_not_come_up_says_why_and_the_others_run() {
    let sandbox = shop(Account::Own, "pod");
    let broken = "GIVES: name id }, command: 'echo the table is missing; exit 4' }";
    sandbox.write("nagaya.yaml", SHOP.replace("NETWORK", "pod").replace("GIVES: name id } }", broken));
    let run = matrix(&sandbox, &["users=v1,v2", "--", "sh", "-c", "echo fine; curl -sSf $WEB_URL/"]).ended(1);
    let run =
        run.says(&["✗ not ready: ", "users-c2: exited with 4", "| the last lines of users-c2", "the table is missing"]);
    let told =
        ["c1  v1     ✓ passed", "c2  v2     ✗ not ready", "users v2 does not work with all others as they are ("];
    assert!(told.iter().all(|text| run.out.contains(text)), "{}", run.out);
    assert!(run.out.contains("users v2 cannot be released"), "{}", run.out);
    let silent = "GIVES: name id }, command: 'exec sleep 1000' }";
    sandbox.write("nagaya.yaml", SHOP.replace("NETWORK", "pod").replace("GIVES: name id } }", silent));
    let words = ["users=v2,v1", "--wait-timeout", "10s", "--timeout", "2s", "--", "sh", "-c", "echo begun; sleep 1000"];
    let run = matrix(&sandbox, &words).ended(1);
    run.says(&[
        "c1  users v2  ✗ not ready: not there after 10s",
        "c2  users v1  ✗ timed out: the command took longer than 2.0s",
        "| begun",
    ]);
    sandbox.empties();
}

#[test]
fn what_runs_already_is_not_disturbed() {
    for network in ["pod", "env"] {
        let sandbox = shop(Account::Own, network);
        sandbox.up();
        let before = ["web", "orders", "users", "stock"].map(|name| sandbox.pid(name));
        let asked = || {
            let url = sandbox.nagaya(&["url", "stock"]).good().out;
            finish(sandbox.command("curl").args(["-sS", url.trim()])).good().out
        };
        assert_eq!(asked(), "stock 1\n");
        let running = sandbox.start(&[
            "matrix",
            "users=v1,v2",
            "--",
            "sh",
            "-c",
            "touch begun.$NAGAYA_COMBINATION; until test -e go; do sleep 0.05; done; curl -sSf $STOCK_URL/",
        ]);
        until("the command runs", || sandbox.path("begun.c1").exists() || sandbox.path("begun.c2").exists());
        let second = finish(sandbox.command(binary()).args(["matrix", "users=v1,v2", "--", "true"])).ended(1);
        second.says(&["shop-matrix is running already", "nagaya down -p shop-matrix"]);
        assert!(sandbox.nagaya(&["-p", "shop-matrix", "ps", "--names"]).good().out.contains("users-c2\n"));
        assert_eq!(asked(), "stock 2\n");
        // What is shared is of no combination, and finds none of their services.
        let words = ["-p", "shop-matrix", "exec", "stock", "--", "curl", "-sS", "http://users:8080/"];
        if network == "pod" {
            sandbox.nagaya(&words).ended(7);
        }
        sandbox.write("go", "");
        running.end().good();
        assert_eq!(["web", "orders", "users", "stock"].map(|name| sandbox.pid(name)), before, "{network}");
        assert_eq!(asked(), "stock 3\n");
    }
}

const ECHO: &str = r#"
name: echo
network: pod
services:
  echo:
    command: [python3, echo.py]
    ports: { tell: { port: 9000, protocol: udp } }
    readiness: { log: listening }
    versions: { v1: { environment: { SAYS: one } }, v2: { environment: { SAYS: two } } }
"#;

#[test]
fn datagrams_stay_in_their_combination_too() {
    let sandbox = Sandbox::of(Account::unprivileged(), ECHO);
    sandbox.write(
        "echo.py",
        "import os, socket\nown = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nown.bind(('', 9000))\nprint('listening')\n\
         while True:\n    own.sendto(os.environ['SAYS'].encode(), own.recvfrom(99)[1])\n",
    );
    sandbox.write(
        "ask.py",
        "import socket\nown = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nown.settimeout(20)\n\
         own.sendto(b'?', ('echo', 9000))\nprint(own.recv(99).decode())\n",
    );
    let told = matrix(&sandbox, &["echo=v1,v2", "--json", "--", "python3", "ask.py"]).good().json();
    let said = told["combinations"].as_array().unwrap().iter().map(|cell| cell["last_lines"][0].clone());
    assert_eq!(said.collect::<Vec<_>>(), ["one", "two"]);
    sandbox.empties();
}
