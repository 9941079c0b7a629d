//! Routes at run time: `nagaya dtab`, its history, and what a crash leaves of it.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, binary, signal};

const MANIFEST: &str = r#"
name: routes
network: env
services:
  users:
    command: [sleep, infinity]
    versions: { v1: {}, v2: {} }
  web: { command: [sleep, infinity] }
  stripe: { external: http://127.0.0.1:9 }
routes: |
  # a canary
  /svc/users => 1 * /#/local/users-v2 & 99 * /#/local/users-v1 ;
"#;
const CANARY: &str = "/svc/users=>/#/local/users-v2 & 99*/#/local/users-v1";

fn booted(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, MANIFEST);
    sandbox.up();
    sandbox
}

impl Sandbox {
    /// The routes in force: version, author, text.
    #[track_caller]
    fn routes(&self) -> (u64, String, String) {
        let routes = self.nagaya(&["dtab", "get", "--json"]).good().json();
        let text = |key: &str| routes[key].as_str().unwrap().to_owned();
        (routes["version"].as_u64().unwrap(), text("who"), text("dtab"))
    }

    #[track_caller]
    fn route_history(&self) -> Vec<Value> {
        self.nagaya(&["dtab", "history", "--json"]).good().json().as_array().unwrap().clone()
    }
}

#[test]
fn routes_are_changed_and_every_change_is_kept() {
    for account in Account::all() {
        let sandbox = booted(account);
        assert_eq!(sandbox.routes(), (1, "manifest".to_owned(), CANARY.to_owned()));
        let shown = sandbox.nagaya(&["dtab", "get"]).good().says(&["version 1 by manifest"]).out;
        assert_eq!(shown, "/svc/users => /#/local/users-v2 & 99*/#/local/users-v1 ;\n");
        let all = sandbox.nagaya(&["dtab", "get", "--all"]).good().out;
        assert!(all.starts_with("/svc => /#/local ;\n/svc/stripe => /#/external/stripe ;\n/svc/users"), "{all}");

        sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v2"]).good().says(&["version 2 by "]);
        sandbox.write("routes.dtab", "# all of them\n/svc/users => /svc/web ;\n");
        sandbox.nagaya(&["dtab", "set", "routes.dtab", "--if-version", "2"]).good();
        assert_eq!(sandbox.routes().2, "/svc/users=>/svc/web");
        let conflict = sandbox.nagaya(&["dtab", "set", "", "--if-version", "2"]).ended(1);
        conflict.says(&["they are at version 3 now, by ", "(dtab set) at 20", "and not at 2", "--if-version 3"]);

        // What `get` prints is what `set` takes.
        let mut child = sandbox.command(binary());
        let child =
            child.args(["dtab", "set", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(shown.as_bytes()).unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
        assert_eq!((sandbox.routes().0, sandbox.routes().2), (4, CANARY.to_owned()));

        sandbox.nagaya(&["dtab", "rollback"]).good().says(&["version 5", "(dtab rollback 3)"]);
        assert_eq!(sandbox.routes().2, "/svc/users=>/svc/web");
        sandbox.nagaya(&["dtab", "rollback", "2"]).good();
        assert_eq!(sandbox.routes().2, "/svc/users=>/#/local/users-v2");
        sandbox.nagaya(&["dtab", "rollback", "0"]).good();
        assert_eq!(sandbox.routes().2, "");
        sandbox.nagaya(&["dtab", "rollback", "70"]).ended(2).says(&["there is no version 70", "dtab history"]);

        let history = sandbox.route_history();
        assert_eq!(history.len(), 7);
        for (place, record) in history.iter().enumerate() {
            assert_eq!(record["version"], place + 1);
            assert!(record["time"].as_str().unwrap().ends_with('Z') && record["dtab"].is_string(), "{record}");
        }
        let shown = sandbox.nagaya(&["dtab", "history"]).good().out;
        assert!(shown.contains("   - /svc/users => /#/local/users-v2\n   + /svc/users => /svc/web\n"), "{shown}");
    }
}

#[test]
fn changes_outlive_the_engine_until_the_manifest_says_something_new() {
    let sandbox = booted(Account::Own);
    sandbox.nagaya(&["dtab", "set", "/svc/users => /svc/web"]).good();
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    assert_eq!((sandbox.routes().0, sandbox.routes().2), (2, "/svc/users=>/svc/web".to_owned()));
    // The same entries, written otherwise; and another service.
    let changed = MANIFEST
        .replace("# a canary", "# one in a hundred")
        .replace("  web:", "  other: { command: [sleep, infinity] }\n  web:");
    sandbox.write("nagaya.yaml", &changed);
    sandbox.up();
    assert_eq!(sandbox.routes().0, 2);
    sandbox.write("nagaya.yaml", changed.replace("99 *", "9 *"));
    sandbox.up();
    let routes = sandbox.routes();
    assert_eq!(routes, (3, "manifest".to_owned(), CANARY.replace("99*", "9*")));
    sandbox.nagaya(&["down"]).good();
    let without = "name: routes\nnetwork: env\nservices: { web: { command: [sleep, infinity] } }\n";
    sandbox.write("nagaya.yaml", without);
    sandbox.up();
    assert_eq!(sandbox.routes(), (4, "manifest".to_owned(), String::new()));
}

#[test]
fn a_workspace_without_routes_has_no_history() {
    let sandbox = Sandbox::new("name: plain\nservices: { web: { command: [sleep, infinity] } }\n");
    sandbox.up();
    assert_eq!(sandbox.routes().0, 0);
    sandbox.nagaya(&["dtab", "get"]).good().says(&["version 0: nothing was written yet"]);
    assert_eq!(sandbox.route_history(), [Value::Null; 0]);
    assert!(!sandbox.home().join("routes.jsonl").exists());
    sandbox.nagaya(&["dtab", "rollback"]).ended(1).says(&["there is no earlier version"]);
}

#[test]
fn names_are_explained_by_what_runs() {
    let sandbox = booted(Account::Own);
    let story = sandbox.nagaya(&["dtab", "explain", "/svc/users"]).good().out;
    for told in ["(entry 3)", "1 %  /#/local/users-v2", "the namer /#/local binds it", "99 %  /#/local/users-v1"] {
        assert!(story.contains(told), "no `{told}` in\n{story}");
    }
    // A version that was stopped has no share any more.
    sandbox.nagaya(&["stop", "users-v2"]).good();
    let story = sandbox.nagaya(&["dtab", "explain", "users"]).good().out;
    assert!(story.contains("It goes to /#/local/users-v1"), "{story}");
    let tree =
        sandbox.nagaya(&["dtab", "explain", "users", "--dtab", "/svc/users => /svc/web", "--json"]).good().json();
    assert_eq!((&tree["type"], &tree["path"]), (&"alt".into(), &"/svc/users".into()));
    assert_eq!(tree["alt"][0]["delegate"]["bound"]["id"], "/#/local/web", "{tree:#}");

    sandbox.nagaya(&["dtab", "set", "/svc/users => /svc/nobody ; /svc/users => /#/local/users-v2 | /svc/web"]).good();
    let list = sandbox.nagaya(&["dtab", "list", "--json"]).good().json();
    let seen = |place: usize| (list[place]["state"].as_str().unwrap(), list[place]["bound"][0].as_str());
    assert_eq!([seen(2), seen(3)], [("nowhere", None), ("uncallable", Some("/#/local/web"))], "{list:#}");
    let shown = sandbox.nagaya(&["dtab", "list"]).good().out;
    assert!(
        shown.contains("(built in)")
            && shown.contains("not callable: /#/local/web")
            && shown.contains("bound: /#/external/stripe"),
        "{shown}"
    );
    assert!(
        shown.lines().any(|line| line.starts_with(" 4  /svc/users") || line.starts_with("4  /svc/users")),
        "{shown}"
    );
}

#[test]
fn without_an_engine_there_is_the_manifest() {
    let sandbox = Sandbox::new(MANIFEST);
    sandbox.nagaya(&["dtab", "get"]).ended(4);
    let told =
        sandbox.nagaya(&["dtab", "explain", "/svc/users"]).good().says(&["no engine runs", "the manifest's routes"]);
    assert!(told.out.contains("99 %  /#/local/users-v1"), "{}", told.out);
    let tree = sandbox.nagaya(&["dtab", "explain", "stripe", "--json"]).good().json();
    assert_eq!(tree["alt"][0]["bound"]["id"], "/#/external/stripe", "{tree:#}");
}

#[test]
fn eval_needs_nothing() {
    let sandbox = Sandbox::new("");
    let eval = |words: &[&str]| sandbox.nagaya(&[&["dtab", "eval"], words].concat());
    let found = eval(&["--dtab", "/a=>/1 & 0.001*/2;/a/b=>!", "/a/b/c", "--json"]).good().json();
    let union = serde_json::json!({ "union": [[1.0, { "leaf": "/1/b/c" }], [0.001, { "leaf": "/2/b/c" }]] });
    assert_eq!(found, serde_json::json!({ "tree": { "alt": ["fail", union] }, "show": "! | /1/b/c & 0.001*/2/b/c" }));
    assert_eq!(eval(&["--dtab", "", "/a"]).good().out, "~\n");
    let error = eval(&["--json", "--dtab", "/a -> /b", "/a"]).ended(2).json();
    assert_eq!((&error["error"]["at"], error["error"]["message"].is_string()), (&3.into(), true), "{error}");
    assert_eq!(eval(&["--json", "--dtab", "", "a"]).ended(2).json()["error"]["at"], 0);
    eval(&["--dtab", "/a => /b ;\n  /c -> /d", "/a"]).ended(2).says(&[
        "--dtab:2:6",
        "^",
        "an entry is `/prefix => tree`",
    ]);
}

#[test]
fn what_is_wrong_is_shown_where_it_is_and_changes_nothing() {
    let sandbox = booted(Account::Own);
    let refused = sandbox.nagaya(&["dtab", "set", "/svc/users = > /x"]).ended(2);
    refused.says(&["error[dtab_syntax]", "1 | /svc/users = > /x", "no space inside `=>`"]);
    sandbox.write("bad.dtab", "/a => /b ;\n/c => d\n");
    sandbox.nagaya(&["dtab", "set", "--from", "bad.dtab"]).ended(2).says(&["bad.dtab:2:7", "`/d`"]);
    sandbox.nagaya(&["dtab", "set", "--from", "missing.dtab"]).ended(2).says(&["missing.dtab"]);
    let error = sandbox.nagaya(&["dtab", "set", "--json", "nothing"]).ended(2).json();
    assert_eq!(error["error"]["code"], 2);
    for word in ["nofile", "./routes.dtab", "/tmp/nowhere/routes"] {
        let refused = sandbox.nagaya(&["dtab", "set", word]).ended(2);
        refused.says(&[&format!("{word}: there is no such file"), "or the routes themselves"]);
    }
    sandbox.nagaya(&["dtab", "explain", "nobody"]).ended(1);
    sandbox.nagaya(&["dtab", "explain", "nobody", "--json"]).ended(1);
    sandbox.nagaya(&["dtab", "explain", "web", "--dtab", "/svc/web => !"]).ended(1);
    sandbox.nagaya(&["dtab", "explain", "web", "--dtab", "/svc/web => $"]).ended(1);
    sandbox.nagaya(&["dtab", "explain", "web", "--dtab", "/svc/web => /#/local/web | !"]).good();
    sandbox.nagaya(&["dtab", "explain", "/svc//users"]).ended(2).says(&["nothing between these two slashes"]);
    assert_eq!(sandbox.routes().0, 1);
    let warned = sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v3"]).good();
    warned.says(&["no service or version is called so", "did you mean `users-v1`?", "version 2 by"]);
    let warned = sandbox.nagaya(&["dtab", "set", "/svc/people => /$/inet/127.0.0.1/99999"]).good();
    warned.says(&["no service is called `people`", "`99999` is no port: these are 1 to 65535"]);
    sandbox.nagaya(&["dtab", "set", "/svc/users => /$/inet/127.0.0.1"]).good().says(&["it has no port"]);
    let told = sandbox.nagaya(&["dtab", "explain", "users"]).ended(1).out;
    assert!(told.contains("it has no port: an address is `/$/inet/HOST/PORT`"), "{told}");
}

#[test]
fn check_warns_of_routes_that_lead_nowhere() {
    let wrong = "  /svc/users => /#/local/users-v2 | /#/local/users-v22 ;\n  /srv/web => /svc/web\n";
    let sandbox = Sandbox::new(&(MANIFEST.to_owned() + wrong));
    let problems = sandbox.nagaya(&["check", "--json"]).good().json();
    let seen = |at: usize, key: &str| problems["problems"][at][key].clone();
    assert_eq!((seen(0, "code"), seen(0, "line"), seen(0, "column")), ("unknown_service".into(), 13.into(), 37.into()));
    assert_eq!(seen(0, "hint"), "did you mean `users-v2`?");
    assert_eq!((seen(1, "code"), seen(1, "line"), seen(1, "column")), ("unmatched_route".into(), 14.into(), 3.into()));
    assert_eq!(problems["problems"].as_array().unwrap().len(), 2, "{problems:#}");
    sandbox.nagaya(&["check"]).good().says(&["nagaya.yaml:13:37", "^^^^^^^^^^^^^^^^^^"]);
    // Each of several that are wrong alike, and none that is right.
    let wrong = "  /svc/users => /#/local/gone ;\n  /svc/users => ! ;\n  /svc/users => /svc/web ;\n  \
                 /svc/web => /#/local/gone | /svc/users ;\n  /srv/a => /svc/web ;\n  /svc/b => /srv/a ;\n";
    let sandbox = Sandbox::new(&(MANIFEST.to_owned() + wrong));
    let problems = sandbox.nagaya(&["check", "--json"]).good().json();
    let problems = problems["problems"].as_array().unwrap();
    let lines = |code: &str| -> Vec<u64> {
        problems.iter().filter(|it| it["code"] == code).map(|it| it["line"].as_u64().unwrap()).collect()
    };
    assert_eq!((lines("unknown_service"), lines("hidden_route")), (vec![13, 16], vec![12, 13]), "{problems:#?}");
}

#[test]
fn a_killed_engine_leaves_the_old_routes_or_the_new_ones() {
    let sandbox = booted(Account::Own);
    let mut answered = 1;
    for round in 0..12_u32 {
        let [one, other] = [2 * round, 2 * round + 1].map(|number| format!("/svc/n{number} => /svc/web"));
        sandbox.nagaya(&["dtab", "set", &one]).good();
        answered += 1;
        let engine = u32::try_from(sandbox.engine()["pid"].as_u64().unwrap()).unwrap();
        let file = sandbox.home().join("routes.jsonl");
        let setting = sandbox.start(&["dtab", "set", &other]);
        // At some moment of what follows, each time another one.
        let before = fs::read(&file).unwrap();
        for _ in 0..fastrand::u32(0..200) {
            std::hint::black_box(fs::read(&file).unwrap());
        }
        signal("KILL", engine);
        let set = setting.end();
        sandbox.empties();
        let left = fs::read(&file).unwrap();
        assert!(left.starts_with(&before), "what was written is not touched");
        sandbox.up();
        let (version, _, dtab) = sandbox.routes();
        answered += u64::from(set.code == 0);
        assert!(version == answered || version == answered + 1, "{version} after {answered} answers");
        let history = sandbox.route_history();
        let versions: Vec<u64> = history.iter().map(|record| record["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, (1..=version).collect::<Vec<_>>());
        assert_eq!(history.last().unwrap()["dtab"], *dtab);
        answered = version;
    }
}

#[test]
fn a_torn_history_is_told_and_goes_on() {
    let sandbox = booted(Account::Own);
    sandbox.nagaya(&["dtab", "set", "/svc/a => /svc/web"]).good();
    let file = sandbox.home().join("routes.jsonl");
    sandbox.nagaya(&["down"]).good();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, [whole.as_slice(), b"{\"version\":3,\"ti"].concat()).unwrap();
    sandbox.up().says(&["the last line of the routes' history was not whole"]);
    assert_eq!((sandbox.routes().0, sandbox.routes().2), (2, "/svc/a=>/svc/web".to_owned()));
    sandbox.nagaya(&["dtab", "set", "/svc/b => /svc/web"]).good();
    assert_eq!(sandbox.route_history().len(), 3);
    assert!(fs::read(&file).unwrap().starts_with(&whole));
}

#[test]
fn a_change_that_cannot_be_written_down_is_not_made() {
    let sandbox = booted(Account::unprivileged());
    let file = sandbox.home().join("routes.jsonl");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    // The engine holds the file that was removed; another one has to open what is there now.
    sandbox.nagaya(&["down"]).good();
    sandbox.up().says(&["the routes' history", "cannot be read"]);
    let run = sandbox.nagaya(&["dtab", "set", "/svc/a => /svc/web"]).ended(1);
    run.says(&["cannot be written down, so it was not made"]);
    // The manifest's are in force, whether they can be kept or not.
    assert_eq!(sandbox.routes().2, CANARY);
}
