//! Other versions of running services: from folders and branches of real repositories, and what is left of them.

use std::fs;
use std::path::Path;

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, signal, until};
use crate::support::server::server;

const SHOP: &str = r#"
name: shop
services:
  web:
    command: [python3, server.py]
    working_dir: web
    ports: { http: 8080 }
    depends_on: [users]
  users:
    command: [python3, server.py]
    working_dir: users
    setup: [{ command: cp text prepared, inputs: [text] }]
    ports: { http: 8080 }
    readiness: { http: /, period: 100ms }
"#;

/// Answers with the text that its folder was prepared with.
const ANSWER: &str = r#"
import os

def answer(path):
    return 200, open("prepared" if os.path.exists("prepared") else "text").read()
"#;

/// A shop that is a git repository with a branch `fix/name`, and runs.
fn shop(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, SHOP);
    for folder in ["web", "users"] {
        sandbox.write(&format!("{folder}/server.py"), server(ANSWER));
        sandbox.write(&format!("{folder}/text"), format!("the {folder} of main"));
    }
    sandbox.write(".gitignore", "prepared\n");
    sandbox.git(&["init", "-q", "-b", "main"]);
    commit(&sandbox, "begin");
    sandbox.git(&["checkout", "-q", "-b", "fix/name"]);
    sandbox.write("users/text", "the users of fix");
    commit(&sandbox, "fix");
    sandbox.git(&["checkout", "-q", "main"]);
    sandbox.up();
    sandbox
}

fn commit(sandbox: &Sandbox, message: &str) {
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", message]);
}

/// What a service answers at the front door.
#[track_caller]
fn answer(sandbox: &Sandbox, service: &str) -> String {
    let url = sandbox.nagaya(&["url", service]).good().out;
    finish(sandbox.command("curl").args(["-sS", url.trim()])).good().out
}

#[track_caller]
fn tried(sandbox: &Sandbox) -> Vec<String> {
    let rows = sandbox.nagaya(&["try", "--list", "--json"]).good().json();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", row["name"].as_str().unwrap(), row["state"].as_str().unwrap_or("-"))).collect()
}

fn worktrees(sandbox: &Sandbox) -> usize {
    sandbox.git(&["worktree", "list", "--porcelain"]).matches("worktree ").count() - 1
}

/// Nothing was added to the workspace, and nothing is left of what was tried.
#[track_caller]
fn nothing_left(sandbox: &Sandbox, state: &Path) {
    assert_eq!(worktrees(sandbox), 0);
    assert!(!state.join("tries.json").exists());
    let left = fs::read_dir(state.join("worktrees")).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0);
}

#[track_caller]
fn refused(run: Run, code: i32, texts: &[&str], sandbox: &Sandbox) {
    run.ended(code).says(texts);
    nothing_left(sandbox, &sandbox.home());
    assert_eq!(sandbox.nagaya(&["ps", "--names"]).good().out, "web\nusers\n");
}

#[test]
fn a_branch_runs_beside_the_service_and_leaves_no_trace() {
    for account in Account::all() {
        let sandbox = shop(account);
        let pid = sandbox.pid("users");
        let run = sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
        assert!(run.out.contains("l5d-dtab: /svc/users => /#/local/users-fix-name"), "{}", run.out);
        let url = sandbox.nagaya(&["url", "web"]).good().out;
        let curl = format!("curl -H 'l5d-dtab: /svc/users => /#/local/users-fix-name' {}/", url.trim());
        let link = format!("{}/?nagaya-dtab=/svc/users%3D%3E/%23/local/users-fix-name", url.trim());
        assert!(run.out.contains(&curl) && run.out.contains(&link), "{}", run.out);

        assert_eq!(answer(&sandbox, "users-fix-name"), "the users of fix");
        assert_eq!(answer(&sandbox, "users"), "the users of main");
        assert_eq!(sandbox.pid("users"), pid);
        // One request says so, and goes there; the name of the service means what it meant.
        let own = sandbox.nagaya(&["url", "users"]).good().out;
        let header = "l5d-dtab: /svc/users => /#/local/users-fix-name";
        let asked = finish(sandbox.command("curl").args(["-sS", "-H", header, own.trim()])).good().out;
        assert_eq!(asked, "the users of fix");
        assert_eq!(tried(&sandbox), ["users-fix-name ready"]);
        // The user's own checkout was not touched, and may have the branch.
        assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
        sandbox.git(&["checkout", "-q", "fix/name"]);
        sandbox.git(&["checkout", "-q", "main"]);

        // An edit of the manifest goes on with it, and so does another `up`.
        let version = sandbox.pid("users-fix-name");
        sandbox.write("nagaya.yaml", format!("{SHOP}  extra: {{ command: [sleep, infinity] }}\n"));
        until("the edit counts", || sandbox.nagaya(&["ps", "--names"]).good().out.contains("extra\n"));
        assert_eq!(sandbox.pid("users-fix-name"), version);
        sandbox.up();
        let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "users-fix-name").unwrap();
        assert_eq!(
            (&row["pid"], &row["service"], &row["version"]),
            (&version.into(), &"users".into(), &"fix-name".into())
        );

        let home = sandbox.home();
        sandbox.nagaya(&["try", "--end", "fix-name"]).good().says(&["users-fix-name has ended"]);
        nothing_left(&sandbox, &home);
        assert_eq!(sandbox.nagaya(&["ps", "--names"]).good().out, "web\nusers\nextra\n");
        assert_eq!(answer(&sandbox, "users"), "the users of main");
    }
}

#[test]
fn a_folder_stands_for_the_manifests_or_the_services_own() {
    let sandbox = shop(Account::Own);
    sandbox.write("other/users/server.py", server(ANSWER));
    sandbox.write("other/users/text", "another checkout");
    sandbox.write("single/server.py", server(ANSWER));
    sandbox.write("single/text", "another folder");
    sandbox.write("nagaya.yaml", SHOP.replace("    setup: [{ command: cp text prepared, inputs: [text] }]\n", ""));
    sandbox.up();
    sandbox.nagaya(&["try", "users", "--from", "other"]).good();
    sandbox.nagaya(&["try", "users", "--from", "single", "--name", "v9"]).good();
    assert_eq!(answer(&sandbox, "users-other"), "another checkout");
    assert_eq!(answer(&sandbox, "users-v9"), "another folder");
    assert_eq!(tried(&sandbox), ["users-other ready", "users-v9 ready"]);
    let restarted = sandbox.nagaya(&["restart", "users-v9", "--json"]).good().json();
    assert_eq!((&restarted[0]["name"], &restarted[0]["state"]), (&"users-v9".into(), &"ready".into()));
    let again = sandbox.nagaya(&["try", "users", "--from", "other"]).ended(1);
    again.says(&["users-other is tried already", "nagaya try --end users-other"]);
    sandbox.nagaya(&["try", "--end"]).ended(2).says(&["which one", "users-other, users-v9"]);
    // Of what a setup step makes nothing need be there.
    sandbox.write("nagaya.yaml", SHOP);
    sandbox.up();
    sandbox.nagaya(&["try", "users", "--from", "single", "--name", "made"]).good();
    assert_eq!(answer(&sandbox, "users-made"), "another folder");
    sandbox.write("foreign/main.go", "");
    let foreign = sandbox.nagaya(&["try", "users", "--from", "foreign"]).ended(1);
    foreign.says(&["has no folder `users`, and is none with the files of users"]);
    sandbox.nagaya(&["try", "--end", "--all"]).good();
    assert!(tried(&sandbox).is_empty());
    assert!(sandbox.path("other/users/text").exists() && sandbox.path("single/text").exists());
}

#[test]
fn what_cannot_be_tried_is_told_and_leaves_nothing() {
    let sandbox = shop(Account::Own);
    let attempt = |words: &[&str]| sandbox.nagaya(&[&["try"], words].concat());
    let cases: [(&[&str], i32, &[&str]); 10] = [
        (&["users", "--branch", ""], 2, &["--branch <BRANCH>"]),
        (&["users", "--branch", "fix/nmae"], 1, &["there is no branch `fix/nmae`", "did you mean `fix/name`?"]),
        (&["users", "--branch", "--orphan"], 2, &["--orphan"]),
        (&["users", "--branch=-x"], 1, &["there is no branch `-x`"]),
        (&["user", "--branch", "main"], 2, &["no service `user`", "did you mean `users`?"]),
        (&["users"], 2, &["where is the other users?"]),
        (&["users", "--from", "nowhere"], 1, &["nowhere does not exist"]),
        (&["users", "--from", "web"], 1, &["has no folder `users`"]),
        (&["users", "--from", ".", "--name", "A_B"], 2, &["--name"]),
        (&["web", "--from", "web/text"], 1, &["is not a folder"]),
    ];
    for (words, code, texts) in cases {
        refused(attempt(words), code, texts, &sandbox);
    }
    // A branch without the service, and one without the file that its command names.
    sandbox.git(&["checkout", "-q", "-b", "before"]);
    sandbox.git(&["rm", "-q", "-r", "web", "users/server.py"]);
    sandbox.git(&["commit", "-q", "-m", "less"]);
    sandbox.git(&["checkout", "-q", "main"]);
    refused(attempt(&["web", "--branch", "before"]), 1, &["`before` has no folder `web`, where web is"], &sandbox);
    sandbox.write("nagaya.yaml", SHOP.replace("    setup: [{ command: cp text prepared, inputs: [text] }]\n", ""));
    sandbox.up();
    let missing = "`before`/users has no `server.py`, which the command of users names";
    refused(attempt(&["users", "--branch", "before"]), 1, &[missing], &sandbox);

    sandbox.nagaya(&["down"]).good();
    fs::rename(sandbox.path(".git"), sandbox.path("git")).unwrap();
    sandbox.up();
    attempt(&["users", "--branch", "main"]).ended(1).says(&["is in no git repository", "`--from DIR`"]);
    fs::rename(sandbox.path("git"), sandbox.path(".git")).unwrap();
}

#[test]
fn without_git_there_are_no_branches() {
    let sandbox = Sandbox::new("name: one\nservices:\n  web: { command: [sleep, infinity] }\n");
    let path = sandbox.path("bin");
    fs::create_dir(&path).unwrap();
    std::os::unix::fs::symlink(finish(sandbox.command("which").arg("sleep")).out.trim(), path.join("sleep")).unwrap();
    // The engine's PATH is what counts, which is that of its `up`.
    finish(sandbox.command(binary()).args(["up", "-d", "--wait"]).env("PATH", &path)).good();
    sandbox.nagaya(&["try", "web", "--branch", "main"]).ended(1).says(&["there is no `git` on PATH"]);
    assert!(tried(&sandbox).is_empty());
}

#[test]
fn what_would_be_lost_with_a_worktree_is_told_first() {
    let sandbox = shop(Account::Own);
    let home = sandbox.home();
    let boot = || sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    let end = |more: &[&str]| sandbox.nagaya(&[&["try", "--end", "users-fix-name"], more].concat());
    boot();
    let folder = home.join("worktrees/users-fix-name");
    fs::write(folder.join("users/text"), "changed").unwrap();
    fs::write(folder.join("notes"), "new").unwrap();
    end(&[]).ended(1).says(&["goes on running", "users/text (changed), notes (new)", "--end users-fix-name --force"]);
    assert_eq!(tried(&sandbox), ["users-fix-name ready"]);
    end(&["--force"]).good();
    nothing_left(&sandbox, &home);

    boot();
    fs::write(folder.join("users/text"), "mine").unwrap();
    let there = folder.to_str().unwrap();
    sandbox.git(&["-C", there, "commit", "-q", "-a", "-m", "mine"]);
    end(&[]).ended(1).says(&["it has a commit that no branch has"]);
    sandbox.git(&["-C", there, "branch", "mine"]);
    sandbox.git(&["worktree", "lock", "--reason", "a demo", there]);
    end(&[]).ended(1).says(&["it is locked: a demo", "git worktree unlock"]);
    sandbox.git(&["worktree", "unlock", there]);
    end(&[]).good();
    nothing_left(&sandbox, &home);

    // Locked and gone: git would keep the place for it.
    boot();
    sandbox.git(&["worktree", "lock", there]);
    end(&["--force"]).good();
    nothing_left(&sandbox, &home);
}

#[test]
fn the_end_of_the_workspace_removes_what_holds_nothing_and_tells_of_the_rest() {
    let sandbox = shop(Account::Own);
    let home = sandbox.home();
    sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    sandbox.nagaya(&["try", "web", "--branch", "main"]).good();
    let folder = home.join("worktrees/users-fix-name");
    fs::write(folder.join("notes"), "new").unwrap();
    sandbox.nagaya(&["down"]).good().says(&["the worktree of users-fix-name is kept at", "notes (new)"]);
    assert_eq!(worktrees(&sandbox), 1);
    assert!(folder.join("notes").exists() && !home.join("worktrees/web-main").exists());
    // It can be looked at and dropped with nothing that runs.
    let listed = sandbox.nagaya(&["try", "--list"]).good();
    assert!(listed.out.contains("users-fix-name") && listed.out.contains("notes (new)"), "{}", listed.out);
    let kept = sandbox.nagaya(&["try", "--end", "users-fix-name"]).ended(1);
    kept.says(&["the worktree of users-fix-name is kept", "notes (new)", "--force"]);
    sandbox.nagaya(&["try", "--end", "nobody"]).ended(1).says(&["there is no `nobody` to end", "users-fix-name"]);

    // It is nothing that runs, and still nothing that is lost.
    sandbox.up();
    assert_eq!(tried(&sandbox), ["users-fix-name -"]);
    let again = sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).ended(1);
    again.says(&["the worktree of an earlier users-fix-name is kept", "notes (new)"]);
    fs::remove_file(folder.join("notes")).unwrap();
    sandbox.nagaya(&["try", "--end", "users-fix-name"]).good();
    nothing_left(&sandbox, &home);
    sandbox.nagaya(&["try", "--end", "--all"]).good().says(&["nothing is tried now"]);

    sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    fs::write(folder.join("notes"), "new").unwrap();
    sandbox.nagaya(&["down"]).good().says(&["`nagaya try --end users-fix-name --force` drops it"]);
    sandbox.nagaya(&["try", "--end", "users-fix-name", "--force"]).good().says(&["users-fix-name has ended"]);
    nothing_left(&sandbox, &home);
    sandbox.nagaya(&["try", "--list"]).good().says(&["nothing is tried now"]);
    sandbox.nagaya(&["try", "--end", "--all"]).good().says(&["nothing is tried now"]);
    sandbox.nagaya(&["try", "--end"]).ended(1).says(&["nothing is tried now"]);
}

#[test]
fn what_a_killed_engine_tried_goes_on_with_the_next_and_ends_with_down() {
    let sandbox = shop(Account::Own);
    let home = sandbox.home();
    sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    sandbox.nagaya(&["shift", "users", "fix-name=100"]).good();
    let kill = || signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap());
    kill();
    sandbox.up();
    until("it is tried again", || tried(&sandbox) == ["users-fix-name ready"]);
    assert_eq!(answer(&sandbox, "users"), "the users of fix", "the routes lead there as before");
    // Without its files it cannot go on.
    kill();
    fs::rename(home.join("worktrees/users-fix-name"), home.join("elsewhere")).unwrap();
    sandbox.up();
    until("it is forgotten", || tried(&sandbox).is_empty());
    fs::remove_dir_all(home.join("elsewhere")).unwrap();
    sandbox.git(&["worktree", "prune"]);

    sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    kill();
    sandbox.nagaya(&["down"]).good();
    until("the worktree is gone", || worktrees(&sandbox) == 0 && !home.join("tries.json").exists());
}

#[test]
fn no_route_leads_to_what_ended_with_its_engine() {
    let sandbox = shop(Account::Own);
    sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    sandbox.nagaya(&["dtab", "set", "/svc/web => /#/local/web ; /svc/users => /#/local/users-fix-name | !"]).good();
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    let routes = sandbox.nagaya(&["dtab", "get", "--json"]).good().json();
    assert_eq!(routes["dtab"], "/svc/web=>/#/local/web;/svc/users=>!");
    assert_eq!(routes["who"], "the end of users-fix-name");
}

#[test]
fn a_version_that_does_not_come_up_is_explained_and_changes_nothing() {
    let sandbox = shop(Account::Own);
    sandbox.git(&["checkout", "-q", "-b", "broken"]);
    sandbox.write("users/server.py", "raise SystemExit('the table is missing')");
    commit(&sandbox, "break");
    sandbox.git(&["checkout", "-q", "-b", "silent"]);
    sandbox.write("users/server.py", "import signal; print('thinking', flush=True); signal.pause()");
    commit(&sandbox, "hang");
    sandbox.git(&["checkout", "-q", "main"]);
    let broken = sandbox.nagaya(&["try", "users", "--branch", "broken"]).ended(1);
    broken.says(&["the table is missing", "users-broken: exited with 1", "requests go to users as before"]);
    let silent = sandbox.nagaya(&["try", "users", "--branch", "silent", "--wait-timeout", "4s"]).ended(5);
    silent.says(&["thinking", "users-silent is starting", "`nagaya try --end users-silent`"]);
    assert_eq!(tried(&sandbox), ["users-broken failed", "users-silent starting"]);
    assert!(sandbox.nagaya(&["why", "users-broken"]).good().out.contains("the table is missing"));
    assert_eq!(answer(&sandbox, "users"), "the users of main");
    // Who asks for all does not ask for these.
    sandbox.up();
    sandbox.nagaya(&["try", "--end", "--all"]).good();
    nothing_left(&sandbox, &sandbox.home());
}

#[test]
fn the_end_of_a_version_takes_its_share_back() {
    let sandbox = shop(Account::Own);
    let boot = || sandbox.nagaya(&["try", "users", "--branch", "fix/name"]).good();
    let routes = || sandbox.nagaya(&["dtab", "get", "--json"]).good().json()["dtab"].as_str().unwrap().to_owned();
    boot();
    sandbox.nagaya(&["shift", "users", "fix-name=10"]).good();
    let entry = "/svc/users=>10*/#/local/users-fix-name & 90*/#/local/users";
    assert_eq!(routes(), entry);
    let ended = sandbox.nagaya(&["try", "--end", "users-fix-name"]).good();
    ended.says(&["users-fix-name has ended", &format!("the entry `{entry}` was taken out of the routes")]);
    assert_eq!(routes(), "");
    let history = sandbox.nagaya(&["dtab", "history"]).good().out;
    assert!(history.contains("(try --end)"), "{history}");

    boot();
    sandbox.nagaya(&["dtab", "set", "/svc/web => /#/local/web ; /svc/users => /#/local/users-fix-name | ! "]).good();
    // What would be lost keeps the version, and its entries.
    fs::write(sandbox.home().join("worktrees/users-fix-name/notes"), "new").unwrap();
    sandbox.nagaya(&["try", "--end", "users-fix-name"]).ended(1).says(&["goes on running"]);
    assert!(routes().contains("users-fix-name"));
    let ended = sandbox.nagaya(&["try", "--end", "--all", "--force"]).good();
    ended.says(&["the entry `/svc/users=>/#/local/users-fix-name | !` is `/svc/users=>!` now"]);
    assert_eq!(routes(), "/svc/web=>/#/local/web;/svc/users=>!");
    nothing_left(&sandbox, &sandbox.home());
}
