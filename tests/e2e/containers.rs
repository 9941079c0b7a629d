//! nagaya inside a Docker container: what each degree of confinement leaves, and the word for it. In `services` it is the
//! other way round.

pub(super) mod backing;
mod builds;
mod commands;
mod hangs;
mod images;
mod kept;
mod modes;
mod names;
mod podman;
mod servers;
mod services;
mod typed;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use super::doctor::finding;
use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, until};

/// A daemon of the test's own, in a network of its own; its end is that of its containers. In `podman` it is Podman's
/// service, which Docker's own client speaks with too.
pub(super) struct Docker {
    child: Child,
    folder: TempDir,
    brand: Brand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brand {
    Docker,
    Podman,
}

/// The image has nothing but folders: programs are this machine's.
const IMAGE: &str = "localhost/nagaya-tests:1";

/// The daemons of all tests that need nothing of them for themselves; each ends with the last of these.
static SHARED: [Mutex<Weak<Docker>>; 2] = [Mutex::new(Weak::new()), Mutex::new(Weak::new())];

impl Docker {
    fn shared() -> Arc<Self> {
        Self::shared_of(Brand::Docker)
    }

    fn shared_of(brand: Brand) -> Arc<Self> {
        let mut shared = SHARED[brand as usize].lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let docker = Arc::new(Self::start_of(brand));
            *shared = Arc::downgrade(&docker);
            docker
        })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn start() -> Self {
        Self::start_of(Brand::Docker)
    }

    fn start_of(brand: Brand) -> Self {
        let folder = tempfile::Builder::new().prefix("nagaya-docker-").tempdir().unwrap();
        if test_account().is_some() {
            // The account of the tests may use it, as one in the group `docker` may.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let docker = Self { child: Self::spawn(brand, folder.path()), folder, brand };
        docker.listens();
        docker.import();
        docker
    }

    fn spawn(brand: Brand, folder: &Path) -> Child {
        let command = match brand {
            Brand::Docker => Self::daemon(folder),
            Brand::Podman => podman::service(folder),
        };
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let child = { command }.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        child.expect("dockerd and podman are here: `tests/run` installs them")
    }

    fn daemon(folder: &Path) -> Command {
        // Where this is not root, sudo has to do without a password, as for `tests/run`.
        let mut command = if is_root() { Command::new("unshare") } else { Command::new("sudo") };
        if !is_root() {
            command.args(["-n", "unshare"]);
        }
        // In a network of its own it neither meets the rules of this machine's Docker nor makes any.
        command.args(["--net", "dockerd"]);
        for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(flag).arg(folder.join(name));
        }
        command.arg("--host").arg(format!("unix://{}", folder.join("socket").display()));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]);
        if let Some(account) = test_account() {
            command.arg("--group").arg(account);
        }
        command
    }

    fn listens(&self) {
        until("the daemon listens", || finish(self.client().arg("version")).code == 0);
        if self.brand == Brand::Podman {
            podman::open(&self.socket());
        }
    }

    /// Signals the daemon.
    fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap_or_default();
        let mut kill = if is_root() { Command::new("kill") } else { Command::new("sudo") };
        if !is_root() {
            kill.args(["-n", "kill"]);
        }
        let _ = kill.args([&format!("-{name}"), pid.trim()]).status();
    }

    /// Ends the daemon, in order.
    fn end(&mut self) {
        if self.brand == Brand::Podman {
            podman::empty(self);
        }
        self.signal("TERM");
        // A test that failed may have stopped it.
        self.signal("CONT");
        let _ = self.child.wait();
        if self.brand == Brand::Podman {
            podman::sweep(self.folder.path());
        }
    }

    /// Has a daemon that was ended come back.
    fn come_back(&mut self) {
        self.child = Self::spawn(self.brand, self.folder.path());
        self.listens();
    }

    pub(super) fn client(&self) -> Command {
        let mut command = if is_root() { Command::new("docker") } else { Command::new("sudo") };
        if !is_root() {
            command.args(["-n", "docker"]);
        }
        command.arg("--host").arg(format!("unix://{}", self.socket().display()));
        command
    }

    fn import(&self) {
        let root = self.folder.path().join("root");
        for name in ["etc", "tmp", "root", "run", "proc", "sys", "dev", "usr"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
        fs::write(root.join("etc/nsswitch.conf"), "hosts: files dns\n").unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        let archive = self.folder.path().join("root.tar");
        finish(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".")).good();
        finish(self.client().arg("import").arg(&archive).arg(IMAGE)).good();
    }

    /// A container in which a sandbox is where it is outside, as its account.
    fn container(&self, sandbox: &Sandbox, flags: &[&str]) -> Command {
        let [uid, gid] = ["-u", "-g"].map(|flag| finish(sandbox.command("id").arg(flag)).good().out.trim().to_owned());
        let base = sandbox.path("").parent().unwrap().to_owned();
        let mut command = self.client();
        command.args(["run", "--rm", "--network=none", "--user", &format!("{uid}:{gid}")]).args(flags);
        let mount = |from: &Path, how: &str| format!("{0}:{0}{how}", from.display());
        command.arg("-v").arg(mount(Path::new("/usr"), ":ro")).arg("-v").arg(mount(&base, ""));
        command.arg("-v").arg(mount(binary().parent().unwrap(), ":ro"));
        for (name, folder) in [("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run"), ("HOME", "home")] {
            command.arg("-e").arg(format!("{name}={}", base.join(folder).display()));
        }
        command.arg("-e").arg(format!("N={}", binary().display()));
        command.arg("-w").arg(base.join("work")).arg(IMAGE);
        command
    }

    fn run(&self, sandbox: &Sandbox, flags: &[&str], script: &str) -> Run {
        finish(self.container(sandbox, flags).args(["bash", "-ec", script]))
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        self.end();
        if !is_root() {
            let _ = Command::new("sudo").args(["-n", "rm", "-rf"]).arg(self.folder.path()).status();
        }
    }
}

/// The account of tests that must not be root's, where these are.
fn test_account() -> Option<std::ffi::OsString> {
    std::env::var_os("NAGAYA_TEST_USER").filter(|_| is_root())
}

fn is_root() -> bool {
    finish(Command::new("id").arg("-u")).out == "0\n"
}

/// Two services on port 80, and one that is sent datagrams.
const PODS: &str = "
name: boxed
services:
  web: { command: [python3, -u, -m, http.server, '80'], ports: { http: 80 } }
  users: { command: [python3, -u, -m, http.server, '80'], ports: { http: 80 }, depends_on: [web] }
  stats: { command: [python3, echo.py], ports: { statsd: { port: 8125, protocol: udp } }, readiness: { log: bound } }
";

const ECHO: &str = r#"
import socket
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 8125))
print("bound", flush=True)
while True: server.sendto(*server.recvfrom(100))
"#;

const SEND: &str = r#"
import socket
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(20)
client.connect(("stats", 8125))
client.send(b"echoed")
print(client.recv(100).decode())
"#;

const CALL_ALL: &str = "$N doctor --json > doctor.json; trap '$N down' EXIT; $N up -d --wait
     for name in web users; do $N exec stats -- curl -sS -o /dev/null -w '%{http_code} ' http://$name/; done
     $N exec web -- python3 send.py; $N ps --json > ps.json";

fn boxed(account: Account, manifest: &str) -> Sandbox {
    let sandbox = Sandbox::of(account, manifest);
    sandbox.write("echo.py", ECHO);
    sandbox.write("send.py", SEND);
    sandbox
}

fn read(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(sandbox.path(name)).unwrap()).unwrap()
}

const OPEN: [&str; 4] = ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"];

#[test]
fn pods_are_possible_where_docker_does_not_forbid_them() {
    let docker = Docker::start();
    let unmasked = [&OPEN[..], &["--security-opt", "systempaths=unconfined"]].concat();
    // Root's has what makes a container privileged, without those rights that this machine itself may lack.
    let admin = ["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN"];
    for account in Account::all() {
        let privileged: &[&str] = if account == Account::Own && is_root() { &admin } else { &["--privileged"] };
        for (flags, settings) in [(&OPEN[..], "warning"), (&unmasked, "ok"), (privileged, "")] {
            println!("{account:?} {flags:?}");
            let sandbox = boxed(account, PODS);
            let run = docker.run(&sandbox, flags, CALL_ALL).good();
            assert!(run.out.contains("200 200 echoed\n"), "{run:?}");
            assert!(!run.err.contains("mode `"), "{}", run.err);
            let rows = read(&sandbox, "ps.json");
            assert!(rows.as_array().unwrap().iter().all(|row| row["network"] == "pod"), "{rows}");
            let found = read(&sandbox, "doctor.json");
            assert_eq!([&finding(&found, "pod"), &finding(&found, "udp")].map(|it| &it["status"]), ["ok", "ok"]);
            // /proc/sys is read-only in a container that is no more than open.
            let proc_sys = finding(&found, "proc_sys");
            assert!(settings.is_empty() || proc_sys["status"] == settings, "{proc_sys}");
            if settings == "warning" {
                assert!(proc_sys["fix"].as_str().unwrap().contains("systempaths=unconfined"), "{proc_sys}");
            }
            sandbox.empties();
        }
    }
}

#[test]
fn a_usual_container_has_env_and_is_told_how_to_have_pods() {
    let manifest = "
name: boxed
services:
  users: { command: 'exec python3 -u -m http.server $PORT', ports: { http: 8080 } }
  job: { command: 'curl -sSf -o /dev/null $USERS_URL && echo reached', depends_on: [users] }
";
    let docker = Docker::start();
    for account in Account::all() {
        let sandbox = boxed(account, manifest);
        let script = "$N doctor --json > doctor.json; trap '$N down' EXIT; $N up -d --wait; $N ps --json > ps.json
                      $N logs job";
        let run = docker.run(&sandbox, &[], script).good();
        assert!(run.out.contains("reached"), "{run:?}");
        assert_eq!(run.err.matches("mode `env`").count(), 1, "{}", run.err);
        let run = run.says(&["cannot make namespaces: Operation not permitted", "`nagaya doctor`"]);
        assert!(!run.err.contains("mode `names`"), "{}", run.err);
        assert_eq!(read(&sandbox, "ps.json")[0]["network"], "env");
        let found = read(&sandbox, "doctor.json");
        for mode in ["pod", "names"] {
            let finding = finding(&found, mode);
            assert!(finding["message"].as_str().unwrap().contains("Docker forbids it"), "{finding}");
            let fix = finding["fix"].as_str().unwrap();
            assert!(fix.contains("docker run --security-opt seccomp=unconfined"), "{fix}");
        }
        sandbox.empties();
        // A mode that was asked for is not exchanged for another.
        sandbox.write("nagaya.yaml", format!("network: pod{manifest}"));
        docker.run(&sandbox, &[], "$N up -d --wait").ended(1).says(&["wants `network: pod`"]);
    }
}

#[test]
fn the_first_process_of_a_container_ends_with_it() {
    let docker = Docker::start();
    for account in Account::all() {
        let sandbox = boxed(account, PODS);
        let flags = [&OPEN[..], &["--name", "first"]].concat();
        let mut container = docker.container(&sandbox, &flags);
        let first = container.args([binary().to_str().unwrap(), "up", "--no-tui"]).stdout(Stdio::null());
        let mut first = first.stderr(Stdio::null()).spawn().unwrap();
        let ready = || finish(docker.client().args(["logs", "first"])).err.matches("● ready").count();
        until("all are ready", || ready() == 3);
        finish(docker.client().args(["stop", "--time", "20", "first"])).good();
        assert_eq!(first.wait().unwrap().code(), Some(0));
        sandbox.empties();
    }
}
