//! On a terminal: a task that talks, a task that is interrupted by keys, and a task that is picked.

use crate::support::sandbox::{Account, Sandbox, binary, finish};

/// `keys.py NAGAYA WORD… -- WANT=SEND…` runs a command on a terminal, sends each text once the one before it has come, and
/// ends with the command's code. By Debian's Python: one in a home of root is not for every account.
const PTY: &str = r#"
import os, pty, select, sys, time
at = sys.argv.index("--")
words, script = sys.argv[1:at], [pair.split("=", 1) for pair in sys.argv[at + 1:]]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(words[0], words)
seen, whole = b"", b""
def more():
    global seen, whole
    try: piece = os.read(terminal, 4096) if select.select([terminal], [], [], 30)[0] else sys.exit("nothing came")
    except OSError: return False
    seen, whole = seen + piece, whole + piece
    return bool(piece)
for want, send in script:
    while want.encode() not in seen:
        if not more(): sys.exit(f"no {want} in {whole}")
    seen = b""
    os.write(terminal, send.encode().decode("unicode_escape").encode())
while more(): pass
sys.stdout.write(whole.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

const STUBBORN: &str = "#!/bin/sh
trap '' INT TERM HUP
sh -c 'trap \"\" INT TERM HUP; echo up; while :; do sleep 1; done' &
while :; do sleep 1; done
";

fn sandbox(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, "tasks:\n  stubborn: [./stubborn]\n  ask: [./ask]\n  other: echo other\n");
    sandbox.write("keys.py", PTY);
    sandbox.write("stubborn", STUBBORN);
    sandbox.write(
        "ask",
        "#!/bin/sh\n[ -t 0 ] && [ -t 1 ] && echo tty\nprintf 'name? '; read x; echo \"hello $x\"; exit 5\n",
    );
    sandbox
}

#[test]
fn one_task_has_the_terminal() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let mut command = sandbox.command("/usr/bin/python3");
        let run = finish(command.arg("keys.py").arg(binary()).args(["run", "ask", "--", r"name?=me\n"])).ended(5);
        assert!(run.out.contains("tty\r\n") && run.out.ends_with("hello me\r\n"), "{}", run.out);
    }
}

#[test]
fn keys_interrupt_and_then_kill_all_of_it() {
    for account in Account::all() {
        let sandbox = sandbox(account);
        let mut command = sandbox.command("/usr/bin/python3");
        let keys = ["run", "stubborn", "--", r"up=\x03", r"^C=\x03"];
        finish(command.arg("keys.py").arg(binary()).args(keys)).ended(130);
        sandbox.empties();
    }
}

#[test]
fn a_task_is_picked_by_its_letters() {
    let sandbox = sandbox(Account::Own);
    let pick = |keys: &[&str]| {
        let mut command = sandbox.command("/usr/bin/python3");
        finish(command.arg("keys.py").arg(binary()).args(["run", "--"]).args(keys))
    };
    let run = pick(&["task>=ak", r"1 of 3=\r", r"name?=you\n"]).ended(5);
    assert!(run.out.contains("nagaya run ask") && run.out.ends_with("hello you\r\n"), "{}", run.out);
    pick(&[r"task>=\x1b"]).ended(130);
}
