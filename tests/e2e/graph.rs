//! `graph`: the topology in every format, without an engine and with one.

use serde_json::json;

use crate::support::sandbox::{Account, Sandbox, until};

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

/// `web` calls whom it says, and one whom it does not; it also says one whom it does not call.
const CALLS: &str = "name: calls
services:
  web: { command: [sleep, infinity], depends_on: [users, orders] }
  users: { command: [python3, -m, http.server, '8080', --directory, site], ports: { http: 8080 } }
  orders: { command: [python3, -m, http.server, '8080', --directory, site], ports: { http: 8080 } }
  hidden: { command: [python3, -m, http.server, '8080', --directory, site], ports: { http: 8080 } }
";

#[test]
fn live_it_has_what_was_called_and_marks_what_the_manifest_lacks_and_what_nobody_calls() {
    let sandbox = Sandbox::new(CALLS);
    sandbox.write("site/index.html", "here");
    sandbox.nagaya(&["graph", "--live"]).ended(4);
    sandbox.up();
    let calls =
        "import urllib.request as r\nfor n in ['users'] * 3 + ['hidden']: r.urlopen(f'http://{n}:8080/').read()";
    sandbox.nagaya(&["exec", "web", "--", "python3", "-c", calls]).good();
    let graph = || sandbox.nagaya(&["graph", "--live", "--json"]).good().json();
    let edge = |graph: &serde_json::Value, to: &str| {
        let edges = graph["edges"].as_array().unwrap();
        edges.iter().find(|it| it["from"] == "web" && it["to"] == to).cloned().unwrap_or_default()
    };
    until("all calls are told", || edge(&graph(), "hidden")["requests"] == 1);
    let live = graph();
    let told = |to: &str| {
        let edge = edge(&live, to);
        json!(["declared", "observed", "requests", "errors", "undeclared", "unused"].map(|key| edge[key].clone()))
    };
    assert_eq!(told("users"), json!([true, true, 3, 0, false, false]));
    assert_eq!(told("orders"), json!([true, false, 0, 0, false, true]));
    assert_eq!(told("hidden"), json!([false, true, 1, 0, true, false]));
    let [users, orders] = [edge(&live, "users"), edge(&live, "orders")];
    assert!(users["p50_ms"].as_f64().unwrap() > 0.0 && users["per_second"].as_f64().unwrap() > 0.0, "{users}");
    assert!(orders["p50_ms"].is_null(), "{orders}");
    let text = sandbox.nagaya(&["graph", "--live"]).good().out;
    let lines = [
        "/s, 3 in all, p50 ",
        "  ─▶ orders  when ready  no call was seen\n",
        "  ┄▶ hidden  ",
        "  undeclared: `depends_on`",
    ];
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    let mermaid = sandbox.nagaya(&["graph", "--live", "--format", "mermaid"]).good().out;
    assert!(mermaid.contains("|\"no call was seen\"| n2\n") && mermaid.contains("stroke:#c00"), "{mermaid}");
    let dot = sandbox.nagaya(&["graph", "--live", "--format", "dot"]).good().out;
    assert!(dot.contains("\"web\" -> \"hidden\" [style=dashed, color=\"#c00\", label=\""), "{dot}");
    // What is not asked for is not told.
    assert!(edge(&sandbox.nagaya(&["graph", "--json"]).good().json(), "users")["observed"].is_null());
    sandbox.nagaya(&["down"]).good();
}
