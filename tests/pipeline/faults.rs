//! Tasks that will not end, that leave something behind, and runs that are interrupted or killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, until};

/// Ignores what asks it to end, as does its child, and says when both do.
const STUBBORN: &str = "#!/bin/sh
trap '' INT TERM HUP
sh -c 'trap \"\" INT TERM HUP; touch ready; while :; do sleep 1; done' &
while :; do sleep 1; done
";

/// Ends well when it is asked to.
const POLITE: &str = "#!/bin/sh
trap 'echo bye; exit 7' TERM INT
touch polite
while :; do sleep 0.1; done
";

/// Leaves its session, its group and its parent.
const DAEMON: &str = "#!/bin/sh
setsid sh -c 'touch away; while :; do sleep 1; done' </dev/null >/dev/null 2>&1 &
while [ ! -e away ]; do sleep 0.01; done
";

/// The same, and takes our mark off.
const STRANGER: &str = "#!/bin/sh
env -i PATH=\"$PATH\" setsid sh -c 'touch away; while :; do sleep 1; done' &
while [ ! -e away ]; do sleep 0.01; done
echo started
";

fn sandbox(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(
        account,
        "tasks:
  stubborn: [./stubborn]
  polite: [./polite]
  daemon: [./daemon]
  stranger: [./stranger]
  later: { command: touch later, depends_on: [polite] }
",
    );
    for (name, text) in [("stubborn", STUBBORN), ("polite", POLITE), ("daemon", DAEMON), ("stranger", STRANGER)] {
        sandbox.write(name, text);
    }
    sandbox
}

#[test]
fn an_interrupt_reaches_all_and_a_second_one_kills() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let running = sandbox.start(&["run", "stubborn", "polite", "later"]);
        until("both run", || sandbox.path("ready").exists() && sandbox.path("polite").exists());
        running.signal("INT");
        until("the polite one has ended", || running.err().contains("polite   | stopped after"));
        assert!(running.out().contains("polite   | bye"), "{}", running.out());
        running.signal("INT");
        let run = running.end().ended(130).says(&["stubborn | stopped after", "2 stopped, 1 not run"]);
        assert!(!run.err.contains("failed"), "{}", run.err);
        assert!(!sandbox.path("later").exists());
        sandbox.empties();
    }
}

#[test]
fn who_ignores_the_request_is_killed_after_a_grace() {
    let sandbox = sandbox(Account::Own);
    let running = sandbox.start(&["run", "stubborn"]);
    until("it runs", || sandbox.path("ready").exists());
    running.signal("TERM");
    until("people know why nothing happens", || running.err().contains("was asked to end, and has not yet"));
    running.end().ended(130);
    sandbox.empties();
}

#[test]
fn nothing_is_left_when_the_run_itself_is_killed() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let running = sandbox.start(&["run", "stubborn", "polite"]);
        until("both run", || sandbox.path("ready").exists() && sandbox.path("polite").exists());
        running.signal("KILL");
        running.end().ended(137);
        sandbox.empties();
    }
}

#[test]
fn what_a_task_leaves_behind_is_ended() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let run = sandbox.nagaya(&["run", "daemon", "--output", "prefixed"]).good();
        run.says(&["it left processes behind, which are ended"]);
        assert_eq!(others(&sandbox), [0; 0]);
        sandbox.nagaya(&["run", "daemon"]).good();
        assert_eq!(others(&sandbox), [0; 0]);
        sandbox.empties();
    }
}

/// The processes of a sandbox, but for the launcher: it may end a moment after the run does.
fn others(sandbox: &Sandbox) -> Vec<u32> {
    let is_launcher =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("nagaya-launch"));
    sandbox.processes().into_iter().filter(|pid| !is_launcher(pid)).collect()
}

/// It holds the pipe open and nobody knows whose it is: the run ends all the same, and so does it.
#[test]
fn a_daemon_without_our_mark_cannot_hold_a_run_up() {
    let sandbox = sandbox(Account::Own);
    let run = sandbox.nagaya(&["run", "stranger", "--output", "prefixed"]).good();
    assert_eq!(run.out, "stranger | started\n");
    let path = sandbox.path("away");
    let left = || {
        let found = finish(sandbox.command("pgrep").args(["-f", "touch away"]));
        found.out.lines().count()
    };
    assert!(path.exists());
    until("the stranger is gone", || left() == 0);
}

#[test]
fn a_long_line_and_bytes_that_are_no_text_pass() {
    let sandbox =
        Sandbox::new("tasks:\n  long: head -c 3000000 /dev/zero | tr '\\0' x\n  odd: printf 'a\\377b\\r\\n\\nc'\n");
    let run = sandbox.nagaya(&["run", "long", "--output", "prefixed"]).good();
    assert_eq!(run.out.bytes().filter(|byte| *byte == b'x').count(), 3_000_000);
    let mut command = sandbox.command(binary());
    let output = command.args(["run", "odd", "--output", "prefixed"]).output().unwrap();
    assert_eq!(output.stdout, b"odd | a\xffb\nodd | \nodd | c\n");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run() {
    let sandbox = Sandbox::new("tasks: { yes: 'yes' }\n");
    let run =
        finish(sandbox.command("sh").args(["-c", "$0 run yes --output prefixed | head -n 2"]).arg(binary())).good();
    assert_eq!(run.out, "yes | y\nyes | y\n");
    sandbox.empties();
}

/// Two checkouts, and one lock for both.
#[test]
fn a_lock_is_for_all_checkouts_of_a_user() {
    let sandbox = Sandbox::new("");
    for checkout in ["one", "two"] {
        let manifest = "tasks:
  deploy: { command: [../deploy], lock: eu/deploy }
";
        sandbox.write(&format!("{checkout}/nagaya.yaml"), manifest);
    }
    sandbox.write(
        "deploy",
        "#!/bin/sh\nmkdir ../busy || exit 9\ntouch ../begun\nwhile [ ! -e ../go ]; do sleep 0.02; done\nrmdir ../busy\n",
    );
    let first = sandbox.start(&["-C", "one", "run", "deploy"]);
    until("the first has it", || sandbox.path("begun").exists());
    let second = sandbox.start(&["-C", "two", "run", "deploy"]);
    until("the second waits", || second.err().contains("waits for the lock `eu/deploy`, which process"));
    // Whoever waits can be interrupted.
    let third = sandbox.start(&["-C", "two", "run", "deploy"]);
    until("the third waits", || third.err().contains("waits for"));
    third.signal("INT");
    third.end().ended(130);
    sandbox.write("go", "");
    first.end().good();
    second.end().good();
    assert!(!sandbox.path("busy").exists());
}

#[test]
fn a_lock_is_the_machines() {
    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let [own, other] = [Account::Own, Account::unprivileged()].map(|account| {
        let hold = "touch begun; while [ ! -e go ]; do sleep 0.02; done";
        Sandbox::of(account, &format!("tasks:\n  deploy: {{ command: '{hold}', lock: production }}\n"))
    });
    let deploy = |sandbox: &Sandbox| {
        let mut command = sandbox.command(binary());
        sandbox.spawn(command.args(["run", "deploy"]).env("NAGAYA_LOCKS", shared.path()))
    };
    for (first, second) in [(&own, &other), (&other, &own)] {
        let has = deploy(first);
        until("the first has it", || first.path("begun").exists());
        let waits = deploy(second);
        until("the second waits", || waits.err().contains("waits for the lock `production`, which process"));
        assert!(!second.path("begun").exists());
        first.write("go", "");
        has.end().good();
        until("it is its turn", || second.path("begun").exists());
        second.write("go", "");
        waits.end().good();
        for sandbox in [first, second] {
            ["go", "begun"].iter().for_each(|file| fs::remove_file(sandbox.path(file)).unwrap());
        }
    }
}

#[test]
fn the_cache_may_be_where_nothing_can_be_written() {
    let sandbox = Sandbox::of(Account::unprivileged(), "tasks:\n  a: { command: echo ran, inputs: [], outputs: [] }\n");
    let mut command = sandbox.command(binary());
    let run = finish(command.args(["run", "a"]).env("XDG_CACHE_HOME", "/proc/nowhere"));
    assert_eq!((run.code, run.out.as_str()), (0, "ran\n"), "{run:?}");
    run.says(&["its result is not kept: /proc/nowhere"]);
    assert!(fs::read_dir(sandbox.path("")).is_ok());
}

/// Runs lines of a shell with a disk of 256 KiB in the place of a folder; `$nagaya` is the program.
fn with_a_small_disk(sandbox: &Sandbox, folder: &Path, lines: &str) -> Run {
    let mut command = sandbox.command("unshare");
    command.args([
        "--mount",
        "--map-root-user",
        "sh",
        "-ec",
        &format!("mount -t tmpfs -o size=256k none \"$0\"\n{lines}"),
    ]);
    finish(command.arg(folder).env("nagaya", binary()))
}

#[test]
fn a_full_disk_costs_a_kept_result_and_nothing_else() {
    const BIG: &str = "tasks:\n  big: { command: ./big, inputs: [], outputs: [out/*] }\n";
    for account in Account::all() {
        let sandbox = Sandbox::of(account, BIG);
        sandbox.write("big", "#!/bin/sh\nset -e\nmkdir -p out\nhead -c 1048576 /dev/zero > out/a\necho made\n");
        let cache = sandbox.path("../cache");
        // No room for results: the task has gone well all the same, and nothing half written stays.
        let twice = "\"$nagaya\" run big; \"$nagaya\" run big; find \"$0\" -type f -size +0 ! -name '*.lock' ! -name '*.unkept'";
        let run = with_a_small_disk(&sandbox, &cache, twice).good();
        assert_eq!(run.out, "made\nmade\n", "{run:?}");
        assert_eq!(run.err.matches("its result is not kept").count(), 2, "{run:?}");
        run.says(&["/cache/nagaya/tasks: No space left on device"]);

        sandbox.nagaya(&["run", "big"]).good();
        fs::remove_dir_all(sandbox.path("out")).unwrap();
        sandbox.write("out/.keep", "");
        // No room for what was kept: the task runs, and tells of it in its own way.
        let run = with_a_small_disk(&sandbox, &sandbox.path("out"), "\"$nagaya\" run big").ended(1);
        run.says(&["its kept result cannot be used, so it runs", "/out/a: No space left on device"]);

        let run = sandbox.nagaya(&["run", "big"]).good();
        run.says(&["from an earlier run"]);
        assert_eq!(fs::metadata(sandbox.path("out/a")).unwrap().len(), 1 << 20);
    }
}
