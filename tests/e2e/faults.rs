//! Bad input and bad surroundings: a clear message, the right exit code, nothing left running.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::sandbox::{Account, Sandbox, binary, finish, until};

/// A workspace of one service.
fn one(service: &str) -> Sandbox {
    Sandbox::new(&format!("name: one\nservices:\n  web: {service}\n"))
}

/// Boots it as scripts do.
const UP: [&str; 3] = ["up", "-d", "--wait"];

#[test]
fn a_manifest_with_problems_starts_nothing() {
    let sandbox = one("{ comand: [sleep, infinity] }");
    for words in [&UP[..], &["check"], &["config"]] {
        sandbox.nagaya(words).ended(3).says(&["nagaya.yaml:3:10", "did you mean `command`?"]);
    }
    let problems = sandbox.nagaya(&["check", "--json"]).ended(3).json();
    let codes: Vec<_> = problems["problems"].as_array().unwrap().iter().map(|problem| &problem["code"]).collect();
    assert_eq!(codes, ["missing_command", "unknown_key"]);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn a_manifest_that_is_not_text_or_too_large_is_refused() {
    let sandbox = one("{ command: x }");
    sandbox.write("nagaya.yaml", b"name: a\nservices:\n  web: { command: \"\xff\xfe\" }\n");
    sandbox.nagaya(&["check"]).ended(3).says(&["nagaya.yaml:3", "not UTF-8"]);
    sandbox.write("nagaya.yaml", vec![b'a'; 10 << 20]);
    sandbox.nagaya(&["check"]).ended(3).says(&["10MiB", "4MiB"]);
    let mut bomb = "x-a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ('b'..='i').zip('a'..) {
        bomb.push_str(&format!("x-{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(", ")));
    }
    sandbox.write("nagaya.yaml", bomb);
    sandbox.nagaya(&["check"]).ended(3).says(&["nagaya.yaml"]);
}

#[test]
fn an_unreadable_env_file_is_named() {
    // Root reads everything.
    let sandbox = Sandbox::of(Account::unprivileged(), "name: one\nservices:\n  web: { command: [sleep, infinity] }\n");
    sandbox.write(".env", "A=1");
    fs::set_permissions(sandbox.path(".env"), fs::Permissions::from_mode(0o000)).unwrap();
    sandbox.nagaya(&UP).ended(3).says(&[".env may not be read", "`ls -l"]);
    sandbox.nagaya(&["up", "-d", "--wait", "--no-env-file"]).good();
}

#[test]
fn a_command_that_is_missing_fails_its_service_alone() {
    for account in Account::all() {
        let sandbox = Sandbox::of(
            account,
            "name: two\nservices:\n  web: { command: [no-such-program] }\n  other: { command: [sleep, infinity] }\n",
        );
        sandbox.write("locked/x", "");
        fs::set_permissions(sandbox.path("locked"), fs::Permissions::from_mode(0o000)).unwrap();
        // With a folder in PATH that may not be looked into, the system says that it is not allowed.
        let path = format!("{}:/usr/bin:/bin", sandbox.path("locked").display());
        let up = finish(sandbox.command(binary()).args(UP).env("PATH", path)).ended(1);
        up.says(&["`no-such-program` is not a command that can be found"]);
        until("the other one runs", || sandbox.row("other")["state"] == "running");
        assert_eq!(sandbox.row("web")["state"], "failed");
        fs::set_permissions(sandbox.path("locked"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_folder_that_is_missing_is_a_problem_of_the_manifest() {
    let sandbox = one("{ working_dir: nowhere, command: x }");
    sandbox.nagaya(&UP).ended(3).says(&["the folder `nowhere` does not exist", "nagaya.yaml:3"]);
}

#[test]
fn a_program_that_exits_at_once_shows_its_last_lines() {
    let sandbox = one("{ command: 'echo first; echo the config is bad >&2; exit 3' }");
    sandbox.nagaya(&UP).ended(1).says(&["web: exited with 3", "the config is bad", "nagaya why web"]);
}

#[test]
fn a_port_that_a_stranger_has_is_named_with_its_owner() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let sandbox =
        one(&format!("{{ command: [sleep, infinity], ports: {{ http: {port} }}, listen: {port}, network: env }}"));
    let pid = format!("(pid {})", std::process::id());
    sandbox.nagaya(&UP).ended(1).says(&[&format!("port {port} was taken by"), &pid]);
    let why = || sandbox.nagaya(&["why", "web"]).good().out;
    assert!(!why().contains("free"), "{}", why());
    drop(stranger);
    assert!(why().contains(&format!("port {port} is free now: `nagaya start web`")), "{}", why());
}

#[test]
fn a_probe_that_never_passes_tells_what_it_was_answered() {
    let sandbox = one("{ command: 'exec python3 -m http.server --bind 127.0.0.1 $PORT', ports: { http: 80 }, \
         readiness: { http: /nope, period: 50ms } }");
    sandbox.nagaya(&["up", "-d"]).good();
    let answered = "GET /nope answered 404";
    until("it was answered", || sandbox.nagaya(&["why", "web"]).good().out.contains(answered));
    sandbox
        .nagaya(&["up", "-d", "--wait", "--wait-timeout", "1s"])
        .ended(5)
        .says(&["not there after 1.0s: web", answered]);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_named() {
    let sandbox = one("{ command: [sleep, infinity] }");
    let run = finish(sandbox.command(binary()).args(UP).env("XDG_STATE_HOME", "/proc/nowhere"));
    run.ended(1).says(&["/proc/nowhere/nagaya", "XDG_STATE_HOME names another place"]);

    let sandbox = Sandbox::of(Account::unprivileged(), "name: one\nservices:\n  web: { command: [sleep, infinity] }\n");
    sandbox.write("locked/x", "");
    fs::set_permissions(sandbox.path("locked"), fs::Permissions::from_mode(0o500)).unwrap();
    let run = finish(sandbox.command(binary()).args(UP).env("XDG_STATE_HOME", sandbox.path("locked")));
    run.ended(1).says(&["locked/nagaya", "ermission denied"]);
}

#[test]
fn a_socket_path_that_is_too_long_is_told() {
    let sandbox = one("{ command: [sleep, infinity] }");
    let long = sandbox.path(&"x".repeat(110));
    fs::create_dir(&long).unwrap();
    let run = finish(sandbox.command(binary()).args(UP).env("XDG_RUNTIME_DIR", &long));
    run.ended(1).says(&["108 are too many", "XDG_RUNTIME_DIR"]);
    sandbox.empties();
}

#[test]
fn a_stale_socket_and_lock_are_no_obstacle() {
    let sandbox = one("{ command: [sleep, infinity] }");
    sandbox.up();
    let engine = sandbox.engine();
    let (socket, lock) = (engine["socket"].as_str().unwrap().to_owned(), sandbox.home().join("lock"));
    sandbox.nagaya(&["down"]).good();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(fs::exists(&socket).unwrap() && fs::exists(lock).unwrap());
    sandbox.up();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_full_disk_stops_no_service_and_lost_lines_are_counted() {
    let sandbox =
        one("{ command: 'yes a text that fills the disk in no time at all | head -n 60000; sleep infinity' }");
    // A small disk of its own, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs -o size=1m disk \"$XDG_STATE_HOME\" && {0} up -d && \
         until {0} ps --json | grep -q '\"lost_lines\": [1-9]'; do :; done; {0} ps; {0} why web; {0} down",
        binary().display()
    );
    let flags: &[&str] = if is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let run = finish(sandbox.command("unshare").args(flags).args(["sh", "-c", &script])).good();
    assert!(run.out.contains("lines were lost"), "{run:?}");
    sandbox.empties();
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

#[test]
fn a_folder_of_another_tool_says_what_to_do() {
    let sandbox = Sandbox::new("");
    sandbox.write("compose.yaml", "services: {}\n");
    sandbox.nagaya(&["up"]).ended(3).says(&["there is no nagaya.yaml", "compose.yaml belongs to Docker Compose"]);
    let error = sandbox.nagaya(&["ps", "--json"]).ended(3).json();
    assert_eq!(error["error"]["code"], 3);
    assert!(error["error"]["hints"][0].as_str().unwrap().contains("Docker Compose"), "{error}");
}

#[test]
fn wrong_usage_is_told_with_a_suggestion() {
    let sandbox = one("{ command: [sleep, infinity] }");
    sandbox.nagaya(&["pss"]).ended(2).says(&["pss"]);
    sandbox.nagaya(&["up", "wbe"]).ended(2).says(&["there is no service `wbe`", "did you mean `web`?"]);
    sandbox.nagaya(&["--profile", "nope", "up", "-d"]).ended(2).says(&["nope"]);
    sandbox.nagaya(&["ui"]).ended(2).says(&["needs a terminal"]);
}

#[test]
fn devices_and_pipes_are_no_files() {
    let sandbox = one("{ command: [sleep, infinity] }");
    sandbox.nagaya(&["-f", "/dev/zero", "check"]).ended(3).says(&["/dev/zero", "neither a file nor a folder"]);
    finish(sandbox.command("mkfifo").arg(".env")).good();
    sandbox.nagaya(&["check"]).ended(3).says(&[".env", "neither a file nor a folder"]);
}

#[test]
fn what_an_earlier_run_wrote_is_not_shown_as_the_cause() {
    let sandbox = one("{ command: 'echo from the first run; exec sleep 60' }");
    sandbox.up();
    sandbox.nagaya(&["down"]).good();
    sandbox.write("nagaya.yaml", "name: one\nservices:\n  web: { command: exit 3 }\n");
    let failed = sandbox.nagaya(&UP).ended(1).says(&["exited with 3"]);
    assert!(!failed.err.contains("first run"), "{}", failed.err);
    let why = sandbox.nagaya(&["why", "web"]).good().out;
    assert!(!why.contains("first run"), "{why}");
}

#[test]
fn a_failing_probe_is_known_by_its_whole_command() {
    for (probe, shown) in
        [("[grep, -q, x, /dev/null]", "`grep -q x /dev/null` exited with 1"), ("'exit 9'", "`exit 9` exited with 9")]
    {
        let sandbox = one(&format!("{{ command: sleep 60, readiness: {{ exec: {probe}, period: 50ms }} }}"));
        sandbox.nagaya(&["up", "-d"]).good();
        until(shown, || sandbox.nagaya(&["why", "web"]).good().out.contains(shown));
    }
}

#[test]
fn check_judges_by_the_mode_that_is_had_here() {
    let sandbox = one("{ command: sleep 60, egress: deny }");
    let denies =
        |mode: &str| sandbox.nagaya(&["check", "--json"]).good().out.contains("not_enforced").then(|| mode.to_owned());
    assert_eq!(denies("auto"), None);
    sandbox.write("nagaya.yaml", "name: one\nnetwork: env\nservices:\n  web: { command: sleep 60, egress: deny }\n");
    assert_eq!(denies("env"), Some("env".to_owned()));
}
