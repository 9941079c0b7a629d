//! Services of another account: all that is run for them is run as that account, and sees names as they do.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

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

const TELL: &str = "
echo $(id -u) $(id -g) $USER $(getent hosts db | cut -c -3) > $1
mkdir -p $NAGAYA_DATA_DIR/by && echo $1 > $NAGAYA_DATA_DIR/by/$1
";

/// Where the services of the workspace that are another account's keep their data.
struct Data(PathBuf);

impl Drop for Data {
    fn drop(&mut self) {
        let own = self.0.parent().filter(|it| it.parent() == Some(Path::new("/var/lib/nagaya")));
        own.map(fs::remove_dir_all);
    }
}

#[test]
fn whatever_is_run_for_a_service_is_run_as_it_is() {
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
            let variables = sandbox.nagaya(&["env", "web", "--json"]).good().json();
            assert_eq!(variables["USER"], name);
            let data = Data(PathBuf::from(variables["NAGAYA_DATA_DIR"].as_str().unwrap()));
            sandbox.nagaya(&["exec", "web", "--", "sh", "./tell", "executed"]).good();
            for what in ["ran", "prepared", "probed", "executed"] {
                let told = fs::read_to_string(sandbox.path(what)).unwrap();
                assert_eq!(told.trim(), format!("{uid} {gid} {name} {found}").trim(), "{what}");
                assert_eq!(fs::read_to_string(data.0.join("by").join(what)).unwrap().trim(), what);
            }
            assert_eq!(fs::metadata(&data.0).unwrap().uid().to_string(), uid);
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
