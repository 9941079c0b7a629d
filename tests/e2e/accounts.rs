//! Services of another account: all that is run for them is run as that account, and sees names as they do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::sandbox::{Account, Sandbox, finish};

/// Each of its three commands writes down who it is, and where it finds `db`.
const MANIFEST: &str = "
name: accounts
network: NETWORK
services:
  web:
    command: 'sh ./tell ran; exec sleep infinity'
    user: 'USER'
    setup: [sh ./tell prepared]
    readiness: { exec: [sh, ./tell, probed] }
    depends_on: [db]
  db: { command: 'exec python3 -u -m http.server --bind 127.0.0.1 $PORT', ports: { http: 8080 } }
";

const TELL: &str = "echo $(id -u) $(id -g) $USER $(getent hosts db | cut -c -3) > $1\n";

#[test]
fn probes_and_setup_steps_are_run_as_the_service_is() {
    let [uid, gid] = ["-u", "-g"].map(|flag| {
        let sandbox = Sandbox::of(Account::unprivileged(), "");
        finish(sandbox.command("id").arg(flag)).good().out.trim().to_owned()
    });
    let name = finish(std::process::Command::new("id").args(["-un", &uid])).good().out.trim().to_owned();
    for account in Account::all() {
        for (network, found) in [("pod", "10."), ("names", "127"), ("env", "")] {
            println!("{account:?} {network}");
            let manifest = MANIFEST.replace("NETWORK", network).replace("USER", &format!("{uid}:{gid}"));
            let sandbox = Sandbox::of(account, &manifest);
            sandbox.write("tell", TELL);
            let work = sandbox.path("");
            fs::set_permissions(&work, fs::Permissions::from_mode(0o777)).unwrap();
            fs::set_permissions(work.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
            sandbox.up();
            for what in ["ran", "prepared", "probed"] {
                let told = fs::read_to_string(sandbox.path(what)).unwrap();
                assert_eq!(told.trim(), format!("{uid} {gid} {name} {found}").trim(), "{what}");
            }
        }
    }
}

#[test]
fn an_ordinary_account_runs_services_as_nobody_else() {
    let manifest = "services: { web: { command: [sleep, infinity], user: root } }";
    let sandbox = Sandbox::of(Account::unprivileged(), manifest);
    let said = ["only root can run a service as another account (`user: root`)"];
    sandbox.nagaya(&["up", "-d", "--wait"]).ended(1).says(&said);
}
