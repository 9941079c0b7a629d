//! Ways in which a real service is seen to be ready.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::sandbox::{Account, Sandbox, finish, until};

/// Says how far it is, and that it is ready once there is a file `go`.
const NOTIFIER: &str = r#"
import os, socket, time

def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

say("STATUS=reading the index")
while not os.path.exists("go"):
    time.sleep(0.01)
say("STATUS=done\nREADY=1")
time.sleep(1000)
"#;

#[test]
fn a_service_says_itself_that_it_is_ready() {
    for account in Account::all() {
        for network in ["pod", "names", "env"] {
            let sandbox = Sandbox::of(
                account,
                &format!(
                    "name: say\nnetwork: {network}\nservices: {{ web: {{ command: [python3, say.py], readiness: {{ notify: true }} }} }}"
                ),
            );
            sandbox.write("say.py", NOTIFIER);
            sandbox.nagaya(&["up", "-d"]).good();
            let said = || sandbox.nagaya(&["why", "web", "--json"]).good().json()["last_probe"].clone();
            until("it tells how far it is", || said() == "it says: reading the index");
            assert_eq!(sandbox.row("web")["state"], "starting");
            sandbox.write("go", "");
            sandbox.nagaya(&["wait", "web", "--timeout", "60s"]).good();
            assert_eq!(sandbox.row("web")["state"], "ready");
            sandbox.nagaya(&["down"]).good();
            let left = finish(sandbox.command("find").arg(sandbox.path("../run"))).good().out;
            assert!(!left.contains("notify"), "{left}");
        }
    }
}

#[test]
fn a_service_of_another_account_can_say_it_too() {
    let Account::Other { uid, gid } = Account::unprivileged() else { return };
    let sandbox = Sandbox::new(&format!(
        "services: {{ web: {{ command: [python3, say.py], user: '{uid}:{gid}', readiness: {{ notify: true }} }} }}"
    ));
    sandbox.write("say.py", NOTIFIER);
    sandbox.write("go", "");
    for folder in ["", ".."] {
        fs::set_permissions(sandbox.path(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.up();
    assert_eq!(sandbox.row("web")["state"], "ready");
}
