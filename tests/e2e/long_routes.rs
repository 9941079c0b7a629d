//! Routes that are long, deep, or lead back to themselves: whoever asks is answered, and nobody waits for that.

use serde_json::value::RawValue;

use crate::support::sandbox::{Account, Sandbox};

const MANIFEST: &str = r#"
name: long
network: env
services:
  users: { command: [sleep, infinity] }
  web: { command: [sleep, infinity] }
"#;

fn chain(count: usize) -> String {
    let entries = (0..count).map(|n| format!("/svc/n{n} => /svc/n{} ;\n", n + 1));
    entries.collect::<String>() + &format!("/svc/n{count} => /#/local/users\n")
}

#[test]
fn ways_of_any_length_are_explained() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.up();
    let nested = "(~ | /svc/no & ".repeat(60) + "/s/a" + &")".repeat(60);
    let union = "/s => /s/a & /s/b".to_owned();
    let cases = [
        (chain(90), "/svc/n0", "It goes to /#/local/users", 0),
        (chain(300), "/svc/n0", "100 names were followed", 1),
        ("/svc/a => /svc/b ; /svc/b => /svc/a".to_owned(), "a", "`/svc/a=>/svc/b`, `/svc/b=>/svc/a`", 1),
        ("/a => /b ; /b => /c ; /c => /a/x".to_owned(), "/a", "these entries lead back to each other", 1),
        (union, "/s", "leads back to itself", 1),
        (format!("/s => {nested}"), "/s", "10000 names and branches were tried", 1),
    ];
    for (place, (routes, name, told, code)) in cases.into_iter().enumerate() {
        sandbox.write("routes", &routes);
        sandbox.nagaya(&["dtab", "set", "routes"]).good();
        let story = sandbox.nagaya(&["dtab", "explain", name]).ended(code).out;
        assert!(story.contains(told), "{told}\n{story}");
        let tree = sandbox.nagaya(&["dtab", "explain", name, "--json"]).ended(code).out;
        let tree: Box<RawValue> = serde_json::from_str(&tree).unwrap();
        let depths = tree.get().bytes().scan(0, |depth, byte| {
            *depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            Some(*depth)
        });
        // Where there is one way alone, linkerd tells an error and no tree.
        assert!(place == 3 || depths.max().unwrap() >= 90, "{routes}");
        // The table's entries are looked at on a thread with little room.
        sandbox.nagaya(&["dtab", "list"]).good();
    }
}

#[test]
fn a_chain_of_ten_thousand_entries_holds_nobody_up() {
    let sandbox = Sandbox::of(Account::Own, MANIFEST);
    sandbox.up();
    sandbox.write("routes", chain(10_000));
    let set = sandbox.nagaya(&["dtab", "set", "routes"]).good();
    let (version, warning) = (set.err.find("version 1 by"), set.err.find("100 names lead to each other"));
    assert!(version < warning && version.is_some(), "what was done is told first: {}", set.err);
    let lists = [(); 3].map(|()| sandbox.start(&["dtab", "list", "--json"]));
    for version in 2..8 {
        let route = format!("/svc/web => /svc/n{version}");
        sandbox.write("more", format!("{} ; {route}", chain(10_000)));
        sandbox.nagaya(&["dtab", "set", "more", "--if-version", &(version - 1).to_string()]).good();
        sandbox.nagaya(&["ps"]).good();
    }
    for list in lists {
        let entries = list.end().good().json();
        let entries = entries.as_array().unwrap();
        assert!(entries.len() > 10_000);
        assert!(entries.iter().all(|entry| entry["names"].as_array().unwrap().len() <= 50));
    }
    let list = sandbox.nagaya(&["dtab", "list"]).good().says(&["too large to look at all of it", "dtab explain NAME"]);
    assert!(list.out.contains("not looked at"));
}

#[test]
fn what_leads_back_to_itself_is_told_by_check_and_set() {
    let routes = "routes: |\n  /svc/users => /svc/web ;\n  /svc/web => /svc/users\n";
    let sandbox = Sandbox::new(&format!("{MANIFEST}{routes}"));
    let told =
        "from /svc/users on, these entries lead back to each other: `/svc/users=>/svc/web`, `/svc/web=>/svc/users`";
    sandbox.nagaya(&["check"]).good().says(&["endless_route", told, "nagaya.yaml:8:3", "^^^^^^^^^^"]);
    sandbox.up();
    let set = sandbox.nagaya(&["dtab", "set", "/svc/web => /svc/web"]).good();
    set.says(&["version 2 by", "`/svc/web=>/svc/web` leads back to itself", "`/#/local/SERVICE`"]);
}
