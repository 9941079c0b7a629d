//! README's first command, and the shop.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::sandbox::{Account, Sandbox, finish, until};

/// The body of a page.
fn get(url: &str) -> String {
    finish(Command::new("curl").args(["-sS", "--fail-with-body", "--max-time", "30", url])).good().out
}

#[test]
fn the_demo_needs_nothing_and_answers_with_a_page_that_all_made() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "");
        sandbox.nagaya(&["demo", "-d", "--wait", "--wait-timeout", "60s"]).good();
        let url = sandbox.nagaya(&["-p", "demo", "url", "web"]).good().out;
        let page = get(url.trim());
        for part in ["greeter", "quotes", "store", "clock"] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        let requests = sandbox.nagaya(&["-p", "demo", "requests", "--json"]).good().out;
        for edge in
            [r#""from":"(front door)","to":"web""#, r#""from":"web","to":"greeter""#, r#""from":"web","to":"store""#]
        {
            assert!(requests.contains(edge), "no {edge} in {requests}");
        }
        sandbox.nagaya(&["-p", "demo", "down"]).good();
        sandbox.empties();
    }
}

#[test]
fn the_demo_is_written_out_as_a_start() {
    let sandbox = Sandbox::new("");
    sandbox.nagaya(&["demo", "--write", "mine"]).good();
    sandbox.nagaya(&["-C", "mine", "check"]).good();
    sandbox.nagaya(&["demo", "--write", "mine"]).ended(1).says(&["is there already"]);
    sandbox.nagaya(&["-C", "mine", "up", "-d", "--wait", "greeter"]).good();
}

/// Copies what git knows of a folder.
fn copy(sandbox: &Sandbox, folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = finish(Command::new("git").args(["ls-files"]).current_dir(&root)).good().out;
    for file in files.lines() {
        sandbox.write(file, fs::read(root.join(file)).unwrap());
    }
}

#[test]
fn an_order_at_the_shops_front_door_reaches_postgres() {
    // Where the toolchains of five languages have been set up for whoever runs the tests.
    let sandbox = Sandbox::new("").at_home();
    copy(&sandbox, "examples/shop");
    sandbox.nagaya(&["up", "-d", "--wait", "--wait-timeout", "540s"]).good();
    let shop = sandbox.nagaya(&["url", "web"]).good().out.trim().to_owned();
    assert!(shop.contains("shop.localhost"), "{shop}");
    let post = |path: &str, body: &str| {
        finish(Command::new("curl").args(["-sS", "--fail-with-body", "-d", body, &format!("{shop}{path}")])).good().out
    };
    assert!(get(&format!("{shop}/api/products")).contains("tea"));
    post("/api/cart", r#"{"user": "ada", "product": "tea", "quantity": 2}"#);
    let order = post("/api/orders", r#"{"user": "ada"}"#);
    let id = serde_json::from_str::<serde_json::Value>(&order).unwrap()["id"].to_string();

    let sql = format!("select count(*) from order_lines where order_id = {id}");
    let query = ["exec", "db", "--", "psql", "-h", "localhost", "-U", "shop", "-tAc", &sql];
    assert_eq!(sandbox.nagaya(&query).good().out, "1\n", "{order}");

    let requests = sandbox.requests();
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
        let hop = |record: &&serde_json::Value| {
            record["from"] == from && record["to"] == to && record["protocol"] == protocol && record["error"].is_null()
        };
        assert!(requests.iter().any(|record| hop(&record)), "no {protocol} from {from} to {to}");
    }
    assert!(!sandbox.processes().is_empty());
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();

    // Its data are kept.
    sandbox.nagaya(&["up", "-d", "--wait", "db"]).good();
    let kept = ["exec", "db", "--", "psql", "-h", "db", "-U", "shop", "-tAc", &sql];
    until("the order is there", || sandbox.nagaya(&kept).out == "1\n");
}
