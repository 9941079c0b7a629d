//! Snapshots of the data of stateful services, with real databases and with whatever may come in between.

mod torn;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, signal, until};

const DATABASES: &str = "name: kept
services:
  db: { template: { name: postgres, seed: [seed.sql] } }
  cache: { template: redis }
  app: { command: [sleep, infinity], depends_on: [db, cache] }
  aside: { command: [sleep, infinity] }
";
/// A service whose data is a folder of files.
const FILES: &str = "name: kept
services:
  store: { command: [sleep, infinity], stateful: true }
";

fn with_databases(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, DATABASES);
    sandbox.write("seed.sql", "CREATE TABLE items (name text);\nINSERT INTO items VALUES ('seed');\n");
    // Root's database runs as an account of its own, which has to read the seed.
    for folder in [sandbox.path(""), sandbox.path("..")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.up();
    sandbox
}

#[track_caller]
fn shell(sandbox: &Sandbox, line: &str) -> String {
    sandbox.nagaya(&["exec", "app", "--", "sh", "-ec", line]).good().out
}

#[track_caller]
fn say(sandbox: &Sandbox, sql: &str) -> String {
    shell(sandbox, &format!("psql -qtA \"$DATABASE_URL\" -c \"{sql}\""))
}

const COUNT: &str = "SELECT count(*) FROM items";
const REDIS: &str = "redis-cli -h cache";

fn list(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.nagaya(&["snapshot", "list", "--json"]).good().json().as_array().unwrap().clone()
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    list(sandbox).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn databases_are_saved_and_restored_while_they_run() {
    for account in Account::all() {
        let sandbox = with_databases(account);
        shell(&sandbox, &format!("{REDIS} set key saved"));
        let pid = sandbox.pid("app");
        let saved = sandbox.nagaya(&["snapshot", "save", "first", "--json"]).good().json();
        assert_eq!((&saved["name"], &saved["services"]), (&"first".into(), &serde_json::json!(["db", "cache"])));
        assert!(saved["bytes"].as_u64().unwrap() > 1 << 20 && saved["duration_ms"].is_u64(), "{saved}");
        assert_eq!((sandbox.pid("app"), sandbox.row("db")["ready"].clone()), (pid, true.into()));
        say(&sandbox, "INSERT INTO items SELECT 'more' FROM generate_series(1, 1000)");
        shell(&sandbox, &format!("{REDIS} set key changed"));
        let aside = sandbox.pid("aside");
        sandbox.nagaya(&["snapshot", "restore", "first"]).good().says(&["restored first: ", "of db, cache"]);
        assert_eq!(
            (say(&sandbox, COUNT), shell(&sandbox, &format!("{REDIS} get key"))),
            ("1\n".into(), "saved\n".into())
        );
        // Who depends on the data begins anew, and nobody else.
        assert!(sandbox.pid("app") != pid && sandbox.pid("aside") == aside);
        // The data that was restored is data as any other.
        say(&sandbox, "INSERT INTO items VALUES ('later')");
        sandbox.nagaya(&["snapshot", "save", "second"]).good();
        sandbox.nagaya(&["down"]).good();
        sandbox.nagaya(&["snapshot", "restore", "first"]).good();
        sandbox.up();
        assert_eq!(say(&sandbox, COUNT), "1\n");
        sandbox.nagaya(&["down"]).good();
        sandbox.nagaya(&["snapshot", "restore", "second"]).good();
        sandbox.up();
        assert_eq!(say(&sandbox, COUNT), "2\n");
        assert_eq!(names(&sandbox), ["second", "first"]);
        sandbox.nagaya(&["snapshot", "rm", "first", "second"]).good();
        assert_eq!(names(&sandbox), [""; 0]);
        assert_eq!(say(&sandbox, COUNT), "2\n");
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}

#[test]
fn data_that_a_service_cannot_use_is_taken_back() {
    let sandbox = with_databases(Account::unprivileged());
    say(&sandbox, "INSERT INTO items VALUES ('two')");
    let home = sandbox.home();
    // Without an engine no copy is made that lies ready.
    sandbox.nagaya(&["down"]).good();
    sandbox.nagaya(&["snapshot", "save", "newer"]).good();
    fs::write(home.join("snapshots/newer/db/data/PG_VERSION"), "99\n").unwrap();
    sandbox.up();
    sandbox.nagaya(&["snapshot", "restore", "newer"]).ended(1).says(&[
        "was made by PostgreSQL 99",
        "say `version: \"99\"`",
        "the data is as it was before",
    ]);
    assert_eq!(say(&sandbox, COUNT), "2\n");
    assert_eq!(sandbox.row("app")["state"], "running");
    assert!(!fs::read_dir(sandbox.home().join("data")).unwrap().any(|it| is_aside(&it.unwrap().path())));
    sandbox.nagaya(&["down"]).good();
}

fn is_aside(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with('.')
}

/// The data of the service `store`, with a file in it.
fn with_files(account: Account, text: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::of(account, FILES);
    sandbox.up();
    let home = sandbox.home();
    let file = home.join("data/store/file");
    fill(&sandbox, text);
    (sandbox, file)
}

/// Written by the service's own account.
#[track_caller]
fn fill(sandbox: &Sandbox, text: &str) {
    let line = format!("mkdir -p \"$NAGAYA_DATA_DIR\"; printf %s '{text}' > \"$NAGAYA_DATA_DIR/file\"");
    sandbox.nagaya(&["exec", "store", "--", "sh", "-ec", &line]).good();
}

/// Runs what follows with so many seconds of delay for each file that is copied.
fn slowed(sandbox: &Sandbox, seconds: u32) -> Command {
    let mut command = sandbox.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fchmod"]);
    command.arg("-e").arg(format!("inject=fchmod:delay_enter={seconds}000000"));
    command
}

/// nagaya with a copy under way that takes very long: it is killed when this file of the copy is there.
fn killed_midway(sandbox: &Sandbox, words: &[&str], copied: &Path) {
    let changed = || fs::metadata(copied).ok().map(|told| (told.ctime(), told.ctime_nsec()));
    let before = changed();
    let mut traced = slowed(sandbox, 600).arg(binary()).args(words).spawn().unwrap();
    until("it copies", || changed() > before);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", traced.id())).unwrap();
    let pid: u32 = children.trim().parse().unwrap();
    signal("KILL", pid);
    // It would sit out the delay.
    traced.kill().unwrap();
    traced.wait().unwrap();
    until("it is gone", || !Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn what_is_killed_midway_changes_nothing() {
    for account in Account::all() {
        let (sandbox, file) = with_files(account, "first");
        let home = sandbox.home();
        // Without an engine no copy is made that lies ready.
        sandbox.nagaya(&["down"]).good();
        sandbox.nagaya(&["snapshot", "save", "a"]).good();
        sandbox.up();
        fill(&sandbox, "second");
        killed_midway(&sandbox, &["snapshot", "save", "b"], &home.join("snapshots/.new/store/file"));
        assert_eq!(names(&sandbox), ["a"]);
        killed_midway(&sandbox, &["snapshot", "save", "a", "--yes"], &home.join("snapshots/.new/store/file"));
        assert_eq!(fs::read_to_string(home.join("snapshots/a/store/file")).unwrap(), "first");
        // Copies of what ran were made while it was stopped, so that it is off now.
        assert_eq!(sandbox.row("store")["state"], "stopped");
        sandbox.nagaya(&["up", "-d", "--wait"]).good();
        let pid = sandbox.pid("store");
        killed_midway(&sandbox, &["snapshot", "restore", "a"], &home.join("data/.restored-store/file"));
        // It had not even been stopped.
        assert_eq!((fs::read_to_string(&file).unwrap(), sandbox.pid("store")), ("second".to_owned(), pid));
        sandbox.nagaya(&["snapshot", "restore", "a"]).good();
        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
        let is_lock = |path: &PathBuf| path.extension().is_some_and(|it| it == "lock") || path.ends_with(".lock");
        // The copy that is to lie ready is still being made.
        until("nothing else is left", || {
            let all = fs::read_dir(home.join("data")).unwrap().chain(fs::read_dir(home.join("snapshots")).unwrap());
            let mut left = all.map(|it| it.unwrap().path()).filter(|path| is_aside(path));
            left.all(|path| is_lock(&path) || path.ends_with(".ready") || path.ends_with(".ready.new"))
        });
        sandbox.nagaya(&["down"]).good();
    }
}

/// nagaya with a small disk of its own where this folder is.
fn on_a_small_disk(sandbox: &Sandbox, folder: &Path, words: &[&str]) -> Run {
    let script = "mount -t tmpfs -o size=256k,mode=1777 none \"$1\" && shift && exec \"$@\"";
    let mut command = match finish(Command::new("id").arg("-u")).out.as_str() {
        "0\n" => Command::new("unshare"),
        _ => Command::new("sudo"),
    };
    if command.get_program() == "sudo" {
        command.args(["-n", "--preserve-env", "unshare"]);
    }
    command.args(["--mount", "sh", "-ec", script, "sh"]).arg(folder);
    let inner = sandbox.command(binary());
    command.env_clear().envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.current_dir(sandbox.path("")).arg(inner.get_program()).args(inner.get_args()).args(words);
    finish(&mut command)
}

#[test]
fn a_full_disk_leaves_all_as_it_was() {
    for account in Account::all() {
        let (sandbox, file) = with_files(account, "small");
        let (home, big) = (sandbox.home(), "b".repeat(100_000));
        sandbox.nagaya(&["snapshot", "save", "a"]).good();
        sandbox
            .nagaya(&[
                "exec",
                "store",
                "--",
                "sh",
                "-ec",
                "cd \"$NAGAYA_DATA_DIR\"; head -c 1000000 /dev/urandom > big",
            ])
            .good();
        fill(&sandbox, &big);
        let pid = sandbox.pid("store");
        let run = on_a_small_disk(&sandbox, &home.join("snapshots"), &["snapshot", "save", "b"]).ended(1);
        run.says(&["there is no room for ", "are free there; all is as it was", "`nagaya snapshot rm`"]);
        assert_eq!((names(&sandbox), sandbox.row("store")["ready"].clone()), (vec!["a".to_owned()], true.into()));
        assert_ne!(sandbox.pid("store"), pid, "it was stopped, and started again");
        assert!(!home.join("snapshots/.new").exists());
        assert_eq!(fs::read_to_string(&file).unwrap(), big);
        sandbox.nagaya(&["snapshot", "save", "b"]).good();
        sandbox.nagaya(&["down"]).good();
    }
}

#[test]
fn snapshots_are_tied_to_names_or_to_the_branch() {
    let (sandbox, file) = with_files(Account::Own, "main");
    let git = |words: &[&str]| {
        finish(sandbox.command("git").args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(words)).good()
    };
    sandbox.nagaya(&["snapshot", "save"]).ended(2).says(&["no branch of git", "`nagaya snapshot save NAME`"]);
    sandbox.nagaya(&["snapshot", "restore"]).ended(2).says(&["no branch of git"]);
    git(&["init", "-q", "-b", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
    sandbox.nagaya(&["snapshot", "save"]).good();
    git(&["switch", "-q", "-c", "feature/x"]);
    fill(&sandbox, "feature");
    sandbox.nagaya(&["snapshot", "restore"]).ended(2).says(&["no snapshot of the branch `feature/x`"]);
    sandbox.nagaya(&["snapshot", "save"]).good();
    let branches = |row: &Value| (row["name"].clone(), row["branch"].clone());
    let rows: Vec<_> = list(&sandbox).iter().map(branches).collect();
    assert_eq!(rows, [("feature-x".into(), "feature/x".into()), ("main".into(), "main".into())]);
    git(&["switch", "-q", "main"]);
    sandbox.nagaya(&["snapshot", "restore"]).good().says(&["restored main"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "main");
    sandbox.nagaya(&["snapshot", "save", "main"]).ended(2).says(&["there is a snapshot `main` already", "`--yes`"]);
    fill(&sandbox, "again");
    sandbox.nagaya(&["snapshot", "save", "main", "--yes"]).good();
    for name in ["../x", ".swaps.json"] {
        sandbox.nagaya(&["snapshot", "save", name]).ended(2).says(&["cannot be the name of a snapshot"]);
    }
    sandbox.nagaya(&["snapshot", "rm", "../snapshots/main"]).ended(2).says(&["there is no snapshot"]);
    sandbox.nagaya(&["snapshot", "restore", "mian"]).ended(2).says(&["did you mean `main`?"]);
    sandbox.nagaya(&["snapshot", "rm", "other"]).ended(2).says(&["there is no snapshot `other`"]);
    let shown = sandbox.nagaya(&["snapshot", "list"]).good().out;
    assert!(shown.starts_with("NAME") && shown.contains("feature/x  store"), "{shown}");
    sandbox.nagaya(&["down"]).good();
}

#[test]
fn what_is_half_made_or_written_meanwhile_is_not_saved() {
    let manifest = "name: kept
services:
  slow: { command: 'mkdir -p $NAGAYA_DATA_DIR/data.new; sleep infinity', stateful: true, readiness: { log: never } }
";
    let sandbox = Sandbox::new(manifest);
    sandbox
        .nagaya(&["snapshot", "save", "a"])
        .ended(1)
        .says(&["slow is left out: it has no data yet", "there is no data to save of slow"]);
    sandbox.nagaya(&["up", "-d"]).good();
    let half = sandbox.home().join("data/slow/data.new");
    until("it has begun", || half.exists());
    sandbox.nagaya(&["snapshot", "save", "a"]).ended(1).says(&["slow is starting: its data may be half made"]);
    sandbox.nagaya(&["down"]).good();
    sandbox.nagaya(&["snapshot", "save", "a"]).ended(1).says(&["the data of slow is half made", "`nagaya up --wait`"]);
    // Somebody else writes into the data of one that does not run.
    sandbox.write("nagaya.yaml", FILES);
    let folder = half.parent().unwrap().with_file_name("store");
    fs::create_dir(&folder).unwrap();
    let busy = "while :; do echo more >> \"$1/file\"; done";
    let mut writer = sandbox.command("sh").args(["-c", busy, "sh"]).arg(&folder).spawn().unwrap();
    until("it writes", || folder.join("file").exists());
    let run = finish(slowed(&sandbox, 1).arg(binary()).args(["snapshot", "save", "a"]));
    writer.kill().unwrap();
    writer.wait().unwrap();
    run.ended(1).says(&["changed while it was copied: something still writes there"]);
    assert_eq!(names(&sandbox), [""; 0]);
    sandbox.write("nagaya.yaml", "services: { a: { command: run } }\n");
    sandbox
        .nagaya(&["snapshot", "save", "a"])
        .ended(1)
        .says(&["no service of this workspace owns data", "`stateful: true`"]);
}
