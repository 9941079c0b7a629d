//! Versions that come from git, and what is left of them when a matrix is ended.

use std::fs;

use super::matrix;
use crate::support::sandbox::{Account, Sandbox, signal, until};
use crate::support::server::server;

/// A service that answers with a file of its repository, of which a branch has another text.
fn repository(account: Account) -> Sandbox {
    let one = "name: one\nservices:\n  users: { command: [python3, server.py], working_dir: users, ports: { http: 8080 }, setup: [{ command: cp text prepared, inputs: [text] }] }\n";
    let sandbox = Sandbox::of(account, one);
    let answer = "def answer(path):\n    return 200, open('prepared').read()\n";
    sandbox.write("users/server.py", server(answer));
    sandbox.write("users/text", "old");
    sandbox.git(&["init", "-q", "-b", "main"]);
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "begin"]);
    // As in a clone: where `origin` is says nothing of where this is.
    sandbox.git(&["update-ref", "refs/remotes/origin/HEAD", "main"]);
    sandbox.git(&["checkout", "-q", "-b", "fix/text"]);
    sandbox.write("users/text", "new");
    sandbox.git(&["commit", "-q", "-a", "-m", "fix"]);
    sandbox.write("users/text", "unfinished");
    sandbox
}

fn worktrees(sandbox: &Sandbox) -> usize {
    sandbox.git(&["worktree", "list", "--porcelain"]).matches("worktree ").count() - 1
}

#[test]
fn versions_come_from_git_and_nothing_of_them_is_left() {
    for account in Account::all() {
        let sandbox = repository(account);
        let words = ["users=main,HEAD,.", "--json", "--", "sh", "-c", "curl -sSf $USERS_URL/"];
        for _ in 0..2 {
            let told = matrix(&sandbox, &words).good().json();
            let cells = told["combinations"].as_array().unwrap().iter().map(|cell| cell["last_lines"][0].clone());
            assert_eq!(cells.collect::<Vec<_>>(), ["old", "new", "unfinished"]);
            let from = told["services"][0]["versions"].as_array().unwrap().iter().map(|it| it["from"].clone());
            assert_eq!(from.collect::<Vec<_>>(), ["git", "git", "manifest"]);
            assert_eq!(worktrees(&sandbox), 0);
        }
        let unknown = matrix(&sandbox, &["users=main,fix/txet", "--", "true"]).ended(2);
        unknown.says(&[
            "users has no version `fix/txet`, and there is no branch, tag or commit",
            "did you mean `fix/text`?",
        ]);
        let missing = matrix(&sandbox, &["users=main,git:v9", "--", "true"]).ended(2);
        missing.says(&["users=git:v9: there is no branch `v9`"]);
        assert_eq!(worktrees(&sandbox), 0);
        sandbox.empties();
    }
}

#[test]
fn the_same_commit_is_named() {
    let sandbox = repository(Account::Own);
    matrix(&sandbox, &["users=HEAD,fix/text", "--", "true"]).good().says(&["HEAD and fix/text are the same commit"]);
}

#[test]
fn an_interrupt_and_a_killed_engine_leave_nothing() {
    let sandbox = repository(Account::Own);
    let words = ["matrix", "users=main,HEAD", "--", "sh", "-c", "touch begun; sleep 1000"];
    for (name, code, said) in
        [("INT", 130, "interrupted"), ("TERM", 130, "interrupted"), ("KILL", 1, "the engine was killed")]
    {
        let running = sandbox.start(&words);
        until("the command runs", || sandbox.path("begun").exists());
        assert_eq!(worktrees(&sandbox), 2);
        match name {
            "KILL" => signal("KILL", sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap()),
            _ => running.signal(name),
        }
        running.end().ended(code).says(&[said]);
        sandbox.empties();
        assert_eq!(worktrees(&sandbox), 0);
        fs::remove_file(sandbox.path("begun")).unwrap();
    }
}

#[test]
fn who_is_killed_with_the_engine_is_cleared_up_behind_by_the_next() {
    let sandbox = repository(Account::Own);
    let words = ["matrix", "users=main,HEAD", "--", "sh", "-c", "touch begun; sleep 1000"];
    let running = sandbox.start(&words);
    until("the command runs", || sandbox.path("begun").exists());
    running.signal("KILL");
    let engine: u32 = sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap();
    // Its owner's death is its own end, in order; it may be quicker than this.
    let _ = std::process::Command::new("kill")
        .args(["-9", &engine.to_string()])
        .stderr(std::process::Stdio::null())
        .status();
    drop(running.end());
    matrix(&sandbox, &["users=main", "--", "true"]).good();
    assert_eq!(worktrees(&sandbox), 0);
    sandbox.empties();
}
