//! The shop, with its database as a process and in a container.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::containers::backing::{postgres, stocked};
use super::terminal::Terminal;
use crate::support::sandbox::{Run, Sandbox, binary, finish, signal, until};

/// What the shop has besides while somebody looks at it: a service that stays as it failed and has two versions, a task.
const BESIDES: &str = r#"
services:
  payments:
    restart: "no"
    versions:
      v1: {}
      v2: { environment: { PAYMENT_LIMIT_CENTS: "90000" } }
tasks:
  stock:
    description: What is sold
    command: psql --no-psqlrc -tAc "select 'sold -> ' || id from products order by id" shop
    depends_on: [db]
"#;

/// Copies what git knows of a folder.
fn copy(sandbox: &Sandbox, folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = finish(Command::new("git").args(["ls-files"]).current_dir(&root)).good().out;
    for file in files.lines().filter(|file| root.join(file).exists()) {
        sandbox.write(file, fs::read(root.join(file)).unwrap());
    }
}

/// Places an order at the front door, and looks who was called for it; its number.
fn order(nagaya: &dyn Fn(&[&str]) -> Run) -> String {
    let shop = nagaya(&["url", "web"]).good().out.trim().to_owned();
    assert!(shop.contains("shop.localhost"), "{shop}");
    let post = |path: &str, body: &str| {
        finish(Command::new("curl").args(["-sS", "--fail-with-body", "-d", body, &format!("{shop}{path}")])).good().out
    };
    // Whoever has only just become ready may be asked again before anybody is sent there.
    let products = || finish(Command::new("curl").args(["-sS", &format!("{shop}/api/products")])).out;
    until("there is something to buy", || products().contains("tea"));
    post("/api/cart", r#"{"user": "ada", "product": "tea", "quantity": 2}"#);
    let order = post("/api/orders", r#"{"user": "ada"}"#);
    let id = serde_json::from_str::<Value>(&order).unwrap()["id"].to_string();
    assert_eq!(lines(nagaya, &id).good().out, "1\n", "{order}");
    let run = nagaya(&["requests", "--json"]).good();
    let requests: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (from, to, protocol) in [
        ("(front door)", "web", "http"),
        ("web", "users", "grpc"),
        ("web", "cart", "http"),
        ("web", "orders", "http"),
        ("orders", "payments", "http"),
        ("orders", "mailer", "http"),
        ("orders", "db", "tcp"),
        ("cart", "redis", "tcp"),
    ] {
        let hop = |record: &&Value| {
            record["from"] == from && record["to"] == to && record["protocol"] == protocol && record["error"].is_null()
        };
        assert!(requests.iter().any(|record| hop(&record)), "no {protocol} from {from} to {to}");
    }
    id
}

/// How many lines an order has, asked where the database runs.
fn lines(nagaya: &dyn Fn(&[&str]) -> Run, id: &str) -> Run {
    let sql = format!("select count(*) from order_lines where order_id = {id}");
    nagaya(&["exec", "db", "--", "psql", "postgres://shop:shop@localhost/shop", "-tAc", &sql])
}

/// What a developer does in the dashboard on a bad day, each in the fewest keys, in a terminal of the usual size. The shop
/// has been started there; it is left running.
fn look(terminal: &Terminal<'_>, sandbox: &Sandbox, buy: impl Fn()) {
    // Somebody breaks payments, which then ends.
    let file = "payments/server.py";
    let whole = fs::read(sandbox.path(file)).unwrap();
    sandbox.write(file, [b"import jsonn\n", &*whole].concat());
    signal("KILL", sandbox.pid("payments"));
    terminal.shows("1 fails");
    sandbox.nagaya(&["start", "payments"]);
    terminal.shows("✗ failed    0/1   exited with 1");

    // It is found, and says why, with its last lines.
    terminal.press(&["!"]);
    terminal.shows("┌ payments exited with 1");
    terminal.press(&["e"]);
    terminal.shows("┌ why payments ");
    terminal.shows("✗ payments has failed");
    terminal.shows("│needed by orders");
    terminal.shows("│ModuleNotFoundError: No module named 'jsonn'");
    // It is mended and started again from there.
    sandbox.write(file, whole);
    terminal.press(&["r"]);
    terminal.shows("● payments is ready");
    terminal.shows("12/12 ready");

    // The last request, and all that came of it.
    buy();
    terminal.press(&["4"]);
    terminal.shows("POST /api/orders");
    terminal.press(&["Enter"]);
    terminal.shows("┌ trace ");
    for row in ["│web   ", "│  orders   ", "│    payments v1 ", "│    mailer ", "│(front door) → web, http, 201"]
    {
        terminal.shows(row);
    }

    // A quarter of what is paid goes to the other version.
    terminal.press(&["5"]);
    terminal.shows("→ payments-v2 ");
    terminal.press(&["j", "Enter", "2", "5", "Enter"]);
    terminal.shows("▶ 25 %");
    terminal.shows("25 % to payments-v2, 75 % to payments");
    let routes = || sandbox.nagaya(&["dtab", "get"]).good().out;
    until("that is in force", || {
        routes().contains("/svc/payments => 25*/#/local/payments-v2 & 75*/#/local/payments ;")
    });

    // The task of the manifest comes first, among those of all runners.
    terminal.press(&["6"]);
    terminal.shows("cargo run --bin cart");
    terminal.press(&["Enter"]);
    terminal.shows("sold -> tea");
    terminal.shows(" done ┐");

    terminal.press(&["q", "l"]);
    terminal.shows("ended with 0");
    assert_eq!(sandbox.row("web")["state"], "ready");
}

#[test]
fn an_order_at_the_shops_front_door_reaches_postgres_wherever_that_runs() {
    // Where the toolchains of five languages have been set up for whoever runs the tests.
    let sandbox = Sandbox::new("").at_home();
    copy(&sandbox, "examples/shop");
    let nagaya = |words: &[&str]| sandbox.nagaya(words);
    sandbox.write("nagaya.local.yaml", BESIDES);
    let terminal = Terminal::open(&sandbox, (80, 24), "up");
    terminal.shows("┌ services ");
    nagaya(&["wait", "--timeout", "540s"]).good();
    assert_eq!(sandbox.row("db")["kind"], "process");
    let id = order(&nagaya);
    look(&terminal, &sandbox, || drop(order(&nagaya)));
    drop(terminal);
    assert!(!sandbox.processes().is_empty());
    nagaya(&["down"]).good();
    fs::remove_file(sandbox.path("nagaya.local.yaml")).unwrap();
    sandbox.empties();
    // Its data are kept.
    nagaya(&["up", "-d", "--wait", "db"]).good();
    until("the order is there", || lines(&nagaya, &id).out == "1\n");
    nagaya(&["down"]).good();

    // The same manifest, and what it is made of here as a container.
    let docker = stocked();
    let (_, version) = postgres();
    finish(docker.client().args(["tag", &format!("postgres:{version}"), "postgres:17"])).good();
    let host = format!("DOCKER_HOST=unix://{}", docker.socket().display());
    let boxed =
        |words: &[&str]| finish(sandbox.command("env").args([&host, "SHOP_DB=container"]).arg(binary()).args(words));
    boxed(&["up", "-d", "--wait", "--wait-timeout", "100s"]).good();
    assert_eq!(sandbox.row("db")["kind"], "container");
    let id = order(&boxed);
    boxed(&["down"]).good();
    boxed(&["up", "-d", "--wait", "db"]).good();
    until("the order is there", || lines(&boxed, &id).out == "1\n");
    boxed(&["down", "--volumes", "--yes"]).good();
    sandbox.empties();
}
