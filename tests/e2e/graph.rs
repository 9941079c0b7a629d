//! `graph`: the topology in every format, without an engine and with one.

use serde_json::json;

use crate::support::sandbox::{Account, Sandbox};

const SHOP: &str = "name: shop
services:
  web: { command: [sleep, infinity], depends_on: [users, orders] }
  users: { command: [sleep, infinity], environment: { URL: 'postgres://db/shop' } }
  orders: { command: [sleep, infinity], depends_on: [db], environment: { URL: 'postgres://db/shop' } }
  db: { command: [sleep, infinity], ports: { tcp: 5432 }, readiness: { exec: 'true' } }
  stripe: { external: 'http://127.0.0.1:9' }
";

#[test]
fn the_topology_is_told_in_every_format() {
    let sandbox = Sandbox::new(SHOP);
    let text = sandbox.nagaya(&["graph"]).good().out;
    let expected = "web
  ─▶ users  when ready
  ─▶ orders  when ready
users
  ═▶ db  database `shop`, which others use too
orders
  ═▶ db  when ready  database `shop`, which others use too
db
stripe  (external)
";
    assert_eq!(text, expected);
    let graph = sandbox.nagaya(&["graph", "--json"]).good().json();
    assert_eq!(graph["nodes"][4], json!({ "name": "stripe", "kind": "external", "state": null }));
    let edge = json!({ "from": "users", "to": "db", "declared": false, "referenced": true, "condition": null, "shared": "shop" });
    assert_eq!(graph["edges"].as_array().unwrap().iter().find(|it| it["from"] == "users"), Some(&edge));
    let dot = sandbox.nagaya(&["graph", "--format", "dot"]).good().out;
    assert!(dot.starts_with("digraph nagaya {\n") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains("  \"db\" [shape=cylinder];\n") && dot.contains("  \"web\" -> \"users\";\n"), "{dot}");
    assert!(dot.contains("  \"users\" -> \"db\" [style=dashed, penwidth=3, label=\"shop\"];\n"), "{dot}");
    let mermaid = sandbox.nagaya(&["graph", "--format", "mermaid"]).good().out;
    assert!(mermaid.starts_with("flowchart LR\n") && mermaid.contains("  n2 ==>|\"shop\"| n3\n"), "{mermaid}");
    let svg = sandbox.nagaya(&["graph", "--format", "svg"]).good().out;
    let svg = roxmltree::Document::parse(&svg).unwrap();
    let count =
        |tag: &str| svg.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag))).count();
    assert_eq!((count("text"), count("title")), (5, 2));
    assert!(sandbox.untouched());
    sandbox.nagaya(&["check"]).good().says(&["`users` (nagaya.yaml:4), `orders` (nagaya.yaml:5) use one database"]);
}

#[test]
fn with_an_engine_it_has_states() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, SHOP);
        sandbox.up();
        sandbox.nagaya(&["stop", "web"]).good();
        let graph = sandbox.nagaya(&["graph", "--format", "json"]).good().json();
        let state = |at: usize| graph["nodes"][at]["state"].clone();
        assert_eq!((state(0), state(1)), ("stopped".into(), "running".into()), "{graph}");
        assert!(sandbox.nagaya(&["graph"]).good().out.starts_with("web  stopped\n"));
        sandbox.nagaya(&["down"]).good();
    }
}
