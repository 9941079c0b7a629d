//! `doctor`: what this machine allows, and what it would say of machines that allow less.

use serde_json::Value;

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish};

/// Runs nagaya where a limit on namespaces is zero. The limit is that of a user namespace which is made for this: no
/// other process is under it. `rights` tells whether it keeps those that it has in there.
pub fn limited(sandbox: &Sandbox, limit: &str, rights: bool, words: &[&str]) -> Run {
    let drop = if rights { "" } else { "setpriv --bounding-set -all --inh-caps -all --ambient-caps -all" };
    let script = format!("echo 0 > /proc/sys/user/max_{limit}_namespaces && exec {drop} \"$@\"");
    let mut command = sandbox.command("unshare");
    command.args(["--user", "--map-current-user", "--keep-caps", "sh", "-c", &script, "sh"]);
    finish(command.arg(binary()).args(words))
}

/// What a check found.
#[track_caller]
pub fn finding(answer: &Value, check: &str) -> Value {
    let findings = answer["findings"].as_array().unwrap();
    findings.iter().find(|it| it["check"] == check).cloned().unwrap_or_else(|| panic!("no {check} in {answer:#}"))
}

#[test]
fn every_check_has_its_word() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "");
        let run = sandbox.nagaya(&["doctor", "--json"]);
        let answer = run.good().json();
        for check in [
            "network",
            "pod",
            "names",
            "descriptors",
            "state",
            "sockets",
            "front_door",
            "trust",
            "dns",
            "proxy",
            "udp",
            "engines",
            "containers",
        ] {
            let finding = finding(&answer, check);
            assert!(["ok", "warning"].contains(&finding["status"].as_str().unwrap()), "{finding}");
            assert!(!finding["message"].as_str().unwrap().is_empty(), "{finding}");
            assert_eq!(finding["fix"].is_null(), finding["status"] == "ok", "{finding}");
        }
        let text = sandbox.nagaya(&["doctor"]).good().out;
        assert!(text.contains("✓ state") && text.contains("`network: auto` means"), "{text}");
        // It only looks: neither an authority nor a folder was made.
        assert!(sandbox.untouched(), "{account:?}");
    }
}

#[test]
fn a_machine_without_user_namespaces_has_env_alone() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "");
        let answer = limited(&sandbox, "user", false, &["doctor", "--json"]).good().json();
        assert!(finding(&answer, "network")["message"].as_str().unwrap().contains("`env`"), "{answer:#}");
        for mode in ["pod", "names"] {
            let finding = finding(&answer, mode);
            assert_eq!(finding["status"], "warning");
            let message = finding["message"].as_str().unwrap();
            assert!(
                message.contains("cannot make namespaces") && message.contains("max_user_namespaces is 0"),
                "{message}"
            );
            assert!(finding["fix"].as_str().unwrap().contains("sysctl user.max_user_namespaces=65536"), "{finding}");
        }
    }
}

#[test]
fn a_machine_without_network_namespaces_has_names() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, "");
        let answer = limited(&sandbox, "net", account == Account::Own, &["doctor", "--json"]).good().json();
        assert!(finding(&answer, "network")["message"].as_str().unwrap().contains("`names`"), "{answer:#}");
        assert!(
            finding(&answer, "pod")["fix"].as_str().unwrap().contains("user.max_net_namespaces=65536"),
            "{answer:#}"
        );
        assert_eq!(finding(&answer, "names")["status"], "ok", "{answer:#}");
    }
}

#[test]
fn what_is_in_the_way_of_everything_is_a_problem() {
    // Root writes everywhere.
    let sandbox = Sandbox::of(Account::unprivileged(), "");
    let run = finish(sandbox.command(binary()).args(["doctor", "--json"]).env("XDG_STATE_HOME", "/nowhere"));
    let state = finding(&run.ended(1).json(), "state");
    assert_eq!(state["status"], "problem");
    assert!(state["fix"].as_str().unwrap().contains("XDG_STATE_HOME"), "{state}");
    let long = format!("/tmp/{}", "x".repeat(100));
    let run = finish(sandbox.command(binary()).args(["doctor", "--json"]).env("XDG_RUNTIME_DIR", long));
    assert_eq!(finding(&run.ended(1).json(), "sockets")["status"], "problem");
    let limit = ["--nofile=100:100", "--"];
    let run = finish(sandbox.command("prlimit").args(limit).arg(binary()).args(["doctor", "--json"]));
    assert_eq!(finding(&run.ended(1).json(), "descriptors")["status"], "problem");
}

#[test]
fn an_engine_of_containers_that_is_not_there_is_missed() {
    let sandbox = Sandbox::new("");
    let host = "unix:///nowhere/docker.sock";
    let run = finish(sandbox.command(binary()).args(["doctor", "--json"]).env("DOCKER_HOST", host));
    let missed = finding(&run.good().json(), "containers");
    assert_eq!(missed["status"], "warning", "{missed}");
    assert!(missed["fix"].as_str().unwrap().contains("/nowhere/docker.sock"), "{missed}");
}

#[test]
fn a_proxy_on_the_loopback_is_told_with_the_name_that_pods_have_for_it() {
    let sandbox = Sandbox::new("");
    let run = finish(
        sandbox.command(binary()).args(["doctor", "--json"]).env("https_proxy", "http://u:geheim@127.0.0.1:3128"),
    );
    let answer = run.good();
    assert!(!answer.out.contains("geheim"));
    let proxy = finding(&answer.json(), "proxy");
    assert_eq!(proxy["status"], "ok");
    assert!(proxy["message"].as_str().unwrap().contains("host.nagaya.internal"), "{proxy}");
}

#[test]
fn dockerfiles_of_the_manifest_get_advice() {
    let sandbox = Sandbox::new(
        "services:\n  a: { build: app }\n  b: { build: app }\n  c: { build: { context: app, dockerfile: Good } }\n",
    );
    sandbox.write("app/Dockerfile", "FROM node\nCOPY . .\nRUN npm ci\n");
    sandbox.write("app/Good", "FROM node:22\nCOPY a b ./\nUSER node\n");
    let run = sandbox.nagaya(&["doctor", "--json"]).good().json();
    let told = run["findings"].as_array().unwrap().iter().filter(|it| it["check"] == "dockerfile");
    let told: Vec<(String, String)> =
        told.map(|it| (it["message"].as_str().unwrap().to_owned(), it["fix"].as_str().unwrap().to_owned())).collect();
    let file = std::fs::canonicalize(sandbox.path("app/Dockerfile")).unwrap();
    let has = |line: u32, message: &str, fix: &str| {
        let begin = format!("{}:{line}: ", file.display());
        told.iter().any(|(it, how)| it.starts_with(&begin) && it.contains(message) && how.contains(fix))
    };
    assert!(has(1, "which means `latest`", "`FROM node:1.2`"), "{told:?}");
    assert!(has(1, "no `USER` is named", "`USER 1000`"), "{told:?}");
    assert!(has(2, "no `.dockerignore`", "write a `.dockerignore`"), "{told:?}");
    assert!(has(2, "before line 3 installs", "`COPY package.json package-lock.json ./` first"), "{told:?}");
    assert_eq!(told.len(), 4, "each is told once: {told:?}");
    sandbox.write("app/.dockerignore", ".git\n");
    assert!(!sandbox.nagaya(&["doctor"]).good().out.contains(".dockerignore"));
}
